# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the module as Ansible does: a process of its own, arguments as JSON on stdin, the result as JSON on stdout.

It is a fork of a Python that has imported the libraries, as these imports would be most of what the tests do.
"""

from __future__ import annotations

import atexit
import functools
import itertools
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from .forked import ForkedProcess, ForkServer, can_fork, read_at_start

COLLECTION = Path(__file__).resolve().parents[2]
"""The collection that these fixtures are part of."""

ROOT = COLLECTION.parents[2]
"""The folder above ``ansible_collections``: what PYTHONPATH and ANSIBLE_COLLECTIONS_PATH want."""

_PREPARATIONS = [str(Path(__file__).resolve().with_name(name)) for name in ("late_imports.py", "peak.py")]

TIMEOUT = 300.0
"""Seconds after which a run is taken to hang."""

# What a developer's or a CI's environment may have and the module would act upon.
_LEFT_OUT = re.compile(
    r"(?i:(http|https|no|all)_proxy)|REQUESTS_CA_BUNDLE|CURL_CA_BUNDLE|SSL_CERT_(FILE|DIR)"
    r"|SOURCE_(REGISTRY|USERNAME|PASSWORD)|REGISTRY_AUTH_FILE|DOCKER_CONFIG|XDG_RUNTIME_DIR"
)


class ModuleError(Exception):
    """The module said nothing that Ansible could read."""


@dataclass(frozen=True)
class Result:
    """The result of the module: ``data`` is the JSON, ``rc`` the exit status."""

    data: dict[str, Any]
    rc: int
    stderr: str

    def __getitem__(self, key: str) -> Any:
        return self.data[key]

    @property
    def changed(self) -> bool:
        """True if it says that something changed."""
        return bool(self.data.get("changed"))

    @property
    def failed(self) -> bool:
        """True if it failed."""
        return bool(self.data.get("failed")) or self.rc != 0

    @property
    def msg(self) -> str:
        """The message for the user."""
        return str(self.data.get("msg", ""))

    @property
    def warnings(self) -> list[str]:
        """The texts of its warnings; ansible-core 2.19 and later wrap each in a document."""
        warnings: list[Any] = self.data.get("warnings", [])
        return [each if isinstance(each, str) else str(each["event"]["msg"]) for each in warnings]


@functools.cache
def _bytecode_folder() -> str:
    folder = tempfile.mkdtemp(prefix="airgap-images-bytecode-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def environment(changes: Mapping[str, str | None] | None = None) -> dict[str, str]:
    """This process's environment without proxies, registry settings and CA bundles, then with ``changes``.

    A value of None removes a variable.
    """
    full: dict[str, str | None] = {name: text for name, text in os.environ.items() if not _LEFT_OUT.fullmatch(name)}
    full.update({"PYTHONPATH": str(ROOT), "LC_ALL": "C.UTF-8"})
    # Whoever runs the tests may want no bytecode beside the sources; compiling all of them for each run is slow.
    full.update({"PYTHONDONTWRITEBYTECODE": None, "PYTHONPYCACHEPREFIX": _bytecode_folder()})
    full.update(changes or {})
    return {name: text for name, text in full.items() if text is not None}


class RunningModule:
    """A run of the module; as a context manager it ends what still runs of it, children included."""

    def __init__(
        self,
        command: list[str],
        arguments: bytes,
        env: dict[str, str],
        cwd: Path | None,
        *,
        server: ForkServer | None = None,
        words: Sequence[str] = (),
        one_screen: bool = False,
    ) -> None:
        """Starts ``command``, or what ``server`` makes of ``words`` instead of it.

        With ``one_screen``, stdout and stderr are one file, as they are one screen for a user.
        """
        # Files instead of pipes: nobody has to read along.
        self._files = ExitStack()
        self._adopted: list[int] = []
        self._stdout = self._files.enter_context(tempfile.TemporaryFile())  # noqa: SIM115
        self._stderr = self._files.enter_context(tempfile.TemporaryFile())  # noqa: SIM115
        stderr = self._stdout if one_screen else self._stderr
        with tempfile.TemporaryFile() as stdin:
            stdin.write(arguments)
            stdin.seek(0)
            self.process: subprocess.Popen[bytes] | ForkedProcess
            if server:
                self.process = server.start(stdin, self._stdout, stderr, env=env, cwd=cwd, words=words)
                return
            self.process = subprocess.Popen(
                command,
                stdin=stdin,
                stdout=self._stdout,
                stderr=stderr,
                env=env,
                cwd=cwd,
                start_new_session=True,
            )

    def __enter__(self) -> RunningModule:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill(children=True)
        self._files.close()

    @property
    def pid(self) -> int:
        """The process id of the module."""
        return self.process.pid

    def children(self) -> list[int]:
        """The process ids of everything that descends from the module and is alive."""
        return descendants(self.pid)

    def adopt(self, pids: Iterable[int]) -> None:
        """Has these processes end with the context manager, although their parent may be gone by then."""
        self._adopted.extend(pids)

    def signal(self, number: signal.Signals) -> None:
        """Sends a signal to the module alone."""
        self.process.send_signal(number)

    def kill(self, *, children: bool = False) -> None:
        """Kills the module with SIGKILL, and its children too if asked to, and waits for their end."""
        # What has ended has no children any more, and to look through all processes takes long.
        living = self.children() if children and self.process.poll() is None else []
        doomed = [*living, *self._adopted] if children else []
        self.process.kill()
        self.process.wait()
        for pid in doomed:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        wait_for_end(doomed)

    def wait(self, timeout: float = TIMEOUT) -> Result:
        """Waits for the end and reads the result.

        :raises subprocess.TimeoutExpired: it still runs after ``timeout`` seconds
        :raises ModuleError: there is no JSON on its standard output
        """
        rc = self.process.wait(timeout)
        stdout, stderr = self.output()
        # Ansible, too, takes what begins at a line with a brace.
        start = 0 if stdout.startswith("{") else stdout.find("\n{") + 1
        try:
            data = json.loads(stdout[start:])
        except ValueError:
            raise ModuleError(f"no result; rc {rc}\n--- stdout\n{stdout}\n--- stderr\n{stderr}") from None
        return Result(data, rc, stderr)

    def output(self) -> tuple[str, str]:
        """The text that the module has written to stdout and stderr so far."""
        texts: list[str] = []
        for stream in (self._stdout, self._stderr):
            size = os.fstat(stream.fileno()).st_size
            # pread leaves the offset alone, which the module's own descriptor shares.
            texts.append(os.pread(stream.fileno(), size, 0).decode("utf-8", "replace"))
        return texts[0], texts[1]


def descendants(pid: int) -> list[int]:
    """The process ids of the living descendants of ``pid``, from /proc."""
    parents: dict[int, int] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        except OSError:  # gone since the listing
            continue
        if fields[0] != "Z":
            parents[int(path.parent.name)] = int(fields[1])
    found: list[int] = []
    generation = [pid]
    while generation:
        generation = [child for child, parent in parents.items() if parent in generation]
        found += generation
    return found


def alive(pid: int) -> bool:
    """Return True if the process exists and is not a zombie."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    return text.rpartition(")")[2].split()[0] != "Z"


def wait_for_end(pids: Iterable[int], timeout: float = 120.0) -> None:
    """Returns once none of these processes is alive.

    :raises TimeoutError: one still was after ``timeout`` seconds
    """
    deadline = time.monotonic() + timeout
    remaining = list(pids)
    while remaining := [pid for pid in remaining if alive(pid)]:
        if time.monotonic() > deadline:
            raise TimeoutError(f"still alive: {remaining}")
        time.sleep(0.005)


@functools.cache
def fork_servers(module: str, env: frozenset[tuple[str, str]], *preparations: str) -> Iterator[ForkServer]:
    """Two servers by turns: each has another seed of hashes, so the order of a set is another in the next run."""

    def started() -> Iterator[ForkServer]:
        for _number in range(2):
            server = ForkServer(module, dict(env), *preparations)
            atexit.register(server.close)
            yield server

    return itertools.cycle(started())


SKOPEO_COPY = "AIRGAP_SKOPEO_COPY"
"""Environment variable of the tests: the option of that name, where a test does not give it."""


def start_module(
    params: Mapping[str, Any],
    *,
    check: bool = False,
    diff: bool = False,
    verbosity: int = 0,
    env: Mapping[str, str | None] | None = None,
    cwd: Path | None = None,
    module: str = "image_save",
    python: str = sys.executable,
    fresh: bool = False,
    under: Sequence[str] = (),
) -> RunningModule:
    """Starts the module with ``params`` and returns at once.

    It is a fork of a server unless ``fresh`` asks for an interpreter of its own, or ``python`` or ``env`` for another.
    ``under`` is the beginning of a command line that starts the module, such as that of a tracer.

    The arguments go to stdin, where every ansible-core from 2.17 on looks for them when the module is started by hand;
    the serialization profile, which 2.19 introduced, is then ``legacy``, as it is for modules in collections.
    """
    if module == "image_save" and SKOPEO_COPY in os.environ:
        params = {"skopeo_copy": os.environ[SKOPEO_COPY], **params}
    internal = {
        "_ansible_check_mode": check,
        "_ansible_diff": diff,
        "_ansible_verbosity": verbosity,
        "_ansible_remote_tmp": "~/.ansible/tmp",
        "_ansible_keep_remote_files": False,
        "_ansible_no_log": False,
        "_ansible_debug": False,
        "_ansible_module_name": f"airgap.images.{module}",
        "_ansible_selinux_special_fs": ["fuse", "nfs", "vboxsf", "ramfs", "9p", "vfat"],
        "_ansible_socket": None,
        "_ansible_shell_executable": "/bin/sh",
    }
    arguments = json.dumps({"ANSIBLE_MODULE_ARGS": {**params, **internal}}, default=os.fspath).encode("utf-8")
    name = f"ansible_collections.airgap.images.plugins.modules.{module}"
    full = environment(env)
    at_start = read_at_start(full)
    server = None
    is_usual = not fresh and not under and python == sys.executable
    if is_usual and at_start == read_at_start(environment()) and can_fork(full):
        server = next(fork_servers(name, at_start, *_PREPARATIONS))
    return RunningModule([*under, python, "-m", name], arguments, full, cwd, server=server)


def run_module(
    params: Mapping[str, Any],
    *,
    check: bool = False,
    diff: bool = False,
    verbosity: int = 0,
    env: Mapping[str, str | None] | None = None,
    cwd: Path | None = None,
    module: str = "image_save",
    python: str = sys.executable,
    fresh: bool = False,
    timeout: float = TIMEOUT,
) -> Result:
    """Runs the module to its end; paths in ``params`` may be ``Path`` objects.

    :raises subprocess.TimeoutExpired: it took longer than ``timeout`` seconds; it is ended then
    :raises ModuleError: it returned no JSON
    """
    with start_module(
        params, check=check, diff=diff, verbosity=verbosity, env=env, cwd=cwd, module=module, python=python, fresh=fresh
    ) as running:
        return running.wait(timeout)
