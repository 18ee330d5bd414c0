# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs ansible-playbook on localhost and tells what each task returned."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .module import ROOT, TIMEOUT, environment

_CALLBACKS = Path(__file__).resolve().parent / "callbacks"


@dataclass(frozen=True)
class TaskResult:
    """What one task returned on one host; ``status`` is ok, failed, skipped or unreachable."""

    host: str
    task: str
    action: str
    status: str
    data: dict[str, Any]

    @property
    def changed(self) -> bool:
        """Whether it says that something changed."""
        return bool(self.data.get("changed"))


@dataclass(frozen=True)
class PlaybookResult:
    """What ansible-playbook did: its exit status, its output and every task's result in order."""

    rc: int
    stdout: str
    stderr: str
    tasks: tuple[TaskResult, ...]

    def task(self, name: str) -> TaskResult:
        """The result of the task of that name.

        :raises KeyError: it did not run
        """
        for each in self.tasks:
            if each.task == name:
                return each
        raise KeyError(f"{name!r} did not run:\n{self.stdout}\n{self.stderr}")


def run_playbook(
    playbook: Path | Sequence[Mapping[str, Any]],
    *,
    options: Sequence[str] = (),
    variables: Mapping[str, Any] | None = None,
    env: Mapping[str, str | None] | None = None,
    timeout: float = TIMEOUT,
) -> PlaybookResult:
    """Runs a playbook, a file or a list of plays, with a connection to localhost.

    ``options`` are more of ansible-playbook's (``--check``, ``--diff``, ``-vvv``), ``variables`` extra variables.

    :raises subprocess.TimeoutExpired: it took longer than ``timeout`` seconds
    """
    with tempfile.TemporaryDirectory(prefix="playbook-") as name:
        scratch = Path(name)
        local = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
        config = scratch / "ansible.cfg"
        config.write_text("[defaults]\n", encoding="utf-8")
        inventory = scratch / "inventory.json"
        inventory.write_text(json.dumps({"all": {"hosts": {"localhost": local}}}), encoding="utf-8")
        if not isinstance(playbook, Path):
            plays = scratch / "playbook.json"
            plays.write_text(json.dumps(list(playbook), default=str), encoding="utf-8")
            playbook = plays
        command = [sys.executable, "-m", "ansible", "playbook", "-i", str(inventory), *options]
        if variables:
            command += ["-e", json.dumps(dict(variables), default=str)]
        results = scratch / "results.jsonl"
        settings: dict[str, str | None] = {
            "ANSIBLE_CALLBACKS_ENABLED": "recorder",
            "ANSIBLE_CALLBACK_PLUGINS": str(_CALLBACKS),
            "ANSIBLE_COLLECTIONS_PATH": str(ROOT),
            "ANSIBLE_CONFIG": str(config),
            "ANSIBLE_HOME": str(scratch / "ansible"),
            "ANSIBLE_NOCOLOR": "1",
            "RECORDER_FILE": str(results),
            **(env or {}),
        }
        done = subprocess.run(
            [*command, str(playbook)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            env=environment(settings),
            timeout=timeout,
            check=False,
        )
        return PlaybookResult(done.returncode, done.stdout, done.stderr, _read(results))


def run_task(action: str, arguments: Mapping[str, Any], **keywords: Any) -> PlaybookResult:
    """Runs a play of one task, named ``task``; ``keywords`` are those of ``run_playbook``."""
    task = {"name": "task", action: dict(arguments)}
    return run_playbook([{"hosts": "localhost", "gather_facts": False, "tasks": [task]}], **keywords)


def _read(results: Path) -> tuple[TaskResult, ...]:
    if not results.exists():
        return ()
    return tuple(TaskResult(**json.loads(line)) for line in results.read_text(encoding="utf-8").splitlines())
