# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Lines about the progress of a task: how often they are shown, and where."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping

from ansible import constants
from ansible.playbook.task import Task
from ansible.utils.display import Display

from ansible_collections.airgap.images.plugins.module_utils._base.errors import printable

# Workers have no terminal, but Ansible loads action plugins before it starts a worker.
IS_TERMINAL = os.isatty(2)

ON_TERMINAL = 5.0
IN_LOG = 60.0
"""Seconds between two lines."""

_LONGEST = 4000


class Pace:
    """Decides when the next line is due. Pure.

    :param interval: seconds between two lines.
    """

    def __init__(self, interval: float) -> None:
        self._interval = interval
        self._due = 0.0
        self._step = ""

    def is_due(self, now: float, step: str = "") -> bool:
        """Return True if a line is due, and count it as shown.

        :param now: seconds of any clock.
        :param step: of the work; the first line of a new step is always due.
        """
        if now < self._due and step == self._step:
            return False
        self._due, self._step = now + self._interval, step
        return True


class Ticker:
    """Shows lines about one task and host on standard error, so that the output of callbacks stays as it is.

    :param who: the beginning of each line.
    :param is_silent: whether nothing is shown, as for tasks with C(no_log).
    """

    def __init__(self, who: str, *, is_silent: bool) -> None:
        self._who = who
        self._is_silent = is_silent
        self._display = Display()
        self._pace = Pace(ON_TERMINAL if IS_TERMINAL else IN_LOG)

    @classmethod
    def of(cls, task: Task, variables: Mapping[str, object]) -> Ticker:
        """Make the ticker of a task on the host of these variables."""
        return cls(str(variables.get("inventory_hostname", "the host")), is_silent=task.no_log is True)

    def say(self, text: str) -> None:
        """Show a line now."""
        self._show(text, None)

    def warn(self, text: str) -> None:
        """Show a line as a warning."""
        self._show(text, str(constants.config.get_config_value("COLOR_WARN")))

    def detail(self, text: str) -> None:
        """Show a line with C(-v)."""
        if self._display.verbosity >= 1:
            self._show(text, None)

    def tick(self, text: Callable[[], str], step: str = "") -> None:
        """Show a line if one is due, or a new step of the work has begun.

        :param text: makes the line; an empty one is not shown.
        """
        if self._pace.is_due(time.monotonic(), step) and (line := text()):
            self._show(line, None)

    def say_paths(self, returned: Mapping[str, object]) -> None:
        """Show the paths of report and restore script, if the task returned them."""
        for what, name in (("the report", "report_file"), ("to unpack it", "restore_file")):
            if returned.get(name):
                self.say(f"{what}: {returned[name]}")

    def _show(self, text: str, color: str | None) -> None:
        """Show a line, made safe: it may contain text from the host."""
        if not self._is_silent:
            self._display.display(f"{self._who}: {printable(text, _LONGEST)}", color=color, stderr=True)
