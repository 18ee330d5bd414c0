# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The files that an archive is cut into, and what is in them."""

from __future__ import annotations

import errno
import hashlib
import os
import tempfile
from pathlib import Path
from typing import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.airgap.images.plugins.module_utils._archive import part_files
from ansible_collections.airgap.images.plugins.module_utils._archive.part_files import PartWriter
from ansible_collections.airgap.images.plugins.module_utils._archive.parts import WrittenFile
from ansible_collections.airgap.images.plugins.module_utils._base.errors import SpaceError, StorageError
from ansible_collections.airgap.images.tests.unit.fakes import join

CUT: dict[str, tuple[bytes, int | None, list[bytes]]] = {
    "one file": (b"abcdef", None, [b"abcdef"]),
    "larger parts": (b"abcdef", 10, [b"abcdef"]),
    "just one part": (b"abcdef", 6, [b"abcdef"]),
    "equal parts": (b"abcdef", 3, [b"abc", b"def"]),
    "a short last part": (b"abcdef", 4, [b"abcd", b"ef"]),
    "bytes": (b"abc", 1, [b"a", b"b", b"c"]),
    "nothing": (b"", 4, [b""]),
    "nothing in one file": (b"", None, [b""]),
}


def write(directory: Path, data: bytes, part_size: int | None, pieces: list[int]) -> list[WrittenFile]:
    writer = PartWriter(str(directory), part_size)
    start = 0
    for length in [*pieces, len(data)]:
        writer.write(data[start : start + length])
        start += length
    writer.finish()
    return writer.files.written


@pytest.mark.parametrize(("data", "part_size", "expected"), CUT.values(), ids=CUT)
def test_parts_are_cut_at_exact_bytes(
    tmp_path: Path, data: bytes, part_size: int | None, expected: list[bytes]
) -> None:
    files = write(tmp_path, data, part_size, [])
    assert [Path(file.path).read_bytes() for file in files] == expected
    assert [file.size for file in files] == [len(part) for part in expected]
    assert [file.sha256 for file in files] == [hashlib.sha256(part).hexdigest() for part in expected]
    assert sorted(os.listdir(tmp_path)) == [str(number) for number in range(len(expected))]


@given(
    data=st.binary(max_size=300),
    part_size=st.none() | st.integers(10, 400),
    pieces=st.lists(st.integers(0, 120), max_size=12),
)
def test_the_parts_joined_are_what_was_written(data: bytes, part_size: int | None, pieces: list[int]) -> None:
    with tempfile.TemporaryDirectory() as directory:
        files = write(Path(directory), data, part_size, pieces)
        assert join(file.path for file in files) == data
        assert [file.sha256 for file in files] == [
            hashlib.sha256(Path(file.path).read_bytes()).hexdigest() for file in files
        ]
        if part_size is not None:
            assert all(file.size == part_size for file in files[:-1])
            assert 0 < files[-1].size <= part_size or data == b""


def test_files_that_are_there_are_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "0").write_bytes(b"old")
    with pytest.raises(StorageError, match="cannot write the archive"):
        PartWriter(str(tmp_path), None).write(b"new")
    assert (tmp_path / "0").read_bytes() == b"old"


def test_every_part_is_synced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[int] = []
    monkeypatch.setattr(part_files.os, "fsync", lambda descriptor: synced.append(os.fstat(descriptor).st_size))
    write(tmp_path, b"abcdef", 4, [])
    assert synced == [4, 2]


def test_a_full_disk_is_explained() -> None:
    writer = PartWriter("/dev", None)
    full = open("/dev/full", "wb", buffering=0)  # noqa: SIM115  # closed by abort
    writer.files._file = full
    writer.files._files.append(full)
    with pytest.raises(SpaceError, match="no space left to write the archive"):
        writer.write(b"x")
    writer.files.abort()
    assert full.closed


class Later:
    """Runs actions when the test says so."""

    def __init__(self) -> None:
        self.actions: list[Callable[[], None]] = []

    def __call__(self, action: Callable[[], None]) -> None:
        self.actions.append(action)

    def run(self) -> None:
        for action in self.actions:
            action()
        self.actions.clear()


def test_syncing_is_left_to_who_runs_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[int] = []
    monkeypatch.setattr(part_files.os, "fsync", lambda descriptor: synced.append(os.fstat(descriptor).st_size))
    later = Later()
    writer = PartWriter(str(tmp_path), 4, later)
    writer.write(b"abcdef")
    writer.finish()
    assert [file.size for file in writer.files.written] == [4, 2]
    assert synced == []
    assert not any(file.closed for file in writer.files._files)
    later.run()
    assert sorted(synced) == [2, 4]
    assert all(file.closed for file in writer.files._files)


def test_what_is_long_is_synced_on_the_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[int] = []
    monkeypatch.setattr(part_files.os, "fsync", lambda descriptor: synced.append(os.fstat(descriptor).st_size))
    monkeypatch.setattr(part_files, "_SYNC_EVERY", 12)
    writer = PartWriter(str(tmp_path), 25)
    for _piece in range(6):
        writer.write(b"123456")
    assert sorted(synced) == [11, 12, 24, 25]
    writer.finish()
    assert sorted(synced) == [11, 11, 12, 24, 25]
    assert join(file.path for file in writer.files.written) == b"123456" * 6


def test_a_disk_that_does_not_sync_is_explained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_descriptor: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(part_files.os, "fsync", refuse)
    later = Later()
    writer = PartWriter(str(tmp_path), None, later)
    writer.write(b"x")
    writer.finish()
    with pytest.raises(StorageError, match=r"cannot write the archive .*Input/output error"):
        later.run()


def test_finishing_twice_makes_no_more_files(tmp_path: Path) -> None:
    writer = PartWriter(str(tmp_path), 2)
    writer.write(b"abcd")
    for _time in range(2):
        writer.finish()
        assert sorted(os.listdir(tmp_path)) == ["0", "1"]
    assert len(writer.files.written) == 2


def test_an_aborted_writer_closes_what_was_not_synced(tmp_path: Path) -> None:
    later = Later()
    writer = PartWriter(str(tmp_path), 2, later)
    writer.write(b"abcde")
    files = list(writer.files._files)
    assert len(files) == 3
    writer.files.abort()
    assert all(file.closed for file in files)


def test_an_aborted_writer_may_have_nothing_open(tmp_path: Path) -> None:
    PartWriter(str(tmp_path), None).files.abort()
    assert os.listdir(tmp_path) == []


def test_files_end_where_they_are_told_to(tmp_path: Path) -> None:
    writer = PartWriter(str(tmp_path), 4)
    for piece in (b"", b"abcdef", b"gh", b"i", b""):
        writer.write(piece)
        writer.end_file()
    writer.finish()
    assert [Path(file.path).read_bytes() for file in writer.files.written] == [b"abcd", b"ef", b"gh", b"i"]


def test_many_small_files_are_synced_together_and_few_of_them_are_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[int] = []
    monkeypatch.setattr(part_files.os, "fsync", lambda descriptor: synced.append(os.fstat(descriptor).st_ino))
    actions: list[int] = []

    def behind(action: Callable[[], None]) -> None:
        action()
        actions.append(len(synced))

    writer = PartWriter(str(tmp_path), 2, behind)
    for _piece in range(150):
        writer.write(b"12")
        writer.end_file()
        assert sum(not file.closed for file in writer.files._files) <= 64
    writer.finish()
    assert actions == [64, 128, 150]
    assert set(synced) == {os.stat(file.path).st_ino for file in writer.files.written}
    assert all(file.closed for file in writer.files._files)
