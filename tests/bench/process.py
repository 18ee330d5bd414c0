# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs programs and the module, each in a process of its own, and takes wall time, CPU time and peak memory."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from ..support.module import environment

T = TypeVar("T")
MEGA = 1_000_000
SAVE, LOAD = "image_save", "image_load"
_LAUNCHER = Path(__file__).with_name("launcher.py")


class BenchError(Exception):
    """Something did not do what a measurement needs, so there is no figure."""


@dataclass(frozen=True)
class Run:
    """How a process ended well: ``wall`` and ``cpu`` in seconds, the latter with all children it waited for."""

    wall: float
    cpu: float
    stdout: bytes = field(repr=False)


@dataclass(frozen=True)
class ModuleRun:
    """A run of the module.

    :param wall: seconds from before its process is started until it has ended.
    :param cpu: CPU seconds of the module and of every child that it waited for.
    :param peak: most bytes of memory that the module itself had resident, without its children.
    :param data: what it returned.
    """

    wall: float
    cpu: float
    peak: int
    data: dict[str, Any] = field(repr=False)

    def seconds(self, *stages: str) -> float:
        """Wall time of these stages together, as the module's ``stats`` has it; a stage that was left out has none."""
        taken: dict[str, float] = self.data["stats"]["seconds"]
        return sum(taken.get(stage, 0.0) for stage in stages)

    @property
    def parts(self) -> tuple[tuple[str, str], ...]:
        """Name and sha256 of every file of the archive, which must still be there."""
        lock = json.loads(Path(self.data["lock_file"]).read_text("utf-8"))
        return tuple((each["name"], each["sha256"]) for each in lock["parts"])


def run(
    command: Sequence[str | Path],
    *,
    stdin: bytes = b"",
    env: Mapping[str, str] | None = None,
    accept: Collection[int] = (0,),
) -> Run:
    """Runs a program to its end.

    :param env: the whole environment; by default the one that modules get.
    :param accept: exit statuses that are no failure.
    :raises BenchError: it failed
    """
    with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        given.write(stdin)
        given.seek(0)
        started = time.monotonic()
        process = subprocess.Popen(command, stdin=given, stdout=out, stderr=err, env=env or environment())
        _pid, status, usage = os.wait4(process.pid, 0)
        wall = time.monotonic() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        err.seek(0)
        stdout = out.read()
        if process.returncode not in accept:
            told = (stdout[-2000:] + err.read()[-2000:]).decode("utf-8", "replace")
            raise BenchError(f"{shlex.join(map(str, command))} ended with {process.returncode}:\n{told}")
    return Run(wall, usage.ru_utime + usage.ru_stime, stdout)


def shell(script: str, *arguments: str | Path) -> Run:
    """Runs a script of bash with arguments ``$1``, ``$2``, …; any command of a pipe that fails makes it fail.

    :raises BenchError: it failed
    """
    return run(["bash", "-c", f"set -euo pipefail; {script}", "bash", *map(str, arguments)])


def run_module(
    params: Mapping[str, Any], *, env: Mapping[str, str | None] | None = None, name: str = SAVE
) -> ModuleRun:
    """Runs a module as Ansible does, in a fresh interpreter.

    :param env: changes to the environment.
    :raises BenchError: the module failed
    """
    internal = {"_ansible_remote_tmp": "~/.ansible/tmp", "_ansible_module_name": f"airgap.images.{name}"}
    arguments = json.dumps({"ANSIBLE_MODULE_ARGS": {**params, **internal}}, default=os.fspath).encode("utf-8")
    with tempfile.NamedTemporaryFile() as told:
        # By its path, as the collection that PYTHONPATH leads to need not have it.
        done = run([sys.executable, "-P", _LAUNCHER, name, told.name], stdin=arguments, env=environment(env))
        peak = int(Path(told.name).read_text(encoding="ascii"))
    return ModuleRun(done.wall, done.cpu, peak, json.loads(done.stdout))


def module_start(name: str = SAVE) -> float:
    """Seconds from the start of a module's process until it could begin: it has read its arguments and refuses them."""
    return start_run(name).wall


def start_run(name: str = SAVE) -> Run:
    """A run of a module that ends when it could begin.

    :raises BenchError: it does not refuse empty arguments
    """
    arguments = json.dumps({"ANSIBLE_MODULE_ARGS": {"_ansible_remote_tmp": "~/.ansible/tmp"}}).encode("ascii")
    program = f"ansible_collections.airgap.images.plugins.modules.{name}"
    done = run([sys.executable, "-m", program], stdin=arguments, accept=(0, 1))
    if b"missing required arguments" not in done.stdout:
        raise BenchError(f"the module was to refuse empty arguments, but said {done.stdout.decode()}")
    return done


def alternating(rounds: int, variants: Mapping[str, Callable[[], T]]) -> dict[str, list[T]]:
    """Takes each variant once a round, every other round in reverse order, and gives the samples by variant."""
    samples: dict[str, list[T]] = {name: [] for name in variants}
    for number in range(rounds):
        order = list(variants)[:: -1 if number % 2 else 1]
        for name in order:
            samples[name].append(variants[name]())
    return samples
