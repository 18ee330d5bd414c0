# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""``keep_cache: false``: no blob stays longer than the archive needs it."""

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
"""Why an image fails in which nothing is wrong."""


class Eviction:
    """Drops the blobs of images that the archive has, unless a later image has them too.

    :param images: all that go into the archive, in its order.
    """

    def __init__(self, cache: Cache, images: Iterable[ResolvedImage]) -> None:
        self._cache = cache
        self._uses: Counter[str] = Counter()
        for image in images:
            self._uses.update(_digests(image))

    def archived(self, image: ResolvedImage) -> None:
        """Take note that the archive has an image."""
        self._drop(image, self._ended(image))

    def failed(self, image: ResolvedImage, fetched: Container[str]) -> None:
        """Take note that the archive will not get an image; what the cache held of it before the run stays.

        :param fetched: digests of what the run has fetched so far.
        """
        self._drop(image, {digest for digest in self._ended(image) if digest in fetched})

    def _ended(self, image: ResolvedImage) -> set[str]:
        """What nobody waits for any more. Manifests and indexes stay: they are small, and asked for first."""
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
        """What no image needs that has not ended, of one that will not get into the archive."""
        return [platform for platform in image.children if self._uses[platform.digest] <= 1]


def evict_pulled(cache: Cache, images: Iterable[ResolvedImage], fetched: Container[str]) -> None:
    """Drop what a run has fetched that did not end with an archive, but for manifests.

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
    """The most that is taken at any moment, beyond what is taken before; bytes.

    :param cache: by the cache alone.
    :param together: by the cache and by what the archive has at that moment.
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
    """What cache and archive take at most when each blob goes as soon as it can. Pure.

    :param missing: bytes of each blob to be fetched, by digest.
    :param ahead: images at most that are fetched before the archive has come to them.
    :param freed: bytes that become free with each blob that the cache has already and that goes.
    :param archived: bytes that the archive takes for each blob.
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
    """The digests of all that images consist of."""
    return {digest for image in images for digest in _digests(image)}


def _digests(image: ResolvedImage) -> set[str]:
    return {blob.digest for platform in image.children for blob in platform.all_blobs()}
