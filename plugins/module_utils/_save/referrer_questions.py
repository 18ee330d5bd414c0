# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What refers to a manifest, as its registry says: by its lists, by the tags that take their place, and by cosign's.

OCI distribution-spec, "Listing Referrers" and "Referrers Tag Schema"; cosign's tags: SIGNATURE_SPEC.md. A repository is
asked for its tags once, so that tags that are not there cost no request; and a registry that keeps no lists of
referrers is asked for one only once.
"""

from __future__ import annotations

import threading
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import Callable, Generic, TypeVar

from .._base.errors import ManifestError, Missing, Refused
from .._oci.descriptor import Descriptor
from .._oci.manifest import Index, parse_manifest
from .._oci.reference import Repository
from .._oci.referrer import cosign_tags, list_tag
from .questions import Client

_Key = TypeVar("_Key", bound=Hashable)
_Answer = TypeVar("_Answer")


@dataclass(frozen=True, order=True)
class Found:
    """A manifest or index that refers to another one.

    :param tag: of cosign, that names it and says so; empty: the registry lists it, and its ``subject`` has to say so.
    :param subject: the digest that it refers to.
    """

    tag: str
    digest: str
    subject: str


@dataclass(frozen=True)
class Referring:
    """The answer about one manifest.

    :param found: sorted, those with tags last, each once.
    :param notes: sentences on what could not be asked for.
    """

    found: tuple[Found, ...]
    notes: tuple[str, ...] = ()


class ReferrerQuestions:
    """The questions of a run; each is asked once, whichever thread is first.

    :param client: asks registries.
    """

    def __init__(self, client: Client) -> None:
        self._client = client
        self._about = _Once(self._ask)
        self._tags = _Once(client.tags)
        self._lists = _Lists(client)

    def about(self, repository: Repository, subject: str) -> Referring:
        """Ask what refers to a manifest.

        :param subject: its digest.
        :raises TransferError: when the registry does not say.
        """
        return self._about((repository, subject))

    def _ask(self, asked: tuple[Repository, str]) -> Referring:
        repository, subject = asked
        tags = self._tags(repository)
        tagged = {Found(tag, digest, subject) for tag, digest in self._cosign(repository, subject, tags)}
        notes: list[str] = []
        listed: tuple[Descriptor, ...] | None = None
        try:
            listed = self._lists.of(repository, subject)
        except Refused:
            notes.append(f"{repository.registry} refuses to list what refers to it, so that only tags were asked for")
        under_tag: Sequence[Descriptor] | None = ()
        if listed is None if tags is None else list_tag(subject) in tags:
            under_tag = self._under_tag(repository, subject)
        if under_tag is None:
            notes.append(f"{list_tag(subject)} does not name a list of what refers to it, and so was not read")
        named = {one.digest for one in (*(listed or ()), *(under_tag or ()))}
        untagged = {Found("", digest, subject) for digest in named - {one.digest for one in tagged}}
        return Referring(tuple(sorted({*tagged, *untagged})), tuple(notes))

    def _cosign(self, repository: Repository, subject: str, tags: frozenset[str] | None) -> Iterator[tuple[str, str]]:
        """Yield the tags of cosign that there are, with the digests that they name."""
        for tag in cosign_tags(subject):
            if tags is not None and tag not in tags:
                continue
            digest = self._client.head_manifest(repository, tag) if tags is not None else ""
            try:
                yield tag, digest or self._client.get_manifest(repository, tag).digest
            except Missing:
                continue

    def _under_tag(self, repository: Repository, subject: str) -> Sequence[Descriptor] | None:
        """Return the entries of the list under the tag that is for registries that keep none themselves.

        :returns: ``None`` if something else is there.
        """
        try:
            content = parse_manifest(self._client.get_manifest(repository, list_tag(subject)).raw)
        except Missing:
            return ()
        except ManifestError:
            return None
        return content.manifests if isinstance(content, Index) else None


class _Lists:
    """The lists that registries keep themselves. Whether one keeps any is known from its first answer."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._mutex = threading.Lock()
        self._first: dict[str, threading.Lock] = {}
        self._are_kept: dict[str, bool] = {}

    def of(self, repository: Repository, subject: str) -> tuple[Descriptor, ...] | None:
        """Return the list of what refers to a manifest; ``None`` if the registry keeps none.

        :raises TransferError: when the registry does not say.
        """
        registry = repository.registry
        if not self._client.lists_referrers(repository):
            return None
        with self._mutex:
            first = self._first.setdefault(registry, threading.Lock())
        with first:
            if registry not in self._are_kept:
                listed = self._client.referrers(repository, subject)
                self._are_kept[registry] = listed is not None
                return listed
        return self._client.referrers(repository, subject) if self._are_kept[registry] else None


class _Once(Generic[_Key, _Answer]):
    """Asks each question once; other threads wait for the answer. A question that failed is asked again."""

    def __init__(self, ask: Callable[[_Key], _Answer]) -> None:
        self._ask = ask
        self._mutex = threading.Lock()
        self._asking: dict[_Key, threading.Lock] = {}
        self._answers: dict[_Key, _Answer] = {}

    def __call__(self, key: _Key) -> _Answer:
        with self._mutex:
            asking = self._asking.setdefault(key, threading.Lock())
        with asking:
            if key not in self._answers:
                self._answers[key] = self._ask(key)
            return self._answers[key]
