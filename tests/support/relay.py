# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A relay before a TCP server, such as an sshd: counts bytes, stops them midway, cuts connections."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType

_CHUNK = 64 * 1024


@dataclass
class Connection:
    """One connection; ``port`` is what the server sees as the client's. ``sent`` are bytes from the server."""

    port: int
    sent: int = 0


class Relay:
    """Listens on a port of its own and hands on to ``port`` on 127.0.0.1, as a context manager."""

    def __init__(self, port: int) -> None:
        self._upstream = port
        self._changed = threading.Condition()
        self._connections: list[Connection] = []
        self._sockets: list[socket.socket] = []
        self._pumps: list[threading.Thread] = []
        self._limit: int | None = None
        self._refuse = 0
        self._ended = False
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._accept, daemon=True)

    def __enter__(self) -> Relay:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._changed:
            self._ended = True
            self._changed.notify_all()
        # A close alone does not wake up the thread that waits for a connection.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listener.close()
        self.cut()
        for pump in self._pumps:
            pump.join()
        for each in self._sockets:
            each.close()

    @property
    def sent(self) -> int:
        """How many bytes have come from the server, over all connections."""
        with self._changed:
            return self._sent

    @property
    def _sent(self) -> int:
        return sum(each.sent for each in self._connections)

    def connections(self) -> list[Connection]:
        """Every connection so far."""
        with self._changed:
            return [Connection(each.port, each.sent) for each in self._connections]

    def stall_after(self, size: int) -> None:
        """Once the server has sent ``size`` bytes more, nothing more of it is handed on until ``go_on``."""
        with self._changed:
            self._limit = self._sent + size

    def go_on(self) -> None:
        """Hands on what was held back, and everything from now on."""
        with self._changed:
            self._limit = None
            self._changed.notify_all()

    def cut(self) -> None:
        """Breaks every connection off; new ones are taken."""
        with self._changed:
            sockets = list(self._sockets)
        for each in sockets:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def drop(self, count: int, timeout: float = 60.0) -> None:
        """Breaks every connection off, turns the next ``count`` away and returns once that many were.

        :raises TimeoutError: they were not within ``timeout`` seconds
        """
        with self._changed:
            self._refuse = count
        self.cut()
        with self._changed:
            if not self._changed.wait_for(lambda: self._refuse == 0, timeout):
                raise TimeoutError(f"{self._refuse} connections less were tried within {timeout} seconds")

    def wait_for_stall(self, timeout: float = 120.0) -> None:
        """Returns once bytes are held back.

        :raises TimeoutError: none were within ``timeout`` seconds
        """
        with self._changed:
            if not self._changed.wait_for(lambda: self._limit is not None and self._sent >= self._limit, timeout):
                raise TimeoutError(f"not seen within {timeout} seconds; connections: {self._connections}")

    def _accept(self) -> None:
        while not self._ended:
            try:
                client, _address = self._listener.accept()
            except OSError:  # the end
                return
            if self._turn_away():
                client.close()
                continue
            try:
                server = socket.create_connection(("127.0.0.1", self._upstream))
            except OSError:
                client.close()
                continue
            connection = Connection(server.getsockname()[1])
            with self._changed:
                self._connections.append(connection)
                self._sockets += [client, server]
            for arguments in ((client, server, None), (server, client, connection)):
                pump = threading.Thread(target=self._pump, args=arguments, daemon=True)
                self._pumps.append(pump)
                pump.start()

    def _turn_away(self) -> bool:
        with self._changed:
            if not self._refuse:
                return False
            self._refuse -= 1
            self._changed.notify_all()
            return True

    def _pump(self, source: socket.socket, target: socket.socket, counted: Connection | None) -> None:
        with suppress(OSError):
            while data := source.recv(_CHUNK):
                if counted:
                    data = self._count(counted, data, target)
                target.sendall(data)
        for each in (source, target):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def _count(self, connection: Connection, data: bytes, target: socket.socket) -> bytes:
        """Counts what has come from the server and returns what may be handed on now, once it may."""
        with self._changed:
            room = len(data) if self._limit is None else self._limit - self._sent
            now = max(0, min(room, len(data)))
            connection.sent += now
        if now < len(data):
            target.sendall(data[:now])
            with self._changed:
                self._changed.notify_all()
                self._changed.wait_for(lambda: self._limit is None or self._ended)
                connection.sent += len(data) - now
            return data[now:]
        return data
