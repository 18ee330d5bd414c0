# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a bundle leaves out, and whether there is anything to carry at all. Pure.

All manifests, indexes and configurations are in a bundle, so that it describes the whole list. Only layers are left
out. Images that have to be converted are carried whole, as their layers are not known beforehand.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Callable

from .._archive.bases import BaseArchive, Bases
from .._archive.lock import Lock, image_key
from .._base.json import Json
from .._oci.image import PlatformImage, Resolution, ResolvedImage
from .._oci.manifest import Manifest
from .decide import still_holds
from .resolve import LookedUp
from .resolved_list import ResolvedList

_OF_CONTENT = ("arch", "os", "fail_on_missing_platform", "include_foreign_layers", "referrers")


def without_base(resolutions: Sequence[Resolution], bases: Bases) -> list[Resolution]:
    """Return what resolving gave, with the layers left out that the base has.

    :param resolutions: in list order.
    """
    images = [child for one in resolutions if isinstance(one, ResolvedImage) for child in one.children]
    for image in images:
        if isinstance(image.content, Manifest):
            bases.know(image.digest, image.content)
    documents = {image.digest for image in images}
    documents.update(config for image in images if (config := _config_of(image)))
    documents.update(one.digest for one in resolutions)
    return [_reduced(one, bases, documents) if isinstance(one, ResolvedImage) else one for one in resolutions]


def _reduced(one: ResolvedImage, bases: Bases, documents: set[str]) -> ResolvedImage:
    return replace(one, children=tuple(_without(child, bases, documents) for child in one.children))


def _without(image: PlatformImage, bases: Bases, documents: set[str]) -> PlatformImage:
    if image.is_converted:
        return image
    left_out = tuple(
        blob for blob in image.blobs if bases.sizes.get(blob.digest) == blob.size and blob.digest not in documents
    )
    if not left_out:
        return image
    digests = {blob.digest for blob in left_out}
    return replace(image, blobs=tuple(blob for blob in image.blobs if blob.digest not in digests), left_out=left_out)


def _config_of(image: PlatformImage) -> str:
    content = image.content
    return content.config.digest if isinstance(content, Manifest) and content.config is not None else ""


def as_bundle(lock: Lock, images: Iterable[ResolvedImage], bases: Bases) -> Lock:
    """Return the lock file of a full archive as that of a bundle.

    :param images: those in the bundle, with what is left out of them.
    """
    left_out = {blob.digest for one in images for child in one.children for blob in child.left_out}
    return replace(lock, base=bases.recorded, requires=bases.requirements(left_out))


def rests_on(lock: Lock, bases: Bases, *, document_size: int) -> bool:
    """Return True if a bundle still leaves out what a new one would, as far as its lock file shows that.

    :param document_size: bytes that a manifest or configuration has at most.
    """
    if lock.base != bases.recorded or not lock.requires.keys() <= bases.sizes.keys():
        return False
    return all(size <= document_size for digest, size in lock.blobs.items() if digest in bases.sizes)


def is_needless(images: ResolvedList, bases: Bases) -> bool:
    """Return True if the other side has everything already: each blob, each tag, and the same list."""
    if bases.asked or images.failed or any(_is_news(child, bases) for one in images.resolved for child in one.children):
        return False
    wanted = {str(image.reference): image_key(image) for image in images.lock.images}
    newest = [
        {str(image.reference): image_key(image) for image in archive.lock.images}
        for archive in bases.newest
        if archive.is_whole
    ]
    if len(newest) < len(bases.newest) or not newest:
        return False
    if any(keys.get(name, key) != key for keys in newest for name, key in wanted.items()):
        return False
    known = {name for keys in newest for name in keys}
    return wanted.keys() == known if len(newest) == 1 else wanted.keys() <= known


def _is_news(image: PlatformImage, bases: Bases) -> bool:
    config = _config_of(image)
    return any(blob.digest not in bases.sizes for blob in image.blobs if blob.digest != config)


def unchanged_since(
    bases: Bases, wanted: Callable[[Lock], Sequence[LookedUp]], options: Mapping[str, Json]
) -> BaseArchive | None:
    """Return the archive that has exactly what is wanted, if digests alone show that.

    :param wanted: returns all that are wanted, with their digests of today, as far as an archive lets them be found.
    :param options: as a lock file would record them today.
    """
    if bases.asked or len(bases.newest) != 1 or not bases.newest[0].is_whole:
        return None
    archive = bases.newest[0]
    recorded = archive.lock.options
    if any(recorded.get(name) != options.get(name) for name in _OF_CONTENT):
        return None
    return archive if still_holds(archive.lock, wanted(archive.lock), recorded) else None
