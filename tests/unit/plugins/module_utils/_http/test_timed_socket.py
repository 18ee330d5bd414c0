# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Answers that end in time, and what comes before them."""

from __future__ import annotations

import math
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest

from ansible_collections.airgap.images.plugins.module_utils._base.deadline import at_most, ensure_time, time_left
from ansible_collections.airgap.images.plugins.module_utils._base.errors import TransferError
from ansible_collections.airgap.images.plugins.module_utils._http.client import Http
from ansible_collections.airgap.images.plugins.module_utils._http.response import Response
from ansible_collections.airgap.images.plugins.module_utils._http.tls import Trust

FINAL = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody"


@contextmanager
def answering(*pieces: bytes, pause: float = 0.0, ends: bool = True) -> Iterator[str]:
    """A server that sends these bytes to the first who comes, the last of them for ever unless it ``ends``."""
    over = threading.Event()

    def serve() -> None:
        connection, _address = listener.accept()
        with connection, suppress(OSError):
            connection.recv(65536)
            for piece in pieces:
                connection.sendall(piece)
            while not over.wait(pause) and not ends:
                connection.sendall(pieces[-1])
            over.wait(60)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"127.0.0.1:{listener.getsockname()[1]}"
        finally:
            over.set()
            thread.join()


def ask(host: str, method: str = "GET") -> Response:
    http = Http(host, Trust(True, None), read_timeout=30, connections=1)
    try:
        return http.read(method, f"http://{host}/", headers={}, limit=1000)
    finally:
        http.close()


def hint(status: int) -> bytes:
    return b"HTTP/1.1 %d Hint\r\nLink: </style.css>; rel=preload\r\nX: y\r\n\r\n" % status


@pytest.mark.parametrize("statuses", [(100,), (102,), (103,), (103, 103, 100, 102, 199)], ids=str)
def test_informational_answers_are_passed_over(statuses: tuple[int, ...]) -> None:
    with answering(*map(hint, statuses), FINAL) as host:
        answer = ask(host)
    assert (answer.status, answer.body, answer.header("link")) == (200, b"body", "")


def test_also_before_the_answer_to_head() -> None:
    with answering(hint(103), FINAL[:-4]) as host:
        answer = ask(host, "HEAD")
    assert (answer.status, answer.header("content-length")) == (200, "4")


def test_a_switch_to_another_protocol_is_an_answer() -> None:
    with answering(hint(101)) as host:
        assert ask(host).status == 101


ENDLESS = {
    "no head": b"HTTP/1.1 200 OK\r\nX: y",
    "hints": hint(103),
    "a body": b"HTTP/1.1 200 OK\r\n\r\nx",
}


@pytest.mark.parametrize("piece", ENDLESS.values(), ids=ENDLESS)
@pytest.mark.parametrize("pause", [0.01, 30.0], ids=["drips", "silent"])
def test_an_answer_ends_when_time_is_up(piece: bytes, pause: float) -> None:
    """Bytes come now and then, or not any more; the socket alone would wait 30 s for them."""
    with answering(piece, b"x", pause=pause, ends=False) as host, time_left(0.3):
        with pytest.raises(TransferError, match="not done within timeout") as caught:
            ask(host)
        assert (caught.value.heals, caught.value.is_final) == (False, True)
        with pytest.raises(TransferError, match="not done within timeout"):
            ensure_time()


def test_the_least_time_counts() -> None:
    assert at_most(30) == 30 and at_most(math.inf) == math.inf
    with time_left(1000), time_left(5):
        assert 4 < at_most(30) <= 5
        with time_left(900):
            assert at_most(30) <= 5
    with time_left(-1):
        assert 0 < at_most(30) < 0.1
    ensure_time()
