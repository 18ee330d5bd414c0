"""The legs follow from the Pythons that there are, and what is not tested is said."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pytest

from gates.catalogue import all_gates
from gates.environments import environments
from gates.versions import CANDIDATES, Choice, Interpreter, NoLeg, Plan, matrix, read_plan, read_versions


def plan_for(*versions: str, choice: Choice | None = None) -> Plan:
    here = {version: Interpreter(version, Path(f"/usr/bin/python{version}")) for version in versions}
    return read_plan(here, choice)


class Machine(NamedTuple):
    name: str
    versions: tuple[str, ...]
    oldest: str
    newest: str
    remarks: int


MACHINES = [
    Machine("everything", ("3.9", "3.10", "3.11", "3.12", "3.13"), "2.17 on 3.11", "2.21 on 3.13", 0),
    Machine("Debian 12", ("3.11",), "2.17 on 3.11", "2.19 on 3.11", 2),
    Machine("Ubuntu 24.04", ("3.12",), "2.17 on 3.12", "2.21 on 3.12", 1),
    Machine("Debian 13", ("3.13",), "2.18 on 3.13", "2.21 on 3.13", 2),
    Machine("only the latest Python", ("3.14",), "2.20 on 3.14", "2.21 on 3.14", 3),
]


@pytest.mark.parametrize("machine", MACHINES, ids=lambda machine: machine.name)
def test_legs_follow_from_pythons(machine: Machine) -> None:
    plan = plan_for(*machine.versions)
    assert [f"{leg.core} on {leg.python.version}" for leg in plan.legs] == [machine.oldest, machine.newest]
    assert len(plan.remarks) == machine.remarks, plan.remarks


def test_no_python_is_an_error() -> None:
    with pytest.raises(NoLeg, match=r"here is 3\.9"):
        plan_for("3.9")


def test_the_fuzzer_has_a_python_of_its_own() -> None:
    wheels = [plan_for(*versions).fuzz for versions in (("3.11",), ("3.11", "3.14"), ("3.11", "3.12", "3.13"))]
    assert [python and python.version for python in wheels] == ["3.11", "3.11", "3.13"]


def test_what_cannot_be_fuzzed_is_said() -> None:
    plan = plan_for("3.14")
    assert plan.fuzz is None
    assert "no Python 3.13 or 3.12 or 3.11 on this machine: the parsers are not fuzzed" in plan.remarks


def test_a_leg_knows_its_pythons() -> None:
    oldest, newest = plan_for("3.11", "3.13").legs
    assert oldest.knows("3.9")
    assert not oldest.knows("3.13")
    assert newest.knows("3.13")


@pytest.mark.parametrize(("core", "python"), matrix())
def test_each_leg_of_the_matrix_can_be_asked_for(core: str, python: str) -> None:
    """It is the only one then, and looks at everything; the tools stay those of the newest ansible-core."""
    plan = plan_for(*CANDIDATES, choice=Choice(core, python))
    assert [f"{leg.core} on {leg.python.version}" for leg in plan.legs] == [f"{core} on {python}"]
    assert plan.newest.knows(python)
    gates = all_gates(plan)
    assert not [gate.name for gate in gates if gate.name.endswith("-oldest")]
    assert {gate.group for gate in gates} == {gate.group for gate in all_gates(plan_for(*CANDIDATES))}
    made, usual = environments(plan), environments(plan_for(*CANDIDATES))
    assert set(made) == set(usual) - {"oldest"}
    assert made["tools"] == usual["tools"]
    assert f"ansible-core~={core}.0" in made["newest"].requirements
    assert made["newest"].python.version == python


def test_the_matrix_has_each_ansible_core_and_each_python() -> None:
    listed = read_versions()
    cores = [entry["core"] for name in ("oldest", "newest") for entry in listed[name]]
    assert len(set(cores)) == len(cores)
    first, last = listed["oldest"][0]["core"], listed["newest"][0]["core"]
    assert {core for core, _python in matrix()} == set(cores) == {f"2.{minor}" for minor in range(17, 22)}
    assert (matrix()[0][0], matrix()[-1][0]) == (first, last)
    assert listed["target"]["python"] == listed["target"]["matrix"][0]


@pytest.mark.parametrize(
    "choice", [Choice("2.16", "3.12"), Choice("2.21", "3.11"), Choice("2.21", ""), Choice("", "3.12")]
)
def test_a_leg_that_is_not_listed_is_an_error(choice: Choice) -> None:
    with pytest.raises(NoLeg, match=r"it has 2\.17 on 3\.11, "):
        plan_for(*CANDIDATES, choice=choice)


def test_a_leg_without_its_python_is_an_error() -> None:
    with pytest.raises(NoLeg, match=r"AIRGAP_PYTHON=3\.13: here is 3\.12"):
        plan_for("3.12", choice=Choice("2.21", "3.13"))


def test_another_target_can_be_asked_for() -> None:
    target = plan_for(*CANDIDATES, choice=Choice(target="3.10")).target
    assert target is not None
    assert target.version == "3.10"
    for version in ("3.8", "3.14"):
        with pytest.raises(NoLeg, match=r"it must be one of 3\.9, 3\.10"):
            plan_for(*CANDIDATES, choice=Choice(target=version))
