# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A module that runs on the host by itself, as C(async) has it, and a file in which it says how far it is."""

from __future__ import annotations

import os
import shlex
import uuid
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from ansible.errors import AnsibleError
from ansible.plugins.action import ActionBase

from ansible_collections.airgap.images.plugins.module_utils._json import JsonError, JsonObject, parse_object

LIMIT = 7 * 86400
"""Seconds after which Ansible kills the job."""

_MISSED = 3
"""How often in a row a run has to be looked for in vain."""

_KILLED = "the run was killed on the host, or the host was started anew. What was fetched stays in the cache; run again"

_OF_THE_JOB = ("ansible_job_id", "results_file", "started", "finished", "stdout", "stdout_lines", "stderr_lines")


class Job:
    """One run of the task's module on the host.

    :param progress_file: where the user wants it to be; ``None``: beside Ansible's record of the job.
    """

    def __init__(self, action: ActionBase, task_vars: dict[str, Any], progress_file: str | None) -> None:
        self._action = action
        self._task_vars = task_vars
        directory = action.get_shell_option("async_dir", default="~/.ansible_async")
        self._own_name = None if progress_file else f"image_save-{uuid.uuid4().hex}.json"
        self._progress_file = progress_file or f"{directory}/{self._own_name}"
        self._record = ""
        self._id = ""
        self._pid = 0
        self._before = ""
        self._missed = 0

    def start(self) -> dict[str, Any] | None:
        """Start the module.

        :returns: ``None``, or what Ansible says where it could not be started.
        """
        task, arguments = self._action._task, self._action._task.args
        if not self._own_name:
            self._progress_file = self._action._remote_expand_user(self._progress_file)
            self._before = self._read()
        task.async_val = LIMIT
        try:
            started: dict[str, Any] = self._action._execute_module(
                module_args={**arguments, "progress_file": self._progress_file},
                task_vars=self._task_vars,
                wrap_async=True,
            )
        finally:
            task.async_val = 0
        if not (started.get("ansible_job_id") and started.get("results_file")):
            return started
        self._id, self._record = str(started["ansible_job_id"]), str(started["results_file"])
        if self._own_name:
            self._progress_file = f"{os.path.dirname(self._record)}/{self._own_name}"
        return None

    def progress(self) -> JsonObject | None:
        """How far the run is; ``None`` where it has not said so yet.

        :raises AnsibleConnectionFailure: when the host cannot be reached.
        """
        said = self._read()
        if said == self._before:  # that of an earlier run
            return None
        try:
            progress = parse_object(said.encode("utf-8", "surrogateescape"), most=20_000)
            self._pid = progress.integer("pid")
        except JsonError:
            return None
        return progress

    def result(self) -> dict[str, Any] | None:
        """What the module returned; ``None`` while it runs.

        :raises AnsibleConnectionFailure: when the host cannot be reached.
        """
        arguments: dict[str, object] = {"jid": self._id, "mode": "status", "_async_dir": os.path.dirname(self._record)}
        status: dict[str, Any] = self._action._execute_module(
            module_name="ansible.legacy.async_status", module_args=arguments, task_vars=self._task_vars
        )
        if status.get("finished"):
            return self._as_asked(without_traces(status))
        return _failed(_KILLED) if self._is_gone() else None

    def end(self) -> bool:
        """Ask the run to end in order, as a signal from its own terminal would.

        :returns: whether it has said yet who is to be asked.
        """
        if self._pid > 1:
            self._command(f"kill -TERM {self._pid}")
        return self._pid > 1

    def forget(self) -> None:
        """Remove what is known of the job on the host; a file that the user asked for stays."""
        paths = [self._record, *([self._progress_file, f"{self._progress_file}.new"] if self._own_name else [])]
        self._command(f"rm -f {' '.join(map(shlex.quote, paths))}")

    def reconnect(self) -> None:
        """Have the next call use a new connection."""
        reset = getattr(self._action._connection, "reset", None)
        if reset is not None:
            with suppress(AnsibleError):
                reset()

    def _as_asked(self, result: dict[str, Any]) -> dict[str, Any]:
        """A result that names the progress file only where the user did."""
        arguments = result.get("invocation", {}).get("module_args", {})
        if self._own_name and "progress_file" in arguments:
            arguments["progress_file"] = None
        return result

    def _is_gone(self) -> bool:
        """Whether nobody is left to write the record: all of the job was killed, or the host started anew."""
        process = f"/proc/{self._pid}/cmdline"
        is_ours = f"{{ ! test -r {process} || grep -q image_save {process}; }}"
        is_there = self._pid <= 1 or "alive" in self._command(f"kill -0 {self._pid} && {is_ours} && echo alive")
        # The one who writes the record does so a moment after the module has ended.
        self._missed = 0 if is_there else self._missed + 1
        return self._missed >= _MISSED

    def _read(self) -> str:
        return self._command(f"cat {shlex.quote(self._progress_file)}")

    def _command(self, command: str) -> str:
        done: Mapping[str, Any] = self._action._low_level_execute_command(f"{command} 2>/dev/null")
        return str(done.get("stdout", ""))


def without_traces(status: Mapping[str, Any]) -> dict[str, Any]:
    """A result as the plain module gives it, from the record of a job.

    One that is no module's says why there is none: the job's own words are a traceback.
    """
    result = {key: value for key, value in status.items() if key not in _OF_THE_JOB}
    if "invocation" in result or not result.get("failed"):
        return result
    said = str(result.get("msg", ""))
    if said == "Timeout exceeded":
        return _failed(
            f"the run did not end within {LIMIT // 86400} days, and was killed. Run again: what was fetched stays"
        )
    if "data" in result or "outdata" in result:
        words = " ".join(str(result.get("stderr") or result.get("data") or "").split())[-300:]
        hint = f" It said: {words}" if words else " It may have been killed; see the host's log."
        return _failed(f"the module ended without a result.{hint} What was fetched stays in the cache; run again")
    if "could not find job" in said:
        return _failed("the record of the run is gone from the host, so its end is not known. Run again")
    return result


def _failed(message: str) -> dict[str, Any]:
    return {"failed": True, "changed": False, "msg": message}
