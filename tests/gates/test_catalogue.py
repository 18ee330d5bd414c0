"""The list of gates: each has its tests and its figure, and no sanity test is lost between two ansible-cores."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from gates import functional, suites
from gates.catalogue import all_gates
from gates.seconds import read_seconds, record_seconds
from gates.versions import CANDIDATES, CHECKOUT, Choice, Interpreter, Plan, read_plan

TESTS = sorted((CHECKOUT / "tests" / "functional").glob("test_*.py"))


def plan_for(*versions: str, choice: Choice | None = None) -> Plan:
    here = {version: Interpreter(version, Path(f"/usr/bin/python{version}")) for version in versions or CANDIDATES}
    return read_plan(here, choice)


def test_each_group_of_functional_tests_has_files() -> None:
    assert {functional.group_of(path).name for path in TESTS} == {group.name for group in functional.GROUPS}


def test_each_gate_has_its_cpu_seconds() -> None:
    """Measured on a machine with all Pythons; `tests/run.sh --record` renews them."""
    assert set(read_seconds()) == {gate.name for gate in all_gates(plan_for())}


def test_figures_are_kept_where_nothing_was_measured(tmp_path: Path) -> None:
    file = tmp_path / "seconds.json"
    file.write_text(json.dumps({"ruff": 1.0, "unit": 50.0}), "utf-8")
    record_seconds({"unit": 44.04}, file)
    assert read_seconds(file) == {"ruff": 1.0, "unit": 44.0}


EVERY = ("compile", "import", "pep8", "pylint", "validate-modules")


def words(plan: Plan) -> list[list[str]]:
    """The options of the sanity tests of both ansible-cores, without what they leave out."""
    runs = [run for leg in plan.legs for run in suites.sanity_runs(plan, leg)]
    return [[word for word in run if not word.startswith("--exclude")] for run in runs]


def test_the_oldest_ansible_core_runs_what_depends_on_it() -> None:
    plan = plan_for("3.9", "3.10", "3.11", "3.12", "3.13")
    assert suites.expected_sanity_tests(plan, plan.oldest, EVERY) == ["import", "validate-modules"]
    assert suites.expected_sanity_tests(plan, plan.newest, EVERY) == ["compile", "import", "validate-modules"]
    depends = [word for name in sorted(suites.DEPENDS_ON_CORE) for word in ("--test", name)]
    skipped = ["compile", "import", *sorted(suites.ELSEWHERE)]
    assert words(plan) == [
        [*depends, "--python=3.11", *suites.ENTRIES, "meta/runtime.yml"],
        [word for name in skipped for word in ("--skip-test", name)],
        ["--test", "compile", "--test", "import", "--python=3.9"],
        ["--test", "compile", "--test", "import", "--python=3.13", *suites.ENTRIES],
    ]
    assert suites.sanity_pythons(plan, plan.newest, "compile") == ["3.9", "3.13"]


@pytest.mark.parametrize("name", ["compile", "import"])
def test_a_leg_that_was_asked_for_checks_everything(name: str) -> None:
    plan = plan_for("3.9", "3.11", "3.13", choice=Choice("2.17", "3.11"))
    assert words(plan) == [[]]
    assert suites.expected_sanity_tests(plan, plan.newest, EVERY) == list(EVERY)
    assert suites.sanity_pythons(plan, plan.newest, name) == ["3.9", "3.11"]


def test_the_only_python_imports_every_file() -> None:
    assert words(plan_for("3.13"))[-1] == ["--test", "compile", "--test", "import", "--python=3.13"]


def test_the_files_that_ansible_loads_are_all_that_have_documentation() -> None:
    """The oldest ansible-core reads that of no others."""
    private = {"plugins/module_utils/", "plugins/plugin_utils/"}
    folders = {f"plugins/{path.name}/" for path in (CHECKOUT / "plugins").iterdir() if any(path.rglob("*.py"))}
    assert folders == {*suites.ENTRIES, *private}


def test_files_of_tests_are_left_to_ruff() -> None:
    """Each of them has nothing that a sanity test alone would find: no plugin, no role, no documentation."""
    for folder in suites.ONLY_TESTS:
        assert (CHECKOUT / "tests" / folder).is_dir()
    assert {"integration"} == {
        path.name for path in (CHECKOUT / "tests").iterdir() if path.is_dir() and any(path.rglob("tasks/*.yml"))
    }


def test_coverage_is_measured_where_it_is_asked_for() -> None:
    about = {
        asked: next(gate.about for gate in all_gates(plan_for(choice=Choice(coverage=asked))) if gate.name == "unit")
        for asked in (False, True)
    }
    assert ("coverage" in about[False], "coverage" in about[True]) == (False, True)


def test_what_a_run_starts_ignores_no_signal() -> None:
    """Also where the run itself was told to ignore some, by `nohup` or by a shell that puts it in the background."""
    code = (
        "from gates.__main__ import heed_signals as heed; import subprocess; heed(); subprocess.run(['sh', '-c', '{}'])"
    )
    shown = "grep SigIgn /proc/self/status"
    done = subprocess.run(
        ["sh", "-c", "trap '' INT HUP TERM; exec \"$@\"", "sh", sys.executable, "-c", code.format(shown)],
        cwd=CHECKOUT / "tests",
        check=True,
        capture_output=True,
        text=True,
    )
    ignored = int(done.stdout.split()[1], 16)
    assert not [number for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM) if ignored >> (number - 1) & 1]
