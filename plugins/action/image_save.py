# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs the module as a job on the host, and shows its progress. Documented in plugins/modules/image_save.py."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible.playbook.task import Task

from ansible_collections.airgap.images.plugins.module_utils._base.json import JsonObject
from ansible_collections.airgap.images.plugins.plugin_utils._display.line import Line
from ansible_collections.airgap.images.plugins.plugin_utils._display.lines import save_line
from ansible_collections.airgap.images.plugins.plugin_utils._display.ticker import Ticker
from ansible_collections.airgap.images.plugins.plugin_utils._stage.failure import failure_told_later
from ansible_collections.airgap.images.plugins.plugin_utils._watch.action import WatchedAction

_ROLE = "airgap.images.image_save"
_FETCH = "image_save_fetch"


class ActionModule(WatchedAction):
    """C(airgap.images.image_save)."""

    def line_of(self, progress: JsonObject) -> Line | None:
        return save_line(progress)

    def say_more(self, returned: Mapping[str, Any], ticker: Ticker, variables: Mapping[str, Any]) -> None:
        if returned.get("changed") and not is_fetched_next(self._task, variables):
            ticker.say_paths(returned, "" if self._connection.transport == "local" else "the host")

    def say_failed(self, returned: Mapping[str, Any], ticker: Ticker) -> None:
        """Say that the role fails later, as Ansible shows the task as one that went well until then."""
        has_told = bool(returned.get("failed_images")) and not self._task.check_mode  # of each image, as it failed
        if is_of_role(self._task) and not has_told:
            ticker.fail(failure_told_later())


def is_of_role(task: Task) -> bool:
    """Return True if the task is one of the role."""
    return task._role is not None and task._role.get_name() == _ROLE


def is_fetched_next(task: Task, variables: Mapping[str, Any]) -> bool:
    """Return True if the task is of the role, which then fetches the archive: the paths on the controller come there.

    :param variables: of the task.
    """
    call = variables.get("__image_save_call")
    if not is_of_role(task) or not isinstance(call, Mapping):
        return False
    run, skipped = variables.get("ansible_run_tags") or ["all"], variables.get("ansible_skip_tags") or []
    return call.get("fetch") is True and ("all" in run or _FETCH in run) and _FETCH not in skipped
