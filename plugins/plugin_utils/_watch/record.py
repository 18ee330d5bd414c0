# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The result of a job, read without a module on the host."""

from __future__ import annotations

import inspect
from typing import Any

from ansible.plugins.action import ActionBase
from ansible.utils.unsafe_proxy import wrap_var

_PROFILE = "legacy"
"""Ansible's name for the way in which every module written in Python returns its result."""


def read_result(action: ActionBase, record: str) -> dict[str, Any]:
    """Read what the module returned, as if Ansible had run it directly: nothing in it is a template.

    :param action: of the task.
    :param record: JSON text that the module has printed.
    """
    done: dict[str, Any] = {"rc": 0, "stdout": record, "stdout_lines": [record], "stderr": "", "stderr_lines": []}
    parse: Any = action._parse_returned_data
    # Up to 2.18 Ansible has no profiles, and marks each text that a host has returned.
    parsed = parse(done, _PROFILE) if "profile" in inspect.signature(parse).parameters else parse(done)
    if isinstance(parsed, dict):
        inner = {key for key in parsed if str(key).startswith("_ansible_") and key != "_ansible_parsed"}
        return dict(wrap_var({key: value for key, value in parsed.items() if key not in inner}))
    parsed.remove_internal_keys()
    return dict(parsed.as_result_dict(for_round_trip=True))
