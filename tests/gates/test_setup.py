"""The packages that the set-up installs, and for whom."""

from __future__ import annotations

import re

from gates.environments import environments
from gates.versions import CANDIDATES, CHECKOUT, Interpreter, read_plan


def packages(array: str) -> list[str]:
    """Return the Debian packages of an array of tests/setup.sh."""
    script = (CHECKOUT / "tests" / "setup.sh").read_text("utf-8")
    found = re.search(rf"^{array}=\(\n(.*?)^\)", script, re.DOTALL | re.MULTILINE)
    assert found is not None
    return [line.split("#")[0].strip() for line in found[1].splitlines()]


def test_the_demonstration_takes_a_few_of_the_packages() -> None:
    demo, everything = packages("for_demo"), packages("packages")
    assert set(demo) < set(everything)
    assert demo == sorted(demo) and everything == sorted(everything)
    assert len(demo) < len(everything) / 3


def test_the_environment_of_the_demonstration_is_no_gate_s() -> None:
    plan = read_plan({version: Interpreter(version, CHECKOUT / version) for version in CANDIDATES})
    made = environments(plan)
    assert [name for name, one in made.items() if not one.is_for_gates] == ["demo"]
    assert f"ansible-core~={plan.newest.core}.0" in made["demo"].requirements
    for tool in ("pytest", "playwright", "ruff", "hypothesis"):
        assert tool not in made["demo"].requirements
