# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Answers over HTTP that end in time: a byte now and then must not be waited for without end.

http.client reads headers, informational answers and trailers in one go, however long they take to come, and each byte
begins a socket's timeout anew. So every read of the socket looks at the time that the thread has left.
"""

from __future__ import annotations

import http.client
import io
import math
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from .._base.errors import TransferError
from .dial import Dialer
from .kept_connections import KeptConnections

if TYPE_CHECKING:
    from requests.adapters import HTTPAdapter
    from urllib3 import HTTPConnectionPool, PoolManager

_FIRST_HINT, _FINAL = 102, 200
_LEAST_SECONDS = 0.001  # a socket takes 0 for "do not wait at all"
# until: time.monotonic() up to which this thread reads; host: what it makes a connection to
_thread = threading.local()


@contextmanager
def time_left(seconds: float) -> Iterator[None]:
    """Let all that this thread reads in the block end after some seconds, with a :class:`TransferError`."""
    before = _until()
    _thread.until = min(before, time.monotonic() + seconds)
    try:
        yield
    finally:
        _thread.until = before


def at_most(seconds: float) -> float:
    """Some seconds, or what this thread has left, if that is less; never quite 0."""
    return max(_LEAST_SECONDS, min(seconds, _until() - time.monotonic()))


def host_to_reach() -> str:
    """The host that the connection is for which this thread is about to make."""
    return str(getattr(_thread, "host", ""))


def ensure_time() -> None:
    """:raises TransferError: when this thread has no time left; what failed then may have failed because of it."""
    if time.monotonic() >= _until():
        raise _late()


def _until() -> float:
    return float(getattr(_thread, "until", math.inf))


def _late() -> TransferError:
    return TransferError("it was not done within timeout; run again, or raise timeout", heals=False, is_final=True)


def timed_adapter(
    connections: int,
    *,
    context: ssl.SSLContext,
    proxy_context: ssl.SSLContext,
    dialer: Dialer,
    kept: KeptConnections,
) -> HTTPAdapter:
    """An adapter of ``requests`` whose connections look at :func:`time_left`.

    :param connections: kept to one host at most.
    :param context: for TLS; ``verify`` and ``cert`` of single requests count for nothing beside it.
    :param proxy_context: the same for proxies that are spoken to by https.
    :param kept: bounds the idle connections of all adapters together.
    """
    from requests.adapters import HTTPAdapter  # only where requests is there
    from requests.utils import prepend_scheme_if_needed, select_proxy

    tls: dict[str, Any] = {"ssl_context": context, "cert_reqs": context.verify_mode}

    class TimedAdapter(HTTPAdapter):
        """Also through proxies, whose pools are made when they are needed."""

        def init_poolmanager(self, connections: int, maxsize: int, block: bool = False, **options: Any) -> None:
            super().init_poolmanager(connections, maxsize, block, **options, **tls)
            _time(self.poolmanager, dialer, kept)

        def proxy_manager_for(self, proxy: str, **options: Any) -> Any:
            is_new = proxy not in self.proxy_manager
            manager = super().proxy_manager_for(proxy, **options, **tls, proxy_ssl_context=proxy_context)
            if is_new:
                _time(manager, dialer, kept)
            return manager

        def get_connection(self, url: Any, proxies: Any = None) -> Any:
            """As it was before requests 2.32, which makes contexts of its own."""
            proxy = select_proxy(url, proxies)
            if not proxy:
                return self.poolmanager.connection_from_url(url)
            address = prepend_scheme_if_needed(proxy, "http")  # type: ignore[no-untyped-call]
            return self.proxy_manager_for(address).connection_from_url(url)

        def get_connection_with_tls_context(
            self, request: Any, verify: Any, proxies: Any = None, cert: Any = None
        ) -> Any:
            return self.get_connection(request.url, proxies)

        def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
            """Nothing is left to do: it is all in the context."""

    return TimedAdapter(pool_connections=4, pool_maxsize=connections, pool_block=False)


def _time(manager: PoolManager, dialer: Dialer, kept: KeptConnections) -> None:
    pools = manager.pool_classes_by_scheme
    manager.pool_classes_by_scheme = {scheme: _timed(pool, dialer, kept) for scheme, pool in pools.items()}


def _timed(pool: type[HTTPConnectionPool], dialer: Dialer, kept: KeptConnections) -> type[HTTPConnectionPool]:
    """The same kind of pool, of connections whose answers are timed."""
    from urllib3.exceptions import ConnectTimeoutError, NewConnectionError

    def new_conn(self: Any) -> socket.socket:
        """What urllib3 makes a connection with, and the errors that it makes of what happens."""
        try:
            return dialer.connect(self._dns_host, self.port, seconds=self.timeout, options=self.socket_options or ())
        except socket.timeout as error:
            raise ConnectTimeoutError(self, f"no connection to {self.host} within {self.timeout} s") from error
        except OSError as error:
            raise NewConnectionError(self, f"no connection to {self.host}: {error}") from error

    kind: Any = pool.ConnectionCls

    def connect(self: Any) -> None:
        _thread.host = (getattr(self, "_tunnel_host", None) or self.host).strip("[]")
        kind.connect(self)

    def get_conn(self: Any, timeout: float | None = None) -> Any:
        connection = of_any_pool._get_conn(self, timeout)
        kept.take(connection)
        return connection

    def put_conn(self: Any, connection: Any) -> None:
        if connection is not None:
            kept.put(connection)
        of_any_pool._put_conn(self, connection)

    of_any_pool: Any = pool
    ways = {"response_class": _TimedResponse, "_new_conn": new_conn, "connect": connect}
    connections = type("TimedConnection", (kind,), ways)
    return type("TimedPool", (pool,), {"ConnectionCls": connections, "_get_conn": get_conn, "_put_conn": put_conn})


class _TimedReader(io.RawIOBase):
    """A socket's bytes, until the time is up.

    :param sock: waits for a byte no longer than it does when this is made, nor longer than there is time.
    """

    def __init__(self, raw: io.RawIOBase, sock: socket.socket) -> None:
        super().__init__()
        self._raw = raw
        self._sock = sock
        self._patience = sock.gettimeout()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int | None:  # type: ignore[override]
        until = _until()
        left = until - time.monotonic()
        if left <= 0:
            raise _late()
        if self._patience is not None and self._patience <= left:
            return self._raw.readinto(buffer)
        self._sock.settimeout(None if left == math.inf else left)
        try:
            return self._raw.readinto(buffer)
        except socket.timeout:
            raise _late() from None
        finally:
            self._sock.settimeout(self._patience)

    def fileno(self) -> int:
        return self._raw.fileno()

    def close(self) -> None:
        self._raw.close()
        super().close()


class _TimedResponse(http.client.HTTPResponse):
    """An answer that is read through a :class:`_TimedReader`."""

    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self.fp = io.BufferedReader(_TimedReader(self.fp.detach(), sock))

    def _read_status(self) -> tuple[str, int, str]:
        """Pass over informational answers (RFC 9110, 15.2), of which http.client knows 100 alone.

        Not over 101: what follows it is another protocol.
        """
        while True:
            version, status, reason = super()._read_status()  # type: ignore[misc]
            if not _FIRST_HINT <= status < _FINAL:
                return version, status, reason
            http.client.parse_headers(self.fp)
