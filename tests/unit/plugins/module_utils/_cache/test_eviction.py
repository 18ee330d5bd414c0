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

from ansible_collections.airgap.images.plugins.module_utils._cache.cache import Cache
from ansible_collections.airgap.images.plugins.module_utils._cache.eviction import (
    Eviction,
    evict_pulled,
    not_pulled,
    peak,
)
from ansible_collections.airgap.images.plugins.module_utils._oci.image import ResolvedImage
from ansible_collections.airgap.images.plugins.module_utils._oci.media_types import DOCKER_SCHEMA1
from ansible_collections.airgap.images.plugins.module_utils._oci.schema1 import Schema1
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
    return {f"sha256:{name}" for name in os.listdir(cache.workspace.share)}


def layers_of(sample: Sample) -> set[str]:
    return set(sample.blobs) - {sample.image.digest}


def folders(cache: Cache) -> set[str]:
    return {
        sample.image.folder for sample in (ONE, TWO, OTHER) if os.path.exists(f"{cache.root}/{sample.image.folder}")
    }


def test_what_no_later_image_needs_is_dropped(cache: Cache) -> None:
    images = [resolved("a", ONE), resolved("b", TWO)]
    eviction = Eviction(cache, images)
    eviction.archived(images[0])
    dropped = layers_of(ONE) - layers_of(TWO)
    assert there(cache) == (set(ONE.blobs) | set(TWO.blobs) | set(OTHER.blobs)) - dropped
    assert describe(BASE).digest in there(cache)
    assert folders(cache) == {TWO.image.folder, OTHER.image.folder}
    eviction.archived(images[1])
    assert there(cache) == {ONE.image.digest, TWO.image.digest} | set(OTHER.blobs)
    assert folders(cache) == {OTHER.image.folder}
    assert cache.blobs.repaired == set(), "they were sound"


def test_an_image_that_is_named_twice_stays_for_the_second_time(cache: Cache) -> None:
    images = [resolved("a", ONE, TWO), resolved("b", ONE)]
    eviction = Eviction(cache, images)
    eviction.archived(images[0])
    assert set(ONE.blobs) <= there(cache)
    assert folders(cache) == {ONE.image.folder, OTHER.image.folder}
    assert not layers_of(TWO) - layers_of(ONE) & there(cache)
    eviction.archived(images[1])
    assert there(cache) == {ONE.image.digest, TWO.image.digest} | set(OTHER.blobs)


def test_what_skopeo_made_of_an_image_stays(cache: Cache) -> None:
    layer = ONE.image.blobs[-1]
    source = replace(
        ONE.image,
        descriptor=replace(ONE.image.descriptor, digest="sha256:" + "ab" * 32),
        content=Schema1(DOCKER_SCHEMA1, AMD64, (layer.digest,)),
        blobs=(layer,),
    )
    image = replace(resolved("a", ONE), digest=source.digest, children=(source,))
    Eviction(cache, [image]).archived(image)
    assert layers_of(ONE) & there(cache) == layers_of(ONE) - {layer.digest}


def test_of_an_image_that_failed_only_what_was_fetched_goes(cache: Cache) -> None:
    images = [resolved("a", ONE), resolved("b", TWO)]
    before = there(cache)
    fetched = {describe(b"one").digest, describe(BASE).digest}
    Eviction(cache, images).failed(images[0], fetched)
    assert before - there(cache) == {describe(b"one").digest}, "the other needs the base"
    assert folders(cache) == {TWO.image.folder, OTHER.image.folder}


def test_what_only_an_image_that_failed_needs_is_superfluous(cache: Cache) -> None:
    images = [resolved("a", ONE, TWO), resolved("b", ONE)]
    assert Eviction(cache, images).superfluous(images[0]) == [TWO.image]


def test_what_was_fetched_in_vain_goes_in_the_end(cache: Cache) -> None:
    before = there(cache)
    evict_pulled(cache, [resolved("a", ONE), resolved("b", TWO)], {describe(b"one").digest, ONE.image.digest})
    assert before - there(cache) == {describe(b"one").digest}
    assert folders(cache) == {TWO.image.folder, OTHER.image.folder}


def test_the_rest_of_a_list_fails_with_a_reason() -> None:
    (failed,) = not_pulled([resolved("a", ONE)])
    assert failed.reason.startswith("it was not fetched: another image failed, and with keep_cache=false")


# -- how much room that takes

FIRST = [resolved("a", ONE), resolved("b", TWO), resolved("c", OTHER)]
LAYERS = {data: describe(data).digest for data in (BASE, b"one", b"two", b"other")}


def in_cache(images: list[ResolvedImage], missing: dict[str, int], ahead: int) -> int:
    return peak(images, missing, ahead=ahead, freed={}, archived={}).cache


def test_with_a_window_of_one_only_neighbours_count() -> None:
    missing = {LAYERS[BASE]: 100, LAYERS[b"one"]: 10, LAYERS[b"two"]: 20, LAYERS[b"other"]: 5}
    assert in_cache(FIRST, missing, 0) == 120
    assert in_cache(FIRST, missing, 1) == 130
    assert in_cache(FIRST, missing, 9) == 135


def test_a_blob_of_the_first_and_the_last_image_stays_all_the_time() -> None:
    images = [resolved("a", ONE), resolved("b", OTHER), resolved("c", TWO)]
    assert in_cache(images, {LAYERS[BASE]: 100, LAYERS[b"other"]: 5}, 0) == 105


def test_what_is_there_takes_no_room() -> None:
    assert in_cache(FIRST, {}, 2) == 0
    assert in_cache([], {LAYERS[BASE]: 100}, 2) == 0


def test_what_goes_makes_room_for_what_comes() -> None:
    sizes = {LAYERS[BASE]: 100, LAYERS[b"one"]: 10, LAYERS[b"two"]: 20, LAYERS[b"other"]: 50}
    missing = {LAYERS[b"other"]: 50}
    freed = {digest: size for digest, size in sizes.items() if digest not in missing}
    lean = peak(FIRST, missing, ahead=0, freed=freed, archived=sizes)
    assert (lean.cache, lean.together) == (0, 120), "once the first two are archived, the third has their room"
    shared = peak(FIRST, missing, ahead=0, freed={}, archived=sizes)
    assert (shared.cache, shared.together) == (50, 230)


MANY = [resolved(f"a:{n}", Sample(bytes([n % 3]), bytes([n])), number=n + 1) for n in range(6)]


@given(st.lists(st.sampled_from(MANY), max_size=8), st.integers(0, 4), st.data())
def test_it_is_the_largest_of_all_moments(images: list[ResolvedImage], ahead: int, data: st.DataObject) -> None:
    named = [{blob.digest for p in one.children for blob in (p.descriptor, *p.blobs)} for one in images]
    everything = sorted(set().union(*named))
    sizes = {digest: data.draw(st.integers(1, 50)) for digest in everything}
    missing = {digest: size for digest, size in sizes.items() if data.draw(st.booleans())}
    freed = {digest: size for digest, size in sizes.items() if digest not in missing}
    cache = together = 0
    for moment in range(len(images)):
        fetched = set().union(*named[: moment + ahead + 1])
        needed = set().union(*named[moment:])
        gone = set().union(*named[:moment]) - needed
        written = set().union(*named[: moment + 1])
        now = sum(missing.get(digest, 0) for digest in fetched & needed) - sum(freed.get(digest, 0) for digest in gone)
        cache, together = max(cache, now), max(together, now + sum(sizes[digest] for digest in written))
    found = peak(images, missing, ahead=ahead, freed=freed, archived=sizes)
    assert (found.cache, found.together) == (cache, together)
