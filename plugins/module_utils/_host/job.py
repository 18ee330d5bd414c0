# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A run that does not end with the command that has started it.

The action plugin starts the module with the path of a private progress file, like any module: one command, and with
pipelining no file on the host. The run goes on in a process of its own. If it ends within seconds, that command returns
its result, and nothing is left to ask for. Otherwise the command says that it goes on, and ends.

There are three processes then: the one that was started, which waits for a moment; the supervisor, which waits for the
end and writes the result to a file; and the run.

The files of a run stay when its result is the answer of that command, as nobody knows whether the answer arrives. A
later run removes them.
"""

from __future__ import annotations

import json
import os
import select
import signal
import sys
import tempfile
import time
from contextlib import suppress
from typing import Any, BinaryIO, NoReturn

from .._base.errors import printable
from .disk_errors import reason
from .files import make_directories, put_whole, temporary_of
from .job_files import CLAIM, LIMIT, RESULT, remove_files, sweep
from .progress import AT_MOST

PATIENCE = 3.0
"""Seconds for which the command that starts a run waits for its end."""

JOB = "airgap_images_job"
"""The key by which the answer of that command says what has become of the run: an object with ``state``, and
``progress`` of a run that has ended."""

ENDED, RUNNING, REFUSED = "ended", "running", "refused"
"""The answer has the result; the run goes on; no run was started, because the host has no room for its files or its
processes."""

_LATE = f"the run did not end within {LIMIT // 86400} days, and was killed. What was transferred is kept; run again"


def as_job(private: str | None) -> str | None:
    """Continue in a process of its own, if the action plugin asks for it.

    Returns in that process only. The one that was started ends here, with an answer for the action plugin.

    :param private: path of the progress file; ``None``: the module runs like any other.
    :returns: its absolute path.
    """
    if private is None:
        return None
    path = os.path.abspath(private)
    directory = os.path.dirname(path)
    try:
        make_directories(directory, 0o700)
        os.close(os.open(path + CLAIM, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    except FileExistsError:
        sys.exit(_tell(_outcome(path)))
    except OSError as error:
        _refuse(f"{directory} cannot be written: {reason(error)}")
    try:
        out, err = (tempfile.TemporaryFile(dir=directory) for _each in range(2))  # noqa: SIM115
    except OSError as error:
        remove_files(path)
        _refuse(f"{directory} cannot be written: {reason(error)}")
    sys.stdout.flush()
    watched, held = os.pipe()
    try:
        first = os.fork()
    except OSError as error:
        remove_files(path)
        _refuse(f"no process can be started: {reason(error)}")
    if first:
        os.close(held)  # the supervisor has it as well; its end ends the wait
        select.select([watched], [], [], PATIENCE)
        # Without cleaning up: the run still needs the payload of the module.
        os._exit(_tell(_outcome(path)))
    os.close(watched)
    os.setsid()
    # For the supervisor, which must not end before the run; the run itself decides what they mean.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGTERM, signal.SIGINT, signal.SIGHUP))
    try:
        worker = os.fork()
    except OSError as error:
        _record(path, _failed(f"the run was not started, as the host has no process for it: {reason(error)}"))
        sys.exit(0)  # nothing goes on, and nothing of the module is to stay
    _redirect(out, err)
    if worker:
        _supervise(worker, path, out, err)
    signal.pthread_sigmask(signal.SIG_SETMASK, before)
    os.setpgid(0, 0)
    os.close(held)
    return path


def _redirect(out: BinaryIO, err: BinaryIO) -> None:
    nothing = os.open(os.devnull, os.O_RDONLY)
    for number, descriptor in enumerate((nothing, out.fileno(), err.fileno())):
        os.dup2(descriptor, number)


def _supervise(worker: int, path: str, out: BinaryIO, err: BinaryIO) -> NoReturn:
    """Remove what earlier runs have left, wait for the end of this one, and write its result."""
    is_late = False

    def kill(number: int, frame: object) -> None:
        nonlocal is_late
        is_late = True
        os.killpg(worker, signal.SIGKILL)

    with suppress(OSError):  # both do it, as nobody knows who comes first
        os.setpgid(worker, worker)
    signal.signal(signal.SIGALRM, kill)
    signal.alarm(LIMIT)
    sweep(os.path.dirname(path), now=time.time())
    os.waitpid(worker, 0)
    signal.alarm(0)
    out.seek(0)
    err.seek(0)
    _record(path, _failed(_LATE) if is_late else result_of(out.read(), err.read()))
    os._exit(0)


def _record(path: str, result: dict[str, Any]) -> None:
    """Write the result of a run for its user alone."""
    os.umask(0o077)
    with suppress(OSError):  # the action plugin says that it was lost
        put_whole(path + RESULT, json.dumps(result).encode("ascii"), by=temporary_of(path + RESULT))


def result_of(out: bytes, err: bytes) -> dict[str, Any]:
    """Read what a module has printed. Pure.

    :param err: its standard error.
    :returns: its result. If there is none, one that says why.
    """
    text = out.decode("utf-8", "surrogateescape")
    start = 0 if text.startswith("{") else text.find("\n{") + 1
    with suppress(ValueError):
        result, _end = json.JSONDecoder().raw_decode(text, start)
        if isinstance(result, dict):
            return result
    words = printable(" ".join((err or out).decode("utf-8", "replace").split())[-300:])
    hint = f" It said: {words}" if words else " It may have been killed; see the host's log."
    return _failed(f"the module ended without a result.{hint} What was transferred is kept; run again")


def _failed(message: str) -> dict[str, Any]:
    return {"failed": True, "changed": False, "msg": message}


def _outcome(path: str) -> dict[str, Any]:
    """Return what has become of a run that was started: its result and progress, or that it goes on."""
    try:
        with open(path + RESULT, encoding="ascii") as file:
            result = json.load(file)
    except (OSError, ValueError):
        return {"changed": False, JOB: {"state": RUNNING}}
    progress = ""
    with suppress(OSError), open(path, encoding="utf-8", errors="surrogateescape") as file:
        progress = file.read(AT_MOST)
    return {**result, JOB: {"state": ENDED, "progress": progress}}


def _refuse(message: str) -> NoReturn:
    """End, as no run can be started."""
    sys.exit(_tell({"failed": True, "msg": message, JOB: {"state": REFUSED}}))


def _tell(answer: dict[str, Any]) -> int:
    """Print an answer. If nobody reads it any more, a new connection finds it in the files.

    :returns: the exit status.
    """
    try:
        print(json.dumps(answer), flush=True)
    except OSError:
        return 1
    return 0
