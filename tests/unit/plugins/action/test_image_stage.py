# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The steps of the role as tasks, and the host that answers them; it may answer anything."""

from __future__ import annotations

import base64
import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible import constants
from ansible.parsing.dataloader import DataLoader

from ansible_collections.airgap.images.plugins.action.image_stage import ActionModule
from ansible_collections.airgap.images.tests.unit.host_shell import run_in_shell
from ansible_collections.airgap.images.tests.unit.plugins.plugin_utils._set.test_set_closing import SHARES
from ansible_collections.airgap.images.tests.unit.plugins.plugin_utils._set.test_set_closing import Ground as SetGround
from ansible_collections.airgap.images.tests.unit.plugins.plugin_utils._stage.test_stage_options import USUAL
from ansible_collections.airgap.images.tests.unit.results import result_of

OPEN = {"uid": 1000, "exists": True, "is_closed": False}
Answer = Callable[[str, dict[str, Any]], dict[str, Any]]


class FakeConnection:
    """A connection that knows whether it becomes somebody."""

    def __init__(self) -> None:
        self.become: object = None
        self._shell = SimpleNamespace(tmpdir=None)

    def set_become_plugin(self, plugin: object) -> None:
        self.become = plugin


class Ground:
    """A controller and a host; ``asked`` is what was asked, by whom, and how it was logged."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.connection = FakeConnection()
        self.asked: list[tuple[str, dict[str, Any], object, bool, bool]] = []
        self.says: Callable[[str], str] | None = None
        """Return the answer of the host's shell to a command; None: it is not one that can be asked."""
        monkeypatch.setattr(constants, "DEFAULT_LOCAL_TMP", str(folder / "tmp"))

    def run(
        self, step: str, answer: Answer | None = None, *, check: bool = False, diff: bool = False, **changed: Any
    ) -> dict[str, Any]:
        """Run a step of the role for a host ``one`` with these options."""
        facts = changed.pop("facts", {})
        types = changed.pop("types", {})
        values = changed.pop("values", {})
        arguments = changed.pop("arguments", {})
        task = SimpleNamespace(
            args={
                "step": step,
                "variables": "options",
                "types": types,
                "call": "c",
                "program": "s",
                "libraries": [],
                **arguments,
            },
            check_mode=check,
            diff=diff,
            async_val=0,
            no_log=False,
            action="image_stage",
            _uuid="0-1",
            play=None,
            get_name=lambda: "Stage the list",
            get_search_path=lambda: [str(self.folder / "play")],
        )
        templar = SimpleNamespace(template=lambda value: value)
        action = ActionModule(task, self.connection, SimpleNamespace(), DataLoader(), templar, None)
        action._load_name = "image_stage"

        def execute(module_name: str, module_args: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
            self.asked.append((module_name, module_args, self.connection.become, task.no_log, task.check_mode))
            return answer(module_name, module_args) if answer else dict(OPEN)

        action._execute_module = execute
        says = self.says
        self.connection._shell.SHELL_FAMILY = "sh" if says is not None else ""
        if says is not None:
            action._low_level_execute_command = lambda command: {"stdout": says(command)}
        result = result_of(
            action,
            {
                "inventory_hostname": "one",
                "ansible_play_hosts": ["one"],
                "ansible_play_batch": ["one"],
                "ansible_play_hosts_all": ["one"],
                "ansible_facts": facts,
                "options": {**USUAL, **changed},
                **values,
            },
        )
        assert task.check_mode is check and task.no_log is False
        return result


@pytest.fixture
def ground(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ground:
    return Ground(tmp_path, monkeypatch)


@pytest.mark.parametrize("check", [True, False])
def test_validation_asks_nothing_of_the_host(ground: Ground, check: bool) -> None:
    result = ground.run("validate", check=check)
    assert (result["call"], result["is_check"], result["changed"]) == ("0-1", check, False)
    assert (result["fetch"], result["distribute"], result["failed_list"]) == (True, False, "")
    assert result["archive"] == "/srv/out/images.tar.gz" and result["local_dir"] == "/media/one"
    assert ground.asked == []


def test_a_step_that_there_is_not(ground: Ground) -> None:
    said = ground.run("save")
    steps = "validate, probe, read, stage, fail, close"
    assert said["failed"] and said["msg"] == f"step: 'save' is not a step; expected one of {steps}"
    assert not ground.asked


def test_the_lock_file_of_a_set_is_compared_with_the_one_before_the_call(ground: Ground) -> None:
    """Fetching has removed it by then."""
    made = SetGround(ground.folder / "media")
    made.close()
    path = made.media / "images.lock.json"
    after, document = path.read_bytes(), json.loads(path.read_bytes())
    document["images"] = document["images"][1:]
    path.write_text(json.dumps(document))
    options: dict[str, Any] = {"distribute": True, "fetch_dest": str(made.media)}
    called = ground.run("validate", diff=True, **options)
    path.unlink()
    hosts = [*SHARES]
    arguments = {
        "call": called["call"],
        "archives": {host: f"/srv/images-{host}.tar.gz" for host in hosts},
        "done": hosts,
        "failed": [],
        "sharing": hosts,
        "is_current": True,
    }
    values = {"ansible_play_hosts_all": hosts}
    for check in (True, False):
        done = ground.run("close", check=check, diff=True, arguments=arguments, values=values, **options)
        assert done["changed"] and path.exists() is not check
        assert done["diff"]["before"] == "" and len(done["diff"]["after"].splitlines()) == 1
    assert path.read_bytes() == after
    assert "diff" not in ground.run("close", arguments=arguments, values=values, **options)
    assert ground.asked == []


def test_types_are_checked(ground: Ground) -> None:
    types = {"image_save_jobs": {"type": "int"}, "image_save_arch": {"type": "list", "elements": "str"}}
    result = ground.run("validate", types=types, values={"image_save_jobs": "four", "image_save_arch": ["amd64"]})
    assert result["failed"] and "image_save_jobs" in result["msg"] and "image_save_arch" not in result["msg"]
    assert not ground.run("validate", types=types, values={"image_save_jobs": "4", "image_save_arch": []}).get("failed")


def test_options_within_variables_may_be_empty(ground: Ground) -> None:
    options = {"host": {"type": "str", "required": True}, "validate_certs": {"type": "bool"}}
    types = {"image_save_registries": {"type": "list", "elements": "dict", "options": options}}
    for value, said in (("", None), (None, None), (False, None), ("perhaps", "validate_certs")):
        entries = [{"host": "reg.lan", "validate_certs": value}]
        result = ground.run("validate", types=types, values={"image_save_registries": entries})
        assert bool(result.get("failed")) is (said is not None), value
        assert said is None or said in result["msg"]


@pytest.mark.parametrize("step", ["validate", "read", "stage"])
def test_facts_do_not_take_the_place_of_variables(ground: Ground, step: str) -> None:
    result = ground.run(step, facts={"image_save_fetch_dest": "/etc"})
    assert result["failed"] and result["msg"].startswith("one has facts with the names of variables")
    assert ground.asked == []


def test_files_are_searched_for_as_copy_does(ground: Ground) -> None:
    for path in ("files/a.txt", "b.txt", "files/both.txt", "both.txt"):
        (ground.folder / "play" / path).parent.mkdir(parents=True, exist_ok=True)
        (ground.folder / "play" / path).write_text(f"from/{path}:1")
    absolute = ground.folder / "else.txt"
    absolute.write_text("a/absolute:1")
    texts = []
    names = ["a.txt", "b.txt", "both.txt", str(absolute)]
    assert not ground.run("stage", images=[], list_files=names).get("failed")
    texts = [arguments["text"] for _name, arguments, *_more in ground.asked]
    assert texts == ["from/files/a.txt:1\nfrom/b.txt:1\nfrom/files/both.txt:1\na/absolute:1\n"]
    assert "file 'c.txt' not found" in ground.run("stage", list_files=["c.txt"])["msg"]


def test_who_logs_in_looks_without_become(ground: Ground) -> None:
    plugin = ground.connection.become = object()
    result = ground.run("stage")
    assert [become for _name, _arguments, become, *_more in ground.asked] == [None, plugin]
    assert ground.connection.become is plugin and result["is_other_user"] is False


ANSWERS: dict[str, dict[str, Any]] = {
    "nothing": {},
    "no number": {**OPEN, "uid": "0"},
    "a flag for a number": {**OPEN, "uid": True},
    "a word for a flag": {**OPEN, "is_closed": "no"},
    "fewer lists": {**OPEN, "lists": []},
    "no lists": {**OPEN, "lists": "YQ=="},
    "no base64": {**OPEN, "lists": ["\x1b[31m"]},
    "lacking anything": {**OPEN, "lacking": ["; rm -rf /"]},
}


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
@pytest.mark.parametrize("step", ["stage", "probe"])
def test_an_answer_to_another_question(ground: Ground, step: str, answer: dict[str, Any]) -> None:
    result = ground.run(step, lambda _name, _arguments: answer, remote_list_files=["/srv/a.txt"])
    assert result["failed"] and result["msg"].startswith("one did not answer what it was asked")


def test_nothing_else_of_an_answer_is_handed_on(ground: Ground) -> None:
    more = {"ansible_facts": {"a": 1}, "warnings": ["\x1b[31m"], "share": ["x"], "msg": "x", "call": "other"}
    result = ground.run("stage", lambda _name, _arguments: {**OPEN, "changed": "yes", **more})
    assert {*result} == {
        "changed",
        "count",
        "share",
        "from_lock",
        "since",
        "origins",
        "shares_file",
        "is_other_user",
    } and result["changed"] is False
    hostile = {"ansible_facts": {"__image_save_call": {}}}
    refused = ground.run("stage", lambda _name, _arguments: {**OPEN, **hostile})
    assert refused["failed"] and "facts with the names" in refused["msg"]


def test_the_list_that_a_host_had_is_shown_without_control_characters(ground: Ground) -> None:
    diff = {"before": "a/b:1\n\x1b[31m\n", "after": "\x1b[31m", "before_header": "\x1b[31m"}
    shown = ground.run("stage", lambda _name, _arguments: {**OPEN, "changed": True, "diff": diff})["diff"]
    assert "\x1b" not in str(shown.values()) and shown["before"].startswith("a/b:1\n")
    assert shown["after"] == "a/b:1\n" and shown["after_header"] == "/srv/out/lists/images.txt"


def test_what_fails_there_is_said_here(ground: Ground) -> None:
    result = ground.run(
        "stage", lambda _name, _arguments: {"failed": True, "msg": "no\x1b[31m", "module_stderr": "why"}
    )
    assert (
        result["failed"] and result["msg"].startswith("no") and "why" in result["msg"] and "\x1b" not in result["msg"]
    )


def test_a_failure_is_told_for_all_hosts_of_the_call(ground: Ground) -> None:
    """Not for those of other calls, and those that have not failed."""

    def values(name: str, call: str = "c", *, failed: bool = True) -> dict[str, Any]:
        result = {"failed": failed, "msg": f"{name} has no space", "causes": [], "hint": ""}
        return {"__image_save_call": {"call": call, "archive": "/srv/a"}, "image_save_result": result}

    hosts = {
        "one": values("one"),
        "two": values("two"),
        "other": values("other", "d"),
        "well": values("w", failed=False),
    }
    more = {"hostvars": {**hosts, "early": {}}, "ansible_play_hosts": [*hosts, "early"], **hosts["one"]}
    result = ground.run("fail", values=more)
    assert result["failed"] and result["msg"] == "one: one has no space; two: two has no space"
    assert ground.run("fail", values={**more, "inventory_hostname": "two", **hosts["two"]})["msg"] == (
        "failed as well; the message of one says why"
    )
    assert ground.asked == []


def staged(ground: Ground, text: str = "a/b:1\n") -> Path:
    """A list on a host that is a folder of this machine, as the module leaves it."""
    ground.says = run_in_shell
    path = ground.folder / "out" / "lists" / "images.txt"
    path.parent.mkdir(parents=True)
    path.write_text(text)
    path.chmod(0o644)
    return path


def stage_there(ground: Ground, **more: Any) -> dict[str, Any]:
    folder = str(ground.folder / "out")
    return ground.run("stage", images=["a/b:1"], dest=f"{folder}/images", staging_dir=f"{folder}/lists", **more)


@pytest.mark.parametrize("check", [True, False])
def test_a_list_that_is_staged_costs_no_module(ground: Ground, check: bool) -> None:
    staged(ground)
    result = stage_there(ground, check=check, diff=True)
    assert (result["changed"], result["count"], "diff" in result) == (False, 1, False)
    assert result["is_other_user"] is (os.geteuid() == 0)
    assert ground.asked == []


SPOILT: dict[str, Callable[[Path], object]] = {
    "another text": lambda path: path.write_text("a/b:2\n"),
    "another mode": lambda path: path.chmod(0o600),
    "no list": lambda path: path.unlink(),
    "a link": lambda path: path.rename(path.with_name("x")) and path.symlink_to("x"),
    "a directory that its owner cannot enter": lambda path: path.parent.chmod(0o600),
}


@pytest.mark.parametrize("spoil", SPOILT.values(), ids=SPOILT)
def test_a_list_that_is_not_as_it_should_be_is_left_to_the_module(
    ground: Ground, spoil: Callable[[Path], object]
) -> None:
    path = staged(ground)
    spoil(path)
    try:
        assert stage_there(ground)["changed"] is False
    finally:
        path.parent.chmod(0o700)
    assert [arguments["list_file"] for _name, arguments, *_more in ground.asked] == [str(path)]


@pytest.mark.parametrize("said", ["", "0", "x", "0 0", "-1 {sum}", "{sum} 0", "0; {sum}"])
def test_a_shell_that_says_anything_else_is_not_believed(ground: Ground, said: str) -> None:
    staged(ground)
    digest = hashlib.sha256(b"a/b:1\n").hexdigest()
    ground.says = lambda command: said.format(sum=digest).join([command.split()[3].rstrip(";")] * 2)
    stage_there(ground)
    assert len(ground.asked) == 1


def test_an_archive_of_another_name_is_left_to_the_module(ground: Ground) -> None:
    staged(ground)
    ground.says = lambda command: pytest.fail("the shell cannot take it over")
    stage_there(ground, distribute=True, values={"ansible_play_hosts": ["one"]})
    assert all("formerly" in arguments for _name, arguments, *_more in ground.asked)


URL = "https://me:s3cret@lists.lan/a.txt?token=s3cret"


@pytest.mark.parametrize("check", [True, False])
def test_lists_are_downloaded_unlogged_and_for_real(ground: Ground, check: bool) -> None:
    def answer(name: str, arguments: dict[str, Any]) -> dict[str, Any]:
        lists = [base64.b64encode(b"a/url:1").decode()] if arguments.get("downloaded") else []
        return {**OPEN, "download_dir": "/tmp/d", "lists": lists}  # noqa: S108

    entry = {"url": URL, "headers": {"Private-Token": "s3cret"}, "username": "", "checksum": None}
    result = ground.run("stage", answer, check=check, images=[], list_urls=[entry])
    assert result["count"] == 1, result
    make, get, read, _write = ground.asked
    assert make[1]["download"] and (read[1]["downloaded"], read[1]["downloads"]) == ("/tmp/d", 1)  # noqa: S108
    name, arguments, _become, is_unlogged, is_check = get
    assert (name, is_unlogged, is_check) == ("ansible.legacy.get_url", True, False)
    assert arguments["unredirected_headers"] == ["Authorization", "Private-Token"]
    assert "checksum" not in arguments and arguments["dest"] == "/tmp/d/0"  # noqa: S108
    assert [each[4] for each in (make, read)] == [check] * 2


def test_a_list_that_cannot_be_downloaded_is_named_without_secrets(ground: Ground) -> None:
    def answer(name: str, arguments: dict[str, Any]) -> dict[str, Any]:
        if name.endswith("get_url"):
            return {"failed": True, "msg": f"Request failed: {URL}", "response": "HTTP Error 401"}
        return {**OPEN, "download_dir": "/tmp/d", "lists": []}  # noqa: S108

    result = ground.run("stage", answer, list_urls=[URL])
    expected = "image_save_list_urls: cannot download https://lists.lan/a.txt: Request failed: it HTTP Error 401"
    assert (result["failed"], result["msg"]) == (True, expected)
    assert ground.asked[-1][1] == {"downloaded": "/tmp/d", "downloads": 0}, "the directory is not removed"  # noqa: S108


@pytest.mark.parametrize("folder", [None, 5, "", "relative"])
def test_nothing_is_downloaded_to_no_directory(ground: Ground, folder: object) -> None:
    answer = {**OPEN, "download_dir": folder, "lists": []}
    result = ground.run("stage", lambda _name, _arguments: answer, list_urls=[URL])
    assert result["failed"] and result["msg"].startswith("one did not answer what it was asked")
    assert not [name for name, *_more in ground.asked if name.endswith("get_url")]


def test_closing_works_on_the_controller_alone(ground: Ground) -> None:
    """Paths are made of the variables, names and the record; a host that was not there fails the task."""
    given = {"archives": {"one": "/srv/out/images-one.tar.gz"}, "failed": [], "sharing": [], "shares_file": ""}
    shared = {"distribute": True, "fetch_dest": str(ground.folder / "media")}
    done = {"arguments": {**given, "done": ["one"], "is_current": "True"}}
    assert not ground.run("close", **shared, **done).get("failed")
    dead = ground.run("close", **shared, arguments={**given, "done": [], "is_current": True})
    assert dead["failed"] and dead["msg"].startswith("one was unreachable or failed, and its share of 0 images")
    typo = ground.run("close", **shared, **done, take_over=["oen"])
    assert typo["failed"] and typo["msg"].startswith("image_save_take_over: 'oen' is not a host of the set")
    assert ground.asked == [] and not (ground.folder / "media").exists()
