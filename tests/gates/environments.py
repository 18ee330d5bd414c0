"""The virtual environments that gates run in, and the variables that they see."""

from __future__ import annotations

import ast
import hashlib
import json
import os
import pwd
import shutil
import subprocess
import sys
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from gates.versions import CHECKOUT, Interpreter, Leg, Plan

SYSTEM_PATH = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")
REQUIREMENTS = CHECKOUT / "tests" / "requirements"

# Settings of the person who runs the tests that would change what is tested.
FOREIGN_VARIABLES = (
    "AIRGAP_",
    "ANSIBLE_",
    "COVERAGE_",
    "GALAXY_",
    "MYPY",
    "PYENV_",
    "PYTEST_",
    "PYTHON",
    "RUFF_",
    "VIRTUAL_ENV",
)


def cache_folder() -> Path:
    """Return the folder that holds everything made by the set-up."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "airgap-images"


@dataclass(frozen=True)
class Environment:
    """A virtual environment with a home directory of its own.

    :ivar is_for_gates: Gates run in it. One that is not is made only when it is asked for, and quickly: with what is
        there, and without a home.
    """

    name: str
    python: Interpreter
    requirements: str
    is_for_gates: bool = True

    @property
    def folder(self) -> Path:
        """Named by what it was made from, so it is made again when that changes."""
        made_from = f"{self.python.path}\n{self.requirements}"
        return cache_folder() / "venvs" / f"{self.name}-{hashlib.sha256(made_from.encode()).hexdigest()[:12]}"

    @property
    def home(self) -> Path:
        """Keeps the settings of the real home directory out, and what ansible-test keeps out of that."""
        return cache_folder() / "home" / self.name

    @property
    def complete(self) -> bool:
        """True if everything was installed."""
        return (self.folder / "complete").exists() and (self.folder / "bin" / "python").exists()


def environments(plan: Plan) -> dict[str, Environment]:
    """Return the environments of a plan by name."""
    tools = (REQUIREMENTS / "tools.txt").read_text("utf-8") + f"ansible-core~={plan.tools.core}.0\n"
    importer = (REQUIREMENTS / "importer.txt").read_text("utf-8")
    docs = (REQUIREMENTS / "docs.txt").read_text("utf-8") + f"ansible-core~={plan.tools.core}.0\n"
    python = plan.tools.python
    made = {
        **{leg.name: Environment(leg.name, leg.python, _leg_requirements(leg)) for leg in reversed(plan.legs)},
        "target": Environment("target", plan.target or plan.newest.python, _target_requirements()),
        "tools": Environment("tools", python, tools),
        "importer": Environment("importer", python, importer),
        "docs": Environment("docs", python, docs),
        "demo": Environment("demo", plan.newest.python, _demo_requirements(plan), is_for_gates=False),
    }
    if plan.fuzz is not None:
        made["fuzz"] = Environment("fuzz", plan.fuzz, (REQUIREMENTS / "fuzz.txt").read_text("utf-8"))
    return made


def _leg_requirements(leg: Leg) -> str:
    listed = [REQUIREMENTS / "leg.txt", CHECKOUT / "tests" / "unit" / "requirements.txt"]
    lines = [*(file.read_text("utf-8") for file in listed), f"ansible-core~={leg.core}.0", *leg.libraries]
    return "\n".join(lines) + "\n"


def _demo_requirements(plan: Plan) -> str:
    return (REQUIREMENTS / "demo.txt").read_text("utf-8") + f"ansible-core~={plan.newest.core}.0\n"


def _target_requirements() -> str:
    """Return what the tests of hosts need, without ansible-core, which may want a newer Python."""
    listed = [REQUIREMENTS / "target.txt", CHECKOUT / "tests" / "unit" / "requirements.txt"]
    return "".join(file.read_text("utf-8") for file in listed)


def variables(environment: Environment, plan: Plan) -> dict[str, str]:
    """Return the variables for a command in an environment.

    PATH has the environment, then each interpreter's own folder (a shim of pyenv makes ansible-test
    fail), then the system.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN_VARIABLES)}
    folders = [environment.folder / "bin"]
    folders += [interpreter.path.parent for interpreter in plan.interpreters.values()]
    path = dict.fromkeys([*map(str, folders), *SYSTEM_PATH])
    return kept | {
        "ANSIBLE_NOCOLOR": "1",
        "HOME": str(environment.home),
        "LC_ALL": "C.UTF-8",
        "NO_COLOR": "1",
        "PATH": os.pathsep.join(path),
        "PYTHONUNBUFFERED": "1",
    }


def set_up(wanted: Iterable[Environment], plan: Plan) -> None:
    """Make the environments that are not there yet, all at the same time: much of it is waiting for the network."""
    wanted = [*wanted]
    for_gates = [environment for environment in wanted if environment.is_for_gates]
    missing = [environment for environment in wanted if not environment.complete]
    if not for_gates and not missing:
        return
    installer = _installer(plan.tools.python, may_install=bool(for_gates))
    with ThreadPoolExecutor() as workers:
        list(workers.map(lambda environment: _build(environment, installer), missing))
    for environment in for_gates:
        _furnish_home(environment, installer)
        _share_jobs(environment)
    if for_gates:
        for leg in plan.legs:
            _stand_in_for_get_pip(leg, installer)


def _say(text: str) -> None:
    sys.stderr.write(f"setup: {text}\n")


@dataclass(frozen=True)
class Installer:
    """The program that installs packages: uv where it can be had, for its speed, and otherwise pip.

    :ivar pip: The settings of pip on this machine, from its files and from variables.
    """

    python: Path
    uv: Path | None
    pip: dict[str, str]


def _installer(interpreter: Interpreter, *, may_install: bool) -> Installer:
    """Return the installer.

    :arg may_install: uv may be installed for this; otherwise it is used only if it is there.
    """
    folder = cache_folder() / "venvs" / f"bootstrap-{interpreter.version}"
    python, uv = folder / "bin" / "python", folder / "bin" / "uv"
    if not python.exists() and not may_install:
        return Installer(interpreter.path, None, {})
    if not python.exists():  # or the interpreter behind it is gone
        _say("installing uv")
        _run([interpreter.path, "-m", "venv", "--clear", folder])
        subprocess.run([python, "-m", "pip", "install", "--quiet", "uv"], check=False)
    return Installer(python, uv if uv.exists() else None, _pip_settings(python))


def _build(environment: Environment, installer: Installer) -> None:
    folder = environment.folder
    _say(f"making the environment '{environment.name}' with Python {environment.python.version}")
    shutil.rmtree(folder, ignore_errors=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    if not _build_with_uv(environment, installer):
        if environment.is_for_gates:
            _say(f"'{environment.name}': pip instead of uv")
        _run([environment.python.path, "-m", "venv", "--clear", folder])
        _run(
            [folder / "bin" / "python", "-m", "pip", "install", "--quiet", "--requirement", "/dev/stdin"],
            environment.requirements,
        )
    (folder / "complete").write_text(environment.requirements, "utf-8")


def _build_with_uv(environment: Environment, installer: Installer) -> bool:
    folder, uv = environment.folder, installer.uv
    if uv is None:
        return False
    uses = os.environ | _uv_settings(installer.pip) | {"UV_PYTHON_DOWNLOADS": "never", "VIRTUAL_ENV": str(folder)}
    make = [uv, "venv", "--quiet", "--python", environment.python.path, folder]
    install = [uv, "pip", "install", "--quiet", "--requirement", "-"]
    for command, text in ((make, ""), (install, environment.requirements)):
        done = subprocess.run(command, env=uses, input=text, text=True, check=False)
        if done.returncode:
            return False
    return True


def _run(command: list[str | Path], text: str = "") -> None:
    subprocess.run([str(word) for word in command], input=text, text=True, check=True, stdout=sys.stderr)


def _pip_settings(python: Path) -> dict[str, str]:
    """Return pip's settings from its files and variables, the later of two winning as it does for pip."""
    command = [str(python), "-m", "pip", "config", "list"]
    listed = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    settings = {}
    # Files first: pip prints its sections in the order of their names, and ':env:' comes first.
    lines = [line for line in listed.splitlines() if "=" in line]
    for line in sorted(lines, key=lambda line: line.startswith(":env:")):
        name, value = line.split("=", 1)
        section, key = name.rsplit(".", 1)
        if section in ("global", "install", ":env:"):
            settings[key] = str(ast.literal_eval(value))
    return settings


def _uv_settings(pip: dict[str, str]) -> dict[str, str]:
    """Translate pip's settings for uv, which reads none of them. What is set for uv itself stays."""
    translated = {
        "UV_DEFAULT_INDEX": pip.get("index-url", ""),
        "UV_INDEX": " ".join(pip.get("extra-index-url", "").split()),
        "UV_FIND_LINKS": ",".join(pip.get("find-links", "").split()),
        "UV_INSECURE_HOST": " ".join(pip.get("trusted-host", "").split()),
        "SSL_CERT_FILE": pip.get("cert", ""),
        # pip takes the best version of all indexes; uv takes the first index that knows the name.
        "UV_INDEX_STRATEGY": "unsafe-best-match" if "extra-index-url" in pip else "",
    }
    return {name: os.environ.get(name, value) for name, value in translated.items() if value or name in os.environ}


def _furnish_home(environment: Environment, installer: Installer) -> None:
    """Give an environment's home the settings of pip: ansible-test passes none of the variables on."""
    folder = environment.home / ".config" / "pip"
    folder.mkdir(parents=True, exist_ok=True)
    # quiet: an error of ansible-test would otherwise be lost among the packages that it installs.
    lines = [f"{key} = {' '.join(value.split())}\n" for key, value in sorted({**installer.pip, "quiet": "2"}.items())]
    _write_privately(folder / "pip.conf", "[global]\n" + "".join(lines))


def _share_jobs(environment: Environment) -> None:
    """Make asynchronous tasks find their jobs.

    Ansible starts them in the home directory that HOME names, and looks for them in the one of the user database.
    """
    real = Path(pwd.getpwuid(os.getuid()).pw_dir) / ".ansible_async"
    link = environment.home / ".ansible_async"
    if not link.is_symlink():
        shutil.rmtree(link, ignore_errors=True)
        real.mkdir(mode=0o700, exist_ok=True)
        link.symlink_to(real)


def _write_privately(file: Path, text: str) -> None:
    """Write what may have an index's address in it, and so a password."""
    file.touch(mode=0o600)
    file.write_text(text, "utf-8")


def _stand_in_for_get_pip(leg: Leg, installer: Installer) -> None:
    folder = cache_folder() / "home" / leg.name / ".ansible" / "test" / "cache"
    folder.mkdir(parents=True, exist_ok=True)
    uv = {"program": str(installer.uv or ""), "variables": _uv_settings(installer.pip)}
    _write_privately(folder / "uv.json", json.dumps(uv))
    shutil.copyfile(Path(__file__).with_name("get_pip.py"), folder / f"get_pip_{leg.get_pip}.py")
