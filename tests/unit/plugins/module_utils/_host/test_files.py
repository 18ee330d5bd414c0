# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files are opened, written, hashed and flushed."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from ansible_collections.airgap.images.plugins.module_utils._host.files import (
    OF_ARCHIVES,
    keep_from_others,
    make_directories,
    not_for_others,
    open_regular,
    sha256_of,
    sha256_of_open,
    sync_directory,
    write_new,
)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A directory of our own."""
    path = tmp_path / "place"
    path.mkdir(0o755)
    return path


def test_directories_are_made_that_nobody_else_may_write_to(place: Path) -> None:
    before = os.umask(0)
    try:
        make_directories(str(place / "one" / "two" / "cache"), 0o700)
        make_directories(str(place / "one" / "two" / "cache"), 0o700)
    finally:
        os.umask(before)
    made = [place / "one", place / "one" / "two", place / "one" / "two" / "cache"]
    assert [stat.S_IMODE(path.stat().st_mode) for path in made] == [0o755, 0o755, 0o700]


def test_directories_of_archives_are_as_the_umask_has_them_but_for_others(place: Path) -> None:
    before = os.umask(0)
    try:
        make_directories(str(place / "one" / "two"), OF_ARCHIVES, above=OF_ARCHIVES)
        os.umask(0o027)
        make_directories(str(place / "one" / "three"), OF_ARCHIVES, above=OF_ARCHIVES)
    finally:
        os.umask(before)
    made = [place / "one", place / "one" / "two", place / "one" / "three"]
    assert [stat.S_IMODE(path.stat().st_mode) for path in made] == [0o775, 0o775, 0o750]


def test_a_new_file_is_for_nobody_else_to_write(place: Path) -> None:
    before = os.umask(0)
    try:
        with open(place / "file", "xb", opener=not_for_others):
            pass
    finally:
        os.umask(before)
    assert stat.S_IMODE((place / "file").stat().st_mode) == 0o664


@pytest.mark.parametrize(
    ("mode", "left"), [(0o666, 0o644), (0o4755, 0o644), (0o664, 0o664), (0o600, 0o600), (0o640, 0o640)]
)
def test_what_others_must_not_have_is_taken_from_a_file(place: Path, mode: int, left: int) -> None:
    (place / "file").touch()
    (place / "file").chmod(mode)
    with open(place / "file", "rb") as file:
        keep_from_others(file.fileno())
    assert stat.S_IMODE((place / "file").stat().st_mode) == left


def test_a_file_in_the_way_of_a_directory(place: Path) -> None:
    (place / "file").touch()
    with pytest.raises(NotADirectoryError):
        make_directories(str(place / "file" / "below"))


def link_to_precious(path: Path) -> None:
    path.with_name("precious").write_text("data")
    path.symlink_to("precious")


IRREGULAR: dict[str, Callable[[Path], object]] = {
    "missing": lambda path: None,
    "a link": link_to_precious,
    "a FIFO": os.mkfifo,
    "a directory": lambda path: path.mkdir(),
    "a device": lambda path: path.symlink_to("/dev/zero"),
}


@pytest.mark.parametrize("make", IRREGULAR.values(), ids=IRREGULAR)
def test_only_regular_files_are_opened(place: Path, make: Callable[[Path], object]) -> None:
    make(place / "file")
    with pytest.raises(OSError):  # each of them has another number
        open_regular(str(place / "file"))


def test_a_regular_file_is_opened(place: Path) -> None:
    (place / "file").write_text("data")
    with open_regular(str(place / "file")) as file:
        assert file.read() == b"data"
        assert not os.get_inheritable(file.fileno())


def second_name(path: Path) -> None:
    path.with_name("precious").write_text("data")
    os.link(path.with_name("precious"), path)


IN_THE_WAY: dict[str, Callable[[Path], object]] = {
    **{name: IRREGULAR[name] for name in ("missing", "a link", "a FIFO", "a device")},
    "a dangling link": lambda path: path.symlink_to("precious"),
    "a second name": second_name,
}


@pytest.mark.parametrize("make", IN_THE_WAY.values(), ids=IN_THE_WAY)
def test_what_is_written_is_a_file_of_its_own(place: Path, make: Callable[[Path], object]) -> None:
    make(place / "file")
    before = os.umask(0)
    try:
        write_new(str(place / "file"), b"new")
    finally:
        os.umask(before)
    found = os.lstat(place / "file")
    assert (place / "file").read_bytes() == b"new"
    assert (stat.S_IFMT(found.st_mode), stat.S_IMODE(found.st_mode), found.st_nlink) == (stat.S_IFREG, 0o644, 1)
    precious = place / "precious"
    assert not precious.exists() or precious.read_text() == "data"


def test_a_link_is_called_one(place: Path) -> None:
    (place / "link").symlink_to("/dev/zero")
    with pytest.raises(OSError, match="it is a link"):
        open_regular(str(place / "link"))


@pytest.mark.parametrize("size", [0, 1, 1024 * 1024, 3 * 1024 * 1024 + 1])
def test_a_file_is_hashed(place: Path, size: int) -> None:
    raw = os.urandom(size)
    (place / "file").write_bytes(raw)
    asked: list[int] = []
    expected = hashlib.sha256(raw).hexdigest()
    assert sha256_of(str(place / "file"), check=lambda: asked.append(1)) == expected
    assert len(asked) == -(-size // (1024 * 1024))
    with open(place / "file", "rb") as file:
        assert (sha256_of_open(file), file.tell()) == (expected, size)


def test_hashing_ends_when_the_run_is_to_end(place: Path) -> None:
    (place / "file").write_bytes(b"data")

    def stop() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sha256_of(str(place / "file"), check=stop)


def test_a_directory_is_flushed(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[str] = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: synced.append(os.readlink(f"/proc/self/fd/{descriptor}")))
    sync_directory(str(place))
    assert synced == [str(place)]
    (place / "file").touch()
    with pytest.raises(NotADirectoryError):
        sync_directory(str(place / "file"))
