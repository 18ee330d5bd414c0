# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The cache as a whole."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import Callable

import pytest

from ansible_collections.airgap.images.plugins.module_utils._base.errors import (
    StorageError,
)
from ansible_collections.airgap.images.plugins.module_utils._cache.cache import Cache
from ansible_collections.airgap.images.tests.unit.fakes import (
    Sample,
    names_below,
)

SAMPLE = Sample(b"one", b"two")


def test_an_open_cache_is_an_oci_layout(cache: Cache, root: Path) -> None:
    assert json.loads((root / "oci-layout").read_text()) == {"imageLayoutVersion": "1.0.0"}
    assert os.readlink(root / "blobs") == "share"
    assert (root / "share/sha256").is_dir()
    directory = Path(cache.workspace.run_directory)
    assert directory.parent == root
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700


def test_a_second_opening_changes_nothing(root: Path) -> None:
    with Cache(str(root)).opened(0):
        pass
    before = names_below(root)
    with Cache(str(root)).opened(0):
        pass
    assert names_below(root) == before == [".lock", "blobs", "oci-layout", "share", "share/sha256"]


def test_the_documents_of_the_whole_are_written(cache: Cache, root: Path) -> None:
    (root / "index.json").write_text("old")
    cache.write_layout({"index.json": b"{}", "saved-images-list.json": b"[]"})
    assert (root / "index.json").read_bytes() == b"{}"
    assert (root / "saved-images-list.json").read_bytes() == b"[]"


def test_pruning_removes_what_is_not_named(cache: Cache, root: Path) -> None:
    other = Sample(b"one", b"three", b"four")
    for sample in (SAMPLE, other):
        sample.put(cache)
    (root / "notes.txt").write_text("of the user")
    gone = other.blobs.keys() - SAMPLE.blobs.keys()
    freed = cache.prune(folders={SAMPLE.image.folder}, blobs=set(SAMPLE.blobs))
    assert freed == sum(len(other.blobs[digest]) for digest in gone)
    assert cache.folders.stored(SAMPLE.image) is not None
    assert not (root / other.image.folder).exists()
    assert {f"sha256:{name}" for name in os.listdir(cache.workspace.share)} == set(SAMPLE.blobs)
    assert (root / "notes.txt").exists()
    assert cache.prune(folders={SAMPLE.image.folder}, blobs=set(SAMPLE.blobs)) == 0


def test_what_is_superfluous_is_told_and_left(cache: Cache, root: Path) -> None:
    other = Sample(b"one", b"three")
    for sample in (SAMPLE, other):
        sample.put(cache)
    (Path(cache.workspace.share) / "folder").mkdir()
    before = names_below(root)
    gone = {cache.blobs.path(digest) for digest in other.blobs.keys() - SAMPLE.blobs.keys()}
    found = cache.superfluous(folders={SAMPLE.image.folder}, blobs=set(SAMPLE.blobs))
    assert sorted(found) == sorted({*gone, str(root / other.image.folder)})
    assert names_below(root) == before
    assert (
        cache.superfluous(folders={SAMPLE.image.folder, other.image.folder}, blobs={*SAMPLE.blobs, *other.blobs}) == []
    )


def test_a_cache_that_is_not_there_has_nothing_superfluous(root: Path) -> None:
    assert Cache(str(root)).superfluous(folders=set(), blobs=set()) == []
    assert not root.exists()


def test_a_directory_that_is_something_else_is_not_taken(root: Path) -> None:
    (root / "blobs").mkdir(parents=True)
    with pytest.raises(StorageError, match=r"is something else: .*blobs is not a link"), Cache(str(root)).opened(0):
        pass


# What somebody else may have put there while everyone could write to the cache.
PLANTED: dict[str, Callable[[Path, Path], object]] = {
    "a link": lambda path, precious: path.symlink_to(precious),
    "a second name": lambda path, precious: os.link(precious, path),
    "a FIFO": lambda path, precious: os.mkfifo(path),
    "a directory": lambda path, precious: path.mkdir(),
}


@pytest.mark.parametrize("plant", PLANTED.values(), ids=PLANTED)
@pytest.mark.parametrize("name", ["oci-layout", "index.json", "saved-images-list.json"])
def test_what_was_planted_is_replaced(root: Path, name: str, plant: Callable[[Path, Path], object]) -> None:
    precious = root.with_name("precious")
    precious.write_text("data")
    root.mkdir(0o700)
    plant(root / name, precious)
    with Cache(str(root)).opened(0):
        pass
    cache = Cache(str(root))
    with cache.opened(0):
        cache.write_layout({name: b"new"} if name != "oci-layout" else {})
    found = os.lstat(root / name)
    assert stat.S_ISREG(found.st_mode) and found.st_nlink == 1
    assert precious.read_text() == "data"


def test_each_folder_is_a_layout_by_itself(cache: Cache, root: Path) -> None:
    folder = root / SAMPLE.put(cache).source.folder
    assert os.readlink(folder / "blobs") == "../share"
    assert (folder / "blobs" / "sha256" / SAMPLE.image.folder).read_bytes() == SAMPLE.raw


@pytest.mark.parametrize("spoil", ["gone", "elsewhere", "directory"])
def test_the_link_of_a_folder_is_put_right(root: Path, spoil: str) -> None:
    """Folders that an earlier release made have none."""
    opened = Cache(str(root))
    with opened.opened(0):
        folder = root / SAMPLE.put(opened).source.folder
    (folder / "blobs").unlink()
    if spoil == "elsewhere":
        (folder / "blobs").symlink_to("/etc")
    elif spoil == "directory":
        (folder / "blobs" / "sha256").mkdir(parents=True)
    with Cache(str(root)).opened(0):
        assert os.readlink(folder / "blobs") == "../share"


def test_a_blobs_link_to_elsewhere_is_put_right(root: Path) -> None:
    root.mkdir()
    (root / "blobs").symlink_to("/etc")
    with Cache(str(root)).opened(0):
        assert os.readlink(root / "blobs") == "share"


def test_pruning_removes_whatever_lies_among_the_blobs(cache: Cache, tmp_path: Path) -> None:
    SAMPLE.put(cache)
    (tmp_path / "precious").write_text("of others")
    Path(cache.workspace.share, "link").symlink_to(tmp_path / "precious")
    Path(cache.workspace.share, "0" * 64).mkdir()
    cache.prune(folders={SAMPLE.image.folder}, blobs=set(SAMPLE.blobs))
    assert {f"sha256:{name}" for name in os.listdir(cache.workspace.share)} == set(SAMPLE.blobs)
    assert (tmp_path / "precious").read_text() == "of others"
