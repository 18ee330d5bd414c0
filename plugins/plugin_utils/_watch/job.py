# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A module that runs on the host as an asynchronous job (C(async)), and the file in which it reports its progress."""

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
from ansible_collections.airgap.images.plugins.plugin_utils._watch.record import RUNNING, read_result

LIMIT = 7 * 86400
"""Seconds after which Ansible kills the job."""

WAITS, WAIT = 5, 0.2
"""How often a look at the run waits on the host for its end, and for how many seconds: a run that has ended is noticed
at once, without a command for each time that it has not."""

_MISSED = 30.0
"""Seconds for which a run must not be found before it counts as killed: a host may stall."""

_KILLED = "the run was killed on the host, or the host was restarted. What was transferred is kept; run again"
_LOST = "the run has ended, but its result was lost on the host. Run again: what was transferred is kept"

_NO_RECORD = "the record of the run is missing on the host, so its result is not known. Run again"

_ID = re.compile(r"j[0-9]{1,12}\.[0-9]{1,10}")
"""Ansible's name of a job: a number of its own, and the id of the process on the host."""

_HOME = re.compile(r"~[A-Za-z0-9_.-]*")

_EFFECTS = ("ansible_facts", "ansible_stats", "add_host", "add_group")

_OF_THE_JOB = ("ansible_job_id", "results_file", "started", "finished", "stdout", "stdout_lines", "stderr_lines")


class Job:
    """One run of the task's module on the host. It reports its progress in a file beside Ansible's record of it."""

    def __init__(self, action: ActionBase, task_vars: dict[str, Any]) -> None:
        self._action = action
        self._task_vars = task_vars
        self._name = f"airgap-images-{uuid.uuid4().hex}.json"
        self._mark = uuid.uuid4().hex
        self._directory = self._id = ""
        self._module_dir: str | None = None
        self._has_spoken = False
        self._has_ended = False
        self._record = ""
        self._missed_since: float | None = None

    def start(self) -> dict[str, Any] | None:
        """Start the module.

        :returns: ``None``, or Ansible's result if it could not be started.
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
        # Where Ansible keeps its record, never where the host says that it is.
        self._id, self._directory = number[0], directory.rstrip("/")
        return None

    def progress(self) -> JsonObject | None:
        """Wait a moment for the end of the run, and return its progress; ``None`` if it has not reported any yet.

        :raises AnsibleError: when the host cannot be asked.
        """
        record = self._quoted(self._id)
        runs = f"case $(head -c {len(RUNNING)} {record}) in ''|{shlex.quote(RUNNING)}*) ;; *) false ;; esac"
        wait = f"n=0; while [ $n -lt {WAITS} ] && {runs}; do sleep {WAIT} || sleep 1; n=$((n + 1)); done"
        # The record first: once it is complete, the progress is the last one.
        ended = f"if {runs}; then :; else cat {record}; fi; printf %s {self._mark}"
        answer = self._command(f"{wait}; {ended}; head -c {AT_MOST} {self._quoted(self._name)}")
        self._record, _mark, said = answer.partition(self._mark)
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
        """Return the result of the module; ``None`` if it still ran when the progress was read.

        :raises AnsibleError: when the host cannot be asked.
        """
        if self._record:
            return without_traces(read_result(self._action, self._record))
        has_record, has_process = self._remains()
        if not has_record:
            return _failed(_NO_RECORD)
        if has_process:
            self._missed_since = None
            return None
        if self._missed_since is None:
            self._missed_since = time.monotonic()
        if time.monotonic() - self._missed_since < _MISSED:
            return None
        return _failed(_LOST if self._has_ended else _KILLED)

    def end(self) -> None:
        """Ask the run to end in an orderly way, like a signal from its own terminal, as soon as it can be asked.

        :raises AnsibleError: when the host cannot be asked.
        """
        self._command(f": > {self._quoted(self._name + TO_END)}")

    def forget(self) -> None:
        """Remove all files of the job on the host."""
        names = [self._id, self._name, temporary_of(self._name), self._name + TO_END]
        self._command(f"rm -f {' '.join(map(self._quoted, names))}")
        if not self._remove_module():
            Display().warning(
                f"cannot remove {self._module_dir} from the host. Remove it: it contains the parameters of the task, "
                "including passwords"
            )

    def reconnect(self) -> None:
        """Make the next call use a new connection."""
        reset = getattr(self._action._connection, "reset", None)
        if reset is not None:
            with suppress(AnsibleError):
                reset()

    def _quoted(self, name: str) -> str:
        """Return the path of a file in the directory of jobs, quoted for the shell on the host, which resolves C(~)."""
        home, slash, rest = f"{self._directory}/{name}".partition("/")
        return f"{home}{slash}{shlex.quote(rest)}" if _HOME.fullmatch(home) else shlex.quote(f"{home}{slash}{rest}")

    def _remains(self) -> tuple[bool, bool]:
        """Return whether Ansible's record is there, and whether a process is left to complete it: all of the job may
        have been killed, or the host restarted."""
        # The brackets keep the command from finding itself.
        hidden = f"[{self._id[:1]}]{self._id[1:]}"
        number = hidden.partition(".")[0]
        has_record = f"[ ! -e {self._quoted('')}{hidden} ] || printf record"
        found = f"[ -d /proc/self ] || echo unknown; grep -l '{number}' /proc/[0-9]*/cmdline | head -n 1"
        answer = self._command(f"{has_record}; printf %s {self._mark}; {found}")
        record, _mark, process = answer.partition(self._mark)
        return record == "record", bool(process.strip())

    def _remove_module(self) -> bool:
        """Remove the module's file, which contains the secrets of the task, once it has been read.

        Ansible's own watcher removes it up to five seconds after the end, and not at all if it runs as another user.

        :returns: True if it has been removed.
        """
        if self._module_dir:
            remove = self._action._connection._shell.remove(self._module_dir, recurse=True)
            done: Mapping[str, Any] = self._action._low_level_execute_command(remove, sudoable=False)
            if done.get("rc") != 0:
                return False
            self._module_dir = None
        return True

    def _command(self, command: str) -> str:
        """Return the output of a command. Output without a mark at its end is not an answer.

        Shells, and sudo on a terminal, may print more than they are asked, before and after.

        :raises AnsibleConnectionFailure: when it did not run, or did not finish.
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
    """Remove everything from a result that would make Ansible do more than pass it on. The modules of this collection
    return nothing of the kind, and a host could use it to replace variables of the play."""
    return {key: value for key, value in returned.items() if key not in _EFFECTS}


def without_traces(status: Mapping[str, Any]) -> dict[str, Any]:
    """Make the result that the plain module would return from the record of a job.

    If the record has no result of a module, the message says why: the job's own text is a traceback.
    """
    result = {key: value for key, value in status.items() if key not in _OF_THE_JOB}
    if "invocation" in result or not result.get("failed"):
        return result
    said = str(result.get("msg", ""))
    if said == "Timeout exceeded":
        return _failed(
            f"the run did not end within {LIMIT // 86400} days, and was killed. What was transferred is kept; run again"
        )
    if "data" in result or "outdata" in result:
        words = printable(" ".join(str(result.get("stderr") or result.get("data") or "").split())[-300:])
        hint = f" It said: {words}" if words else " It may have been killed; see the host's log."
        return _failed(f"the module ended without a result.{hint} What was transferred is kept; run again")
    return result


def _failed(message: str) -> dict[str, Any]:
    return {"failed": True, "changed": False, "msg": message}
