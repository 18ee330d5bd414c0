# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Connections that were kept, and that the host has closed, or said something on, before they are used again."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from ansible_collections.airgap.images.plugins.module_utils._base.errors import TransferError
from ansible_collections.airgap.images.plugins.module_utils._http.client import Http
from ansible_collections.airgap.images.plugins.module_utils._http.tls import Trust

HELLO = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
TOO_LATE = b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class Host:
    """Answers one request on each connection, and then says its last words and closes it.

    :ivar heads: of the requests, one list for each connection.
    """

    def __init__(self, last_words: bytes, answer: bytes = HELLO) -> None:
        self.heads: list[bytes] = []
        self.closed = threading.Semaphore(0)
        self._last_words = last_words
        self._answer = answer
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.name = f"127.0.0.1:{self._listener.getsockname()[1]}"

    def serve(self) -> None:
        while True:
            try:
                connection, _address = self._listener.accept()
            except OSError:
                return
            with connection:
                self.heads.append(connection.recv(65536))
                connection.sendall(self._answer + self._last_words)
            self.closed.release()

    def end(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


@contextmanager
def serving(last_words: bytes = b"") -> Iterator[tuple[Host, Http]]:
    host = Host(last_words)
    thread = threading.Thread(target=host.serve)
    thread.start()
    http = Http(host.name, Trust(False, None), read_timeout=30, connections=4)
    try:
        yield host, http
    finally:
        http.close()
        host.end()
        thread.join()


def ask(host: Host, http: Http, method: str = "GET") -> bytes:
    body = http.read(
        method, f"http://{host.name}/", headers={}, limit=100, body=b"x" if method == "POST" else None
    ).body
    assert host.closed.acquire(timeout=60)
    return body


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_connection_that_was_closed_is_replaced(method: str) -> None:
    with serving() as (host, http):
        assert [ask(host, http, method) for _time in range(3)] == [b"hello"] * 3
        assert [head.partition(b" ")[0].decode() for head in host.heads] == [method] * 3


def test_unasked_bytes_are_not_taken_for_an_answer() -> None:
    with serving(TOO_LATE) as (host, http):
        assert [ask(host, http) for _time in range(2)] == [b"hello"] * 2


def test_a_new_connection_that_breaks_off_is_a_failure() -> None:
    host = Host(b"", answer=b"")
    thread = threading.Thread(target=host.serve)
    thread.start()
    http = Http(host.name, Trust(False, None), read_timeout=30, connections=4)
    with pytest.raises(TransferError, match="closed connection without") as caught:
        http.read("GET", f"http://{host.name}/", headers={}, limit=100)
    assert caught.value.heals and len(host.heads) == 1
    host.end()
    thread.join()
