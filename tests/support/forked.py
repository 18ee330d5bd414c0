# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs of a module without the half second in which Python imports the same libraries again."""

from __future__ import annotations

import json
import os
import re
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

SERVER = Path(__file__).resolve().with_name("fork_server.py")

_READ_LATER = re.compile(
    r"HOME|PATH|TMPDIR|PYTEST_CURRENT_TEST|RECORDER_FILE|AIRGAP_PEAK|XDG_CACHE_HOME|XDG_CONFIG_HOME|XDG_RUNTIME_DIR"
    r"|(?i:(http|https|no|all)_proxy)|CONTAINERS_REGISTRIES_CONF|REGISTRIES_CONFIG_PATH"
    r"|REQUESTS_CA_BUNDLE|CURL_CA_BUNDLE|SSL_CERT_(FILE|DIR)|SOURCE_\w+|REGISTRY_AUTH_FILE|DOCKER_CONFIG"
)
_OF_COVERAGE = re.compile(r"COVERAGE_.*|COV_CORE_.*")


def read_at_start(env: Mapping[str, str]) -> frozenset[tuple[str, str]]:
    """The part of an environment that an interpreter or a library may read when it starts: all that isn't known."""
    return frozenset(each for each in env.items() if not _READ_LATER.fullmatch(each[0]))


def can_fork(env: Mapping[str, str]) -> bool:
    """Return True if a fork does what a fresh interpreter would. Coverage begins with an interpreter."""
    return not any(_OF_COVERAGE.fullmatch(name) for name in env)


class ForkedProcess:
    """A run in a fork of a server: what ``subprocess.Popen`` would be to it."""

    def __init__(self, status: int, command: str) -> None:
        self._status = status
        self._command = command
        self._read = b""
        self.returncode: int | None = None
        self._await_lines(1, None)
        pid = re.match(rb"pid (\d+)\n", self._read)
        if pid is None:
            os.close(status)
            raise ChildProcessError(f"the server began no run of {command}")
        self.pid = int(pid[1])

    def poll(self) -> int | None:
        """The exit status, negative for a signal, or None while it runs."""
        try:
            return self.wait(0)
        except subprocess.TimeoutExpired:
            return None

    def wait(self, timeout: float | None = None) -> int:
        """The exit status, once there is one.

        :raises subprocess.TimeoutExpired: it still runs after ``timeout`` seconds
        """
        if self.returncode is None:
            if not self._await_lines(2, timeout):
                assert timeout is not None
                raise subprocess.TimeoutExpired(self._command, timeout)
            os.close(self._status)
            status = re.search(rb"^status (-?\d+)\n", self._read, re.MULTILINE)
            if status is None:
                self.returncode = -signal.SIGKILL
                raise ChildProcessError(f"nobody knows how {self._command} ended")
            self.returncode = int(status[1])
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Sends it a signal, unless it has ended."""
        if self.poll() is None:
            with suppress(ProcessLookupError):  # it has ended since
                os.kill(self.pid, number)

    def kill(self) -> None:
        """Sends it SIGKILL, unless it has ended."""
        self.send_signal(signal.SIGKILL)

    def _await_lines(self, count: int, timeout: float | None) -> bool:
        """Reads until there are so many lines, or the pipe ends; false when that takes too long."""
        deadline = None if timeout is None else time.monotonic() + timeout
        poll = select.poll()
        poll.register(self._status, select.POLLIN)
        while self._read.count(b"\n") < count:
            left = None if deadline is None else max(0.0, deadline - time.monotonic()) * 1000
            if not poll.poll(left):
                return False
            piece = os.read(self._status, 100)
            if not piece:
                break
            self._read += piece
        return True


class ForkServer:
    """An interpreter that has imported the libraries of ``module``, and then run the files of ``preparations``.

    All of its runs have ``env`` in common: the part of their environments that may be read when an interpreter starts.
    """

    def __init__(self, module: str, env: Mapping[str, str], *preparations: str) -> None:
        self._module = module
        # Of the kind that the runs get, as a stream remembers what it began with.
        self._streams = [tempfile.TemporaryFile() for number in range(3)]  # noqa: SIM115
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._server = subprocess.Popen(
                [sys.executable, str(SERVER), module, str(theirs.fileno()), *preparations],
                stdin=self._streams[0],
                stdout=self._streams[1],
                stderr=self._streams[2],
                # Without a home, as the tests' own ones have no packages either.
                env=dict(env, HOME=os.devnull),
                pass_fds=[theirs.fileno()],
                # Ctrl-C is for the tests, which then end what runs.
                start_new_session=True,
            )

    def start(
        self,
        stdin: IO[bytes],
        stdout: IO[bytes],
        stderr: IO[bytes],
        *,
        env: Mapping[str, str],
        cwd: Path | None,
        words: Sequence[str] = (),
    ) -> ForkedProcess:
        """Starts a run; ``words`` are what follows the name of the program.

        :raises FileNotFoundError: there is no ``cwd``
        :raises ChildProcessError: the server has ended, as it does when the module cannot be imported
        """
        directory = Path(cwd or ".").resolve(strict=True)
        request = {"env": json.dumps(dict(env)), "cwd": str(directory), "umask": _umask()}
        request["words"] = json.dumps(list(words))
        status, theirs = os.pipe()
        with suppress(ConnectionError):  # the end of the pipe will tell
            descriptors = [stdin.fileno(), stdout.fileno(), stderr.fileno(), theirs]
            socket.send_fds(self._control, [json.dumps(request).encode()], descriptors)
        os.close(theirs)
        try:
            return ForkedProcess(status, self._module)
        except ChildProcessError as error:
            said = os.pread(self._streams[2].fileno(), 100_000, 0).decode("utf-8", "replace")
            raise ChildProcessError(f"{error}\n{said}") from None

    def close(self) -> None:
        """Ends the server, but no run."""
        self._control.close()
        self._server.kill()
        self._server.wait()
        for each in self._streams:
            each.close()


def _umask() -> str:
    """The mask of this process, without changing it for a moment."""
    found = re.search(r"^Umask:\s*(\d+)$", Path("/proc/self/status").read_text(encoding="utf-8"), re.MULTILINE)
    assert found
    return found[1]
