# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Measures the time that one image takes, without the time in which it waits for its turn."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager


class Clock:
    """Runs while any transfer of its image does; two at once take no more time than one.

    :param seconds: how long the image may take in all.
    """

    def __init__(self, seconds: float) -> None:
        self._mutex = threading.Lock()
        self._left = seconds
        self._running = 0
        self._since = 0.0

    @contextmanager
    def running(self) -> Iterator[float]:
        """Run during the block, and give the ``time.monotonic()`` at which the time is over."""
        with self._mutex:
            if not self._running:
                self._since = time.monotonic()
            self._running += 1
            deadline = self._since + self._left
        try:
            yield deadline
        finally:
            with self._mutex:
                self._running -= 1
                if not self._running:
                    self._left -= time.monotonic() - self._since
