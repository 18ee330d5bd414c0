# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Programs that run for us."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from ansible_collections.airgap.images.plugins.module_utils._base.errors import Interrupted, StorageError
from ansible_collections.airgap.images.plugins.module_utils._base.stop import Stop, go_on
from ansible_collections.airgap.images.plugins.module_utils._host import process as process_module
from ansible_collections.airgap.images.plugins.module_utils._host.process import (
    answer_of,
    death_guard,
    end,
    has_ended,
    memory_file,
    start,
)
from ansible_collections.airgap.images.tests.unit.fakes import wait_for_pipe

# It starts something of its own, tells a pipe that both run, and stays.
STAYS = "{1}sleep 600 & echo $! > {0}/child; echo $$ > {0}/self; echo > {0}/ready; wait; wait"


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    process_module._killed_with_parent.cache_clear()
    yield
    process_module._killed_with_parent.cache_clear()


@pytest.fixture(params=["setpriv", "by hand"])
def guard(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both ways to have a program end with us."""
    if request.param == "by hand":
        monkeypatch.setattr(process_module.shutil, "which", lambda _name: None)
    return str(request.param)


def run(*command: str) -> subprocess.Popen[bytes]:
    with memory_file("errors") as errors:
        return start(list(command), errors=errors, environment=dict(os.environ))


def ends(number: int) -> bool:
    """Wait for the end of a process that need not be our child."""
    try:
        descriptor = os.pidfd_open(number)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([descriptor], [], [], 20)[0])
    finally:
        os.close(descriptor)


def number_in(path: Path) -> int:
    return int(path.read_text())


@pytest.fixture
def ready(tmp_path: Path) -> Path:
    os.mkfifo(tmp_path / "ready")
    return tmp_path / "ready"


def test_a_program_runs_with_its_environment(tmp_path: Path, guard: str) -> None:
    script = f'echo "$0 $1 $COLOUR" > {tmp_path}/out; cat > {tmp_path}/in; echo lost; echo kept >&2; exit 7'
    with memory_file("errors") as errors:
        command = ["sh", "-c", script, "name", "--word"]
        process = start(command, errors=errors, environment={"PATH": os.environ["PATH"], "COLOUR": "blue"})
        assert process.wait(60) == 7
        errors.seek(0)
        assert errors.read() == b"kept\n"
    assert (tmp_path / "out").read_text() == "name --word blue\n"
    assert (tmp_path / "in").read_text() == "", "nobody is asked anything"


def test_a_program_has_a_group_of_its_own(guard: str) -> None:
    process = run("sleep", "600")
    assert os.getpgid(process.pid) == process.pid
    end(process)


def test_what_ended_already_needs_no_end(guard: str) -> None:
    process = run("true")
    process.wait(60)
    end(process)
    assert process.returncode == 0


def test_a_program_is_ended_with_what_it_started(tmp_path: Path, ready: Path, guard: str) -> None:
    process = run("sh", "-c", STAYS.format(tmp_path, ""))
    wait_for_pipe(ready)
    end(process)
    assert process.returncode == -signal.SIGTERM
    assert ends(number_in(tmp_path / "child"))


def test_a_program_that_does_not_listen_is_killed(tmp_path: Path, ready: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    process = run("sh", "-c", STAYS.format(tmp_path, "trap '' TERM; "))
    wait_for_pipe(ready)
    real_wait = process.wait
    waits: list[float | None] = []

    def wait(timeout: float | None = None) -> int:
        waits.append(timeout)
        return real_wait(0.05 if len(waits) == 1 else 60)

    process.wait = wait  # type: ignore[method-assign]
    end(process)
    assert process.returncode == -signal.SIGKILL
    assert ends(number_in(tmp_path / "child"))


def test_a_child_that_does_not_listen_is_killed(tmp_path: Path, ready: Path) -> None:
    child = tmp_path / "child.sh"
    child.write_text(f"trap '' TERM; echo $$ > {tmp_path}/child; echo > {ready}; sleep 600")
    process = run("sh", "-c", f"sh {child} & wait")
    wait_for_pipe(ready)
    end(process)
    try:
        assert ends(number_in(tmp_path / "child"))
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def test_what_cannot_be_ended_is_told() -> None:
    process = run("sleep", "600")

    def never(timeout: float | None = None) -> int:
        raise subprocess.TimeoutExpired("sleep", timeout or 0)

    real_wait, process.wait = process.wait, never  # type: ignore[method-assign]
    with pytest.raises(StorageError, match=f"process {process.pid} cannot be ended"):
        end(process)
    real_wait(60)


@pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")
def test_a_program_ends_with_us(tmp_path: Path, ready: Path, guard: str) -> None:
    """A run that is killed must not leave copies behind."""
    us = os.fork()
    if us == 0:
        try:
            run("sh", "-c", STAYS.format(tmp_path, ""))
            threading.Event().wait()
        finally:
            os._exit(1)
    wait_for_pipe(ready)
    program, child = number_in(tmp_path / "self"), number_in(tmp_path / "child")
    os.kill(us, signal.SIGKILL)
    os.waitpid(us, 0)
    assert ends(program)
    os.kill(child, signal.SIGKILL)


def test_the_guard_is_found_once(monkeypatch: pytest.MonkeyPatch) -> None:
    first = death_guard()
    monkeypatch.setattr(process_module.shutil, "which", lambda _name: None)
    assert death_guard() == first


def test_a_setpriv_that_is_too_old_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "setpriv").write_text("#!/bin/sh\nexit 1\n")
    (tmp_path / "setpriv").chmod(0o700)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    assert "setpriv" not in death_guard()[0]


def test_errors_take_no_room_on_a_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    with memory_file("errors") as file:
        assert "memfd:errors" in os.readlink(f"/proc/self/fd/{file.fileno()}")
    monkeypatch.delattr(os, "memfd_create")
    with memory_file("errors") as file:
        file.write(b"x")


@pytest.mark.parametrize("kernel", ["new", "without pidfd"])
def test_what_a_program_leaves_behind_is_ended_with_it(
    tmp_path: Path, kernel: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    process = run("sh", "-c", f"sleep 600 & echo $! > {tmp_path}/child")
    with monkeypatch.context() as patched:
        if kernel != "new":
            patched.delattr(process_module.os, "pidfd_open")
        assert has_ended(process, 20)
    assert process.returncode == 0
    assert ends(int((tmp_path / "child").read_text()))


def test_a_program_whose_parent_is_gone_already_does_not_begin(
    tmp_path: Path, guard: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when the parent is killed between making the child and the child's wish to end with it."""
    monkeypatch.setattr(process_module.os, "getpid", lambda: 1)
    process = run("touch", str(tmp_path / "begun"))
    assert process.wait(60) == 1
    assert not (tmp_path / "begun").exists()


def test_a_program_is_asked_and_answers(guard: str) -> None:
    command = ["/bin/sh", "-c", 'read line; echo "<$line>"; echo never told >&2; exit 3']
    assert answer_of(command, given=b"a question\n", seconds=60, check=go_on) == (3, b"<a question>\n")


def test_a_program_that_does_not_answer_is_given_up() -> None:
    with pytest.raises(subprocess.TimeoutExpired, match="sleep"):
        answer_of(["sleep", "600"], given=b"", seconds=0.01, check=go_on)


def test_a_stop_ends_a_program_that_does_not_answer(tmp_path: Path, ready: Path) -> None:
    stop = Stop()

    def stop_it() -> None:
        wait_for_pipe(ready)
        stop.request("SIGTERM came")

    threading.Thread(target=stop_it, daemon=True).start()
    command = ["/bin/sh", "-c", STAYS.format(tmp_path, "")]
    with pytest.raises(Interrupted, match="SIGTERM came"):
        answer_of(command, given=b"", seconds=3600, check=stop.check)
    assert ends(number_in(tmp_path / "self"))
    assert ends(number_in(tmp_path / "child"))
