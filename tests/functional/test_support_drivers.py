# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The drivers for the module and for playbooks, tried on a module made for this."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.airgap.images.tests.support.module import (
    ModuleError,
    alive,
    run_module,
    start_module,
    wait_for_end,
)
from ansible_collections.airgap.images.tests.support.playbook import run_playbook, run_task

MODULE = '''
import os, subprocess, sys
from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = """
module: echo
short_description: Tells what it was given
options:
  path:
    description: A path.
    type: path
  act:
    description: What to do.
    type: str
  secret:
    description: Not to be shown.
    type: str
"""


def main():
    spec = {"path": {"type": "path"}, "act": {}, "secret": {"no_log": True}}
    module = AnsibleModule(argument_spec=spec, supports_check_mode=True)
    if module.params["act"] == "fail":
        module.fail_json(msg="failed with %s" % module.params["secret"])
    if module.params["act"] == "die":
        sys.stderr.write("dying words")
        os._exit(3)
    if module.params["act"] == "hang":
        subprocess.call(["sleep", "1000"])
    module.warn("careful")
    seen = {name: os.environ.get(name, "") for name in ("HTTP_PROXY", "SOURCE_USERNAME", "LC_ALL", "EXTRA")}
    module.exit_json(
        changed=True,
        path=module.params["path"],
        seen=seen,
        modes=[module.check_mode, module._diff, module._verbosity],
        stdin=sys.stdin.read(),
    )


if __name__ == "__main__":
    main()
'''


@pytest.fixture
def tree(workdir: Path) -> dict[str, str | None]:
    """The variables with which a collection of one module is found instead of ours."""
    modules = workdir / "ansible_collections" / "airgap" / "images" / "plugins" / "modules"
    modules.mkdir(parents=True)
    (modules / "echo.py").write_text(MODULE, encoding="utf-8")
    return {"PYTHONPATH": str(workdir), "ANSIBLE_COLLECTIONS_PATH": str(workdir)}


def run(tree: dict[str, str | None], /, **params: Any) -> Any:
    """Runs the module ``echo``."""
    return run_module(params, env=tree, module="echo")


def test_a_module_that_ends_well(tree: dict[str, str | None], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("SOURCE_USERNAME", "somebody")
    result = run_module(
        {"path": Path("/some/päth")}, env={**tree, "EXTRA": "more"}, module="echo", check=True, diff=True, verbosity=3
    )
    assert (result.changed, result.failed, result.rc, result.stderr) == (True, False, 0, "")
    assert (result["path"], result["modes"], result["stdin"]) == ("/some/päth", [True, True, 3], "")
    assert result["seen"] == {"HTTP_PROXY": "", "SOURCE_USERNAME": "", "LC_ALL": "C.UTF-8", "EXTRA": "more"}
    assert result.warnings == ["careful"]


def test_a_module_that_fails(tree: dict[str, str | None]) -> None:
    result = run(tree, act="fail", secret="s3cr3t")
    assert (result.changed, result.failed, result.rc) == (False, True, 1)
    assert result.msg == "failed with ********"


def test_a_module_that_says_nothing(tree: dict[str, str | None]) -> None:
    with pytest.raises(ModuleError, match=r"rc 3\n(?s:.*)dying words"):
        run(tree, act="die")


def test_a_module_that_is_killed(tree: dict[str, str | None]) -> None:
    with start_module({"act": "hang"}, env=tree, module="echo") as running:
        while not (children := running.children()):
            assert alive(running.pid), running.output()
        with pytest.raises(subprocess.TimeoutExpired):
            running.wait(timeout=0)
        running.signal(signal.SIGTERM)
        assert running.process.wait() == -signal.SIGTERM
        assert alive(children[0]), "only the module got the signal"
        running.adopt(children)
    wait_for_end(children, timeout=0)


def test_a_task_in_a_playbook(tree: dict[str, str | None], workdir: Path) -> None:
    result = run_task("airgap.images.echo", {"path": workdir}, options=["--check"], env=tree)
    (task,) = result.tasks
    assert (result.rc, task.status, task.changed) == (0, "ok", True), result.stdout
    assert task.data["path"] == str(workdir)
    assert task.data["modes"][0] is True


def test_a_playbook_that_fails(tree: dict[str, str | None]) -> None:
    tasks = [
        {"name": "first", "airgap.images.echo": {}, "when": False},
        {"name": "second", "airgap.images.echo": {"act": "{{ act }}", "secret": "x"}},
        {"name": "third", "airgap.images.echo": {}},
    ]
    play = {"hosts": "localhost", "gather_facts": False, "tasks": tasks}
    result = run_playbook([play], variables={"act": "fail"}, env=tree)
    assert result.rc == 2
    assert [(each.task, each.status) for each in result.tasks] == [("first", "skipped"), ("second", "failed")]
    with pytest.raises(KeyError):
        result.task("third")
