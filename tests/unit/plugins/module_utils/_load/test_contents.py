# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The documents of an image, and what its tag is to name."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from ansible_collections.airgap.images.plugins.module_utils._archive.lock import LockedImage
from ansible_collections.airgap.images.plugins.module_utils._base.errors import ManifestError
from ansible_collections.airgap.images.plugins.module_utils._load.contents import LoadImage, read_content, top_of
from ansible_collections.airgap.images.plugins.module_utils._load.naming import target_of
from ansible_collections.airgap.images.plugins.module_utils._load.options import AUTO, SOURCE
from ansible_collections.airgap.images.plugins.module_utils._oci.descriptor import digest_of
from ansible_collections.airgap.images.plugins.module_utils._oci.media_types import (
    DOCKER_LIST,
    OCI_INDEX,
    OCI_MANIFEST,
)
from ansible_collections.airgap.images.plugins.module_utils._source.archive import Archive
from ansible_collections.airgap.images.tests.unit.carried import IMAGES, ONE, THREE, TWO, carry
from ansible_collections.airgap.images.tests.unit.fakes import listed
from ansible_collections.airgap.images.tests.unit.load_scene import load_options

LIST = IMAGES[1][0]


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Archive:
    return carry(tmp_path_factory.mktemp("archive")).open()


def image_of(archive: Archive, number: int) -> LoadImage:
    locked = archive.images[number]
    digest, generated = top_of(archive, locked, index=AUTO)
    one = listed(str(locked.reference))
    return LoadImage(archive, one, target_of(one.reference, load_options().naming), digest, generated)


def without_record(locked: LockedImage) -> LockedImage:
    """As archives of earlier releases have it."""
    return replace(locked, loaded_digest="")


@pytest.mark.parametrize("change", [lambda locked: locked, without_record], ids=["recorded", "by documents"])
def test_a_tag_names_what_it_named_at_its_source(archive: Archive, change: Any) -> None:
    found = [top_of(archive, change(locked), index=AUTO) for locked in archive.images]
    assert found == [(one.digest, None) for one, _samples in IMAGES]


def test_an_index_has_all_children_and_their_blobs(archive: Archive) -> None:
    content = read_content(image_of(archive, 0))
    assert content.top.media_type == OCI_INDEX
    assert [child.descriptor.digest for child in content.children] == [ONE.image.digest, TWO.image.digest]
    assert {blob.digest for blob in content.blobs()} == {*ONE.blobs, *TWO.blobs} - {ONE.image.digest, TWO.image.digest}
    assert content.is_whole


def test_docker_lists_keep_their_type(archive: Archive) -> None:
    content = read_content(image_of(archive, 1))
    assert (content.top.media_type, content.top.digest) == (DOCKER_LIST, LIST.digest)


def test_a_single_manifest_is_its_own_child(archive: Archive) -> None:
    content = read_content(image_of(archive, 2))
    assert [child.descriptor for child in content.children] == [content.top]
    assert content.top.digest == THREE.image.digest


class Some:
    """An archive that lacks documents of another one."""

    def __init__(self, archive: Archive, *lacking: str) -> None:
        self._archive = archive
        self._lacking = lacking
        self.lock = archive.lock

    def has(self, digest: str) -> bool:
        return digest not in self._lacking and self._archive.has(digest)

    def document(self, digest: str) -> bytes:
        return self._archive.document(digest)


def lacking(archive: Archive, *digests: str) -> Archive:
    return cast(Archive, Some(archive, *digests))


def test_an_index_of_what_was_saved_takes_the_place_of_one_that_was_not_saved_whole(archive: Archive) -> None:
    some = lacking(archive, TWO.image.digest)
    digest, generated = top_of(some, without_record(archive.images[0]), index=AUTO)
    assert generated is not None
    assert digest == digest_of(generated)
    assert [each["digest"] for each in json.loads(generated)["manifests"]] == [ONE.image.digest]
    one = listed("reg.lan/a:1")
    content = read_content(LoadImage(some, one, target_of(one.reference, load_options().naming), digest, generated))
    assert [child.descriptor.digest for child in content.children] == [ONE.image.digest]
    assert content.is_whole


def test_the_index_of_the_source_can_be_had_all_the_same(archive: Archive) -> None:
    some = lacking(archive, TWO.image.digest)
    for locked in (archive.images[0], without_record(archive.images[0])):
        assert top_of(some, locked, index=SOURCE) == (IMAGES[0][0].digest, None)
    image = image_of(archive, 0)
    content = read_content(replace(image, archive=some))
    assert [child.descriptor.digest for child in content.children] == [ONE.image.digest]
    assert not content.is_whole


def test_a_converted_image_is_named_by_what_was_saved(archive: Archive) -> None:
    locked = replace(archive.images[2], digest=f"sha256:{'0' * 64}", loaded_digest="")
    assert top_of(archive, locked, index=AUTO) == (THREE.image.digest, None)
    assert top_of(archive, locked, index=SOURCE) == (THREE.image.digest, None)


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ({"schemaVersion": 1, "name": "x", "tag": "1", "fsLayers": [], "history": []}, "schema 1"),
        ({"mediaType": OCI_INDEX, "manifests": [{"mediaType": OCI_INDEX}]}, "is not a manifest"),
        ({"hello": "world"}, "manifest"),
    ],
)
def test_what_is_no_image_is_refused(archive: Archive, document: dict[str, Any], said: str) -> None:
    inner = json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": []}).encode()
    if document.get("manifests"):
        document = {
            "schemaVersion": 2,
            "mediaType": OCI_INDEX,
            "manifests": [{"mediaType": OCI_INDEX, "digest": digest_of(inner), "size": len(inner)}],
        }
    raw = json.dumps(document).encode()

    class Made(Some):
        def has(self, digest: str) -> bool:
            return True

        def document(self, digest: str) -> bytes:
            return inner if digest == digest_of(inner) else raw

    image = replace(image_of(archive, 0), archive=cast(Archive, Made(archive)), digest=digest_of(raw))
    with pytest.raises(ManifestError, match=said):
        read_content(image)


def test_foreign_layers_are_sent_only_if_they_were_saved(tmp_path: Path) -> None:
    archive = carry(tmp_path).open()
    config_digest, known = [*ONE.blobs][1:3]
    layers = [
        {
            "mediaType": "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
            "digest": digest,
            "size": 5,
            "urls": ["https://x"],
        }
        for digest in (known, f"sha256:{'1' * 64}")
    ]
    usual = {"mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": f"sha256:{'2' * 64}", "size": 5}
    config = {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": config_digest, "size": 5}
    manifest = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": config, "layers": [*layers, usual]}
    raw = json.dumps(manifest).encode()

    class Made(Some):
        def document(self, digest: str) -> bytes:
            return raw

    image = replace(image_of(archive, 2), archive=cast(Archive, Made(archive)), digest=digest_of(raw))
    (child,) = read_content(image).children
    assert [blob.digest for blob in child.blobs] == [config_digest, known, usual["digest"]]
