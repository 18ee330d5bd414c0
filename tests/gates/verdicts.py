"""Finds runs that end well although nothing, or not everything, was tested.

ansible-test and pytest exit with 0 where tests are left out. Here that is an error: each function
returns the complaints about one run, and an empty list means that the run counts.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

# ansible-test ends with all of its warnings; what looks like one before that may be pip's.
REVIEW = re.compile(r"^WARNING: Reviewing previous (?P<count>\d+) warning\(s\):$")
# Warnings that cost no test
HARMLESS_WARNINGS = (
    re.compile(r"Using locale \"C\.UTF-8\" instead of .*"),
    re.compile(r"Skipping tests disabled by default without --allow-disabled: .*"),
    re.compile(r"Sanity test \"[\w.-]+\" on Python [\d.]+ may be slow due to missing libyaml support in PyYAML\."),
)
MISSING_PYTHON = re.compile(r"Skipping sanity test \"[\w.-]+\" on Python (?P<version>[\d.]+) because it could not .*")

# Sanity tests that have something to check in every collection with a module and a shell script.
# The others may have nothing to check.
INDISPENSABLE_SANITY_TESTS = frozenset(
    {
        "ansible-doc",
        "compile",
        "import",
        "pep8",
        "pylint",
        "runtime-metadata",
        "shebang",
        "shellcheck",
        "validate-modules",
        "yamllint",
    }
)


def warnings_of_ansible_test(output: str, *, pythons: Collection[str]) -> list[str]:
    """Complain about every warning but the harmless ones.

    :arg output: Everything that ansible-test printed.
    :arg pythons: The Pythons of this machine. Others can't be tested with, and that is said elsewhere.
    """
    complaints = ["ansible-test skipped all targets"] if "All targets skipped" in output else []
    for warning in sorted(_reviewed_warnings(output.splitlines())):
        missing = MISSING_PYTHON.fullmatch(warning)
        if missing:
            harmless = missing["version"] not in pythons
        else:
            harmless = any(known.fullmatch(warning) for known in HARMLESS_WARNINGS)
        if not harmless:
            complaints.append(f"ansible-test warned: {warning}")
    return complaints


def _reviewed_warnings(lines: list[str]) -> set[str]:
    warnings = set()
    for at, line in enumerate(lines):
        review = REVIEW.match(line)
        if review:
            warnings.update(lines[at + 1 : at + 1 + int(review["count"])])
    return {line.removeprefix("WARNING: ").strip() for line in warnings}


def sanity_results(folder: Path, *, expected: Collection[str], pythons: Mapping[str, Collection[str]]) -> list[str]:
    """Complain about sanity tests that did not run or had nothing to check.

    :arg folder: Where ansible-test wrote its JUnit files.
    :arg expected: The names of all sanity tests of this ansible-core.
    :arg pythons: The versions on which `compile` and `import` must have run, by the name of the test.
    """
    ran: set[str] = set()
    empty: set[str] = set()
    for file in folder.glob("ansible-test-sanity-*.xml"):
        for case in ElementTree.parse(file).iter("testcase"):
            name = file.stem.removeprefix("ansible-test-sanity-")
            (empty if case.find("skipped") is not None else ran).add(name)
    complaints = [f"sanity test '{name}' did not run" for name in sorted(expected) if not _any_of(name, ran | empty)]
    needed = INDISPENSABLE_SANITY_TESTS & set(expected) - {"compile", "import"}
    needed |= {f"{name}-python-{version}" for name, versions in pythons.items() for version in versions}
    complaints += [f"sanity test '{name}' had nothing to check" for name in sorted(needed) if name not in ran]
    return complaints


def _any_of(name: str, results: Collection[str]) -> bool:
    return any(result == name or result.startswith(f"{name}-python-") for result in results)


def integration_results(output: str, *, targets: Path) -> list[str]:
    """Complain about integration targets that did not run.

    :arg output: Everything that ansible-test printed.
    :arg targets: The folder of the targets. Those whose alias is `hidden` only serve the others.
    """
    expected = {folder.name for folder in targets.glob("*/") if not _hidden(folder)}
    if not expected:
        return [f"there is no integration target in {targets}"]
    # After the text before the first target: by turns a name, a kind, and what was printed.
    parts = re.split(r"^Running (\S+) integration test (role|script)\b", output, flags=re.MULTILINE)[1:]
    ran = {name: (kind, text) for name, kind, text in zip(parts[::3], parts[1::3], parts[2::3], strict=True)}
    complaints = [f"integration target '{name}' did not run" for name in sorted(expected - ran.keys())]
    for name, (kind, text) in ran.items():
        tasks = set(re.findall(r"^TASK \[(.*)\]", text, re.MULTILINE)) - {"Gathering Facts"}
        if kind == "role" and (not tasks or re.search(r"^\S+\s+: ok=0\b", text, re.MULTILINE)):
            complaints.append(f"integration target '{name}' did nothing")
    return complaints


def _hidden(target: Path) -> bool:
    aliases = target / "aliases"
    return aliases.exists() and "hidden" in aliases.read_text("utf-8").split()


def pytest_results(output: str) -> list[str]:
    """Complain where no test passed, or where one was skipped or deselected."""
    summaries = re.findall(r"^=+ (.*) in [\d.]+s.*=+$", output, re.MULTILINE)
    counts: Counter[str] = Counter()
    for summary in summaries:
        counts.update({word: int(count) for count, word in re.findall(r"(\d+) (\w+)", summary)})
    complaints = [] if counts["passed"] else ["no test passed"]
    return complaints + [f"{counts[word]} tests {word}" for word in ("skipped", "deselected") if counts[word]]


def bandit_results(output: str) -> list[str]:
    """Complain about every finding, and where nothing was read or a file could not be.

    :arg output: Everything that bandit printed, with its report as JSON.
    """
    try:
        report = json.loads(output[output.index("{") :])
    except ValueError:
        return ["bandit gave no report"]
    complaints = [f"bandit could not read {error['filename']}: {error['reason']}" for error in report["errors"]]
    if not report["metrics"]["_totals"]["loc"]:
        complaints.append("bandit had nothing to check")
    for found in report["results"]:
        place = f"{found['filename']}:{found['line_number']}"
        complaints.append(f"{place}: {found['test_id']} {found['issue_text']}")
    return complaints


# What pip-audit says, or Python in its name, where nobody answers.
NO_SERVICE = re.compile(
    r"\b(ConnectionError|ConnectTimeout|ReadTimeout|ProxyError|SSLError|ServiceError|Could not connect)\b"
)


@dataclass(frozen=True)
class Audit:
    """How many of the packages a service knew; what it knew against them."""

    known: int
    audited: int
    complaints: list[str]


def audit_results(report: str, output: str) -> Audit:
    """Tell vulnerabilities from packages, or all of them, that no service knows.

    :arg report: What pip-audit wrote as JSON; empty where it wrote nothing.
    :arg output: Everything that it printed.
    """
    if not report:
        reached = not NO_SERVICE.search(output)
        return Audit(0, 0, ["pip-audit wrote no report"] if reached else [])
    packages = json.loads(report)["dependencies"]
    audited = [package for package in packages if "skip_reason" not in package]
    complaints = [
        f"{package['name']} {package['version']}: {found['id']}, mended in {', '.join(found['fix_versions']) or 'none'}"
        for package in audited
        for found in package["vulns"]
    ]
    return Audit(len(packages), len(audited), complaints if packages else ["pip-audit found no package"])
