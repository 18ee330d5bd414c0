"""The gates that run tests/functional, and the files that each takes.

Several gates, because tests of one gate run one after the other, and each gate should take at most 200 s of CPU.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from gates.runner import Gate, Job
from gates.suites import run_pytest
from gates.versions import Plan


@dataclass(frozen=True)
class Group:
    """The files of one gate.

    :ivar beginnings: What the names of its files begin with, after `test_`. The first group that fits takes a file.
    """

    name: str
    beginnings: tuple[str, ...]
    about: str


GROUPS = (
    Group("progress", ("role_progress",), "live progress"),
    Group("pages", ("docs",), "the pages of the documentation, followed"),
    Group(
        "calls",
        ("load_role", "role_again", "role_c", "role_d", "role_e"),
        "the roles over sshd: called in every way, shared out",
    ),
    Group("role", ("role",), "the role over sshd: steps, lists, failures, secrets, shells, USB sticks"),
    Group("secrets", ("credentials", "hostile_host", "secrets"), "secrets, and hosts that mean harm"),
    Group("hostile", ("hostile", "surroundings", "two", "unpack"), "registries and neighbours that mean harm"),
    Group(
        "restore",
        ("archive", "bench", "restore", "support"),
        "archives read and restored by others; what tests rest on",
    ),
    Group("load", ("load", "verify"), "loads into a registry: every kind of image, trouble; lost parts"),
    Group("field", ("field",), "registries and hosts as they are found in the field"),
    Group("functional", ("",), "saves, with a registry and skopeo"),
)


def gates(plan: Plan) -> list[Gate]:
    """Return the gates of tests/functional."""
    return [Gate(group.name, "functional", f"{group.about}, {plan.newest}", _check(group)) for group in GROUPS]


def group_of(path: Path) -> Group:
    """Return the group that a file of tests/functional belongs to."""
    name = path.stem.removeprefix("test_")
    return next(group for group in GROUPS if name.startswith(group.beginnings))


def _check(group: Group) -> Callable[[Job], None]:
    def check(job: Job) -> None:
        found = sorted((job.tree / "tests" / "functional").glob("test_*.py"))
        run_pytest(job, [path.relative_to(job.tree) for path in found if group_of(path) == group])

    return check
