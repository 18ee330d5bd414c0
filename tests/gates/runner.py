"""Runs gates, several at a time, and sums up."""

from __future__ import annotations

import math
import os
import re
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from gates.environments import Environment, cache_folder, variables
from gates.seconds import read_seconds, record_seconds
from gates.tree import copy_collection
from gates.versions import Plan

# Longer than any gate takes on a loaded machine: only something that hangs is ended by it.
TIMEOUT_SECONDS = 2400
SHOWN_LINES = 150
KEPT_RUNS = 20
ESCAPES = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")


class GateFailure(Exception):
    """The gate does not pass; the text says why in a line or a few."""


@dataclass(frozen=True)
class Gate:
    """Something that has to hold.

    :ivar group: Another name under which it can be run, together with others.
    """

    name: str
    group: str
    about: str
    run: Callable[[Job], None]


@dataclass(frozen=True)
class Result:
    """How one gate ended.

    :ivar worked: Seconds of CPU. A machine that is busy makes a gate last longer, but not work more.
    """

    gate: Gate
    seconds: float
    worked: float
    log: Path
    problem: str | None
    remark: str = ""


@dataclass
class Processes:
    """The processes that are running, so that an interrupted run leaves none behind."""

    running: set[subprocess.Popen[bytes]] = field(default_factory=set)
    lock: threading.Lock = field(default_factory=threading.Lock)
    stopped: bool = False

    def stop(self) -> None:
        """End all that was started here, and start nothing more."""
        with self.lock:
            self.stopped = True
            for process in self.running:
                _end(process)


@dataclass
class Job:
    """Everything that a gate gets to work with: a copy of the collection, commands, and a log.

    :ivar snapshot: The collection as it was when the run began; all gates judge the same.
    """

    plan: Plan
    environments: dict[str, Environment]
    snapshot: Path
    folder: Path
    log: Path
    processes: Processes
    live: bool = False
    more_arguments: Sequence[str] = ()
    said: str = ""
    worked: float = 0.0
    _tree: Path | None = None

    @property
    def root(self) -> Path:
        """The folder above `ansible_collections`."""
        return self.tree.parents[2]

    @property
    def tree(self) -> Path:
        """The collection: a copy of this gate's own."""
        if self._tree is None:
            self._tree = self.folder / self.snapshot.relative_to(self.snapshot.parents[3])
            shutil.copytree(self.snapshot, self._tree, symlinks=True)
        return self._tree

    def run(
        self,
        command: Sequence[str | Path],
        *,
        environment: str = "newest",
        cwd: Path | None = None,
        accept: Sequence[int] = (0,),
        **more_variables: str,
    ) -> str:
        """Run a command in the tree, and return what it printed.

        :arg environment: The name of the virtual environment.
        :arg accept: The exit statuses that are right.
        :arg more_variables: Variables of the process, beside the environment's.
        :raises GateFailure: Another exit status, or it took too long.
        """
        words = [str(word) for word in command]
        self.note(f"$ {' '.join(words)}")
        output = bytearray()
        with self.processes.lock:
            if self.processes.stopped:
                raise GateFailure("interrupted")
            process = subprocess.Popen(
                words,
                cwd=cwd or self.tree,
                env=variables(self.environments[environment], self.plan) | self._temporary() | more_variables,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            self.processes.running.add(process)
        expired = threading.Event()
        deadline = threading.Timer(TIMEOUT_SECONDS, lambda: (expired.set(), _end(process)))
        deadline.start()
        try:
            assert process.stdout is not None
            for line in process.stdout:
                output += line
                self._append(line)
            status = self._wait(process)
        finally:
            deadline.cancel()
            with self.processes.lock:
                self.processes.running.discard(process)
        text = ESCAPES.sub("", output.decode("utf-8", "replace"))
        if expired.is_set():
            raise GateFailure(f"{words[0]} had not ended after {TIMEOUT_SECONDS} s")
        if status not in accept:
            raise GateFailure(f"{' '.join(words[:3])} … ended with status {status}")
        return text

    def _wait(self, process: subprocess.Popen[bytes]) -> int:
        """Return the exit status, and note how much the process and those that it waited for have worked."""
        with suppress(ChildProcessError):  # it was ended, and waited for, by somebody else
            _pid, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            self.worked += usage.ru_utime + usage.ru_stime
        return process.wait()

    def _temporary(self) -> dict[str, str]:
        """pytest removes those of earlier runs, and takes another run's for one of them."""
        folder = self.folder / "tmp"
        folder.mkdir(exist_ok=True)
        return {"TMPDIR": str(folder)}

    def require(self, complaints: Sequence[str]) -> None:
        """Fail with the complaints, if there are any."""
        if complaints:
            raise GateFailure("\n".join(complaints))

    def remark(self, text: str) -> None:
        """Have the summary say something beside that the gate passed."""
        self.said = text
        self.note(text)

    def note(self, text: str) -> None:
        """Write a line to the log."""
        self._append(f"{text}\n".encode())

    def _append(self, line: bytes) -> None:
        with self.log.open("ab") as log:
            log.write(line)
        if self.live:
            sys.stdout.buffer.write(line)
            sys.stdout.buffer.flush()


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a process and those that it started."""
    for kind, patience in ((signal.SIGTERM, 5.0), (signal.SIGKILL, 5.0)):
        try:
            os.killpg(process.pid, kind)
            process.wait(patience)
        except ProcessLookupError:
            return
        except subprocess.TimeoutExpired:
            continue


def run_gates(
    gates: Sequence[Gate],
    plan: Plan,
    environments: dict[str, Environment],
    *,
    jobs: int,
    more_arguments: Sequence[str],
    record: bool = False,
) -> bool:
    """Run gates and print how each ended; return True if all passed.

    A gate that runs alone prints as it goes. With several, a log is shown where the gate failed.

    :arg record: Keep the CPU seconds of those that pass in tests/gates/seconds.json of the checkout.
    """
    logs = _new_log_folder()
    processes = Processes()
    results = {}
    begin = time.monotonic()
    with _folder() as folder:
        snapshot = copy_collection(folder / "snapshot")
        workers = ThreadPoolExecutor(max_workers=jobs)

        def start(gate: Gate) -> Result:
            place = folder / gate.name
            place.mkdir()
            log = logs / f"{gate.name}.log"
            job = Job(plan, environments, snapshot, place, log, processes, len(gates) == 1, more_arguments)
            _print(f"begin  {gate.name}: {gate.about}")
            return _run_gate(gate, job)

        try:
            known = read_seconds()
            # A gate that nobody has measured yet may be the longest.
            longest_first = sorted(gates, key=lambda gate: -known.get(gate.name, math.inf))
            for done in as_completed([workers.submit(start, gate) for gate in longest_first]):
                results[done.result().gate.name] = done.result()
                _show(done.result(), whole_log=len(gates) > 1)
        except BaseException:
            processes.stop()
            workers.shutdown(cancel_futures=True)
            raise
        workers.shutdown()
    if record:
        record_seconds({name: result.worked for name, result in results.items() if result.problem is None})
    return _summary([results[gate.name] for gate in gates], plan, time.monotonic() - begin, logs)


@contextmanager
def _folder() -> Iterator[Path]:
    """Make a folder for a run, and remove it.

    podman reads the path of a layout as a name, in which an underscore may not be everywhere. The names of tempfile may
    have one anywhere.
    """
    folder = Path(tempfile.gettempdir()) / f"airgap-images-{secrets.token_hex(8)}"
    folder.mkdir(mode=0o700)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _new_log_folder() -> Path:
    """Make a folder for the logs of this run, and remove those of the oldest runs."""
    logs = cache_folder() / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    for old in sorted(logs.iterdir())[:-KEPT_RUNS]:
        shutil.rmtree(old, ignore_errors=True)
    folder = logs / f"{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}"
    folder.mkdir()
    return folder


def _run_gate(gate: Gate, job: Job) -> Result:
    begin = time.monotonic()
    problem = None
    job.log.touch()
    try:
        gate.run(job)
    except GateFailure as failure:
        problem = str(failure)
    except Exception as failure:  # A tool that is not there, above all. The other gates go on.
        job.note(traceback.format_exc())
        problem = f"{type(failure).__name__}: {failure}"
    finally:
        shutil.rmtree(job.folder, ignore_errors=True)
    return Result(gate, time.monotonic() - begin, job.worked, job.log, problem, job.said)


def _show(result: Result, *, whole_log: bool) -> None:
    if result.problem is None:
        _print(f"pass   {result.gate.name} ({result.seconds:.0f} s)")
        return
    lines = [f"FAIL   {result.gate.name} ({result.seconds:.0f} s)"]
    if whole_log:
        lines.append(f"------ the last lines of {result.log}")
        lines += result.log.read_text("utf-8", "replace").splitlines()[-SHOWN_LINES:]
    _print("\n".join([*lines, f"------ {result.gate.name}: {result.problem}"]))


def _print(text: str) -> None:
    """Print in one piece: several gates may have something to say at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _summary(results: Sequence[Result], plan: Plan, seconds: float, logs: Path) -> bool:
    failed = [result for result in results if result.problem is not None]
    width = max(len(result.gate.name) for result in results)
    print(f"\n{'gate':{width}}  result  seconds     CPU  about")
    for result in results:
        word = "FAIL" if result.problem is not None else "pass"
        about = f"{result.gate.about} ({result.remark})" if result.remark else result.gate.about
        print(f"{result.gate.name:{width}}  {word:6}  {result.seconds:7.1f} {result.worked:7.1f}  {about}")
    # Of processes that have ended and been waited for, which is nearly all.
    worked = sum(os.times()[:4])
    print(f"\n{seconds:.0f} s in all, {worked:.0f} s of CPU; logs are in {logs}")
    for remark in plan.remarks:
        print(f"Not tested here: {remark}")
    for result in failed:
        print(f"{result.gate.name} failed: {(result.problem or '').splitlines()[0]}")
    print(f"\n{len(results) - len(failed)} passed, {len(failed)} failed", flush=True)
    return not failed
