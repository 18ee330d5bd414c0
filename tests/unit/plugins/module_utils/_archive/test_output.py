# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Options, checked."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.airgap.images.plugins.module_utils._archive.output import (
    Output,
    check_level,
    complete_dest,
)
from ansible_collections.airgap.images.plugins.module_utils._base.checks import check_range
from ansible_collections.airgap.images.plugins.module_utils._base.errors import OptionError
from ansible_collections.airgap.images.plugins.module_utils._registry.access import Access, Login

DESTS: dict[str, tuple[str, str, str]] = {
    "suffix is there": ("/srv/a.tar.gz", "gzip", "/srv/a.tar.gz"),
    "short suffix": ("/srv/a.tgz", "gzip", "/srv/a.tgz"),
    "suffix is missing": ("/srv/a", "gzip", "/srv/a.tar.gz"),
    "half of the suffix": ("/srv/a.tar", "gzip", "/srv/a.tar.gz"),
    "half of the suffix for zstd": ("/srv/a.tar", "zstd", "/srv/a.tar.zst"),
    "another suffix": ("/srv/a.zip", "gzip", "/srv/a.zip.tar.gz"),
    "the suffix of another format": ("/srv/a.tar.gz", "zstd", "/srv/a.tar.gz.tar.zst"),
    "zstd": ("/srv/a.tar.zst", "zstd", "/srv/a.tar.zst"),
    "zstd, long": ("/srv/a.tar.zstd", "zstd", "/srv/a.tar.zstd"),
    "zstd, short": ("/srv/a.tzst", "zstd", "/srv/a.tzst"),
    "none": ("/srv/a", "none", "/srv/a.tar"),
    "none with suffix": ("/srv/a.tar", "none", "/srv/a.tar"),
    "dir": ("/srv/a", "dir", "/srv/a"),
    "dir with any suffix": ("/srv/a.tar.gz", "dir", "/srv/a.tar.gz"),
    "a version at the end": ("/srv/rancher-v2.7.9", "gzip", "/srv/rancher-v2.7.9.tar.gz"),
    "a suffix in the directory only": ("/srv/old.tar.gz/a", "gzip", "/srv/old.tar.gz/a.tar.gz"),
    "the suffix alone": ("/srv/.tar.gz", "gzip", "/srv/.tar.gz.tar.gz"),
    "dots in the path": ("/srv/x/../a", "none", "/srv/a.tar"),
}


@pytest.mark.parametrize(("dest", "compress", "expected"), DESTS.values(), ids=DESTS)
def test_the_suffix_of_the_format_is_added(dest: str, compress: str, expected: str) -> None:
    assert complete_dest(dest, compress) == expected


def test_a_relative_path_starts_at_the_working_directory() -> None:
    assert complete_dest("a", "none") == os.path.join(os.getcwd(), "a.tar")


@pytest.mark.parametrize("compress", ["gzip", "zstd", "none"])
def test_a_file_may_not_be_named_as_a_directory(compress: str) -> None:
    with pytest.raises(OptionError, match=r"^dest: .* must end in a file name"):
        complete_dest("/srv/", compress)


@pytest.mark.parametrize("dest", ["/srv/a/", "/srv/a//"])
def test_a_directory_may_be_named_as_one(dest: str) -> None:
    assert complete_dest(dest, "dir") == "/srv/a"


@pytest.mark.parametrize("compress", ["gzip", "zstd", "none", "dir"])
@pytest.mark.parametrize("dest", ["", "/", "//", "/srv/./", "/srv/.", "/srv/..", ".", ".."])
def test_a_path_without_a_name_is_refused(dest: str, compress: str) -> None:
    with pytest.raises(OptionError, match=r"^dest: .* must end in a file name"):
        complete_dest(dest, compress)


@given(
    st.lists(st.sampled_from(["a", ".", ".tar", ".gz", ".zst", ".tgz", " ", "é"]), min_size=1, max_size=5).map("".join),
    st.sampled_from(["gzip", "zstd", "none", "dir"]),
)
def test_a_complete_path_is_not_completed_again(name: str, compress: str) -> None:
    if name in (".", ".."):
        return
    once = complete_dest(f"/srv/{name}", compress)
    assert complete_dest(once, compress) == once


@pytest.mark.parametrize(
    ("level", "compress"),
    [(None, "gzip"), (None, "none"), (None, "dir"), (0, "gzip"), (9, "gzip"), (1, "zstd"), (22, "zstd")],
)
def test_levels_that_the_format_has(level: int | None, compress: str) -> None:
    check_level(level, compress)


@pytest.mark.parametrize(
    ("level", "compress", "said"),
    [
        (-1, "gzip", "accepted are 0 to 9"),
        (10, "gzip", "accepted are 0 to 9"),
        (0, "zstd", "accepted are 1 to 22"),
        (23, "zstd", "accepted are 1 to 22"),
        (1, "none", "no effect with compress=none"),
        (1, "dir", "no effect with compress=dir"),
    ],
)
def test_levels_that_it_does_not_have(level: int, compress: str, said: str) -> None:
    with pytest.raises(OptionError, match=f"^compress_level: .*{said}"):
        check_level(level, compress)


@pytest.mark.parametrize("value", [0, 21, -1, float("nan"), float("inf")])
def test_numbers_out_of_range_are_refused(value: float) -> None:
    with pytest.raises(OptionError, match=r"^jobs: .* is out of range; accepted are 1 to 20"):
        check_range("jobs", value, 1, 20)


@pytest.mark.parametrize("value", [1, 4, 20])
def test_numbers_in_range_are_fine(value: int) -> None:
    check_range("jobs", value, 1, 20)


def test_files_beside_the_archive_are_named_after_it() -> None:
    output = Output("/srv/a.tar.gz", "gzip", None, None, None, None, False, False)
    assert (output.directory, output.name) == ("/srv", "a.tar.gz")
    assert output.lock_file == "/srv/a.tar.gz.lock.json"
    assert output.checksum_file == "/srv/a.tar.gz.sha256"


def test_passwords_are_not_shown() -> None:
    login = Login("reg.lan", "user", "s3cret")
    access = Access(None, ("user", "s3cret"), (login,), None, True, None, None, None)
    assert "s3cret" not in repr(login) + str(login) + repr(access)
