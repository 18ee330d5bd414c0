# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files that an archive is cut into."""

from __future__ import annotations

import errno
import os
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.airgap.images.plugins.module_utils._archive.names import part_names
from ansible_collections.airgap.images.plugins.module_utils._archive.parts import (
    check_part_count,
    check_part_fits,
    explain_write_error,
)
from ansible_collections.airgap.images.plugins.module_utils._base.errors import OptionError, SpaceError, StorageError
from ansible_collections.airgap.images.plugins.module_utils._base.size import parse_size

NAMES: dict[str, tuple[int, bool, int | None, list[str]]] = {
    "not split": (1, False, None, ["a"]),
    "split into one": (1, True, None, ["a.part0"]),
    "ten": (10, True, None, [f"a.part{number}" for number in range(10)]),
    "eleven": (11, True, None, [f"a.part{number:02d}" for number in range(11)]),
    "as hangar has it": (11, True, 1, [f"a.part{number}" for number in range(11)]),
    "wider": (2, True, 3, ["a.part000", "a.part001"]),
}


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
