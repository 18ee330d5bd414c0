# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From a staging directory to the final names."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import stat
import subprocess
import threading
from collections.abc import Iterable
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any, Callable

import pytest

from ansible_collections.airgap.images.plugins.module_utils._archive.file_table import FileTable
from ansible_collections.airgap.images.plugins.module_utils._archive.lock import Lock
from ansible_collections.airgap.images.plugins.module_utils._archive.lock_file import write_lock
from ansible_collections.airgap.images.plugins.module_utils._archive.output import COMPANIONS, Output
from ansible_collections.airgap.images.plugins.module_utils._archive.parity import xor
from ansible_collections.airgap.images.plugins.module_utils._archive.part_files import PartWriter
from ansible_collections.airgap.images.plugins.module_utils._archive.parts import Part, WrittenFile
from ansible_collections.airgap.images.plugins.module_utils._archive.tree import TreeWriter
from ansible_collections.airgap.images.plugins.module_utils._base.errors import (
    BusyError,
    Interrupted,
    OptionError,
    StorageError,
)
from ansible_collections.airgap.images.plugins.module_utils._base.json import Json
from ansible_collections.airgap.images.plugins.module_utils._base.stop import Stop, go_on
from ansible_collections.airgap.images.plugins.module_utils._host import hold
from ansible_collections.airgap.images.plugins.module_utils._host.attributes import NoAttributes
from ansible_collections.airgap.images.plugins.module_utils._host.verified_files import VerifiedFiles
from ansible_collections.airgap.images.plugins.module_utils._publish import ready as ready_module
from ansible_collections.airgap.images.plugins.module_utils._publish import staging as staging_module
from ansible_collections.airgap.images.plugins.module_utils._publish.parity_files import make_parity, wanted_names
from ansible_collections.airgap.images.plugins.module_utils._publish.paths import staging_path, tree_paths
from ansible_collections.airgap.images.plugins.module_utils._publish.published import inspect
from ansible_collections.airgap.images.plugins.module_utils._publish.ready import is_damaged, is_decided, roll_forward
from ansible_collections.airgap.images.plugins.module_utils._publish.staging import Staging
from ansible_collections.airgap.images.tests.unit.fakes import Nothing, join, make_options, mark, names_below

OLD, NEW = b"the old archive", b"the new one"


def make_output(folder: Path, **options: Any) -> Output:
    return make_options(folder, **{"compress": "none", "part_size": "4B", **options}).output


# A run that is killed is a process of its own; what it does between fork and end is to rename files.
forks = pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")


def write(output: Output, staging: Staging, data: bytes) -> tuple[Lock, list[WrittenFile] | FileTable]:
    """An archive in the staging directory; for ``dir`` with two files."""
    if output.compress == "dir":
        tree = TreeWriter(os.path.join(staging.data, output.name), "root", Nothing(), link=True)
        for folder in ("root", "root/share"):
            tree.directory(folder)
        for name in ("root/one", "root/share/two"):
            tree.document(name, data)
        tree.link("root/blobs", "share")
        files: list[WrittenFile] | FileTable = tree.written
    else:
        writer = PartWriter(staging.data, output.part_size)
        writer.write(data)
        writer.finish()
        files = writer.files.written
    options: dict[str, Json] = {"content": data.decode(), **({"parity": True} if output.parity else {})}
    return Lock(options, (), parts=tuple(staging.name_parts(files))), files


def publish(output: Output, data: bytes) -> Lock:
    with Staging(output, NoAttributes()).opened(0) as staging:
        lock, files = write(output, staging, data)
        parity: dict[str, WrittenFile] = {}
        if output.parity and isinstance(files, list):
            paths, names = [file.path for file in files], wanted_names(output, len(files))
            lock, parity = make_parity(lock, paths, staging.data, names, archive=output.name, check=go_on)
        staging.publish(lock, files, None, parity)
    return lock


def content(output: Output) -> bytes:
    """Return the bytes of the archive, after a check that all of it is right."""
    published = inspect(output, VerifiedFiles(output.directory), verify="digest")
    assert published.lock is not None, published.damage
    assert (published.damage, published.untidy) == ("", ())
    if output.compress != "dir":
        return join(os.path.join(output.directory, part.name) for part in published.lock.parts)
    pieces = {Path(output.dest, name).read_bytes() for name in ("one", "share/two")}
    assert len(pieces) == 1
    return pieces.pop()


FORMS: dict[str, dict[str, Any]] = {
    "parts": {},
    "parts and parity": {"parity": True},
    "one file": {"part_size": None},
    "dir": {"compress": "dir", "part_size": None},
}
forms = pytest.mark.parametrize("options", FORMS.values(), ids=FORMS)


@forms
def test_an_archive_is_published(tmp_path: Path, options: dict[str, Any]) -> None:
    output = make_output(tmp_path, **options)
    publish(output, OLD)
    assert content(output) == OLD
    publish(output, NEW)
    assert content(output) == NEW
    assert not os.path.exists(staging_path(output))


def test_names_beside_the_archive(tmp_path: Path) -> None:
    output = make_output(tmp_path)
    publish(output, b"12345678")
    assert sorted(os.listdir(output.directory)) == [
        "images.tar.lock.json",
        "images.tar.part0",
        "images.tar.part1",
        "images.tar.report.csv",
        "images.tar.report.html",
        "images.tar.report.json",
        "images.tar.restore.sh",
        "images.tar.sha256",
    ]


@forms
def test_sha256sum_reads_the_checksums(tmp_path: Path, options: dict[str, Any]) -> None:
    output = make_output(tmp_path, **options)
    lock = publish(output, OLD)
    done = subprocess.run(
        ["sha256sum", "--strict", "-c", output.checksum_file],
        cwd=output.directory,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert done.stdout.count(": OK\n") == len(lock.parts)


def test_parts_of_a_longer_archive_are_removed(tmp_path: Path) -> None:
    output = make_output(tmp_path)
    publish(output, OLD * 10)
    publish(output, NEW)
    assert sorted(name for name in os.listdir(output.directory) if ".part" in name) == [
        f"images.tar.part{number}" for number in range(3)
    ]


def test_parts_go_when_it_is_no_longer_split(tmp_path: Path) -> None:
    publish(make_output(tmp_path), OLD)
    whole = make_output(tmp_path, part_size=None)
    publish(whole, NEW)
    assert content(whole) == NEW
    publish(make_output(tmp_path), OLD)
    assert not os.path.exists(whole.dest)


def test_files_of_others_stay(tmp_path: Path) -> None:
    output = make_output(tmp_path)
    os.makedirs(output.directory)
    others = ["images.tar.part", "images.tar.part0.bak", "images.tar.partition", "ximages.tar.part0", "images.tarx"]
    for name in others:
        Path(output.directory, name).write_text(name)
    publish(output, OLD)
    assert all(Path(output.directory, name).read_text() == name for name in others)


def test_checksums_and_lock_can_be_written_alone(tmp_path: Path) -> None:
    output = make_output(tmp_path)
    lock = publish(output, OLD)
    parts = [mark(Path(output.directory, part.name)) for part in lock.parts]
    Path(output.checksum_file).unlink()
    Path(output.directory, "images.tar.part9").write_text("stale")
    with Staging(output, NoAttributes()).opened(0) as staging:
        staging.publish_beside(replace(lock, failed=("x",)), None)
    assert content(output) == OLD
    assert [mark(Path(output.directory, part.name)) for part in lock.parts] == parts


def parity_names(output: Output) -> list[str]:
    return sorted(name for name in os.listdir(output.directory) if ".parity" in name)


def test_parity_files_have_names_of_their_own_and_are_no_parts(tmp_path: Path) -> None:
    output = make_output(tmp_path, parity=True)
    lock = publish(output, OLD)
    assert parity_names(output) == ["images.tar.parity"]
    assert b"parity" not in Path(output.checksum_file).read_bytes()
    parts = [Path(output.directory, part.name).read_bytes() for part in lock.parts]
    assert Path(output.directory, "images.tar.parity").read_bytes() == b"".join(xor([BytesIO(part) for part in parts]))


def test_of_many_parts_every_twenty_have_a_parity_file(tmp_path: Path) -> None:
    output = make_output(tmp_path, parity=True)
    publish(output, b"0123456789" * 17)  # 43 parts of four bytes
    assert parity_names(output) == ["images.tar.parity0", "images.tar.parity1"]
    publish(output, NEW)
    assert parity_names(output) == ["images.tar.parity"]
    publish(make_output(tmp_path), NEW)
    assert parity_names(output) == []


@pytest.mark.parametrize(
    "spoil", [os.unlink, lambda path: path.write_bytes(b"abcd"), lambda path: path.write_bytes(b"")]
)
def test_a_damaged_parity_file_is_no_damage_of_the_archive(tmp_path: Path, spoil: Callable[[Path], object]) -> None:
    output = make_output(tmp_path, parity=True)
    publish(output, OLD)
    spoil(Path(output.directory, "images.tar.parity"))
    published = inspect(output, VerifiedFiles(output.directory), verify="digest")
    assert (published.damage, published.unfit) == ("", ("images.tar.parity",))
    assert published.untidy[0].startswith("images.tar.parity ")


def test_a_lock_file_that_does_not_name_the_parity_files_is_untidy(tmp_path: Path) -> None:
    output = make_output(tmp_path, parity=True)
    lock = publish(output, OLD)
    Path(output.lock_file).write_bytes(write_lock(replace(lock, parity=())))
    published = inspect(output, VerifiedFiles(output.directory), verify="digest")
    assert "the lock file does not name the parity files of the archive" in published.untidy
    assert "images.tar.parity is not part of the archive" in published.untidy


def test_no_parity_file_is_made_from_a_part_that_was_changed(tmp_path: Path) -> None:
    output = make_output(tmp_path)
    lock = publish(output, OLD)
    paths = [os.path.join(output.directory, part.name) for part in lock.parts]
    Path(paths[1]).write_bytes(b"abcd")
    with pytest.raises(StorageError, match=r"images\.tar\.part1 does not have the bytes that the lock file records"):
        make_parity(lock, paths, str(tmp_path), ["images.tar.parity"], archive="images.tar", check=go_on)


@forms
def test_a_run_that_fails_leaves_the_old_archive(tmp_path: Path, options: dict[str, Any]) -> None:
    output = make_output(tmp_path, **options)
    publish(output, OLD)
    before = names_below(Path(output.directory))

    def fail() -> None:
        with Staging(output, NoAttributes()).opened(0) as staging:
            write(output, staging, NEW)
            raise ValueError("copy")

    with pytest.raises(ValueError, match="copy"):
        fail()
    assert content(output) == OLD
    assert names_below(Path(output.directory)) == before


def test_starting_again_begins_with_nothing(tmp_path: Path) -> None:
    output = make_output(tmp_path)
    with Staging(output, NoAttributes()).opened(0) as staging:
        write(output, staging, NEW)
        staging.clear()
        assert os.listdir(staging.data) == []
        lock, files = write(output, staging, NEW)
        staging.publish(lock, files, None)
    assert content(output) == NEW


# A run is killed just before its Nth change of the directory.
CHANGES = ("rename", "unlink")


def killed_publishing(output: Output, data: bytes, at: int) -> bool:
    """Publish in a process of its own, which ends at the Nth change as if killed.

    :returns: whether it was killed.
    """
    child = os.fork()
    if child == 0:
        left = at

        def or_die(change: Callable[..., None]) -> Callable[..., None]:
            def changed(*arguments: str, **more: int) -> None:
                nonlocal left
                if left == 0:
                    os._exit(9)
                left -= 1
                change(*arguments, **more)

            return changed

        for name in CHANGES:
            setattr(os, name, or_die(getattr(os, name)))
        try:
            publish(output, data)
        except BaseException:
            os._exit(1)
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    assert os.WEXITSTATUS(status) in (0, 9)
    return os.WEXITSTATUS(status) == 9


@forks
@pytest.mark.parametrize(
    "options",
    [
        pytest.param(each, id=name, marks=pytest.mark.thorough if name in ("one file", "parts") else ())
        for name, each in FORMS.items()
    ],
)
def test_a_killed_run_leaves_the_old_archive_or_the_new_one(tmp_path: Path, options: dict[str, Any]) -> None:
    outcomes: list[bytes] = []
    for at in range(100):
        output = make_output(tmp_path / str(at), **options)
        publish(output, OLD)
        was_killed = killed_publishing(output, NEW, at)
        decided = is_decided(output)
        if not decided:
            assert content(output) in (OLD, NEW)
        with Staging(output, NoAttributes()).opened(0):
            pass
        outcomes.append(content(output))
        assert not os.path.exists(staging_path(output))
        if decided:
            assert outcomes[-1] == NEW
        if not was_killed:
            break
    assert outcomes == sorted(outcomes, key=lambda data: data == NEW), "first the old one, from some point on the new"
    assert outcomes[0] == OLD
    assert outcomes[-2:] == [NEW, NEW]


@forks
def test_a_first_directory_of_a_killed_run_is_not_taken_for_that_of_somebody_else(tmp_path: Path) -> None:
    is_in_place = False
    for at in range(100):
        output = make_output(tmp_path / str(at), compress="dir", part_size=None)
        was_killed = killed_publishing(output, NEW, at)
        memory = VerifiedFiles(str(tmp_path / str(at)))
        inspect(output, memory, verify="digest")
        is_in_place |= os.path.isdir(output.dest) and not os.path.exists(output.lock_file)
        if is_decided(output) and not os.path.lexists(output.dest):
            os.makedirs(os.path.join(output.dest, "precious"))
            with pytest.raises(OptionError, match="that this module did not make"):
                inspect(output, memory, verify="digest")
            shutil.rmtree(output.dest)
        if not was_killed:
            break
    assert is_in_place, "no run was killed between the directory and the lock file"


@forks
@pytest.mark.parametrize(
    "options",
    [
        pytest.param(each, id=name, marks=() if name == "parts and parity" else pytest.mark.thorough)
        for name, each in FORMS.items()
    ],
)
def test_a_run_that_completes_may_be_killed_as_well(tmp_path: Path, options: dict[str, Any]) -> None:
    output = make_output(tmp_path, **options)
    publish(output, OLD)
    kills = 0
    while killed_publishing(output, NEW, at=kills):
        kills += 1  # the next one gets a step further
    assert kills > 3
    assert content(output) == NEW


def test_rolling_forward_can_be_repeated(tmp_path: Path) -> None:
    output = make_output(tmp_path)
    publish(output, OLD * 10)
    ready = tmp_path / "ready"
    with Staging(output, NoAttributes()).opened(0) as staging:
        lock, files = write(output, staging, NEW)
        staging._make_parts_ready(lock, files, {})
        staging._make_record_ready(lock, None)
        os.rename(os.path.join(staging_path(output), "ready"), ready)
    # One part is in place already, as after a kill.
    os.rename(ready / "images.tar.part1", os.path.join(output.directory, "images.tar.part1"))
    roll_forward(output, str(ready), lock)
    assert content(output) == NEW


def make_directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


def make_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


SPOILED: dict[str, tuple[str, Callable[[Path], object]]] = {
    "a lock file that is a directory": ("images.tar.lock.json", make_directory),
    "a lock file that is a pipe": ("images.tar.lock.json", make_pipe),
    "a lock file that is none": ("images.tar.lock.json", lambda path: path.write_text("{")),
    "a lock file that is empty": ("images.tar.lock.json", lambda path: path.write_text("")),
    "a part that is a directory": ("images.tar.part0", make_directory),
    "a part that is a pipe": ("images.tar.part0", make_pipe),
    "a part that was cut off": ("images.tar.part0", lambda path: path.write_text("t")),
    "checksums that are a directory": ("images.tar.sha256", make_directory),
    "something that is no part of it": ("images.tar.part0", lambda path: path.with_suffix(".x").touch()),
}


@pytest.mark.parametrize(("name", "spoil"), SPOILED.values(), ids=SPOILED)
def test_a_decided_archive_that_was_damaged_is_dropped(
    tmp_path: Path, name: str, spoil: Callable[[Path], object]
) -> None:
    """It would replace a whole one; and what cannot be read or renamed would stop every later run."""
    output = make_output(tmp_path)
    publish(output, OLD)
    ready = Path(staging_path(output), "ready")
    with pytest.raises(RuntimeError), Staging(output, NoAttributes()).opened(0) as staging:
        lock, files = write(output, staging, NEW)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(staging_module, "roll_forward", stop_here)
            staging.publish(lock, files, None)
    assert is_decided(output) and not is_damaged(output)
    spoil(ready / name)
    assert not is_decided(output) and is_damaged(output)
    assert content(output) == OLD
    with Staging(output, NoAttributes()).opened(0):
        assert content(output) == OLD
    assert not os.path.exists(staging_path(output))


def test_files_beside_an_archive_are_not_put_beside_another(tmp_path: Path) -> None:
    """A backup was restored since: its parts would be removed, as the lock file that is ready does not name them."""
    output, backup = make_output(tmp_path), make_output(tmp_path / "backup")
    publish(backup, NEW * 10)
    lock = publish(output, OLD)
    with pytest.raises(RuntimeError), pytest.MonkeyPatch.context() as patch:
        patch.setattr(staging_module, "roll_forward", stop_here)
        with Staging(output, NoAttributes()).opened(0) as staging:
            staging.publish_beside(lock, None)
    assert is_decided(output)
    for path in Path(output.directory).glob("images.tar*"):
        path.unlink()
    shutil.copytree(backup.directory, output.directory, dirs_exist_ok=True)
    assert not is_decided(output) and is_damaged(output)
    with Staging(output, NoAttributes()).opened(0):
        pass
    assert content(output) == NEW * 10
    assert not os.path.exists(staging_path(output))


def test_a_decided_archive_that_cannot_be_read_now_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An archive that is half in place would be lost with it."""
    output = make_output(tmp_path)
    publish(output, OLD)
    with pytest.raises(RuntimeError), Staging(output, NoAttributes()).opened(0) as staging:
        lock, files = write(output, staging, NEW)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(staging_module, "roll_forward", stop_here)
            staging.publish(lock, files, None)

    def refuse(path: str) -> None:
        raise OSError(errno.EIO, "Input/output error", path)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ready_module, "open_regular", refuse)
        with pytest.raises(StorageError, match="Input/output error"), Staging(output, NoAttributes()).opened(0):
            pass
    assert content(output) == OLD
    with Staging(output, NoAttributes()).opened(0):
        assert content(output) == NEW


def stop_here(*arguments: object) -> None:
    raise RuntimeError


@pytest.mark.parametrize("name", ["data", "ready", "old"])
def test_what_cannot_be_cleared_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    output = make_output(tmp_path)
    Path(staging_path(output), name).mkdir(parents=True)
    os.chmod(staging_path(output), 0o700)

    def refuse(path: str, **more: object) -> None:
        if not more:
            raise OSError(errno.EIO, "Input/output error", path)

    monkeypatch.setattr(staging_module.shutil, "rmtree", refuse)
    told = r"cannot write the archive in .*: Input/output error\. Check the disk"
    with pytest.raises(StorageError, match=told), Staging(output, NoAttributes()).opened(0):
        pass


def test_a_file_in_place_of_a_directory_of_staging_is_replaced(tmp_path: Path) -> None:
    output = make_output(tmp_path)
    root = Path(staging_path(output))
    root.parent.mkdir()
    root.mkdir(mode=0o700)
    (root / "data").touch()
    (root / "old").symlink_to(tmp_path)
    with Staging(output, NoAttributes()).opened(0) as staging:
        assert os.listdir(staging.data) == []


def test_an_archive_that_cannot_be_put_in_place_stays_ready(tmp_path: Path) -> None:
    output = make_output(tmp_path)
    obstacle = Path(output.directory, "images.tar.part1")
    (obstacle / "x").mkdir(parents=True)
    with pytest.raises(StorageError, match="the next run continues from there"):
        publish(output, NEW)
    assert is_decided(output)
    (obstacle / "x").rmdir()
    obstacle.rmdir()
    with Staging(output, NoAttributes()).opened(0):
        pass
    assert content(output) == NEW


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file")
    with pytest.raises(StorageError, match="cannot write beside dest"):
        publish(make_output(tmp_path), NEW)


def test_two_runs_do_not_share_it(tmp_path: Path) -> None:
    output = make_output(tmp_path)
    with Staging(output, NoAttributes()).opened(0):
        with pytest.raises(BusyError, match="is in use by another run"), Staging(output, NoAttributes()).opened(0):
            pass
        assert os.path.isdir(staging_path(output))


def test_a_run_waits_for_the_one_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hold, "_POLL_SECONDS", 0.001)
    output = make_output(tmp_path)
    tried, done = threading.Event(), []
    real = hold.fcntl.flock

    def tell(descriptor: int, operation: int) -> None:
        try:
            real(descriptor, operation)
        except OSError:
            tried.set()
            raise

    monkeypatch.setattr(hold.fcntl, "flock", tell)

    def second() -> None:
        with Staging(output, NoAttributes()).opened(60) as staging:
            lock, files = write(output, staging, NEW)
            staging.publish(lock, files, None)
            done.append(content(output))

    thread = threading.Thread(target=second)
    with Staging(output, NoAttributes()).opened(0) as staging:
        thread.start()
        assert tried.wait(timeout=60)
        lock, files = write(output, staging, OLD)
        staging.publish(lock, files, None)
    thread.join()
    assert done == [NEW]
    assert not os.path.exists(staging_path(output))


def test_nobody_else_may_look_into_staging(tmp_path: Path) -> None:
    output = make_output(tmp_path)
    with Staging(output, NoAttributes()).opened(0) as staging:
        assert stat.S_IMODE(os.stat(staging_path(output)).st_mode) == 0o700
        assert stat.S_IMODE(os.stat(staging.data).st_mode) == 0o700


@forms
def test_files_get_their_mode_before_their_name(tmp_path: Path, options: dict[str, Any]) -> None:
    output = make_output(tmp_path, **options)
    seen: list[str] = []

    class Recorded(NoAttributes):
        def give(self, path: str, final: str = "") -> bool:
            assert path.startswith(staging_path(output))
            assert not os.path.islink(path)
            os.chmod(path, 0o700 if os.path.isdir(path) else 0o640)
            seen.append(final)
            return True

    with Staging(output, Recorded()).opened(0) as staging:
        lock, files = write(output, staging, OLD)
        staging.publish(lock, files, None)
    standing = [*Path(output.directory).rglob("*")]
    assert sorted(seen) == sorted(str(path) for path in standing if not path.is_symlink())
    assert {stat.S_IMODE(path.stat().st_mode) for path in standing if path.is_file()} == {0o640}


def note_names(monkeypatch: pytest.MonkeyPatch, output: Output, steps: list[str]) -> None:
    """Take down each name that a file gets, relative to the folder of the archive."""
    real_rename = os.rename

    def rename(source: str, target: str) -> None:
        steps.append(f"name {os.path.relpath(target, output.directory)}")
        real_rename(source, target)

    monkeypatch.setattr(staging_module.os, "rename", rename)


def test_everything_is_synced_before_it_is_decided(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    output = make_output(tmp_path)
    steps: list[str] = []
    real_sync = os.fsync

    def sync(descriptor: int) -> None:
        steps.append(f"sync {os.path.basename(os.readlink(f'/proc/self/fd/{descriptor}'))}")
        real_sync(descriptor)

    monkeypatch.setattr(staging_module.os, "fsync", sync)
    note_names(monkeypatch, output, steps)
    publish(output, b"1234")
    ready = f".{output.name}.staging/ready"
    companions = [step for suffix in COMPANIONS for step in ("sync new", f"name {ready}/images.tar{suffix}")]
    assert steps == [
        "sync 0",
        f"name {ready}/images.tar.part0",
        "sync record",
        "sync new",
        f"name {ready}/images.tar.sha256",
        *companions,
        "sync ready",
        f"name {ready}/images.tar.lock.json",
        "sync ready",
        "name images.tar.part0",
        *(f"name images.tar{suffix}" for suffix in sorted(COMPANIONS)),
        "name images.tar.sha256",
        "sync out",
        "name images.tar.lock.json",
        "sync out",
    ]


def test_a_directory_is_synced_as_a_whole_before_it_is_decided(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    output = make_output(tmp_path, compress="dir", part_size=None)
    steps: list[str] = []
    real_sync = staging_module.sync_filesystem

    def sync(path: str) -> None:
        steps.append(f"sync {sorted(os.listdir(path))}")
        real_sync(path)

    monkeypatch.setattr(staging_module, "sync_filesystem", sync)
    note_names(monkeypatch, output, steps)
    publish(output, b"1234")
    assert steps[:2] == ["sync ['blobs', 'one', 'share']", f"name .{output.name}.staging/ready/{output.name}"]
    assert steps.count(steps[0]) == 1


def test_paths_of_a_tree(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "one").write_text("")
    (tmp_path / "two").write_text("")
    (tmp_path / "link").symlink_to("a")
    assert list(tree_paths(str(tmp_path))) == [
        str(tmp_path),
        str(tmp_path / "two"),
        str(tmp_path / "a"),
        str(tmp_path / "a" / "one"),
    ]


def parts(names: Iterable[str]) -> list[Part]:
    return [Part(name, 4, "ab" * 32) for name in names]


def test_parts_get_their_names_once_their_number_is_known(tmp_path: Path) -> None:
    output = make_output(tmp_path)
    files = [WrittenFile(str(number), 4, "ab" * 32) for number in range(11)]
    staging = Staging(output, NoAttributes())
    assert staging.name_parts(files) == parts(f"images.tar.part{number:02d}" for number in range(11))
    assert staging.name_parts(files[:1]) == parts(["images.tar.part0"])


def test_another_run_has_written_the_archive_meanwhile(tmp_path: Path) -> None:
    output = make_output(tmp_path)
    with Staging(output, NoAttributes()).opened(0) as staging:
        staging.ensure_unchanged("")
    publish(output, OLD)
    seen = hashlib.sha256(Path(output.lock_file).read_bytes()).hexdigest()
    with Staging(output, NoAttributes()).opened(0) as staging:
        staging.ensure_unchanged(seen)
        for other in ("", "ab" * 32):
            with pytest.raises(BusyError, match=r"another run has written .*images\.tar in the meantime"):
                staging.ensure_unchanged(other)


@pytest.mark.parametrize("kind", ["a link", "a file", "open to others"])
def test_a_staging_directory_of_somebody_else_is_not_used(tmp_path: Path, kind: str) -> None:
    output = make_output(tmp_path)
    os.makedirs(output.directory)
    path = Path(staging_path(output))
    if kind == "a link":
        (tmp_path / "elsewhere").mkdir()
        path.symlink_to(tmp_path / "elsewhere")
    elif kind == "a file":
        path.write_text("")
    else:
        path.mkdir()
        path.chmod(0o777)
    with pytest.raises(StorageError, match="is not a directory that only this user can write to"):
        publish(output, NEW)
    assert not (tmp_path / "elsewhere").exists() or os.listdir(tmp_path / "elsewhere") == []


def test_a_mode_that_cannot_be_given_is_noticed_early(tmp_path: Path) -> None:
    class Refused(NoAttributes):
        def give(self, path: str, final: str = "") -> bool:
            raise PermissionError(1, "Operation not permitted")

    refused = pytest.raises(StorageError, match="Operation not permitted")
    with refused, Staging(make_output(tmp_path), Refused()).opened(0) as staging:
        staging.try_attributes()
    with Staging(make_output(tmp_path), NoAttributes()).opened(0) as staging:
        staging.try_attributes()
        assert os.listdir(staging.data) == []


def test_a_stop_while_another_run_is_waited_for_leaves_what_that_has(tmp_path: Path) -> None:
    output, stop = make_output(tmp_path), Stop()
    with Staging(output, NoAttributes()).opened(0) as staging:
        begun = Path(staging.data, "begun")
        begun.touch()
        threading.Timer(0.01, stop.request, ["SIGTERM came"]).start()
        second = Staging(output, NoAttributes(), stop.check)
        with pytest.raises(Interrupted, match="SIGTERM came"), second.opened(3600):
            pass
        assert begun.exists()
    assert not list(Path(output.directory).iterdir())


@pytest.mark.parametrize("renamed", [0, 1])
def test_an_error_among_the_renames_says_whether_anything_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, renamed: int
) -> None:
    real, output, left = ready_module._put, make_output(tmp_path), [renamed]

    def put(source: str, target: str) -> None:
        if not left[0]:
            raise OSError(errno.EIO, "Input/output error")
        left[0] -= 1
        real(source, target)

    monkeypatch.setattr(ready_module, "_put", put)
    with pytest.raises(StorageError, match="cannot put the new archive in place") as caught:
        publish(output, NEW)
    assert caught.value.changed is bool(renamed)
