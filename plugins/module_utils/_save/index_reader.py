# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads the children of an index that are to be saved."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Callable

from .._base.errors import ManifestError, TransferError
from .._host.log import Log
from .._oci.descriptor import Descriptor
from .._oci.extras import is_extra, may_be_left_out, notes_on
from .._oci.image import PlatformImage
from .._oci.manifest import Index
from .._oci.platform import Platform
from .choose import choose, choose_pinned, identity
from .image_reader import ImageReader
from .image_set import RequestedImage
from .options import Selection

_MAX_BLOBS = 20_000
_MAX_UNNAMED = 50  # each costs two requests and memory before anything is known about the image


@dataclass(frozen=True)
class Children:
    """The children of an index that are to be saved.

    :param images: an image for each manifest and platform; empty if no platform of the index is wanted.
    :param is_whole: whether these are all entries of the index.
    :param platforms: the platforms that the index has.
    :param notes: attestations, signatures and artefacts that cannot be had, in words.
    """

    images: tuple[PlatformImage, ...]
    is_whole: bool
    platforms: tuple[Platform, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Reading:
    """An index while its manifests are read.

    :param pinned: digests of the manifests that must not be left out.
    :ivar lacking: why an attestation, signature or artefact cannot be had, by its digest; grows.
    """

    image: RequestedImage
    entries: Sequence[Descriptor]
    pinned: frozenset[str]
    lacking: dict[str, TransferError | ManifestError] = field(default_factory=dict)


class IndexReader:
    """Reads the manifests that an index names.

    :param images: reads each of them.
    :param selection: the platforms that are wanted.
    """

    def __init__(self, images: ImageReader, selection: Selection, log: Log) -> None:
        self._images = images
        self._selection = selection
        self._log = log

    def children(self, image: RequestedImage, index: Index) -> Children:
        """Choose the children to save, and read them.

        :raises TransferError: when a registry does not give an image.
        :raises ManifestError: when an image cannot be saved, or the index has too many.
        """
        unnamed = sum(1 for entry in index.manifests if entry.platform is None)
        if unnamed > _MAX_UNNAMED:
            raise ManifestError(f"its index has {unnamed} entries without platform, more than {_MAX_UNNAMED}")
        pin = image.pin
        reading = _Reading(image, index.manifests, frozenset() if pin is None else pin.platforms)
        # Where an entry names no platform, its configuration may.
        looked = {e.digest: self._child_unless_lacking(reading, e) for e in index.manifests if e.platform is None}
        entries = [_described(entry, looked.get(entry.digest)) for entry in index.manifests]
        present = [entry for entry in entries if entry.digest not in reading.lacking]
        chosen = self._chosen(image, present)
        platforms = tuple(entry.platform for entry in entries if entry.platform is not None)
        if not chosen and reading.lacking:
            raise next(iter(reading.lacking.values()))
        if not chosen:
            return Children((), False, platforms)
        images = self._read(reading, chosen, looked)
        is_whole = {identity(child.descriptor) for child in images} == {identity(entry) for entry in entries}
        return Children(tuple(images), is_whole, platforms, tuple(notes_on(reading.lacking, entries)))

    def _chosen(self, image: RequestedImage, entries: Sequence[Descriptor]) -> list[Descriptor]:
        """Choose the entries of an index to save: of one that refers to an image all, whatever platforms it names."""
        pin = image.pin
        if image.listed.refers_to:
            return [entry for entry in entries if pin is None or entry.digest in pin.platforms]
        return choose(entries, self._selection) if pin is None else choose_pinned(entries, self._selection, pin)

    def _read(
        self, reading: _Reading, chosen: Sequence[Descriptor], looked: dict[str, PlatformImage | None]
    ) -> list[PlatformImage]:
        """Return an image for each manifest and platform, each manifest read once; no more than a run can handle.

        :param looked: those that were read already, by digest.
        """
        read: dict[str, PlatformImage] = {}
        blobs = 0
        for entry in chosen:
            if entry.digest in read or entry.digest in reading.lacking:
                continue
            image = self._carried_unless_lacking(reading, entry, looked.get(entry.digest))
            if image is None:
                continue
            read[entry.digest] = image
            blobs += len(image.blobs)
            if blobs > _MAX_BLOBS:
                raise ManifestError(f"the images of its index have more than {_MAX_BLOBS} layers, which is refused")
        if reading.lacking and all(is_extra(image.descriptor, reading.entries) for image in read.values()):
            raise next(iter(reading.lacking.values()))  # with nothing else there, an extra is what is wanted
        # Of entries for one manifest and one platform, which a lock file does not tell apart, the last counts.
        there = [_described(entry, read[entry.digest]) for entry in chosen if entry.digest in read]
        return [_with_descriptor(read[one.digest], one) for one in {identity(one): one for one in there}.values()]

    def _child_unless_lacking(self, reading: _Reading, entry: Descriptor) -> PlatformImage | None:
        """Read a manifest of an index; record an extra that cannot be had."""
        return self._unless_lacking(reading, entry, lambda: self._child(reading, entry))

    def _child(self, reading: _Reading, entry: Descriptor) -> PlatformImage:
        image = self._images.child(reading.image.repository, entry)
        return replace(image, is_referrer=True) if reading.image.listed.refers_to else image

    def _carried_unless_lacking(
        self, reading: _Reading, entry: Descriptor, read: PlatformImage | None
    ) -> PlatformImage | None:
        """Read a manifest that is chosen, and so has to be copied; record an extra that cannot be had.

        :param read: the image, where it was read before.
        """

        def get() -> PlatformImage:
            image = read or self._child(reading, entry)
            self._images.ensure_carried(image)
            if is_extra(entry, reading.entries):
                self._images.have_small_blobs(image)
            return image

        return self._unless_lacking(reading, entry, get)

    def _unless_lacking(
        self, reading: _Reading, entry: Descriptor, get: Callable[[], PlatformImage]
    ) -> PlatformImage | None:
        try:
            return get()
        except (TransferError, ManifestError) as error:
            is_wanted = entry.digest in reading.pinned or not is_extra(entry, reading.entries)
            if is_wanted or not may_be_left_out(error):
                raise
            self._log.warning(f"left out: {error}")
            reading.lacking[entry.digest] = error
            return None


def _described(entry: Descriptor, image: PlatformImage | None) -> Descriptor:
    """Return an entry with what its manifest and configuration say of it, where they were read."""
    if image is None:
        return entry
    read = image.descriptor
    platform = entry.platform or read.platform
    if (entry.media_type, entry.size, entry.platform) == (read.media_type, read.size, platform):
        return entry
    return replace(entry, media_type=read.media_type, size=read.size, platform=platform)


def _with_descriptor(image: PlatformImage, descriptor: Descriptor) -> PlatformImage:
    return image if image.descriptor is descriptor else replace(image, descriptor=descriptor)
