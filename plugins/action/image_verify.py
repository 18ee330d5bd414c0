# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs the module as a job on the host, and shows its progress. Documented in plugins/modules/image_verify.py."""

from __future__ import annotations

from ansible_collections.airgap.images.plugins.module_utils._base.json import JsonObject
from ansible_collections.airgap.images.plugins.plugin_utils._display.line import Line
from ansible_collections.airgap.images.plugins.plugin_utils._display.lines import verify_line
from ansible_collections.airgap.images.plugins.plugin_utils._watch.action import WatchedAction


class ActionModule(WatchedAction):
    """C(airgap.images.image_verify)."""

    def line_of(self, progress: JsonObject) -> Line | None:
        return verify_line(progress)
