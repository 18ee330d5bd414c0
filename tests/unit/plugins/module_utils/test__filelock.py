# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A file that one run holds at a time."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from ansible_collections.airgap.images.plugins.module_utils import _filelock
from ansible_collections.airgap.images.plugins.module_utils._errors import BusyError, StorageError
from ansible_collections.airgap.images.plugins.module_utils._filelock import FileLock

HOLD = (
    "import fcntl, sys; file = open(sys.argv[1], 'w'); fcntl.flock(file, fcntl.LOCK_EX); print(1, flush=True); input()"
)


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "lock")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_filelock, "_POLL_SECONDS", 0.001)


def lock(path: str, timeout: float = 0) -> FileLock:
    return FileLock(path, what="the cache /srv/cache", timeout=timeout)


def test_it_names_its_holder(path: str) -> None:
    with lock(path):
        assert Path(path).read_text() == f"process {os.getpid()} on {socket.gethostname()}\n"
        with pytest.raises(BusyError) as caught, lock(path):
            pass
    said = str(caught.value)
    assert said.startswith("the cache /srv/cache is in use by another run ")
    assert f"(process {os.getpid()} on {socket.gethostname()})" in said
    assert "lock_timeout" in said


def test_it_can_be_taken_again(path: str) -> None:
    for _time in range(3):
        with lock(path):
            pass


def test_it_is_free_after_an_error(path: str) -> None:
    with pytest.raises(ValueError, match="x"), lock(path):
        raise ValueError("x")
    with lock(path):
        pass


def test_a_long_name_of_an_earlier_holder_is_gone(path: str) -> None:
    Path(path).write_text("x" * 500)
    with lock(path):
        assert "x" * 100 not in Path(path).read_text()


def test_the_lock_of_a_dead_process_is_free(path: str) -> None:
    holder = subprocess.Popen([sys.executable, "-c", HOLD, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert holder.stdout is not None
    assert holder.stdout.readline() == b"1\n"
    with pytest.raises(BusyError, match="it does not say which"), lock(path):
        pass
    holder.kill()
    holder.communicate()
    with lock(path):
        pass


def test_it_waits(path: str) -> None:
    held, release = threading.Event(), threading.Event()

    def hold() -> None:
        with lock(path):
            held.set()
            release.wait(timeout=60)

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait(timeout=60)
    threading.Timer(0.01, release.set).start()
    with lock(path, timeout=60):
        pass
    thread.join()


def test_a_file_that_was_removed_is_not_taken_for_the_lock(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[int] = []
    real = _filelock.fcntl.flock

    def remove_first(descriptor: int, operation: int) -> None:
        taken.append(descriptor)
        if len(taken) == 1:
            os.unlink(path)  # as the run before does at its end
        real(descriptor, operation)

    monkeypatch.setattr(_filelock.fcntl, "flock", remove_first)
    with lock(path, timeout=60):
        assert len(taken) == 2
        assert os.path.exists(path)


def test_a_link_is_not_followed(tmp_path: Path, path: str) -> None:
    (tmp_path / "precious").write_text("data")
    os.symlink(tmp_path / "precious", path)
    with pytest.raises(StorageError, match="cannot make the lock file"), lock(path):
        pass
    assert (tmp_path / "precious").read_text() == "data"


def test_a_directory_that_the_run_before_removed_is_made_again(tmp_path: Path) -> None:
    with lock(str(tmp_path / "a" / "b")):
        assert (tmp_path / "a" / "b").exists()


def test_a_file_in_the_place_of_the_directory(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("")
    with pytest.raises(StorageError, match="cannot make the lock file "), lock(str(tmp_path / "a" / "b")):
        pass


def test_a_filesystem_without_locks(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_descriptor: int, _operation: int) -> None:
        raise OSError(37, "No locks available")

    monkeypatch.setattr(_filelock.fcntl, "flock", refuse)
    with pytest.raises(StorageError, match=r"cannot lock .*No locks available"), lock(path):
        pass
