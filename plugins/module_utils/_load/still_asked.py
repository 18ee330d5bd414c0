# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What earlier runs have asked for, and a run leaves open: what images need that it does not load."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Protocol

from .._archive.lock import LockedImage
from .._archive.request import Request
from .._base.errors import ImagesError, Interrupted
from .._oci.image_list import ListedImage, Origin
from .._oci.reference import Reference
from .._source.archive import Archive
from .chain import carrier_of
from .contents import LoadImage, read_content, top_of
from .naming import target_of
from .options import AUTO


class StillOpen(Protocol):
    """The part of earlier requests that stays open."""

    @property
    def is_complete(self) -> bool:
        """True if the run has looked at every image of the archives."""

    def still_asked(self, before: Request) -> Request:
        """Return what an earlier request for one of the archives goes on asking for, which may be nothing."""


class OpenAfterVerifying:
    """What stays open after all parts were read and no registry was asked: the blobs that no archive has.

    :param archives: in the order of their chain.
    """

    is_complete = True

    def __init__(self, archives: Iterable[Archive]) -> None:
        self._archives = {one.lock_sha256: one for one in archives}

    def still_asked(self, before: Request) -> Request:
        has_blob = self._archives[before.lock_sha256].has_blob
        return replace(before, parts=(), digests=tuple(one for one in before.digests if not has_blob(one)))


class OpenAfterLoading:
    """What stays open after a load: what the images need that it left out, as long as no archive has it intact.

    :param archives: in the order of their chain.
    :param asked: references that the run has loaded, or could not read.
    """

    def __init__(self, archives: Sequence[Archive], asked: Collection[Reference]) -> None:
        self._archives = archives
        held = {image.reference: (archive, image) for archive in archives for image in archive.images}
        self._images = [one for reference, one in held.items() if reference not in asked]

    @property
    def is_complete(self) -> bool:
        return not self._images

    def still_asked(self, before: Request) -> Request:
        if not self._images:
            return replace(before, parts=(), digests=())
        try:
            return self._needed_of(before)
        except Interrupted:
            raise
        except ImagesError:
            return before  # it cannot be read now, so nothing of it is known to be there

    @cached_property
    def _needs(self) -> _Needs:
        needs = _Needs({}, {})
        for archive, image in self._images:
            for digest in _digests_of(archive, image):
                carrier = carrier_of(digest, archive, self._archives)
                needs.digests.setdefault(archive.lock_sha256, set()).add(digest)
                needs.parts.setdefault(carrier.lock_sha256, set()).update(_parts_of(digest, carrier))
        return needs

    def _needed_of(self, before: Request) -> Request:
        own = next(one for one in self._archives if one.lock_sha256 == before.lock_sha256)
        names = [part.name for part in own.lock.parts]
        needed = self._needs.parts.get(own.lock_sha256, set())
        wrong = own.wrong_among({names[one] for one in before.parts if one < len(names)} & needed)
        digests = {*before.digests} & self._needs.digests.get(own.lock_sha256, set())
        return replace(
            before,
            parts=tuple(one for one in before.parts if one < len(names) and names[one] in wrong),
            digests=tuple(sorted(one for one in digests if not self._is_carried(one))),
        )

    def _is_carried(self, digest: str) -> bool:
        """Return True if any archive has a blob, in parts that are intact."""
        return any(one.has_blob(digest) and not one.wrong_among(one.part_of(digest)) for one in self._archives)


@dataclass(frozen=True)
class _Needs:
    """The blobs that images need, and the names of the parts that these may be in, by the sha256 of lock files."""

    parts: dict[str, set[str]]
    digests: dict[str, set[str]]


def _digests_of(archive: Archive, locked: LockedImage) -> set[str]:
    """Return everything that an image consists of.

    :raises ImagesError: when its documents cannot be read.
    """
    digest, generated = top_of(archive, locked, index=AUTO)
    listed = ListedImage(1, locked.reference, Origin(archive.path, 1))
    content = read_content(LoadImage(archive, listed, target_of(locked.reference, None), digest, generated))
    found = {digest, *(blob.digest for blob in content.blobs())}
    return found | {child.descriptor.digest for child in content.children}


def _parts_of(digest: str, carrier: Archive) -> tuple[str, ...]:
    return carrier.part_of(digest) if carrier.has_blob(digest) else ()
