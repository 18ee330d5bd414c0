# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Connections to names with several addresses, some of which may be dead (RFC 8305, "Happy Eyeballs").

Where IPv6 is announced but does not work, each connection would otherwise time out before IPv4 is tried.
"""

from __future__ import annotations

import os
import selectors
import socket
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Any, cast

_HEAD_START = 0.25  # seconds for an address before the next one is tried beside it

AddressInfo = tuple[int, int, int, str, Any]
"""An entry of the result of ``getaddrinfo``."""


class Dialer:
    """Makes connections, and remembers for each name which family of addresses answered."""

    def __init__(self) -> None:
        self._families: dict[str, int] = {}

    def connect(self, host: str, port: int, *, seconds: float, options: Iterable[Any] = ()) -> socket.socket:
        """Connect to the first address that answers; the others are tried a moment later, beside it.

        :param seconds: for all addresses together.
        :param options: arguments for ``setsockopt``.
        :raises OSError: why it could not be; :class:`socket.timeout` when the time was up.
        """
        found = socket.getaddrinfo(host, port, 0, socket.SOCK_STREAM)
        addresses = in_order(found, self._families.get(host))
        with _Race(addresses, tuple(options)) as race:
            sock = race.run(time.monotonic() + seconds)
        self._families[host] = sock.family
        sock.settimeout(seconds)
        return sock


def in_order(found: Sequence[AddressInfo], family: int | None) -> list[AddressInfo]:
    """Addresses by turns of their families, in the system's order; the family that answered before comes first."""
    first = family if any(each[0] == family for each in found) else (found[0][0] if found else None)
    ours = [each for each in found if each[0] == first]
    others = [each for each in found if each[0] != first]
    turns: list[AddressInfo] = []
    while ours or others:
        turns += [*ours[:1], *others[:1]]
        ours, others = ours[1:], others[1:]
    return turns


class _Race:
    """Attempts to connect, each with a head start against the next."""

    def __init__(self, addresses: list[AddressInfo], options: tuple[Any, ...]) -> None:
        self._waiting = addresses
        self._options = options
        self._selector = selectors.DefaultSelector()
        self._failures: list[OSError] = []

    def __enter__(self) -> _Race:
        return self

    def __exit__(self, *_why: object) -> None:
        for key in list(self._selector.get_map().values()):
            self._drop(key.fileobj)
        self._selector.close()

    def run(self, deadline: float) -> socket.socket:
        start_next = 0.0
        while True:
            now = time.monotonic()
            under_way = len(self._selector.get_map())
            if now >= deadline and (under_way or self._waiting):
                raise socket.timeout("timed out")
            if self._waiting and (now >= start_next or not under_way):
                self._begin(*self._waiting.pop(0))
                start_next = now + _HEAD_START
                continue
            if not under_way:
                raise self._reason()
            until = min(deadline, start_next) if self._waiting else deadline
            for key, _events in self._selector.select(max(0.0, until - now)):
                sock = cast("socket.socket", key.fileobj)
                problem = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                if not problem:
                    self._selector.unregister(sock)
                    return sock
                self._drop(sock)
                self._failures.append(OSError(problem, os.strerror(problem)))
                start_next = 0.0

    def _begin(self, family: int, kind: int, protocol: int, _name: str, address: Any) -> None:
        sock = None
        try:
            sock = socket.socket(family, kind, protocol)
            for option in self._options:
                sock.setsockopt(*option)
            sock.setblocking(False)
            with suppress(BlockingIOError):
                sock.connect(address)
            self._selector.register(sock, selectors.EVENT_WRITE)
        except OSError as error:
            if sock is not None:
                sock.close()
            self._failures.append(error)

    def _drop(self, sock: Any) -> None:
        self._selector.unregister(sock)
        sock.close()

    def _reason(self) -> OSError:
        """The most telling failure: that nobody listens at one address says more than that no way leads to another."""
        refused = [each for each in self._failures if isinstance(each, ConnectionRefusedError)]
        return (refused or self._failures or [OSError("the name has no address")])[0]
