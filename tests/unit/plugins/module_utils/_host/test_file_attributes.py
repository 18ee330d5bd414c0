# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The attributes that a task asks for, and how files get them."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.airgap.images.plugins.module_utils._base.errors import OptionError, StorageError
from ansible_collections.airgap.images.plugins.module_utils._host.attributes import (
    NoAttributes,
    copy_alone,
    give_alone,
    is_shared,
)
from ansible_collections.airgap.images.plugins.module_utils._host.file_attributes import (
    Flags,
    TaskAttributes,
    attributes_of,
    octal_mode,
    parse_flags,
)
from ansible_collections.airgap.images.tests.unit.fakes import Mode, make_params, mark

MODES: dict[str, tuple[object, int | None]] = {
    "none": (None, None),
    "a number": (0o640, 0o640),
    "octal": ("0640", 0o640),
    "octal without zero": ("640", 0o640),
    "octal as Python writes it": ("0o640", 0o640),
    "with special bits": ("02755", 0o2755),
    "symbolic": ("u=rw,g=r,o=", None),
    "not octal": ("0689", None),
}


@pytest.mark.parametrize(("mode", "expected"), MODES.values(), ids=MODES)
def test_modes(mode: object, expected: int | None) -> None:
    assert octal_mode(mode) == expected


class Host:
    """The used parts of an AnsibleModule, on a host with SELinux, and with flags for files if that is wanted."""

    def __init__(self, *, flags: dict[str, set[str]] | None = None, context: str = "", **params: Any) -> None:
        self.params = {**make_params(), **params}
        self.check_mode = False
        self.commands: list[list[str]] = []
        self.contexts: dict[str, str] = {}
        self._flags = flags
        self._context = context

    def selinux_enabled(self) -> bool:
        return bool(self._context)

    def get_bin_path(self, name: str) -> str | None:
        return None if self._flags is None else f"/usr/bin/{name}"

    def get_file_attributes(self, path: str, include_version: bool = True) -> dict[str, str]:
        assert not include_version
        return {"attr_flags": "".join(sorted((self._flags or {}).get(path, set()) | {"e"}))}

    def run_command(self, command: list[str]) -> tuple[int, str, str]:
        self.commands.append(command)
        assert self._flags is not None
        _program, (sign, *letters), path = command
        if "c" in letters:
            return 1, "", "chattr: Operation not supported while setting flags\n"
        found = self._flags.setdefault(path, set())
        found.update(letters) if sign == "+" else found.difference_update(letters)
        return 0, "", ""

    def load_file_common_arguments(self, params: dict[str, Any], path: str) -> dict[str, Any]:
        return {"path": path, "mode": params["mode"], "context": f"{self._context}:{path}", "attributes": "never"}

    def set_fs_attributes_if_different(self, arguments: dict[str, Any], changed: bool, expand: bool) -> bool:
        assert arguments["attributes"] is None and not expand and not changed
        path, mode = arguments["path"], octal_mode(arguments["mode"])
        before = stat.S_IMODE(os.stat(path).st_mode), self.contexts.get(path)
        after = before[0] if mode is None else mode, arguments["context"] if self._context else None
        if not self.check_mode:
            os.chmod(path, after[0])
            if after[1] is not None:
                self.contexts[path] = after[1]
        return before != after


def attributes(host: Any) -> TaskAttributes:
    found = attributes_of(host)
    assert isinstance(found, TaskAttributes)
    return found


def test_nothing_is_asked_for() -> None:
    host: Any = Host()
    assert isinstance(attributes_of(host), NoAttributes)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.write_text("content")
    path.chmod(0o644)
    return path


def test_a_mode(file: Path) -> None:
    given = attributes(Host(mode="0640"))
    assert given.differ(str(file))
    assert stat.S_IMODE(file.stat().st_mode) == 0o644
    assert given.give(str(file)) is True
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
    assert not given.differ(str(file)) and given.give(str(file)) is False


APPLIED: dict[str, tuple[str | None, int]] = {
    "0640": ("0640", 0o750),
    "0600": ("0600", 0o700),
    "0644": ("0644", 0o755),
    "symbolic": ("u=rw,g=,o=", 0o755),
}


@pytest.mark.parametrize(("mode", "expected"), APPLIED.values(), ids=APPLIED)
def test_directories_can_be_entered_by_who_may_read_them(tmp_path: Path, mode: str | None, expected: int) -> None:
    folder = tmp_path / "folder"
    folder.mkdir(0o755)
    given = attributes(Host(mode=mode))
    assert given.give(str(folder)) is (expected != 0o755)
    assert stat.S_IMODE(folder.stat().st_mode) == expected
    assert given.give(str(folder)) is False


def test_the_context_of_selinux_is_that_of_the_final_path(file: Path) -> None:
    """Without any option, too: a filesystem may have one of its own for all files."""
    host = Host(context="etc_t")
    given = attributes(host)
    assert given.differ(str(file), "/srv/a")
    assert host.contexts == {}
    given.give(str(file), "/srv/a")
    assert host.contexts == {str(file): "etc_t:/srv/a"}
    assert not given.differ(str(file), "/srv/a")


def test_a_file_with_other_names_is_copied_for_its_context(file: Path) -> None:
    other = file.with_name("other")
    os.link(file, other)
    host = Host(context="etc_t")
    by = str(file.with_name("new"))
    assert give_alone(attributes(host), str(file), by=by)
    assert host.contexts == {by: f"etc_t:{file}"}
    assert not is_shared(str(file)) and file.read_bytes() == other.read_bytes()


FLAGS: dict[str, Flags | None] = {
    "+i": Flags("+", frozenset("i")),
    "-ia": Flags("-", frozenset("ia")),
    "=S": Flags("=", frozenset("S")),
    "S": Flags("=", frozenset("S")),
    "": None,
}


@pytest.mark.parametrize(("text", "expected"), FLAGS.items(), ids=FLAGS)
def test_flags(text: str, expected: Flags | None) -> None:
    assert parse_flags(text) == expected


@pytest.mark.parametrize("text", ["+?", "i,a", "+-i", "+ i"])
def test_what_are_no_flags(text: str) -> None:
    with pytest.raises(OptionError, match="are not valid flags; expected flags such as"):
        parse_flags(text)


@pytest.mark.parametrize(
    ("asked", "existing", "removed", "added"),
    [
        ("+i", "e", "", "i"),
        ("+i", "ie", "", ""),
        ("-i", "ie", "i", ""),
        ("-i", "e", "", ""),
        ("=i", "ae", "a", "i"),
        ("=i", "ie", "", ""),
    ],
)
def test_flags_of_the_filesystem_are_no_difference(asked: str, existing: str, removed: str, added: str) -> None:
    flags = parse_flags(asked)
    assert flags is not None
    assert (flags.removed(frozenset(existing)), flags.added(frozenset(existing))) == (set(removed), set(added))


def test_what_protects_a_file_comes_last_and_goes_first(file: Path) -> None:
    host = Host(flags={}, attributes="+iS")
    given, path = attributes(host), str(file)
    assert given.differ(path) and given.lack_protection(path)
    assert given.give(path) is True
    assert host.commands == [["/usr/bin/chattr", "+S", path]]
    assert not given.differ(path) and given.lack_protection(path)
    given.protect(path)
    assert host.commands[1:] == [["/usr/bin/chattr", "+i", path]]
    assert not given.lack_protection(path) and not given.frees(frozenset("i"))
    given.lift(path)
    assert host.commands[2:] == [["/usr/bin/chattr", "-i", path]]
    freeing = attributes(Host(flags={path: {"i"}}, attributes="-i"))
    assert freeing.frees(frozenset("i")) and not freeing.frees(frozenset("ia"))
    assert freeing.differ(path) and freeing.give(path) and not freeing.differ(path)


def test_check_mode_gives_nothing(file: Path) -> None:
    host = Host(flags={}, attributes="+iS", mode="0640")
    host.check_mode = True
    given = attributes(host)
    assert given.give(str(file)) is True
    given.protect(str(file))
    assert host.commands == [] and host.check_mode
    assert stat.S_IMODE(file.stat().st_mode) == 0o644


def test_flags_that_cannot_be_given_are_told(file: Path) -> None:
    with pytest.raises(StorageError, match=r"cannot be given \+c: chattr: Operation not supported"):
        attributes(Host(flags={}, attributes="+c")).give(str(file))
    with pytest.raises(OptionError, match="install e2fsprogs"):
        attributes(Host(attributes="+c"))


# -- files with other names


def test_a_file_with_other_names_gets_its_mode_as_a_copy(file: Path) -> None:
    other = file.with_name("other")
    os.link(file, other)
    os.utime(file, ns=(1, 2_000_000_000))
    before = mark(other)
    assert give_alone(Mode(0o600), str(file), by=str(file.with_name("new")))
    assert mark(other) == before and stat.S_IMODE(other.stat().st_mode) == 0o644
    assert (stat.S_IMODE(file.stat().st_mode), file.stat().st_mtime_ns) == (0o600, 2_000_000_000)
    assert sorted(path.name for path in file.parent.iterdir()) == ["file", "other"]


def test_a_copy_has_mode_times_and_extended_attributes(file: Path) -> None:
    os.chmod(file, 0o640)
    os.utime(file, ns=(1, 2_000_000_000))
    os.setxattr(file, "user.origin", b"here")
    copied = file.with_name("copied")
    copy_alone(str(file), str(copied))
    assert copied.read_bytes() == file.read_bytes()
    found = copied.stat()
    assert (stat.S_IMODE(found.st_mode), found.st_mtime_ns) == (0o640, 2_000_000_000)
    assert os.getxattr(copied, "user.origin") == b"here"


def test_what_is_put_in_place_of_a_copy_gets_nothing(file: Path) -> None:
    """Others may write to the directory; a link would be followed to any file."""
    victim, copied = file.with_name("victim"), file.with_name("copied")
    victim.write_bytes(b"secret")
    os.chmod(victim, 0o600)
    os.chmod(file, 0o640)
    os.utime(file, ns=(1_000_000_000, 2_000_000_000))
    before = (mark(victim), victim.stat().st_mode, victim.stat().st_atime_ns)

    def swap() -> None:
        copied.unlink()
        copied.symlink_to(victim)

    copy_alone(str(file), str(copied), swap)
    assert (mark(victim), victim.stat().st_mode, victim.stat().st_atime_ns) == before
    assert victim.read_bytes() == b"secret"


def test_what_has_its_mode_already_is_left_alone(file: Path) -> None:
    os.link(file, file.with_name("other"))
    assert not give_alone(Mode(0o644), str(file), by=str(file.with_name("new")))
    assert is_shared(str(file))


def test_a_copy_that_is_not_what_it_should_be_takes_nobodys_place(file: Path) -> None:
    os.link(file, file.with_name("other"))
    with pytest.raises(StorageError, match="does not have the bytes that the lock file records"):
        give_alone(Mode(0o600), str(file), by=str(file.with_name("new")), sha256="0" * 64)
    assert is_shared(str(file)) and stat.S_IMODE(file.stat().st_mode) == 0o644
    assert not file.with_name("new").exists()
