# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Gather what a report says beyond the lock file, while an archive is made. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Callable

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
    layers = _layers(images)
    blobs = {blob.digest: blob.size for image in images for stored in image.stored for blob in stored.all_blobs()}
    return Facts(
        content=fingerprint(lock),
        before=None if before is None else compare(lock, before),
        named=sum(stored.size for image in images for stored in _each_once(image)),
        unique=sum(blobs.values()),
        layers=len(layers),
        largest=_first(layers, lambda layer: layer.size),
        shared=_first([layer for layer in layers if layer.saved], lambda layer: layer.saved),
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


def _layers(images: Iterable[SavedImage]) -> list[Layer]:
    """All layers in the order in which they come."""
    sizes: dict[str, int] = {}
    firsts: dict[str, str] = {}
    uses: Counter[str] = Counter()
    references: Counter[str] = Counter()
    for image in images:
        here: set[str] = set()
        name = str(image.reference)
        for stored in _each_once(image):
            for blob in _layers_of(stored):
                sizes.setdefault(blob.digest, blob.size)
                firsts.setdefault(blob.digest, name)
                uses[blob.digest] += 1
                here.add(blob.digest)
        references.update(here)
    return [Layer(one, size, uses[one], references[one], firsts[one]) for one, size in sizes.items()]


def _each_once(image: SavedImage) -> Iterable[StoredImage]:
    """The platform images of a reference; its index may name one for several platforms."""
    return {stored.source.digest: stored for stored in image.stored}.values()


def _layers_of(stored: StoredImage) -> list[Descriptor]:
    """The blobs of a platform image but for its configuration."""
    content = stored.source.content
    config = content.config.digest if isinstance(content, Manifest) and content.config is not None else ""
    return [blob for blob in stored.blobs if blob.digest != config and blob.media_type not in IMAGE_CONFIG_TYPES]


def _first(layers: Iterable[Layer], key: Callable[[Layer], int]) -> tuple[Layer, ...]:
    return tuple(sorted(layers, key=lambda layer: (-key(layer), layer.digest))[:LISTED_LAYERS])


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
