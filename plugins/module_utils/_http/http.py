# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""HTTP for registries: one request at a time over kept-alive connections, failures told apart by whether they heal.

``requests`` gets nothing from its environment by itself: no netrc, no CA variable; proxies are passed per request. Its
adapter is used without its session, which would take as long for a HEAD as the request itself.
"""

from __future__ import annotations

import http.client
import os
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import cast
from urllib.parse import urljoin, urlsplit

from .._base.errors import ConnectionRefused, TransferError, WrongBytes, printable
from .._host.disk_errors import is_out_of_files, reason
from .answer import Answer, number_of, origin_of, shown_host
from .dial import Dialer
from .explain import (
    CONNECT_TIMEOUT,
    explain_failure,
    refused_login,
    tunnel_status,
)
from .gate import Gates
from .kept_connections import KeptConnections
from .proxy import Proxies
from .timed import at_most, ensure_time, timed_adapter
from .tls import Trust, tls_context

try:
    import requests
    import requests.adapters
    import requests.exceptions
    import urllib3
    import urllib3.exceptions

    REQUESTS_ERROR: ImportError | None = None
except ImportError as missing:  # the module reports it, with the interpreter it runs under
    REQUESTS_ERROR = missing

USER_AGENT = "airgap.images/0.1.0"
_MAX_REDIRECTS = 5
_MAX_ERROR_BYTES = 64 * 1024
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_WANTS_LOGIN = 407
_CHUNK = 1024 * 1024
_MOST_PIECES = 100_000  # each costs as much as many bytes
# Identity: a blob that is "decoded" on the way no longer has its digest.
_HEADERS = {"User-Agent": USER_AGENT, "Accept-Encoding": "identity"}


class Http:
    """Requests to one registry and to the hosts that it names (token service, blob storage).

    :param host: ``HOST[:PORT]``; only requests to it carry the client certificate and the Authorization header.
    :param read_timeout: seconds without a byte after which a request is given up.
    :param gates: of the proxies, shared with others who go through them.
    :param kept: idle connections, bounded together with those of others.
    """

    def __init__(
        self,
        host: str,
        trust: Trust,
        *,
        read_timeout: float,
        connections: int,
        gates: Gates | None = None,
        kept: KeptConnections | None = None,
    ) -> None:
        self.host = host
        self._trust = trust
        self._read_timeout = read_timeout
        self._connections = connections
        self._gates = gates or Gates()
        self._kept = kept or KeptConnections(connections)
        self._dialer = Dialer()
        self._mutex = threading.Lock()
        self._adapters: dict[bool, requests.adapters.HTTPAdapter] = {}
        if trust.verify is False:  # was asked for; urllib3 would say so at every request
            urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)

    def read(
        self,
        method: str,
        url: str,
        *,
        headers: dict[str, str],
        limit: int,
        form: dict[str, str] | None = None,
    ) -> Answer:
        """Send a request and read its body.

        :param limit: bytes of the body accepted at most.
        :param form: fields of a form, for POST.
        :raises TransferError: when no answer comes, or a body longer than the limit.
        """
        with self._open(method, url, headers, form) as response:
            wanted = limit if response.status_code < 400 else _MAX_ERROR_BYTES
            body = self._body(response, wanted, fail=response.status_code < 400)
            return _answer(response, body, url)

    @contextmanager
    def stream(self, url: str, *, headers: dict[str, str]) -> Iterator[tuple[Answer, Iterator[bytes]]]:
        """GET a body of any size in pieces; the :class:`Answer` given has no body unless the status is an error."""
        with self._open("GET", url, headers, None) as response:
            failed = response.status_code >= 400
            body = self._body(response, _MAX_ERROR_BYTES, fail=False) if failed else b""
            yield _answer(response, body, url), self._chunks(response)

    def close(self) -> None:
        for adapter in self._adapters.values():
            adapter.close()

    def _body(self, response: requests.Response, limit: int, *, fail: bool) -> bytes:
        """Read a body to its end, also an empty one: only then is the connection kept."""
        body = bytearray()
        for number, chunk in enumerate(self._chunks(response)):
            body += chunk
            if len(body) > limit or number >= _MOST_PIECES:
                if fail:
                    what = f"is longer than {limit} bytes" if len(body) > limit else "comes in too small pieces"
                    raise WrongBytes(f"the answer {what}, which is refused", heals=False)
                return bytes(body[:limit])
        return bytes(body)

    def _chunks(self, response: requests.Response) -> Iterator[bytes]:
        host = shown_host(response.url)
        received = 0
        try:
            for chunk in _received(response):
                received += len(chunk)
                yield chunk
        except (urllib3.exceptions.HTTPError, http.client.HTTPException, OSError) as error:
            ensure_time()
            raise explain_failure(error, host) from error
        length = number_of(response.headers.get("content-length", ""))
        if response.request.method != "HEAD" and length is not None and received < length:
            raise TransferError(f"the answer of {host} ended after {received} of {length} bytes", heals=True)

    @contextmanager
    def _open(
        self, method: str, url: str, headers: dict[str, str], form: dict[str, str] | None
    ) -> Iterator[requests.Response]:
        response = self._send(method, url, headers, form)
        hops = 0
        try:
            while response.status_code in _REDIRECTS and "location" in response.headers:
                if hops == _MAX_REDIRECTS:
                    raise TransferError(f"{self.host} redirects more than {_MAX_REDIRECTS} times", heals=False)
                target = self._redirect_target(url, response.headers["location"])
                response.close()
                if form is not None:
                    raise TransferError(f"{self.host} redirects a request for a token, which is refused", heals=False)
                if origin_of(target) != origin_of(url):
                    headers = {key: value for key, value in headers.items() if key.lower() != "authorization"}
                url = target
                response = self._follow(method, url, headers)
                hops += 1
            yield response
        finally:
            response.close()

    def _follow(self, method: str, url: str, headers: dict[str, str]) -> requests.Response:
        """Send a request to where a redirect leads; if nobody listens there, the registry itself has answered."""
        try:
            return self._send(method, url, headers, None)
        except ConnectionRefused as error:
            raise TransferError(str(error), heals=error.heals) from error

    def _redirect_target(self, url: str, location: str) -> str:
        try:
            target = urljoin(url, location)
        except ValueError as error:
            raise TransferError(f"{self.host} redirects to something that is no address", heals=False) from error
        if urlsplit(url).scheme == "https" and urlsplit(target).scheme != "https":
            raise TransferError(
                f"{self.host} redirects from https to {printable(urlsplit(target).scheme)}, which is refused",
                heals=False,
            )
        if urlsplit(target).scheme not in ("http", "https"):
            raise TransferError(f"{self.host} redirects to something that is not http or https", heals=False)
        return target

    def _send(self, method: str, url: str, headers: dict[str, str], form: dict[str, str] | None) -> requests.Response:
        try:
            request = requests.Request(method, url, headers={**_HEADERS, **headers}, data=form).prepare()
            origin = origin_of(url)
            proxies = _proxies(origin)
        except (requests.exceptions.RequestException, ValueError) as error:
            raise explain_failure(error, shown_host(url)) from error
        adapter = self._adapter(is_own=origin == origin_of(f"https://{self.host}"))
        if not proxies:
            return self._try(adapter, request, proxies)
        [proxy] = proxies.values()
        return self._gates.of(proxy).through(lambda: self._try(adapter, request, proxies))

    def _try(
        self, adapter: requests.adapters.HTTPAdapter, request: requests.PreparedRequest, proxies: dict[str, str]
    ) -> requests.Response:
        timeouts = (at_most(CONNECT_TIMEOUT), at_most(self._read_timeout))
        try:
            response = adapter.send(request, stream=True, timeout=timeouts, proxies=proxies)
        # Some of urllib3's errors, and of what it is built on, come as they are.
        except (requests.exceptions.RequestException, urllib3.exceptions.HTTPError, ValueError) as error:
            ensure_time()
            if proxies and tunnel_status(error) == _WANTS_LOGIN:
                raise refused_login(proxies) from error
            raise explain_failure(error, shown_host(request.url or "")) from error
        if proxies and response.status_code == _WANTS_LOGIN:
            response.close()
            raise refused_login(proxies)
        return response

    def _adapter(self, *, is_own: bool) -> requests.adapters.HTTPAdapter:
        """Connections to the registry itself, which gets the client certificate, or to other hosts."""
        shown = self._trust.client_cert if is_own else None
        with self._mutex:
            adapter = self._adapters.get(shown is not None)
            if adapter is None:
                context, plain = self._context(shown), self._context(None)
                adapter = timed_adapter(
                    self._connections, context=context, proxy_context=plain, dialer=self._dialer, kept=self._kept
                )
                self._adapters[shown is not None] = adapter
            return adapter

    def _context(self, client_cert: tuple[str, str] | None) -> ssl.SSLContext:
        try:
            return tls_context(self._trust.verify, client_cert)
        except OSError as error:
            heals = is_out_of_files(error)
            why = reason(error) if heals else printable(str(error), 300)
            raise TransferError(f"the certificates for {self.host} cannot be used: {why}", heals=heals) from error


def _received(response: requests.Response) -> Iterator[bytes]:
    """A body as it comes in, with one read of the socket for each piece.

    urllib3's own reading waits until a piece is full, which takes for ever where a byte comes now and then.
    """
    raw = response.raw
    answer = cast("http.client.HTTPResponse", raw._original_response)
    while True:
        chunk = answer.read1(_CHUNK)
        if not chunk:
            break
        yield chunk
    answer.read()  # tells http.client that this was all: the connection can be used again
    raw.release_conn()


@cache
def _proxies(origin: str) -> dict[str, str]:
    """The proxy that the environment names for a host, as ``requests`` takes it."""
    proxy = Proxies(os.environ).find(origin)
    return {urlsplit(origin).scheme: proxy} if proxy else {}


def _answer(response: requests.Response, body: bytes, asked: str) -> Answer:
    headers = {name.lower(): value for name, value in response.headers.items()}
    url = response.url
    return Answer(origin_of(url), response.status_code, headers, body, url=url, asked=origin_of(asked))
