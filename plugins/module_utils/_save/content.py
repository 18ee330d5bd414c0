# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an archive is to hold, sorted out from the answers of the registries. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Callable

from .._archive.lock import Lock, lock_skips, predict_image
from .._base.json import Json
from .._base.size import format_bytes, format_size
from .._oci.image import (
    FailedImage,
    PlatformImage,
    Resolution,
    ResolvedImage,
    SkippedImage,
)
from .._oci.reference import Repository


@dataclass(frozen=True)
class Content:
    """The images of a run by what becomes of them, each group in list order.

    :param lock: the lock file to come, without blobs and parts.
    """

    resolved: tuple[ResolvedImage, ...]
    skipped: tuple[SkippedImage, ...]
    failed: tuple[FailedImage, ...]
    lock: Lock

    @property
    def places(self) -> dict[str, tuple[int, int]]:
        """For each platform image by its key: its first reference's number in the list, and its own there, from 1."""
        places: dict[str, tuple[int, int]] = {}
        for one in self.resolved:
            for number, image in enumerate(one.platforms, start=1):
                places.setdefault(image.key, (one.listed.number, number))
        return places

    @property
    def names(self) -> dict[str, str]:
        """For each platform image by its key, the first reference that has it."""
        names: dict[str, str] = {}
        for one in self.resolved:
            for image in one.platforms:
                names.setdefault(image.key, str(one.listed.reference))
        return names

    @property
    def sources(self) -> dict[str, tuple[Repository, ...]]:
        """The repositories that name a blob, where several do, in list order."""
        found: dict[str, dict[Repository, None]] = {}
        for one in self.resolved:
            for image in one.platforms:
                for blob in image.blobs:
                    found.setdefault(blob.digest, {})[image.repository] = None
        return {digest: tuple(repositories) for digest, repositories in found.items() if len(repositories) > 1}


def as_recorded(lock: Lock, resolutions: Sequence[Resolution] = ()) -> Content:
    """The content of an archive that stands, when it is just what is wanted.

    :param resolutions: its images, where they are to be let through anew; any of them may fail.
    """
    content = sort_out(sorted(resolutions, key=lambda one: one.listed.number), lock.options)
    return content if content.failed else replace(content, lock=lock)


def without_giants(resolutions: Sequence[Resolution], capacity: int, place: str) -> list[Resolution]:
    """Have an image fail that can never be stored, whatever is cleared away: the others are saved all the same.

    :param capacity: bytes that the filesystem of ``place`` has in all.
    """
    return [_unless_giant(one, capacity, place) if isinstance(one, ResolvedImage) else one for one in resolutions]


def _unless_giant(one: ResolvedImage, capacity: int, place: str) -> Resolution:
    largest = max((sum(blob.size for blob in image.all_blobs()) for image in one.platforms), default=0)
    if largest <= capacity:
        return one
    reason = f"it needs {format_size(largest)}; the filesystem of {place} has {format_size(capacity)} in all"
    return FailedImage(one.listed, f"{reason}. Choose another one, if the registry does not lie", one.digest)


def without_large_blobs(resolutions: Sequence[Resolution], largest: int, place: str) -> list[Resolution]:
    """Have an image fail that has a blob larger than a file may be: the others are saved all the same.

    :param largest: bytes that a file may have on the filesystem of ``place``.
    """
    return [_unless_large(one, largest, place) if isinstance(one, ResolvedImage) else one for one in resolutions]


def _unless_large(one: ResolvedImage, largest: int, place: str) -> Resolution:
    too_large = [blob for image in one.platforms for blob in image.all_blobs() if blob.size > largest]
    if not too_large:
        return one
    blob = max(too_large, key=lambda blob: blob.size)
    reason = (
        f"its blob {blob.digest} has {format_size(blob.size)}, and a file in {place} may have {format_bytes(largest)}"
    )
    return FailedImage(one.listed, f"{reason} at most. Choose a directory on another filesystem", one.digest)


def without_failing(content: Content, why: Callable[[PlatformImage], str]) -> Content:
    """Take images for failed of which a platform image was refused, or will most likely fail as it did before.

    :param why: the reason for a platform image; empty where there is none.
    """
    if not any(why(image) for one in content.resolved for image in one.platforms):
        return content
    foreseen: list[Resolution] = [*content.skipped, *content.failed]
    for one in content.resolved:
        reason = next(filter(None, map(why, one.platforms)), "")
        foreseen.append(FailedImage(one.listed, reason, one.digest) if reason else one)
    return sort_out(sorted(foreseen, key=lambda one: one.listed.number), content.lock.options)


def sort_out(resolutions: Sequence[Resolution], options: Mapping[str, Json]) -> Content:
    """Group the answers, and foresee the lock file.

    :param options: as the lock file records them.
    """
    resolved = tuple(one for one in resolutions if isinstance(one, ResolvedImage))
    skipped = tuple(one for one in resolutions if isinstance(one, SkippedImage))
    failed = tuple(one for one in resolutions if isinstance(one, FailedImage))
    lock = Lock(
        options=dict(options),
        images=tuple(predict_image(one) for one in resolved),
        skipped=lock_skips(skipped),
        failed=tuple(str(one.listed.reference) for one in failed),
    )
    return Content(resolved, skipped, failed, lock)
