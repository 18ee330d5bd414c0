# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The first moments of a run: its progress file is that of an earlier run still, and the run says nothing yet."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from ansible_collections.airgap.images.tests.functional._progress import (
    by_way_of,
    jobs,
    layer_path,
    lines,
    local,
    play,
    read,
    task,
    until,
    whole,
)
from ansible_collections.airgap.images.tests.support.faults import Hold, Rule
from ansible_collections.airgap.images.tests.support.module import alive, wait_for_end
from ansible_collections.airgap.images.tests.support.playbook import HOST_PYTHON, run_playbook, start_playbook
from ansible_collections.airgap.images.tests.support.workbench import Source, Workbench


@pytest.fixture
def innocent() -> Iterator[subprocess.Popen[bytes]]:
    """A process that has nothing to do with any run."""
    with subprocess.Popen(["sleep", "600"]) as process:
        yield process
        process.kill()


@pytest.fixture
def interpreter(workdir: Path) -> Path:
    """A Python that begins late, as on a busy host."""
    path = workdir / "python"
    path.write_text(f'#!/bin/sh\nsleep 1.5\nexec {HOST_PYTHON} "$@"\n', "utf-8")
    path.chmod(0o755)
    return path


def earlier(path: Path, pid: int) -> None:
    """The progress file of a run that was killed."""
    state = {
        "version": 1,
        "pid": pid,
        "ended": False,
        "stage": "copy",
        "seconds": 99.0,
        "rate": 0,
        "seconds_left": None,
        "images": {"done": 7, "failed": 1, "of": 77},
        "bytes": {"done": 1, "of": 2},
        "copying": ["stale"],
        "archive": {"bytes": 0, "of": 0, "part": 0, "parts": 1},
        "events": [{"number": number, "kind": "error", "text": f"stale {number}"} for number in range(1, 51)],
    }
    path.write_text(json.dumps(state), "utf-8")


@pytest.mark.thorough
def test_the_file_of_an_earlier_run_is_not_taken_for_this_one(
    source: Source, bench: Workbench, workdir: Path, interpreter: Path, innocent: subprocess.Popen[bytes]
) -> None:
    """Nothing that it says is told, and what this run says is."""
    file, reference = workdir / "progress.json", source["oci/gzip:1"].reference
    earlier(file, innocent.pid)
    inventory = {"localhost": local(ansible_python_interpreter=str(interpreter))}
    arguments = bench.params([reference], progress_file=file)
    result = run_playbook([play(task(arguments))], inventory=inventory, options=["-v"])
    assert result.rc == 0, result.stdout + result.stderr
    assert f"localhost: {reference} is there (1 of 1)" in lines(result.stderr)
    assert "stale" not in result.stderr and "77" not in result.stderr
    assert alive(innocent.pid)
    whole(bench.dest)


def test_a_stop_at_the_very_beginning(
    source: Source, bench: Workbench, home: Path, interpreter: Path, innocent: subprocess.Popen[bytes]
) -> None:
    """Ctrl-C while the module has said nothing yet: it ends, and nobody else does."""
    image, hold, file = source["oci/gzip:1"], Hold(), bench.directory / "progress.json"
    proxy = bench.proxy(source.registry, Rule(hold, path=layer_path(image.platforms[0])))
    earlier(file, innocent.pid)
    inventory = {"localhost": local(ansible_python_interpreter=str(interpreter))}
    arguments = bench.params([by_way_of(proxy, image)], progress_file=file)
    with start_playbook([play(task(arguments))], inventory=inventory) as running:
        until(lambda: jobs(home), "the job", play=running)
        running.signal(signal.SIGINT, group=True)
        result = running.wait()
        assert alive(innocent.pid)
        until(lambda: read(file)["pid"] != innocent.pid, "the run's own file")
        wait_for_end([read(file)["pid"]])
    assert read(file)["ended"], result.stderr
    assert not bench.dest.parent.exists() or not list(bench.dest.parent.iterdir())
    # The worker may outlive ansible-playbook by a moment.
    until(lambda: not jobs(home), "the job's record to be removed")
