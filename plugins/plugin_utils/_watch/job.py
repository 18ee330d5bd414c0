# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A module that runs on the host as a job, and the file in which it reports its progress."""

from __future__ import annotations

import re
import shlex
import time
import uuid
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Callable

from ansible.errors import AnsibleConnectionFailure, AnsibleError
from ansible.plugins.action import ActionBase

from ansible_collections.airgap.images.plugins.module_utils._base.errors import printable
from ansible_collections.airgap.images.plugins.module_utils._base.json import JsonError, JsonObject, parse_object
from ansible_collections.airgap.images.plugins.module_utils._host.job import ENDED, JOB, RUNNING
from ansible_collections.airgap.images.plugins.module_utils._host.job_files import CLAIM, RESULT, files_of, job_name
from ansible_collections.airgap.images.plugins.module_utils._host.progress import AT_MOST, PRIVATE, TO_END
from ansible_collections.airgap.images.plugins.plugin_utils._watch.record import read_result

WAITS, WAIT = 5, 0.2
"""How often a look at the run waits on the host for its end, and for how many seconds: a run that has ended is noticed
at once, without a command for each time that it has not."""

_MISSED = 30.0
"""Seconds for which a run must not be found before it counts as killed: a host may stall."""

_KILLED = "the run was killed on the host, or the host was restarted. What was transferred is kept; run again"
_LOST = "the run has ended, but its result was lost on the host. Run again: what was transferred is kept"

_NO_RECORD = "the record of the run is missing on the host, so its result is not known. Run again"

_HOME = re.compile(r"~[A-Za-z0-9_.-]*")

_EFFECTS = ("ansible_facts", "ansible_stats", "add_host", "add_group")


RunWith = Callable[[str], "dict[str, Any]"]
"""Runs the module with an assignment before its command, which the shell on the host evaluates first."""


class Job:
    """One run of the task's module on the host, which reports its progress in a file of its own.

    The names of its files are chosen here, so that it can be found whatever becomes of the command that starts it.
    """

    def __init__(self, action: ActionBase, run_with: RunWith) -> None:
        self._action = action
        self._run_with = run_with
        self._name = job_name(uuid.uuid4().hex)
        self._mark = uuid.uuid4().hex
        self._directory = action.get_shell_option("async_dir", default="~/.ansible_async").rstrip("/")
        self._is_to_forget = True
        self._has_module = True
        self._has_ended = False
        self._result: dict[str, Any] | None = None
        self._last_words = b""
        self._missed_since: float | None = None

    def start(self) -> dict[str, Any] | None:
        """Start the module, and wait for a moment for its end.

        :returns: the answer of a module that has not become a job: its result, or one with :data:`JOB` that says why.
            ``None``: it has.
        :raises AnsibleError: when it cannot be started, or the connection was lost meanwhile.
        """
        answer = self._run_with(f"{PRIVATE}={self._quoted(self._name)}")
        told = answer.get(JOB)
        told = told if isinstance(told, Mapping) else {}
        state = told.get("state")
        if state == ENDED:
            # To remove its files would take another command: a later run on the host does it.
            self._is_to_forget = False
            self._result = {name: value for name, value in answer.items() if name != JOB}
            self._last_words = str(told.get("progress", "")).encode("utf-8", "surrogateescape")
        elif state == RUNNING:
            self._remove_module()
        else:
            return answer
        return None

    def _remove_module(self) -> None:
        """Remove the module's file, which contains the secrets of the task. There is none with pipelining.

        Only for a run that was heard of: until then, the file may not have been read.
        """
        if self._has_module:
            self._has_module = False
            with suppress(AnsibleError):  # then Ansible tries again at the end of the task
                self._action._remove_tmp_path(self._action._connection._shell.tmpdir)

    def is_there(self) -> bool:
        """Return True if the host has a trace of the run.

        :raises AnsibleError: when the host cannot be asked.
        """
        return any(self._remains())

    def progress(self) -> JsonObject | None:
        """Wait a moment for the end of the run, and return its progress; ``None`` if it has not reported any yet.

        :raises AnsibleError: when the host cannot be asked.
        """
        if self._result is None:
            self._look()
        try:
            progress = parse_object(self._last_words, most=AT_MOST)
        except JsonError:
            return None
        self._has_ended = progress.values().get("ended") is True
        return progress

    def _look(self) -> None:
        """Wait a moment for the result of the run, and read it and the progress file."""
        result = self._quoted(self._name + RESULT)
        wait = f"n=0; while [ $n -lt {WAITS} ] && [ ! -e {result} ]; do sleep {WAIT} || sleep 1; n=$((n + 1)); done"
        # The result first: once it is there, the progress is the last one.
        answer = self._command(
            f"{wait}; cat {result}; printf %s {self._mark}; head -c {AT_MOST} {self._quoted(self._name)}"
        )
        record, _mark, said = answer.partition(self._mark)
        self._last_words = said.encode("utf-8", "surrogateescape")
        if record:
            self._result = read_result(self._action, record)
        if record or said:
            self._remove_module()

    def result(self) -> dict[str, Any] | None:
        """Return the result of the module; ``None`` if it still ran when the progress was read.

        :raises AnsibleError: when the host cannot be asked.
        """
        if self._result is not None:
            return self._result
        has_record, has_process = self._remains()
        if has_process:
            self._missed_since = None
            return None
        if not has_record:
            return _failed(_NO_RECORD)
        if self._missed_since is None:
            self._missed_since = time.monotonic()
        if time.monotonic() - self._missed_since < _MISSED:
            return None
        return _failed(_LOST if self._has_ended else _KILLED)

    def end(self) -> None:
        """Ask the run to end in an orderly way, like a signal from its own terminal, as soon as it can be asked.

        :raises AnsibleError: when the host cannot be asked.
        """
        self._is_to_forget = True
        self._command(f": > {self._quoted(self._name + TO_END)}")

    def forget(self) -> None:
        """Remove all files of the job on the host, unless that is left to a later run."""
        if self._is_to_forget:
            self._command(f"rm -f {' '.join(map(self._quoted, files_of(self._name)))}")

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
        """Return whether a file says that the run was started, and whether a process of it is left: all of the job may
        have been killed, or the host restarted."""
        # The brackets keep the command from finding itself, in what sudo says of it in the environment.
        hidden = f"[{self._name[:1]}]{self._name[1:]}"
        has_record = f"[ ! -e {self._quoted('')}{hidden}{CLAIM} ] || printf record"
        found = f"[ -d /proc/self ] || echo unknown; grep -l '{hidden}' /proc/[0-9]*/environ | head -n 1"
        answer = self._command(f"{has_record}; printf %s {self._mark}; {found}")
        record, _mark, process = answer.partition(self._mark)
        return record == "record", bool(process.strip())

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


def _failed(message: str) -> dict[str, Any]:
    return {"failed": True, "changed": False, "msg": message}
