# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A connection to an origin: made by a :class:`Connector`, kept by a pool of ``urllib3``.

The extension points are documented ones: ``ConnectionCls`` and the further keyword arguments of ``HTTPConnectionPool``
in ``urllib3``; ``connect``, ``request`` and ``getresponse`` of ``HTTPConnection`` in ``http.client``, which that of
``urllib3`` is a subclass of. ``urllib3`` comes with ``requests``; 1.25, 1.26 and 2 all work.
"""

from __future__ import annotations

import http.client
import socket
import ssl
from dataclasses import dataclass
from typing import Any, Callable

from .._base.deadline import ensure_time
from .._base.errors import TransferError
from .connection_errors import explain_connect, explain_proxy, refused_login
from .happy_eyeballs import Dialer
from .idle_connections import IdleConnections
from .route import ProxyAddress, Route
from .timed_socket import TimedSocket
from .tunnel import PROXY_LOGIN_REQUIRED, TunnelRefused, open_tunnel

try:
    from urllib3.connection import HTTPConnection
    from urllib3.connectionpool import HTTPConnectionPool
except ImportError:  # the module reports it; see transport.py

    class HTTPConnection:  # type: ignore[no-redef]
        """Stands in for the class of ``urllib3`` where that is missing."""

    class HTTPConnectionPool:  # type: ignore[no-redef]
        """Stands in for the class of ``urllib3`` where that is missing."""


try:
    from urllib3.util.ssltransport import SSLTransport
except ImportError:  # older than 1.26, as the one for Python 3.9 on RHEL 8
    SSLTransport = None  # type: ignore[assignment,misc]

_OPTIONS = ((socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),)
_CLOSED_WHILE_SENDING = (BrokenPipeError, ConnectionResetError, ssl.SSLEOFError)


@dataclass(frozen=True)
class Connector:
    """Makes the sockets for one route.

    :param context: gives the TLS context for the origin.
    :param proxy_context: gives the TLS context for a proxy.
    """

    route: Route
    dialer: Dialer
    context: Callable[[], ssl.SSLContext]
    proxy_context: Callable[[], ssl.SSLContext]

    def connect(self, seconds: float) -> TimedSocket:
        """Connect, through a tunnel and with TLS where the route has them.

        :param seconds: for each of the steps.
        :raises TransferError: says what failed.
        """
        route = self.route
        context = self.context() if route.is_tls else None
        if route.proxy is None:
            sock = self._dial(route.host, route.port, seconds, explain_connect)
        else:
            sock = self._to_proxy(route.proxy, seconds)
        return TimedSocket(sock) if context is None else self._with_tls(sock, context)

    def _dial(
        self, host: str, port: int, seconds: float, explain: Callable[[Exception, str], TransferError]
    ) -> socket.socket:
        try:
            return self.dialer.connect(host, port, seconds=seconds, options=_OPTIONS)
        except (OSError, ValueError) as error:  # ValueError: a name that DNS cannot have
            ensure_time()
            raise explain(error, self.route.netloc) from error

    def _to_proxy(self, proxy: ProxyAddress, seconds: float) -> socket.socket:
        sock = self._dial(proxy.host, proxy.port, seconds, explain_proxy)
        try:
            if proxy.is_tls:
                sock = self.proxy_context().wrap_socket(sock, server_hostname=proxy.host.rstrip("."))
            if self.route.is_tls:
                open_tunnel(TimedSocket(sock), self.route, proxy)
        except TunnelRefused as error:
            sock.close()
            is_login = error.status == PROXY_LOGIN_REQUIRED
            raise (refused_login(proxy.url) if is_login else explain_proxy(error, self.route.netloc)) from error
        except (OSError, http.client.HTTPException) as error:
            sock.close()
            ensure_time()
            raise explain_proxy(error, self.route.netloc) from error
        except BaseException:
            sock.close()
            raise
        return sock

    def _with_tls(self, sock: socket.socket, context: ssl.SSLContext) -> TimedSocket:
        name = self.route.host.rstrip(".")
        try:
            if isinstance(sock, ssl.SSLSocket):  # TLS within the TLS of the proxy
                if SSLTransport is None:
                    raise OSError("TLS within the TLS of a proxy needs urllib3 1.26 or newer")
                return TimedSocket(SSLTransport(sock, context, server_hostname=name))
            return TimedSocket(context.wrap_socket(sock, server_hostname=name))
        except (OSError, ValueError) as error:
            sock.close()
            ensure_time()
            raise explain_connect(error, self.route.netloc) from error


class _Remembering(http.client.HTTPConnection):
    """Keeps hold of the response that ``http.client`` has read.

    Its ``read1`` returns what has come; ``urllib3`` has that only since 2.1, and else waits until a piece is full.
    """

    received: http.client.HTTPResponse

    def getresponse(self) -> http.client.HTTPResponse:
        self.received = super().getresponse()
        return self.received


class Connection(HTTPConnection, _Remembering):  # type: ignore[misc]
    """A connection of a pool.

    :param connector: makes its sockets.
    :param idle: the idle connections of all pools.
    :param patience: seconds in which the host has to accept something of what is sent.
    """

    def __init__(self, *args: Any, connector: Connector, idle: IdleConnections, patience: float, **named: Any) -> None:
        super().__init__(*args, **named)
        self._connector = connector
        self._idle = idle
        self._patience = patience
        self._is_half_sent = False

    def connect(self) -> None:
        sock = self._connector.connect(self.timeout)  # type: ignore[arg-type]
        sock.patience = self._patience
        self.sock = sock

    def request(self, *args: Any, **named: Any) -> None:
        """Send a request. A host that closes the connection before it has the whole body may have answered already."""
        self._idle.take(self)
        self._is_half_sent = False
        try:
            super().request(*args, **named)
        except _CLOSED_WHILE_SENDING:
            self._is_half_sent = True

    def done(self) -> None:
        """Count this connection as idle, now that its response was read to the end; to be called before its release."""
        if self._is_half_sent:
            self.close()  # the next request would be taken for the rest of the body
        elif self.sock is not None:
            self._idle.put(self)


class Pool(HTTPConnectionPool):
    """The connections to one origin."""

    ConnectionCls = Connection
