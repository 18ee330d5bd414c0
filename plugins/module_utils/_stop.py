# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a run is asked to end: at once, but not between the renames that put a new archive in place."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Callable

from ._errors import Interrupted


class Stop:
    """Set once, by a signal; all threads look at it."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self._is_deferred = False
        self._reason = ""

    @property
    def reason(self) -> str:
        """Why the run was asked to end; empty when it was not."""
        return self._reason

    def request(self, reason: str) -> None:
        """Ask the run to end; called in the main thread, at any point of it.

        :raises Interrupted: unless it is deferred just now.
        """
        self._reason = reason
        self._event.set()
        if not self._is_deferred:
            raise Interrupted(reason)

    def end(self) -> None:
        """Have all threads end, because their caller failed."""
        self._event.set()

    def is_set(self) -> bool:
        return self._event.is_set()

    def wait(self, seconds: float) -> bool:
        """Sleep, but not beyond a stop.

        :returns: whether the run was stopped.
        """
        return self._event.wait(seconds)

    def check(self) -> None:
        """:raises Interrupted: when the run was stopped."""
        if self.is_set():
            raise Interrupted(self._reason or "the run was stopped")

    @contextmanager
    def deferred(self) -> Iterator[None]:
        """Finish what is in the block, then end."""
        self._is_deferred = True
        try:
            yield
        finally:
            self._is_deferred = False
        self.check()


def to_the_end(action: Callable[[], None]) -> None:
    """Do something that may be repeated, such as clearing up, even if the run is asked to end in the midst of it.

    :raises Interrupted: afterwards. It comes once: whoever is asked to end does not listen any more.
    """
    try:
        action()
    except Interrupted:
        action()
        raise
