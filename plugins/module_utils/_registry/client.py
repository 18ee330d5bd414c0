# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The distribution API: digests, manifests and blobs of repositories, with authentication and retries.

OCI distribution-spec, "Pull".
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Container, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Callable, TypeVar

from .._base.deadline import not_done_in_time, time_left
from .._base.errors import WrongBytes
from .._base.stop import Stop
from .._http.response import Response, number_of
from .._http.status_errors import explain_status
from .._http.trust_store import TrustStore
from .._oci.descriptor import Descriptor, digest_of
from .._oci.image import key_of
from .._oci.limits import MAX_MANIFEST_BYTES, MAX_REFERRERS
from .._oci.media_types import ACCEPTED_TYPES, OCI_INDEX
from .._oci.reference import Repository, is_digest
from .access import Access
from .blob_file import BlobFile, EncodingError
from .credentials import Credentials
from .endpoint import Asked
from .endpoints import Endpoints
from .fetched_manifest import FetchedManifest, checked_manifest
from .referrers import NO_REFERRERS, gather_referrers, gather_tags
from .retry import RetryPolicy, retrying
from .scope import pull

_Result = TypeVar("_Result")
_ANY_STATUS = range(100, 1000)
_ACCEPT = {"Accept": ", ".join(ACCEPTED_TYPES)}


@dataclass
class RequestCount:
    """The number of requests for manifests, whether they succeeded or not."""

    head: int = 0
    get: int = 0
    _mutex: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False, compare=False)

    def add(self, method: str) -> None:
        """Count one, by any thread."""
        with self._mutex:
            self.head += method == "HEAD"
            self.get += method == "GET"


class RegistryClient:
    """Reads from all registries of a run; connections, tokens and counts are shared by its threads.

    :param on_retry: is told of every failure that is tried again.
    :param stop: set when the run is to end.
    """

    def __init__(
        self,
        access: Access,
        credentials: Credentials,
        trust: TrustStore,
        policy: RetryPolicy,
        *,
        read_timeout: float,
        connections: int,
        stop: Stop,
        on_retry: Callable[[str], None],
    ) -> None:
        self.endpoints = Endpoints(access, credentials, trust, read_timeout=read_timeout, connections=connections)
        self._policy = policy
        self._stop = stop
        self._on_retry = on_retry
        self.count = RequestCount()
        self._given: set[str] = set()
        self.outages = self.endpoints.outages

    def head_manifest(self, repository: Repository, tag: str) -> str:
        """Ask for a tag's digest without pulling it; free of pull quotas.

        :returns: the digest, or an empty string where only a GET will tell: the registry gives none, or refuses HEAD,
            as some do whatever there is.
        :raises TransferError: when it cannot be asked, or asks to wait.
        """
        response = self._head(repository, f"manifests/{tag}", what=f"{repository}:{tag}", headers=_ACCEPT)
        digest = response.header("docker-content-digest")
        return digest if response.status == 200 and is_digest(digest) else ""

    def get_manifest(self, repository: Repository, name: str) -> FetchedManifest:
        """Pull a manifest by tag or digest.

        :raises TransferError: also when the bytes are not those that the digest names.
        """
        separator = "@" if is_digest(name) else ":"
        what = f"{repository}{separator}{name}"

        def attempt() -> FetchedManifest:
            url_path = f"/v2/{repository.path}/manifests/{name}"
            response = self._ask_once("GET", repository, url_path, what=what, headers=_ACCEPT)
            return checked_manifest(response, name, what)

        fetched = self._retrying(attempt, what)
        self._given.add(key_of(repository, fetched.digest))
        return fetched

    def has_given(self, repository: Repository, digest: str) -> bool:
        """Return True if a repository has given a manifest in this run."""
        return key_of(repository, digest) in self._given

    def get_blob(self, repository: Repository, descriptor: Descriptor, *, limit: int, of: str = "") -> bytes:
        """Pull a small blob (an image configuration) into memory, and check its digest.

        :param limit: bytes accepted at most.
        :param of: digest of the manifest that names it, which makes no difference here.
        """
        what = f"blob {descriptor.digest} of {repository}"

        def attempt() -> bytes:
            url_path = f"/v2/{repository.path}/blobs/{descriptor.digest}"
            response = self._ask_once("GET", repository, url_path, what=what, headers={}, limit=limit)
            for body in (response.body, response.plain):
                if digest_of(body) == descriptor.digest:
                    return body
            raise WrongBytes(f"{what} came with other bytes than its digest names", heals=True)

        return self._retrying(attempt, what)

    def blob_size(self, repository: Repository, digest: str) -> int:
        """Ask how many bytes a blob has; 0 where the registry does not say."""
        response = self._head(repository, f"blobs/{digest}", what=f"blob {digest} of {repository}", headers={})
        return number_of(response.header("content-length")) or 0 if response.status == 200 else 0

    def gives_blobs(self, repository: Repository) -> bool:
        """Every blob can be asked for."""
        return True

    def lists_referrers(self, repository: Repository) -> bool:
        """Every registry can be asked for what refers to a manifest."""
        return True

    def referrers(self, repository: Repository, digest: str) -> tuple[Descriptor, ...] | None:
        """Ask which manifests refer to one.

        :returns: ``None`` if the registry keeps no such lists.
        :raises TransferError: when the registry does not say.
        """
        what = f"the list of what refers to {repository}@{digest}"

        def page(target: str) -> Response:
            headers = {"Accept": OCI_INDEX}
            return self._ask_once("GET", repository, target, what=what, headers=headers, accepted=(200, *NO_REFERRERS))

        return gather_referrers(
            lambda target: self._retrying(partial(page, target), what), repository, digest, most=MAX_REFERRERS
        )

    def tags(self, repository: Repository) -> frozenset[str] | None:
        """Ask for the tags of a repository that say what they refer to.

        :returns: ``None`` if the registry does not list its tags.
        :raises TransferError: when it cannot be asked.
        """
        what = f"the tags of {repository}"

        def page(target: str) -> Response:
            response = self._ask_once("GET", repository, target, what=what, headers={}, accepted=_ANY_STATUS)
            if response.status == 429 or response.status >= 500:
                raise explain_status(response, host=repository.registry, what=what)
            return response

        return gather_tags(lambda target: self._retrying(partial(page, target), what), repository)

    def has_open_door(self, registry: str) -> bool:
        """Return True if a registry asks for a login, but not at ``/v2/``: skopeo then never logs in."""
        return self.endpoints.of(registry).has_open_door()

    def fetch_blob(
        self, repository: Repository, descriptor: Descriptor, path: str, *, deadline: float = math.inf
    ) -> None:
        """Pull a blob of any size into a new file, and check size and digest; what broke off is resumed.

        :param path: its owner removes it when this raises.
        :param deadline: ``time.monotonic()`` at which it is given up, however it goes on.
        """
        what = f"blob {descriptor.digest} of {repository}"
        url_path = f"/v2/{repository.path}/blobs/{descriptor.digest}"
        endpoint = self.endpoints.of(repository.registry)
        file = BlobFile(descriptor, path, what)

        def check() -> None:
            self._stop.check()
            if time.monotonic() >= deadline:
                raise not_done_in_time()

        def fetch() -> None:
            check()
            self.outages.check(repository.registry)
            left = max(0.001, deadline - time.monotonic())
            asked = Asked("GET", url_path, pull(repository.path), file.request_headers())
            # The time also counts for the token that may have to come first.
            with time_left(left), endpoint.stream(asked, what=what) as (response, pieces):
                file.take(response, pieces, check)

        def attempt() -> None:
            try:
                fetch()
            except EncodingError:
                fetch()  # this time as it is

        self._retrying(attempt, what, deadline)

    def close(self) -> None:
        """Close the idle connections of all registries."""
        self.endpoints.close()

    def _head(self, repository: Repository, name: str, *, what: str, headers: Mapping[str, str]) -> Response:
        """Send HEAD, which is a hint only: any answer is taken, but for one that asks to wait."""

        def attempt() -> Response:
            url_path = f"/v2/{repository.path}/{name}"
            response = self._ask_once("HEAD", repository, url_path, what=what, headers=headers, accepted=_ANY_STATUS)
            if response.status == 429 or (response.status == 503 and response.header("retry-after")):
                raise explain_status(response, host=repository.registry, what=what)
            return response

        return self._retrying(attempt, what)

    def _ask_once(
        self,
        method: str,
        repository: Repository,
        url_path: str,
        *,
        what: str,
        headers: Mapping[str, str],
        limit: int = MAX_MANIFEST_BYTES,
        accepted: Container[int] = (200,),
    ) -> Response:
        if "/manifests/" in url_path:
            self.count.add(method)
        self.outages.check(repository.registry)
        endpoint = self.endpoints.of(repository.registry)
        response = endpoint.read(Asked(method, url_path, pull(repository.path), headers), limit=limit)
        if response.status not in accepted:
            raise explain_status(response, host=repository.registry, what=what)
        return response

    def _retrying(self, attempt: Callable[[], _Result], what: str, deadline: float = math.inf) -> _Result:
        return retrying(
            attempt,
            policy=self._policy,
            stop=self._stop,
            deadline=deadline,
            on_retry=lambda text: self._on_retry(f"{what}: {text}"),
        )
