# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Bodies that are sent: large ones, to hosts that stop reading them."""

from __future__ import annotations

import io
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Callable

import pytest

from ansible_collections.airgap.images.plugins.module_utils._base.deadline import time_left
from ansible_collections.airgap.images.plugins.module_utils._base.errors import TransferError
from ansible_collections.airgap.images.plugins.module_utils._http import timed_socket
from ansible_collections.airgap.images.plugins.module_utils._http.client import Http
from ansible_collections.airgap.images.plugins.module_utils._http.response import Response
from ansible_collections.airgap.images.plugins.module_utils._http.tls import Trust

SIZE = 32 * 1024 * 1024
"""More than the buffers of two sockets hold."""

TOO_LARGE = b"HTTP/1.1 413 Too Large\r\nContent-Length: 4\r\n\r\nmuch"


@contextmanager
def serving(serve: Callable[[socket.socket, threading.Event], None]) -> Iterator[str]:
    """A server that does this with the first connection; the event is set once it is to end."""
    over = threading.Event()

    def run() -> None:
        connection, _address = listener.accept()
        with connection:
            serve(connection, over)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=run)
        thread.start()
        try:
            yield f"127.0.0.1:{listener.getsockname()[1]}"
        finally:
            over.set()
            thread.join()


def send(host: str, read_timeout: float = 30, more_time: float = 0) -> Response:
    http = Http(host, Trust(True, None), read_timeout=read_timeout, connections=1)
    headers = {"Content-Length": str(SIZE)}
    try:
        body = io.BytesIO(bytes(SIZE))
        return http.read("PUT", f"http://{host}/", headers=headers, limit=1000, body=body, more_time=more_time)
    finally:
        http.close()


def read_nothing(_connection: socket.socket, over: threading.Event) -> None:
    over.wait(60)


def test_a_host_that_accepts_nothing_is_given_up() -> None:
    with serving(read_nothing) as host, pytest.raises(TransferError, match="accepted nothing within") as caught:
        send(host, read_timeout=0.2)
    assert caught.value.heals


def test_a_body_is_given_up_when_time_is_up() -> None:
    with serving(read_nothing) as host, time_left(0.3):
        with pytest.raises(TransferError, match="not done within timeout") as caught:
            send(host)
        assert caught.value.is_final


def test_an_answer_before_the_end_of_the_body_is_read() -> None:
    def refuse(connection: socket.socket, _over: threading.Event) -> None:
        connection.recv(65536)
        connection.sendall(TOO_LARGE)

    with serving(refuse) as host:
        answer = send(host)
    assert (answer.status, answer.body) == (413, b"much")


@pytest.mark.parametrize("answer", [TOO_LARGE, b""], ids=["an answer", "an end"])
def test_a_host_that_answers_and_then_accepts_nothing_more(answer: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """It keeps the connection open, so that there is no error to notice."""
    monkeypatch.setattr(timed_socket, "_UNTIL_A_LOOK", 0.1)

    def refuse(connection: socket.socket, over: threading.Event) -> None:
        connection.recv(65536)
        connection.sendall(answer)
        connection.shutdown(socket.SHUT_WR)
        over.wait(60)

    with serving(refuse) as host:
        if answer:
            assert send(host).body == b"much"
        else:
            with pytest.raises(TransferError, match="closed connection"):
                send(host)


def test_a_host_that_goes_away_within_the_body() -> None:
    def leave(connection: socket.socket, _over: threading.Event) -> None:
        connection.recv(65536)

    with serving(leave) as host, pytest.raises(TransferError) as caught:
        send(host)
    assert caught.value.heals


def take(connection: socket.socket, received: list[int]) -> None:
    """Read a whole request, and take down how many bytes of its body came at a time."""
    head = b""
    while b"\r\n\r\n" not in head:
        head += connection.recv(65536)
    received.append(len(head.partition(b"\r\n\r\n")[2]))
    while sum(received) < SIZE:
        received.append(len(connection.recv(1024 * 1024)))


CREATED = b"HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n"


def test_all_of_a_body_arrives() -> None:
    received: list[int] = []

    def serve(connection: socket.socket, _over: threading.Event) -> None:
        take(connection, received)
        connection.sendall(CREATED)

    with serving(serve) as host:
        assert send(host).status == 201
    assert sum(received) == SIZE


def test_an_answer_may_take_longer_after_a_large_body() -> None:
    def serve(connection: socket.socket, over: threading.Event) -> None:
        take(connection, [])
        over.wait(1)  # far longer than a host may usually be silent
        connection.sendall(CREATED)

    with serving(serve) as host:
        assert send(host, read_timeout=0.5, more_time=60).status == 201
