# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A file that one run holds at a time."""

from __future__ import annotations

import os
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from ansible_collections.airgap.images.plugins.module_utils._base.errors import BusyError, Interrupted, StorageError
from ansible_collections.airgap.images.plugins.module_utils._base.stop import Stop
from ansible_collections.airgap.images.plugins.module_utils._host import hold
from ansible_collections.airgap.images.plugins.module_utils._host.hold import Hold

HOLD = (
    "import fcntl, sys; file = open(sys.argv[1], 'w'); fcntl.flock(file, fcntl.LOCK_EX); print(1, flush=True); input()"
)


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "lock")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hold, "_POLL_SECONDS", 0.001)


def lock(path: str, timeout: float = 0) -> Hold:
    return Hold(path, what="the cache /srv/cache", timeout=timeout)


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


def test_a_stop_ends_the_wait(path: str) -> None:
    stop = Stop()
    with lock(path):
        threading.Timer(0.01, stop.request, ["SIGTERM came"]).start()
        second = Hold(path, what="the cache /srv/cache", timeout=3600, check=stop.check)
        with pytest.raises(Interrupted, match="SIGTERM came"), second:
            pass
        with pytest.raises(BusyError), lock(path):
            pass
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
    real = hold.fcntl.flock

    def remove_first(descriptor: int, operation: int) -> None:
        taken.append(descriptor)
        if len(taken) == 1:
            os.unlink(path)  # as the run before does at its end
        real(descriptor, operation)

    monkeypatch.setattr(hold.fcntl, "flock", remove_first)
    with lock(path, timeout=60):
        assert len(taken) == 2
        assert os.path.exists(path)


def to_link(path: Path) -> None:
    path.with_name("precious").write_text("data")
    path.symlink_to("precious")


def to_directory(path: Path) -> None:
    (path / "more").mkdir(parents=True)


def to_second_name(path: Path) -> None:
    path.with_name("precious").write_text("data")
    os.link(path.with_name("precious"), path)


def to_file_of_others(path: Path) -> None:
    path.touch(0o600)
    path.write_text("garbage " * 100)
    if os.geteuid() == 0:
        os.chown(path, 4242, 4242)


def to_read_only_file(path: Path) -> None:
    path.touch()
    path.chmod(0o400)


STRANGE: dict[str, Callable[[Path], object]] = {
    "a link": to_link,
    "a dangling link": lambda path: path.symlink_to("nowhere"),
    "a directory": to_directory,
    "a FIFO": os.mkfifo,
    "a second name of a file": to_second_name,
    "a file of somebody else": to_file_of_others,
    "garbage": lambda path: path.write_bytes(b"\xff\0" * 500),
    "a read-only file": to_read_only_file,
}


@pytest.mark.parametrize("make", STRANGE.values(), ids=STRANGE)
def test_what_is_no_lock_is_replaced(path: str, make: Callable[[Path], object]) -> None:
    make(Path(path))
    with lock(path):
        found = os.lstat(path)
        assert stat.S_ISREG(found.st_mode) and found.st_nlink == 1 and found.st_uid == os.geteuid()
        assert stat.S_IMODE(found.st_mode) & 0o077 == 0 or make is STRANGE["garbage"]
        with pytest.raises(BusyError, match=f"process {os.getpid()} on "), lock(path):
            pass
    precious = Path(path).with_name("precious")
    assert not precious.exists() or precious.read_text() == "data"
    assert not Path(path).with_name("nowhere").exists()


def test_what_is_held_is_not_replaced_although_it_is_strange(path: str) -> None:
    with lock(path):
        os.link(path, f"{path}.second")
        inode = os.stat(path).st_ino
        with pytest.raises(BusyError), lock(path):
            pass
        assert os.stat(path).st_ino == inode


def test_two_runs_that_find_a_link_do_not_both_get_it(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The slow one has seen the link; by the time it removes it, the quick one's file is there, and held."""
    Path(path).symlink_to("nowhere")
    real, quick = hold.Hold._clear_away, lock(path)

    def slow(self: Hold) -> None:
        monkeypatch.setattr(hold.Hold, "_clear_away", real)
        quick.__enter__()
        real(self)

    monkeypatch.setattr(hold.Hold, "_clear_away", slow)
    with pytest.raises(BusyError, match=f"process {os.getpid()} on "), lock(path):
        pass
    quick.__exit__(None, None, None)


def test_without_a_timeout_a_lock_that_has_just_become_free_is_taken(
    path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run before removed the file between our opening it and our locking it: nobody holds anything."""
    real, turns = hold.fcntl.flock, []

    def remove_first(descriptor: int, operation: int) -> None:
        turns.append(descriptor)
        if len(turns) == 1:
            os.unlink(path)
        real(descriptor, operation)

    monkeypatch.setattr(hold.fcntl, "flock", remove_first)
    with lock(path, timeout=0):
        assert os.path.exists(path)


def test_a_directory_that_is_removed_just_now_is_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The run before removes it between our making it and our opening the file in it."""
    directory = tmp_path / "staging"
    real, turns = os.open, []

    def remove_first(path: str, *more: int) -> int:
        turns.append(path)
        if len(turns) == 1:
            directory.rmdir()
        return real(path, *more)

    monkeypatch.setattr(hold.os, "open", remove_first)
    with lock(str(directory / "lock"), timeout=0):
        assert (directory / "lock").exists()


def test_a_file_that_changes_for_ever_ends_in_an_error(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hold.Hold, "_still_there", lambda self, descriptor: False)
    with pytest.raises(StorageError, match="is replaced again and again"), lock(path, timeout=0):
        pass


def test_nobody_is_named_who_is_done(path: str) -> None:
    with lock(path):
        pass
    with open(path, "rb") as file:
        hold.fcntl.flock(file, hold.fcntl.LOCK_EX)
        with pytest.raises(BusyError, match="it does not say which"), lock(path):
            pass


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

    monkeypatch.setattr(hold.fcntl, "flock", refuse)
    with pytest.raises(StorageError, match=r"cannot lock .*No locks available"), lock(path):
        pass
