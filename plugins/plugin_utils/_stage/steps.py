# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A private action of a role: each of its tasks names the step that it takes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible.plugins.action import ActionBase

from ansible_collections.airgap.images.plugins.module_utils._base.errors import (
    ImagesError,
    OptionError,
    StorageError,
    printable,
    quoted,
)
from ansible_collections.airgap.images.plugins.plugin_utils._display.once import shown_once, unreachable_once
from ansible_collections.airgap.images.plugins.plugin_utils._stage.checks import refuse_facts

Step = Callable[[dict[str, Any]], dict[str, Any]]
"""Takes the variables of the task, and returns what its result has beside C(changed)."""


class StepsAction(ActionBase):
    """Takes the step that C(step) names; its failures are :class:`ImagesError`, and are shown once."""

    _supports_async = False
    _supports_check_mode = True

    def steps(self) -> Mapping[str, Step]:
        """Return the steps by their names."""
        raise NotImplementedError

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        steps = self.steps()
        try:
            result.update(changed=False)
            step = str(self._task.args.get("step"))
            if step not in steps:
                raise OptionError(f"step: {quoted(step, 100)} is not a step; expected one of {', '.join(steps)}")
            with unreachable_once():
                result.update(steps[step](task_vars or {}))
        except ImagesError as error:
            result.update(failed=True, msg=str(error))
        finally:
            self._remove_tmp_path(self._connection._shell.tmpdir)  # type: ignore[no-untyped-call]
        key = getattr(self, "_discovered_interpreter_key", None)
        if key:  # so that later tasks need not search again
            result["ansible_facts"] = {key: self._discovered_interpreter}
        return shown_once(result)


def notice_of_lacking(names: Sequence[str], *, done: str) -> str:
    """Say where check mode ends because it installs nothing.

    :param names: programs and libraries that the host lacks.
    :param done: what the role does with images: C(saved) or C(loaded).
    """
    return f"the images that would be {done} can be determined once the host has {', '.join(names)}"


def ask_module(
    action: ActionBase, module: str, arguments: Mapping[str, Any], variables: dict[str, Any], *, host: str
) -> Mapping[str, Any]:
    """Run a module on the host, whose facts are refused.

    :param variables: of the task.
    :param host: its name, for the error.
    :raises StorageError: when the module failed there.
    """
    said: Mapping[str, Any] = action._execute_module(
        module_name=module, module_args=dict(arguments), task_vars=variables
    )
    facts = said.get("ansible_facts")
    refuse_facts([*facts] if isinstance(facts, Mapping) else [], host)
    if said.get("failed"):
        words = [said.get(name) for name in ("msg", "module_stderr", "module_stdout")]
        told = ": ".join(str(word).strip() for word in words if word) or f"{module} failed on {host} without a message"
        raise StorageError(printable(told, 2000))
    return said
