# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The drivers for the module and for playbooks, tried on a module made for this."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.airgap.images.tests.support.forked import ForkServer, can_fork, read_at_start
from ansible_collections.airgap.images.tests.support.module import (
    ROOT,
    ModuleError,
    RunningModule,
    alive,
    environment,
    run_module,
    start_module,
    wait_for_end,
)
from ansible_collections.airgap.images.tests.support.playbook import PlaybookResult, run_playbook

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


STATE = """
import atexit, gc, json, locale, os, random, resource, signal, sys, tempfile, threading, time
from ansible.module_utils import basic


def main():
    status = open("/proc/self/status", encoding="ascii").read().splitlines()
    limits = [name for name in dir(resource) if name.startswith("RLIMIT_")]
    streams = (sys.stdin, sys.stdout, sys.stderr)
    found = {
        "argv": sys.argv,
        "arguments": json.load(sys.stdin),
        "cwd": os.getcwd(),
        "environment": dict(os.environ),
        "descriptors": sorted(os.listdir("/proc/self/fd"))[:-1],
        "alone": [os.getsid(0) == os.getpid() == os.getpgid(0), len(os.listdir("/proc/self/task"))],
        "status": [line for line in status if line.startswith(("Shd", "Umask", "Uid", "Gid", "Groups", "NoNew"))],
        "signals": [line for line in status if line.startswith(("SigPnd", "SigBlk", "SigIgn", "SigCgt"))],
        "handlers": [str(signal.getsignal(number)) for number in signal.valid_signals()],
        "limits": [resource.getrlimit(getattr(resource, name)) for name in limits],
        "locale": [locale.setlocale(locale.LC_ALL), sys.getfilesystemencoding(), time.tzname],
        "path": sys.path,
        "streams": [(each.encoding, each.errors, each.line_buffering, each.fileno()) for each in streams],
        "temporary": [tempfile.tempdir, tempfile.gettempdir()],
        "ansible": [basic._ANSIBLE_ARGS, vars(basic).get("_ANSIBLE_PROFILE")],
        "main": [__name__, sys.modules["__main__"].main is main, threading.current_thread().name],
        "collector": [gc.isenabled(), gc.get_threshold()],
    }
    atexit.register(print, json.dumps({"state": found, "random": random.random(), "hash": hash("a word")}))
    sys.exit(7)


if __name__ == "__main__":
    main()
"""


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str | None]:
    """The variables with which a collection of two modules is found instead of ours."""
    folder = tmp_path_factory.mktemp("tree")
    modules = folder / "ansible_collections" / "airgap" / "images" / "plugins" / "modules"
    modules.mkdir(parents=True)
    (modules / "echo.py").write_text(MODULE, encoding="utf-8")
    (modules / "state.py").write_text(STATE, encoding="utf-8")
    return {"PYTHONPATH": str(folder), "ANSIBLE_COLLECTIONS_PATH": str(folder)}


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


STATE_MODULE = "ansible_collections.airgap.images.plugins.modules.state"


@pytest.fixture
def servers(tree: dict[str, str | None]) -> Iterator[tuple[ForkServer, ForkServer, dict[str, str]]]:
    """Two servers for the module ``state``, and the environment that they share."""
    env = environment({**tree, "PYTHONPATH": f"{tree['PYTHONPATH']}{os.pathsep}{ROOT}"})
    first, second = [ForkServer(STATE_MODULE, dict(read_at_start(env))) for number in range(2)]
    yield first, second, env
    first.close()
    second.close()


def test_a_fork_finds_what_a_fresh_interpreter_finds(
    servers: tuple[ForkServer, ForkServer, dict[str, str]], workdir: Path
) -> None:
    *both, env = servers
    found = []
    before = os.umask(0o027)
    try:
        for server in (None, both[0], both[0], both[1]):
            (workdir / "scratch").mkdir(exist_ok=True)
            changed = {**env, "TMPDIR": str(workdir / "scratch"), "SOURCE_USERNAME": "söme\nbody"}
            command = [sys.executable, "-m", STATE_MODULE]
            with RunningModule(command, b'{"some": 1}', changed, workdir, server=server) as running:
                result = running.wait()
            assert (result.rc, result.stderr) == (7, "")
            assert running.process.returncode == running.process.poll() == 7
            found.append(result.data)
    finally:
        os.umask(before)
    assert found[0]["state"]["environment"]["SOURCE_USERNAME"] == "söme\nbody"
    assert found[0]["state"]["cwd"] == str(workdir)
    for name, seen in found[0]["state"].items():
        assert [each["state"][name] for each in found[1:]] == [seen] * 3, name
    assert len({each["random"] for each in found}) == 4, "the runs of a server share their random numbers"
    assert found[2]["hash"] != found[3]["hash"], "both servers have the same seed of hashes"


def test_a_fork_that_cannot_begin_says_why(
    servers: tuple[ForkServer, ForkServer, dict[str, str]], workdir: Path
) -> None:
    with pytest.raises(FileNotFoundError):
        RunningModule([], b"", servers[2], workdir / "absent", server=servers[0])
    broken = ForkServer(f"{STATE_MODULE}less", dict(read_at_start(servers[2])))
    with pytest.raises(ChildProcessError, match="ModuleNotFoundError"):
        RunningModule([], b"", servers[2], workdir, server=broken)
    broken.close()


def test_what_an_interpreter_reads_at_its_start_wants_a_fresh_one() -> None:
    usual = environment()
    assert read_at_start(environment({"HOME": "/", "HTTP_PROXY": "http://a"})) == read_at_start(usual)
    for name in ("LC_ALL", "PYTHONHASHSEED", "TZ", "OPENSSL_CONF", "SSLKEYLOGFILE", "ANSIBLE_DEBUG"):
        assert read_at_start(environment({name: "x"})) != read_at_start(usual)
    assert can_fork(usual) and not can_fork({**usual, "COVERAGE_PROCESS_START": "x"})


@pytest.fixture(scope="module")
def played(tree: dict[str, str | None], tmp_path_factory: pytest.TempPathFactory) -> PlaybookResult:
    """A play in check mode, of which one task is well, one left out, and one fails."""
    tasks = [
        {"name": "well", "airgap.images.echo": {"path": "/some/where"}},
        {"name": "left out", "airgap.images.echo": {}, "when": False},
        {"name": "failing", "airgap.images.echo": {"act": "{{ act }}", "secret": "x"}},
        {"name": "after it", "airgap.images.echo": {}},
    ]
    play = {"hosts": "localhost", "gather_facts": False, "tasks": tasks}
    env = {**tree, "HOME": str(tmp_path_factory.mktemp("home"))}
    return run_playbook([play], variables={"act": "fail"}, options=["--check"], env=env, fresh=True)


def test_a_task_in_a_playbook(played: PlaybookResult) -> None:
    task = played.task("well")
    assert (task.status, task.changed) == ("ok", True), played.stdout
    assert task.data["path"] == "/some/where"
    assert task.data["modes"][0] is True


def test_a_forked_play_finds_what_a_fresh_one_finds(workdir: Path) -> None:
    """The second fork too: nothing is left of the first, and the server's own files stay."""
    told = "{{ lookup('env', 'HOME') }} {{ word }} {{ ansible_check_mode }} {{ ansible_verbosity }}"
    task = {"name": "tell", "ansible.builtin.debug": {"msg": told}}
    plays = [{"hosts": "localhost", "gather_facts": False, "tasks": [task]}]
    words: dict[str, Any] = {"variables": {"word": "wörd"}, "options": ["--check", "-v"]}

    def run(folder: str, **keywords: Any) -> tuple[int, str, str, str]:
        home = workdir / folder
        home.mkdir(exist_ok=True)
        result = run_playbook(plays, env={"HOME": str(home)}, **keywords)
        return result.rc, result.stdout, result.stderr, str(result.task("tell").data["msg"])

    fresh = run("first", **words, fresh=True)
    assert str(workdir / "first") in fresh[3] and fresh[3].endswith(" wörd True 1")
    assert run("first", **words) == run("first", **words) == fresh
    assert str(workdir / "second") in run("second", variables={"word": "other"})[3]


def test_a_playbook_that_fails(played: PlaybookResult) -> None:
    assert played.rc == 2
    statuses = [("well", "ok"), ("left out", "skipped"), ("failing", "failed")]
    assert [(each.task, each.status) for each in played.tasks] == statuses
    with pytest.raises(KeyError):
        played.task("after it")
