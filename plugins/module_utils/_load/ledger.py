# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The blobs of the target registry: each is sent at most once in a run, and mounted wherever else it is needed."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Callable, Protocol

from .._base.stop import LOOK_SECONDS, Check
from .._oci.descriptor import Descriptor
from .._oci.reference import Repository

PRESENT, MOUNTED, PUSHED = "present", "mounted", "pushed"
WAYS = (PRESENT, MOUNTED, PUSHED)
"""How a blob came to be in a repository."""


class Carrier(Protocol):
    """The requests that bring a blob into a repository."""

    def is_there(self, repository: Repository, blob: Descriptor) -> bool:
        """Ask whether a repository has a blob."""

    def mount(self, repository: Repository, blob: Descriptor, home: Repository) -> bool:
        """Mount a blob from another repository; where the registry does not, send it.

        :returns: whether it was mounted.
        """

    def send(self, repository: Repository, blob: Descriptor) -> None:
        """Send a blob."""


@dataclass(frozen=True)
class Moved:
    """The blobs that a run brought into the registry, or found there, and their bytes."""

    blobs: dict[str, int]
    bytes: dict[str, int]


def nothing_moved() -> Moved:
    """Return what a run has moved that did nothing."""
    return Moved(dict.fromkeys(WAYS, 0), dict.fromkeys(WAYS, 0))


class BlobLedger:
    """Knows which repositories have which blobs, for all threads of a run.

    A blob that one thread is bringing into a repository is waited for by the others, which can then mount it.

    :param other_homes: returns repositories that should have a blob because an image in them has it.
    :param check: called while something is waited for; raises when the run is to end.
    """

    def __init__(self, carrier: Carrier, other_homes: Callable[[str], Iterable[Repository]], check: Check) -> None:
        self._carrier = carrier
        self._other_homes = other_homes
        self._check = check
        self._changed = threading.Condition()
        self._homes: dict[str, list[Repository]] = {}
        self._lacking: set[tuple[Repository, str]] = set()
        self._busy: set[str] = set()
        self._counted: set[tuple[Repository, str]] = set()
        self._count = dict.fromkeys(WAYS, 0)
        self._bytes = dict.fromkeys(WAYS, 0)

    @property
    def moved(self) -> Moved:
        """The blobs that were moved so far."""
        with self._changed:
            return Moved(dict(self._count), dict(self._bytes))

    def note(self, repository: Repository, digest: str, *, is_there: bool) -> None:
        """Record an answer of the registry, so that it is not asked again."""
        with self._changed:
            if is_there:
                self._add_home(repository, digest)
            else:
                self._lacking.add((repository, digest))

    def answer(self, repository: Repository, digest: str) -> bool | None:
        """Return whether a repository has a blob; ``None`` if that is not known."""
        with self._changed:
            if repository in self._homes.get(digest, ()):
                return True
            return False if (repository, digest) in self._lacking else None

    def way_of(self, repository: Repository, digest: str) -> str:
        """Foresee how a blob would come into a repository, by what is known now."""
        if self.answer(repository, digest):
            return PRESENT
        return PUSHED if self._home_of(repository, digest) is None else MOUNTED

    def bring(self, repository: Repository, blob: Descriptor) -> None:
        """Make sure that a repository has a blob.

        :raises TransferError: when that is not possible.
        :raises Interrupted: when the run was stopped while waiting.
        """
        if not self._claim(repository, blob.digest):
            self._record(repository, blob, PRESENT)
            return
        try:
            self._record(repository, blob, self._bring(repository, blob))
        finally:
            with self._changed:
                self._busy.discard(blob.digest)
                self._changed.notify_all()

    def forget(self, repository: Repository, digests: Iterable[str]) -> None:
        """Forget what was known of some blobs in a repository, because the registry says otherwise."""
        with self._changed:
            for digest in digests:
                self._lacking.discard((repository, digest))
                homes = self._homes.get(digest, [])
                if repository in homes:
                    homes.remove(repository)

    def _claim(self, repository: Repository, digest: str) -> bool:
        """Wait until no other thread works on a blob. Return False if the repository has it by then."""
        with self._changed:
            while True:
                if repository in self._homes.get(digest, ()):
                    return False
                if digest not in self._busy:
                    self._busy.add(digest)
                    return True
                self._check()
                self._changed.wait(LOOK_SECONDS)

    def _bring(self, repository: Repository, blob: Descriptor) -> str:
        if self.answer(repository, blob.digest) is None and self._carrier.is_there(repository, blob):
            return PRESENT
        home = self._home_of(repository, blob.digest)
        if home is not None:
            return MOUNTED if self._carrier.mount(repository, blob, home) else PUSHED
        self._carrier.send(repository, blob)
        return PUSHED

    def _home_of(self, repository: Repository, digest: str) -> Repository | None:
        """Return another repository that a blob can be mounted from; best one that surely has it."""
        with self._changed:
            homes = list(self._homes.get(digest, ()))
        likely = (one for one in self._other_homes(digest) if self.answer(one, digest) is not False)
        return next((one for one in (*homes, *likely) if one != repository), None)

    def _record(self, repository: Repository, blob: Descriptor, way: str) -> None:
        """Record that a repository has a blob. What was brought is not counted as present as well."""
        with self._changed:
            self._add_home(repository, blob.digest)
            if way == PRESENT and (repository, blob.digest) in self._counted:
                return
            self._counted.add((repository, blob.digest))
            self._count[way] += 1
            self._bytes[way] += blob.size

    def _add_home(self, repository: Repository, digest: str) -> None:
        homes = self._homes.setdefault(digest, [])
        if repository not in homes:
            homes.append(repository)
        self._lacking.discard((repository, digest))
