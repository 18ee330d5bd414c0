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

_thread = threading.local()  # until: time.monotonic() up to which this thread reads


@contextmanager
def time_left(seconds: float) -> Iterator[None]:
    """Let all that this thread reads in the block end after some seconds, with a :class:`TransferError`."""
    before = getattr(_thread, "until", math.inf)
    _thread.until = min(before, time.monotonic() + seconds)
    try:
        yield
    finally:
        _thread.until = before


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
    """A socket's bytes, until the time is up."""

    def __init__(self, raw: io.RawIOBase) -> None:
        super().__init__()
        self._raw = raw

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int | None:  # type: ignore[override]
        if time.monotonic() >= getattr(_thread, "until", math.inf):
            told = "it was not done within timeout; run again, or raise timeout"
            raise TransferError(told, heals=False, is_final=True)
        return self._raw.readinto(buffer)

    def fileno(self) -> int:
        return self._raw.fileno()

    def close(self) -> None:
        self._raw.close()
        super().close()


class _TimedResponse(http.client.HTTPResponse):
    """An answer that is read through a :class:`_TimedReader`."""

    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self.fp = io.BufferedReader(_TimedReader(self.fp.detach()))
