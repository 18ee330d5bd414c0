# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Plans: the wanted images minus those in the cache."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import pytest

from ansible_collections.airgap.images.plugins.module_utils._oci.descriptor import Descriptor
from ansible_collections.airgap.images.plugins.module_utils._oci.image import PlatformImage, ResolvedImage, StoredImage
from ansible_collections.airgap.images.plugins.module_utils._oci.media_types import DOCKER_SCHEMA1
from ansible_collections.airgap.images.plugins.module_utils._oci.schema1 import Schema1
from ansible_collections.airgap.images.plugins.module_utils._save.plan import Plan, make_plan
from ansible_collections.airgap.images.tests.unit.fakes import (
    AMD64,
    ARM64,
    Sample,
    describe,
    repository_of,
    resolved,
)

BASE, TOP = b"base layer", b"top layer"
ONE, TWO = Sample(BASE, TOP), Sample(BASE, platform=ARM64)


def plan_of(
    images: Iterable[ResolvedImage],
    *,
    there: Iterable[Sample] = (),
    blobs: Iterable[bytes] = (),
    fetched: dict[str, int] | None = None,
    unknown: Iterable[str] = (),
) -> Plan:
    """:param unknown: keys of the images that were not accepted yet."""
    whole = {sample.image.digest: sample.stored for sample in there}
    known = {digest for sample in there for digest in sample.blobs} | {describe(data).digest for data in blobs}

    def stored(image: PlatformImage) -> StoredImage | None:
        return whole.get(image.digest)

    return make_plan(
        images,
        stored=stored,
        is_accepted=lambda image: image.key not in unknown,
        has_blob=lambda blob: blob.digest in known,
        fetched=fetched or {},
    )


def test_an_empty_cache() -> None:
    image = resolved("a", ONE, TWO)
    assert image.index is not None
    plan = plan_of([image])
    assert plan.incomplete == tuple(plan.platform_images) == (ONE.image, TWO.image)
    assert plan.missing == {digest: len(data) for digest, data in {**ONE.blobs, **TWO.blobs}.items()}
    assert plan.missing_bytes == sum(plan.missing.values())
    assert plan.reused == {image.digest: len(image.index)}, "what resolving did not fetch is there"


def test_a_full_cache() -> None:
    image = resolved("a", ONE, TWO)
    plan = plan_of([image], there=[ONE, TWO])
    assert plan.incomplete == ()
    assert plan.missing == {}
    assert plan.reused.keys() == {*ONE.blobs, *TWO.blobs, image.digest}
    assert plan.stored == {ONE.image.key: ONE.stored, TWO.image.key: TWO.stored}


def test_an_image_of_two_repositories_is_asked_of_both() -> None:
    """Each has a policy and a login of its own; the blobs are there once."""
    other = replace(ONE.image, repository=repository_of("reg.lan/other"))
    images = [resolved("a", ONE), replace(resolved("b", ONE, number=2), children=(other,))]
    cold = plan_of(images)
    assert cold.incomplete == (ONE.image, other)
    assert cold.missing == {digest: len(data) for digest, data in ONE.blobs.items()}
    half = plan_of(images, there=[ONE], unknown=[other.key])
    assert (half.incomplete, half.missing) == ((other,), {})
    assert half.archive_bytes == plan_of(images, there=[ONE]).archive_bytes


def test_a_shared_layer_is_counted_once() -> None:
    plan = plan_of([resolved("a", ONE, TWO)], there=[ONE])
    assert plan.incomplete == (TWO.image,)
    assert describe(BASE).digest in plan.reused
    assert plan.missing.keys() == TWO.blobs.keys() - ONE.blobs.keys()


def test_single_blobs_are_used() -> None:
    plan = plan_of([resolved("a", ONE)], blobs=[BASE])
    assert plan.reused == {describe(BASE).digest: len(BASE)}
    assert plan.incomplete == (ONE.image,)


def test_an_image_under_two_references_is_copied_once() -> None:
    plan = plan_of([resolved("a", ONE), resolved("b", ONE, number=2)])
    assert plan.platform_images == [ONE.image]


def test_what_resolving_fetched_counts_as_downloaded() -> None:
    index = resolved("a", ONE, TWO)
    assert index.index is not None
    fetched = {index.digest: len(index.index), ONE.image.digest: ONE.image.descriptor.size}
    plan = plan_of([index], there=[ONE, TWO], fetched=fetched)
    assert plan.missing == fetched
    assert ONE.image.digest not in plan.reused
    assert plan.incomplete == ()


def test_a_converted_image_is_planned_as_it_is_stored() -> None:
    schema1 = replace(ONE.image, content=Schema1(DOCKER_SCHEMA1, AMD64, ()), blobs=())
    stored = StoredImage(schema1, describe(b"converted"), (describe(b"config"),))
    plan = make_plan(
        [replace(resolved("a", ONE), children=(schema1,))],
        stored=lambda _image: stored,
        is_accepted=lambda _image: True,
        has_blob=lambda _blob: True,
        fetched={},
    )
    assert plan.reused == {blob.digest: blob.size for blob in stored.all_blobs()}


def large(size: int) -> Sample:
    """A sample one of whose blobs is said to be this large."""
    sample = Sample(b"large")
    blob = Descriptor("x/y", "sha256:" + "ab" * 32, size)
    sample.image = replace(sample.image, blobs=(*sample.image.blobs, blob))
    return sample


@pytest.mark.parametrize("size", [0, 1, 511, 512, 513, 2**40])
def test_the_archive_takes_at_least_its_blobs(size: int) -> None:
    plan = plan_of([resolved("a", large(size))])
    assert plan.archive_bytes >= plan.missing_bytes + 512 * len(plan.missing)


def test_the_estimate_has_room_for_the_blocks_of_gzip() -> None:
    size = 2**40
    assert plan_of([resolved("a", large(size))]).archive_bytes >= size + 5 * (size // 65535)
