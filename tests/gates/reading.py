"""The gates that read the source: style, types, documentation, licences, and what is dangerous."""

from __future__ import annotations

from pathlib import Path

from gates import packages, verdicts
from gates.runner import GateFailure, Job

# What bandit is not asked about the plugins, and why. ruff reads the tests; pyproject.toml has its exceptions.
BANDIT_SKIPS = {
    "B108": "ruff's S108 asks the same, and each exception says why where it stands",
    "B311": "ruff's S311 asks the same, and each exception says why where it stands",
    "B404": "importing subprocess does nothing; its calls are checked",
    "B603": "every command is a list, and never from a shell; the rule can't see where words come from",
}

# Run in an environment; prints what is installed there, as requirements.
LIST_PACKAGES = (
    "from importlib.metadata import distributions\n"
    "print(*sorted({f'{each.name}=={each.version}' for each in distributions()}), sep='\\n')\n"
)

# Three commands of antsibull-changelog in one process, as most of what each costs is its start.
ANTSIBULL_CHANGELOG = """
import sys
from antsibull_changelog.cli import run
for words in (["lint"], ["lint-changelog-yaml", "changelogs/changelog.yaml"], ["generate"]):
    print("antsibull-changelog", *words, flush=True)
    status = run(["antsibull-changelog", *words])
    if status:
        sys.exit(status)
"""

# Below plugins/. The modules themselves are thin.
TYPED = ("action", "filter", "module_utils", "plugin_utils")


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
    """The engine and the controller's plugins; pyproject.toml says how strictly.

    What mypy has found of a file that is still the same, above all of the libraries, is kept beside its environment.
    """
    packages_of = [f"--package=ansible_collections.airgap.images.plugins.{kind}" for kind in TYPED]
    kept = job.environments["tools"].folder / "mypy"
    job.run(["mypy", f"--cache-dir={kept}", *packages_of], environment="tools")


def check_bandit(job: Job) -> None:
    """The plugins, with few exceptions; the tests are read by ruff, whose rules `S` are those of bandit."""
    command = ["bandit", "--recursive", "--format=json", "--quiet", f"--skip={','.join(BANDIT_SKIPS)}", "plugins"]
    job.require(verdicts.bandit_results(job.run(command, environment="tools", accept=(0, 1))))


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
    page = job.tree / "CHANGELOG.rst"
    committed = page.read_text("utf-8")
    job.run(["python", "-c", ANTSIBULL_CHANGELOG], environment="tools")
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
