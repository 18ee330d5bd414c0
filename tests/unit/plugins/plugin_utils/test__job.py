# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module's own file on the host, which has the task's secrets in it, does not outlive its use."""

from __future__ import annotations

import json
import shlex
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ansible_collections.airgap.images.plugins.plugin_utils._job import Job

SECRET = "s3cret"


class FakeShell:
    """Where the module is put."""

    tmpdir: str | None = None

    def remove(self, path: str, recurse: bool = False) -> str:
        assert recurse
        return f"rm -rf {shlex.quote(path)}"


class FakeAction:
    """Starts nothing, but leaves the files of a start on this machine."""

    def __init__(self, root: Path, *, is_started: bool = True, keeps_files: bool = False) -> None:
        self.root = root
        self.module_dir = root / "ansible-tmp-1"
        self.progress: str | None = None
        self._is_started = is_started
        self._keeps_files = keeps_files
        self._connection = SimpleNamespace(_shell=FakeShell())
        self._task = SimpleNamespace(environment=[], async_val=0)

    def get_shell_option(self, option: str, default: str) -> str:
        assert option == "async_dir"
        return default

    def _make_tmp_path(self) -> str:
        self.module_dir.mkdir()
        self._connection._shell.tmpdir = f"{self.module_dir}/"
        return f"{self.module_dir}/"

    def _should_remove_tmp_path(self, path: str) -> bool:
        return not self._keeps_files

    def _execute_module(self, **arguments: Any) -> dict[str, Any]:
        assert arguments["wrap_async"]
        (self.module_dir / "AnsiballZ_image_save.py").write_text(SECRET, "utf-8")
        self._connection._shell.tmpdir = None  # as Ansible does after the start of a job
        if not self._is_started:
            return {"failed": True, "msg": "could not create directory"}
        return {"ansible_job_id": "j1.2", "results_file": str(self.root / "jobs" / "j1.2")}

    def _low_level_execute_command(self, command: str, sudoable: bool = True) -> dict[str, Any]:
        if command.startswith("rm -rf "):
            assert not sudoable, "it is not the file of the user that the module runs as"
            shutil.rmtree(shlex.split(command)[2])
        elif "head -c" in command and self.progress is not None:
            return {"stdout": self.progress}
        return {"stdout": ""}


def job_of(action: FakeAction) -> Job:
    return Job(action, {})  # type: ignore[arg-type]


def test_it_is_gone_once_the_run_says_something(tmp_path: Path) -> None:
    action = FakeAction(tmp_path)
    job = job_of(action)
    assert job.start() is None
    assert job.progress() is None
    assert action.module_dir.exists(), "it may not have been read yet"
    action.progress = json.dumps({"pid": 7, "ended": False})
    assert job.progress() is not None
    assert not action.module_dir.exists()
    job.progress()
    job.forget()


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
    action.progress = json.dumps({"pid": 7, "ended": True})
    job.progress()
    job.forget()
    assert action.module_dir.exists()
