# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files that an archive is cut into."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import tempfile
from pathlib import Path
from typing import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.airgap.images.plugins.module_utils._archive import parts
from ansible_collections.airgap.images.plugins.module_utils._archive.names import part_names
from ansible_collections.airgap.images.plugins.module_utils._archive.parts import (
    PartWriter,
    WrittenFile,
    check_part_count,
    check_part_fits,
    explain_write_error,
)
from ansible_collections.airgap.images.plugins.module_utils._base.errors import OptionError, SpaceError, StorageError
from ansible_collections.airgap.images.plugins.module_utils._base.size import parse_size
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

NAMES: dict[str, tuple[int, bool, int | None, list[str]]] = {
    "not split": (1, False, None, ["a"]),
    "split into one": (1, True, None, ["a.part0"]),
    "ten": (10, True, None, [f"a.part{number}" for number in range(10)]),
    "eleven": (11, True, None, [f"a.part{number:02d}" for number in range(11)]),
    "as hangar has it": (11, True, 1, [f"a.part{number}" for number in range(11)]),
    "wider": (2, True, 3, ["a.part000", "a.part001"]),
}


def write(directory: Path, data: bytes, part_size: int | None, pieces: list[int]) -> list[WrittenFile]:
    writer = PartWriter(str(directory), part_size)
    start = 0
    for length in [*pieces, len(data)]:
        writer.write(data[start : start + length])
        start += length
    writer.finish()
    return writer.written


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
    monkeypatch.setattr(parts.os, "fsync", lambda descriptor: synced.append(os.fstat(descriptor).st_size))
    write(tmp_path, b"abcdef", 4, [])
    assert synced == [4, 2]


def test_a_full_disk_is_explained() -> None:
    writer = PartWriter("/dev", None)
    full = open("/dev/full", "wb", buffering=0)  # noqa: SIM115  # closed by abort
    writer._file = full
    writer._files.append(full)
    with pytest.raises(SpaceError, match="no space left to write the archive"):
        writer.write(b"x")
    writer.abort()
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
    monkeypatch.setattr(parts.os, "fsync", lambda descriptor: synced.append(os.fstat(descriptor).st_size))
    later = Later()
    writer = PartWriter(str(tmp_path), 4, later)
    writer.write(b"abcdef")
    writer.finish()
    assert [file.size for file in writer.written] == [4, 2]
    assert synced == []
    assert not any(file.closed for file in writer._files)
    later.run()
    assert sorted(synced) == [2, 4]
    assert all(file.closed for file in writer._files)


def test_what_is_long_is_synced_on_the_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[int] = []
    monkeypatch.setattr(parts.os, "fsync", lambda descriptor: synced.append(os.fstat(descriptor).st_size))
    monkeypatch.setattr(parts, "_SYNC_EVERY", 12)
    writer = PartWriter(str(tmp_path), 25)
    for _piece in range(6):
        writer.write(b"123456")
    assert sorted(synced) == [11, 12, 24, 25]
    writer.finish()
    assert sorted(synced) == [11, 11, 12, 24, 25]
    assert join(file.path for file in writer.written) == b"123456" * 6


def test_a_disk_that_does_not_sync_is_explained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_descriptor: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(parts.os, "fsync", refuse)
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
    assert len(writer.written) == 2


def test_an_aborted_writer_closes_what_was_not_synced(tmp_path: Path) -> None:
    later = Later()
    writer = PartWriter(str(tmp_path), 2, later)
    writer.write(b"abcde")
    files = list(writer._files)
    assert len(files) == 3
    writer.abort()
    assert all(file.closed for file in files)


def test_an_aborted_writer_may_have_nothing_open(tmp_path: Path) -> None:
    PartWriter(str(tmp_path), None).abort()
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_no_space_tells_what_is_free(tmp_path: Path, number: int) -> None:
    error = explain_write_error(OSError(number, os.strerror(number)), str(tmp_path / "staging"))
    assert isinstance(error, SpaceError)
    what = "no space left" if number == errno.ENOSPC else "the quota leaves no space"
    assert str(error).startswith(f"{what} to write the archive in {tmp_path}. Free some space there")
    (tmp_path / "staging").mkdir()
    error = explain_write_error(OSError(number, os.strerror(number)), str(tmp_path / "staging"))
    assert re.search(r": [0-9.]+ [KMGT]?i?B(ytes)? and \d+ files are free\. Free some space there", str(error))


def test_other_errors_are_told(tmp_path: Path) -> None:
    error = explain_write_error(OSError(errno.EROFS, "Read-only file system"), str(tmp_path / "staging"))
    assert error.__class__ is StorageError
    said = f"cannot write the archive in {tmp_path}: Read-only file system. Mount it for writing, or choose "
    assert str(error) == f"{said}another directory, then run again"


@pytest.mark.parametrize(("count", "split", "digits", "expected"), NAMES.values(), ids=NAMES)
def test_names_of_parts(count: int, split: bool, digits: int | None, expected: list[str]) -> None:
    assert part_names("a", count, split=split, digits=digits) == expected


@given(st.integers(1, 3000))
def test_parts_sort_by_name_as_by_number(count: int) -> None:
    names = part_names("a.tar.gz", count, split=True, digits=None)
    assert sorted(names) == names
    assert len(set(names)) == count


REASONABLE: list[tuple[list[int], int | None]] = [
    ([10**12], None),
    ([10_000], 1),
    ([10**12], 10**9),
    ([0], 1),
    ([5, 0, *[7] * 9_998], None),  # what brings nothing has no part
    ([5, *[7] * 9_999], 7),
]


@pytest.mark.parametrize(("pieces", "part_size"), REASONABLE)
def test_a_reasonable_number_of_parts(pieces: list[int], part_size: int | None) -> None:
    check_part_count(pieces, part_size)


@pytest.mark.parametrize(
    ("pieces", "part_size", "count", "least"),
    [
        ([10_001], 1, 10_001, "2"),
        ([10**12], 1000, 10**9, "100000000"),
        ([100] * 5_000, 10, 50_000, "100"),
    ],
)
def test_too_many_parts(pieces: list[int], part_size: int, count: int, least: str) -> None:
    said = f"part_size: {part_size} bytes would make up to {count} parts; at most 10000 are accepted, so give at least"
    with pytest.raises(OptionError, match=f"^{said} {least}$"):
        check_part_count(pieces, part_size)


@pytest.mark.parametrize("part_size", [None, 10**9])
def test_too_many_images(part_size: int | None) -> None:
    said = "part_at: at least 10001 parts would be needed, as each image begins one; at most 10000 are accepted."
    with pytest.raises(
        OptionError, match=f"^{re.escape(said)} Leave part_at out, or save the list as several archives$"
    ):
        check_part_count([0, *[5] * 10_001, 0], part_size)


@given(st.lists(st.integers(0, 2**50), min_size=1, max_size=50), st.integers(1, 2**20))
def test_the_least_size_that_is_named_is_accepted(pieces: list[int], part_size: int) -> None:
    try:
        check_part_count(pieces, part_size)
    except OptionError as error:
        check_part_count(pieces, parse_size(str(error).rpartition(" ")[2], option="part_size"))


FAT = 2**32 - 1


@pytest.mark.parametrize(
    ("archive", "part", "told"),
    [
        (FAT, None, ""),
        (FAT + 1, None, "the archive may have up to 4294967296 bytes (4.0 GiB)"),
        (FAT + 1, 2**32, "a part of 4G may have up to 4294967296 bytes (4.0 GiB)"),
        (FAT, 2**32, ""),
        (2**40, FAT, ""),
        (2**40, 4 * 10**9, ""),
    ],
)
def test_a_file_that_the_filesystem_would_end_is_refused(archive: int, part: int | None, told: str) -> None:
    if not told:
        check_part_fits([archive], part, FAT, "/stick")
        return
    limit = "a file in /stick may have 4294967295 bytes (4.0 GiB) at most; set part_size to 4095M, or choose"
    with pytest.raises(OptionError, match=re.escape(f"part_size: {told}, and {limit}")):
        check_part_fits([archive], part, FAT, "/stick")


def test_the_largest_image_must_fit_as_a_part() -> None:
    check_part_fits([FAT] * 5, None, FAT, "/stick")
    with pytest.raises(OptionError, match=r"^part_size: a part with one image may have up to 4294967296 bytes"):
        check_part_fits([5, FAT + 1], None, FAT, "/stick")
    check_part_fits([5, FAT + 1], FAT, FAT, "/stick")


def test_files_end_where_they_are_told_to(tmp_path: Path) -> None:
    writer = PartWriter(str(tmp_path), 4)
    for piece in (b"", b"abcdef", b"gh", b"i", b""):
        writer.write(piece)
        writer.end_file()
    writer.finish()
    assert [Path(file.path).read_bytes() for file in writer.written] == [b"abcd", b"ef", b"gh", b"i"]


def test_many_small_files_are_synced_together_and_few_of_them_are_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[int] = []
    monkeypatch.setattr(parts.os, "fsync", lambda descriptor: synced.append(os.fstat(descriptor).st_ino))
    actions: list[int] = []

    def behind(action: Callable[[], None]) -> None:
        action()
        actions.append(len(synced))

    writer = PartWriter(str(tmp_path), 2, behind)
    for _piece in range(150):
        writer.write(b"12")
        writer.end_file()
        assert sum(not file.closed for file in writer._files) <= 64
    writer.finish()
    assert actions == [64, 128, 150]
    assert set(synced) == {os.stat(file.path).st_ino for file in writer.written}
    assert all(file.closed for file in writer._files)
