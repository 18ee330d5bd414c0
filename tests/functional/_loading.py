# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shared by the tests of the role image_load: its variables, plays with it, and what it leaves in the registry."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.airgap.images.tests.functional._role import on
from ansible_collections.airgap.images.tests.support.playbook import PlaybookResult
from ansible_collections.airgap.images.tests.support.registry import Registry

ROLE = "airgap.images.image_load"
SHOW = {"name": "Show the result", "ansible.builtin.debug": {"var": "image_load_result"}}
JOB = {"async": 3600}
"""Values of ``variables`` where the module need not run as a job of ours, which takes longer."""


def play(*, how: str = "roles", hosts: str = "all", variables: Mapping[str, Any] | None = None, **keywords: Any) -> Any:
    """A play with the role under ``roles``, or by ``include_role`` or ``import_role``, that shows the result."""
    common = {"name": f"Play for {hosts}", "hosts": hosts, "gather_facts": False, "vars": dict(variables or {})}
    if how == "roles":
        return {**common, "roles": [{"role": ROLE}], "post_tasks": [SHOW], **keywords}
    task = {"name": "The role", f"ansible.builtin.{how}": {"name": ROLE}}
    return {**common, "tasks": [{"name": "All of it", "block": [task], "always": [SHOW]}], **keywords}


def variables(registry: Registry, **more: Any) -> dict[str, Any]:
    """The role's variables: no TLS, no installation."""
    usual = {"registry": registry.host, "validate_certs": False, "install": False, "retries": 0}
    return {f"image_load_{name}": value for name, value in {**usual, **more}.items()}


def handed_over(result: PlaybookResult, host: str) -> dict[str, Any]:
    """``image_load_result`` of a host."""
    (shown,) = [each for each in on(result, host) if each.task == SHOW["name"] and each.status == "ok"]
    value: dict[str, Any] = shown.data["image_load_result"]
    return value


def writes(registry: Registry) -> list[str]:
    """The methods and paths of all requests that may have changed the registry."""
    return [f"{each.method} {each.path}" for each in registry.requests() if each.method not in ("GET", "HEAD")]
