"""The gates that run the code: pytest, and what ansible-test does."""

from __future__ import annotations

import fcntl
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from gates import verdicts
from gates.runner import Gate, Job
from gates.versions import Leg, Plan

# Lines and branches of plugins/module_utils and plugin_utils that the unit tests have to reach, in percent.
COVERAGE_FLOOR = 85

# Below tests/unit/plugins: tests of what imports ansible-core, or is called by it.
ON_ANSIBLE = ("action", "filter", "modules", "plugin_utils")
# The same: tests of what runs on managed hosts.
ON_HOSTS = ("module_utils", "modules")

# Tests of text that pure functions make of an archive's record, which no Python makes otherwise. A leg that was asked
# for runs them too.
ONLY_TEXT = (Path("tests", "unit", "plugins", "module_utils", "_report"),)

# Folders of tests that only `ruff` reads, which finds what the sanity tests would.
ONLY_TESTS = ("bench", "browser", "docsite", "faults", "functional", "fuzz", "gates", "support", "unit")


# --- pytest


def check_unit(job: Job) -> None:
    """All unit tests; with coverage where it is asked for, since that doubles the time."""
    coverage = ["--cov=plugins", "--cov-branch", "--cov-report="] if job.plan.coverage else []
    run_pytest(job, [Path("tests", "unit")], coverage)
    if not coverage or job.more_arguments:
        return
    report = ["coverage", "report", "--show-missing", "--skip-covered"]
    job.run([*report, f"--fail-under={COVERAGE_FLOOR}", "--include=plugins/module_utils/*,plugins/plugin_utils/*"])
    job.run(report)


def check_units_oldest(job: Job) -> None:
    """The engine does not depend on ansible-core: one version is enough for its tests."""
    run_pytest(job, unit_folders(ON_ANSIBLE), environment="oldest", AIRGAP_EXTENT=_extent(job.plan))


def check_units_target(job: Job) -> None:
    """The tests of all that runs on hosts, on the oldest Python of a host.

    ansible-core is not installed there, as it wants a newer Python; `ansible.module_utils`, which Ansible sends to a
    host along with the module, is imported from the controller's environment.
    """
    library = job.folder / "library"
    library.mkdir()
    (library / "ansible").symlink_to(_where_ansible_is(job))
    path = f"{job.root}:{library}"
    ignored = [] if job.plan.asked else [f"--ignore={folder}" for folder in ONLY_TEXT]
    run_pytest(
        job, unit_folders(ON_HOSTS), ignored, environment="target", PYTHONPATH=path, AIRGAP_EXTENT=_extent(job.plan)
    )


def _extent(plan: Plan) -> str:
    """Return how much of the unit tests to run beside the gate `unit`: one case of each, unless a leg was asked for."""
    return "" if plan.asked else "brief"


def unit_folders(kinds: Sequence[str]) -> list[Path]:
    """Return the folders of unit tests of some kinds of plugins."""
    return [Path("tests", "unit", "plugins", kind) for kind in kinds]


def _where_ansible_is(job: Job) -> Path:
    command = ["python", "-c", "import ansible; print(ansible.__path__[0])"]
    return Path(job.run(command, environment="newest").strip())


def run_pytest(
    job: Job, files: Sequence[Path], options: Sequence[str] = (), *, environment: str = "newest", **variables: str
) -> None:
    """Run pytest and fail where no test passed, or one was skipped.

    :arg variables: More variables of the process.
    :raises GateFailure: A test failed, or none ran.
    """
    command = ["python", "-m", "pytest", *options, *files, *job.more_arguments]
    output = job.run(command, environment=environment, **{"PYTHONPATH": str(job.root), **variables})
    if not job.more_arguments:
        job.require(verdicts.pytest_results(output))


def check_report(job: Job) -> None:
    """The report of an archive in a real browser, which has to be there."""
    run_pytest(job, [path.relative_to(job.tree) for path in sorted((job.tree / "tests" / "browser").glob("test_*.py"))])


def check_faults(job: Job) -> None:
    """The fault bench in its short form: each main kind of fault once, dozens of signals, a few steps of the walk.

    In one process, as each makes the runs anew that others are compared with.
    """
    bench = ["python", "-m", "ansible_collections.airgap.images.tests.faults", "--short", "--jobs=1"]
    job.run([*bench, *job.more_arguments], PYTHONPATH=str(job.root))


def check_fuzz(job: Job) -> None:
    """The same inputs at every run; `tests/fuzz.sh` tries more."""
    command = ["python", "-m", "ansible_collections.airgap.images.tests.fuzz", "--short", *job.more_arguments]
    kept = ["--seeds", job.tree / "tests" / "fuzz" / "seeds", "--output", job.folder]
    job.run([*command, *kept], environment="fuzz", PYTHONPATH=str(job.root))


# --- ansible-test


def sanity_gates(plan: Plan) -> list[Gate]:
    """Return a gate for each ansible-core."""
    return [Gate(f"sanity-{leg.name}", "sanity", f"ansible-test sanity, {leg}", _sanity(leg)) for leg in plan.legs]


def _sanity(leg: Leg) -> Callable[[Job], None]:
    def check(job: Job) -> None:
        listed = job.run(["ansible-test", "sanity", "--list-tests"], environment=leg.name)
        every = [line for line in listed.splitlines() if line and " " not in line]
        with _alone(job, leg):
            for options in sanity_runs(job.plan, leg):
                _ansible_test(job, leg, "sanity", "--junit", *options)
        job.require(
            verdicts.sanity_results(
                job.tree / "tests" / "output" / "junit",
                expected=expected_sanity_tests(job.plan, leg, every),
                pythons={name: sanity_pythons(job.plan, leg, name) for name in ("compile", "import")},
            )
        )

    return check


def expected_sanity_tests(plan: Plan, leg: Leg, every: Sequence[str]) -> list[str]:
    """Return the sanity tests that have to run, of all that this ansible-core has."""
    if plan.comes_second(leg):
        return [name for name in every if name in DEPENDS_ON_CORE]
    return [name for name in every if plan.asked or name not in ELSEWHERE]


# Sanity tests that other gates make superfluous: `ruff`, `mypy`, `shellcheck` and `changelog`. Of pylint, that leaves
# Ansible's rules for deprecations and for functions that a module should not call, for half the CPU seconds of all
# sanity tests. A leg that was asked for runs them too.
ELSEWHERE = frozenset({"changelog", "pep8", "pylint", "shellcheck"})

# Sanity tests whose answer depends on the ansible-core that runs them; the others run on the newest only.
DEPENDS_ON_CORE = frozenset({"action-plugin-docs", "ansible-doc", "import", "runtime-metadata", "validate-modules"})

# The files that Ansible itself loads. They import all others, and have all the documentation.
ENTRIES = ("plugins/action/", "plugins/filter/", "plugins/modules/")


def sanity_runs(plan: Plan, leg: Leg) -> list[list[str]]:
    """Return the options of each run of ansible-test, one for each Python at most, since each start costs.

    A leg that was asked for checks every file on every Python. Otherwise files of tests are left to `ruff`, as style
    and mistakes of Python are all that could be found there. `compile` and `import` take the outermost Pythons: what
    a module imports on both, it imports on those between. Each file by itself is imported on the oldest; elsewhere,
    those that Ansible loads are, which import the rest, as all unit tests do on the newest.
    """
    if plan.asked:
        return [[]]
    pythons = sanity_pythons(plan, leg, "import")
    if plan.comes_second(leg):
        return [
            [*_tests("--test", sorted(DEPENDS_ON_CORE)), f"--python={version}", *ENTRIES, "meta/runtime.yml"]
            for version in pythons
        ]
    without_tests = [f"--exclude=tests/{folder}/" for folder in ONLY_TESTS]
    on_python = _tests("--test", ["compile", "import"])
    return [
        [*_tests("--skip-test", ["compile", "import", *sorted(ELSEWHERE)]), *without_tests],
        [*on_python, f"--python={pythons[0]}", *without_tests],
        *([*on_python, f"--python={version}", *ENTRIES] for version in pythons[1:]),
    ]


def _tests(option: str, names: Sequence[str]) -> list[str]:
    return [word for name in names for word in (option, name)]


def sanity_pythons(plan: Plan, leg: Leg, name: str) -> list[str]:
    """Return the Pythons on which `compile` or `import` have to run."""
    known = [version for version in plan.interpreters if leg.knows(version)]
    if plan.asked:
        return known
    if plan.comes_second(leg):
        return [leg.python.version] if name == "import" else []
    return list(dict.fromkeys([known[0], known[-1]]))


@contextmanager
def _alone(job: Job, leg: Leg) -> Iterator[None]:
    """Sanity tests make virtual environments in the home directory that two runs must not make at once."""
    with (job.environments[leg.name].home / "sanity.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def integration_gates(plan: Plan) -> list[Gate]:
    """Return a gate for each ansible-core; the newest has the oldest Python on the host, where the machine has it."""
    gates = []
    for leg in plan.legs:
        about = f"ansible-test integration, {leg}"
        if leg is plan.newest and plan.target:
            about += f", target Python {plan.target.version}"
        gates.append(Gate(f"integration-{leg.name}", "integration", about, _integration(leg)))
    return gates


def _integration(leg: Leg) -> Callable[[Job], None]:
    def check(job: Job) -> None:
        # In the environments of the set-up. With --venv, ansible-test would make its own ones at each run.
        target = "target" if leg is job.plan.newest and job.plan.target else leg.name
        hosts = [f"--controller=origin:python={_python(job, leg.name)}"]
        hosts += [f"--target=controller:python={_python(job, target)}"]
        output = _ansible_test(job, leg, "integration", *hosts)
        if not job.more_arguments:
            job.require(verdicts.integration_results(output, targets=job.tree / "tests" / "integration" / "targets"))

    return check


def _python(job: Job, name: str) -> str:
    """Return an environment's interpreter in the words of ansible-test."""
    environment = job.environments[name]
    return f"{environment.python.version}@{environment.folder / 'bin' / 'python'}"


def _ansible_test(job: Job, leg: Leg, command: str, *options: str) -> str:
    output = job.run(["ansible-test", command, "--color=no", *options, *job.more_arguments], environment=leg.name)
    job.require(verdicts.warnings_of_ansible_test(output, pythons=job.plan.interpreters))
    return output
