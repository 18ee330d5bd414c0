# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Lists of referrers in the target registry, and the order in which what refers to something else is loaded.

Registries that keep such lists themselves say so when a referrer is pushed (OCI-Subject). In others, the list is an
index under a tag, which everybody who pushes a referrer has to renew.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Iterator, Sequence

from .._base.errors import ManifestError, TransferError
from .._oci.descriptor import Descriptor
from .._oci.media_types import OCI_INDEX
from .._oci.reference import Repository
from .._oci.referrer import list_of_referrers, list_tag, referrer_entry, subject_of_tag, with_referrers
from .._registry.fetched_manifest import FetchedManifest
from .._registry.pusher import Pusher
from .._registry.refusals import Faulty
from .inquiry import Answer

_MOST_TRIES = 5


class Referrers:
    """The lists that are kept under tags. Each has one writer at a time in this run; other runs may write as well.

    :param may_replace: whether a list that the registry cannot read any more is written anew.
    """

    def __init__(self, registry: Pusher, *, may_replace: bool) -> None:
        self._registry = registry
        self._may_replace = may_replace
        self._mutex = threading.Lock()
        self._writing: defaultdict[tuple[Repository, str], threading.Lock] = defaultdict(threading.Lock)

    def enter(self, repository: Repository, subject: str, raw: bytes, descriptor: Descriptor) -> bool:
        """Enter a manifest into the list of its subject's referrers.

        :param raw: the manifest.
        :param descriptor: of the manifest.
        :returns: whether the list is different now.
        :raises TransferError: when the registry does not take the list, or others overwrite it again and again.
        """
        return self.merge(repository, subject, list_of_referrers([referrer_entry(raw, descriptor)]))

    def merge(self, repository: Repository, subject: str, entries: bytes) -> bool:
        """Bring the entries of a list into the one in the registry. If there is none, the given one is put there.

        :returns: whether the list is different now.
        :raises TransferError: when the registry does not take the list, or others overwrite it again and again.
        """
        with self._mutex:
            writing = self._writing[repository, subject]
        with writing:
            for count in range(_MOST_TRIES):
                present = self._present(repository, subject)
                raw = entries if present is None else _merged(present.raw, entries, repository, subject)
                if present is not None and raw == present.raw:
                    return count > 0
                self._registry.put_manifest(repository, list_tag(subject), raw, OCI_INDEX)
        raise TransferError(
            f"the list of what refers to {subject} in {repository} was overwritten {_MOST_TRIES} times by others. Run "
            "again when no other load goes on",
            heals=False,
        )

    def _present(self, repository: Repository, subject: str) -> FetchedManifest | None:
        try:
            return self._registry.fallback_referrers(repository, subject)
        except Faulty:
            if not self._may_replace:
                raise
            return None


def _merged(present: bytes, entries: bytes, repository: Repository, subject: str) -> bytes:
    try:
        return with_referrers(present, entries)
    except ManifestError as error:
        raise TransferError(f"{repository}:{list_tag(subject)}: {error}", heals=False) from error


def waves(answers: Sequence[Answer]) -> Iterator[list[Answer]]:
    """Yield images in groups: first those that refer to nothing that is to be pushed, then those that refer to them."""
    makers: dict[tuple[Repository, str], int] = {}
    for number, answer in enumerate(answers):
        for digest in _digests_of(answer):
            makers.setdefault((answer.image.target.repository, digest), number)
    subjects = [
        {
            makers[key]
            for subject in _subjects_of(answer)
            if (key := (answer.image.target.repository, subject)) in makers and makers[key] != number
        }
        for number, answer in enumerate(answers)
    ]
    left = [*range(len(answers))]
    while left:
        waiting = {*left}
        # Names can be made to refer to each other in a circle; then the order does not matter.
        ready = [number for number in left if not subjects[number] & waiting] or left
        yield [answers[number] for number in ready]
        left = [number for number in left if number not in {*ready}]


def _digests_of(answer: Answer) -> Iterator[str]:
    yield answer.image.digest
    if answer.content is not None:
        for child in answer.content.children:
            yield child.descriptor.digest


def _subjects_of(answer: Answer) -> Iterator[str]:
    tagged = subject_of_tag(answer.image.target.tag)
    if tagged:
        yield tagged
    if answer.content is not None:
        yield from answer.content.subjects
