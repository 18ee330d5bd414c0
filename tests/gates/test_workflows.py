"""The workflows run all gates, and on all that tests/versions.toml lists."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from gates.catalogue import all_gates
from gates.versions import CANDIDATES, CHECKOUT, Interpreter, matrix, read_plan, read_versions

WORKFLOWS = sorted((CHECKOUT / ".github" / "workflows").glob("*.yml"))
PLAN = read_plan({version: Interpreter(version, Path(f"/usr/bin/python{version}")) for version in CANDIDATES})
GATES = {gate.name: gate.group for gate in all_gates(PLAN)}


def jobs(name: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((CHECKOUT / ".github" / "workflows" / name).read_text("utf-8"))["jobs"]
    return found


def runs(job: dict[str, Any]) -> list[str]:
    """The arguments of tests/run.sh, by group for a matrix of groups."""
    found: list[str] = []
    for step in job.get("steps", []):
        match = re.fullmatch(r"tests/run\.sh (.+)", step.get("run", ""))
        if match and match[1] == '"$GROUP"':
            assert step["env"]["GROUP"] == "${{ matrix.group }}"
            found += job["strategy"]["matrix"]["group"]
        elif match:
            found += match[1].split()
    return found


def test_every_gate_is_run_by_some_job() -> None:
    asked = [word for job in jobs("ci.yml").values() for word in runs(job)]
    assert set(asked) <= set(GATES) | set(GATES.values())
    assert {group for name, group in GATES.items() if not {name, group} & set(asked)} == set()


def test_the_matrix_is_what_the_versions_say() -> None:
    """The workflow asks the gates, whose answer is one line each, and gives it to the jobs as it is."""
    plan = jobs("ci.yml")["plan"]
    (command,) = [step["run"] for step in plan["steps"] if step.get("id") == "matrix"]
    assert command == 'PYTHONPATH=tests python3 -m gates matrix >>"$GITHUB_OUTPUT"'
    printed = subprocess.run(
        [sys.executable, "-m", "gates", "matrix"], cwd=CHECKOUT / "tests", check=True, capture_output=True, text=True
    ).stdout
    lines = (line.split("=", 1) for line in printed.splitlines())
    answers = {name: json.loads(value) for name, value in lines}
    assert [(leg["core"], leg["python"]) for leg in answers["legs"]] == matrix()
    assert answers["targets"] == read_versions()["target"]["matrix"]
    assert plan["outputs"] == {name: f"${{{{ steps.matrix.outputs.{name} }}}}" for name in answers}


@pytest.mark.parametrize(
    ("job", "key", "asks"),
    [
        ("leg", "leg", {"AIRGAP_CORE": "${{ matrix.leg.core }}", "AIRGAP_PYTHON": "${{ matrix.leg.python }}"}),
        ("target", "target", {"AIRGAP_TARGET": "${{ matrix.target }}"}),
    ],
)
def test_jobs_of_the_matrix_ask_for_what_they_are(job: str, key: str, asks: dict[str, str]) -> None:
    found = jobs("ci.yml")[job]
    assert found["strategy"]["matrix"] == {key: f"${{{{ fromJSON(needs.plan.outputs.{key}s) }}}}"}
    (step,) = [step for step in found["steps"] if "tests/run.sh" in step.get("run", "")]
    coverage = {"AIRGAP_COVERAGE": "1"} if "unit" in step["run"].split() else {}
    assert step["env"] == {**asks, **coverage}


def test_coverage_is_asked_for_wherever_all_unit_tests_run() -> None:
    steps = [step for job in jobs("ci.yml").values() for step in job.get("steps", ())]
    unit = [step for step in steps if "unit" in step.get("run", "").split()]
    assert unit and all(step["env"]["AIRGAP_COVERAGE"] == "1" for step in unit)


def test_one_job_waits_for_all_others() -> None:
    found = jobs("ci.yml")
    assert set(found["passed"]["needs"]) == set(found) - {"passed"}


def test_what_is_published_has_passed() -> None:
    release = jobs("release.yml")
    assert release["gates"]["uses"] == "./.github/workflows/ci.yml"
    assert (release["build"]["needs"], release["publish"]["needs"]) == ("gates", "build")


def test_secrets_are_there_for_a_tag_only() -> None:
    for path in WORKFLOWS:
        text = path.read_text("utf-8")
        assert ("secrets." in text) is (path.name == "release.yml")
        assert "pull_request_target" not in text
    on = yaml.safe_load((CHECKOUT / ".github/workflows/release.yml").read_text("utf-8"))["on"]
    assert on == {"push": {"tags": ["v*"]}}
    text = (CHECKOUT / ".github/workflows/release.yml").read_text("utf-8")
    assert text.count("secrets.") == 1
    assert jobs("release.yml")["publish"]["environment"]["name"] == "galaxy"


def test_what_workflows_call_is_there() -> None:
    for path in WORKFLOWS:
        called = re.findall(r"\btests/\w+\.sh\b", path.read_text("utf-8"))
        for name in called:
            assert (CHECKOUT / name).stat().st_mode & 0o111, name


def test_the_execution_environment_has_this_version_and_the_newest_ansible_core() -> None:
    found = yaml.safe_load((CHECKOUT / "ee" / "execution-environment.yml").read_text("utf-8"))
    version = yaml.safe_load((CHECKOUT / "galaxy.yml").read_text("utf-8"))["version"]
    (collection,) = found["dependencies"]["galaxy"]["collections"]
    assert collection["name"] == f"artefacts/airgap-images-{version}.tar.gz"
    core = read_versions()["newest"][0]["core"]
    assert found["dependencies"]["ansible_core"]["package_pip"] == f"ansible-core~={core}.0"
