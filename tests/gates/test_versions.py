"""The legs follow from the Pythons that there are, and what is not tested is said."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pytest

from gates.versions import Interpreter, NoLeg, Plan, read_plan


def plan_for(*versions: str) -> Plan:
    return read_plan({version: Interpreter(version, Path(f"/usr/bin/python{version}")) for version in versions})


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
