# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How watching a run ends early, and the signals that ask the controller to end."""

from __future__ import annotations

import os
import signal
import time
from typing import Any

from ansible_collections.airgap.images.plugins.module_utils._base.stop import LOOK_SECONDS


class Stopped(Exception):
    """The controller was asked to end."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


class Orphaned(Exception):
    """Nobody is waiting for the result any more."""


class Signals:
    """Records C(SIGINT) and C(SIGTERM) while there is a job; they are handled where that is safe.

    An exception in a handler could leave a message to Ansible's main process half written, which would then wait for
    the rest forever.
    """

    _NUMBERS = (signal.SIGINT, signal.SIGTERM)

    def __init__(self) -> None:
        self._noted = 0
        self._is_heeded = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Signals:
        for number in self._NUMBERS:
            if signal.getsignal(number) is not signal.SIG_IGN:
                self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *problem: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        if self._noted and not self._is_heeded:
            os.kill(os.getpid(), self._noted)

    def check(self) -> None:
        """Handle a signal that has arrived.

        :raises Stopped: when one has.
        """
        if self._noted:
            self._is_heeded = True
            raise Stopped(self._noted)

    def sleep(self, seconds: float) -> None:
        """Sleep until the time is over or a signal arrives.

        :raises Stopped: when one has arrived.
        """
        for _piece in range(max(0, round(seconds / LOOK_SECONDS))):
            self.check()
            time.sleep(LOOK_SECONDS)
        self.check()

    def _note(self, number: int, frame: object) -> None:
        self._noted = self._noted or number
