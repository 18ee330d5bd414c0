# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A job seen from the controller: what the host answers, and that the module's file there does not outlive its use."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible.errors import AnsibleConnectionFailure
from ansible.utils.unsafe_proxy import AnsibleUnsafe, wrap_var

from ansible_collections.airgap.images.plugins.module_utils._host.progress import AT_MOST, TO_END
from ansible_collections.airgap.images.plugins.plugin_utils._watch import job as job_module
from ansible_collections.airgap.images.plugins.plugin_utils._watch.job import Job, without_effects

ID = re.compile(r"j[0-9]{1,12}\.[0-9]+")
SECRET = "s3cret"


class FakeShell:
    """Where the module is put."""

    tmpdir: str | None = None

    def remove(self, path: str, recurse: bool = False) -> str:
        assert recurse
        return f"rm -f -r {shlex.quote(path)}"


class FakeAction:
    """Starts nothing, but leaves the files of a start; the host is a shell of this machine.

    ``noise`` is what that says before and after each answer; one that is ``refused`` runs nothing.
    """

    def __init__(self, root: Path, *, is_started: bool = True, keeps_files: bool = False) -> None:
        self.root = root
        self.module_dir = root / "ansible-tmp-1"
        self.noise = ""
        self.refused = False
        self.removals = 0
        self.directory = ""
        self.answer: dict[str, Any] = {"ansible_job_id": f"j{os.getpid()}000.2", "results_file": "/elsewhere/j1.2"}
        self._is_started = is_started
        self._keeps_files = keeps_files
        self._connection = SimpleNamespace(_shell=FakeShell())
        self._task = SimpleNamespace(environment=[], async_val=0)

    def get_shell_option(self, option: str, default: str) -> str:
        assert (option, default) == ("async_dir", "~/.ansible_async")
        return self.directory or str(self.root / "jobs")

    def _make_tmp_path(self) -> str:
        self.module_dir.mkdir()
        self._connection._shell.tmpdir = f"{self.module_dir}/"
        return f"{self.module_dir}/"

    def _should_remove_tmp_path(self, path: str) -> bool:
        return not self._keeps_files

    def _execute_module(self, **arguments: Any) -> dict[str, Any]:
        assert arguments["wrap_async"]
        (self.module_dir / "AnsiballZ_image_save.py").write_text(SECRET, "utf-8")
        (self.root / "jobs").mkdir()
        self._connection._shell.tmpdir = None  # as Ansible does after the start of a job
        if not self._is_started:
            return {"failed": True, "msg": "could not create directory"}
        if ID.fullmatch(str(self.answer["ansible_job_id"])):
            self.records({"started": 1, "finished": 0, "ansible_job_id": self.answer["ansible_job_id"]})
        return self.answer

    def records(self, state: dict[str, object]) -> None:
        """Write what Ansible's wrapper writes on the host."""
        (self.root / "jobs" / self.answer["ansible_job_id"]).write_text(json.dumps(state), "utf-8")

    def _parse_returned_data(self, done: dict[str, Any]) -> dict[str, Any]:
        parsed: dict[str, Any] = json.loads(done["stdout"])
        return {**parsed, "_ansible_parsed": True}

    def _low_level_execute_command(self, command: str, sudoable: bool = True) -> dict[str, Any]:
        removes = command.startswith("rm -f -r ")
        assert sudoable is not removes, "the module's file is not of the user that the module runs as"
        self.removals += removes
        if self.refused:
            return {"rc": 1, "stdout": self.noise, "stderr": "sudo: PAM account management error"}
        done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False)
        return {"rc": done.returncode, "stdout": self.noise + done.stdout + self.noise, "stderr": done.stderr}


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job_module, "WAIT", 0)


def job_of(action: FakeAction) -> Job:
    return Job(action, {})  # type: ignore[arg-type]


def says(job: Job, **state: object) -> None:
    """The run writes its progress file."""
    Path(job._directory, job._name).write_text(json.dumps({"ended": False, **state}), "utf-8")


def test_it_is_gone_once_the_run_says_something(tmp_path: Path) -> None:
    action = FakeAction(tmp_path)
    job = job_of(action)
    assert job.start() is None
    assert job.progress() is None
    assert action.module_dir.exists(), "it may not have been read yet"
    says(job)
    assert job.progress() is not None
    assert not action.module_dir.exists()
    job.progress()
    job.forget()
    assert action.removals == 1


def test_it_is_gone_after_a_run_that_said_nothing(tmp_path: Path) -> None:
    action = FakeAction(tmp_path)
    job = job_of(action)
    assert job.start() is None
    job.forget()
    assert not action.module_dir.exists()


def test_it_is_gone_where_nothing_could_be_started(tmp_path: Path) -> None:
    action = FakeAction(tmp_path, is_started=False)
    problem = job_of(action).start()
    assert problem is not None and problem["msg"] == "could not create directory"
    assert not action.module_dir.exists()


@pytest.mark.parametrize("is_started", [True, False])
def test_who_wants_to_keep_it_can(tmp_path: Path, is_started: bool) -> None:
    """C(ANSIBLE_KEEP_REMOTE_FILES)."""
    action = FakeAction(tmp_path, is_started=is_started, keeps_files=True)
    job = job_of(action)
    job.start()
    if is_started:
        says(job, ended=True)
        job.progress()
        job.forget()
    assert action.module_dir.exists()


def test_what_cannot_be_removed_is_tried_again_and_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    action = FakeAction(tmp_path)
    job = job_of(action)
    job.start()
    says(job)
    monkeypatch.setattr(FakeShell, "remove", lambda self, path, recurse: "rm -f -r /proc/self/cmdline")
    job.progress()
    job.progress()
    assert action.removals == 1, "it is not tried at every look"
    job.forget()
    assert not Path(f"{job._directory}/{job._name}").exists()
    warned = "".join(capsys.readouterr().err.split())  # without the ends of lines, which may be anywhere
    assert f"cannotremove{action.module_dir}/fromthehost" in warned


def test_a_host_that_says_more_than_it_is_asked(tmp_path: Path) -> None:
    """Shells whose files echo something, and sudo that speaks on a terminal."""
    action = FakeAction(tmp_path)
    action.noise = "sudo: unable to resolve host north\r\n"
    job = job_of(action)
    job.start()
    assert job.progress() is None
    says(job, stage="copy")
    progress = job.progress()
    assert progress is not None and progress.text("stage") == "copy"
    assert not action.module_dir.exists()
    assert job.result() is None and job._missed_since is not None, "no process of the job is there"


def test_a_host_that_refuses_is_not_taken_for_one_without_the_run(tmp_path: Path) -> None:
    action = FakeAction(tmp_path)
    job = job_of(action)
    job.start()
    action.refused = True
    for ask in (job.progress, job.result, job.end, job.forget):
        with pytest.raises(AnsibleConnectionFailure, match="PAM account management error"):
            ask()
    assert job._missed_since is None
    assert action.module_dir.exists()


@pytest.mark.parametrize("has_spoken", [True, False])
def test_a_run_that_is_to_end_finds_a_file_that_says_so(tmp_path: Path, has_spoken: bool) -> None:
    """It makes no difference whether it has begun to listen."""
    job = job_of(FakeAction(tmp_path))
    job.start()
    if has_spoken:
        says(job)
        job.progress()
    job.end()
    assert Path(f"{job._directory}/{job._name}" + TO_END).exists()
    job.forget()
    assert not list((tmp_path / "jobs").iterdir())


@pytest.mark.parametrize(
    "number", [None, 7, "", "j1", "j1.2x", "j1.2\n", "../j1.2", "j1.2; :", "j٣.2", "j1234567890123.1", ["j1.2"]]
)
def test_a_host_does_not_choose_what_a_job_is_called(tmp_path: Path, number: object) -> None:
    """Anything but a job's number counts as none."""
    action = FakeAction(tmp_path)
    action.answer = {**action.answer, "ansible_job_id": number}
    assert job_of(action).start() == action.answer
    assert not action.module_dir.exists()


@pytest.mark.parametrize("home", ["~", "~/", "~/.ansible_async", "~/it's", "/var/async", "/var/it's/", "~$(x)/a"])
def test_files_of_a_job_are_where_ansible_was_told_to_put_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, home: str
) -> None:
    """The host has said that its record is elsewhere."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    action = FakeAction(tmp_path)
    action.directory = home
    job = job_of(action)
    assert job.start() is None
    done = subprocess.run(["sh", "-c", f"printf %s {job._quoted('a b')}"], capture_output=True, text=True, check=True)
    assert done.stdout == f"{os.path.expanduser(home.rstrip('/'))}/a b"


def test_an_answer_that_is_longer_than_it_was_asked_to_be_is_none(tmp_path: Path) -> None:
    action = FakeAction(tmp_path)
    job = job_of(action)
    assert job.start() is None
    says(job)
    action.noise = "x" * AT_MOST
    assert job.progress() is not None
    Path(job._directory, job._name).write_text(json.dumps({"ended": False, "x": "x" * AT_MOST}), "utf-8")
    assert job.progress() is None


def test_what_a_module_returns_has_no_effects() -> None:
    """A host could have variables of the play replaced."""
    said = {"changed": True, "msg": "x", "ansible_facts": {"image_save_fetch_dest": "/"}, "add_host": {}, "parts": []}
    assert without_effects(said) == {"changed": True, "msg": "x", "parts": []}


def test_a_run_that_has_ended_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The progress and the result come with one command."""
    action = FakeAction(tmp_path)
    job = job_of(action)
    job.start()
    monkeypatch.setattr(job_module, "WAIT", 3600)
    says(job, ended=True)
    action.records({"changed": True, "msg": "saved", "stderr": "x", "invocation": {}})
    progress = job.progress()
    assert progress is not None and progress.values()["ended"] is True
    action.refused = True
    assert job.result() == {"changed": True, "msg": "saved", "stderr": "x", "invocation": {}, "_ansible_parsed": True}


def test_a_run_is_waited_for_on_the_host_and_its_last_words_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run ends during the wait."""
    action = FakeAction(tmp_path)
    job = job_of(action)
    job.start()
    says(job)
    before = tmp_path / "before"
    before.mkdir()
    for path, state in (
        (tmp_path / "jobs" / action.answer["ansible_job_id"], {"changed": True, "msg": "saved"}),
        (Path(job._directory, job._name), {"ended": True}),
    ):
        (before / path.name).write_text(json.dumps(state), "utf-8")
    sleeper = tmp_path / "bin" / "sleep"
    sleeper.parent.mkdir()
    sleeper.write_text(f"#!/bin/sh\nmv {shlex.quote(str(before))}/* {shlex.quote(str(tmp_path / 'jobs'))}\n", "utf-8")
    sleeper.chmod(0o700)
    monkeypatch.setenv("PATH", f"{sleeper.parent}:{os.environ['PATH']}")
    progress = job.progress()
    assert progress is not None and progress.values()["ended"] is True
    result = job.result()
    assert result is not None and result["msg"] == "saved"


def test_a_run_without_a_record_is_not_waited_for(tmp_path: Path) -> None:
    action = FakeAction(tmp_path)
    job = job_of(action)
    job.start()
    (tmp_path / "jobs" / action.answer["ansible_job_id"]).unlink()
    assert job.progress() is None
    result = job.result()
    assert result is not None and result["failed"] is True
    assert result["msg"] == "the record of the run is missing on the host, so its result is not known. Run again"


def test_what_the_module_returned_is_no_template(tmp_path: Path) -> None:
    """Ansible 2.18 and earlier would otherwise expand it."""
    action = FakeAction(tmp_path)
    job = job_of(action)
    job.start()
    action.records({"changed": False, "msg": "{{ 1 + 1 }}", "_ansible_no_log": True})
    job.progress()
    result = job.result()
    assert result is not None and result["msg"] == "{{ 1 + 1 }}" and "_ansible_no_log" not in result
    assert not isinstance(wrap_var("x"), AnsibleUnsafe) or isinstance(result["msg"], AnsibleUnsafe)
