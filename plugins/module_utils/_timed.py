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

from ._errors import TransferError

if TYPE_CHECKING:
    from requests.adapters import HTTPAdapter
    from urllib3 import HTTPConnectionPool, PoolManager

_FIRST_HINT, _FINAL = 102, 200
_LEAST_SECONDS = 0.001  # a socket takes 0 for "do not wait at all"
_thread = threading.local()  # until: time.monotonic() up to which this thread reads


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


def ensure_time() -> None:
    """:raises TransferError: when this thread has no time left; what failed then may have failed because of it."""
    if time.monotonic() >= _until():
        raise _late()


def _until() -> float:
    return float(getattr(_thread, "until", math.inf))


def _late() -> TransferError:
    return TransferError("it was not done within timeout; run again, or raise timeout", heals=False, is_final=True)


def timed_adapter(connections: int) -> HTTPAdapter:
    """An adapter of ``requests`` whose connections look at :func:`time_left`.

    :param connections: kept to one host at most.
    """
    from requests.adapters import HTTPAdapter  # only where requests is there
    from urllib3.util.ssl_ import create_urllib3_context

    class TimedAdapter(HTTPAdapter):
        """Also through proxies, whose pools are made when they are needed."""

        def proxy_manager_for(self, proxy: str, **options: Any) -> Any:
            is_new = proxy not in self.proxy_manager
            manager = super().proxy_manager_for(proxy, **options)
            if is_new:
                _time(manager)
            return manager

        def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
            super().cert_verify(conn, url, verify, cert)  # type: ignore[no-untyped-call]
            if verify is False and url.lower().startswith("https"):
                # Else all authorities of the system are read, which takes longer than a request, and none is asked.
                conn.conn_kw.setdefault("ssl_context", create_urllib3_context(cert_reqs=ssl.CERT_NONE))

    adapter = TimedAdapter(pool_connections=4, pool_maxsize=connections, pool_block=False)
    _time(adapter.poolmanager)
    return adapter


def _time(manager: PoolManager) -> None:
    pools = manager.pool_classes_by_scheme
    manager.pool_classes_by_scheme = {scheme: _timed(pool) for scheme, pool in pools.items()}


def _timed(pool: type[HTTPConnectionPool]) -> type[HTTPConnectionPool]:
    """The same kind of pool, of connections whose answers are timed."""
    connection = type("TimedConnection", (pool.ConnectionCls,), {"response_class": _TimedResponse})
    return type("TimedPool", (pool,), {"ConnectionCls": connection})


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
