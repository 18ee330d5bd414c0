"""Which ansible-core is tested on which Python of this machine."""

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
        """Whether this ansible-core runs modules on a Python."""
        return _number(version) <= _number(self.last_python)

    def __str__(self) -> str:
        return f"ansible-core {self.core} on Python {self.python.version}"


@dataclass(frozen=True)
class Plan:
    """What is tested on this machine, and what is not."""

    interpreters: dict[str, Interpreter]
    oldest: Leg
    newest: Leg
    target: Interpreter | None
    fuzz: Interpreter | None
    remarks: tuple[str, ...]

    @property
    def legs(self) -> tuple[Leg, Leg]:
        """The legs, oldest first."""
        return self.oldest, self.newest


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
    """Neither pyenv's shims nor a virtual environment."""
    return bool(folder) and not folder.endswith("/shims") and not (Path(folder).parent / "pyvenv.cfg").exists()


def _patch_level(folder: Path) -> int:
    patch = folder.name.rpartition(".")[2]
    return int(patch) if patch.isdigit() else -1


def _makes_environments(python: Path) -> bool:
    command = [str(python), "-c", "import ensurepip, ssl, venv"]
    return subprocess.run(command, capture_output=True, check=False, timeout=60).returncode == 0


def read_plan(interpreters: dict[str, Interpreter] | None = None, file: Path | None = None) -> Plan:
    """Choose the legs for this machine.

    :arg interpreters: The Pythons that there are; found on this machine where it is None.
    :arg file: What to read instead of tests/versions.toml.
    :raises NoLeg: There is no Python that any listed ansible-core runs on.
    """
    listed = tomllib.loads((file or CHECKOUT / "tests" / "versions.toml").read_text("utf-8"))
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
    target = here.get(listed["target"]["python"])
    if target is None:
        remarks.append(f"no Python {listed['target']['python']} on this machine: it is not tested as a target")
    wanted = listed["fuzz"]["pythons"]
    fuzz = next((here[version] for version in wanted if version in here), None)
    if fuzz is None:
        remarks.append(f"no Python {' or '.join(wanted)} on this machine: the parsers are not fuzzed")
    return Plan(here, legs["oldest"], legs["newest"], target, fuzz, tuple(remarks))


def _choose(name: str, entries: list[dict[str, Any]], here: dict[str, Interpreter]) -> Leg:
    for entry in entries:
        for version in entry["pythons"]:
            if version in here:
                chosen = dict(entry, name=name, python=here[version], libraries=tuple(entry["libraries"]))
                del chosen["pythons"]
                return Leg(**chosen)
    wanted = " or ".join(version for entry in entries for version in entry["pythons"])
    raise NoLeg(f"the {name} ansible-core needs Python {wanted}; here is {', '.join(here) or 'none'}")
