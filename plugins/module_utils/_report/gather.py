# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Gather what a report says beyond the lock file, while an archive is made. Pure."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace

from .._archive.lock import Lock
from .._archive.referrers import kind_of_referrer, owners_of
from .._oci.descriptor import Descriptor
from .._oci.image import FailedImage, StoredImage
from .._oci.image_list import InvalidLine
from .._oci.layout import SavedImage
from .._oci.manifest import Manifest
from .._oci.media_types import IMAGE_CONFIG_TYPES
from .comparison import compare, image_size
from .facts import BundleSize, Facts, Holding, Layer, Referrer, fingerprint
from .failures import shown_failures, shown_lines

LISTED_LAYERS = 25


def gather(
    lock: Lock,
    before: Lock | None,
    images: Sequence[SavedImage],
    failed: Sequence[FailedImage],
    invalid: Sequence[InvalidLine],
) -> Facts:
    """Gather what the lock file of an archive does not say.

    :param lock: of the archive.
    :param before: of the one that it replaces, or of a bundle's base.
    :param images: all that the archive holds, in list order.
    """
    layers = _Layers(images)
    count, largest, most_shared = len(layers), layers.largest(), layers.most_shared()
    del layers  # before others take as much memory
    return Facts(
        content=fingerprint(lock),
        before=None if before is None else compare(lock, before),
        named=sum(stored.size for image in images for stored in _each_once(image)),
        unique=_unique(images),
        layers=count,
        largest=largest,
        shared=most_shared,
        holdings=_holdings(images, before),
        failed=shown_failures(failed),
        invalid=shown_lines(invalid),
        referrers=_referrers(lock),
        bundle=BundleSize(sum(lock.blobs.values()), lock.whole_size) if lock.is_bundle else None,
    )


def renewed(facts: Facts, lock: Lock, failed: Sequence[FailedImage], invalid: Sequence[InvalidLine]) -> Facts:
    """Update the facts of an archive after a run in which other references failed, or its record was renewed.

    :param lock: as it is now.
    """
    return replace(facts, failed=shown_failures(failed), invalid=shown_lines(invalid), referrers=_referrers(lock))


def _referrers(lock: Lock) -> tuple[Referrer, ...]:
    owners = owners_of(lock.images)
    found = (image for image in lock.images if image.refers_to)
    return tuple(
        Referrer(
            reference=str(image.reference),
            image=str(owners.get(image.reference, "")),
            kind=kind_of_referrer(image),
            refers_to=image.refers_to,
            size=image_size(image),
        )
        for image in found
    )


def _unique(images: Iterable[SavedImage]) -> int:
    """Add up the bytes of all blobs of platform images, each once."""
    blobs = {blob.digest: blob.size for image in images for stored in image.stored for blob in stored.all_blobs()}
    return sum(blobs.values())


class _Layers:
    """The layers of an archive, of which there may be a hundred thousand, and a report lists a few."""

    def __init__(self, images: Sequence[SavedImage]) -> None:
        self._images = images
        self._sizes: dict[str, int] = {}
        self._uses: Counter[str] = Counter()
        for image in images:
            for stored in _each_once(image):
                for blob in _layers_of(stored):
                    self._sizes.setdefault(blob.digest, blob.size)
                    self._uses[blob.digest] += 1

    def __len__(self) -> int:
        return len(self._sizes)

    def largest(self) -> tuple[Layer, ...]:
        """Return the largest ones, by size."""
        return self._first(self._sizes.items())

    def most_shared(self) -> tuple[Layer, ...]:
        """Return those that save most bytes by being shared, by that."""
        saved = ((digest, size * (self._uses[digest] - 1)) for digest, size in self._sizes.items())
        return self._first((digest, spared) for digest, spared in saved if spared)

    def _first(self, ranked: Iterable[tuple[str, int]]) -> tuple[Layer, ...]:
        first = heapq.nsmallest(LISTED_LAYERS, ranked, key=lambda one: (-one[1], one[0]))
        chosen = [digest for digest, _value in first]
        references = dict.fromkeys(chosen, 0)
        firsts: dict[str, str] = {}
        for image in self._images:
            here = {blob.digest for stored in _each_once(image) for blob in _layers_of(stored)}
            for digest in here & references.keys():
                references[digest] += 1
                firsts.setdefault(digest, str(image.reference))
        return tuple(Layer(one, self._sizes[one], self._uses[one], references[one], firsts[one]) for one in chosen)


def _each_once(image: SavedImage) -> Iterable[StoredImage]:
    """The platform images of a reference; its index may name one for several platforms."""
    return {stored.source.digest: stored for stored in image.stored}.values()


def _layers_of(stored: StoredImage) -> list[Descriptor]:
    """The blobs of a platform image but for its configuration."""
    content = stored.source.content
    config = content.config.digest if isinstance(content, Manifest) and content.config is not None else ""
    return [blob for blob in stored.blobs if blob.digest != config and blob.media_type not in IMAGE_CONFIG_TYPES]


def _holdings(images: Iterable[SavedImage], before: Lock | None) -> tuple[Holding, ...]:
    """Every blob of the archive, indexes included, with the first repository that has it."""
    seen: set[str] = set()
    sizes: Counter[str] = Counter()
    new: Counter[str] = Counter()
    references: Counter[str] = Counter()
    for image in images:
        name = image.reference.name
        references[name] += 1
        sizes[name] += 0
        named = [(blob.digest, blob.size) for stored in image.stored for blob in stored.all_blobs()]
        for digest, size in [*named, *((digest, len(raw)) for digest, raw in image.documents.items())]:
            if digest not in seen:
                seen.add(digest)
                sizes[name] += size
                if before is not None and digest not in before.blobs:
                    new[name] += size
    found = [Holding(name, size, new[name], references[name]) for name, size in sizes.items()]
    return tuple(sorted(found, key=lambda holding: (-holding.bytes, holding.name)))
