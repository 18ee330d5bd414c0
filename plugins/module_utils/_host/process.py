# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Programs that run for us: they end when we do, however we end, and with all that they started."""

from __future__ import annotations

import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from functools import cache
from typing import BinaryIO

from .._base.errors import StorageError
from .._base.stop import LOOK_SECONDS, Check

_TERM_SECONDS = 1.0
_PROBE_SECONDS = 30.0
_LOOK_SECONDS = 0.01
_LONGEST_ANSWER = 1024 * 1024
# For hosts whose util-linux is older than 2.33: the same by hand, at the price of starting an interpreter.
_WRAPPER = (
    "import ctypes, os, signal, sys\n"
    "ctypes.CDLL(None).prctl(1, int(signal.SIGKILL), 0, 0, 0)\n"
    "os.execvp(sys.argv[1], sys.argv[1:])\n"
)
# The parent may have been killed before its child had said that it wants to end with it.
_ONLY_WITH_PARENT = ("/bin/sh", "-c", '[ "$PPID" = "$1" ] || exit 1; shift; exec "$@"', "sh")


def death_guard() -> tuple[str, ...]:
    """The beginning of a command line whose program the kernel kills when the thread that started it ends.

    prctl(2), PR_SET_PDEATHSIG. Not done between fork and exec of our own, where a process with threads may do little.
    """
    return (*_killed_with_parent(), *_ONLY_WITH_PARENT, str(os.getpid()))


@cache
def _killed_with_parent() -> tuple[str, ...]:
    setpriv = shutil.which("setpriv")
    if setpriv is not None:
        guard = (setpriv, "--pdeathsig", "KILL", "--")
        with suppress(OSError, subprocess.TimeoutExpired):
            done = subprocess.run(  # pylint: disable=ansible-bad-function  # the engine knows no module
                [*guard, "true"], stdin=subprocess.DEVNULL, capture_output=True, timeout=_PROBE_SECONDS, check=False
            )
            if done.returncode == 0:
                return guard
    return (sys.executable, "-I", "-S", "-c", _WRAPPER)


def start(
    command: list[str], *, errors: BinaryIO, environment: dict[str, str], output: BinaryIO | None = None
) -> subprocess.Popen[bytes]:
    """Start a program in a process group of its own, with nothing on its standard input.

    :param errors: takes its standard error.
    :param output: takes its standard output; without it, that is thrown away.
    :raises OSError: when it cannot be started.
    """
    return subprocess.Popen(  # pylint: disable=ansible-bad-function  # it is watched while it runs
        [*death_guard(), *command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL if output is None else output,
        stderr=errors,
        env=environment,
        start_new_session=True,
    )


def has_ended(process: subprocess.Popen[bytes], seconds: float) -> bool:
    """Wait for a program to end, at most for some time; processes that it left behind are ended too.

    ``Popen.wait`` polls, which doubles the time of a short program; the kernel reports the end at once
    (pidfd_open(2), Linux 5.3).
    """
    try:
        descriptor = os.pidfd_open(process.pid)
    except (AttributeError, OSError):
        ended = _has_ended_by_itself(process, seconds)
    else:
        try:
            poll = select.poll()  # select takes no number beyond 1023
            poll.register(descriptor, select.POLLIN)
            ended = bool(poll.poll(seconds * 1000))
        finally:
            os.close(descriptor)
    if ended:
        with suppress(OSError):
            os.killpg(process.pid, signal.SIGKILL)  # before the number can be another group's
    return process.poll() is not None


def _has_ended_by_itself(process: subprocess.Popen[bytes], seconds: float) -> bool:
    """Do the same on older kernels; a program that has ended is left to be waited for."""
    until = time.monotonic() + seconds
    with suppress(ChildProcessError):
        while os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is None:
            if time.monotonic() >= until:
                return False
            time.sleep(_LOOK_SECONDS)
        return True
    return False  # it was waited for already


def answer_of(command: list[str], *, given: bytes, seconds: float, check: Check) -> tuple[int, bytes]:
    """Run a program with a small input and a small output.

    :param given: its standard input.
    :param seconds: after which it is ended.
    :param check: called while it runs; raises when the run is to end.
    :returns: its exit status, and what it wrote to its standard output.
    :raises OSError: when it cannot be started.
    :raises subprocess.TimeoutExpired: when it took too long.
    """
    with memory_file("question") as question, memory_file("answer") as answer:
        question.write(given)
        question.seek(0)
        process = subprocess.Popen(  # pylint: disable=ansible-bad-function  # it is watched while it runs
            [*death_guard(), *command],
            stdin=question,
            stdout=answer,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        until = time.monotonic() + seconds
        try:
            while not has_ended(process, LOOK_SECONDS):
                check()
                if time.monotonic() >= until:
                    raise subprocess.TimeoutExpired(command, seconds)
        finally:
            end(process)
        answer.seek(0)
        return process.returncode, answer.read(_LONGEST_ANSWER)


def end(process: subprocess.Popen[bytes]) -> None:
    """End a program that was started here, and whatever it started itself.

    :raises StorageError: when not even SIGKILL ends it, as on a filesystem that hangs.
    """
    if process.poll() is not None:
        return
    for signal_number in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal_number)
        with suppress(subprocess.TimeoutExpired):
            process.wait(_TERM_SECONDS)
    if process.returncode is None:
        raise StorageError(f"process {process.pid} cannot be ended")


def memory_file(name: str) -> BinaryIO:
    """Make a file that takes no space on any filesystem, so that messages about a full disk are not lost."""
    if hasattr(os, "memfd_create"):
        return os.fdopen(os.memfd_create(name), "w+b")
    return tempfile.TemporaryFile()
