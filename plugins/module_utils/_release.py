# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""``keep_cache: false``: no blob stays longer than the archive needs it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from ._cache import Cache
from ._image import ResolvedImage
from ._layout import SavedImage


class Release:
    """Drops the blobs of images that the archive has, unless a later image has them too.

    :param images: all that go into the archive, in its order.
    """

    def __init__(self, cache: Cache, images: Iterable[ResolvedImage]) -> None:
        self._cache = cache
        self._uses: Counter[str] = Counter()
        for image in images:
            self._uses.update(_digests(image))

    def written(self, image: SavedImage) -> None:
        """Take note that the archive has an image. Manifests and indexes stay: they are small, and asked for first."""
        digests = _digests(image.resolved)
        self._uses.subtract(digests)
        manifests = {platform.digest for platform in image.resolved.platforms}
        for digest in digests - manifests:
            if self._uses[digest] <= 0:
                self._cache.release_blob(digest)
        for platform in image.resolved.platforms:
            if self._uses[platform.digest] <= 0:
                self._cache.forget(platform)


def working_set(images: Sequence[ResolvedImage], missing: Mapping[str, int], *, ahead: int) -> int:
    """Bytes that the cache takes at most beyond what it holds, when each blob goes as soon as it can. Pure.

    :param missing: bytes of each blob to be fetched, by digest.
    :param ahead: images at most that are fetched before the archive has come to them.
    """
    first: dict[str, int] = {}
    last: dict[str, int] = {}
    for place, image in enumerate(images):
        for digest in _digests(image) & missing.keys():
            first.setdefault(digest, place)
            last[digest] = place
    change: Counter[int] = Counter()
    for digest, place in first.items():
        change[max(0, place - ahead)] += missing[digest]
        change[last[digest] + 1] -= missing[digest]
    most = now = 0
    for place in sorted(change):
        now += change[place]
        most = max(most, now)
    return most


def _digests(image: ResolvedImage) -> set[str]:
    return {blob.digest for platform in image.platforms for blob in platform.all_blobs()}
