# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A link of limited bandwidth on loopback: ``python -m … link PORT`` writes its own port, and serves until stdin ends.

A process of its own, so that it does not share an interpreter with what measures.
"""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from ..support.module import environment
from .process import MEGA

RATE = 40 * MEGA
"""Bytes a second from the server to all clients together."""

LATENCY = 0.020
"""Seconds that pass before a new connection is handed on."""

_BURST = 0.020
"""Seconds of idle time that the link makes up for, or every late wake-up of a thread would slow it down for good."""

_CHUNK = 128 * 1024


class Bucket:
    """Tells everybody who has bytes to send when the link is free for them."""

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._lock = threading.Lock()
        self._free = 0.0

    def take(self, size: int) -> None:
        """Returns when ``size`` bytes have gone over the link. What it did not carry while idle is lost, nearly all."""
        with self._lock:
            self._free = max(self._free, time.monotonic() - _BURST) + size / self._rate
            free = self._free
        time.sleep(max(0.0, free - time.monotonic()))


def serve(listener: socket.socket, port: int, bucket: Bucket) -> None:
    """Hands every connection on to ``port``, for ever."""
    while True:
        client, _address = listener.accept()
        threading.Thread(target=_connect, args=(client, port, bucket), daemon=True).start()


def _connect(client: socket.socket, port: int, bucket: Bucket) -> None:
    time.sleep(LATENCY)
    server = socket.create_connection(("127.0.0.1", port))
    for each in (client, server):
        each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    up = threading.Thread(target=_pump, args=(client, server, None), daemon=True)
    up.start()
    _pump(server, client, bucket)
    up.join()
    client.close()
    server.close()


def _pump(source: socket.socket, target: socket.socket, bucket: Bucket | None) -> None:
    buffer = memoryview(bytearray(_CHUNK))
    with suppress(OSError):
        while size := source.recv_into(buffer):
            if bucket:
                bucket.take(size)
            target.sendall(buffer[:size])
    for each in (source, target):
        with suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)


@contextmanager
def shaped(port: int) -> Iterator[str]:
    """A link to ``port`` on 127.0.0.1, as ``HOST:PORT``."""
    command = [sys.executable, "-m", "ansible_collections.airgap.images.tests.bench.link", str(port)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment()) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        yield f"127.0.0.1:{int(process.stdout.readline())}"
        process.stdin.close()


def main() -> None:
    """Listens on a port that the kernel chooses."""
    with socket.create_server(("127.0.0.1", 0), backlog=128) as listener:
        arguments = (listener, int(sys.argv[1]), Bucket(RATE))
        threading.Thread(target=serve, args=arguments, daemon=True).start()
        print(listener.getsockname()[1], flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
