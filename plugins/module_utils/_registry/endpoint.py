# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One registry: the scheme it speaks, its authentication, and requests to it and to where it redirects."""

from __future__ import annotations

import re
import threading
from collections.abc import Container, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Callable

from .._base.errors import TransferError
from .._http.client import Http
from .._http.response import Response, origin_of
from .._http.sent_body import Body
from .._http.status_errors import explain_status
from .._oci.limits import MAX_MANIFEST_BYTES
from .auth import Authenticator
from .scope import Scope, pull

_OF_REPOSITORY = re.compile(r"https?://[^/]+/v2/([^?]+)/(?:manifests|blobs)/[^/]+$")


@dataclass(frozen=True)
class Asked:
    """A request to a registry.

    :param target: path and query of the URL; or a whole URL that the registry has named, to which its token goes only
        if that is of the same origin.
    :param scope: what its token has to permit.
    :param body: is sent from where it is; a file must be seekable, as it may have to be sent twice.
    :param more_time: seconds that the response may take beyond the usual ones.
    """

    method: str
    target: str
    scope: Scope
    headers: Mapping[str, str]
    body: Body = None
    more_time: float = 0.0


class Endpoint:
    """Requests to one registry, authenticated as it asks for.

    :param stranger: gives the authenticator for another registry, by its host, where this one redirects; without any
        credential.
    :param schemes: ``https``, or both in the order in which they are tried.
    :param answered: is called for every response.
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

    def read(self, asked: Asked, *, limit: int) -> Response:
        """Send a request and read the body of the response, whatever its status.

        :param limit: bytes of the body accepted at most.
        :raises TransferError: when no response comes, or no token.
        """
        attempt = self._attempt(asked)
        while True:
            attempt.rewind()
            response = self.http.read(
                asked.method,
                attempt.url,
                headers=attempt.headers(),
                limit=limit,
                body=asked.body,
                more_time=asked.more_time,
            )
            self._answered()
            response = self._known(attempt, response)
            if not self._prove(attempt, response):
                return response

    @contextmanager
    def stream(
        self, asked: Asked, *, what: str, accepted: Container[int] = (200, 206)
    ) -> Iterator[tuple[Response, Iterator[bytes]]]:
        """Send a request and give the body of the response in pieces.

        :param what: names the thing that is asked for, for errors.
        :param accepted: statuses that are not errors.
        :raises TransferError: when another response comes, or none.
        """
        attempt = self._attempt(asked)
        while True:
            attempt.rewind()
            with self.http.stream(asked.method, attempt.url, headers=attempt.headers(), body=asked.body) as (
                response,
                pieces,
            ):
                self._answered()
                if response.status in accepted:
                    yield response, pieces
                    return
                response = self._known(attempt, response)
                if not self._prove(attempt, response):
                    raise explain_status(response, host=self.http.host, what=what)

    def _known(self, attempt: _Attempt, response: Response) -> Response:
        """Return a response that says what was asked, and with whose login."""
        has_login = bool(attempt.proof) and response.origin == attempt.origin
        account = self._authenticator.account(attempt.asked.scope) if has_login else ""
        if not account and response.asked == attempt.origin:
            return response
        return replace(response, asked=attempt.origin, account=account)

    def _attempt(self, asked: Asked) -> _Attempt:
        base = self._base()
        origin = origin_of(base)
        is_path = asked.target.startswith("/")
        url = base + asked.target if is_path else asked.target
        is_own = is_path or origin_of(url) == origin
        return _Attempt(asked, url, origin, self._authenticator.header(asked.scope) if is_own else {})

    def _prove(self, attempt: _Attempt, response: Response) -> bool:
        """Answer a challenge, so that the attempt can be made again.

        :returns: false where the response is not a challenge, or one that was answered before.
        """
        if response.status != 401 or response.origin in attempt.met:
            return False
        attempt.met.add(response.origin)
        scope = attempt.asked.scope
        if not response.is_elsewhere:
            self._was_challenged = True
            is_good = self._authenticator.respond(scope, response, url=attempt.first_url)
            attempt.url, attempt.proof = attempt.first_url, self._authenticator.header(scope) if is_good else {}
            return is_good
        # Another registry may want a token, which it gives to anybody; no credential of anybody goes there.
        found = _OF_REPOSITORY.match(response.url)
        if found is None:
            return False
        with self._mutex:
            host = response.origin.partition("://")[2]
            stranger = self._strangers.setdefault(response.origin, self._stranger(host))
        scope = pull(found.group(1))
        is_good = stranger.respond(scope, response, url=response.url)
        attempt.url, attempt.proof = response.url, stranger.header(scope) if is_good else {}
        return is_good

    def read_api(
        self, method: str, target: str, *, path: str, headers: Mapping[str, str], limit: int, body: Body = None
    ) -> Response:
        """Send a request to another interface of the registry, with the login itself, as tokens are not for that.

        :param target: path and query of the URL.
        :param path: of the repository or project that it is about.
        :param limit: bytes of the body accepted at most.
        :raises TransferError: when no response comes.
        """
        base = self._base()
        login, account = self._authenticator.login(path)
        response = self.http.read(method, base + target, headers={**headers, **login}, limit=limit, body=body)
        self._answered()
        asked = origin_of(base)
        return replace(response, asked=asked, account=account if response.origin == asked else "")

    @property
    def is_plain(self) -> bool:
        """True if the registry was found to speak HTTP only."""
        return self._schemes == ("http",)

    def has_open_door(self) -> bool:
        """Return True if the registry has asked for a login, but does not at ``/v2/``."""
        if not self._was_challenged:
            return False
        if self._has_open_door is None:
            try:
                response = self.http.read("GET", f"{self._base()}/v2/", headers={}, limit=MAX_MANIFEST_BYTES)
            except TransferError:
                return False  # whoever asks next will tell
            self._has_open_door = response.status == 200 and not response.header("www-authenticate")
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


class _Attempt:
    """The attempts at one request.

    :param origin: that of the registry itself.
    :ivar met: the origins whose challenge was answered.
    """

    def __init__(self, asked: Asked, url: str, origin: str, proof: Mapping[str, str]) -> None:
        self.asked = asked
        self.first_url = self.url = url
        self.origin = origin
        self.proof = proof
        self.met: set[str] = set()
        self._start = None if asked.body is None or isinstance(asked.body, bytes) else asked.body.tell()

    def headers(self) -> dict[str, str]:
        return {**self.asked.headers, **self.proof}

    def rewind(self) -> None:
        """Have a body that is a file sent from where it was at first."""
        if self._start is not None and self.asked.body is not None and not isinstance(self.asked.body, bytes):
            self.asked.body.seek(self._start)
