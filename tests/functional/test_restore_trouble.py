# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Failures while an archive is restored: in no case is there a saved-image-cache that is not whole."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

import pytest

from ansible_collections.airgap.images.tests.functional._helpers import flip, snapshot
from ansible_collections.airgap.images.tests.functional._restore import (
    KINDS,
    SHELLS,
    SLOW,
    command_of,
    content,
    kind_of,
    programs,
    replace,
    run,
    script_of,
    started,
    unpacked,
)
from ansible_collections.airgap.images.tests.support.archive import ROOT
from ansible_collections.airgap.images.tests.support.disks import read_only, resize, small_disk

pytestmark = pytest.mark.spread

EACH_SHELL = pytest.mark.parametrize("shell", SHELLS)
EACH_KIND = pytest.mark.parametrize("kind", KINDS)
IN_PARTS = pytest.mark.parametrize("kind", [kind for kind in KINDS if kind == "dir" or "parts" in kind])
SIGNALS = pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM])


@pytest.fixture
def originals(restorable: dict[str, Path]) -> dict[str, Path]:
    """An archive of each kind with its script."""
    return restorable


class Copies(dict[str, Path]):
    """Archives, each copied when it is asked for."""

    def __init__(self, originals: dict[str, Path], folder: Path) -> None:
        super().__init__()
        self._originals = originals
        self._folder = folder

    def __missing__(self, kind: str) -> Path:
        dest = self._originals[kind]
        self[kind] = shutil.copytree(dest.parent, self._folder / dest.parent.name, symlinks=True) / dest.name
        return self[kind]


@pytest.fixture
def archives(originals: dict[str, Path], workdir: Path) -> dict[str, Path]:
    """The same, as copies that a test may harm."""
    return Copies(originals, workdir)


def files_of(dest: Path) -> list[Path]:
    """The files that a script checks, in their order."""
    lines = Path(f"{dest}.sha256").read_text("utf-8").splitlines()
    return [dest.parent / line.partition("  ")[2] for line in lines]


def refused(ran_status: int, target: Path) -> bool:
    """Return True if a script ended with an error, and left nothing in the directory."""
    return ran_status == 1 and not (target.exists() and os.listdir(target))


@pytest.mark.each_value
@EACH_SHELL
@IN_PARTS
def test_all_that_is_missing_or_damaged_is_named(
    archives: dict[str, Path], workdir: Path, kind: str, shell: str
) -> None:
    """By ``--check`` too, and nothing is touched."""
    dest = archives[kind]
    files = files_of(dest)
    assert len(files) > 10
    names = [str(path.relative_to(dest.parent)) for path in files]
    files[0].unlink()
    files[-1].unlink()
    flip(files[2])
    size = files[5].stat().st_size
    os.truncate(files[5], size - 1)
    os.truncate(files[6], 0)
    before = snapshot(dest.parent)
    for argument in (str(workdir / "target"), "--check"):
        ran = run(dest, argument, by=shell)
        assert (ran.status, ran.out) == (1, "")
        named = [line for line in ran.err.splitlines() if line.startswith(("missing: ", "damaged: "))]
        assert named[:2] == [f"missing: {names[0]}", f"missing: {names[-1]}"]
        assert named[2].startswith(f"damaged: {names[2]} has the right size, but not the sha256 ")
        assert named[3] == f"damaged: {names[5]} has {size - 1} bytes instead of {size}"
        assert named[4].startswith(f"damaged: {names[6]} has 0 bytes instead of ")
        assert len(named) == 5
        assert f": {names[0]}" not in ran.err.replace(f"missing: {names[0]}", ""), "what is missing is not checked"
        assert f"of {len(files)} files, 2 are missing and 3 are damaged" in ran.err.splitlines()[-1]
    assert not (workdir / "target").exists()
    assert snapshot(dest.parent) == before


@EACH_SHELL
def test_what_is_no_file_is_missing(archives: dict[str, Path], workdir: Path, shell: str) -> None:
    """A directory, and a link that leads nowhere."""
    dest = archives["none in parts"]
    for number, path in enumerate(files_of(dest)[:2]):
        path.unlink()
        path.mkdir() if number else path.symlink_to("nowhere")
    ran = run(dest, workdir / "target", by=shell)
    assert ran.status == 1
    assert ran.err.count("missing: ") == 2


@EACH_SHELL
@pytest.mark.parametrize("what", ["directory", "file", "dangling link"])
def test_what_is_there_already_stays(archives: dict[str, Path], workdir: Path, what: str, shell: str) -> None:
    """It says so before it checks anything, and what to do."""
    final = workdir / "it's here" / ROOT
    final.parent.mkdir()
    if what == "directory":
        final.mkdir()
        (final / "precious").write_text("data", encoding="utf-8")
    elif what == "file":
        final.write_text("data", encoding="utf-8")
    else:
        final.symlink_to("nowhere")
    before = snapshot(final.parent)
    ran = run(archives["gzip"], final.parent, by=shell)
    assert ran.status == 1
    assert "checking" not in ran.err
    command = ran.err.partition("or remove it with ")[2].partition(" if nothing in it is needed")[0]
    assert snapshot(final.parent) == before
    subprocess.run(["sh", "-c", command], check=True)
    assert run(archives["gzip"], final.parent, by=shell).status == 0
    assert unpacked(final.parent) == content(archives["gzip"])


@EACH_SHELL
def test_a_target_that_cannot_be_is_refused_at_once(archives: dict[str, Path], workdir: Path, shell: str) -> None:
    (workdir / "file").write_text("data", encoding="utf-8")
    for target in ("file", "file/below", "file/below/that"):
        ran = run(archives["gzip"], target, by=shell, cwd=workdir)
        assert ran.status == 1
        assert "is not a directory" in ran.err
        assert "checking" not in ran.err
    assert (workdir / "file").read_text("utf-8") == "data"


@pytest.mark.parametrize("shell", ["dash", "bash"])
def test_a_target_of_somebody_else_is_refused_at_once(archives: dict[str, Path], workdir: Path, shell: str) -> None:
    """Also where it would have to be made first."""
    disk = workdir / "disk"
    with small_disk(disk, 1024 * 1024), read_only(disk):
        for target in (disk, disk / "a" / "b"):
            ran = run(archives["gzip"], target, by=shell)
            assert ran.status == 1
            assert f"no permission to write to {disk}." in ran.err
            assert "checking" not in ran.err


@EACH_SHELL
@EACH_KIND
def test_from_a_medium_that_cannot_be_written_to(
    originals: dict[str, Path], workdir: Path, kind: str, shell: str
) -> None:
    """Called in its directory; and to unpack there fails without harm."""
    dest, disk = originals[kind], workdir / "medium"
    with small_disk(disk, 8 * 1024 * 1024):
        shutil.copytree(dest.parent, disk, symlinks=True, dirs_exist_ok=True)
        with read_only(disk):
            ran = run(dest, workdir / "target", by=shell, cwd=disk, script=script_of(dest).name)
            assert ran.status == 0, ran.err
            assert run(dest, ".", by=shell, cwd=disk, script=script_of(dest).name).status == 1
    assert unpacked(workdir / "target") == content(dest)


@EACH_SHELL
@EACH_KIND
def test_a_full_disk(originals: dict[str, Path], workdir: Path, kind: str, shell: str) -> None:
    """Nothing of it is left, and with more room it goes on."""
    dest, disk = originals[kind], workdir / "disk"
    with small_disk(disk, 256 * 1024):
        ran = run(dest, disk, by=shell)
        assert refused(ran.status, disk), ran.err
        assert "No space left on device" in ran.err
        assert "cannot unpack to " in ran.err.splitlines()[-1]
        resize(disk, size=8 * 1024 * 1024)
        assert run(dest, disk, by=shell).status == 0
        assert unpacked(disk) == content(dest)


@EACH_SHELL
@EACH_KIND
def test_programs_that_are_missing_are_named_at_once(
    originals: dict[str, Path], workdir: Path, kind: str, shell: str
) -> None:
    dest = originals[kind]
    last = {"gzip": "gzip", "zstd": "zstd", "none": "tar", "dir": "ln"}[kind_of(dest)]
    path = programs(workdir / "bin", kind_of(dest), shell, without=["sha256sum", last])
    ran = run(dest, workdir / "target", by=shell, path=path)
    assert (ran.status, ran.out) == (1, "")
    assert ran.err == f"error: not found, but needed: sha256sum {last}. Install them. Nothing was done\n"
    assert not (workdir / "target").exists()


# The first link only shows whether there are any.
PROBED = 'if sys.argv[-1].endswith("/link"):\n    sys.exit(subprocess.run([*REAL, *sys.argv[1:]]).returncode)\n'
FAILING = {
    "at the end": "sys.exit(subprocess.run([*REAL, *sys.argv[1:]]).returncode or 9)\n",
    "at once": "sys.exit(9)\n",
    "killed": "subprocess.run([*REAL, *sys.argv[1:]])\nos.kill(os.getpid(), 9)\n",
}


@pytest.mark.each_value
@pytest.mark.parametrize(
    ("shell", "way"), [*(("dash", way) for way in FAILING), ("busybox", "at the end"), ("bash", "at the end")]
)
@pytest.mark.parametrize(
    ("kind", "program"),
    [
        ("gzip in parts", "cat"),
        ("gzip in parts", "gzip"),
        ("gzip in parts", "tar"),
        ("zstd", "zstd"),
        ("none in parts", "cat"),
        ("none", "tar"),
        ("dir", "cat"),
        ("dir", "ln"),
        ("gzip", "mv"),
        ("gzip", "mkdir"),
    ],
)
def test_each_program_that_fails_is_noticed(
    originals: dict[str, Path], workdir: Path, kind: str, program: str, shell: str, way: str
) -> None:
    """Even when it had done all of its work: POSIX shells tell of the last one in a pipeline only."""
    dest = originals[kind]
    path = programs(workdir / "bin", kind_of(dest), shell)
    replace(path, program, (PROBED if program == "ln" else "") + FAILING[way])
    ran = run(dest, workdir / "target", by=shell, path=path)
    assert ran.status == 1, ran.err
    left = os.listdir(workdir / "target") if (workdir / "target").exists() else []
    # A rename that was done and then called a failure has given a whole directory; nothing else may be there.
    assert left == ([ROOT] if program == "mv" and way != "at once" else [])


CHANGED = """
status = subprocess.run([*REAL, *sys.argv[1:]]).returncode
path = os.environ["HARM"]
data = open(path, "rb").read()
open(path, "wb").write(data[: len(data) // 3])
sys.exit(status)
"""


@pytest.mark.each_value
@EACH_SHELL
@pytest.mark.parametrize("kind", ["gzip", "zstd", "none"])
def test_a_file_that_changes_after_it_was_checked(
    archives: dict[str, Path], workdir: Path, kind: str, shell: str
) -> None:
    """As a medium may that has begun to fail."""
    dest = archives[kind]
    path = programs(workdir / "bin", kind_of(dest), shell)
    replace(path, "sha256sum", CHANGED)
    ran = run(dest, workdir / "target", by=shell, path=path, env={"HARM": str(dest)})
    assert "all 1 files are whole" in ran.err
    assert refused(ran.status, workdir / "target"), ran.err


@EACH_SHELL
@EACH_KIND
def test_a_run_that_is_stopped_clears_up(originals: dict[str, Path], workdir: Path, kind: str, shell: str) -> None:
    """As is one that is killed with all its programs by the next run, which begins anew."""
    dest, target = originals[kind], workdir / "target"
    path = programs(workdir / "slow", kind_of(dest), shell)
    replace(path, "cat", SLOW)
    hidden = ".saved-image-cache.restore."
    with started(dest, target, by=shell, path=path, fifo=workdir / "first") as process:
        assert os.listdir(target) == [f"{hidden}{process.pid}"]
        process.terminate()
        assert process.wait(60) == 128 + signal.SIGTERM
        assert process.stderr is not None
        assert any(line.startswith(b"stopped by SIGTERM; nothing is left of it in ") for line in process.stderr)
        assert os.listdir(target) == []
    with started(dest, target, by=shell, path=path, fifo=workdir / "second") as process:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        assert os.listdir(target) == [f"{hidden}{process.pid}"]
    assert run(dest, target, by=shell).status == 0
    assert unpacked(target) == content(dest)


@pytest.mark.each_value
@EACH_SHELL
@SIGNALS
def test_each_signal_that_asks_to_stop(
    originals: dict[str, Path], workdir: Path, number: signal.Signals, shell: str
) -> None:
    dest, target = originals["gzip in parts"], workdir / "target"
    path = programs(workdir / "slow", "gzip", shell)
    replace(path, "gzip", SLOW.replace("sys.stdin.buffer.read()", "subprocess.run([*REAL, '-dc'], stdout=-1).stdout"))
    with started(dest, target, by=shell, path=path, fifo=workdir / "fifo") as process:
        process.send_signal(number)
        assert process.wait(60) == 128 + number
        assert os.listdir(target) == []
        # Nothing goes on behind: all of them had its standard error open.
        assert process.stderr is not None
        assert f"stopped by {number.name};".encode() in process.stderr.read()


WAITING = """
data = sys.stdin.buffer.read()
open(os.environ["STARTED"], "w").close()
open(os.environ["STARTED"] + ".on").close()
sys.stdout.buffer.write(data)
"""
"""A program that goes on when somebody opens the other end."""


@EACH_SHELL
def test_a_run_beside_another_leaves_it_alone(originals: dict[str, Path], workdir: Path, shell: str) -> None:
    """The first to end has the name; the other says so, and leaves nothing."""
    dest, target = originals["gzip"], workdir / "target"
    path = programs(workdir / "slow", "gzip", shell)
    replace(path, "cat", WAITING)
    go_on = workdir / "fifo.on"
    os.mkfifo(go_on)
    with started(dest, target, by=shell, path=path, fifo=workdir / "fifo") as process:
        process.send_signal(signal.SIGSTOP)
        ran = run(dest, target, by=shell)
        assert ran.status == 0, ran.err
        assert f"belongs to process {process.pid}, which is still running; it is left as it is" in ran.err
        assert sorted(os.listdir(target)) == [f".saved-image-cache.restore.{process.pid}", ROOT]
        go_on.open("w").close()
        process.send_signal(signal.SIGCONT)
        assert process.wait(60) == 1
        assert process.stderr is not None
        assert b"has appeared in the meantime" in process.stderr.read()
    assert unpacked(target) == content(dest)


def leftover(target: Path, process: int, host: str | None = os.uname().nodename) -> Path:
    """A directory as a killed run leaves it."""
    path = target / f".saved-image-cache.restore.{process}"
    path.mkdir(parents=True, mode=0o700)
    (path / "data").write_text("data", encoding="utf-8")
    if host is not None:
        (path / "host").write_text(f"{host}\n", encoding="utf-8")
    return path


def gone() -> int:
    """The number of a process that has ended."""
    with subprocess.Popen(["true"]) as process:
        process.wait()
    return process.pid


@pytest.mark.each_value
@EACH_SHELL
@pytest.mark.parametrize("host", ["another.example", "", None], ids=["another machine", "no name", "no file"])
def test_what_may_belong_to_another_machine_is_left_alone(
    originals: dict[str, Path], workdir: Path, host: str | None, shell: str
) -> None:
    """A process of that number is somewhere else; here there is none."""
    target = workdir / "target"
    theirs, ours = leftover(target, gone(), host), leftover(target, 2**22 + 1)
    ran = run(originals["gzip"], target, by=shell)
    assert ran.status == 0, ran.err
    assert f"{theirs} may belong to a run of another user or on another machine; it is left as it is" in ran.err
    assert (theirs / "data").read_text("utf-8") == "data"
    assert not ours.exists(), "of this machine, and nobody is at work on it"


@pytest.mark.each_value
@pytest.mark.parametrize("shell", ["dash", "bash", "busybox"])
@pytest.mark.parametrize("mode", [0o700, 0o777], ids=["not to be written to", "open to all"])
def test_what_another_user_is_at_work_on_is_left_alone(
    originals: dict[str, Path], workdir: Path, mode: int, shell: str
) -> None:
    """To kill a process of somebody else is refused even where it lives."""
    target = Path(tempfile.mkdtemp(dir="/tmp"))
    dest = Path(shutil.copytree(originals["gzip"].parent, target / "archive")) / originals["gzip"].name
    try:
        theirs = leftover(target / "shared", os.getpid())
        theirs.chmod(mode)
        for path in (target, target / "shared"):
            path.chmod(0o777)
        ran = subprocess.run(
            command_of(dest, target / "shared", by=shell), user=65534, group=65534, extra_groups=[], capture_output=True
        )
        assert ran.returncode == 0, ran.stderr
        assert b"it is left as it is" in ran.stderr
        assert sorted(os.listdir(target / "shared")) == [theirs.name, ROOT]
        assert (theirs / "data").read_text("utf-8") == "data"
    finally:
        shutil.rmtree(target)


@EACH_SHELL
def test_a_directory_of_another_machine_with_its_own_number_is_left_alone(
    originals: dict[str, Path], workdir: Path, shell: str
) -> None:
    target = workdir / "target"
    target.mkdir()
    mine = 'work=$1/.saved-image-cache.restore.$$; mkdir "$work"; echo other >"$work/host"; shift; exec "$@"'
    dest = originals["gzip"]
    command = ["sh", "-c", mine, "sh", str(target), *command_of(dest, target, by=shell)]
    ran = subprocess.run(command, capture_output=True, text=True)
    assert ran.returncode == 1
    assert "has the name that this run needs and is left as it is" in ran.stderr
    (name,) = os.listdir(target)
    assert (target / name / "host").read_text("utf-8") == "other\n"


@EACH_SHELL
def test_stopped_while_it_checks(originals: dict[str, Path], workdir: Path, shell: str) -> None:
    dest, target = originals["zstd in parts"], workdir / "target"
    path = programs(workdir / "slow", "zstd", shell)
    replace(path, "sha256sum", SLOW)
    with started(dest, target, by=shell, path=path, fifo=workdir / "fifo") as process:
        process.terminate()
        assert process.wait(60) == -signal.SIGTERM
    assert not target.exists()


@EACH_SHELL
def test_a_script_that_is_cut_off_does_nothing(originals: dict[str, Path], workdir: Path, shell: str) -> None:
    """At the end of each tenth line, and without its last line."""
    dest = originals["dir"]
    lines = script_of(dest).read_bytes().splitlines(keepends=True)
    cut = workdir / "cut.sh"
    for length in [*range(0, len(lines) - 1, 10), len(lines) - 1]:
        cut.write_bytes(b"".join(lines[:length]))
        ran = subprocess.run([*command_of(dest, by=shell)[:-1], cut, "target"], cwd=workdir, capture_output=True)
        assert ran.stdout == b""
        assert b"checking" not in ran.stderr
        assert not (workdir / "target").exists()
