# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A run that does not end with the command that has started it.

The action plugin starts the module with the path of a private progress file, like any module: one command, and with
pipelining no file on the host. The run goes on in a process of its own. If it ends within seconds, that command returns
its result, and nothing is left to ask for. Otherwise the command says that it goes on, and ends.

There are three processes then: the one that was started, which waits for a moment; the supervisor, which waits for the
end and writes the result to a file; and the run.
"""

from __future__ import annotations

import json
import os
import select
import signal
import sys
import tempfile
from contextlib import suppress
from typing import Any, BinaryIO, NoReturn

from .._base.errors import printable
from .disk_errors import reason
from .files import make_directories, put_whole, temporary_of
from .progress import AT_MOST

PATIENCE = 3.0
"""Seconds for which the command that starts a run waits for its end."""

LIMIT = 7 * 86400
"""Seconds after which a run is killed."""

JOB = "airgap_images_job"
"""The key by which the answer of that command says what has become of the run: an object with C(state), and C(progress)
of a run that has ended."""

ENDED, RUNNING, REFUSED = "ended", "running", "refused"
"""The answer has the result; the run goes on; no run was started, because its files cannot be written."""

CLAIM = ".claim"
"""The suffix of an empty file beside the progress file: the run was started. If the connection breaks, Ansible may send
the same command again."""

RESULT = ".result"
"""The suffix of the file with the result."""


def as_job(private: str | None) -> str | None:
    """Continue in a process of its own, if the action plugin asks for it.

    Returns in that process only. The one that was started ends here, with an answer for the action plugin.

    :param private: path of the progress file; ``None``: the module runs like any other.
    :returns: the same path.
    """
    if private is None:
        return None
    path = os.path.expanduser(private)
    directory = os.path.dirname(path)
    try:
        make_directories(directory, 0o700)
        os.close(os.open(path + CLAIM, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        out, err = (tempfile.TemporaryFile(dir=directory) for _each in range(2))  # noqa: SIM115
    except FileExistsError:
        _leave(path)
    except OSError as error:
        _remove(path + CLAIM)
        _answer({"failed": True, "msg": f"{directory} cannot be written: {reason(error)}", JOB: {"state": REFUSED}})
        os._exit(0)
    sys.stdout.flush()
    watched, held = os.pipe()
    if os.fork():
        os.close(held)  # the supervisor has it as well; its end ends the wait
        select.select([watched], [], [], PATIENCE)
        _leave(path)
    os.close(watched)
    os.setsid()
    # For the supervisor, which must not end before the run; the run itself decides what they mean.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGTERM, signal.SIGINT, signal.SIGHUP))
    worker = os.fork()
    _redirect(out, err)
    if worker:
        _supervise(worker, path, out, err)
    signal.pthread_sigmask(signal.SIG_SETMASK, before)
    os.setpgid(0, 0)
    os.close(held)
    return private


def _redirect(out: BinaryIO, err: BinaryIO) -> None:
    nothing = os.open(os.devnull, os.O_RDONLY)
    for number, descriptor in enumerate((nothing, out.fileno(), err.fileno())):
        os.dup2(descriptor, number)


def _supervise(worker: int, path: str, out: BinaryIO, err: BinaryIO) -> NoReturn:
    """Wait for the end of the run, and write its result."""
    is_late = False

    def kill(number: int, frame: object) -> None:
        nonlocal is_late
        is_late = True
        os.killpg(worker, signal.SIGKILL)

    with suppress(OSError):  # both do it, as nobody knows who comes first
        os.setpgid(worker, worker)
    signal.signal(signal.SIGALRM, kill)
    signal.alarm(LIMIT)
    os.waitpid(worker, 0)
    signal.alarm(0)
    out.seek(0)
    err.seek(0)
    result = result_of(out.read(), err.read(), is_late=is_late)
    with suppress(OSError):  # the action plugin says that it was lost
        put_whole(path + RESULT, json.dumps(result).encode("ascii"), by=temporary_of(path + RESULT))
    os._exit(0)


def result_of(out: bytes, err: bytes, *, is_late: bool) -> dict[str, Any]:
    """Read what a module has printed. Pure.

    :param err: its standard error.
    :param is_late: whether it was killed after its time limit.
    :returns: its result. If there is none, one that says why.
    """
    if is_late:
        return _failed(
            f"the run did not end within {LIMIT // 86400} days, and was killed. What was transferred is kept; run again"
        )
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


def _leave(path: str) -> NoReturn:
    """End the process that was started, without cleaning up: the run still needs the payload of the module."""
    try:
        with open(path + RESULT, encoding="ascii") as file:
            result = json.load(file)
    except (OSError, ValueError):
        _answer({"changed": False, JOB: {"state": RUNNING}})
        os._exit(0)
    progress = ""
    with suppress(OSError), open(path, encoding="utf-8", errors="surrogateescape") as file:
        progress = file.read(AT_MOST)
    _answer({**result, JOB: {"state": ENDED, "progress": progress}})
    _remove(path, temporary_of(path), path + CLAIM, path + RESULT)
    os._exit(0)


def _answer(answer: dict[str, Any]) -> None:
    """Print the answer. If nobody reads it any more, all files stay, and a new connection finds them."""
    try:
        print(json.dumps(answer), flush=True)
    except OSError:
        os._exit(1)


def _remove(*paths: str) -> None:
    for path in paths:
        with suppress(OSError):
            os.unlink(path)
