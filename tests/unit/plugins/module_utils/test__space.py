# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Room on filesystems."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ansible_collections.airgap.images.plugins.module_utils import _space
from ansible_collections.airgap.images.plugins.module_utils._errors import SpaceError
from ansible_collections.airgap.images.plugins.module_utils._space import (
    bytes_below,
    ensure_space,
    free_bytes,
    same_filesystem,
)

EIB = 2**60


def test_the_room_of_a_directory_to_come(tmp_path: Path) -> None:
    assert free_bytes(str(tmp_path)) > 0
    assert free_bytes(str(tmp_path / "a" / "b" / "c")) > 0
    assert same_filesystem(str(tmp_path / "a"), str(tmp_path / "b" / "c"))


def test_another_filesystem_is_told_apart(tmp_path: Path) -> None:
    assert not same_filesystem(str(tmp_path), "/proc/self")


def test_there_is_room(tmp_path: Path) -> None:
    ensure_space(cache=str(tmp_path / "c"), cache_bytes=0, dest=str(tmp_path / "d"), dest_bytes=1)


def test_both_are_counted_where_they_share_a_filesystem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_space, "free_bytes", lambda _path: 2048)
    cache, dest = str(tmp_path / "c"), str(tmp_path / "d")
    ensure_space(cache=cache, cache_bytes=1024, dest=dest, dest_bytes=1024)
    with pytest.raises(SpaceError) as caught:
        ensure_space(cache=cache, cache_bytes=2048, dest=dest, dest_bytes=1024)
    assert str(caught.value) == (
        f"not enough space for {cache} and {dest}: 3.0 KiB are needed, 2.0 KiB are free. "
        "Free 1.0 KiB more, or choose another filesystem for cache_dir or dest"
    )


@pytest.mark.parametrize(
    ("cache_bytes", "dest_bytes", "named"), [(EIB, 0, "/cache"), (0, EIB, "/dest"), (EIB, EIB, "/cache")]
)
def test_the_filesystem_that_is_too_small_is_named(
    monkeypatch: pytest.MonkeyPatch, cache_bytes: int, dest_bytes: int, named: str
) -> None:
    monkeypatch.setattr(_space, "same_filesystem", lambda _first, _second: False)
    with pytest.raises(SpaceError, match=f"not enough space for {named}: "):
        ensure_space(cache="/cache", cache_bytes=cache_bytes, dest="/dest", dest_bytes=dest_bytes)


def test_bytes_below(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "file").write_bytes(b"x" * 100_000)
    (tmp_path / "a" / "link").symlink_to("/")
    (tmp_path / "shared").write_bytes(b"x" * 100_000)
    paths = [tmp_path / "a", *(tmp_path / "a").rglob("*")]
    expected = sum(path.lstat().st_blocks * 512 for path in paths)
    assert expected >= 100_000
    os.link(tmp_path / "shared", tmp_path / "a" / "shared")  # to remove it here frees nothing
    assert bytes_below([str(tmp_path / "a"), str(tmp_path / "missing")]) == expected
