# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Live progress where it has to keep away, where several hosts and items save, and where a run is killed."""

from __future__ import annotations

import os
import re
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.airgap.images.plugins.module_utils._host.progress import PRIVATE
from ansible_collections.airgap.images.tests.functional._progress import (
    JOB_KEYS,
    by_way_of,
    jobs,
    layer_path,
    lines,
    local,
    open_jobs,
    play,
    read,
    task,
    until,
    whole,
)
from ansible_collections.airgap.images.tests.support.faults import Hold, Rule
from ansible_collections.airgap.images.tests.support.module import wait_for_end
from ansible_collections.airgap.images.tests.support.playbook import run_playbook, start_playbook
from ansible_collections.airgap.images.tests.support.workbench import Source, Workbench

CONNECTIONS = Path(__file__).resolve().parents[1] / "support" / "connections"


@pytest.fixture
def temporary(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where programs put their temporary files: a short path, as ansible-core 2.19 and later make sockets below it."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:  # that of tests is too long
        monkeypatch.setenv("TMPDIR", folder)
        yield Path(folder)


def test_where_it_keeps_away(source: Source, bench: Workbench, workdir: Path, home: Path, temporary: Path) -> None:
    """One's own ``async``, no place for jobs, a connection without jobs, ``no_log``: not a single line.

    In check mode there is one, which says how much it would be.
    """
    reference = source["oci/gzip:1"].reference
    theirs = {"ansible_async_dir": str(workdir / "jobs")}
    no_folder, unused, used = workdir / "file", workdir / "unused", workdir / "used"
    no_folder.touch()

    def saves(name: str, **keywords: Any) -> dict[str, Any]:
        return task(bench.params([reference], dest=workdir / name / "images.tar.gz"), name=name, **keywords)

    status = {
        "name": "status",
        "ansible.builtin.async_status": {"jid": "{{ saving.ansible_job_id }}"},
        "register": "status",
        "until": "status.finished",
        "retries": 600,
        "delay": 0.1,
    }
    tasks = [
        {**saves("own"), "async": 60, "poll": 1, "vars": theirs},
        {**saves("later", register="saving"), "async": 60, "poll": 0, "vars": theirs},
        {**status, "vars": theirs},
        saves("nowhere", vars={"ansible_async_dir": f"{no_folder}/jobs"}),
        saves("unaided", vars={"ansible_connection": "unaided", "ansible_async_dir": str(unused)}),
        saves("checked", check_mode=True, vars={"ansible_async_dir": str(unused)}),
        saves("quiet", no_log=True, vars={"ansible_async_dir": str(used)}),
    ]
    env = {"ANSIBLE_CONNECTION_PLUGINS": str(CONNECTIONS)}
    result = run_playbook([play(*tasks)], env=env)
    assert result.rc == 0, result.stdout + result.stderr
    (said,) = lines(result.stderr)
    size = r"\d+(\.\d)? [KMGT]?i?B|\d+ bytes"
    told = (
        rf"would save 1 image to .*checked.*To download: \d+ blobs, ({size}); archive: up to ({size}); free: ({size})"
    )
    assert re.match(f"localhost: {told} for the cache, ({size}) for the archive", said), said
    for name in ("own", "later", "nowhere", "unaided", "quiet"):
        assert list(whole(workdir / name / "images.tar.gz").references) == [reference]
    assert not (workdir / "checked").exists()
    assert not unused.exists() and not open_jobs(used)
    assert not list(temporary.glob("ansible_*_payload_*")), "a module's own copy of its code"
    data = {name: result.task(name).data for name in ("own", "status", "nowhere", "unaided", "checked")}
    for name, each in data.items():
        assert each["changed"] and reference in str(each["images"]), name
        assert bool(JOB_KEYS & set(each)) == (name in ("own", "status")), name
    assert not jobs(home)


@pytest.mark.parametrize("strategy", ["linear", pytest.param("free", marks=pytest.mark.thorough)])
def test_lines_are_those_of_their_host(source: Source, bench: Workbench, home: Path, strategy: str) -> None:
    """Several hosts at once, of which one keeps silent; then a loop that another host does for the first."""
    names = {"north": "oci/gzip:1", "south": "docker/single:1", "quiet": "oci/zstd:1"}
    folder = "{{ folder }}/{{ inventory_hostname }}"
    arguments = {**bench.params([]), "images": ["{{ image }}"], "dest": f"{folder}/out.tar.gz", "cache_dir": folder}
    looped = {**arguments, "images": ["{{ item }}"], "dest": f"{folder}/{{{{ item | hash('md5') }}}}.tar.gz"}
    items = [source[name].reference for name in ("oci/plain:1", "a/b/c/d:1.0")]
    plays = [
        play(task(arguments, no_log="{{ inventory_hostname == 'quiet' }}"), strategy=strategy),
        play(task(looped, loop=items, delegate_to="south", run_once=True), hosts="north,south"),
    ]
    inventory = {name: local(image=source[each].reference, folder=str(bench.directory)) for name, each in names.items()}
    result = run_playbook(plays, inventory=inventory, options=["-v", "-f", "3"])
    assert result.rc == 0, result.stdout + result.stderr
    every = {"north": [source[names["north"]].reference, *items], "south": [source[names["south"]].reference]}
    for host, own in every.items():
        there = [line for line in lines(result.stderr, host) if " is there (" in line]
        assert there == [f"{host}: {reference} is there (1 of 1)" for reference in own]
        whole(bench.directory / host / "out.tar.gz")
    whole(bench.directory / "quiet" / "out.tar.gz")
    other = [line for line in result.stderr.splitlines() if not line.startswith(("north: ", "south: ", "TASK ["))]
    assert not [line for line in other if line.strip()], other
    assert not jobs(home)


def supervisor(pid: int) -> int:
    """The process that waits for a run on a host."""
    parent = int(Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()[1])
    assert PRIVATE.encode() in Path(f"/proc/{parent}/environ").read_bytes()
    return parent


def test_what_is_killed_on_the_host_ends_the_task(source: Source, bench: Workbench, home: Path) -> None:
    """The module alone, as a lack of memory does it; and all of the job, as when the host starts anew."""
    image, hold = source["oci/gzip:1"], Hold()
    proxy = bench.proxy(source.registry, Rule(hold, path=layer_path(image.platforms[0])))
    folder = "{{ folder }}/{{ inventory_hostname }}"
    places = {"dest": f"{folder}/out.tar.gz", "cache_dir": folder, "progress_file": f"{folder}/progress.json"}
    arguments = {**bench.params([by_way_of(proxy, image)]), **places}
    files = {name: bench.directory / name / "progress.json" for name in ("module", "job")}
    for path in files.values():
        path.parent.mkdir()
    inventory = {name: local(folder=str(bench.directory)) for name in files}
    with start_playbook([play(task(arguments))], inventory=inventory, options=["-f", "2"]) as running:
        for name, path in files.items():
            until(lambda path=path: read(path).get("copying"), f"the copy of {name}", play=running)
        pids = {name: read(path)["pid"] for name, path in files.items()}
        doomed = [supervisor(pids["job"]), *pids.values()]
        for pid in doomed:
            os.kill(pid, signal.SIGKILL)
        wait_for_end(doomed)
        result = running.wait(120)
    assert result.rc == 2
    assert "Traceback" not in result.stdout + result.stderr
    failed = {each.host: each.data["msg"] for each in result.tasks if each.status == "failed"}
    assert set(failed) == set(files)
    for message in failed.values():
        assert "killed" in message and "run again" in message.lower(), message
    assert not jobs(home)
