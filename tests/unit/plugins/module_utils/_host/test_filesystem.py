# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The abilities of a filesystem. On a real exFAT it is tried in tests/functional/test_surroundings_usb.py."""

from __future__ import annotations

import errno
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from ansible_collections.airgap.images.plugins.module_utils._host import filesystem
from ansible_collections.airgap.images.plugins.module_utils._host.filesystem import (
    Filesystem,
    filesystem_of,
    ignores_case,
    link_if_possible,
    set_mode,
    spelled_otherwise,
)


@pytest.fixture(autouse=True)
def known(monkeypatch: pytest.MonkeyPatch) -> dict[int, Filesystem]:
    """No filesystem is known from earlier tests."""
    fresh: dict[int, Filesystem] = {}
    monkeypatch.setattr(filesystem, "_known", fresh)
    return fresh


def without_unnamed_files(monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.open

    def fake(path: str, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        if flags & os.O_TMPFILE == os.O_TMPFILE:
            raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP), path)
        return real(path, flags, mode, dir_fd=dir_fd)

    monkeypatch.setattr(filesystem.os, "open", fake)


@pytest.mark.parametrize("unnamed", [True, False])
def test_an_ordinary_one_can_do_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, unnamed: bool) -> None:
    if not unnamed:
        without_unnamed_files(monkeypatch)
    found = filesystem_of(str(tmp_path))
    assert (found.has_symlinks, found.has_modes, found.tells_changes) == (True, True, True)
    assert found.largest_file >= 2**40
    assert not ignores_case(str(tmp_path))
    assert not list(tmp_path.iterdir())


def test_it_is_looked_at_without_a_trace_and_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = tmp_path.stat()
    found = filesystem_of(str(tmp_path / "not" / "yet"))
    after = tmp_path.stat()
    assert (after.st_mtime_ns, after.st_ctime_ns) == (before.st_mtime_ns, before.st_ctime_ns)
    monkeypatch.setattr(filesystem, "_try", lambda _directory: pytest.fail("it is tried again"))
    assert filesystem_of(str(tmp_path)) is found


def test_one_that_nothing_can_be_made_on_is_believed_to_do_all(monkeypatch: pytest.MonkeyPatch) -> None:
    found = filesystem_of("/proc")
    assert (found.has_symlinks, found.has_modes) == (True, True)
    assert not found.tells_changes, "what is read there is read again"


def test_the_limit_of_the_process_counts(tmp_path: Path) -> None:
    code = (
        f"import sys; sys.path[:] = {sys.path!r}\n"
        "from ansible_collections.airgap.images.plugins.module_utils._host.filesystem import filesystem_of\n"
        f"print(filesystem_of({str(tmp_path)!r}).largest_file, filesystem_of('/proc').largest_file)"
    )

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (2**20, 2**20))

    done = subprocess.run([sys.executable, "-c", code], preexec_fn=limit, capture_output=True, text=True, check=True)
    assert done.stdout.split() == [str(2**20)] * 2


@pytest.mark.parametrize("most", [2**31 - 1, 2**32 - 1, 2**44, sys.maxsize])
def test_the_largest_file_is_as_far_as_one_can_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most: int) -> None:
    def seek(_descriptor: int, offset: int, _whence: int) -> int:
        if offset > most:
            raise OSError(errno.EINVAL, "Invalid argument")
        return offset

    monkeypatch.setattr(filesystem.os, "lseek", seek)
    with (tmp_path / "file").open("xb") as file:
        assert filesystem._largest_file(file.fileno()) == most


@pytest.mark.parametrize(
    ("kind", "is_fat"), [("fuse.fusefat", True), ("fuseblk.exfat", False), ("fuse.exfat", False), ("vfat", False)]
)
def test_fat_by_fuse_is_known_by_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, is_fat: bool
) -> None:
    """There the kernel knows of no limit."""
    device = tmp_path.stat().st_dev
    number = f"{os.major(device)}:{os.minor(device)}"
    mounts = tmp_path / "mountinfo"
    mounts.write_text(f"1 2 0:1 / / rw - ext4 /dev/a rw\n3 1 {number} / /stick rw shared:1 - {kind} /dev/b rw\n")
    monkeypatch.setattr("builtins.open", lambda _path, real=open, **more: real(mounts, **more))
    assert filesystem._is_fat_in_userspace(device) is is_fat
    assert not filesystem._is_fat_in_userspace(device + 1)


@pytest.mark.parametrize("number", [errno.EPERM, errno.ENOSYS, errno.EOPNOTSUPP])
def test_links_are_left_out_only_where_there_are_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, known: dict[int, Filesystem], number: int
) -> None:
    path = str(tmp_path / "link")
    assert link_if_possible("share", path) and os.readlink(path) == "share"
    os.unlink(path)

    def fail(_target: str, path: str) -> None:
        raise OSError(number, os.strerror(number), path)

    monkeypatch.setattr(filesystem.os, "symlink", fail)
    with pytest.raises(OSError, match="link"):
        link_if_possible("share", path)
    known[tmp_path.stat().st_dev] = Filesystem(has_symlinks=False)
    assert not link_if_possible("share", path)
    monkeypatch.undo()
    with pytest.raises(FileNotFoundError):
        link_if_possible("share", str(tmp_path / "missing" / "link"))


def test_modes_are_let_be_only_where_there_are_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, known: dict[int, Filesystem]
) -> None:
    def fail(path: str, _mode: int) -> None:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM), path)

    monkeypatch.setattr(filesystem.os, "chmod", fail)
    with pytest.raises(PermissionError):
        set_mode(str(tmp_path / "file"), 0o644)
    known[tmp_path.stat().st_dev] = Filesystem(has_modes=False)
    set_mode(str(tmp_path / "file"), 0o644)


@pytest.mark.parametrize(("mask", "keeps"), [(0, True), (0o077, False)])
def test_a_mount_that_gives_just_the_mode_asked_for_has_modes_only_if_another_is_kept_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mask: int, keeps: bool
) -> None:
    """A stick mounted with ``fmask=0177`` gives every file mode 0600."""
    if mask:
        monkeypatch.setattr(filesystem.os, "fchmod", lambda _descriptor, _mode: None)
    descriptor = os.open(tmp_path / "file", os.O_WRONLY | os.O_CREAT, 0o600)
    assert filesystem.keeps_modes(descriptor) is keeps
    os.close(descriptor)


def test_names_that_differ_by_case_are_two_where_that_counts(tmp_path: Path) -> None:
    (tmp_path / "Archive").touch()
    assert spelled_otherwise(str(tmp_path), "archive") == ""
    assert spelled_otherwise(str(tmp_path), "Archive") == ""
    (tmp_path / "archive").touch()
    assert spelled_otherwise(str(tmp_path), "archive") == ""
    assert spelled_otherwise(str(tmp_path / "missing"), "archive") == ""


def test_mount_points_are_read_as_the_kernel_writes_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A part of the same filesystem that is mounted shows in no number of a device."""
    mounts = tmp_path / "mountinfo"
    mounts.write_text(
        f"1 2 0:1 / {tmp_path}/a\\040b\\134c rw - ext4 /dev/a rw\n3 1 0:1 / /stick rw - exfat /dev/b rw\n"
    )
    monkeypatch.setattr("builtins.open", lambda _path, _mode, real=open: real(mounts, "rb"))
    assert filesystem.is_mount_point(f"{tmp_path}/a b\\c")
    assert not filesystem.is_mount_point(f"{tmp_path}/a b")
    (tmp_path / "link").symlink_to(tmp_path)
    assert filesystem.is_mount_point(f"{tmp_path}/link/a b\\c")


def test_without_a_list_of_mounts_another_filesystem_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing(*_arguments: object, **_more: object) -> None:
        raise FileNotFoundError

    monkeypatch.setattr("builtins.open", nothing)
    assert filesystem.is_mount_point("/proc")
    assert not filesystem.is_mount_point("/nonexistent/there")
