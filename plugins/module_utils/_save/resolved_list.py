# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The list as it is resolved: which of its images can be saved, are skipped or have failed. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Callable

from .._archive.lock import Lock
from .._archive.record import lock_skips, predict_image
from .._base.errors import ImagesError, SpaceError, StorageError
from .._base.json import Json
from .._base.size import format_bytes, format_size
from .._oci.image import (
    FailedImage,
    PlatformImage,
    Resolution,
    ResolvedImage,
    SkippedImage,
)
from .._oci.image_list import ListedImage
from .._oci.reference import Reference, Repository


@dataclass(frozen=True)
class ResolvedList:
    """The images of a list by what resolving them gave, each group in list order.

    :param lock: the lock file to come, without blobs and parts.
    """

    resolved: list[ResolvedImage]
    skipped: tuple[SkippedImage, ...]
    failed: tuple[FailedImage, ...]
    lock: Lock

    @property
    def places(self) -> dict[str, tuple[ListedImage, int]]:
        """For each platform image by its key: the first image of the list that has it, and its number there, from 1."""
        places: dict[str, tuple[ListedImage, int]] = {}
        for one in self.resolved:
            for number, image in enumerate(one.children, start=1):
                if image.key not in places:
                    places[image.key] = one.listed, number
        return places

    @property
    def sources(self) -> dict[str, tuple[Repository, ...]]:
        """For each blob that several repositories name, by its digest: these repositories, in list order."""
        firsts: dict[str, Repository] = {}
        found: dict[str, dict[Repository, None]] = {}
        for one in self.resolved:
            for image in one.children:
                for blob in image.blobs:
                    first = firsts.setdefault(blob.digest, image.repository)
                    if first is not image.repository and first != image.repository:
                        found.setdefault(blob.digest, {first: None})[image.repository] = None
        return {digest: tuple(repositories) for digest, repositories in found.items()}

    def let_go(self) -> None:
        """Drop the images, once the record of their archive is made; the report then has room for its own."""
        self.resolved.clear()


def as_resolved_list(resolutions: Sequence[Resolution], options: Mapping[str, Json]) -> ResolvedList:
    """Group what resolving gave, and foresee the lock file. What refers to an image that failed is left out with it.

    :param resolutions: in list order.
    :param options: as the lock file records them.
    """
    lost = {one.listed.number for one in resolutions if isinstance(one, FailedImage)}
    left = [one for one in resolutions if one.listed.behind not in lost]
    resolved = [one for one in left if isinstance(one, ResolvedImage)]
    skipped = tuple(one for one in left if isinstance(one, SkippedImage))
    failed = tuple(one for one in left if isinstance(one, FailedImage))
    lock = Lock(
        options=dict(options),
        images=tuple(predict_image(one) for one in resolved),
        skipped=lock_skips(skipped),
        failed=tuple(str(one.listed.reference) for one in failed),
    )
    return ResolvedList(resolved, skipped, failed, lock)


def as_recorded(lock: Lock, resolutions: Sequence[Resolution] = ()) -> ResolvedList:
    """Return the list of an archive that holds exactly what is wanted.

    :param lock: the archive's.
    :param resolutions: its images, where they have to be accepted again; any of them may have failed.
    """
    images = as_resolved_list(sorted(resolutions, key=lambda one: one.listed.place), lock.options)
    return images if images.failed else replace(images, lock=lock)


def repositories_of(resolutions: Iterable[Resolution]) -> dict[Reference, Repository]:
    """Return where each image that can be saved is pulled from."""
    resolved = (one for one in resolutions if isinstance(one, ResolvedImage))
    return {one.listed.reference: one.children[0].repository for one in resolved}


def without_giants(resolutions: Sequence[Resolution], capacity: int, place: str) -> list[Resolution]:
    """Fail the images that could never be stored, however much is removed; the others are saved all the same.

    :param capacity: bytes that the filesystem of ``place`` has in all.
    """
    return [_unless_giant(one, capacity, place) if isinstance(one, ResolvedImage) else one for one in resolutions]


def _unless_giant(one: ResolvedImage, capacity: int, place: str) -> Resolution:
    largest = max((sum(blob.size for blob in image.all_blobs()) for image in one.children), default=0)
    if largest <= capacity:
        return one
    needed = f"it needs {format_size(largest)}; the filesystem of {place} has {format_size(capacity)} in total"
    error = SpaceError(f"{needed}. If the registry gives the right sizes, choose another filesystem")
    return FailedImage(one.listed, error, one.digest)


def without_large_blobs(resolutions: Sequence[Resolution], largest: int, place: str) -> list[Resolution]:
    """Fail the images that have a blob larger than a file can be; the others are saved all the same.

    :param largest: bytes that a file can have on the filesystem of ``place``.
    """
    return [_unless_large(one, largest, place) if isinstance(one, ResolvedImage) else one for one in resolutions]


def _unless_large(one: ResolvedImage, largest: int, place: str) -> Resolution:
    too_large = [blob for image in one.children for blob in image.all_blobs() if blob.size > largest]
    if not too_large:
        return one
    blob = max(too_large, key=lambda blob: blob.size)
    limit = f"a file in {place} may have {format_bytes(largest)} at most"
    error = StorageError(
        f"its blob {blob.digest} has {format_size(blob.size)}, and {limit}. Choose a directory on another filesystem"
    )
    return FailedImage(one.listed, error, one.digest)


def without_failing(images: ResolvedList, why: Callable[[PlatformImage], ImagesError | None]) -> ResolvedList:
    """Move images to those that failed.

    :param why: returns the error of a platform image that was refused, or will most likely fail as it did before.
    :returns: ``images`` itself if there is none.
    """
    if not any(why(child) for one in images.resolved for child in one.children):
        return images
    resolutions: list[Resolution] = [*images.skipped, *images.failed]
    for one in images.resolved:
        error = next(filter(None, map(why, one.children)), None)
        resolutions.append(one if error is None else FailedImage(one.listed, error, one.digest))
    return as_resolved_list(sorted(resolutions, key=lambda one: one.listed.place), images.lock.options)
