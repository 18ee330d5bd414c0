# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Connections that are kept for the next request: a limited number, however many hosts a list names.

Each is an open file, and a process may have few of them. A pool limits only those to its own origin.
"""

from __future__ import annotations

import threading
from typing import Protocol


class Closable(Protocol):
    """A connection; one that was closed connects anew at its next request."""

    def close(self) -> None:
        """Give the socket back."""


class IdleConnections:
    """The idle connections of a run; the one that has been idle for the longest is closed first.

    :param most: how many are kept.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._mutex = threading.Lock()
        self._idle: dict[int, Closable] = {}

    def put(self, connection: Closable) -> None:
        """Count a connection as idle; to be called before another thread can take it."""
        with self._mutex:
            self._idle[id(connection)] = connection
            while len(self._idle) > self._most:
                self._idle.pop(next(iter(self._idle))).close()

    def take(self, connection: Closable) -> None:
        """Count a connection as in use, so that it is not closed here; it may have been closed before."""
        with self._mutex:
            self._idle.pop(id(connection), None)
