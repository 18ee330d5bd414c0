# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One request and its response, over kept-alive connections; directly or through the proxy that the environment names.

``http.client`` writes and reads the messages. Pools of ``urllib3`` take half as much CPU again, and sessions of
``requests`` more than twice; docs/performance has the figures. Of ``requests``, the bundle of authorities is used where
the system has none; of ``urllib3``, TLS within that of a proxy.
"""

from __future__ import annotations

import http.client
import os
import re
import ssl
import threading
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from urllib.parse import quote, urlsplit

from .._base.deadline import at_most, ensure_time
from .._base.errors import TransferError, printable
from .._host.disk_errors import is_out_of_files, reason
from .connection import Connection, Connector, Pool
from .connection_errors import explain_failure, refused_login
from .happy_eyeballs import Dialer
from .idle_connections import IdleConnections
from .proxy import Proxies
from .proxy_login import ProxyLogins
from .response import number_of, origin_of, shown_host
from .route import Route, basic_login, route_to
from .sent_body import Body
from .tls import Trust, tls_context
from .tunnel import PROXY_LOGIN_REQUIRED

REQUESTS_ERROR: ImportError | None = None
if find_spec("requests") is None:  # the module reports it, with the interpreter it runs under
    REQUESTS_ERROR = ImportError("No module named 'requests'")

USER_AGENT = "airgap.images/0.1.0"
_PIECE = 1024 * 1024
_MOST_POOLS = 16
# Identity: a blob that is "decoded" on the way no longer has its digest.
_HEADERS = {"User-Agent": USER_AGENT, "Accept-Encoding": "identity"}
_UNCHANGED = "!$%&'()*+,/:;=?@[]~|"
"""What is sent of a path or query as it is, besides letters, digits, ``.``, ``_`` and ``-``. A fragment is not sent."""

_PLAIN = f"[A-Za-z0-9._{re.escape(_UNCHANGED)}-]"
_PLAIN_URL = re.compile(rf"https?://[A-Za-z0-9.:\[\]-]+(/{_PLAIN}*)")
_TARGET = re.compile(f"{_PLAIN}+")
_FAILURES = (http.client.HTTPException, OSError, ValueError)


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

    :param pool: gets the connection back after the body was read to its end.
    :ivar origin: that of the request, as :func:`origin_of` has it.
    :ivar headers: by name in lower case; of several with one name, the values are joined by commas.
    """

    def __init__(
        self, request: Request, pool: Pool, connection: Connection, response: http.client.HTTPResponse
    ) -> None:
        self._pool = pool
        self._connection = connection
        self._response = response
        self._is_over = False
        self.method = request.method
        self.url = request.url
        self.origin = pool.origin
        self.status = response.status
        self.headers = _joined(response.getheaders())

    def pieces(self) -> Iterator[bytes]:
        """Read the body as it comes in, with one read of the socket for each piece.

        :raises TransferError: when it breaks off.
        """
        received = 0
        try:
            while piece := self._response.read1(_PIECE):
                received += len(piece)
                yield piece
            self._response.read()  # tells http.client that this was all: the connection can be used again
        except _FAILURES as error:
            ensure_time()
            raise explain_failure(error, shown_host(self.url)) from error
        length = number_of(self.headers.get("content-length", ""))
        if self.method != "HEAD" and length is not None and received < length:
            host = shown_host(self.url)
            raise TransferError(f"the answer of {host} ended after {received} of {length} bytes", heals=True)
        self._is_over = True
        self._pool.give_back(self._connection)

    def close(self) -> None:
        """Close the connection, unless the body was read to its end."""
        if not self._is_over:
            self._response.close()
            self._connection.close()


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
            connection = pool.take()
        except http.client.InvalidURL as error:  # a host with control characters
            raise explain_failure(error, shown_host(request.url)) from error
        try:
            response = connection.exchange(
                request.method,
                _target(request.url, route),
                _headers(request, route),
                request.body,
                seconds=at_most(self._read_timeout + request.more_time),
            )
            _refuse_contradiction(response)
        except _FAILURES as error:
            connection.close()
            ensure_time()
            raise explain_failure(error, shown_host(request.url)) from error
        except BaseException:
            connection.close()
            raise
        if response.status == PROXY_LOGIN_REQUIRED and route.proxy is not None:
            response.close()
            connection.close()
            raise refused_login(route.proxy.url)
        return Incoming(request, pool, connection, response)

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
                found = (
                    route,
                    Pool(origin, connector, most=self._connections, idle=self._idle, patience=self._read_timeout),
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
    plain = _PLAIN_URL.fullmatch(url)
    path = plain[1] if plain else _quoted_target(url)
    return f"http://{route.netloc}{path}" if route.is_forwarded else path


def _quoted_target(url: str) -> str:
    parts = urlsplit(url)
    path = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
    return path if _TARGET.fullmatch(path) else quote(path, safe=_UNCHANGED)  # others than ASCII, and blanks


def _headers(request: Request, route: Route) -> dict[str, str]:
    headers = {"Host": route.netloc, **_HEADERS, **request.headers}
    if "@" in request.url and not any(name.lower() == "authorization" for name in headers):
        login = basic_login(request.url)
        if login:
            headers["Authorization"] = login
    if route.is_forwarded and route.proxy is not None and route.proxy.authorization:
        headers["Proxy-Authorization"] = route.proxy.authorization
    return headers


def _refuse_contradiction(response: http.client.HTTPResponse) -> None:
    """Refuse a response with several lengths, of which ``http.client`` takes the first (RFC 9112, 6.3).

    :raises http.client.HTTPException: says which.
    """
    lengths = response.headers.get_all("content-length") or ()
    if len(lengths) > 1 and len(set(lengths)) > 1:
        response.close()
        raise http.client.HTTPException(f"Content-Length has several values: {', '.join(lengths)}")


def _joined(headers: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return headers by their names in lower case, those with one name joined by commas (RFC 9110, 5.3)."""
    joined: dict[str, str] = {}
    for name, value in headers:
        name = name.lower()
        joined[name] = f"{joined[name]}, {value}" if name in joined else value
    return joined
