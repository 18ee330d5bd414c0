"""Runs that are green with nothing tested are found, and those that are sound are not complained about."""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

import pytest

from gates import verdicts

PYTHONS = ("3.9", "3.11", "3.13")


def review(*warnings: str) -> str:
    """The warnings that ansible-test prints at its end."""
    lines = [f"WARNING: Reviewing previous {len(warnings)} warning(s):", *(f"WARNING: {text}" for text in warnings)]
    return "\n".join(["Running something", *lines, ""])


class Run(NamedTuple):
    name: str
    output: str
    complaint: str | None


WARNINGS = [
    Run("no warning", "Running sanity test\n", None),
    Run("pip's warning, not ansible-test's", "WARNING: Location 'x' is ignored\n", None),
    Run("locale", review('Using locale "C.UTF-8" instead of "en_US.UTF-8". Tests may behave.'), None),
    Run(
        "a Python that the machine does not have",
        review('Skipping sanity test "compile" on Python 3.14 because it could not be found.'),
        None,
    ),
    Run(
        "a Python that the machine has",
        review('Skipping sanity test "compile" on Python 3.9 because it could not be found.'),
        "Python 3.9",
    ),
    Run("all skipped", "FATAL: All targets skipped.\n", "skipped all targets"),
    Run("all skipped, as a warning", review("All targets skipped."), "skipped all targets"),
    Run("no shellcheck", review('Required program "shellcheck" not found.'), "shellcheck"),
    Run(
        "destructive",
        review('Excluding controller tests marked "destructive" which require --allow-destructive: image_save'),
        "destructive",
    ),
    Run(
        "two warnings, the second one bad",
        review('Using locale "C.UTF-8" instead of "en_US.UTF-8". Tests.', "Excluding tests: image_save"),
        "Excluding",
    ),
    Run("unit tests not run", review("Skipping unit tests on Python 3.9 because it could not be found."), "3.9"),
]


@pytest.mark.parametrize("run", WARNINGS, ids=lambda run: run.name)
def test_warnings_of_ansible_test(run: Run) -> None:
    complaints = verdicts.warnings_of_ansible_test(run.output, pythons=PYTHONS)
    assert bool(complaints) == (run.complaint is not None), complaints
    assert (run.complaint or "") in "".join(complaints)


PYTEST = [
    Run("passed", "===== 12 passed in 1.20s =====\n", None),
    Run("passed, slowly", "===== 12 passed, 3 warnings in 83.20s (0:01:23) =====\n", None),
    Run("two folders", "===== 1 passed in 1.2s =====\n\n===== 2 passed in 1.2s =====\n", None),
    Run("skipped", "===== 12 passed, 1 skipped in 1.20s =====\n", "1 tests skipped"),
    Run("skipped in one of two", "== 1 passed, 1 skipped in 1.2s ==\n== 2 passed in 1.2s ==\n", "1 tests skipped"),
    Run("deselected", "===== 12 passed, 3 deselected in 1.20s =====\n", "3 tests deselected"),
    Run("nothing", "===== no tests ran in 0.01s =====\n", "no test passed"),
    Run("no pytest", "", "no test passed"),
]


@pytest.mark.parametrize("run", PYTEST, ids=lambda run: run.name)
def test_pytest_results(run: Run) -> None:
    complaints = verdicts.pytest_results(run.output)
    assert complaints == ([] if run.complaint is None else [run.complaint])


def write_result(folder: Path, name: str, *, skipped: bool = False) -> None:
    inner = '<skipped message="No tests applicable."/>' if skipped else ""
    case = f'<testcase classname="sanity" name="{name}">{inner}</testcase>'
    text = f"<testsuites><testsuite>{case}</testsuite></testsuites>"
    (folder / f"ansible-test-sanity-{name}.xml").write_text(text, "utf-8")


def test_sanity_results_are_whole(tmp_path: Path) -> None:
    for name in ("pylint", "compile-python-3.9", "import-python-3.9", "shellcheck"):
        write_result(tmp_path, name)
    write_result(tmp_path, "pslint", skipped=True)
    expected = ["compile", "import", "pslint", "pylint", "shellcheck"]
    assert verdicts.sanity_results(tmp_path, expected=expected, pythons={"compile": ["3.9"], "import": ["3.9"]}) == []


def test_sanity_results_lack_a_test(tmp_path: Path) -> None:
    write_result(tmp_path, "pep8")
    complaints = verdicts.sanity_results(tmp_path, expected=["pep8", "replace-urlopen"], pythons={})
    assert complaints == ["sanity test 'replace-urlopen' did not run"]


def test_sanity_results_lack_a_python(tmp_path: Path) -> None:
    for name in ("compile-python-3.9", "compile-python-3.11", "import-python-3.9"):
        write_result(tmp_path, name)
    write_result(tmp_path, "import-python-3.11", skipped=True)
    pythons = {name: ["3.9", "3.11"] for name in ("compile", "import")}
    complaints = verdicts.sanity_results(tmp_path, expected=["compile", "import"], pythons=pythons)
    assert complaints == ["sanity test 'import-python-3.11' had nothing to check"]


def test_sanity_results_of_an_empty_tree(tmp_path: Path) -> None:
    for name in ("pylint", "pslint"):
        write_result(tmp_path, name, skipped=True)
    complaints = verdicts.sanity_results(tmp_path, expected=["pslint", "pylint"], pythons={})
    assert "sanity test 'pylint' had nothing to check" in complaints


RECAP = "testhost                   : ok=3    changed=0    unreachable=0    failed=0\n"
DONE = f"\nTASK [Gathering Facts] ***\n\nTASK [one : Save] *****\n\n{RECAP}"
INTEGRATION = [
    Run("all ran", f"Running one integration test role\n{DONE}Running two integration test script\n", None),
    Run("one did not", f"Running one integration test role\n{DONE}", "integration target 'two' did not run"),
    Run("none did", "", "integration target 'one' did not run"),
    Run(
        "one skipped everything",
        f"Running one integration test role\n{DONE}Running two integration test role\n{DONE.replace('ok=3', 'ok=0')}",
        "integration target 'two' did nothing",
    ),
    Run(
        "one has no task",
        f"Running one integration test role\nTASK [Gathering Facts] *\n{RECAP}Running two integration test script\n",
        "integration target 'one' did nothing",
    ),
]


@pytest.mark.parametrize("run", INTEGRATION, ids=lambda run: run.name)
def test_integration_results(tmp_path: Path, run: Run) -> None:
    for name, aliases in (("one", "destructive\n"), ("two", None), ("setup_registry", "hidden\n")):
        (tmp_path / name).mkdir()
        if aliases:
            (tmp_path / name / "aliases").write_text(aliases, "utf-8")
    complaints = verdicts.integration_results(run.output, targets=tmp_path)
    assert bool(complaints) == (run.complaint is not None), complaints
    assert (run.complaint or "") in "".join(complaints)


def test_integration_results_without_targets(tmp_path: Path) -> None:
    assert verdicts.integration_results("", targets=tmp_path) == [f"there is no integration target in {tmp_path}"]


FINDING = {"filename": "a.py", "line_number": 3, "test_id": "B602", "issue_text": "shell"}
READ = {"_totals": {"loc": 10}}
BANDIT = [
    Run("clean", json.dumps({"errors": [], "metrics": READ, "results": []}), None),
    Run(
        "with a warning before", "[main] WARNING x\n" + json.dumps({"errors": [], "metrics": READ, "results": []}), None
    ),
    Run("a finding", json.dumps({"errors": [], "metrics": READ, "results": [FINDING]}), "a.py:3: B602 shell"),
    Run(
        "not read",
        json.dumps({"errors": [{"filename": "a.py", "reason": "syntax"}], "metrics": READ, "results": []}),
        "bandit could not read a.py: syntax",
    ),
    Run(
        "nothing read",
        json.dumps({"errors": [], "metrics": {"_totals": {"loc": 0}}, "results": []}),
        "bandit had nothing to check",
    ),
    Run("no report", "usage: bandit", "bandit gave no report"),
]


@pytest.mark.parametrize("run", BANDIT, ids=lambda run: run.name)
def test_bandit_results(run: Run) -> None:
    assert verdicts.bandit_results(run.output) == ([] if run.complaint is None else [run.complaint])


def package(name: str, *vulnerabilities: str) -> dict[str, object]:
    found = [{"id": each, "fix_versions": ["2.0"]} for each in vulnerabilities]
    return {"name": name, "version": "1.0", "vulns": found}


UNKNOWN = {"name": "c", "skip_reason": "Dependency not found"}
AUDITS = {
    "sound": ([package("a"), package("b")], "", (2, 2, [])),
    "vulnerable": ([package("a"), package("b", "CVE-1"), UNKNOWN], "", (3, 2, ["b 1.0: CVE-1, mended in 2.0"])),
    "nobody knows any": ([UNKNOWN, UNKNOWN], "No known vulnerabilities found", (2, 0, [])),
    "nothing to audit": ([], "", (0, 0, ["pip-audit found no package"])),
    "nobody answers": (None, "requests.exceptions.ConnectionError: HTTPSConnectionPool", (0, 0, [])),
    "a mistake of ours": (None, "pip-audit: error: unrecognized arguments", (0, 0, ["pip-audit wrote no report"])),
}


@pytest.mark.parametrize(("packages", "output", "expected"), AUDITS.values(), ids=AUDITS)
def test_audit_results(
    packages: list[dict[str, object]] | None, output: str, expected: tuple[int, int, list[str]]
) -> None:
    """A vulnerability fails the gate; that nobody was asked does not, and is told apart."""
    report = "" if packages is None else json.dumps({"dependencies": packages, "fixes": []})
    found = verdicts.audit_results(report, output)
    assert (found.known, found.audited, found.complaints) == expected
