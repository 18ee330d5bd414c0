# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Manifests and configurations by way of skopeo, for registries that have mirrors, other locations or blocks.

It is asked for a manifest or a configuration, one process each (``skopeo inspect --raw``), and what it gives is checked
against its digest. It has no HEAD, so that a tag costs a manifest, and says nothing of a blob by itself.
"""

from __future__ import annotations

import math
import threading
import time
from typing import Callable, TypeVar

from .._base.deadline import at_most
from .._base.errors import ManifestError, Missing, WrongBytes
from .._base.stop import Stop
from .._http.proxy_login import ProxyLogins
from .._oci.descriptor import Descriptor, digest_of
from .._oci.limits import MAX_MANIFEST_BYTES
from .._oci.reference import Repository, is_digest
from .._oci.schema1 import manifest_digest
from .._registry.fetched_manifest import FetchedManifest
from .._registry.outage import Outages
from .._registry.retry import RetryPolicy, retrying
from .skopeo import Skopeo

_Result = TypeVar("_Result")


class Inspector:
    """The same questions as our own client answers, with the same errors. Each thread has one process at a time.

    :param policy: of retries.
    :param outages: what is known of registries that are out of reach.
    :param stop: set when the run is to end.
    :param on_ask: is told of each question for a manifest.
    :param on_retry: is told of every failure that is tried again.
    :param log_in: gives skopeo what it needs to be let in; called once, before the first question.
    :param logins: where a proxy wants a login, for the ways to registries; none where no proxy does.
    """

    def __init__(
        self,
        skopeo: Skopeo,
        policy: RetryPolicy,
        outages: Outages,
        *,
        stop: Stop,
        on_ask: Callable[[], None],
        on_retry: Callable[[str], None],
        log_in: Callable[[], None],
        logins: ProxyLogins | None = None,
    ) -> None:
        self._skopeo = skopeo
        self._policy = policy
        self._stop = stop
        self._on_ask = on_ask
        self._on_retry = on_retry
        self._log_in = log_in
        self._logins = logins
        self._mutex = threading.Lock()
        self._is_ready = False
        self._tags: dict[tuple[Repository, str], str] = {}
        self.outages = outages

    def head_manifest(self, repository: Repository, tag: str) -> str:
        """Return an empty string: skopeo has no HEAD, so the manifest itself is needed."""
        return ""

    def get_manifest(self, repository: Repository, name: str) -> FetchedManifest:
        """Ask for a manifest by tag or digest; its media type is for itself to say.

        :raises TransferError: also when the bytes are not those that the digest names.
        """
        what = _named(repository, name)

        def attempt() -> FetchedManifest:
            self._on_ask()
            raw = self._skopeo.manifest(repository, _suffix(name), limit=MAX_MANIFEST_BYTES, deadline=_deadline())
            digest = manifest_digest(raw)
            if is_digest(name) and digest != name:
                raise WrongBytes(f"{what} came with other bytes than its digest names", heals=True)
            return FetchedManifest(raw, digest, "")

        fetched = self._ask(repository, what, attempt)
        if not is_digest(name):
            with self._mutex:
                self._tags[repository, fetched.digest] = name
        return fetched

    def get_blob(self, repository: Repository, descriptor: Descriptor, *, limit: int, of: str = "") -> bytes:
        """Ask for a configuration, by its manifest's digest; by its tag where the registry has it by that alone.

        :param limit: bytes accepted at most.
        :param of: digest of the manifest that names it.
        """
        try:
            return self._configuration(repository, of, descriptor, limit)
        except Missing:
            with self._mutex:
                tag = self._tags.get((repository, of))
            if tag is None:
                raise
            return self._configuration(repository, tag, descriptor, limit)

    def blob_size(self, repository: Repository, digest: str) -> int:
        """Return 0: only schema 1 needs it, and skopeo knows it only once it has the layers."""
        return 0

    def gives_blobs(self, repository: Repository) -> bool:
        """Return False: skopeo gives manifests and configurations only."""
        return False

    def lists_referrers(self, repository: Repository) -> bool:
        """Return False: skopeo knows no lists of referrers."""
        return False

    def referrers(self, repository: Repository, digest: str) -> tuple[Descriptor, ...] | None:
        """Return ``None``: skopeo knows no lists of referrers."""
        return None

    def tags(self, repository: Repository) -> frozenset[str] | None:
        """Return ``None``: skopeo lists no tags of mirrors, so that each tag has to be asked for."""
        return None

    def _configuration(self, repository: Repository, name: str, descriptor: Descriptor, limit: int) -> bytes:
        what = f"the configuration of {_named(repository, name)}"

        def attempt() -> bytes:
            raw = self._skopeo.configuration(repository, _suffix(name), limit=limit, deadline=_deadline())
            if digest_of(raw) != descriptor.digest:
                raise WrongBytes(f"{what} came with other bytes than its digest names", heals=True)
            return raw

        return self._ask(repository, what, attempt)

    def _ask(self, repository: Repository, what: str, question: Callable[[], _Result]) -> _Result:
        self._get_ready()

        def attempt() -> _Result:
            self.outages.check(repository.registry)
            try:
                answer = question() if self._logins is None else self._logins.of(repository.registry).through(question)
            except (Missing, ManifestError):
                self.outages.answered(repository.registry)
                raise
            self.outages.answered(repository.registry)
            return answer

        return retrying(
            attempt,
            policy=self._policy,
            stop=self._stop,
            deadline=_deadline(),
            on_retry=lambda text: self._on_retry(f"{what}: {text}"),
        )

    def _get_ready(self) -> None:
        with self._mutex:
            if not self._is_ready:
                self._skopeo.check()
                self._log_in()
                self._is_ready = True


def _deadline() -> float:
    """The ``time.monotonic()`` at which this thread has to be done."""
    return time.monotonic() + at_most(math.inf)


def _suffix(name: str) -> str:
    return f"@{name}" if is_digest(name) else f":{name}"


def _named(repository: Repository, name: str) -> str:
    return f"{repository}{_suffix(name)}"
