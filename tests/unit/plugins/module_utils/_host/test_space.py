# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Room on filesystems."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ansible_collections.airgap.images.plugins.module_utils._base.errors import SpaceError
from ansible_collections.airgap.images.plugins.module_utils._host import space
from ansible_collections.airgap.images.plugins.module_utils._host.space import (
    Demand,
    bytes_below,
    ensure_space,
    free_bytes,
    link_leads,
    mount_of,
    mount_points_among,
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
    ensure_space([Demand(str(tmp_path / "c"), 0), Demand(str(tmp_path / "d"), 1)])


def test_all_are_counted_where_they_share_a_filesystem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(space, "free_bytes", lambda _path: 2048)
    cache, dest = str(tmp_path / "c"), str(tmp_path / "d")
    ensure_space([Demand(cache, 1024), Demand(dest, 1000), Demand(dest, 24)])
    with pytest.raises(SpaceError) as caught:
        ensure_space([Demand(cache, 2048), Demand(dest, 1000), Demand(dest, 24)])
    assert str(caught.value) == (
        f"not enough space for {cache} and {dest}: 3.0 KiB are needed, 2.0 KiB are free. "
        "Free 1.0 KiB more, or choose another filesystem for cache_dir or dest"
    )


@pytest.mark.parametrize(("cache_bytes", "dest_bytes", "named"), [(EIB, 0, "c"), (0, EIB, "/proc"), (EIB, EIB, "c")])
def test_the_filesystem_that_is_too_small_is_named(
    tmp_path: Path, cache_bytes: int, dest_bytes: int, named: str
) -> None:
    with pytest.raises(SpaceError, match=f"not enough space for [^ ]*{named}: "):
        ensure_space([Demand(str(tmp_path / "c"), cache_bytes), Demand("/proc", dest_bytes)])


def test_a_link_leads_within_a_directory_and_leaves_nothing(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    assert link_leads(str(tmp_path / "a"), str(tmp_path / "b" / "not" / "yet"))
    assert not link_leads(str(tmp_path / "a"), "/proc/self")
    assert not link_leads(str(tmp_path / "missing"), str(tmp_path))
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["a", "b"]


def test_mounts_are_told_apart(tmp_path: Path) -> None:
    assert mount_of("/proc") != mount_of(str(tmp_path))
    assert mount_of(str(tmp_path / "missing")) == mount_of(str(tmp_path))
    (tmp_path / "link").symlink_to("/proc")
    assert mount_of(str(tmp_path / "link")) == mount_of(str(tmp_path)), "a link is not followed"
    paths = [str(tmp_path), "/proc", "/proc/self"]
    assert mount_points_among(paths) == ["/proc"]


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
