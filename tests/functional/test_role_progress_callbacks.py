# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Live progress changes nothing of what a task returns, nor of what callbacks make of it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.airgap.images.tests.functional._progress import (
    JOB_KEYS,
    MODULE,
    PLAIN,
    jobs,
    lines,
    plain_library,
    play,
    task,
    whole,
)
from ansible_collections.airgap.images.tests.support.module import ROOT, environment
from ansible_collections.airgap.images.tests.support.playbook import PlaybookResult, run_playbook
from ansible_collections.airgap.images.tests.support.workbench import Source, Workbench

CALLBACKS = {
    "yaml": {"ANSIBLE_CALLBACK_RESULT_FORMAT": "yaml"},
    "minimal": {"ANSIBLE_STDOUT_CALLBACK": "minimal"},
    "oneline": {"ANSIBLE_STDOUT_CALLBACK": "oneline"},
    "json": {"ANSIBLE_STDOUT_CALLBACK": "document"},
}


MARK = re.compile(r"^localhost \| SUCCESS => \{[^{}]*in between[^{}]*\}\n", re.MULTILINE)
"""The output of callbacks without headings for the task between two plays."""


def compared(
    bench: Workbench, cases: Sequence[dict[str, Any]], *, options: Sequence[str] = (), **env: str
) -> tuple[PlaybookResult, str, str]:
    """Runs the same tasks in two plays, as a plain module and with the action; the result, and what each play printed.

    Each has folders of its own, as Ansible tells the same error only once in a run.
    """
    plays = [
        play(
            *(
                task(bench.params(**placed(bench, name, each)), module=module, ignore_errors=True, diff=True)
                for each in cases
            )
        )
        for name, module in (("first", PLAIN), ("third", MODULE))
    ]
    between = {**play({"name": "mark", "ansible.builtin.debug": {"msg": "in between"}}), "name": "between"}
    plays.insert(1, between)
    result = run_playbook(plays, options=options, env={"ANSIBLE_LIBRARY": plain_library(bench.directory), **env})
    assert result.rc == 0, result.stdout + result.stderr
    first, third = halves(result.stdout)
    return result, first, as_first(bench, third)


def placed(bench: Workbench, name: str, case: dict[str, Any]) -> dict[str, Any]:
    """A case with the folder of its play for ``PLACE``, and archive and cache in it."""
    folder = bench.directory / name
    parameters: dict[str, Any] = json.loads(json.dumps(case).replace("PLACE", str(folder)))
    return {**parameters, "dest": folder / "images.tar.gz", "cache_dir": folder / "cache"}


def as_first(bench: Workbench, text: str) -> str:
    """The output of the third play, as if it were the first."""
    return text.replace(f"{bench.directory}/third/", f"{bench.directory}/first/")


def halves(output: str) -> tuple[str, str]:
    """The output of the first and of the third play, without what differs from time to time."""
    output = re.sub(r"\b\d+\.\d+(?:e-\d+)?\b", "0.0", output)
    output = re.sub(r"(?<=_free)(\W+)\d+", r"\g<1>0", output)
    if output.startswith("{"):
        first, _between, third = (json.dumps(each["tasks"], indent=1) for each in json.loads(output)["plays"])
        return first, third
    if "PLAY [between]" in output:
        first, rest = output.split("PLAY [between]")
        return first[first.index("PLAY [play]") :], rest[rest.index("PLAY [play]") :].split("PLAY RECAP")[0]
    first, third = MARK.split(output)
    return first, third


FREE = {"cache_free": 0, "dest_free": 0}


def without_times(data: dict[str, Any]) -> dict[str, Any]:
    """A result without the seconds that its steps took, and without the space that was free."""
    stats, plan = data.get("stats", {}), data.get("plan", {})
    changed = {"stats": {**stats, "seconds": sorted(stats.get("seconds", ()))}, "plan": {**plan, **FREE}}
    return {**data, **{key: value for key, value in changed.items() if data.get(key)}}


def test_results_are_those_of_the_module(source: Source, bench: Workbench, home: Path) -> None:
    """Key by key, and to the letter: new, unchanged, with warnings, failed images, a failure at once."""
    cases: list[dict[str, Any]] = [
        {"images": [source[name].reference]} for name in ("oci/gzip:1", "oci/gzip:1", "docker/single:1")
    ]
    cases[2].update(log_file="/dev/full", username="somebody", password="s3cr3t")
    cases.append({"images": [source["oci/gzip:1"].reference, f"{source['oci/gzip:1'].reference}x", "no:re:ference"]})
    cases.append({"images": [], "list_files": ["PLACE/none.txt"]})
    result, plain, ours = compared(bench, cases, options=["-v"])
    told = [json.loads(as_first(bench, json.dumps(each.data))) for each in result.tasks if each.task == "task"]
    results = [without_times(each) for each in told]
    for expected, found in zip(results[: len(cases)], results[len(cases) :], strict=True):
        assert set(found) == set(expected) and not JOB_KEYS & set(found)
        for key in expected:
            assert found[key] == expected[key], key
    states = [(each.status, each.changed) for each in result.tasks if each.task == "task"]
    assert states == 2 * [("ok", True), ("ok", False), ("ok", True), ("failed", False), ("failed", False)]
    assert results[0]["diff"] and results[2]["warnings"]
    assert ours == plain
    told = lines(result.stderr)
    assert results[0]["msg"] in as_first(bench, result.stderr) and any(
        "images.tar.gz.report.html" in line for line in told
    )
    assert any("images.tar.gz.restore.sh" in line for line in told)
    assert not [line for line in result.stdout.splitlines() if line in told]
    assert not jobs(home)


# The test above has the default callback.
@pytest.mark.thorough
@pytest.mark.parametrize("name", sorted(CALLBACKS))
def test_callbacks_print_what_they_always_print(source: Source, bench: Workbench, name: str) -> None:
    """One that is new, and one that fails, byte for byte; progress is on standard error."""
    cases = [{"images": [source["oci/gzip:1"].reference]}, {"images": [f"{source['oci/gzip:1'].reference}x"]}]
    result, plain, ours = compared(bench, cases, **CALLBACKS[name])
    assert "MANIFEST_UNKNOWN" in plain
    assert ours == plain
    assert any("saved 1 image" in line for line in lines(result.stderr))


@pytest.mark.thorough
def test_a_single_command(source: Source, bench: Workbench, workdir: Path, home: Path) -> None:
    """``ansible -m`` prints one result, which is whole, and progress beside it; it uses the callback ``minimal``."""
    hosts = workdir / "hosts"
    hosts.write_text(f"localhost ansible_connection=local ansible_python_interpreter={sys.executable}\n", "utf-8")
    arguments = json.dumps(bench.params([source["oci/gzip:1"]]), default=str)
    command = [sys.executable, "-m", "ansible", "adhoc", "localhost", "-i", str(hosts), "-m", MODULE, "-a", arguments]
    env = environment({"ANSIBLE_COLLECTIONS_PATH": str(ROOT), "ANSIBLE_HOME": str(workdir / "ansible")})
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    head, _brace, rest = done.stdout.partition("{")
    result = json.loads("{" + rest)
    assert head == "localhost | CHANGED => " and not JOB_KEYS & set(result)
    assert any(result["msg"] in line for line in lines(done.stderr))
    assert list(whole(bench.dest).references) == [source["oci/gzip:1"].reference]
    assert not jobs(home)
