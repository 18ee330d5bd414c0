# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Platform images as values."""

from __future__ import annotations

from dataclasses import replace

from ansible_collections.airgap.images.plugins.module_utils._oci.image import (
    StoredImage,
    as_named_by,
    hex_of,
    key_of,
)
from ansible_collections.airgap.images.plugins.module_utils._oci.media_types import DOCKER_SCHEMA1
from ansible_collections.airgap.images.plugins.module_utils._oci.reference import Repository
from ansible_collections.airgap.images.plugins.module_utils._oci.schema1 import Schema1
from ansible_collections.airgap.images.tests.unit.fakes import AMD64, ARM64, Sample, describe


def test_a_folder_is_named_by_the_digest() -> None:
    image = Sample(b"layer").image
    assert image.folder == hex_of(image.digest)
    assert image.digest == f"sha256:{image.folder}"


def test_one_repository_under_two_policies_has_two_keys() -> None:
    """Of an image that was accepted under the name of the mirror, nobody has said that it is under another."""
    itself = Repository("mirror.lan", "hub/app")
    others = [Repository("mirror.lan", "hub/app", f"{registry}/app") for registry in ("docker.io", "quay.io")]
    keys = {key_of(one, "sha256:0") for one in (itself, *others)}
    assert len(keys) == 3
    assert key_of(itself, "sha256:0") == "mirror.lan/hub/app@sha256:0"


def test_only_schema_1_is_converted() -> None:
    image = Sample(b"layer").image
    assert not image.is_converted
    assert replace(image, content=Schema1(DOCKER_SCHEMA1, AMD64, ())).is_converted


def test_foreign_layers_are_those_with_urls() -> None:
    image = Sample(b"layer").image
    foreign = describe(b"base", urls=("https://example.org",))
    assert image.foreign_layers == ()
    assert replace(image, blobs=(*image.blobs, foreign)).foreign_layers == (foreign,)


def test_the_size_of_a_stored_image() -> None:
    sample = Sample(b"12345", b"678")
    stored = StoredImage(sample.image, sample.image.descriptor, sample.image.blobs)
    assert stored.size == sum(len(data) for data in sample.blobs.values())
    assert {blob.digest for blob in stored.all_blobs()} == set(sample.blobs)


def test_an_image_has_the_values_that_its_own_index_gives_it() -> None:
    first = Sample(b"layer")
    other = replace(first.image, descriptor=replace(first.image.descriptor, platform=ARM64, annotations={"a": "b"}))
    named = as_named_by(other, first.stored)
    assert named.source == other
    assert named.descriptor == replace(first.image.descriptor, platform=ARM64, annotations={"a": "b"})
    assert named.blobs == first.stored.blobs
