# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The cache on disk."""

from __future__ import annotations

import errno
import json
import os
import stat
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Callable

import pytest

from ansible_collections.airgap.images.plugins.module_utils._base.errors import (
    BusyError,
    DamagedBlobError,
    Interrupted,
    ManifestError,
    StorageError,
)
from ansible_collections.airgap.images.plugins.module_utils._cache import cache as cache_module
from ansible_collections.airgap.images.plugins.module_utils._cache.cache import Cache
from ansible_collections.airgap.images.plugins.module_utils._oci.manifest import (
    DOCKER_SCHEMA1,
    OCI_MANIFEST,
    Schema1,
    digest_of,
)
from ansible_collections.airgap.images.plugins.module_utils._oci.reference import Repository
from ansible_collections.airgap.images.tests.unit.fakes import (
    AMD64,
    Sample,
    describe,
    names_below,
    write_folder,
)

SAMPLE = Sample(b"one", b"two")
LAYER = SAMPLE.image.blobs[-1]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture
def cache(root: Path) -> Iterator[Cache]:
    cache = Cache(str(root))
    with cache.opened(0):
        yield cache


def test_an_open_cache_is_an_oci_layout(cache: Cache, root: Path) -> None:
    assert json.loads((root / "oci-layout").read_text()) == {"imageLayoutVersion": "1.0.0"}
    assert os.readlink(root / "blobs") == "share"
    assert (root / "share/sha256").is_dir()
    directory = Path(cache.run_directory)
    assert directory.parent == root
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700


def test_what_belongs_to_the_run_is_gone_at_its_end(root: Path) -> None:
    cache = Cache(str(root))
    with cache.opened(0) as directory:
        Path(directory, "auth.json").write_text("secret")
        assert directory == cache.run_directory
    assert not Path(directory).exists()
    with pytest.raises(StorageError, match="not open"):
        str(cache.run_directory)


def test_it_is_gone_after_an_error_too(root: Path) -> None:
    with pytest.raises(ValueError, match="x"), Cache(str(root)).opened(0):
        raise ValueError("x")
    assert not list(root.glob(".run-*"))


def test_leftovers_of_killed_runs_are_removed(root: Path) -> None:
    left = root / ".run-killed" / "copy-x"
    left.mkdir(parents=True)
    (left / "oci-put-blob123").write_bytes(b"half")
    with Cache(str(root)).opened(0):
        assert not left.exists()


def test_two_runs_do_not_share_it(cache: Cache, root: Path) -> None:
    with pytest.raises(BusyError, match="is in use by another run"), Cache(str(root)).opened(0):
        pass


def test_a_cache_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="cannot use cache_dir"), Cache(str(tmp_path / "file")).opened(0):
        pass


def test_a_second_opening_changes_nothing(root: Path) -> None:
    with Cache(str(root)).opened(0):
        pass
    before = names_below(root)
    with Cache(str(root)).opened(0):
        pass
    assert names_below(root) == before == [".lock", "blobs", "oci-layout", "share", "share/sha256"]


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
    spoil(Path(cache.blob_path(LAYER.digest)))
    assert cache.has_blob(LAYER) is is_there
    assert (cache.stored(SAMPLE.image) is not None) is is_there
    if is_sound:
        cache.check_blob(LAYER)
    else:
        with pytest.raises(DamagedBlobError) as caught:
            cache.check_blob(LAYER)
        assert caught.value.digest == LAYER.digest


@pytest.mark.parametrize(("spoil", "is_there", "is_sound"), SPOILED.values(), ids=SPOILED)
def test_what_skopeo_would_take_for_a_blob_is_removed(
    cache: Cache, spoil: Spoil, is_there: bool, is_sound: bool
) -> None:
    SAMPLE.put(cache)
    path = Path(cache.blob_path(LAYER.digest))
    spoil(path)
    cache.drop_unsound(SAMPLE.image.blobs)
    assert os.path.lexists(path) is is_there
    assert cache.has_blob(SAMPLE.image.blobs[0])


@pytest.mark.parametrize(("spoil", "is_there", "is_sound"), SPOILED.values(), ids=SPOILED)
def test_a_blob_can_be_dropped_whatever_it_is(cache: Cache, spoil: Spoil, is_there: bool, is_sound: bool) -> None:
    SAMPLE.put(cache)
    spoil(Path(cache.blob_path(LAYER.digest)))
    cache.drop_blob(LAYER.digest)
    assert not os.path.lexists(cache.blob_path(LAYER.digest))


def test_documents_are_checked_when_they_are_read(cache: Cache) -> None:
    digest = digest_of(b"{}")
    assert cache.read_document(digest) is None
    cache.store_document(digest, b"{}")
    assert cache.read_document(digest) == b"{}"
    assert stat.S_IMODE(os.stat(cache.blob_path(digest)).st_mode) == 0o644
    Path(cache.blob_path(digest)).write_bytes(b"[]")
    assert cache.read_document(digest) is None


def test_a_document_replaces_whatever_stands_there(cache: Cache) -> None:
    digest = digest_of(b"{}")
    os.mkdir(cache.blob_path(digest))
    cache.store_document(digest, b"{}")
    assert cache.read_document(digest) == b"{}"
    assert os.listdir(cache.run_directory) == []


def test_a_fetched_blob_is_adopted(cache: Cache) -> None:
    path = Path(cache.run_directory, "layer")
    path.write_bytes(b"two")
    cache.adopt_blob(str(path), LAYER.digest)
    cache.check_blob(LAYER)
    with pytest.raises(StorageError, match="cannot write to cache_dir"):
        cache.adopt_blob(str(path), LAYER.digest)


def test_an_image_is_whole_with_folder_and_blobs(cache: Cache, root: Path) -> None:
    assert cache.stored(SAMPLE.image) is None
    stored = SAMPLE.put(cache)
    assert stored == SAMPLE.stored == cache.stored(SAMPLE.image)
    assert sorted(os.listdir(root / SAMPLE.image.folder)) == ["accepted", "blobs", "index.json", "oci-layout"]


INDEXES: dict[str, str | None] = {
    "missing": None,
    "empty": "",
    "no JSON": "{",
    "no manifest": '{"schemaVersion": 2, "manifests": []}',
    "no digest": '{"schemaVersion": 2, "manifests": [{"size": 1}]}',
    "two manifests": json.dumps({"manifests": [{"digest": digest_of(b""), "size": 0}] * 2}),
    "another manifest": json.dumps({"manifests": [{"digest": digest_of(b""), "size": 0}]}),
}


@pytest.mark.parametrize("text", INDEXES.values(), ids=INDEXES)
def test_an_image_is_not_whole_without_its_index(cache: Cache, root: Path, text: str | None) -> None:
    SAMPLE.put(cache)
    index = root / SAMPLE.image.folder / "index.json"
    if text is None:
        index.unlink()
    else:
        index.write_text(text)
    assert cache.stored(SAMPLE.image) is None


def test_a_new_folder_has_nothing_of_an_earlier_try(cache: Cache) -> None:
    write_folder(cache.new_folder(SAMPLE.image), SAMPLE.image.descriptor)
    assert not os.path.exists(cache.new_folder(SAMPLE.image))


def adopt(cache: Cache, *entries: object) -> None:
    folder = cache.new_folder(SAMPLE.image)
    write_folder(folder, *entries)  # type: ignore[arg-type]
    cache.adopt_folder(folder, SAMPLE.image)


def test_what_skopeo_stored_is_looked_at(cache: Cache, root: Path) -> None:
    with pytest.raises(ManifestError, match="names 0 manifests instead of one"):
        adopt(cache)
    with pytest.raises(ManifestError, match=f"skopeo stored {digest_of(b'')} instead of {SAMPLE.image.digest}"):
        adopt(cache, describe(b"", OCI_MANIFEST))
    with pytest.raises(ManifestError, match="skopeo left no sound manifest"):
        adopt(cache, SAMPLE.image.descriptor)
    cache.store_document(SAMPLE.image.digest, SAMPLE.raw)
    with pytest.raises(ManifestError, match=r"skopeo reported success, but blobs of .* are missing"):
        adopt(cache, SAMPLE.image.descriptor)


def test_an_earlier_folder_is_replaced(cache: Cache, root: Path) -> None:
    SAMPLE.put(cache)
    (root / SAMPLE.image.folder / "leftover").write_text("")
    SAMPLE.put(cache)
    assert not (root / SAMPLE.image.folder / "leftover").exists()


def test_a_converted_image_is_known_by_what_was_stored(cache: Cache, root: Path) -> None:
    source = replace(
        SAMPLE.image,
        descriptor=replace(SAMPLE.image.descriptor, digest="sha256:" + "ab" * 32, media_type=DOCKER_SCHEMA1),
        content=Schema1(DOCKER_SCHEMA1, AMD64, ()),
        blobs=(),
    )
    for digest, data in SAMPLE.blobs.items():
        cache.store_document(digest, data)
    folder = cache.new_folder(source)
    write_folder(folder, replace(SAMPLE.image.descriptor, platform=None))
    stored = cache.adopt_folder(folder, source)
    assert stored.source == source
    assert stored.descriptor == SAMPLE.image.descriptor, "with the platform that the source has"
    assert stored.blobs == SAMPLE.image.blobs
    assert cache.stored(source) == stored
    assert (root / source.folder / "index.json").exists()
    cache.drop_blob(SAMPLE.image.digest)
    assert cache.stored(source) is None


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
    assert cache.stored(SAMPLE.image) is not None
    assert not (root / other.image.folder).exists()
    assert {f"sha256:{name}" for name in os.listdir(cache.share)} == set(SAMPLE.blobs)
    assert (root / "notes.txt").exists()
    assert cache.prune(folders={SAMPLE.image.folder}, blobs=set(SAMPLE.blobs)) == 0


def test_what_is_superfluous_is_told_and_left(cache: Cache, root: Path) -> None:
    other = Sample(b"one", b"three")
    for sample in (SAMPLE, other):
        sample.put(cache)
    (Path(cache.share) / "folder").mkdir()
    before = names_below(root)
    gone = {cache.blob_path(digest) for digest in other.blobs.keys() - SAMPLE.blobs.keys()}
    found = cache.superfluous(folders={SAMPLE.image.folder}, blobs=set(SAMPLE.blobs))
    assert sorted(found) == sorted({*gone, str(root / other.image.folder)})
    assert names_below(root) == before
    assert (
        cache.superfluous(folders={SAMPLE.image.folder, other.image.folder}, blobs={*SAMPLE.blobs, *other.blobs}) == []
    )


def test_a_cache_that_is_not_there_has_nothing_superfluous(root: Path) -> None:
    assert Cache(str(root)).superfluous(folders=set(), blobs=set()) == []
    assert not root.exists()


def test_an_image_that_cannot_be_forgotten_is_told(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    """With keep_cache=false it would stay for good."""
    SAMPLE.put(cache)

    def refuse(path: str, **more: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system", path)

    monkeypatch.setattr(cache_module.shutil, "rmtree", refuse)
    with pytest.raises(StorageError, match=r"cannot free cache_dir .*: Read-only file system"):
        cache.forget(SAMPLE.image)


def test_an_image_can_be_forgotten(cache: Cache, root: Path) -> None:
    SAMPLE.put(cache)
    for _time in range(2):
        cache.forget(SAMPLE.image)
        assert not (root / SAMPLE.image.folder).exists()
    assert {f"sha256:{name}" for name in os.listdir(cache.share)} == set(SAMPLE.blobs)
    assert cache.stored(SAMPLE.image) is None


def test_a_blob_that_is_released_counts_not_as_repaired(cache: Cache) -> None:
    SAMPLE.put(cache)
    for _time in range(2):
        cache.release_blob(LAYER.digest)
        assert not cache.has_blob(LAYER)
    assert cache.repaired == set()


def test_a_blob_that_cannot_be_released(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_path: str) -> None:
        raise OSError(30, "Read-only file system")

    SAMPLE.put(cache)
    monkeypatch.setattr(cache_module.os, "unlink", refuse)
    with pytest.raises(StorageError, match=r"cannot free cache_dir .*Read-only file system"):
        cache.release_blob(LAYER.digest)


def test_a_cache_is_clean_when_no_run_left_anything(root: Path) -> None:
    cache = Cache(str(root))
    assert cache.is_clean() is False, "it is not there"
    assert not root.exists()
    with cache.opened(0):
        SAMPLE.put(cache)
    assert cache.is_clean() is True
    (root / ".run-killed").mkdir()
    assert cache.is_clean() is False
    with cache.opened(0):
        pass
    assert cache.is_clean() is True


def test_a_cache_that_cannot_be_looked_at(root: Path) -> None:
    root.write_text("")
    with pytest.raises(StorageError, match=r"cannot use cache_dir .*Not a directory"):
        Cache(str(root)).is_clean()


def test_reading_makes_nothing(root: Path) -> None:
    cache = Cache(str(root))
    assert cache.stored(SAMPLE.image) is None
    assert not cache.has_blob(LAYER)
    assert cache.read_document(LAYER.digest) is None
    assert not root.exists()


FIRST, SECOND = "ab" * 32, "cd" * 32


def test_what_was_let_through_is_noted_by_configuration_and_repository(root: Path) -> None:
    before, after = Cache(str(root), FIRST), Cache(str(root), SECOND)
    elsewhere = replace(SAMPLE.image, repository=Repository("other.lan", "app"))
    with before.opened(0):
        SAMPLE.put(before)
    assert (before.is_accepted(SAMPLE.image), before.is_accepted(elsewhere)) == (True, False)
    assert not after.is_accepted(SAMPLE.image)
    assert after.stored(elsewhere) is not None, "the blobs are the same wherever they came from"
    with after.opened(0):
        after.take_down_acceptance(elsewhere)
    assert (after.is_accepted(elsewhere), after.is_accepted(SAMPLE.image)) == (True, False)
    assert before.is_accepted(SAMPLE.image), "what was noted stays so"


def test_what_an_earlier_release_noted_counts_for_nothing(root: Path) -> None:
    """It noted a name of the policy, which stayed the same when its content changed."""
    cache = Cache(str(root), FIRST)
    with cache.opened(0):
        folder = root / SAMPLE.put(cache).source.folder
        (folder / "accepted").write_text(f"system {SAMPLE.image.repository}\n")
        assert not cache.is_accepted(SAMPLE.image)
        cache.take_down_acceptance(SAMPLE.image)
    assert (folder / "accepted").read_text() == f"{FIRST} {SAMPLE.image.repository}\n"


def test_nothing_is_noted_beside_what_is_not_there(root: Path) -> None:
    cache = Cache(str(root), FIRST)
    with cache.opened(0):
        before = names_below(root)
        cache.take_down_acceptance(SAMPLE.image)
        assert names_below(root) == before


def test_what_is_here_from_another_repository_is_told_apart(cache: Cache) -> None:
    """What is not whole has to be fetched anyway, and what came from both is from here."""
    elsewhere = replace(SAMPLE.image, repository=Repository("other.lan", "app"))
    assert not cache.comes_from_elsewhere(elsewhere)
    SAMPLE.put(cache)
    assert cache.comes_from_elsewhere(elsewhere) and not cache.comes_from_elsewhere(SAMPLE.image)
    layer = SAMPLE.image.blobs[-1]
    os.rename(cache.blob_path(layer.digest), f"{cache.blob_path(layer.digest)}.away")
    assert not cache.comes_from_elsewhere(elsewhere)


def test_a_directory_that_is_something_else_is_not_taken(root: Path) -> None:
    (root / "blobs").mkdir(parents=True)
    with pytest.raises(StorageError, match=r"is something else: .*blobs is no link"), Cache(str(root)).opened(0):
        pass


def test_a_document_may_be_brought_by_several_threads(cache: Cache) -> None:
    documents = {digest_of(raw): raw for raw in (b"{}", b"[]", b"1")}
    barrier = threading.Barrier(9)

    def store(digest: str) -> None:
        barrier.wait(timeout=60)
        cache.store_document(digest, documents[digest])

    threads = [threading.Thread(target=store, args=(digest,)) for digest in [*documents] * 3]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {digest: cache.read_document(digest) for digest in documents} == documents
    assert cache.repaired == set()


def test_what_was_damaged_is_counted_as_repaired(cache: Cache) -> None:
    SAMPLE.put(cache)
    assert cache.repaired == set()
    Path(cache.blob_path(LAYER.digest)).write_bytes(b"x")
    cache.drop_unsound(SAMPLE.image.blobs)
    assert cache.repaired == {LAYER.digest}


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


@pytest.mark.parametrize("name", ["share", "share/sha256"])
def test_blobs_do_not_go_elsewhere(root: Path, name: str) -> None:
    elsewhere = root.with_name("elsewhere")
    elsewhere.mkdir()
    (root / name).parent.mkdir(parents=True)
    (root / name).symlink_to(elsewhere)
    with pytest.raises(StorageError, match=f"{name} is a link"), Cache(str(root)).opened(0):
        pass
    assert not list(elsewhere.iterdir())


@pytest.mark.parametrize("name", ["", "share", "share/sha256"])
def test_a_cache_that_everyone_may_write_to_is_refused(root: Path, name: str) -> None:
    with Cache(str(root)).opened(0):
        pass
    (root / name).chmod(0o777)
    before = names_below(root)
    for action in (lambda cache: cache.opened(0).__enter__(), lambda cache: cache.is_clean()):
        with pytest.raises(StorageError, match=r"cannot use cache_dir .*everyone may write to .*set another cache_dir"):
            action(Cache(str(root)))
    assert names_below(root) == before


def test_a_new_cache_is_private_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        with Cache(str(tmp_path / "a" / "cache")).opened(0):
            pass
    finally:
        os.umask(before)
    modes = {str(path.relative_to(tmp_path)): stat.S_IMODE(path.lstat().st_mode) for path in tmp_path.rglob("*")}
    assert {name: mode for name, mode in modes.items() if mode & 0o022 and name != "a/cache/blobs"} == {}
    assert modes["a/cache"] == 0o700


def copied_by_skopeo(cache: Cache) -> Path:
    """The folder that a copy left, with its blobs in place."""
    for digest, data in SAMPLE.blobs.items():
        Path(cache.blob_path(digest)).write_bytes(data)
    folder = cache.new_folder(SAMPLE.image)
    write_folder(folder, SAMPLE.image.descriptor)
    return Path(folder)


def test_nothing_of_what_skopeo_left_but_the_digest_is_kept(cache: Cache, root: Path) -> None:
    """Whatever passes for skopeo may write links, and files that do not belong there."""
    precious = root.with_name("precious")
    precious.write_text("data")
    copied = copied_by_skopeo(cache)
    (copied / "oci-layout").unlink(missing_ok=True)
    (copied / "oci-layout").symlink_to(precious)
    (copied / "more").symlink_to("/etc")
    cache.adopt_folder(str(copied), SAMPLE.image)
    folder = root / SAMPLE.image.folder
    assert sorted(path.name for path in folder.iterdir()) == ["accepted", "blobs", "index.json", "oci-layout"]
    assert not (folder / "oci-layout").is_symlink()
    assert precious.read_text() == "data"


def test_a_link_in_place_of_what_skopeo_is_to_write(cache: Cache, root: Path) -> None:
    copied = copied_by_skopeo(cache)
    copied.rename(root.with_name("elsewhere"))
    copied.symlink_to(root.with_name("elsewhere"))
    with pytest.raises(ManifestError, match="is a link"):
        cache.adopt_folder(str(copied), SAMPLE.image)
    assert not (root / SAMPLE.image.folder).exists()


def test_a_link_in_place_of_a_folder_is_no_image(cache: Cache, root: Path) -> None:
    SAMPLE.put(cache)
    folder = root / SAMPLE.image.folder
    folder.rename(root.with_name("elsewhere"))
    folder.symlink_to(root.with_name("elsewhere"))
    assert cache.stored(SAMPLE.image) is None
    cache.forget(SAMPLE.image)
    assert not folder.is_symlink() and root.with_name("elsewhere").is_dir()


def test_modes_of_blobs_are_those_of_documents(cache: Cache) -> None:
    """A directory shares them; but a file that has another name too may be somebody else's."""
    first, second = (Path(cache.blob_path(blob.digest)) for blob in SAMPLE.image.blobs[:2])
    copied = copied_by_skopeo(cache)
    first.chmod(0o4777)
    second.chmod(0o600)
    os.link(second, second.with_name("second"))
    cache.adopt_folder(str(copied), SAMPLE.image)
    assert [stat.S_IMODE(path.stat().st_mode) for path in (first, second)] == [0o644, 0o600]


def test_a_stop_between_making_and_knowing_leaves_nothing(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def make_and_stop(prefix: str, dir: str) -> str:
        os.mkdir(os.path.join(dir, f"{prefix}made"))
        raise Interrupted("stopped")

    monkeypatch.setattr(cache_module.tempfile, "mkdtemp", make_and_stop)
    with pytest.raises(Interrupted), Cache(str(root)).opened(0):
        pass
    assert not [path.name for path in root.iterdir() if path.name.startswith(".run-")]


@pytest.mark.parametrize("by", [-1, 1, 10**9])
def test_a_manifest_that_lies_about_a_size_does_not_cost_others_their_blob(cache: Cache, by: int) -> None:
    SAMPLE.put(cache)
    path = Path(cache.blob_path(LAYER.digest))
    before = path.read_bytes()
    with pytest.raises(ManifestError, match=f"{LAYER.digest} has {LAYER.size + by} bytes; it has {LAYER.size}"):
        cache.drop_unsound([replace(LAYER, size=LAYER.size + by)])
    assert path.read_bytes() == before
    assert cache.repaired == set()


def test_a_blob_whose_size_nobody_told_is_kept_if_it_is_sound(cache: Cache) -> None:
    """As of a layer of Docker's schema 1."""
    SAMPLE.put(cache)
    cache.drop_unsound([replace(LAYER, size=0)])
    assert cache.has_blob(LAYER) and cache.repaired == set()
    Path(cache.blob_path(LAYER.digest)).write_bytes(b"x")
    cache.drop_unsound([replace(LAYER, size=0)])
    assert cache.repaired == {LAYER.digest}


def test_pruning_removes_whatever_lies_among_the_blobs(cache: Cache, tmp_path: Path) -> None:
    SAMPLE.put(cache)
    (tmp_path / "precious").write_text("of others")
    Path(cache.share, "link").symlink_to(tmp_path / "precious")
    Path(cache.share, "0" * 64).mkdir()
    cache.prune(folders={SAMPLE.image.folder}, blobs=set(SAMPLE.blobs))
    assert {f"sha256:{name}" for name in os.listdir(cache.share)} == set(SAMPLE.blobs)
    assert (tmp_path / "precious").read_text() == "of others"


@pytest.mark.parametrize("content", [None, b"", b"{}"])
def test_a_folder_that_other_tools_cannot_read_is_not_taken_for_whole(
    cache: Cache, root: Path, content: bytes | None
) -> None:
    SAMPLE.put(cache)
    path = root / SAMPLE.image.folder / "oci-layout"
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    assert cache.stored(SAMPLE.image) is None
