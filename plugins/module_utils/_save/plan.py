# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Plans a run: what is wanted, minus what the cache has. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Callable

from .._archive.output import AT_IMAGE
from .._oci.descriptor import Descriptor
from .._oci.image import PlatformImage, ResolvedImage, StoredImage

_TAR_BLOCK = 512
_TAR_END = 20 * _TAR_BLOCK
_MEMBERS_PER_FOLDER = 4
_ROOT_FILES = 8
_INDEX_ENTRY = 1024  # a reference or platform image in the documents of the archive
_STORED_OVERHEAD = 10_000  # of so many bytes, one for the headers of stored blocks


@dataclass(frozen=True)
class Plan:
    """The work that a run has to do.

    :param platform_images: each once for every repository that it is wanted from, in list order.
    :param stored: those that the cache has whole and that were accepted, by key.
    :param missing: bytes of each blob to be pulled, by digest; including what was fetched while resolving.
    :param fetched: bytes of what was fetched while resolving, by digest.
    :param reused: bytes of each blob that the cache has, by digest.
    :param archive_bytes: an upper estimate: all blobs as they are, and the tar around them.
    :param image_bytes: upper estimates of what each image adds to the archive, in list order.
    :param document_bytes: an upper estimate of what is at the archive's end.
    """

    platform_images: list[PlatformImage]
    stored: dict[str, StoredImage]
    missing: dict[str, int]
    reused: dict[str, int]
    fetched: Mapping[str, int]
    archive_bytes: int
    image_bytes: tuple[int, ...] = ()
    document_bytes: int = 0

    def pieces_of(self, part_at: str) -> tuple[int, ...]:
        """Return upper estimates of the bytes between two places where a part ends in any case."""
        if part_at == AT_IMAGE:
            return (_TAR_END, *self.image_bytes, self.document_bytes)
        return (self.archive_bytes,)

    @property
    def incomplete(self) -> tuple[PlatformImage, ...]:
        """The images that have to be copied, in list order."""
        return tuple(image for image in self.platform_images if image.key not in self.stored)

    def let_go(self) -> None:
        """Drop the images, once their archive is written; what is counted of them stays."""
        self.platform_images.clear()
        self.stored.clear()

    @property
    def missing_bytes(self) -> int:
        """Bytes to be pulled."""
        return sum(self.missing.values())


def make_plan(
    images: Iterable[ResolvedImage],
    *,
    stored: Callable[[PlatformImage], StoredImage | None],
    is_accepted: Callable[[PlatformImage], bool],
    has_blob: Callable[[Descriptor], bool],
    fetched: Mapping[str, int],
) -> Plan:
    """Compare the wanted images with the cache.

    :param stored: returns a platform image as the cache has it, or ``None`` if it is not whole.
    :param is_accepted: returns whether it was accepted from its repository.
    :param has_blob: returns whether the cache has a blob in the right size.
    :param fetched: bytes of the manifests and configurations that were fetched while resolving, by digest.
    """
    resolved = list(images)
    unique: dict[str, PlatformImage] = {}
    for one in resolved:
        for image in one.children:
            unique.setdefault(image.key, image)
    whole = {image.key: found for image in unique.values() if (found := stored(image)) is not None}
    missing: dict[str, int] = dict(fetched)
    reused: dict[str, int] = {}
    for image in unique.values():
        is_whole = image.key in whole  # so the cache was just found to have all of its blobs
        for blob in _blobs(image, whole.get(image.key)):
            if blob.digest not in missing and blob.digest not in reused:
                (reused if is_whole or has_blob(blob) else missing)[blob.digest] = blob.size
    for one in resolved:
        if one.index is not None and one.digest not in missing:
            reused[one.digest] = len(one.index)
    # An index may be archived twice: as the source has it, and for the children that are saved.
    indexes = {one.digest: 2 * len(one.index) for one in resolved if one.index is not None}
    sizes = {**missing, **reused, **indexes}
    folders = len({image.digest for image in unique.values()})
    entries = len(resolved) + sum(len(one.children) for one in resolved)
    return Plan(
        platform_images=[*unique.values()],
        stored={key: found for key, found in whole.items() if is_accepted(unique[key])},
        missing=missing,
        reused=reused,
        fetched=fetched,
        archive_bytes=_archive_bytes(list(sizes.values()), folders=folders, entries=entries),
        image_bytes=tuple(_image_bytes(resolved, whole)),
        document_bytes=_TAR_END + _ROOT_FILES * _TAR_BLOCK + 2 * _INDEX_ENTRY * entries,
    )


def _blobs(image: PlatformImage, stored: StoredImage | None) -> Iterable[Descriptor]:
    return (stored or image).all_blobs()


def _image_bytes(images: Iterable[ResolvedImage], whole: Mapping[str, StoredImage]) -> Iterator[int]:
    """Yield upper estimates of what each image adds to those before it."""
    seen: set[str] = set()
    for one in images:
        new: dict[str, int] = {}
        for image in one.children:
            if image.folder not in seen:
                new[image.folder] = 3 * _TAR_BLOCK + _INDEX_ENTRY
            new.update({blob.digest: blob.size for blob in _blobs(image, whole.get(image.key))})
        if one.index is not None:
            new[one.digest] = 2 * (len(one.index) + _TAR_BLOCK)
        added = sum(size + 2 * _TAR_BLOCK for name, size in new.items() if name not in seen)
        seen.update(new)
        yield added + added // _STORED_OVERHEAD


def _archive_bytes(sizes: Sequence[int], *, folders: int, entries: int) -> int:
    members = len(sizes) + _MEMBERS_PER_FOLDER * folders + _ROOT_FILES
    padding = _TAR_BLOCK * len(sizes)
    documents = 2 * _TAR_BLOCK * folders + 2 * _INDEX_ENTRY * entries
    total = sum(sizes) + padding + documents + _TAR_BLOCK * members + _TAR_END
    return total + total // _STORED_OVERHEAD
