# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A run that goes on without the command that has started it, each in processes of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.airgap.images.plugins.module_utils._host import job as job_module
from ansible_collections.airgap.images.plugins.module_utils._host.job import as_job, result_of
from ansible_collections.airgap.images.plugins.module_utils._host.job_files import files_of, job_name
from ansible_collections.airgap.images.tests.support.module import alive, wait_for_end

SCRIPT = """
import errno, os, shutil, signal, sys, tempfile
from ansible_collections.airgap.images.plugins.module_utils._host import job
job.PATIENCE, job.LIMIT = {patience}, {limit}

real_fork = os.fork
def no_fork():
    raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))
def last_fork():
    os.fork = no_fork
    return real_fork()
os.fork = {fork}

payload = tempfile.mkdtemp()  # as Ansible does
try:
    path = job.as_job(sys.argv[1])
    assert path == sys.argv[1]
{run}
    print('{{"changed": true, "pid": %d}}' % os.getpid())
finally:
    shutil.rmtree(payload)
"""
WAIT = "open(path + '.go').read()"
"""Wait until somebody opens the FIFO for writing."""

TWICE = "raise SystemExit('started twice')"


@pytest.fixture(autouse=True)
def payloads(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The directory of payloads, each of which is removed by whoever ends as Ansible expects it."""
    folder = tmp_path_factory.mktemp("payloads")
    monkeypatch.setenv("TMPDIR", str(folder))
    return folder


def started(
    place: Path, run: str = "", *, patience: float = 60, limit: int = 600, fork: str = "real_fork"
) -> subprocess.Popen[str]:
    """Start a run whose progress file is in ``place``."""
    script = SCRIPT.format(run=textwrap.indent(run, "    "), patience=patience, limit=limit, fork=fork)
    return subprocess.Popen(
        [sys.executable, "-c", script, str(place / "p.json")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )


def answer(process: subprocess.Popen[str]) -> dict[str, Any]:
    """Return what the process has printed before its end. That nothing else holds its output is part of the test."""
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0 and err == "", err
    said: dict[str, Any] = json.loads(out)
    return said


def result_in(place: Path, pid: int) -> dict[str, Any]:
    """Return the result that a supervisor has written, once it has ended."""
    wait_for_end([pid])
    said: dict[str, Any] = json.loads((place / "p.json.result").read_text("ascii"))
    return said


SAY = """
open(path, "w").write('{"pid": [%d, %d]}' % (os.getpid(), os.getppid()))
open(path + ".go").read()
"""


def pids_of(place: Path, process: subprocess.Popen[str]) -> tuple[int, int]:
    """Let a run go on that waits, and return its process id and its supervisor's."""
    assert answer(process) == {"changed": False, "airgap_images_job": {"state": "running"}}
    with open(place / "p.json.go", "w"):  # returns once the run has opened it, after it has said who it is
        worker, supervisor = json.loads((place / "p.json").read_text("ascii"))["pid"]
        assert alive(worker) and alive(supervisor)
    return worker, supervisor


def test_a_module_that_is_not_to_be_a_job_stays_what_it_is() -> None:
    assert as_job(None) is None


def test_a_run_that_ends_at_once_is_answered_with_its_result(tmp_path: Path) -> None:
    place = tmp_path / "new" / "jobs"
    said = answer(started(place, "open(path, 'w').write('words')"))
    assert said["changed"] is True and said["airgap_images_job"] == {"state": "ended", "progress": "words"}
    assert place.stat().st_mode & 0o777 == 0o700 and (place / "p.json.result").stat().st_mode & 0o777 == 0o600


def test_a_result_that_did_not_arrive_is_found_by_whoever_asks_again(tmp_path: Path, payloads: Path) -> None:
    """The network may be dead already when the answer is written, without an error."""
    first = answer(started(tmp_path, "open(path, 'w').write('words')"))
    assert answer(started(tmp_path, TWICE)) == first
    assert {path.name for path in tmp_path.iterdir()} == {"p.json", "p.json.claim", "p.json.result"}
    assert not list(payloads.iterdir())


def test_a_run_removes_what_an_earlier_one_has_left(tmp_path: Path) -> None:
    earlier = tmp_path / job_name("0" * 32)
    for path in map(Path, files_of(str(earlier))):
        path.touch()
        os.utime(path, (0, 0))
    assert answer(started(tmp_path))["changed"] is True
    assert {path.name for path in tmp_path.iterdir()} == {"p.json.claim", "p.json.result"}


def test_a_run_that_goes_on_leaves_its_result(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "p.json.go")
    worker, supervisor = pids_of(tmp_path, started(tmp_path, SAY, patience=0))
    assert result_in(tmp_path, supervisor) == {"changed": True, "pid": worker}
    assert (tmp_path / "p.json.result").stat().st_mode & 0o022 == 0


def test_a_command_that_is_sent_again_starts_nothing(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "p.json.go")
    first = started(tmp_path, SAY, patience=0)
    assert answer(first)["airgap_images_job"] == {"state": "running"}
    worker, supervisor = pids_of(tmp_path, started(tmp_path, TWICE))
    assert result_in(tmp_path, supervisor) == {"changed": True, "pid": worker}
    again = answer(started(tmp_path, TWICE))
    assert again["pid"] == worker and again["airgap_images_job"]["state"] == "ended"


def test_a_command_that_is_sent_again_removes_its_own_payload_alone(tmp_path: Path, payloads: Path) -> None:
    os.mkfifo(tmp_path / "p.json.go")
    assert answer(started(tmp_path, SAY, patience=0))["airgap_images_job"] == {"state": "running"}
    of_run = list(payloads.iterdir())
    _worker, supervisor = pids_of(tmp_path, started(tmp_path, TWICE))
    assert len(of_run) == 1
    wait_for_end([supervisor])
    assert not list(payloads.iterdir())


def test_without_a_process_for_it_a_run_is_refused(tmp_path: Path, payloads: Path) -> None:
    said = answer(started(tmp_path, "raise SystemExit('started')", fork="no_fork"))
    assert said["airgap_images_job"] == {"state": "refused"}
    assert said["msg"].startswith("no process can be started: Resource temporarily unavailable.")
    assert not list(tmp_path.iterdir()) and not list(payloads.iterdir())


def test_without_a_process_for_the_module_a_run_fails(tmp_path: Path, payloads: Path) -> None:
    """The first one was started."""
    said = answer(started(tmp_path, "raise SystemExit('started')", fork="last_fork"))
    assert said["failed"] is True and said["airgap_images_job"] == {"state": "ended", "progress": ""}
    assert "has no process for it: Resource temporarily unavailable." in said["msg"]
    assert not list(payloads.iterdir())


def test_where_its_files_cannot_be_written_nothing_is_started(tmp_path: Path, payloads: Path) -> None:
    (tmp_path / "file").touch()
    said = answer(started(tmp_path / "file" / "jobs", "raise SystemExit('started')"))
    assert said["failed"] is True and said["airgap_images_job"] == {"state": "refused"}
    assert f"{tmp_path}/file/jobs cannot be written" in said["msg"]
    assert not list(payloads.iterdir())


def test_the_answer_that_nobody_reads_can_be_asked_for_again(tmp_path: Path) -> None:
    """The connection has gone meanwhile."""
    os.mkfifo(tmp_path / "p.json.go")
    process = started(tmp_path, "open(path + '.go').read()")
    assert process.stdout and process.stderr
    process.stdout.close()
    with open(tmp_path / "p.json.go", "w"):
        pass
    assert process.wait(60) == 1
    process.stderr.close()
    assert json.loads((tmp_path / "p.json.result").read_text("ascii"))["changed"] is True
    assert (tmp_path / "p.json.claim").exists()


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGTERM, signal.SIGINT])
def test_the_supervisor_outlives_what_ends_the_run(tmp_path: Path, number: signal.Signals) -> None:
    os.mkfifo(tmp_path / "p.json.go")
    process = started(tmp_path, SAY, patience=0)
    assert answer(process)["airgap_images_job"] == {"state": "running"}
    with open(tmp_path / "p.json.go", "w"):
        worker, supervisor = json.loads((tmp_path / "p.json").read_text("ascii"))["pid"]
        os.kill(supervisor, number)
        os.kill(worker, signal.SIGKILL)
    said = result_in(tmp_path, supervisor)
    assert said["msg"].startswith("the module ended without a result. It may have been killed; see the host's log.")


def test_a_run_that_takes_too_long_is_killed(tmp_path: Path) -> None:
    said = answer(started(tmp_path, "signal.pause()", limit=1))
    days = job_module.LIMIT // 86400
    assert said["failed"] is True and said["msg"].startswith(f"the run did not end within {days} days, and was killed")


def test_a_traceback_is_in_the_result(tmp_path: Path) -> None:
    said = answer(started(tmp_path, "raise KeyError('what')"))
    assert said["msg"].startswith("the module ended without a result. It said: Traceback")
    assert "KeyError: 'what' What was transferred is kept; run again" in said["msg"]


@pytest.mark.parametrize("out", [b'{"changed": false}', b'\n{"changed": false}\n', b'noise {\n{"changed": false}noise'])
def test_the_result_is_found_among_other_output(out: bytes) -> None:
    assert result_of(out, b"") == {"changed": False}


@pytest.mark.parametrize("out", [b"", b"[1]", b'{"changed": fal', b"\xff{}"])
def test_what_is_not_a_result_is_a_failure(out: bytes) -> None:
    said = result_of(out, b"its last\nwords")
    assert said == {
        "failed": True,
        "changed": False,
        "msg": "the module ended without a result. It said: its last words What was transferred is kept; run again",
    }
