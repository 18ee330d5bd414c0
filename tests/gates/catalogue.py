"""The gates, each a short function."""

from __future__ import annotations

import fcntl
import json
import re
import shutil
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from gates import packages, verdicts
from gates.runner import Gate, GateFailure, Job
from gates.versions import Leg, Plan

# Lines and branches of plugins/module_utils and plugin_utils that the unit tests have to reach, in percent.
COVERAGE_FLOOR = 85

MODULE = "airgap.images.image_save"

# What the names of tests/functional/test_*.py go on with, by the gate that runs them; the first that fits counts. All
# others are of the gate `functional`. Several gates, because each takes little more than one core.
FUNCTIONAL_TESTS = {
    "progress": ("role_progress", "docs"),
    "calls": ("role_again", "role_c", "role_d", "role_e"),
    "role": ("role",),
    "hostile": ("credentials", "hostile", "secrets", "surroundings", "two", "unpack"),
    "restore": ("archive", "bench", "restore", "support"),
}

# What bandit is not asked about the plugins, and why. pyproject.toml says it for the tests.
BANDIT_SKIPS = {
    "B108": "ruff's S108 asks the same, and each exception says why where it stands",
    "B311": "ruff's S311 asks the same, and each exception says why where it stands",
    "B404": "to import subprocess does nothing; its calls are looked at",
    "B603": "every command is a list, and never from a shell; the rule can't see where words come from",
}

# Run in an environment; prints what is installed there, as requirements.
LIST_PACKAGES = (
    "from importlib.metadata import distributions\n"
    "print(*sorted({f'{each.name}=={each.version}' for each in distributions()}), sep='\\n')\n"
)

# Below plugins/. The modules themselves are thin.
TYPED = ("action", "filter", "module_utils", "plugin_utils")
# What of the plugins imports ansible-core, or is called by it.
ON_ANSIBLE = ("action", "filter", "modules", "plugin_utils")


def all_gates(plan: Plan) -> list[Gate]:
    """Return the gates that this machine can run, in the order of the summary."""
    gates = [
        Gate("gates", "lint", 2, "the gates find what they are there for", check_gates),
        Gate("ruff", "lint", 1, "style and likely mistakes of Python", check_ruff),
        Gate("imports", "lint", 1, "packages import each other in one direction", check_imports),
        Gate("yamllint", "lint", 2, "style of YAML", check_yamllint),
        Gate("shellcheck", "lint", 2, "likely mistakes of shell scripts", check_shellcheck),
        Gate("mypy", "lint", 5, "types, strictly", check_mypy),
        Gate("bandit", "lint", 6, "what is dangerous in Python", check_bandit),
        Gate("pip-audit", "lint", 40, "known vulnerabilities of the libraries and tools", check_pip_audit),
        Gate("ansible-lint", "lint", 25, "profile production", check_ansible_lint),
        Gate("docs", "lint", 15, "documentation of the plugins, and its references", check_docs),
        Gate("site", "lint", 30, "the documentation site, strictly, and where its links lead", check_site),
        Gate("changelog", "lint", 2, "fragments and changelog", check_changelog),
        Gate("licences", "lint", 3, "every file has a licence (REUSE)", check_licences),
        Gate("workflows", "lint", 3, "GitHub's files: schemas, and what is dangerous in them", check_workflows),
        Gate("unit", "unit", 250, f"with coverage of at least {COVERAGE_FLOOR} %, {plan.newest}", check_unit),
    ]
    if plan.comes_second(plan.oldest):
        run = _units(plan.oldest, plan.oldest.python.version)
        about = f"ansible-test units of what rests on ansible-core, {plan.oldest}"
        gates.append(Gate("units-oldest", "unit", 100, about, run))
    # The gate `unit` runs on the newest Python already, so the newest ansible-core takes the oldest.
    python = plan.target or plan.newest.python
    about = f"ansible-test units, ansible-core {plan.newest.core}, on Python {python.version}"
    gates.append(Gate("units-newest", "unit", 230, about, _units(plan.newest, python.version)))
    tests = {
        "functional": (350, "saves, with a registry and skopeo"),
        "hostile": (340, "registries and neighbours that mean harm, and secrets"),
        "restore": (350, "archives read and restored by others; what tests rest on"),
        "calls": (640, "the role over sshd: again, called in every way, in check mode, shared out"),
        "role": (640, "the role over sshd: steps, lists, failures, secrets, shells, USB sticks"),
        "progress": (630, "live progress, and the pages of the documentation, followed"),
    }
    for name, (seconds, text) in tests.items():
        gates.append(Gate(name, "functional", seconds, f"{text}, {plan.newest}", _functional(name)))
    gates.append(Gate("report", "functional", 130, f"the report in Chromium, {plan.newest}", check_report))
    gates.append(
        Gate("faults", "faults", 300, "runs that are harmed, struck by signals, walked through options", check_faults)
    )
    for leg in plan.legs:
        seconds = 80 if plan.comes_second(leg) else 200
        gates.append(Gate(f"sanity-{leg.name}", "sanity", seconds, f"ansible-test sanity, {leg}", _sanity(leg)))
    gates += _integration_gates(plan)
    if plan.fuzz is not None:
        about = f"the parsers, for a moment, guided by coverage, on Python {plan.fuzz.version}"
        gates.append(Gate("fuzz", "faults", 40, about, check_fuzz))
    gates.append(Gate("artefact", "package", 20, "build, install offline and use, on both legs", check_artefact))
    gates.append(
        Gate("ee", "package", 20, "the execution environment: its build context, and what it would install", check_ee)
    )
    gates.append(Gate("importer", "package", 30, "Galaxy's own check of the artefact", check_importer))
    return gates


# --- what reads the source


def check_gates(job: Job) -> None:
    """The checks of this folder, tested with runs that are green with nothing tested."""
    output = job.run(["python", "-m", "pytest", "tests/gates"], PYTHONPATH=str(job.tree / "tests"))
    job.require(verdicts.pytest_results(output))


def check_ruff(job: Job) -> None:
    """Linter and formatter."""
    job.run(["ruff", "check", "--no-cache", "."], environment="tools")
    job.run(["ruff", "format", "--no-cache", "--check", "--diff", "."], environment="tools")


def check_imports(job: Job) -> None:
    """Lazy imports count, and those for types alone; tests/gates/packages.py has the table."""
    job.require(packages.complaints(job.tree / "plugins"))


def check_yamllint(job: Job) -> None:
    """Warnings count as well."""
    job.run(["yamllint", "--strict", "."], environment="tools")


def check_shellcheck(job: Job) -> None:
    """Every file that a shell runs, by its name or its first line."""
    scripts = [path.relative_to(job.tree) for path in sorted(job.tree.rglob("*")) if _is_shell_script(path)]
    if Path(".ci/run") not in scripts:
        raise GateFailure("shellcheck was not given .ci/run")
    job.run(["shellcheck", "--external-sources", *scripts], environment="tools")


def _is_shell_script(path: Path) -> bool:
    if ".git" in path.parts or not path.is_file():
        return False
    with path.open("rb") as file:
        first_line = file.readline(100)
    return path.suffix == ".sh" or (first_line.startswith(b"#!") and first_line.rstrip().endswith((b"/sh", b"bash")))


def check_mypy(job: Job) -> None:
    """The engine and the controller's plugins; pyproject.toml says how strictly."""
    rooms = [f"--package=ansible_collections.airgap.images.plugins.{room}" for room in TYPED]
    job.run(["mypy", *rooms], environment="tools")


def check_bandit(job: Job) -> None:
    """What is handed out with few exceptions; the tests with those that pyproject.toml gives reasons for."""
    output = job.run(
        ["bandit", "--recursive", "--format=json", "--quiet", f"--skip={','.join(BANDIT_SKIPS)}", "plugins"],
        environment="tools",
        accept=(0, 1),
    )
    output_of_tests = job.run(
        ["bandit", "--configfile=pyproject.toml", "--recursive", "--format=json", "--quiet", "tests"],
        environment="tools",
        accept=(0, 1),
    )
    job.require([*verdicts.bandit_results(output), *verdicts.bandit_results(output_of_tests)])


def check_pip_audit(job: Job) -> None:
    """Of both environments with the newest releases; the oldest has Debian's, which are repaired under old numbers.

    Where no service tells of vulnerabilities, the gate passes and says so: that is nothing that a change could mend.
    """
    audited = known = 0
    complaints = []
    for name in ("newest", "tools"):
        listed, report = job.folder / f"audit-{name}.txt", job.folder / f"audit-{name}.json"
        listed.write_text(job.run(["python", "-c", LIST_PACKAGES], environment=name), "utf-8")
        # Without pip, whose settings for ansible-test keep it from listing anything.
        command = ["pip-audit", f"--requirement={listed}", "--no-deps", "--disable-pip", "--progress-spinner=off"]
        command += ["--timeout=20", "--format=json", f"--output={report}", f"--cache-dir={job.folder / 'audit'}"]
        said = job.run(command, environment="tools", accept=(0, 1))
        found = verdicts.audit_results(report.read_text("utf-8") if report.exists() else "", said)
        complaints += found.complaints
        audited, known = audited + found.audited, known + found.known
        if not found.audited:  # nor would the next one be
            break
    job.require(complaints)
    if audited < known or not audited:
        nobody = "NO SERVICE REACHABLE that knows vulnerabilities: " if not audited else ""
        job.remark(f"{nobody}{audited} of {known} packages audited")


def check_ansible_lint(job: Job) -> None:
    """It does not see wrong arguments to a module of the collection; the integration tests do."""
    job.run(["ansible-lint", "--offline"], environment="tools", ANSIBLE_COLLECTIONS_PATH=str(job.root))


def check_docs(job: Job) -> None:
    """Also that what the documentation refers to is there."""
    job.run(
        [
            "antsibull-docs",
            "lint-collection-docs",
            "--plugin-docs",
            "--validate-collection-refs=all",
            "--disallow-unknown-collection-refs",
            ".",
        ],
        environment="tools",
    )


def check_site(job: Job) -> None:
    """Built as tests/docs.sh does; the log has the links to the outside, which nobody follows."""
    site = job.folder / "site"
    job.run(["python", "-m", "docsite", "--output", site], environment="docs", PYTHONPATH=str(job.tree / "tests"))
    if not (site / "reference" / "image_save_module.html").exists():
        raise GateFailure("the site has no page of image_save")


def check_changelog(job: Job) -> None:
    """Fragments, what was released, and that the page is what they give."""
    job.run(["antsibull-changelog", "lint"], environment="tools")
    job.run(["antsibull-changelog", "lint-changelog-yaml", "changelogs/changelog.yaml"], environment="tools")
    page = job.tree / "CHANGELOG.rst"
    committed = page.read_text("utf-8")
    job.run(["antsibull-changelog", "generate"], environment="tools")
    if page.read_text("utf-8") != committed:
        raise GateFailure("CHANGELOG.rst is not what changelogs/changelog.yaml gives: run antsibull-changelog generate")


def check_licences(job: Job) -> None:
    """https://reuse.software/spec-3.3/"""
    job.run(["reuse", "lint"], environment="tools")


def check_workflows(job: Job) -> None:
    """That they run all gates is a test of the gates themselves."""
    github = Path(".github")
    for schema, files in (("github-workflows", "workflows/*.yml"), ("dependabot", "dependabot.yml")):
        found = [path.relative_to(job.tree) for path in sorted((job.tree / github).glob(files))]
        if not found:
            raise GateFailure(f"there is no {github / files}")
        job.run(["check-jsonschema", f"--builtin-schema=vendor.{schema}", *found], environment="tools")
    job.run(["zizmor", "--offline", "--no-progress", "--pedantic", github], environment="tools")


# --- what runs the code


def check_unit(job: Job) -> None:
    """pytest, as it is run while working on the code, and coverage."""
    coverage = ["--cov=plugins", "--cov-branch", "--cov-report="]
    test = ["python", "-m", "pytest", *coverage, "tests/unit", *job.more_arguments]
    output = job.run(test, PYTHONPATH=str(job.root))
    if job.more_arguments:
        return
    job.require(verdicts.pytest_results(output))
    report = ["coverage", "report", "--show-missing", "--skip-covered"]
    job.run([*report, f"--fail-under={COVERAGE_FLOOR}", "--include=plugins/module_utils/*,plugins/plugin_utils/*"])
    job.run(report)


def _functional(name: str) -> Callable[[Job], None]:
    """The tests of one gate, against real programs."""

    def check(job: Job) -> None:
        found = sorted((job.tree / "tests" / "functional").glob("test_*.py"))
        _pytest(job, [path.relative_to(job.tree) for path in found if gate_of(path) == name])

    return check


def gate_of(path: Path) -> str:
    """The gate that runs a file of tests/functional."""
    what = path.stem.removeprefix("test_")
    fits = (name for name, words in FUNCTIONAL_TESTS.items() if what.startswith(words))
    return next(fits, "functional")


def check_report(job: Job) -> None:
    """The report of an archive in a real browser, which has to be there."""
    _pytest(job, [path.relative_to(job.tree) for path in sorted((job.tree / "tests" / "browser").glob("test_*.py"))])


def check_faults(job: Job) -> None:
    """The fault bench in its short form: each fault once, a few hundred signals, and some steps of the walk."""
    bench = ["python", "-m", "ansible_collections.airgap.images.tests.faults", "--short"]
    job.run([*bench, *job.more_arguments], PYTHONPATH=str(job.root))


def _pytest(job: Job, files: list[Path]) -> None:
    output = job.run(["python", "-m", "pytest", *files, *job.more_arguments], PYTHONPATH=str(job.root))
    if not job.more_arguments:
        job.require(verdicts.pytest_results(output))


def _units(leg: Leg, python: str) -> Callable[[Job], None]:
    def check(job: Job) -> None:
        _pin_libraries(job, leg, "unit")
        # One worker: each one collects all tests for itself, and other gates run beside this one.
        options = ["--venv", f"--python={python}", "--num-workers=1"]
        output = _ansible_test(job, leg, "units", *options, *_unit_targets(job, leg))
        job.require(verdicts.pytest_results(output))

    return check


def _unit_targets(job: Job, leg: Leg) -> list[str]:
    """The engine knows nothing of Ansible, so that one ansible-core is enough for its tests."""
    return [f"tests/unit/plugins/{kind}/" for kind in ON_ANSIBLE] if job.plan.comes_second(leg) else []


def _sanity(leg: Leg) -> Callable[[Job], None]:
    def check(job: Job) -> None:
        listed = job.run(["ansible-test", "sanity", "--list-tests"], environment=leg.name)
        expected = [line for line in listed.splitlines() if line and " " not in line]
        if job.plan.comes_second(leg):
            expected.remove("pylint")
        with _alone(job, leg):
            for options in _sanity_runs(job, leg):
                _ansible_test(job, leg, "sanity", "--junit", *options)
        results = job.tree / "tests" / "output" / "junit"
        needed = [version for version in job.plan.interpreters if leg.knows(version)]
        job.require(verdicts.sanity_results(results, expected=expected, pythons=needed))

    return check


def _sanity_runs(job: Job, leg: Leg) -> list[list[str]]:
    """What is handed out is looked at by both; the tests themselves by the newest only, and not by its pylint.

    That would be half of all it does, and there is little that it looks for in a collection and ruff has not seen.
    pylint is the newest's alone: what it says does not depend on the ansible-core that runs.
    """
    without_tests = [
        f"--exclude=tests/{folder}/"
        for folder in ("bench", "browser", "docsite", "faults", "functional", "fuzz", "support", "unit")
    ]
    if job.plan.comes_second(leg):
        return [["--skip-test", "pylint", *without_tests]]
    return [["--skip-test", "pylint"], ["--test", "pylint", *without_tests]]


@contextmanager
def _alone(job: Job, leg: Leg) -> Iterator[None]:
    """Sanity tests make virtual environments in the home directory that two runs must not make at once."""
    with (job.environments[leg.name].home / "sanity.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _integration(leg: Leg, *hosts: str) -> Callable[[Job], None]:
    def check(job: Job) -> None:
        _pin_libraries(job, leg, "integration")
        output = _ansible_test(job, leg, "integration", *hosts)
        if not job.more_arguments:
            job.require(verdicts.integration_results(output, targets=job.tree / "tests" / "integration" / "targets"))

    return check


def _integration_gates(plan: Plan) -> list[Gate]:
    """Both ansible-cores; the newest one with the oldest Python on the host, where the machine has it."""
    gates = []
    for leg in plan.legs:
        python, about = leg.python.version, f"ansible-test integration, {leg}"
        hosts = ["--venv", f"--python={python}"]
        if leg is plan.newest and plan.target:
            hosts = [
                f"--controller=origin:python=venv/{python}",
                f"--target=controller:python=venv/{plan.target.version}",
            ]
            about += f", target Python {plan.target.version}"
        gates.append(Gate(f"integration-{leg.name}", "integration", 200, about, _integration(leg, *hosts)))
    return gates


def _pin_libraries(job: Job, leg: Leg, kind: str) -> None:
    """Have ansible-test install the libraries of a leg in the environments that it makes itself."""
    with (job.tree / "tests" / kind / "requirements.txt").open("a", encoding="utf-8") as requirements:
        requirements.writelines(f"{library}\n" for library in leg.libraries)


def _ansible_test(job: Job, leg: Leg, command: str, *options: str) -> str:
    output = job.run(["ansible-test", command, "--color=no", *options, *job.more_arguments], environment=leg.name)
    job.require(verdicts.warnings_of_ansible_test(output, pythons=job.plan.interpreters))
    return output


def check_fuzz(job: Job) -> None:
    """The same inputs at every run; `tests/fuzz.sh` tries more."""
    command = ["python", "-m", "ansible_collections.airgap.images.tests.fuzz", "--short", *job.more_arguments]
    kept = ["--seeds", job.tree / "tests" / "fuzz" / "seeds", "--output", job.folder]
    job.run([*command, *kept], environment="fuzz", PYTHONPATH=str(job.root))


# --- what is handed out


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
        _use(job, artefact, leg)


def _build(job: Job) -> Path:
    output = job.folder / "artefact"
    job.run(["ansible-galaxy", "collection", "build", "--output-path", output])
    (artefact,) = output.glob("*.tar.gz")
    return artefact


def _use(job: Job, artefact: Path, leg: Leg) -> None:
    empty = job.folder / f"installed-{leg.name}"
    job.run(["ansible-galaxy", "collection", "install", "--offline", "-p", empty, artefact], environment=leg.name)
    path = {"ANSIBLE_COLLECTIONS_PATH": str(empty)}
    text = job.run(["ansible-doc", "-t", "module", "--json", MODULE], environment=leg.name, cwd=empty, **path)
    if "doc" not in json.loads(text[text.index("{") :])[MODULE]:
        raise GateFailure(f"ansible-doc has nothing on {MODULE}")

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
    said = job.run(command, environment=leg.name, cwd=empty, accept=(2,), **path)
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
    """What Galaxy says when the artefact is handed in, but for ansible-lint, which is a gate of its own."""
    artefact = _build(job)
    settings = job.folder / "galaxy-importer.cfg"
    settings.write_text("[galaxy-importer]\nRUN_ANSIBLE_TEST = False\nRUN_ANSIBLE_LINT = False\n", "utf-8")
    output = job.run(
        ["python", "-m", "galaxy_importer.main", artefact],
        environment="importer",
        cwd=job.folder,
        GALAXY_IMPORTER_CONFIG=str(settings),
    )
    bad = [line for line in output.splitlines() if line.startswith(("WARNING", "ERROR"))]
    job.require([f"galaxy-importer: {line}" for line in bad])
