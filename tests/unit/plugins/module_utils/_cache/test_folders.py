# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The folders of platform images in a cache."""

from __future__ import annotations

import errno
import json
import os
import shutil
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from ansible_collections.airgap.images.plugins.module_utils._base.errors import (
    ManifestError,
    StorageError,
)
from ansible_collections.airgap.images.plugins.module_utils._cache.cache import Cache
from ansible_collections.airgap.images.plugins.module_utils._oci.descriptor import digest_of
from ansible_collections.airgap.images.plugins.module_utils._oci.media_types import DOCKER_SCHEMA1, OCI_MANIFEST
from ansible_collections.airgap.images.plugins.module_utils._oci.reference import Repository
from ansible_collections.airgap.images.plugins.module_utils._oci.schema1 import Schema1
from ansible_collections.airgap.images.tests.unit.fakes import (
    AMD64,
    Sample,
    describe,
    write_folder,
)

SAMPLE = Sample(b"one", b"two")


def test_an_image_is_whole_with_folder_and_blobs(cache: Cache, root: Path) -> None:
    assert cache.folders.stored(SAMPLE.image) is None
    stored = SAMPLE.put(cache)
    assert stored == SAMPLE.stored == cache.folders.stored(SAMPLE.image)
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
    assert cache.folders.stored(SAMPLE.image) is None


def test_a_new_folder_has_nothing_of_an_earlier_try(cache: Cache) -> None:
    write_folder(cache.folders.new(SAMPLE.image), SAMPLE.image.descriptor)
    assert not os.path.exists(cache.folders.new(SAMPLE.image))


def adopt(cache: Cache, *entries: object) -> None:
    folder = cache.folders.new(SAMPLE.image)
    write_folder(folder, *entries)  # type: ignore[arg-type]
    cache.folders.adopt(folder, SAMPLE.image)


def test_what_skopeo_stored_is_looked_at(cache: Cache, root: Path) -> None:
    with pytest.raises(ManifestError, match="names 0 manifests instead of one"):
        adopt(cache)
    with pytest.raises(ManifestError, match=f"skopeo stored {digest_of(b'')} instead of {SAMPLE.image.digest}"):
        adopt(cache, describe(b"", OCI_MANIFEST))
    with pytest.raises(ManifestError, match="skopeo left no sound manifest"):
        adopt(cache, SAMPLE.image.descriptor)
    cache.blobs.store_document(SAMPLE.image.digest, SAMPLE.raw)
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
        cache.blobs.store_document(digest, data)
    folder = cache.folders.new(source)
    write_folder(folder, replace(SAMPLE.image.descriptor, platform=None))
    stored = cache.folders.adopt(folder, source)
    assert stored.source == source
    assert stored.descriptor == SAMPLE.image.descriptor, "with the platform that the source has"
    assert stored.blobs == SAMPLE.image.blobs
    assert cache.folders.stored(source) == stored
    assert (root / source.folder / "index.json").exists()
    cache.blobs.drop(SAMPLE.image.digest)
    assert cache.folders.stored(source) is None


def test_an_image_that_cannot_be_forgotten_is_told(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    """With keep_cache=false it would stay for good."""
    SAMPLE.put(cache)

    def refuse(path: str, **more: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system", path)

    monkeypatch.setattr(shutil, "rmtree", refuse)
    with pytest.raises(StorageError, match=r"cannot free cache_dir .*: Read-only file system"):
        cache.folders.remove(SAMPLE.image)


def test_an_image_can_be_forgotten(cache: Cache, root: Path) -> None:
    SAMPLE.put(cache)
    for _time in range(2):
        cache.folders.remove(SAMPLE.image)
        assert not (root / SAMPLE.image.folder).exists()
    assert {f"sha256:{name}" for name in os.listdir(cache.workspace.share)} == set(SAMPLE.blobs)
    assert cache.folders.stored(SAMPLE.image) is None


def test_what_is_here_from_another_repository_is_told_apart(cache: Cache) -> None:
    """An incomplete image has to be pulled anyway, and one from both repositories is from this one too."""
    elsewhere = replace(SAMPLE.image, repository=Repository("other.lan", "app"))
    assert not cache.folders.is_from_elsewhere(elsewhere)
    SAMPLE.put(cache)
    assert cache.folders.is_from_elsewhere(elsewhere) and not cache.folders.is_from_elsewhere(SAMPLE.image)
    layer = SAMPLE.image.blobs[-1]
    os.rename(cache.blobs.path(layer.digest), f"{cache.blobs.path(layer.digest)}.away")
    assert not cache.folders.is_from_elsewhere(elsewhere)


def copied_by_skopeo(cache: Cache) -> Path:
    """The folder that a copy left, with its blobs in place."""
    for digest, data in SAMPLE.blobs.items():
        Path(cache.blobs.path(digest)).write_bytes(data)
    folder = cache.folders.new(SAMPLE.image)
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
    cache.folders.adopt(str(copied), SAMPLE.image)
    folder = root / SAMPLE.image.folder
    assert sorted(path.name for path in folder.iterdir()) == ["accepted", "blobs", "index.json", "oci-layout"]
    assert not (folder / "oci-layout").is_symlink()
    assert precious.read_text() == "data"


def test_a_link_in_place_of_what_skopeo_is_to_write(cache: Cache, root: Path) -> None:
    copied = copied_by_skopeo(cache)
    copied.rename(root.with_name("elsewhere"))
    copied.symlink_to(root.with_name("elsewhere"))
    with pytest.raises(ManifestError, match="is a link"):
        cache.folders.adopt(str(copied), SAMPLE.image)
    assert not (root / SAMPLE.image.folder).exists()


def test_a_link_in_place_of_a_folder_is_no_image(cache: Cache, root: Path) -> None:
    SAMPLE.put(cache)
    folder = root / SAMPLE.image.folder
    folder.rename(root.with_name("elsewhere"))
    folder.symlink_to(root.with_name("elsewhere"))
    assert cache.folders.stored(SAMPLE.image) is None
    cache.folders.remove(SAMPLE.image)
    assert not folder.is_symlink() and root.with_name("elsewhere").is_dir()


def test_modes_of_blobs_are_those_of_documents(cache: Cache) -> None:
    """A directory shares them; but a file that has another name too may be somebody else's."""
    first, second = (Path(cache.blobs.path(blob.digest)) for blob in SAMPLE.image.blobs[:2])
    copied = copied_by_skopeo(cache)
    first.chmod(0o4777)
    second.chmod(0o600)
    os.link(second, second.with_name("second"))
    cache.folders.adopt(str(copied), SAMPLE.image)
    assert [stat.S_IMODE(path.stat().st_mode) for path in (first, second)] == [0o644, 0o600]


@pytest.mark.parametrize("content", [None, b"", b"{}"])
def test_a_folder_that_other_tools_cannot_read_is_not_taken_for_whole(
    cache: Cache, root: Path, content: bytes | None
) -> None:
    SAMPLE.put(cache)
    path = root / SAMPLE.image.folder / "oci-layout"
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    assert cache.folders.stored(SAMPLE.image) is None
