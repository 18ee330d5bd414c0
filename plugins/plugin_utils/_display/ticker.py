# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Lines about the progress of a task: how often they are shown, and where."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping

from ansible import constants
from ansible.playbook.task import Task
from ansible.utils.display import Display

from ansible_collections.airgap.images.plugins.module_utils._base.errors import printable
from ansible_collections.airgap.images.plugins.plugin_utils._display import screen
from ansible_collections.airgap.images.plugins.plugin_utils._display.line import Line, width_of
from ansible_collections.airgap.images.plugins.plugin_utils._display.lines import still_piece
from ansible_collections.airgap.images.plugins.plugin_utils._display.pace import (
    IN_LOG,
    IN_PLACE,
    ON_TERMINAL,
    STILL,
    Pace,
)
from ansible_collections.airgap.images.plugins.plugin_utils._display.screen import Screen

_LONGEST = 4000
_ERASE = "\r\x1b[K"
"""Goes to the start of the row, and empties it."""


class Ticker:
    """Shows lines about one task and host on standard error, so that the output of callbacks stays as it is.

    :param who: the beginning of each line.
    :param is_silent: whether nothing is shown, as for tasks with C(no_log).
    :param place: the screen that they appear on.
    """

    def __init__(self, who: str, *, is_silent: bool, place: Screen | None = None) -> None:
        self._who = who
        self._is_silent = is_silent
        self._place = place or Screen()
        self._display = Display()
        self._pace = Pace(ON_TERMINAL if screen.IS_TERMINAL else IN_LOG)
        self._redraws = Pace(IN_PLACE)
        self._mutex = threading.RLock()
        self._has_spoken = False
        self._is_drawn = False

    @classmethod
    def of(cls, task: Task, variables: Mapping[str, object]) -> Ticker:
        """Make the ticker of a task on the host of these variables."""
        who = str(variables.get("inventory_hostname", "the host"))
        return cls(who, is_silent=task.no_log is True, place=Screen.of(task, variables))

    def renamed(self, who: str) -> Ticker:
        """Return a ticker for the same screen whose lines begin with something else."""
        return Ticker(who, is_silent=self._is_silent, place=self._place)

    def say(self, text: str) -> None:
        """Show a line now."""
        self._show(text, None)

    def warn(self, text: str) -> None:
        """Show a line as a warning."""
        self._show(text, _color("COLOR_WARN"))

    def warning(self, text: str) -> None:
        """Show a warning the way Ansible does."""
        with self._mutex:
            self.end()
            self._display.warning(text)

    def fail(self, text: str) -> None:
        """Show a line as an error, also where there are no colours."""
        self._show(f"ERROR: {text}", _color("COLOR_ERROR"))

    def detail(self, text: str) -> None:
        """Show a line with C(-v)."""
        if self._display.verbosity >= 1:
            self._show(text, None)

    def tick(self, make: Callable[[], Line | None], step: str = "") -> None:
        """Show a line if one is due, or a new step of the work has begun.

        :param make: makes the line; ``None``: there is nothing to show.
        """
        line = make()
        if line is None or self._is_silent:
            return
        now = time.monotonic()
        is_due = self._pace.is_due(now, step, line.news)
        if line.news is not None and (still := self._pace.still(now)) >= STILL:
            line = line.with_piece(still_piece(still))
        if self._place.redraws:
            if self._redraws.is_due(now, step, now):
                self._draw(line)
            if is_due:  # for Ansible's log, if there is one
                self._display.display(f"{self._who}: {line}", log_only=True)
        elif is_due:
            self._show(line.within(self._room()), None)

    def say_paths(self, returned: Mapping[str, object], where: str = "") -> None:
        """Show the paths of report and restore script, if the task returned them.

        :param where: the machine that they are on; empty: this one.
        """
        for what, name in (("the report", "report_file"), ("to unpack it", "restore_file")):
            if returned.get(name):
                self.say(f"{what}{f', on {where}' if where else ''}: {returned[name]}")

    def end(self) -> None:
        """Remove the line that was to be replaced."""
        with self._mutex:
            if self._is_drawn:
                self._put(_ERASE)
                self._is_drawn = False

    def _show(self, text: str, color: str | None) -> None:
        """Show a line, made safe: it may contain text from the host."""
        if not self._is_silent:
            with self._mutex:
                self.end()
                self._head()
                self._display.display(f"{self._who}: {printable(text, _LONGEST)}", color=color, stderr=True)

    def _draw(self, line: Line) -> None:
        """Show a line in place of the one before."""
        with self._mutex:
            self._head()
            self._put(f"{_ERASE}{self._who}: {printable(line.within(self._room()), _LONGEST)}")
            self._is_drawn = True

    def _put(self, text: str) -> None:
        """Write to the screen only; the carriage return makes Python write it at once."""
        self._display.display(text, stderr=True, screen_only=True, newline=False)

    def _head(self) -> None:
        if not self._has_spoken and (heading := self._place.take_heading()):
            self._display.display(heading, stderr=True)
        self._has_spoken = True

    def _room(self) -> int | None:
        """Return the columns that are left for a line; the last one of a row would move the cursor to the next."""
        columns = screen.columns()
        return None if columns is None else max(1, columns - 1 - width_of(f"{self._who}: "))


def _color(name: str) -> str:
    return str(constants.config.get_config_value(name))
