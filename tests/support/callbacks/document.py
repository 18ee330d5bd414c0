# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A callback plugin for the tests: standard output is one JSON document, as ``ansible.posix.json`` has it."""

from __future__ import annotations

import json
from typing import Any

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: document
type: stdout
short_description: Prints a run as one JSON document
description:
  - A list of plays, each with its tasks, each with the results by host.
author:
  - airgap.images contributors
"""


class CallbackModule(CallbackBase):
    """Collects results and prints them at the end."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "stdout"
    CALLBACK_NAME = "document"

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        self._plays: list[dict[str, Any]] = []

    def v2_playbook_on_play_start(self, play: Any) -> None:
        self._plays.append({"name": play.get_name(), "tasks": []})

    def v2_playbook_on_task_start(self, task: Any, is_conditional: bool) -> None:
        self._plays[-1]["tasks"].append({"name": task.get_name(), "hosts": {}})

    def v2_runner_on_ok(self, result: Any) -> None:
        self._plays[-1]["tasks"][-1]["hosts"][result._host.get_name()] = json.loads(self._dump_results(result._result))

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        self.v2_runner_on_ok(result)

    v2_runner_on_unreachable = v2_runner_on_ok

    def v2_playbook_on_stats(self, stats: Any) -> None:
        self._display.display(json.dumps({"plays": self._plays}, indent=1))
