# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A connection to an origin: made by a :class:`Connector`, and kept for the next request by a :class:`Pool`.

Messages are written and read by ``http.client``. The extension point is a documented one: ``connect``, which makes the
attribute ``sock``.
"""

from __future__ import annotations

import http.client
import select
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Callable, cast

from .._base.deadline import at_most, ensure_time
from .._base.errors import TransferError
from .connection_errors import CONNECT_TIMEOUT, explain_connect, explain_proxy, refused_login
from .happy_eyeballs import Dialer
from .idle_connections import IdleConnections
from .route import ProxyAddress, Route
from .sent_body import SENT_AT_ONCE, Body
from .timed_socket import TimedSocket
from .tunnel import PROXY_LOGIN_REQUIRED, TunnelRefused, open_tunnel

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
            if isinstance(sock, ssl.SSLSocket):
                return TimedSocket(_within_tls(sock, context, name))
            return TimedSocket(context.wrap_socket(sock, server_hostname=name))
        except (OSError, ValueError) as error:
            sock.close()
            ensure_time()
            raise explain_connect(error, self.route.netloc) from error


def _within_tls(sock: ssl.SSLSocket, context: ssl.SSLContext, name: str) -> Any:
    """Return TLS within the TLS of a proxy, which the standard library does not have."""
    try:
        from urllib3.util.ssltransport import SSLTransport
    except ImportError:  # older than 1.26, as the one for Python 3.9 on RHEL 8
        raise OSError("TLS within the TLS of a proxy needs urllib3 1.26 or newer") from None
    return SSLTransport(sock, context, server_hostname=name)


class Connection(http.client.HTTPConnection):
    """A connection, which connects when it is first needed, and anew after it was closed.

    :param connector: makes its sockets.
    :param patience: seconds in which the host has to accept something of what is sent.
    """

    def __init__(self, connector: Connector, patience: float) -> None:
        super().__init__(connector.route.host, connector.route.port, blocksize=SENT_AT_ONCE)
        self._connector = connector
        self._patience = patience
        self._poller = select.poll()  # which takes any number of a file, unlike select
        self._is_half_sent = False

    @property
    def is_usable(self) -> bool:
        """True if another request can be sent; else the next one would be taken for the rest of a body."""
        return self.sock is not None and not self._is_half_sent

    def connect(self) -> None:
        sock = self._connector.connect(at_most(CONNECT_TIMEOUT))
        sock.patience = self._patience
        self.sock = cast(socket.socket, sock)  # which has all of its methods
        self._poller = select.poll()
        self._poller.register(self.sock.fileno(), select.POLLIN)

    def exchange(
        self, method: str, target: str, headers: Mapping[str, str], body: Body, seconds: float
    ) -> http.client.HTTPResponse:
        """Send a request, and read the beginning of the response.

        A host that closes the connection before it has the whole body may have answered already.

        :param seconds: without a byte after which a read fails.
        :raises OSError: when the connection breaks off.
        :raises http.client.HTTPException: when the answer is not HTTP.
        :raises ValueError: when a header or the target cannot be sent.
        """
        self._is_half_sent = False
        try:
            self.request(method, target, body=cast(Any, body), headers=headers)
        except _CLOSED_WHILE_SENDING:
            self._is_half_sent = True
        self.sock.settimeout(seconds)
        return self.getresponse()

    def close_if_dropped(self) -> None:
        """Close the connection if the other side has closed it, or has said something unasked."""
        if self.sock is not None and self._poller.poll(0):
            self.close()


class Pool:
    """The connections to one origin; of those that are idle, the one that was used last is used first.

    :param origin: as :func:`origin_of` has it.
    :param most: how many idle ones are kept.
    :param idle: the idle connections of all pools.
    :param patience: as :class:`Connection` has it.
    """

    def __init__(self, origin: str, connector: Connector, *, most: int, idle: IdleConnections, patience: float) -> None:
        self.origin = origin
        self._connector = connector
        self._most = most
        self._all_idle = idle
        self._patience = patience
        self._idle: list[Connection] = []

    def take(self) -> Connection:
        """Return a connection for one request."""
        try:
            connection = self._idle.pop()
        except IndexError:
            return Connection(self._connector, self._patience)
        self._all_idle.take(connection)  # from here on, nobody else closes it
        connection.close_if_dropped()
        return connection

    def give_back(self, connection: Connection) -> None:
        """Keep a connection, of which the last response was read to its end."""
        if not connection.is_usable or len(self._idle) >= self._most:
            connection.close()
            return
        self._all_idle.put(connection)
        self._idle.append(connection)

    def close(self) -> None:
        """Close the idle connections."""
        while self._idle:
            connection = self._idle.pop()
            self._all_idle.take(connection)
            connection.close()
