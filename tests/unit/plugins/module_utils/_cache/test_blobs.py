# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The blobs of a cache."""

from __future__ import annotations

import os
import shutil
import stat
import threading
from dataclasses import replace
from pathlib import Path
from typing import Callable

import pytest

from ansible_collections.airgap.images.plugins.module_utils._base.errors import (
    DamagedBlobError,
    ManifestError,
    StorageError,
)
from ansible_collections.airgap.images.plugins.module_utils._cache import blobs
from ansible_collections.airgap.images.plugins.module_utils._cache.cache import Cache
from ansible_collections.airgap.images.plugins.module_utils._host.filesystem import Filesystem
from ansible_collections.airgap.images.plugins.module_utils._oci.descriptor import digest_of
from ansible_collections.airgap.images.tests.unit.fakes import (
    Sample,
    write_folder,
)

SAMPLE = Sample(b"one", b"two")


LAYER = SAMPLE.image.blobs[-1]


# What stands under a blob's name, and whether it is taken for the blob.
Spoil = Callable[[Path], object]


def to_directory(path: Path) -> None:
    path.unlink()
    path.mkdir()
    (path / "x").write_text("")


def to_link(path: Path) -> None:
    path.rename(f"{path}.elsewhere")
    path.symlink_to(f"{path}.elsewhere")


SPOILED: dict[str, tuple[Spoil, bool, bool]] = {
    "sound": (lambda path: None, True, True),
    "missing": (lambda path: path.unlink(), False, False),
    "truncated": (lambda path: path.write_bytes(b"tw"), False, False),
    "empty": (lambda path: path.write_bytes(b""), False, False),
    "flipped": (lambda path: path.write_bytes(b"twp"), True, False),
    "a directory": (to_directory, False, False),
    "a link": (to_link, False, False),
}


@pytest.mark.parametrize(("spoil", "is_there", "is_sound"), SPOILED.values(), ids=SPOILED)
def test_what_is_there_and_what_is_sound(cache: Cache, spoil: Spoil, is_there: bool, is_sound: bool) -> None:
    SAMPLE.put(cache)
    spoil(Path(cache.blobs.path(LAYER.digest)))
    assert cache.blobs.has(LAYER) is is_there
    assert (cache.folders.stored(SAMPLE.image) is not None) is is_there
    if is_sound:
        cache.blobs.check(LAYER)
    else:
        with pytest.raises(DamagedBlobError) as caught:
            cache.blobs.check(LAYER)
        assert caught.value.digest == LAYER.digest


@pytest.mark.parametrize(("spoil", "is_there", "is_sound"), SPOILED.values(), ids=SPOILED)
def test_what_skopeo_would_take_for_a_blob_is_removed(
    cache: Cache, spoil: Spoil, is_there: bool, is_sound: bool
) -> None:
    SAMPLE.put(cache)
    path = Path(cache.blobs.path(LAYER.digest))
    spoil(path)
    cache.blobs.drop_unsound(SAMPLE.image.blobs)
    assert os.path.lexists(path) is is_there
    assert cache.blobs.has(SAMPLE.image.blobs[0])


@pytest.mark.parametrize(("spoil", "is_there", "is_sound"), SPOILED.values(), ids=SPOILED)
def test_a_blob_can_be_dropped_whatever_it_is(cache: Cache, spoil: Spoil, is_there: bool, is_sound: bool) -> None:
    SAMPLE.put(cache)
    spoil(Path(cache.blobs.path(LAYER.digest)))
    cache.blobs.drop(LAYER.digest)
    assert not os.path.lexists(cache.blobs.path(LAYER.digest))


def test_documents_are_checked_when_they_are_read(cache: Cache) -> None:
    digest = digest_of(b"{}")
    assert cache.blobs.read_document(digest) is None
    cache.blobs.store_document(digest, b"{}")
    assert cache.blobs.read_document(digest) == b"{}"
    assert stat.S_IMODE(os.stat(cache.blobs.path(digest)).st_mode) == 0o644
    Path(cache.blobs.path(digest)).write_bytes(b"[]")
    assert cache.blobs.read_document(digest) is None


def test_a_document_replaces_whatever_stands_there(cache: Cache) -> None:
    digest = digest_of(b"{}")
    os.mkdir(cache.blobs.path(digest))
    cache.blobs.store_document(digest, b"{}")
    assert cache.blobs.read_document(digest) == b"{}"
    assert os.listdir(cache.workspace.run_directory) == []


def test_a_fetched_blob_is_adopted(cache: Cache) -> None:
    path = Path(cache.workspace.run_directory, "layer")
    path.write_bytes(b"two")
    cache.blobs.adopt(str(path), LAYER.digest)
    cache.blobs.check(LAYER)
    with pytest.raises(StorageError, match="cannot write to cache_dir"):
        cache.blobs.adopt(str(path), LAYER.digest)


def adopt(cache: Cache, *entries: object) -> None:
    folder = cache.folders.new(SAMPLE.image)
    write_folder(folder, *entries)  # type: ignore[arg-type]
    cache.folders.adopt(folder, SAMPLE.image)


def test_a_blob_that_is_released_counts_not_as_repaired(cache: Cache) -> None:
    SAMPLE.put(cache)
    for _time in range(2):
        cache.blobs.evict(LAYER.digest)
        assert not cache.blobs.has(LAYER)
    assert cache.blobs.repaired == set()


def test_a_blob_that_cannot_be_released(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_path: str) -> None:
        raise OSError(30, "Read-only file system")

    SAMPLE.put(cache)
    monkeypatch.setattr(os, "unlink", refuse)
    with pytest.raises(StorageError, match=r"cannot free cache_dir .*Read-only file system"):
        cache.blobs.evict(LAYER.digest)


def test_a_document_may_be_brought_by_several_threads(cache: Cache) -> None:
    documents = {digest_of(raw): raw for raw in (b"{}", b"[]", b"1")}
    barrier = threading.Barrier(9)

    def store(digest: str) -> None:
        barrier.wait(timeout=60)
        cache.blobs.store_document(digest, documents[digest])

    threads = [threading.Thread(target=store, args=(digest,)) for digest in [*documents] * 3]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {digest: cache.blobs.read_document(digest) for digest in documents} == documents
    assert cache.blobs.repaired == set()


def test_what_was_damaged_is_counted_as_repaired(cache: Cache) -> None:
    SAMPLE.put(cache)
    assert cache.blobs.repaired == set()
    Path(cache.blobs.path(LAYER.digest)).write_bytes(b"x")
    cache.blobs.drop_unsound(SAMPLE.image.blobs)
    assert cache.blobs.repaired == {LAYER.digest}


@pytest.mark.parametrize("by", [-1, 1, 10**9])
def test_a_manifest_that_lies_about_a_size_does_not_cost_others_their_blob(cache: Cache, by: int) -> None:
    SAMPLE.put(cache)
    path = Path(cache.blobs.path(LAYER.digest))
    before = path.read_bytes()
    with pytest.raises(ManifestError, match=f"{LAYER.digest} has {LAYER.size + by} bytes; it has {LAYER.size}"):
        cache.blobs.drop_unsound([replace(LAYER, size=LAYER.size + by)])
    assert path.read_bytes() == before
    assert cache.blobs.repaired == set()


def test_a_blob_whose_size_nobody_told_is_kept_if_it_is_sound(cache: Cache) -> None:
    """As of a layer of Docker's schema 1."""
    SAMPLE.put(cache)
    cache.blobs.drop_unsound([replace(LAYER, size=0)])
    assert cache.blobs.has(LAYER) and cache.blobs.repaired == set()
    Path(cache.blobs.path(LAYER.digest)).write_bytes(b"x")
    cache.blobs.drop_unsound([replace(LAYER, size=0)])
    assert cache.blobs.repaired == {LAYER.digest}


# -- what was checked as it came


def come(cache: Cache) -> str:
    """Have a layer pulled, and return the path of its file."""
    pulled = os.path.join(cache.workspace.run_directory, "pulled")
    Path(pulled).write_bytes(SAMPLE.blobs[LAYER.digest])
    cache.blobs.adopt(pulled, LAYER.digest)
    return cache.blobs.path(LAYER.digest)


def is_checked(cache: Cache) -> bool:
    with open(cache.blobs.path(LAYER.digest), "rb") as file:
        return cache.blobs.is_checked(LAYER.digest, file.fileno())


def write_again(path: Path) -> None:
    """The same bytes, with the time of change that they had."""
    found = path.stat()
    path.write_bytes(path.read_bytes())
    os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns))


def replace_it(path: Path) -> None:
    """Another file, with the times that one has."""
    copy = path.with_name("copy")
    shutil.copy2(path, copy)
    os.replace(copy, path)


TOUCHES: dict[str, Callable[[Path], object]] = {
    "written": write_again,
    "replaced": replace_it,
    "longer": lambda path: path.open("ab").write(b"x"),
    "its mode": lambda path: path.chmod(0o600),
    "a second name": lambda path: os.link(path, path.with_name(f"second-{path.stat().st_nlink}")),
}


def test_what_came_is_checked(cache: Cache, root: Path) -> None:
    come(cache)
    assert is_checked(cache)
    assert not is_checked(Cache(str(root))), "a cache of an earlier run"
    cache.blobs.distrust()
    assert not is_checked(cache)
    come(cache)
    assert not is_checked(cache), "a cache that was found damaged"


@pytest.mark.parametrize("touch", TOUCHES.values(), ids=TOUCHES)
def test_what_was_touched_is_not(cache: Cache, touch: Callable[[Path], object]) -> None:
    path = Path(come(cache))
    before = path.stat().st_ctime_ns
    while path.stat().st_ctime_ns == before:  # the clock of files goes in steps
        touch(path)
    assert not is_checked(cache)


def test_what_would_change_unseen_is_not(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blobs, "filesystem_of", lambda _path: Filesystem(tells_changes=False))
    come(cache)
    assert not is_checked(cache), "there is no time of change"
    monkeypatch.undo()
    monkeypatch.setattr(blobs, "may_change_unseen", lambda _found: True)
    come(cache)
    assert not is_checked(cache), "times go in seconds"
