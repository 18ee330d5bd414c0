# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One request and its response, over kept-alive connections; directly or through the proxy that the environment names.

Pools of ``urllib3`` keep the connections. Neither its redirects, retries and proxies are used, nor a session of
``requests``, which takes twice the CPU of a request; docs/performance has the figures.
"""

from __future__ import annotations

import http.client
import os
import ssl
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol, Union, cast
from urllib.parse import urlsplit

from .._base.deadline import at_most, ensure_time
from .._base.errors import TransferError, printable
from .._host.disk_errors import is_out_of_files, reason
from .connection import Connection, Connector, Pool
from .connection_errors import CONNECT_TIMEOUT, explain_failure, refused_login
from .happy_eyeballs import Dialer
from .idle_connections import IdleConnections
from .proxy import Proxies
from .proxy_login import ProxyLogins
from .response import number_of, origin_of, shown_host
from .route import Route, basic_login, route_to
from .tls import Trust, tls_context
from .tunnel import PROXY_LOGIN_REQUIRED

try:
    import urllib3.exceptions
    from urllib3 import Timeout

    REQUESTS_ERROR: ImportError | None = None
except ImportError as missing:  # the module reports it, with the interpreter it runs under
    REQUESTS_ERROR = missing

USER_AGENT = "airgap.images/0.1.0"
_PIECE = 1024 * 1024
_SENT_AT_ONCE = 256 * 1024
_MOST_POOLS = 16
# Identity: a blob that is "decoded" on the way no longer has its digest.
_HEADERS = {"User-Agent": USER_AGENT, "Accept-Encoding": "identity"}


class FileBody(Protocol):
    """A body that is sent as it is read, in pieces; the request's Content-Length says how long it is."""

    def read(self, size: int, /) -> bytes:
        """Return the next bytes; none at the end."""

    def tell(self) -> int:
        """Return the position of the next byte."""

    def seek(self, position: int, /) -> int:
        """Go to a position."""


Body = Union[bytes, FileBody, None]
"""The body of a request."""


@dataclass(frozen=True)
class Request:
    """A request; its headers are complete but for those that every request has.

    :param more_time: seconds that the response may take beyond the usual ones.
    """

    method: str
    url: str
    headers: Mapping[str, str]
    body: Body = None
    more_time: float = 0.0


class Incoming:
    """A response whose body has not been read.

    :ivar headers: by name in lower case; of several with one name, the values are joined by commas.
    """

    def __init__(self, request: Request, response: Any) -> None:
        self._response = response
        self._connection: Connection = response.connection
        self.method = request.method
        self.url = request.url
        self.status: int = response.status
        self.headers = {name.lower(): response.headers[name] for name in response.headers}

    def pieces(self) -> Iterator[bytes]:
        """Read the body as it comes in, with one read of the socket for each piece.

        :raises TransferError: when it breaks off.
        """
        host = shown_host(self.url)
        received = 0
        try:
            source = self._connection.received
            while piece := source.read1(_PIECE):
                received += len(piece)
                yield piece
            source.read()  # tells http.client that this was all: the connection can be used again
            self._connection.done()
            self._response.release_conn()
        except (urllib3.exceptions.HTTPError, http.client.HTTPException, OSError) as error:
            ensure_time()
            raise explain_failure(error, host) from error
        length = number_of(self.headers.get("content-length", ""))
        if self.method != "HEAD" and length is not None and received < length:
            raise TransferError(f"the answer of {host} ended after {received} of {length} bytes", heals=True)

    def close(self) -> None:
        """Close the connection, unless the body was read to its end."""
        self._response.close()


class Transport:
    """Sends requests to one registry and to the hosts that it names.

    :param host: ``HOST[:PORT]``; only connections to it show the client certificate.
    :param read_timeout: seconds without a byte after which a request is given up.
    :param connections: kept for each host at most.
    :param logins: of the proxies, shared with others who go through them.
    :param idle: idle connections, bounded together with those of others.
    """

    def __init__(
        self,
        host: str,
        trust: Trust,
        *,
        read_timeout: float,
        connections: int,
        logins: ProxyLogins,
        idle: IdleConnections,
    ) -> None:
        self._host = host
        self._trust = trust
        self._read_timeout = read_timeout
        self._connections = connections
        self._logins = logins
        self._idle = idle
        self._dialer = Dialer()
        self._mutex = threading.Lock()
        self._contexts: dict[bool, ssl.SSLContext] = {}
        self._pools: dict[str, tuple[Route, Pool]] = {}

    def send(self, request: Request) -> Incoming:
        """Send a request.

        :raises TransferError: when no response comes, or a proxy refuses the login.
        """
        try:
            origin = origin_of(request.url)
            route, pool = self._pool(origin)
        except ValueError as error:
            raise explain_failure(error, shown_host(request.url)) from error
        if route.proxy is None:
            return self._exchange(pool, route, request)
        return self._logins.of(route.proxy.url).through(lambda: self._exchange(pool, route, request))

    def close(self) -> None:
        """Close the idle connections."""
        for _route, pool in self._pools.values():
            pool.close()

    def _exchange(self, pool: Pool, route: Route, request: Request) -> Incoming:
        try:
            response = pool.request(
                request.method,
                _target(request.url, route),
                body=cast(Any, request.body),  # their annotations know no protocol
                headers=_headers(request, route),
                timeout=Timeout(connect=at_most(CONNECT_TIMEOUT), read=at_most(self._read_timeout + request.more_time)),
                retries=False,
                redirect=False,
                assert_same_host=False,
                preload_content=False,
                decode_content=False,
            )
        except (urllib3.exceptions.HTTPError, http.client.HTTPException, OSError, ValueError) as error:
            ensure_time()
            raise explain_failure(error, shown_host(request.url)) from error
        if response.status == PROXY_LOGIN_REQUIRED and route.proxy is not None:
            response.close()
            raise refused_login(route.proxy.url)
        return Incoming(request, response)

    def _pool(self, origin: str) -> tuple[Route, Pool]:
        """Return the way to an origin, and the connections that go it.

        :raises ValueError: when it is not an origin.
        :raises TransferError: when the environment names a proxy that cannot be used.
        """
        with self._mutex:
            found = self._pools.pop(origin, None)
            if found is None:
                route = route_to(origin, Proxies(os.environ).find(origin))
                is_own = origin == origin_of(f"https://{self._host}")
                connector = Connector(
                    route, self._dialer, partial(self._context, is_own=is_own), partial(self._context, is_own=False)
                )
                host, port = route.sent_to
                found = (
                    route,
                    Pool(
                        host,
                        port,
                        maxsize=self._connections,
                        block=False,
                        blocksize=_SENT_AT_ONCE,
                        connector=connector,
                        idle=self._idle,
                        patience=self._read_timeout,
                    ),
                )
                if len(self._pools) >= _MOST_POOLS:
                    del self._pools[next(iter(self._pools))]
            self._pools[origin] = found  # the last one used is the last to be dropped
            return found

    def _context(self, *, is_own: bool) -> ssl.SSLContext:
        """Return the TLS context of the registry itself, which gets the client certificate, or of other hosts."""
        client_cert = self._trust.client_cert if is_own else None
        with self._mutex:
            context = self._contexts.get(client_cert is not None)
            if context is None:
                try:
                    context = tls_context(self._trust.verify, client_cert)
                except OSError as error:
                    heals = is_out_of_files(error)
                    why = reason(error) if heals else printable(str(error), 300)
                    raise TransferError(
                        f"the certificates for {self._host} cannot be used: {why}", heals=heals
                    ) from error
                self._contexts[client_cert is not None] = context
            return context


def _target(url: str, route: Route) -> str:
    """Return the request target (RFC 9112, 3.2): the path, or the whole URL for a proxy that forwards."""
    parts = urlsplit(url)
    path = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
    return f"http://{route.netloc}{path}" if route.is_forwarded else path


def _headers(request: Request, route: Route) -> dict[str, str]:
    headers = {**_HEADERS, "Host": route.netloc, **request.headers}
    login = basic_login(request.url)
    if login and not any(name.lower() == "authorization" for name in headers):
        headers["Authorization"] = login
    if route.proxy is not None and route.is_forwarded and route.proxy.authorization:
        headers["Proxy-Authorization"] = route.proxy.authorization
    return headers
