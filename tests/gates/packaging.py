"""The gates that build what is handed out, and use it as others do."""

from __future__ import annotations

import json
import re
import shutil
import tarfile
from pathlib import Path

from gates.runner import GateFailure, Job
from gates.versions import Leg

MODULE = "airgap.images.image_save"


def check_artefact(job: Job) -> None:
    """Use what a user would install, from an empty folder."""
    artefact = _build(job)
    with tarfile.open(artefact) as archive:
        names = set(archive.getnames())
    needed = {"README.md", "CHANGELOG.rst", "meta/runtime.yml", "plugins/modules/image_save.py", "requirements.txt"}
    unwanted = {name for name in names if name.split("/")[0] in ("tests", ".ci", ".github", "pyproject.toml", ".git")}
    job.require([f"the artefact lacks {name}" for name in sorted(needed - names)])
    job.require([f"the artefact has {name}" for name in sorted(unwanted)])
    for leg in job.plan.legs:
        empty = job.folder / f"installed-{leg.name}"
        job.run(["ansible-galaxy", "collection", "install", "--offline", "-p", empty, artefact], environment=leg.name)
        _use(job, empty, leg)
    # In one of them; the documentation itself is read by the sanity tests, on both legs.
    _read_documentation(job, empty)


def _build(job: Job) -> Path:
    output = job.folder / "artefact"
    job.run(["ansible-galaxy", "collection", "build", "--output-path", output])
    (artefact,) = output.glob("*.tar.gz")
    return artefact


def _read_documentation(job: Job, empty: Path) -> None:
    command = ["ansible-doc", "-t", "module", "--json", MODULE]
    text = job.run(command, cwd=empty, ANSIBLE_COLLECTIONS_PATH=str(empty))
    if "doc" not in json.loads(text[text.index("{") :])[MODULE]:
        raise GateFailure(f"ansible-doc has nothing on {MODULE}")


def _use(job: Job, empty: Path, leg: Leg) -> None:
    # The module's own complaint about an image that only the action group gives it shows that the
    # module runs, with everything that it imports, and that it is in the group.
    nonsense = "NO/REFERENCE"
    options = {"images": [nonsense], "dest": str(empty / "images.tar.gz")}
    play = {
        "hosts": "localhost",
        "gather_facts": False,
        "vars": {"ansible_python_interpreter": "{{ ansible_playbook_python }}"},
        "module_defaults": {"group/airgap.images.all": options},
        "tasks": [{MODULE: {}}],
    }
    playbook = empty / "use.yml"
    playbook.write_text(json.dumps([play]), "utf-8")
    command = ["ansible-playbook", "-i", "localhost,", "-c", "local", "--check", playbook]
    path = str(empty)
    said = job.run(command, environment=leg.name, cwd=empty, accept=(2,), ANSIBLE_COLLECTIONS_PATH=path)
    if nonsense not in said or "Traceback" in said:
        raise GateFailure(f"{MODULE} did not answer as a module does, on {leg}")


def check_ee(job: Job) -> None:
    """All of a build that needs no container engine, with the artefact in place of the one that a user has made."""
    definition = Path("ee", "execution-environment.yml")
    shutil.copy(_build(job), job.tree / definition.parent)
    context, installed = job.folder / "context", job.folder / "installed"
    job.run(
        ["ansible-builder", "create", f"--file={definition}", f"--context={context}", "--verbosity=1"],
        environment="tools",
    )
    # As the container file does, which then asks the collection what it needs.
    galaxy = ["ansible-galaxy", "collection", "install", "--offline", "-r", "requirements.yml", "-p", installed]
    job.run(galaxy, cwd=context / "_build")
    needs = job.run(["ansible-builder", "introspect", installed], environment="tools")
    lacking = {"requests", "zstandard", "skopeo", "airgap.images"} - set(re.findall(r"[\w.]+", needs))
    job.require([f"the execution environment would not have {name}" for name in sorted(lacking)])
    wanted = (context / "_build" / "bindep.txt").read_text("utf-8")
    if "openssh-clients" not in wanted:
        raise GateFailure("the execution environment would have no ssh")


def check_importer(job: Job) -> None:
    """Galaxy's answer when the artefact is handed in, without the tools that are gates or sanity tests themselves."""
    artefact = _build(job)
    settings = job.folder / "galaxy-importer.cfg"
    left_out = "".join(f"RUN_{tool} = False\n" for tool in ("ANSIBLE_DOC", "ANSIBLE_LINT", "ANSIBLE_TEST"))
    settings.write_text(f"[galaxy-importer]\n{left_out}", "utf-8")
    output = job.run(
        ["python", "-m", "galaxy_importer.main", artefact],
        environment="importer",
        cwd=job.folder,
        GALAXY_IMPORTER_CONFIG=str(settings),
    )
    bad = [line for line in output.splitlines() if line.startswith(("WARNING", "ERROR"))]
    job.require([f"galaxy-importer: {line}" for line in bad])
