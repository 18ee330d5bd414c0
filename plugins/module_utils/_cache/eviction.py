# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Evicts blobs from the cache as soon as the archive has them, for ``keep_cache: false``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass

from .._base.errors import NotPulled
from .._oci.image import FailedImage, PlatformImage, ResolvedImage
from .cache import Cache

NOT_PULLED = (
    "it was not fetched: another image failed, and with keep_cache=false nothing would be kept for the next run. "
    "Correct that, or set allow_partial"
)
"""The reason of images that fail because another one did."""


class Eviction:
    """Removes the blobs of images that the archive has, unless a later image needs them.

    :param images: all images of the archive, in its order.
    """

    def __init__(self, cache: Cache, images: Iterable[ResolvedImage]) -> None:
        self._cache = cache
        self._uses: Counter[str] = Counter()
        for image in images:
            self._uses.update(_digests(image))

    def archived(self, image: ResolvedImage) -> None:
        """Remove what only an image needed that the archive has now."""
        self._drop(image, self._ended(image))

    def failed(self, image: ResolvedImage, fetched: Container[str]) -> None:
        """Remove what only an image needed that failed; what the cache had of it before the run stays.

        :param fetched: digests of what the run has pulled so far.
        """
        self._drop(image, {digest for digest in self._ended(image) if digest in fetched})

    def _ended(self, image: ResolvedImage) -> set[str]:
        """Return the digests that no later image needs. Manifests and indexes stay: small, and needed first."""
        digests = _digests(image)
        self._uses.subtract(digests)
        manifests = {platform.digest for platform in image.children}
        return {digest for digest in digests - manifests if self._uses[digest] <= 0}

    def _drop(self, image: ResolvedImage, digests: set[str]) -> None:
        for digest in digests:
            self._cache.blobs.evict(digest)
        for platform in image.children:
            if self._uses[platform.digest] <= 0 and not digests.isdisjoint(blob.digest for blob in platform.blobs):
                self._cache.folders.remove(platform)

    def superfluous(self, image: ResolvedImage) -> list[PlatformImage]:
        """Return the platform images that no other image needs, of one that failed."""
        return [platform for platform in image.children if self._uses[platform.digest] <= 1]


def evict_pulled(cache: Cache, images: Iterable[ResolvedImage], fetched: Container[str]) -> None:
    """Remove what a run has pulled and did not archive, except for manifests.

    :param fetched: digests of what came from a registry.
    """
    for image in images:
        for platform in image.children:
            layers = [blob.digest for blob in platform.blobs if blob.digest in fetched]
            for digest in layers:
                cache.blobs.evict(digest)
            if layers:
                cache.folders.remove(platform)


def not_pulled(images: Iterable[ResolvedImage]) -> list[FailedImage]:
    """Fail images behind one that failed, because what is pulled for them would not be kept."""
    return [FailedImage(image.listed, NotPulled(NOT_PULLED), image.digest) for image in images]


@dataclass(frozen=True)
class Peak:
    """The largest number of bytes in use at any moment, beyond those in use before the run.

    :param cache: of the cache alone.
    :param together: of the cache, and of the archive at that moment.
    """

    cache: int
    together: int


def peak(
    images: Sequence[ResolvedImage],
    missing: Mapping[str, int],
    *,
    ahead: int,
    freed: Mapping[str, int],
    archived: Mapping[str, int],
) -> Peak:
    """Return the most that cache and archive take when each blob is evicted as soon as possible. Pure.

    :param missing: bytes of each blob to be pulled, by digest.
    :param ahead: how many images at most are pulled before the archive has come to them.
    :param freed: bytes that become free when a blob is evicted that the cache has already, by digest.
    :param archived: bytes that the archive needs for each blob, by digest.
    """
    first: dict[str, int] = {}
    last: dict[str, int] = {}
    for place, image in enumerate(images):
        for digest in _digests(image):
            first.setdefault(digest, place)
            last[digest] = place
    change: Counter[int] = Counter()
    growth: Counter[int] = Counter()
    for digest, place in first.items():
        size = missing.get(digest, 0)
        change[max(0, place - ahead)] += size
        change[last[digest] + 1] -= size or freed.get(digest, 0)
        growth[place] += archived.get(digest, 0)
    cache = together = now = written = 0
    for place in range(len(images)):
        now += change[place]
        written += growth[place]
        cache, together = max(cache, now), max(together, now + written)
    return Peak(cache, together)


def digests_of(images: Iterable[ResolvedImage]) -> set[str]:
    """Return the digests of everything that images consist of."""
    return {digest for image in images for digest in _digests(image)}


def _digests(image: ResolvedImage) -> set[str]:
    return {blob.digest for platform in image.children for blob in platform.all_blobs()}
