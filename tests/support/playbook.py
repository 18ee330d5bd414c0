# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs ansible-playbook and tells what each task returned on each host.

A run is a fork of an interpreter that has imported Ansible, as this would be a fifth of what most runs do.
"""

from __future__ import annotations

import atexit
import functools
import json
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from .forked import can_fork, read_at_start
from .module import ROOT, SKOPEO_COPY, TIMEOUT, RunningModule, environment, fork_servers

HOST_PYTHON = "/usr/bin/python3"
"""The interpreter of hosts that are this machine: that of the system, whose bytecode is sent with the modules."""

_CALLBACKS = Path(__file__).resolve().parent / "callbacks"


@functools.cache
def _home() -> Path:
    """Things that all runs of this process have in common: settings, and the modules that Ansible has packed."""
    folder = Path(tempfile.mkdtemp(prefix="airgap-images-ansible-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    # Ten times the usual pause between two looks at a task: looking is a third of what the main process does.
    (folder / "ansible.cfg").write_text("[defaults]\ninternal_poll_interval = 0.01\n", encoding="utf-8")
    (folder / "modules").mkdir()
    return folder


def packed_modules() -> Path:
    """Return the folder in which all runs of this process keep the modules that Ansible has packed."""
    return _home() / "modules"


@dataclass(frozen=True)
class TaskResult:
    """The result of one task on one host; ``status`` is ok, failed, skipped or unreachable."""

    host: str
    task: str
    action: str
    status: str
    data: dict[str, Any]

    @property
    def changed(self) -> bool:
        """True if it says that something changed."""
        return bool(self.data.get("changed"))


@dataclass(frozen=True)
class PlaybookResult:
    """The outcome of ansible-playbook: its exit status, its output and every task's result in order."""

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


class RunningPlay:
    """A run of ansible-playbook; as a context manager it ends what still runs of it, children included."""

    def __init__(self, process: RunningModule, results: Path, folder: tempfile.TemporaryDirectory[str]) -> None:
        self._process = process
        self._results = results
        self._folder = folder

    def __enter__(self) -> RunningPlay:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.__exit__(kind, error, trace)
        self._folder.cleanup()

    def kill(self) -> None:
        """Kills it with SIGKILL, its workers and their connections too, and waits for their end."""
        self._process.kill(children=True)

    @property
    def pid(self) -> int:
        """The process id of ansible-playbook, which is that of its process group."""
        return self._process.pid

    def signal(self, number: signal.Signals, *, group: bool = False) -> None:
        """Sends a signal to ansible-playbook alone, or to its process group as a terminal does."""
        if group:
            os.killpg(self.pid, number)
        else:
            self._process.signal(number)

    def output(self) -> tuple[str, str]:
        """The text that it has written to stdout and stderr so far."""
        return self._process.output()

    def running(self) -> bool:
        """True if it has not ended yet."""
        return self._process.process.poll() is None

    def wait(self, timeout: float = TIMEOUT) -> PlaybookResult:
        """Waits for the end and reads the results.

        :raises subprocess.TimeoutExpired: it still runs after ``timeout`` seconds
        """
        rc = self._process.process.wait(timeout)
        return PlaybookResult(rc, *self._process.output(), _read(self._results))


def start_playbook(
    playbook: Path | Sequence[Mapping[str, Any]],
    *,
    inventory: Mapping[str, Mapping[str, Any]] | None = None,
    options: Sequence[str] = (),
    variables: Mapping[str, Any] | None = None,
    env: Mapping[str, str | None] | None = None,
    prefix: Sequence[str] = (),
    fresh: bool = False,
    one_screen: bool = False,
) -> RunningPlay:
    """Starts a playbook, a file or a list of plays, and returns at once.

    ``inventory`` has the variables of each host, by default of localhost without ssh. ``options`` are more of
    ansible-playbook's (``--check``, ``--diff``, ``-vvv``), ``variables`` extra variables. ``prefix`` is a command that
    runs the command that follows it; then, or if ``fresh`` asks for it, the run is an interpreter of its own. With
    ``one_screen``, stdout and stderr are one.
    """
    # Removed at the end of the run, and here if there is none.
    folder = tempfile.TemporaryDirectory(prefix="playbook-")
    scratch = Path(folder.name)
    local = {"ansible_connection": "local", "ansible_python_interpreter": HOST_PYTHON}
    hosts = scratch / "inventory.json"
    hosts.write_text(json.dumps({"all": {"hosts": inventory or {"localhost": local}}}, default=str), "utf-8")
    if not isinstance(playbook, Path):
        plays = scratch / "playbook.json"
        plays.write_text(json.dumps(list(playbook), default=str), encoding="utf-8")
        playbook = plays
    words = ["-i", str(hosts), *options]
    if SKOPEO_COPY in os.environ:
        variables = {"image_save_skopeo_copy": os.environ[SKOPEO_COPY], **(variables or {})}
    if variables:
        words += ["-e", json.dumps(dict(variables), default=str)]
    words.append(str(playbook))
    results = scratch / "results.jsonl"
    settings: dict[str, str | None] = {
        "ANSIBLE_CALLBACKS_ENABLED": "forehanded,recorder",
        "ANSIBLE_CALLBACK_PLUGINS": str(_CALLBACKS),
        "ANSIBLE_COLLECTIONS_PATH": str(ROOT),
        "ANSIBLE_CONFIG": str(_home() / "ansible.cfg"),
        "ANSIBLE_HOME": str(_home()),
        "ANSIBLE_NOCOLOR": "1",
        "FOREHANDED_MODULES": str(packed_modules()),
        # The bytecode of Ansible itself is beside it, and need not be made again.
        **{name: os.environ.get(name) for name in ("PYTHONDONTWRITEBYTECODE", "PYTHONPYCACHEPREFIX")},
        "RECORDER_FILE": str(results),
        **(env or {}),
    }
    full = environment(settings)
    server = None
    if not fresh and not prefix and can_fork(full):
        server = next(fork_servers("ansible.cli.playbook", read_at_start(full), str(_CALLBACKS / "forehanded.py")))
    command = [*prefix, sys.executable, "-m", "ansible", "playbook", *words]
    running = RunningModule(command, b"", full, None, server=server, words=words, one_screen=one_screen)
    return RunningPlay(running, results, folder)


def run_playbook(
    playbook: Path | Sequence[Mapping[str, Any]], *, timeout: float = TIMEOUT, **keywords: Any
) -> PlaybookResult:
    """Runs a playbook to its end; ``keywords`` are those of ``start_playbook``.

    :raises subprocess.TimeoutExpired: it took longer than ``timeout`` seconds; it is ended then
    """
    with start_playbook(playbook, **keywords) as play:
        return play.wait(timeout)


def run_task(action: str, arguments: Mapping[str, Any], **keywords: Any) -> PlaybookResult:
    """Runs a play of one task, named ``task``; ``keywords`` are those of ``run_playbook``."""
    task = {"name": "task", action: dict(arguments)}
    return run_playbook([{"hosts": "localhost", "gather_facts": False, "tasks": [task]}], **keywords)


def _read(results: Path) -> tuple[TaskResult, ...]:
    if not results.exists():
        return ()
    return tuple(TaskResult(**json.loads(line)) for line in results.read_text(encoding="utf-8").splitlines())
