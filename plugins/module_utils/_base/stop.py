# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a run is asked to end: a mark is set, and whoever works or waits looks at it.

Nothing is raised where the signal comes. An exception out of a signal handler may come while a queue or a lock is half
taken, which nobody gives back then, and the run would hang for ever.
"""

from __future__ import annotations

import time
from typing import Callable

from .errors import Interrupted

LOOK_SECONDS = 0.05
"""How long a wait may go on without a look at the stop."""

Check = Callable[[], None]
"""Raises :class:`Interrupted` when the run is to end; called by what takes long, every now and then."""


def go_on() -> None:
    """The :data:`Check` of what nobody can stop."""


class Stop:
    """Set once; all threads look at it.

    There is no lock in it, also none that a library would take: a signal handler runs in the midst of whatever the main
    thread does, and would wait for itself.
    """

    def __init__(self) -> None:
        self._is_set = False
        self._reason = ""

    @property
    def reason(self) -> str:
        """Why the run was asked to end; empty when it was not."""
        return self._reason

    def request(self, reason: str) -> None:
        """Ask the run to end; may be called anywhere, in a signal handler too. The first reason counts."""
        self._reason = self._reason or reason
        self._is_set = True

    def end(self) -> None:
        """Have all threads end, because their caller failed."""
        self._is_set = True

    def is_set(self) -> bool:
        return self._is_set

    def wait(self, seconds: float) -> bool:
        """Sleep, but not beyond a stop.

        :returns: whether the run was stopped.
        """
        until = time.monotonic() + seconds
        while not self._is_set and (left := until - time.monotonic()) > 0:
            time.sleep(min(left, LOOK_SECONDS))
        return self._is_set

    def check(self) -> None:
        """:raises Interrupted: when the run was stopped."""
        if self._is_set:
            raise Interrupted(self._reason or "the run was stopped")
