# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Blobs that go as soon as the archive has them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.airgap.images.plugins.module_utils._cache import Cache
from ansible_collections.airgap.images.plugins.module_utils._image import ResolvedImage, StoredImage
from ansible_collections.airgap.images.plugins.module_utils._layout import SavedImage, assemble
from ansible_collections.airgap.images.plugins.module_utils._manifest import DOCKER_SCHEMA1, Schema1
from ansible_collections.airgap.images.plugins.module_utils._release import Release, working_set
from ansible_collections.airgap.images.tests.unit.fakes import AMD64, ARM64, Sample, describe, resolved

BASE = b"base layer"
ONE, TWO, OTHER = Sample(BASE, b"one"), Sample(BASE, b"two", platform=ARM64), Sample(b"other", platform=None)


@pytest.fixture
def cache(tmp_path: Path) -> Iterator[Cache]:
    cache = Cache(str(tmp_path / "cache"))
    with cache.opened(0):
        for sample in (ONE, TWO, OTHER):
            sample.put(cache)
        yield cache


def there(cache: Cache) -> set[str]:
    return {f"sha256:{name}" for name in os.listdir(cache.share)}


def saved(image: ResolvedImage, *samples: Sample) -> SavedImage:
    return assemble(image, [sample.stored for sample in samples])


def layers_of(sample: Sample) -> set[str]:
    return set(sample.blobs) - {sample.image.digest}


def folders(cache: Cache) -> set[str]:
    return {
        sample.image.folder for sample in (ONE, TWO, OTHER) if os.path.exists(f"{cache.root}/{sample.image.folder}")
    }


def test_what_no_later_image_needs_is_dropped(cache: Cache) -> None:
    images = [resolved("a", ONE), resolved("b", TWO)]
    release = Release(cache, images)
    release.written(saved(images[0], ONE))
    dropped = layers_of(ONE) - layers_of(TWO)
    assert there(cache) == (set(ONE.blobs) | set(TWO.blobs) | set(OTHER.blobs)) - dropped
    assert describe(BASE).digest in there(cache)
    assert folders(cache) == {TWO.image.folder, OTHER.image.folder}
    release.written(saved(images[1], TWO))
    assert there(cache) == {ONE.image.digest, TWO.image.digest} | set(OTHER.blobs)
    assert folders(cache) == {OTHER.image.folder}
    assert cache.repaired == set(), "they were sound"


def test_an_image_that_is_named_twice_stays_for_the_second_time(cache: Cache) -> None:
    images = [resolved("a", ONE, TWO), resolved("b", ONE)]
    release = Release(cache, images)
    release.written(saved(images[0], ONE, TWO))
    assert set(ONE.blobs) <= there(cache)
    assert folders(cache) == {ONE.image.folder, OTHER.image.folder}
    assert not layers_of(TWO) - layers_of(ONE) & there(cache)
    release.written(saved(images[1], ONE))
    assert there(cache) == {ONE.image.digest, TWO.image.digest} | set(OTHER.blobs)


def test_what_skopeo_made_of_an_image_stays(cache: Cache) -> None:
    layer = ONE.image.blobs[-1]
    source = replace(
        ONE.image,
        descriptor=replace(ONE.image.descriptor, digest="sha256:" + "ab" * 32),
        content=Schema1(DOCKER_SCHEMA1, AMD64, (layer.digest,)),
        blobs=(layer,),
    )
    image = replace(resolved("a", ONE), digest=source.digest, platforms=(source,))
    stored = StoredImage(source, ONE.image.descriptor, ONE.image.blobs)
    Release(cache, [image]).written(assemble(image, [stored]))
    assert layers_of(ONE) & there(cache) == layers_of(ONE) - {layer.digest}


# -- how much room that takes

FIRST = [resolved("a", ONE), resolved("b", TWO), resolved("c", OTHER)]
LAYERS = {data: describe(data).digest for data in (BASE, b"one", b"two", b"other")}


def test_with_a_window_of_one_only_neighbours_count() -> None:
    missing = {LAYERS[BASE]: 100, LAYERS[b"one"]: 10, LAYERS[b"two"]: 20, LAYERS[b"other"]: 5}
    assert working_set(FIRST, missing, ahead=0) == 120
    assert working_set(FIRST, missing, ahead=1) == 130
    assert working_set(FIRST, missing, ahead=9) == 135


def test_a_blob_of_the_first_and_the_last_image_stays_all_the_time() -> None:
    images = [resolved("a", ONE), resolved("b", OTHER), resolved("c", TWO)]
    missing = {LAYERS[BASE]: 100, LAYERS[b"other"]: 5}
    assert working_set(images, missing, ahead=0) == 105


def test_what_is_there_takes_no_room() -> None:
    assert working_set(FIRST, {}, ahead=2) == 0
    assert working_set([], {LAYERS[BASE]: 100}, ahead=2) == 0


MANY = [resolved(f"a:{n}", Sample(bytes([n % 3]), bytes([n])), number=n + 1) for n in range(6)]


@given(st.lists(st.sampled_from(MANY), max_size=8), st.integers(0, 4), st.data())
def test_it_is_the_largest_of_all_moments(images: list[ResolvedImage], ahead: int, data: st.DataObject) -> None:
    named = [{blob.digest for p in one.platforms for blob in (p.descriptor, *p.blobs)} for one in images]
    everything = sorted(set().union(*named))
    missing = {digest: data.draw(st.integers(1, 50)) for digest in everything}
    most = 0
    for moment in range(len(images)):
        fetched = set().union(*named[: moment + ahead + 1])
        needed = set().union(*named[moment:])
        most = max(most, sum(missing[digest] for digest in fetched & needed))
    assert working_set(images, missing, ahead=ahead) == most
