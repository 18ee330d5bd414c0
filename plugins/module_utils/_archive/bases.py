# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The earlier archives that a bundle rests on: what they carried, and which of it counts as arrived. Pure."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from typing import Callable

from .._base.errors import ManifestError
from .._oci.image import hex_of
from .._oci.layout import SHARE
from .._oci.manifest import Manifest, parse_manifest
from .lock import Lock, LockedBase, LockedImage, Requirement
from .output import DIR
from .receipt import Receipt

_MOST_PARTS = 20

ReadDocument = Callable[[str], "bytes | None"]
"""Returns a manifest by its digest; ``None`` if it is not known any more."""


@dataclass(frozen=True)
class BaseArchive:
    """An archive that was carried earlier.

    :param lock_sha256: hex digits of the sha256 of its lock file.
    :param receipts: those that speak of it; none: it is assumed to have arrived.
    """

    name: str
    lock_sha256: str
    lock: Lock
    receipts: tuple[Receipt, ...] = ()

    @property
    def key(self) -> tuple[str, str]:
        """Name and sha256, which tell the archive from any other."""
        return self.name, self.lock_sha256

    @property
    def recorded(self) -> LockedBase:
        """The archive as the lock file of a bundle names it."""
        return LockedBase(self.name, self.lock_sha256, bool(self.receipts))

    def arrived(self) -> tuple[LockedImage, ...]:
        """Return the images that count as arrived.

        Receipts of one registry complete each other. Of several registries, what all have counts.
        """
        if not self.receipts:
            return self.lock.images
        everything = {str(image.reference) for image in self.lock.images}
        by_target: dict[str, set[str]] = {}
        for receipt in self.receipts:
            seen = everything - {*(receipt.lacking or ())} if receipt.loaded is None else {*receipt.loaded}
            by_target.setdefault(receipt.target, set()).update(seen)
        by_telephone = by_target.pop("", set())  # which does not say where
        common = set.intersection(*by_target.values()) if by_target else set()
        return tuple(one for one in self.lock.images if str(one.reference) in common | by_telephone)

    @property
    def is_whole(self) -> bool:
        """True if all of it counts as arrived."""
        return len(self.arrived()) == len(self.lock.images)


def newest_of(archives: Sequence[BaseArchive]) -> tuple[BaseArchive, ...]:
    """Return the archives that no other one rests on: what they name was loaded last."""
    older = {base.lock_sha256 for one in archives for base in one.lock.base}
    return tuple(one for one in archives if one.lock_sha256 not in older)


class Bases:
    """Everything that counts as arrived on the other side.

    :param archives: at least one.
    :param document: reads manifests, which say which image has a layer.
    :param asked: blobs that are carried again although an archive had them.
    """

    def __init__(self, archives: Iterable[BaseArchive], document: ReadDocument, *, asked: Iterable[str] = ()) -> None:
        self.asked = frozenset(asked)
        self.archives = tuple(sorted(archives, key=lambda one: (one.name, one.lock_sha256)))
        self._document = document
        self._named: dict[str, frozenset[str] | None] = {}
        self._required: dict[str, Requirement] = {}
        self._sizes = {one.lock_sha256: self._sizes_in(one) for one in self.archives}
        sizes = {digest: size for found in self._sizes.values() for digest, size in found.items()}
        self.sizes = {digest: size for digest, size in sizes.items() if digest not in self.asked}

    @property
    def recorded(self) -> tuple[LockedBase, ...]:
        """The base as the lock file of a bundle records it."""
        return tuple(one.recorded for one in self.archives)

    @property
    def newest(self) -> tuple[BaseArchive, ...]:
        """The archives that no other one rests on: what they name was loaded last."""
        return newest_of(self.archives)

    def as_lock(self) -> Lock:
        """Return the record of one archive that would have all of it, with the images of the newest."""
        images = {str(image.reference): image for one in self.newest for image in one.arrived()}
        return Lock(options={}, images=tuple(images.values()), blobs=self.sizes)

    def know(self, digest: str, manifest: Manifest) -> None:
        """Take in a manifest that was read already, before anything is asked that needs it."""
        self._named.setdefault(digest, frozenset(blob.digest for blob in manifest.blobs()))

    def requirements(self, digests: Iterable[str]) -> dict[str, Requirement]:
        """Say where blobs that a bundle leaves out can be found on the other side.

        :param digests: all of them in :attr:`sizes`.
        """
        for digest in {*digests} - self._required.keys():
            self._required[digest] = self._requirement(digest)
        return {digest: self._required[digest] for digest in sorted({*digests})}

    def _requirement(self, digest: str) -> Requirement:
        having = [one for one in self.archives if digest in self._sizes[one.lock_sha256]]
        earlier = [one.lock.requires[digest] for one in having if digest in one.lock.requires]
        found = self._repositories.with_blob(digest, having)
        found |= {name for one in earlier for name in one.repositories}
        carriers = sorted((one for one in having if digest in one.lock.blobs), key=lambda one: not one.receipts)
        if carriers:
            first = carriers[0]
            archive, parts = first.name, self._places[first.lock_sha256].parts_with(digest)
        else:
            archive, parts = earlier[0].archive, earlier[0].parts
        return Requirement(self.sizes[digest], tuple(sorted(found)), archive, parts)

    @cached_property
    def _places(self) -> Mapping[str, _Places]:
        return {one.lock_sha256: _Places(one.lock) for one in self.archives}

    @cached_property
    def _repositories(self) -> _Repositories:
        found = _Repositories({}, {})
        for archive in self.archives:
            for image in archive.arrived():
                for platform in image.platforms:
                    found.add(archive, image.reference.name, self._blobs_of(platform.digest))
        return found

    def _sizes_in(self, archive: BaseArchive) -> dict[str, int]:
        """Return the blobs that arrived with an archive, or were there before it."""
        lock = archive.lock
        sizes = {**{digest: one.size for digest, one in lock.requires.items()}, **lock.blobs}
        if archive.is_whole:
            return sizes
        arrived: set[str] = set()
        for image in archive.arrived():
            arrived.update((image.digest, image.entry, image.loaded_digest))
            for platform in image.platforms:
                arrived.update((platform.digest, *(self._blobs_of(platform.digest) or ())))
        return {digest: size for digest, size in sizes.items() if digest in arrived}

    def _blobs_of(self, digest: str) -> frozenset[str] | None:
        """Return the configuration and the layers of a manifest; ``None`` if it is not known any more."""
        if digest not in self._named:
            self._named[digest] = _blobs_in(self._document(digest))
        return self._named[digest]


@dataclass(frozen=True)
class _Repositories:
    """The repositories of images that arrived.

    :param known: by the blobs that their images have, and by archive.
    :param unknown: those with images whose manifests are not known any more, by archive.
    """

    known: dict[tuple[str, str], set[str]]
    unknown: dict[str, set[str]]

    def add(self, archive: BaseArchive, name: str, blobs: frozenset[str] | None) -> None:
        if blobs is None:
            self.unknown.setdefault(archive.lock_sha256, set()).add(name)
        for blob in blobs or ():
            self.known.setdefault((archive.lock_sha256, blob), set()).add(name)

    def with_blob(self, digest: str, having: Sequence[BaseArchive]) -> set[str]:
        """Return the repositories with a blob; where that is not known, all that may have it.

        :param having: the archives that have the blob.
        """
        found: set[str] = set()
        for archive in having:
            found |= self.known.get((archive.lock_sha256, digest), set())
        if not found:
            for archive in having:
                found |= self.unknown.get(archive.lock_sha256, set())
        return found


def _blobs_in(raw: bytes | None) -> frozenset[str] | None:
    if raw is None:
        return None
    try:
        manifest = parse_manifest(raw)
    except ManifestError:
        return None
    return frozenset(blob.digest for blob in manifest.blobs()) if isinstance(manifest, Manifest) else None


class _Places:
    """The parts of an archive, and what may be in each.

    :param lock: of the archive.
    """

    def __init__(self, lock: Lock) -> None:
        self._lock = lock
        self._starts = sorted({offset.position for offset in lock.offsets.values()})
        self._ends = [*accumulate(part.size for part in lock.parts)]

    def parts_with(self, digest: str) -> tuple[str, ...]:
        """Return the names of the parts that a blob may be in; none if the archive has many, and does not say."""
        parts, offset = self._lock.parts, self._lock.offsets.get(digest)
        if self._lock.options.get("compress") == DIR:
            return tuple(part.name for part in parts if part.name == f"{SHARE}/{hex_of(digest)}")
        if offset is None:
            return tuple(part.name for part in parts) if len(parts) <= _MOST_PARTS else ()
        after = bisect_right(self._starts, offset.position)  # a blob ends before the next place where one can start
        first = bisect_right(self._ends, offset.position)
        last = bisect_left(self._ends, self._starts[after]) if after < len(self._starts) else len(parts) - 1
        return tuple(part.name for part in parts[first : last + 1])
