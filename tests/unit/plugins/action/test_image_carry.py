# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The steps of the roles image_load and image_verify as tasks, and the host that answers; it may answer anything."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible.parsing.dataloader import DataLoader

from ansible_collections.airgap.images.plugins.action.image_carry import ActionModule
from ansible_collections.airgap.images.plugins.module_utils._archive.request import Request, write_request
from ansible_collections.airgap.images.tests.unit.carried import carry
from ansible_collections.airgap.images.tests.unit.plugins.plugin_utils._carry.test_carry_checks import USUAL
from ansible_collections.airgap.images.tests.unit.results import result_of

Answer = Callable[[dict[str, Any]], dict[str, Any]]
NOTHING_LACKING = {"lacking": [], "uid": 0, "python": "/usr/bin/python3", "python_version": "3.11"}


class Connection:
    """A connection that puts files into folders of this machine."""

    transport = "local"

    def __init__(self) -> None:
        self.become: object = "sudo"
        self._shell = SimpleNamespace(tmpdir=None)
        self.put: list[str] = []

    def set_become_plugin(self, plugin: object) -> None:
        self.become = plugin

    def put_file(self, in_path: str, out_path: str) -> None:
        self.put.append(out_path)


class Ground:
    """A controller and a host; ``asked`` is what was asked, and as whom."""

    def __init__(self) -> None:
        self.connection = Connection()
        self.asked: list[tuple[dict[str, Any], object]] = []

    def run(self, step: str, answer: Answer | None = None, *, check: bool = False, **changed: Any) -> dict[str, Any]:
        """Run a step of the role with these options."""
        facts, more = changed.pop("facts", {}), changed.pop("arguments", {})
        arguments = {"step": step, "variables": "options", "types": {}, "libraries": ["requests"], "retries": 0, **more}
        task = SimpleNamespace(
            args=arguments,
            async_val=0,
            check_mode=check,
            diff=False,
            no_log=True,
            _uuid="uuid-1",
            get_search_path=list,
            get_name=lambda: "the task",
            play=SimpleNamespace(strategy="linear"),
        )
        action = ActionModule(
            task,
            self.connection,
            SimpleNamespace(),
            DataLoader(),
            SimpleNamespace(template=lambda value: value),
            None,
        )

        def execute(module_name: str, module_args: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
            assert module_name == "airgap.images.image_carry"
            self.asked.append((module_args, self.connection.become))
            assert answer is not None
            return answer(module_args)

        action._execute_module = execute
        action._remove_tmp_path = lambda path: None
        variables = {
            "options": {**USUAL, **changed},
            "inventory_hostname": "one",
            "ansible_facts": facts,
            **{f"ansible_play_{name}": ["one", "two"] for name in ("hosts", "batch", "hosts_all")},
        }
        return result_of(action, variables)


def failed(result: dict[str, Any]) -> str:
    assert result.get("failed"), result
    return str(result["msg"])


def test_validation_says_what_is_loaded_by_whom() -> None:
    ground = Ground()
    result = ground.run("validate", images=["a/b:1"], distribute=True)
    assert result["call"] == "uuid-1" and not result["is_check"] and not result["changed"]
    assert (result["lines"], result["origins"]) == (["a/b:1"], ["image_load_images, item 1"])
    assert result["share_among"] == ["one", "two"]
    assert ground.run("validate")["share_among"] == [] and ground.asked == []


@pytest.mark.parametrize(
    "name", ["image_load_registry", "__image_load_options", "image_save_dest", "image_verify_request_file"]
)
def test_facts_cannot_replace_variables(name: str) -> None:
    assert name in failed(Ground().run("validate", facts={name: "evil"}))


def test_an_unknown_step_is_refused() -> None:
    assert "'fly' is not a step" in failed(Ground().run("fly"))


def test_the_host_says_what_it_lacks() -> None:
    ground = Ground()
    result = ground.run("probe", lambda asked: {**NOTHING_LACKING, "lacking": ["requests"]}, src=["/media/usb"])
    assert result["lacking"] == ["requests"]
    assert ground.asked == [({"libraries": ["requests"], "src": ["/media/usb"]}, "sudo")]


@pytest.mark.parametrize(
    "said", [{}, {"lacking": ["rm"], "uid": 0}, {"lacking": "requests", "uid": 0}, {"lacking": [], "uid": True}]
)
def test_other_answers_are_not_used(said: dict[str, Any]) -> None:
    assert "did not answer what it was asked" in failed(Ground().run("probe", lambda asked: said))


def test_facts_in_an_answer_are_refused() -> None:
    said = {**NOTHING_LACKING, "ansible_facts": {"image_load_registry": "evil.example.com"}}
    assert "image_load_registry" in failed(Ground().run("probe", lambda asked: said))


def test_files_are_copied_as_the_user_who_logs_in(tmp_path: Path) -> None:
    lock = carry(tmp_path).lock_file
    ground = Ground()

    def answer(asked: dict[str, Any]) -> dict[str, Any]:
        return {"wrong": []} if "arrived" in asked else {"missing": [0, 2]}

    options = {"controller_src": [str(lock)], "staging_dir": "/srv/in"}
    result = ground.run("send", answer, **options)
    assert result["changed"] and result["copied"] == 2
    assert result["src"] == [f"/srv/in/{lock.name}"]
    assert len(ground.connection.put) == 2 and len(result["files"]) > 3
    assert {become for _asked, become in ground.asked} == {None}
    assert ground.connection.become == "sudo"

    ground.connection.put.clear()
    foreseen = ground.run("send", answer, check=True, **options)
    assert foreseen["changed"] and foreseen["copied"] == 2 and ground.connection.put == []
    assert ground.asked[-1][0]["write"] is False
    assert foreseen["msg"].startswith("would copy 2 files (") and "msg" not in result


@pytest.mark.parametrize("missing", [None, "0", [99], [-1]])
def test_a_host_cannot_ask_for_other_files(tmp_path: Path, missing: object) -> None:
    ground = Ground()
    lock = carry(tmp_path).lock_file
    result = ground.run("send", lambda asked: {"missing": missing}, controller_src=[str(lock)], staging_dir="/srv/in")
    assert "did not answer what it was asked" in failed(result)
    assert ground.connection.put == []


def test_a_host_that_keeps_saying_that_files_are_damaged(tmp_path: Path) -> None:
    lock = carry(tmp_path).lock_file
    said = {"missing": [0], "wrong": [0]}
    result = Ground().run("send", lambda asked: said, controller_src=[str(lock)], staging_dir="/srv/in")
    assert "does not have the right sha256" in failed(result)


def test_the_paths_of_a_verification_are_those_of_one_machine() -> None:
    ground = Ground()
    asked: dict[str, Any] = {"src": [], "controller_src": ["~/media"], "request_file": "~/out/"}
    result = ground.run("check", **asked)
    home = str(Path.home())
    assert (result["src"], result["request_file"]) == ([f"{home}/media"], f"{home}/out/")
    assert not result["is_check"] and not result["changed"] and ground.asked == []
    assert "set one or the other" in failed(ground.run("check", **{**asked, "src": ["/media/usb"]}))
    assert "image_verify_src" in failed(ground.run("check", **asked, facts={"image_verify_src": ["/evil"]}))


@pytest.mark.parametrize("is_check", [False, True])
def test_what_is_fetched_after_a_load(is_check: bool, tmp_path: Path) -> None:
    old = tmp_path / "one" / "old.request.json"
    old.parent.mkdir()
    old.write_bytes(write_request(Request("old", 64 * "a", (1,))))
    told = {
        "receipt": "/srv/r.json",
        "request_file": "/srv/out/",
        "password": "srv",
        "receipts": [{"path": "/********/r.json"}],
        "request_files": ["/********/out/new.request.json"],
        "fulfilled": [64 * "a"],
        "msg": "carry /********/out/new.request.json out",
    }
    ground = Ground()
    result = ground.run("collect", check=is_check, arguments={"directory": str(old.parent)}, **told)
    assert result["changed"] and result["removed"] == [str(old)] and old.exists() is is_check
    new = str(old.parent / "new.request.json")
    assert result["copies"] == [
        {"src": "/srv/r.json", "dest": str(old.parent / "r.json")},
        {"src": "/srv/out/new.request.json", "dest": new},
    ]
    assert result["told"] == f"carry {new} (on the controller) out"
    again = ground.run("collect", check=is_check, arguments={"directory": str(old.parent)}, **told)
    assert again["changed"] is is_check and ground.asked == []
    told["request_files"] = ["/etc/shadow"]
    assert "/etc/shadow was not fetched" in failed(ground.run("collect", arguments={"directory": "x"}, **told))


@pytest.mark.parametrize("is_check", [False, True])
def test_what_hosts_lack_is_asked_for_on_the_controller(is_check: bool, tmp_path: Path) -> None:
    said = {"archive": "a.tar.gz", "lock_sha256": 64 * "a", "parts": [3], "digests": [], "is_directory": False}
    path, ground = tmp_path / "request.json", Ground()
    arguments = {"path": str(path), "requests": [said]}
    result = ground.run("request", check=is_check, arguments=arguments)
    assert result["changed"] and result["request_files"] == [str(path)] and path.exists() is not is_check
    path.write_text("mine", encoding="utf-8")
    assert "would be replaced" in failed(ground.run("request", arguments=arguments))
    assert path.read_text(encoding="utf-8") == "mine" and ground.asked == []
