# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An action plugin that runs the module of its task as a job on the host, and shows its progress."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible.plugins.action import ActionBase
from ansible.utils.vars import merge_hash

from ansible_collections.airgap.images.plugins.module_utils._base.json import JsonObject
from ansible_collections.airgap.images.plugins.module_utils._host.job import JOB
from ansible_collections.airgap.images.plugins.module_utils._host.umask import TO_NOTE
from ansible_collections.airgap.images.plugins.plugin_utils._display.line import Line
from ansible_collections.airgap.images.plugins.plugin_utils._display.ticker import Ticker
from ansible_collections.airgap.images.plugins.plugin_utils._watch.follow import follow
from ansible_collections.airgap.images.plugins.plugin_utils._watch.job import Job, without_effects
from ansible_collections.airgap.images.plugins.plugin_utils._watch.signals import Orphaned, Signals
from ansible_collections.airgap.images.plugins.plugin_utils._watch.words import prefix_of, with_variables


class WatchedAction(ActionBase):
    """The base of action plugins whose modules report their progress."""

    _supports_async = True
    _supports_check_mode = True
    _of_job = ""
    """The assignment before the command that starts a job."""

    def line_of(self, progress: JsonObject) -> Line | None:
        """Describe the progress of a run; ``None`` if there is nothing to show yet.

        :raises JsonError: when it is not a progress file of this module.
        """
        raise NotImplementedError

    def say_more(self, returned: Mapping[str, Any], ticker: Ticker, variables: Mapping[str, Any]) -> None:
        """Show lines after the message of a run that ended well.

        :param returned: by the module.
        :param variables: of the task.
        """

    def say_failed(self, returned: Mapping[str, Any], ticker: Ticker) -> None:
        """Show lines about a run that failed, beside its message.

        :param returned: by the module.
        """

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        variables = task_vars or {}
        ticker = Ticker.of(self._task, variables)
        returned = self._as_job(variables, ticker) if self._can_be_job() else self._plainly(variables)
        if self._task.check_mode and not returned.get("failed"):
            ticker.say(str(returned.get("msg", "")))
        if returned.get("failed"):
            self.say_failed(returned, ticker)
        merged: dict[str, Any] = merge_hash(result, without_effects(returned))
        return merged

    def _can_be_job(self) -> bool:
        """Return True if the play leaves it open how the module runs, and the connection supports jobs."""
        if self._task.async_val or self._task.check_mode:
            return False
        connection = self._connection
        has_own_ways = getattr(connection, "has_native_async", False) or connection.always_pipeline_modules
        return not has_own_ways and self._speaks_posix()

    def _speaks_posix(self) -> bool:
        """Return True if the shell on the host is of the sh family, unlike csh, fish and those of Windows."""
        return getattr(self._connection._shell, "SHELL_FAMILY", "") == "sh"

    def _compute_environment_string(self, raw_environment_out: dict[str, Any] | None = None) -> str:
        """Return the environment before a command; with C(async), the host also records the umask of the user.

        A job's own variable comes first: its path must not depend on the task's HOME, as that of later commands does
        not either.
        """
        string: str = super()._compute_environment_string(raw_environment_out)
        note = TO_NOTE if self._task.async_val and self._speaks_posix() else ""
        return " ".join(filter(None, (self._of_job, string.strip(), note)))

    def _as_job(self, variables: dict[str, Any], ticker: Ticker) -> dict[str, Any]:
        def run_with(assignment: str) -> dict[str, Any]:
            self._of_job = assignment
            try:
                answer: dict[str, Any] = self._execute_module(task_vars=variables)
            finally:
                self._of_job = ""
            return answer

        try:
            with Signals() as signals:
                returned = self._told(follow(Job(self, run_with), ticker, signals, line_of=self.line_of))
        except Orphaned as error:
            return {"failed": True, "msg": str(error)}
        if JOB in returned:
            ticker.detail(f"no progress can be shown: {returned.get('msg')}")
            return self._plainly(variables)
        if not returned.get("failed"):
            ticker.say(str(returned.get("msg", "")))
            self.say_more(returned, ticker, variables)
        return returned

    def _plainly(self, variables: dict[str, Any]) -> dict[str, Any]:
        """Run the module like any other."""
        is_async = bool(self._task.async_val) and not getattr(self._connection, "has_native_async", False)
        returned: dict[str, Any] = self._execute_module(task_vars=variables, wrap_async=is_async)
        if not is_async:
            self._remove_tmp_path(self._connection._shell.tmpdir)  # type: ignore[no-untyped-call]
        return self._told(returned)

    def _told(self, returned: Mapping[str, Any]) -> dict[str, Any]:
        """Return what the module returned, with messages that name what the user can set: in a role, its variables."""
        role = self._task._role
        return with_variables(returned, self._task.args, prefix_of(role.get_name() if role is not None else ""))
