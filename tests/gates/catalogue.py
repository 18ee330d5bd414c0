"""The list of gates. What each does is in `reading`, `suites`, `functional` and `packaging`."""

from __future__ import annotations

from gates import functional, packaging, reading, suites
from gates.runner import Gate
from gates.versions import Plan


def all_gates(plan: Plan) -> list[Gate]:
    """Return the gates that this machine can run, in the order of the summary."""
    return [
        *_reading(),
        *_units(plan),
        *functional.gates(plan),
        Gate("report", "functional", f"the report in Chromium, {plan.newest}", suites.check_report),
        *_faults(plan),
        *suites.sanity_gates(plan),
        *suites.integration_gates(plan),
        Gate("artefact", "package", "build, install offline and use, on both legs", packaging.check_artefact),
        Gate("ee", "package", "the execution environment: its build context and its needs", packaging.check_ee),
        Gate("importer", "package", "Galaxy's own check of the artefact", packaging.check_importer),
    ]


def _reading() -> list[Gate]:
    return [
        Gate("gates", "lint", "the gates find what they are there for", reading.check_gates),
        Gate("ruff", "lint", "style, likely mistakes and dangers in Python", reading.check_ruff),
        Gate("imports", "lint", "packages import each other in one direction", reading.check_imports),
        Gate("yamllint", "lint", "style of YAML", reading.check_yamllint),
        Gate("shellcheck", "lint", "likely mistakes of shell scripts", reading.check_shellcheck),
        Gate("mypy", "lint", "types, strictly", reading.check_mypy),
        Gate("bandit", "lint", "dangers in the Python of the plugins", reading.check_bandit),
        Gate("pip-audit", "lint", "known vulnerabilities of the libraries and tools", reading.check_pip_audit),
        Gate("ansible-lint", "lint", "profile production", reading.check_ansible_lint),
        Gate("docs", "lint", "documentation of the plugins, and its references", reading.check_docs),
        Gate("site", "lint", "the documentation site, strictly, and its links", reading.check_site),
        Gate("changelog", "lint", "fragments and changelog", reading.check_changelog),
        Gate("licences", "lint", "every file has a licence (REUSE)", reading.check_licences),
        Gate("workflows", "lint", "GitHub's files: schemas and dangers", reading.check_workflows),
    ]


def _units(plan: Plan) -> list[Gate]:
    covered = f", with coverage of at least {suites.COVERAGE_FLOOR} %" if plan.coverage else ""
    gates = [Gate("unit", "unit", f"unit tests{covered}, {plan.newest}", suites.check_unit)]
    if plan.comes_second(plan.oldest):
        about = f"unit tests of what uses ansible-core, {plan.oldest}"
        gates.append(Gate("units-oldest", "unit", about, suites.check_units_oldest))
    # The gate `unit` runs on the newest Python already, so this one takes the oldest of a host.
    python = plan.target or plan.newest.python
    about = f"unit tests of what runs on hosts, ansible-core {plan.newest.core}, on Python {python.version}"
    return [*gates, Gate("units-newest", "unit", about, suites.check_units_target)]


def _faults(plan: Plan) -> list[Gate]:
    gates = [Gate("faults", "faults", "runs harmed, struck by signals, walked through options", suites.check_faults)]
    if plan.fuzz is not None:
        about = f"the parsers, for a moment, guided by coverage, on Python {plan.fuzz.version}"
        gates.append(Gate("fuzz", "faults", about, suites.check_fuzz))
    return gates
