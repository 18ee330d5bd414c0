"""The versions of ansible-core and Python that are tested on this machine."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomllib

CHECKOUT = Path(__file__).resolve().parents[2]

# Older ones are no target of any ansible-core that is tested.
CANDIDATES = tuple(f"3.{minor}" for minor in range(9, 15))


@dataclass(frozen=True)
class Interpreter:
    """A Python of this machine that can make virtual environments."""

    version: str
    path: Path


@dataclass(frozen=True)
class Leg:
    """One ansible-core on one Python."""

    name: str
    core: str
    python: Interpreter
    last_python: str
    get_pip: str
    libraries: tuple[str, ...]

    def knows(self, version: str) -> bool:
        """Return True if this ansible-core runs modules on a Python."""
        return _number(version) <= _number(self.last_python)

    def __str__(self) -> str:
        return f"ansible-core {self.core} on Python {self.python.version}"


@dataclass(frozen=True)
class Plan:
    """The tests of this machine, and those that it cannot run.

    :ivar asked: A leg was asked for; it is the only one.
    :ivar coverage: The unit tests measure their coverage, which takes them twice as long.
    """

    interpreters: dict[str, Interpreter]
    oldest: Leg
    newest: Leg
    tools: Leg
    target: Interpreter | None
    fuzz: Interpreter | None
    remarks: tuple[str, ...]
    asked: bool = False
    coverage: bool = False

    @property
    def legs(self) -> tuple[Leg, ...]:
        """The legs, oldest first; one where it was asked for."""
        return (self.newest,) if self.oldest is self.newest else (self.oldest, self.newest)

    def comes_second(self, leg: Leg) -> bool:
        """Return True if another leg checks everything, so that this one need not."""
        return leg is not self.newest


@dataclass(frozen=True)
class Choice:
    """The leg that is asked for; empty: the one that tests/versions.toml prefers on this machine."""

    core: str = ""
    python: str = ""
    target: str = ""
    coverage: bool = False


class NoLeg(Exception):
    """No ansible-core of the list runs on any Python of this machine."""


def _number(version: str) -> int:
    return int(version.partition(".")[2])


def find_interpreters() -> dict[str, Interpreter]:
    """Return this machine's usable Pythons by version ("3.11"), leaving pyenv's shims out."""
    found = {}
    for version in CANDIDATES:
        for path in _places(version):
            if path.exists() and _makes_environments(path):
                found[version] = Interpreter(version, path)
                break
    return found


def _places(version: str) -> list[Path]:
    root = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    built = sorted(root.glob(f"versions/{version}.*"), key=_patch_level, reverse=True)
    folders = [folder / "bin" for folder in built]
    # What set-up has found stands on PATH, also where PYENV_ROOT is no longer set.
    folders += [Path(folder) for folder in os.environ.get("PATH", "").split(os.pathsep) if _has_interpreters(folder)]
    folders += [Path("/usr/local/bin"), Path("/usr/bin")]
    return [folder / f"python{version}" for folder in folders]


def _has_interpreters(folder: str) -> bool:
    """Return True unless the folder has pyenv's shims or is of a virtual environment."""
    return bool(folder) and not folder.endswith("/shims") and not (Path(folder).parent / "pyvenv.cfg").exists()


def _patch_level(folder: Path) -> int:
    patch = folder.name.rpartition(".")[2]
    return int(patch) if patch.isdigit() else -1


def _makes_environments(python: Path) -> bool:
    command = [str(python), "-c", "import ensurepip, ssl, venv"]
    return subprocess.run(command, capture_output=True, check=False, timeout=60).returncode == 0


_QUESTIONS = ("CORE", "PYTHON", "TARGET", "COVERAGE")


def asked_for() -> Choice:
    """Return what the environment asks for."""
    core, python, target, coverage = (os.environ.get(f"AIRGAP_{name}", "") for name in _QUESTIONS)
    return Choice(core, python, target, coverage=bool(coverage))


def read_versions() -> dict[str, Any]:
    """Return what tests/versions.toml says."""
    return tomllib.loads((CHECKOUT / "tests" / "versions.toml").read_text("utf-8"))


def matrix() -> list[tuple[str, str]]:
    """Return all legs that can be asked for, as ansible-core and Python, the oldest first."""
    listed = read_versions()
    entries = [*listed["oldest"], *listed["newest"]]
    legs = [(entry["core"], python) for entry in entries for python in entry["matrix"]]
    return sorted(legs, key=lambda leg: (_number(leg[0]), _number(leg[1])))


def read_plan(interpreters: dict[str, Interpreter] | None = None, choice: Choice | None = None) -> Plan:
    """Choose the legs for this machine.

    :arg interpreters: The Pythons that there are; found on this machine where it is None.
    :arg choice: What is asked for.
    :raises NoLeg: There is no Python that any listed ansible-core runs on, or not what was asked for.
    """
    listed, choice = read_versions(), choice or Choice()
    here = find_interpreters() if interpreters is None else interpreters
    remarks = []
    legs = {}
    for name in ("oldest", "newest"):
        legs[name] = _choose(name, listed[name], here)
        wanted = listed[name][0]["core"]
        if legs[name].core != wanted:
            remarks.append(
                f"the {name} ansible-core here is {legs[name].core}, not {wanted}: "
                f"there is no Python {' or '.join(listed[name][0]['pythons'])} on this machine"
            )
    tools = legs["newest"]
    asked = bool(choice.core or choice.python)
    if asked:
        legs["oldest"] = legs["newest"] = _asked_leg([*listed["oldest"], *listed["newest"]], choice, here)
        remarks = [f"other legs than {legs['newest']}, which was asked for"]
    target = _asked_target(listed["target"], choice, here)
    if target is None:
        remarks.append(f"no Python {listed['target']['python']} on this machine: it is not tested as a target")
    wanted = listed["fuzz"]["pythons"]
    fuzz = next((here[version] for version in wanted if version in here), None)
    if fuzz is None:
        remarks.append(f"no Python {' or '.join(wanted)} on this machine: the parsers are not fuzzed")
    return Plan(
        here,
        legs["oldest"],
        legs["newest"],
        tools,
        target,
        fuzz,
        tuple(remarks),
        asked=asked,
        coverage=choice.coverage,
    )


def _choose(name: str, entries: list[dict[str, Any]], here: dict[str, Interpreter]) -> Leg:
    for entry in entries:
        for version in entry["pythons"]:
            if version in here:
                return _leg(name, entry, here[version])
    wanted = " or ".join(version for entry in entries for version in entry["pythons"])
    raise NoLeg(f"the {name} ansible-core needs Python {wanted}; here is {', '.join(here) or 'none'}")


def _leg(name: str, entry: dict[str, Any], python: Interpreter) -> Leg:
    libraries = tuple(entry["libraries"])
    return Leg(name, entry["core"], python, entry["last_python"], entry["get_pip"], libraries)


def _asked_leg(entries: list[dict[str, Any]], choice: Choice, here: dict[str, Interpreter]) -> Leg:
    """Take one leg for both, under the name of the newest, which checks everything."""
    for entry in entries:
        if entry["core"] == choice.core and choice.python in entry["matrix"]:
            if choice.python not in here:
                raise NoLeg(f"AIRGAP_PYTHON={choice.python}: here is {', '.join(here) or 'none'}")
            return _leg("newest", entry, here[choice.python])
    known = ", ".join(f"{core} on {python}" for core, python in matrix())
    raise NoLeg(
        f"AIRGAP_CORE={choice.core} AIRGAP_PYTHON={choice.python}: tests/versions.toml has no such leg; it has {known}"
    )


def _asked_target(listed: dict[str, Any], choice: Choice, here: dict[str, Interpreter]) -> Interpreter | None:
    if not choice.target:
        return here.get(listed["python"])
    if choice.target not in listed["matrix"] or choice.target not in here:
        raise NoLeg(
            f"AIRGAP_TARGET={choice.target}: it must be one of {', '.join(listed['matrix'])}, and be here; "
            f"here is {', '.join(here) or 'none'}"
        )
    return here[choice.target]
