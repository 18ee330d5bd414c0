# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A module that runs on the host by itself, as C(async) has it, and a file in which it says how far it is."""

from __future__ import annotations

import re
import shlex
import time
import uuid
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from ansible.errors import AnsibleConnectionFailure, AnsibleError
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from ansible_collections.airgap.images.plugins.module_utils._base.errors import printable
from ansible_collections.airgap.images.plugins.module_utils._base.json import JsonError, JsonObject, parse_object
from ansible_collections.airgap.images.plugins.module_utils._host.files import temporary_of
from ansible_collections.airgap.images.plugins.module_utils._host.progress import AT_MOST, PRIVATE, TO_END

LIMIT = 7 * 86400
"""Seconds after which Ansible kills the job."""

_MISSED = 30.0
"""Seconds for which a run has to be looked for in vain: a host may stall."""

_KILLED = "the run was killed on the host, or the host was started anew. What was fetched stays in the cache; run again"
_LOST = "the run has ended, but its result was lost on the host. Run again: what was fetched stays in the cache"

_ID = re.compile(r"j[0-9]{1,12}\.[0-9]{1,10}")
"""What Ansible calls a job: a number of its own, and that of the process on the host."""

_HOME = re.compile(r"~[A-Za-z0-9_.-]*")

_EFFECTS = ("ansible_facts", "ansible_stats", "add_host", "add_group")

_OF_THE_JOB = ("ansible_job_id", "results_file", "started", "finished", "stdout", "stdout_lines", "stderr_lines")


class Job:
    """One run of the task's module on the host, which says in a file beside Ansible's record of it how far it is."""

    def __init__(self, action: ActionBase, task_vars: dict[str, Any]) -> None:
        self._action = action
        self._task_vars = task_vars
        self._name = f"image_save-{uuid.uuid4().hex}.json"
        self._mark = uuid.uuid4().hex
        self._directory = self._id = ""
        self._module_dir: str | None = None
        self._has_spoken = False
        self._has_ended = False
        self._missed_since: float | None = None

    def start(self) -> dict[str, Any] | None:
        """Start the module.

        :returns: ``None``, or what Ansible says where it could not be started.
        """
        task = self._action._task
        directory = self._action.get_shell_option("async_dir", default="~/.ansible_async")
        environment = task.environment
        module_dir = self._action._connection._shell.tmpdir or self._action._make_tmp_path()
        if self._action._should_remove_tmp_path(module_dir):
            self._module_dir = module_dir
        task.environment = [*(environment or []), {PRIVATE: f"{directory}/{self._name}"}]
        task.async_val = LIMIT
        try:
            started: dict[str, Any] = self._action._execute_module(task_vars=self._task_vars, wrap_async=True)
        finally:
            task.async_val, task.environment = 0, environment
        number = _ID.fullmatch(str(started.get("ansible_job_id")))
        if number is None:
            self._remove_module()
            return started
        # Where Ansible has made its record, and never where the host says that it is.
        self._id, self._directory = number[0], directory.rstrip("/")
        return None

    def progress(self) -> JsonObject | None:
        """How far the run is; ``None`` where it has not said so yet.

        :raises AnsibleError: when the host cannot be asked.
        """
        said = self._command(f"head -c {AT_MOST} {self._quoted(self._name)}")
        if len(said) > AT_MOST:
            return None
        try:
            progress = parse_object(said.encode("utf-8", "surrogateescape"), most=AT_MOST)
        except JsonError:
            return None
        if not self._has_spoken:
            self._remove_module()
        self._has_spoken = True
        self._has_ended = progress.values().get("ended") is True
        return progress

    def result(self) -> dict[str, Any] | None:
        """What the module returned; ``None`` while it runs.

        :raises AnsibleError: when the host cannot be asked.
        """
        arguments: dict[str, object] = {"jid": self._id, "mode": "status", "_async_dir": self._directory}
        status: dict[str, Any] = self._action._execute_module(
            module_name="ansible.legacy.async_status", module_args=arguments, task_vars=self._task_vars
        )
        if status.get("finished"):
            return without_traces(status)
        if self._is_gone():
            return _failed(_LOST if self._has_ended else _KILLED)
        return None

    def end(self) -> None:
        """Ask the run to end in order, as a signal from its own terminal would, as soon as it can be asked.

        :raises AnsibleError: when the host cannot be asked.
        """
        self._command(f": > {self._quoted(self._name + TO_END)}")

    def forget(self) -> None:
        """Remove what is known of the job on the host."""
        names = [self._id, self._name, temporary_of(self._name), self._name + TO_END]
        self._command(f"rm -f {' '.join(map(self._quoted, names))}")
        if not self._remove_module():
            Display().warning(
                f"{self._module_dir} could not be removed from the host. Remove it: the parameters of the task are in "
                "it, passwords too"
            )

    def reconnect(self) -> None:
        """Have the next call use a new connection."""
        reset = getattr(self._action._connection, "reset", None)
        if reset is not None:
            with suppress(AnsibleError):
                reset()

    def _quoted(self, name: str) -> str:
        """A file of the directory of jobs, for the shell on the host, which knows what C(~) is."""
        home, slash, rest = f"{self._directory}/{name}".partition("/")
        return f"{home}{slash}{shlex.quote(rest)}" if _HOME.fullmatch(home) else shlex.quote(f"{home}{slash}{rest}")

    def _is_gone(self) -> bool:
        """Whether nobody is left to write the record: all of the job was killed, or the host started anew."""
        word = self._id.partition(".")[0]
        # In brackets, so that the command does not find itself.
        found = f"[ -d /proc/self ] || echo unknown; grep -l '[{word[:1]}]{word[1:]}' /proc/[0-9]*/cmdline | head -n 1"
        if self._command(found).strip():
            self._missed_since = None
            return False
        if self._missed_since is None:
            self._missed_since = time.monotonic()
        return time.monotonic() - self._missed_since >= _MISSED

    def _remove_module(self) -> bool:
        """Remove the module's file, which has the task's secrets in it, once it has been read.

        Ansible's own watcher does so, but only up to five seconds after the end, and not at all where it runs as
        another user.

        :returns: whether it is gone.
        """
        if self._module_dir:
            remove = self._action._connection._shell.remove(self._module_dir, recurse=True)
            done: Mapping[str, Any] = self._action._low_level_execute_command(remove, sudoable=False)
            if done.get("rc") != 0:
                return False
            self._module_dir = None
        return True

    def _command(self, command: str) -> str:
        """What a command prints. It never fails: what comes with no mark at its end is no answer.

        A shell, and sudo on a terminal, may say more than they are asked, before and after.

        :raises AnsibleConnectionFailure: when it did not run, or not to its end.
        """
        mark = f"printf %s {self._mark}"
        whole = f"{{ {mark}; {command}; {mark}; }} 2>/dev/null"
        done: Mapping[str, Any] = self._action._low_level_execute_command(whole)
        said = str(done.get("stdout", ""))
        answer, end, _after = said.partition(self._mark)[2].rpartition(self._mark)
        if not end:
            words = printable(f"{said} {done.get('stderr', '')}")
            raise AnsibleConnectionFailure(f"the host does not answer: {words}")
        return answer


def without_effects(returned: Mapping[str, Any]) -> dict[str, Any]:
    """A result without what Ansible would do more for than hand it on: no module of ours returns any of that, and a
    host could have variables of the play replaced by it."""
    return {key: value for key, value in returned.items() if key not in _EFFECTS}


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
        words = printable(" ".join(str(result.get("stderr") or result.get("data") or "").split())[-300:])
        hint = f" It said: {words}" if words else " It may have been killed; see the host's log."
        return _failed(f"the module ended without a result.{hint} What was fetched stays in the cache; run again")
    if "could not find job" in said:
        return _failed("the record of the run is gone from the host, so its end is not known. Run again")
    return result


def _failed(message: str) -> dict[str, Any]:
    return {"failed": True, "changed": False, "msg": message}
