# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs the module as a job on the host, and shows its progress. Documented in plugins/modules/image_load.py."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.airgap.images.plugins.module_utils._base.json import JsonObject
from ansible_collections.airgap.images.plugins.plugin_utils._display.line import Line
from ansible_collections.airgap.images.plugins.plugin_utils._display.lines import load_line
from ansible_collections.airgap.images.plugins.plugin_utils._display.ticker import Ticker
from ansible_collections.airgap.images.plugins.plugin_utils._watch.action import WatchedAction


class ActionModule(WatchedAction):
    """C(airgap.images.image_load)."""

    def line_of(self, progress: JsonObject) -> Line | None:
        return load_line(progress)

    def say_more(self, returned: Mapping[str, Any], ticker: Ticker, variables: Mapping[str, Any]) -> None:
        if returned.get("confirmation"):
            ticker.say(f"to confirm by telephone: {returned['confirmation']}")
        if returned.get("changed"):
            where = "" if self._connection.transport == "local" else "the host"
            ticker.say_paths({"report_file": returned.get("report")}, where)
