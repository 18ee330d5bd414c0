# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A job seen from the controller: what the host answers, and that nothing of it stays there."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible.errors import AnsibleConnectionFailure, AnsibleError
from ansible.utils.unsafe_proxy import AnsibleUnsafe, wrap_var

from ansible_collections.airgap.images.plugins.module_utils._host.job import JOB
from ansible_collections.airgap.images.plugins.module_utils._host.job_files import CLAIM, RESULT
from ansible_collections.airgap.images.plugins.module_utils._host.progress import AT_MOST, PRIVATE, TO_END
from ansible_collections.airgap.images.plugins.plugin_utils._watch import job as job_module
from ansible_collections.airgap.images.plugins.plugin_utils._watch.job import Job, without_effects

GOES_ON = {"changed": False, JOB: {"state": "running"}}


class FakeAction:
    """Starts nothing, but leaves the files of a start; the host is a shell of this machine.

    ``noise`` is what that says before and after each answer; one that is ``refused`` runs nothing.
    Where it ``is_lost``, the answer of the start does not arrive.
    """

    def __init__(self, root: Path, *, answer: dict[str, Any] = GOES_ON, directory: str = "") -> None:
        self.root = root
        self.noise = ""
        self.refused = False
        self.is_lost = False
        self.commands = 0
        self.removed: list[str | None] = []
        self.private = ""
        self.directory = directory
        self._answer = answer
        self._connection = SimpleNamespace(_shell=SimpleNamespace(tmpdir="~/ansible-tmp-1"))

    def get_shell_option(self, option: str, default: str) -> str:
        assert (option, default) == ("async_dir", "~/.ansible_async")
        return self.directory or str(self.root / "jobs")

    def run_with(self, assignment: str) -> dict[str, Any]:
        shown = subprocess.run(
            ["sh", "-c", f'{assignment}; printf %s "${PRIVATE}"'], capture_output=True, text=True, check=True
        )
        self.private = shown.stdout
        if self._answer == GOES_ON and not self.directory:
            (self.root / "jobs").mkdir()
            Path(self.private + CLAIM).touch()
        if self.is_lost:
            raise AnsibleConnectionFailure("Connection reset by peer")
        return self._answer

    def records(self, result: dict[str, object]) -> None:
        """Write what the supervisor writes on the host."""
        Path(self.private + RESULT).write_text(json.dumps(result), "utf-8")

    def _parse_returned_data(self, done: dict[str, Any]) -> dict[str, Any]:
        parsed: dict[str, Any] = json.loads(done["stdout"])
        return {**parsed, "_ansible_parsed": True}

    def _remove_tmp_path(self, path: str | None) -> None:
        self.removed.append(path)
        if self.refused:
            raise AnsibleError("sudo")

    def _low_level_execute_command(self, command: str) -> dict[str, Any]:
        self.commands += 1
        if self.refused:
            return {"rc": 1, "stdout": self.noise, "stderr": "sudo: PAM account management error"}
        done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False)
        return {"rc": done.returncode, "stdout": self.noise + done.stdout + self.noise, "stderr": done.stderr}


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job_module, "WAIT", 0)


def job_of(action: FakeAction) -> Job:
    return Job(action, action.run_with)  # type: ignore[arg-type]


def says(job: Job, **state: object) -> None:
    """The run writes its progress file."""
    Path(job._directory, job._name).write_text(json.dumps({"ended": False, **state}), "utf-8")


@pytest.mark.parametrize("refused", [False, True])
def test_the_module_is_removed_once_the_run_goes_on(tmp_path: Path, refused: bool) -> None:
    """Where that fails, Ansible tries it again at the end of the task."""
    action = FakeAction(tmp_path)
    action.refused = refused
    assert job_of(action).start() is None
    assert action.removed == ["~/ansible-tmp-1"]


def test_the_module_is_removed_once_a_run_is_heard_of_whose_start_was_not_answered(tmp_path: Path) -> None:
    """Until then nobody knows whether it has been read."""
    action = FakeAction(tmp_path)
    action.is_lost = True
    job = job_of(action)
    with pytest.raises(AnsibleConnectionFailure):
        job.start()
    assert job.is_there() and job.progress() is None
    assert action.removed == []
    says(job)
    job.progress()
    job.progress()
    assert action.removed == ["~/ansible-tmp-1"]


def test_a_run_that_ended_at_once_needs_no_command(tmp_path: Path) -> None:
    progress = json.dumps({"ended": True, "stage": "copy"})
    action = FakeAction(tmp_path, answer={"changed": True, "msg": "x", JOB: {"state": "ended", "progress": progress}})
    job = job_of(action)
    assert job.start() is None
    said = job.progress()
    assert said is not None and said.values() == {"ended": True, "stage": "copy"}
    assert job.result() == {"changed": True, "msg": "x"}
    job.forget()
    assert action.commands == 0 and action.removed == []


@pytest.mark.parametrize(
    "told", [{"state": "ended"}, {"state": "ended", "progress": 7}, {"state": "ended", "progress": "{" * AT_MOST}]
)
def test_progress_that_cannot_be_read_does_not_hide_a_result(tmp_path: Path, told: dict[str, object]) -> None:
    job = job_of(FakeAction(tmp_path, answer={"changed": True, JOB: told}))
    assert job.start() is None
    assert job.progress() is None
    assert job.result() == {"changed": True}


@pytest.mark.parametrize("told", [{JOB: {"state": "refused"}}, {JOB: "x"}, {JOB: {"state": ["ended"]}}, {}])
def test_an_answer_without_a_job_is_returned(tmp_path: Path, told: dict[str, object]) -> None:
    answer = {"failed": True, "msg": "cannot be written", **told}
    assert job_of(FakeAction(tmp_path, answer=answer)).start() == answer


def test_what_an_end_asked_for_at_the_last_moment_leaves_is_removed(tmp_path: Path) -> None:
    (tmp_path / "jobs").mkdir()
    job = job_of(FakeAction(tmp_path, answer={"changed": True, JOB: {"state": "ended", "progress": ""}}))
    job.start()
    job.end()
    assert [path.name for path in (tmp_path / "jobs").iterdir()] == [job._name + TO_END]
    job.forget()
    assert not list((tmp_path / "jobs").iterdir())


def test_a_run_is_found_by_its_files_or_its_processes(tmp_path: Path) -> None:
    """What is only about to start has no files yet. The question itself does not count, whatever sudo says of it."""
    action = FakeAction(tmp_path)
    job = job_of(action)
    assert not job.is_there()
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE, env={**os.environ, PRIVATE: f"~/{job._name}"}) as process:
        assert job.is_there()
        assert job.result() is None
        process.communicate()
    assert not job.is_there()
    job.start()
    assert job.is_there()


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
    assert job.result() is None and job._missed_since is not None, "no process of the job is there"


def test_a_host_that_refuses_is_not_taken_for_one_without_the_run(tmp_path: Path) -> None:
    action = FakeAction(tmp_path)
    job = job_of(action)
    job.start()
    action.refused = True
    for ask in (job.progress, job.result, job.is_there, job.end, job.forget):
        with pytest.raises(AnsibleConnectionFailure, match="PAM account management error"):
            ask()
    assert job._missed_since is None


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


@pytest.mark.parametrize("home", ["~", "~/", "~/.ansible_async", "~/it's", "/var/async", "/var/it's/", "~$(x)/a"])
def test_files_of_a_job_are_where_ansible_was_told_to_put_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, home: str
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    action = FakeAction(tmp_path, directory=home)
    job = job_of(action)
    assert job.start() is None
    assert action.private == f"{os.path.expanduser(home.rstrip('/'))}/{job._name}"
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
        (Path(action.private + RESULT), {"changed": True, "msg": "saved"}),
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


def test_a_run_without_a_record_is_given_up(tmp_path: Path) -> None:
    action = FakeAction(tmp_path)
    job = job_of(action)
    job.start()
    Path(action.private + CLAIM).unlink()
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
