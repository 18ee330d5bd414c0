# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The results that Ansible makes of an action."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible.plugins.action import ActionBase

from ansible_collections.airgap.images.plugins.plugin_utils._display.once import ShownOnce


def result_of(action: ActionBase, variables: Mapping[str, Any]) -> dict[str, Any]:
    """Run an action, and return its result, however it ends."""
    try:
        result: dict[str, Any] = action.run(None, dict(variables))
    except ShownOnce as failure:
        return {**failure.result, "failed": True, "msg": failure.message}
    return result
