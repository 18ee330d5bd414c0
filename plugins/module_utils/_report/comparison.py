# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The comparison of an archive with the one before. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from .._archive.lock import Lock, LockedImage, image_key


@dataclass(frozen=True)
class Changed:
    """A reference that names other content than in the archive before.

    :param digest: what it named there.
    :param platforms: those that it had there, as the report shows them.
    """

    reference: str
    digest: str
    platforms: tuple[str, ...]


@dataclass(frozen=True)
class Removed:
    """A reference that was in the archive before and is not in this one.

    :param size: bytes of its platform images.
    """

    reference: str
    digest: str
    platforms: tuple[str, ...]
    size: int


@dataclass(frozen=True)
class Comparison:
    """An archive compared with the one before.

    :param blobs: number of blobs that the one before did not have.
    :param bytes: of those blobs.
    """

    added: tuple[str, ...]
    changed: tuple[Changed, ...]
    removed: tuple[Removed, ...]
    blobs: int
    bytes: int


def compare(lock: Lock, before: Lock) -> Comparison:
    """Compare an archive with the one before."""
    old = {str(image.reference): image for image in before.images}
    new = {str(image.reference): image for image in lock.images}
    fresh = [size for digest, size in lock.blobs.items() if digest not in before.blobs]
    return Comparison(
        added=tuple(name for name in new if name not in old),
        changed=tuple(
            Changed(name, old[name].digest, platform_names(old[name]))
            for name, image in new.items()
            if name in old and image_key(image) != image_key(old[name])
        ),
        removed=tuple(
            Removed(name, image.digest, platform_names(image), image_size(image))
            for name, image in old.items()
            if name not in new
        ),
        blobs=len(fresh),
        bytes=sum(fresh),
    )


def platform_names(image: LockedImage) -> tuple[str, ...]:
    """Name the platforms of a reference, in its order."""
    return tuple(str(one.platform) if one.platform is not None else "artefact" for one in image.platforms)


def image_size(image: LockedImage) -> int:
    """Add up the bytes of all platform images of a reference, each once and as if it were alone."""
    return sum({platform.digest: platform.size for platform in image.platforms}.values())
