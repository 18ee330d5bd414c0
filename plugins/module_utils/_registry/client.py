# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The distribution API as far as it is needed: digests, manifests and blobs of repositories, with authentication and
retries (OCI distribution-spec, "Pull")."""

from __future__ import annotations

import math
import re
import threading
import time
from collections.abc import Container, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Callable, TypeVar

from .._base.deadline import time_left
from .._base.errors import TransferError, WrongBytes
from .._base.stop import Stop
from .._http.client import Http
from .._http.idle_connections import IdleConnections
from .._http.proxy_login import ProxyLogins
from .._http.response import Response, number_of, origin_of
from .._http.status_errors import explain_status
from .._http.trust_store import TrustStore
from .._oci.descriptor import Descriptor, digest_of
from .._oci.limits import MAX_MANIFEST_BYTES
from .._oci.media_types import ACCEPTED_TYPES
from .._oci.reference import DOCKER_HUB, Repository, is_digest
from .._oci.schema1 import manifest_digest
from .access import Access
from .auth import Authenticator
from .blob_file import BlobFile, EncodingError
from .credentials import Credentials
from .outage import Outages
from .retry import RetryPolicy, retrying

_Result = TypeVar("_Result")
_DOCKER_HUB_HOST = "registry-1.docker.io"
_ANY_STATUS = range(100, 1000)
_OF_REPOSITORY = re.compile(r"https?://[^/]+/v2/([^?]+)/(?:manifests|blobs)/[^/]+$")
_ACCEPT = {"Accept": ", ".join(ACCEPTED_TYPES)}


@dataclass
class RequestCount:
    """How many requests for manifests were answered or refused."""

    head: int = 0
    get: int = 0
    _mutex: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False, compare=False)

    def add(self, method: str) -> None:
        """Count one, by any thread."""
        with self._mutex:
            self.head += method == "HEAD"
            self.get += method == "GET"


@dataclass(frozen=True)
class FetchedManifest:
    """A manifest as it came: its bytes, the digest that is its name, and its Content-Type."""

    raw: bytes
    digest: str
    media_type: str


class Registries:
    """All registries of a run; connections, tokens and counts are shared by its threads.

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
        self._schemes = ("https",) if access.validate_certs else ("https", "http")
        self._credentials = credentials
        self._trust = trust
        self._policy = policy
        self._read_timeout = read_timeout
        self._connections = connections
        self._stop = stop
        self._on_retry = on_retry
        self._mutex = threading.Lock()
        self._endpoints: dict[str, _Endpoint] = {}
        self.count = RequestCount()
        self.outages = Outages()
        self._logins = ProxyLogins()
        self._idle = IdleConnections(2 * connections)

    def head_manifest(self, repository: Repository, tag: str) -> str:
        """Ask for a tag's digest without pulling it; free of pull quotas.

        :returns: the digest, or an empty string where only a GET will tell: the registry gives none, or refuses HEAD,
            as some do whatever there is.
        :raises TransferError: when it cannot be asked, or asks to wait.
        """
        answer = self._head(repository, f"manifests/{tag}", what=f"{repository}:{tag}", headers=_ACCEPT)
        digest = answer.header("docker-content-digest")
        return digest if answer.status == 200 and is_digest(digest) else ""

    def get_manifest(self, repository: Repository, name: str) -> FetchedManifest:
        """Pull a manifest by tag or digest.

        :raises TransferError: also when the bytes are not those that the digest names.
        """
        separator = "@" if is_digest(name) else ":"
        what = f"{repository}{separator}{name}"

        def attempt() -> FetchedManifest:
            answer = self._ask_once("GET", repository, f"/v2/{repository.path}/manifests/{name}", what, _ACCEPT)
            return _checked_manifest(answer, name, what)

        return self._retrying(attempt, what)

    def get_blob(self, repository: Repository, descriptor: Descriptor, *, limit: int, of: str = "") -> bytes:
        """Pull a small blob (an image configuration) into memory, and check its digest.

        :param limit: bytes accepted at most.
        :param of: digest of the manifest that names it, which makes no difference here.
        """
        what = f"blob {descriptor.digest} of {repository}"

        def attempt() -> bytes:
            url_path = f"/v2/{repository.path}/blobs/{descriptor.digest}"
            answer = self._ask_once("GET", repository, url_path, what, {}, limit=limit)
            for body in (answer.body, answer.plain):
                if digest_of(body) == descriptor.digest:
                    return body
            raise WrongBytes(f"{what} came with other bytes than its digest names", heals=True)

        return self._retrying(attempt, what)

    def blob_size(self, repository: Repository, digest: str) -> int:
        """Ask how many bytes a blob has; 0 where the registry does not say."""
        answer = self._head(repository, f"blobs/{digest}", what=f"blob {digest} of {repository}", headers={})
        return number_of(answer.header("content-length")) or 0 if answer.status == 200 else 0

    def gives_blobs(self, repository: Repository) -> bool:
        """Every blob can be asked for."""
        return True

    def has_open_door(self, registry: str) -> bool:
        """Whether a registry has asked for a login, but does not at ``/v2/``, which skopeo takes for all of it."""
        return self._endpoint(registry).has_open_door()

    def fetch_blob(
        self, repository: Repository, descriptor: Descriptor, path: str, *, deadline: float = math.inf
    ) -> None:
        """Pull a blob of any size into a new file, and check size and digest; what broke off is resumed.

        :param path: its owner removes it when this raises.
        :param deadline: ``time.monotonic()`` at which it is given up, however it goes on.
        """
        what = f"blob {descriptor.digest} of {repository}"
        url_path = f"/v2/{repository.path}/blobs/{descriptor.digest}"
        endpoint = self._endpoint(repository.registry)
        file = BlobFile(descriptor, path, what)

        def check() -> None:
            self._stop.check()
            if time.monotonic() >= deadline:
                raise TransferError(
                    "it was not done within timeout; run again, or raise timeout", heals=False, is_final=True
                )

        def fetch() -> None:
            check()
            self.outages.check(repository.registry)
            left = max(0.001, deadline - time.monotonic())
            headers = file.request_headers()
            # The time also counts for the token that may have to come first.
            with time_left(left), endpoint.stream(repository.path, url_path, headers, what) as (answer, chunks):
                file.take(answer, chunks, check)

        def attempt() -> None:
            try:
                fetch()
            except EncodingError:
                fetch()  # this time as it is

        self._retrying(attempt, what, deadline)

    def close(self) -> None:
        for endpoint in self._endpoints.values():
            endpoint.http.close()

    def _head(self, repository: Repository, name: str, *, what: str, headers: Mapping[str, str]) -> Response:
        """Send HEAD, which is a hint only: any answer is taken, but for one that asks to wait."""

        def attempt() -> Response:
            url_path = f"/v2/{repository.path}/{name}"
            answer = self._ask_once("HEAD", repository, url_path, what, headers, accepted=_ANY_STATUS)
            if answer.status == 429 or (answer.status == 503 and answer.header("retry-after")):
                raise explain_status(answer, host=repository.registry, what=what)
            return answer

        return self._retrying(attempt, what)

    def _ask_once(
        self,
        method: str,
        repository: Repository,
        url_path: str,
        what: str,
        headers: Mapping[str, str],
        limit: int = MAX_MANIFEST_BYTES,
        accepted: Container[int] = (200,),
    ) -> Response:
        if "/manifests/" in url_path:
            self.count.add(method)
        self.outages.check(repository.registry)
        endpoint = self._endpoint(repository.registry)
        answer = endpoint.ask(method, repository.path, url_path, headers, limit)
        if answer.status not in accepted:
            raise explain_status(answer, host=repository.registry, what=what)
        return answer

    def _retrying(self, attempt: Callable[[], _Result], what: str, deadline: float = math.inf) -> _Result:
        return retrying(
            attempt,
            policy=self._policy,
            stop=self._stop,
            deadline=deadline,
            on_retry=lambda text: self._on_retry(f"{what}: {text}"),
        )

    def _endpoint(self, registry: str) -> _Endpoint:
        with self._mutex:
            endpoint = self._endpoints.get(registry)
            if endpoint is None:
                host = _DOCKER_HUB_HOST if registry == DOCKER_HUB else registry
                http = Http(
                    host,
                    self._trust.of(registry),
                    read_timeout=self._read_timeout,
                    connections=self._connections,
                    logins=self._logins,
                    idle=self._idle,
                )
                authenticator = Authenticator(registry, http, self._credentials)
                nobody = Credentials((), (), secrets=self._credentials.secrets)
                endpoint = _Endpoint(
                    http,
                    authenticator,
                    lambda host: Authenticator(host, http, nobody),
                    self._schemes,
                    lambda: self.outages.answered(registry),
                )
                self._endpoints[registry] = endpoint
            return endpoint


class _Endpoint:
    """One registry: which scheme it speaks, and its authentication.

    :param stranger: authenticates to another registry, by its host, where this one redirects; without any credential.
    :param answered: is told of every answer.
    """

    def __init__(
        self,
        http: Http,
        authenticator: Authenticator,
        stranger: Callable[[str], Authenticator],
        schemes: tuple[str, ...],
        answered: Callable[[], None],
    ) -> None:
        self.http = http
        self._authenticator = authenticator
        self._stranger = stranger
        self._strangers: dict[str, Authenticator] = {}
        self._schemes = schemes
        self._answered = answered
        self._mutex = threading.Lock()
        self._was_challenged = False
        self._has_open_door: bool | None = None

    def ask(self, method: str, path: str, url_path: str, headers: Mapping[str, str], limit: int) -> Response:
        asked = url = self._base() + url_path
        proof = self._authenticator.header(path)
        met: set[str] = set()
        while True:
            answer = self.http.read(method, url, headers={**headers, **proof}, limit=limit)
            self._answered()
            answer = replace(answer, asked=origin_of(asked))
            found = self._proven(path, answer, asked, met)
            if found is None:
                return answer
            url, proof = found

    @contextmanager
    def stream(
        self, path: str, url_path: str, headers: Mapping[str, str], what: str
    ) -> Iterator[tuple[Response, Iterator[bytes]]]:
        asked = url = self._base() + url_path
        proof = self._authenticator.header(path)
        met: set[str] = set()
        while True:
            with self.http.stream("GET", url, headers={**headers, **proof}) as (answer, chunks):
                self._answered()
                if answer.status in (200, 206):
                    yield answer, chunks
                    return
                answer = replace(answer, asked=origin_of(asked))
                found = self._proven(path, answer, asked, met)
                if found is None:
                    raise explain_status(answer, host=self.http.host, what=what)
                url, proof = found

    def _proven(self, path: str, answer: Response, asked: str, met: set[str]) -> tuple[str, dict[str, str]] | None:
        """What to send to whom after a 401; nothing where that is no question, or was answered once.

        :param met: the origins whose question was answered; grows.
        """
        if answer.status != 401 or answer.origin in met:
            return None
        met.add(answer.origin)
        if not answer.is_elsewhere:
            self._was_challenged = True
            is_good = self._authenticator.answer(path, answer, url=asked)
            return (asked, self._authenticator.header(path)) if is_good else None
        # Another registry may want a token, which it gives to anybody; no credential of anybody goes there.
        found = _OF_REPOSITORY.match(answer.url)
        if found is None:
            return None
        with self._mutex:
            stranger = self._strangers.setdefault(answer.origin, self._stranger(answer.origin.partition("://")[2]))
        is_good = stranger.answer(found.group(1), answer, url=answer.url)
        return (answer.url, stranger.header(found.group(1))) if is_good else None

    def has_open_door(self) -> bool:
        if not self._was_challenged:
            return False
        if self._has_open_door is None:
            try:
                answer = self.http.read("GET", f"{self._base()}/v2/", headers={}, limit=MAX_MANIFEST_BYTES)
            except TransferError:
                return False  # whoever asks next will tell
            self._has_open_door = answer.status == 200 and not answer.header("www-authenticate")
        return self._has_open_door

    def _base(self) -> str:
        """``https://HOST``; ``http://HOST`` only where that is allowed and https does not answer."""
        with self._mutex:
            if len(self._schemes) > 1:
                self._schemes = (self._choose(),)
            return f"{self._schemes[0]}://{self.http.host}"

    def _choose(self) -> str:
        try:
            self.http.read("GET", f"https://{self.http.host}/v2/", headers={}, limit=MAX_MANIFEST_BYTES)
        except TransferError as error:
            if error.is_final:
                raise
            self.http.read("GET", f"http://{self.http.host}/v2/", headers={}, limit=MAX_MANIFEST_BYTES)
            return "http"
        return "https"


def _checked_manifest(answer: Response, name: str, what: str) -> FetchedManifest:
    """Take the bytes that the digest names, whatever the answer says of their encoding."""
    stated = answer.header("docker-content-digest")
    wanted = [digest for digest in (name, stated) if is_digest(digest)]
    for raw in (answer.plain, answer.body):
        digest = manifest_digest(raw)
        if all(each == digest for each in wanted):
            return FetchedManifest(raw=raw, digest=digest, media_type=_media_type(answer))
    if is_digest(name) and digest != name:
        raise WrongBytes(f"{what} came with other bytes than its digest names", heals=True)
    raise WrongBytes(f"{what} came with other bytes than the registry's own digest", heals=True)


def _media_type(answer: Response) -> str:
    return answer.header("content-type").split(";", 1)[0].strip()
