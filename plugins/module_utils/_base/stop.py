# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ends a run on request: a flag is set, which all that works or waits checks.

Nothing is raised in a signal handler. An exception there could come while a queue or a lock is half taken, which would
never be released, and the run would hang forever.
"""

from __future__ import annotations

import time
from typing import Callable

from .errors import Interrupted

LOOK_SECONDS = 0.05
"""How many seconds a wait may go on without checking for a stop."""

Check = Callable[[], None]
"""Raises :class:`Interrupted` when the run is to end; called now and then by everything that takes long."""


def go_on() -> None:
    """Do nothing: the :data:`Check` for work that cannot be stopped."""


class Stop:
    """A flag that is set once, and that all threads check.

    It takes no lock, not even within a library: a signal handler interrupts the main thread, and would wait for itself.
    """

    def __init__(self) -> None:
        self._is_set = False
        self._reason = ""

    @property
    def reason(self) -> str:
        """Why the run was asked to end; empty if it was not."""
        return self._reason

    def request(self, reason: str) -> None:
        """Ask the run to end; can be called anywhere, even in a signal handler. The first reason counts."""
        self._reason = self._reason or reason
        self._is_set = True

    def end(self) -> None:
        """End all threads, because their caller has failed."""
        self._is_set = True

    def is_set(self) -> bool:
        """True if the run is to end."""
        return self._is_set

    def wait(self, seconds: float) -> bool:
        """Sleep until a time is over, or the run is stopped.

        :returns: whether the run was stopped.
        """
        until = time.monotonic() + seconds
        while not self._is_set and (left := until - time.monotonic()) > 0:
            time.sleep(min(left, LOOK_SECONDS))
        return self._is_set

    def check(self) -> None:
        """Return if the run may go on.

        :raises Interrupted: when it was stopped.
        """
        if self._is_set:
            raise Interrupted(self._reason or "the run was stopped")
