# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The blobs that bundles leave out: looked for in the registry and in other archives before anything is changed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Callable

from .._base.deadline import not_done_in_time
from .._base.errors import OptionError, Refused
from .._base.parallel import parallel_map
from .._base.stop import Check
from .._oci.descriptor import Descriptor
from .._oci.reference import Repository
from .._registry.pusher import Pusher
from .._source.archive import Archive
from .contents import LoadImage
from .inquiry import CONNECTIONS, TO_DO, Answer
from .lacking import LackingBlob, lacking_blob
from .ledger import BlobLedger
from .naming import Naming
from .projects import Projects


@dataclass(frozen=True)
class Needed:
    """A blob that images need and that their bundles leave out.

    :param images: those that need it.
    :param places: the repositories that they are to be in.
    """

    blob: Descriptor
    images: list[LoadImage] = field(default_factory=list)
    places: dict[Repository, None] = field(default_factory=dict)


def needed_from_base(needs: Iterable[tuple[LoadImage, Iterable[Descriptor]]]) -> dict[str, Needed]:
    """Return the blobs that bundles leave out, by digest.

    :param needs: images, each with all blobs that it needs.
    """
    found: dict[str, Needed] = {}
    for image, blobs in needs:
        requires = image.archive.lock.requires
        for blob in {one.digest: one for one in blobs}.values():
            if blob.digest in requires:
                needed = found.setdefault(blob.digest, Needed(blob))
                needed.images.append(image)
                needed.places[image.target.repository] = None
    return found


class BaseInquiry:
    """Asks the registry for what bundles leave out. Changes nothing.

    :param ledger: records which repositories have what, to be mounted from there.
    :param projects: those that are new, of which nothing is asked.
    :param likely: returns repositories that should have a blob because an image in them names it.
    :param timeout: seconds for the questions about one blob.
    """

    def __init__(
        self,
        registry: Pusher,
        ledger: BlobLedger,
        naming: Naming,
        projects: Projects,
        *,
        likely: Callable[[str], Iterable[Repository]],
        timeout: float,
        check: Check,
    ) -> None:
        self._registry = registry
        self._ledger = ledger
        self._naming = naming
        self._projects = projects
        self._likely = likely
        self._timeout = timeout
        self._check = check

    def lacking(self, answers: Sequence[Answer], archives: Sequence[Archive]) -> tuple[LackingBlob, ...]:
        """Look for all that the images which differ need and that their bundles leave out.

        :returns: what neither the registry nor an archive has.
        :raises TransferError: when the registry does not say.
        :raises Interrupted: when the run was stopped.
        """
        needs = [
            (answer.image, [blob for child in answer.lacking for blob in child.blobs])
            for answer in answers
            if answer.state == TO_DO and answer.error is None
        ]
        needed = [*needed_from_base(needs).values()]
        found = parallel_map(
            lambda one: self._is_there(one, archives),
            needed,
            workers=CONNECTIONS,
            timeout=self._timeout,
            late=_late,
            check=self._check,
        )
        lost = [one for one, is_there in zip(needed, found) if not is_there and not carried_by(archives, one)]
        return tuple(lacking_blob(one.blob, one.images, archives) for one in lost)

    def _is_there(self, needed: Needed, archives: Sequence[Archive]) -> bool:
        """Find a repository that has a blob. It need not be one of those that are to have it."""
        digest = needed.blob.digest
        if all(self._ledger.answer(one, digest) for one in needed.places):
            return True
        return any(self._has(one, digest) for one in self._candidates(needed, archives))

    def _candidates(self, needed: Needed, archives: Sequence[Archive]) -> Iterator[Repository]:
        """Yield the repositories that may have a blob, the most likely ones first."""
        digest = needed.blob.digest
        yield from needed.places
        for requires in (one.lock.requires for one in archives if digest in one.lock.requires):
            for name in requires[digest].repositories:
                with suppress(OptionError):  # its images have no valid name here, so they never came
                    yield self._naming.repository_of(name)
        yield from self._likely(digest)

    def _has(self, repository: Repository, digest: str) -> bool:
        is_there = self._ledger.answer(repository, digest)
        if is_there is None and not self._projects.is_new(repository):
            try:
                is_there = self._registry.has_blob(repository, digest)
            except Refused:
                return False  # a repository of somebody else, as it seems
            self._ledger.note(repository, digest, is_there=is_there)
        return bool(is_there)


def carried_by(archives: Iterable[Archive], needed: Needed) -> bool:
    """Return True if any archive has a blob, as far as that is known without reading it."""
    digest = needed.blob.digest
    return any(one.has(digest) and not _is_missing(one, digest) for one in archives)


def _is_missing(archive: Archive, digest: str) -> bool:
    """Return True if a part that holds a blob is not there. Without offsets nobody knows which one that is."""
    is_known = archive.has_offsets and archive.has_blob(digest)
    return is_known and not {*archive.missing_parts}.isdisjoint(archive.part_of(digest))


def _late(_needed: Needed) -> bool:
    raise not_done_in_time()
