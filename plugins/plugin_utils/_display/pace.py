# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""When the next line of progress is due. Pure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Rhythm:
    """Seconds between two lines.

    :param first: at first.
    :param most: at most, when a run is old: each time is a twentieth of what has passed so far.
    """

    first: float
    most: float


ON_TERMINAL = Rhythm(first=5.0, most=120.0)
IN_LOG = Rhythm(first=60.0, most=300.0)
IN_PLACE = Rhythm(first=1.0, most=1.0)
"""A line that replaces the one before takes no room."""

STILL = 300.0
"""Seconds after which a line comes even if nothing has moved: someone may wonder whether the run is alive."""

_SHARE = 0.05


class Pace:
    """Decides when the next line is due: often at first and less often later, and only if something has moved."""

    def __init__(self, rhythm: Rhythm) -> None:
        self._rhythm = rhythm
        self._started: float | None = None
        self._shown = 0.0
        self._step: str | None = None
        self._news: object = None
        self._moved = 0.0
        self._has_moved = False

    def is_due(self, now: float, step: str = "", news: object = None) -> bool:
        """Return True if a line is due, and count it as shown.

        :param now: seconds of any clock.
        :param step: of the work; the first line of a new step is always due.
        :param news: differs if anything has moved since the last call.
        """
        if self._started is None:
            self._started = self._moved = now
        if news != self._news:
            self._news, self._moved, self._has_moved = news, now, True
        if step == self._step and now < self._shown + self._wait(now - self._started):
            return False
        self._step, self._shown, self._has_moved = step, now, False
        return True

    def still(self, now: float) -> float:
        """Return the seconds for which nothing has moved."""
        return now - self._moved

    def _wait(self, age: float) -> float:
        if not self._has_moved:
            return STILL
        return min(self._rhythm.most, max(self._rhythm.first, _SHARE * age))
