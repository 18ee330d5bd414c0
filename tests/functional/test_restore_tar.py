# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tar that the restore script writes. What containerd, podman and buildah do with it is in
test_restore_consumers.py."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from ansible_collections.airgap.images.tests.functional._helpers import flip, snapshot
from ansible_collections.airgap.images.tests.functional._restore import (
    KINDS,
    SAVED,
    SHELLS,
    SLOW,
    kind_of,
    programs,
    replace,
    run,
    script_of,
    started,
    tar_files,
    tar_of,
)
from ansible_collections.airgap.images.tests.support.disks import resize, small_disk

pytestmark = pytest.mark.spread

EACH_SHELL = pytest.mark.parametrize("shell", SHELLS)
EACH_KIND = pytest.mark.parametrize("kind", KINDS)
FORMS = pytest.mark.parametrize("kind", ["gzip in parts", "dir"])
TARS = {"GNU": ["tar"], "busybox": ["busybox", "tar"], "bsdtar": ["bsdtar"]}


@pytest.fixture
def archives(restorable: dict[str, Path]) -> dict[str, Path]:
    """An archive of each kind with its script. They must not be written to."""
    return restorable


@pytest.mark.each_value
@EACH_SHELL
@EACH_KIND
def test_holds_the_layout_with_all_blobs(archives: dict[str, Path], workdir: Path, kind: str, shell: str) -> None:
    """With nothing installed but what it says it needs; and nothing else is left, here or beside the archive."""
    dest = archives[kind]
    before = snapshot(dest.parent)
    path = programs(workdir / "bin", kind_of(dest), shell)
    if kind == "dir":
        (path / "tar").symlink_to(str(shutil.which("busybox" if shell == "busybox" else "tar")))
    ran = run(dest, "--oci-tar", workdir / "new" / "it's all.tar", by=shell, path=path)
    assert ran.status == 0, ran.err
    assert os.listdir(workdir / "new") == ["it's all.tar"]
    assert tar_files(workdir / "new" / "it's all.tar") == tar_of(dest)
    assert snapshot(dest.parent) == before
    assert ran.out.startswith(f"{workdir}/new/it's all.tar is whole: {len(SAVED)} images.\n")


@pytest.mark.each_value
@pytest.mark.parametrize("tar", TARS)
@FORMS
def test_each_tar_writes_it(archives: dict[str, Path], workdir: Path, kind: str, tar: str) -> None:
    """The one that is called tar may be one of several; for the line that is printed after unpacking as well."""
    dest = archives[kind]
    path = programs(workdir / "bin", kind_of(dest))
    (path / "tar").unlink(missing_ok=True)
    program, *arguments = TARS[tar]
    (path / "tar").write_text(f'#!/bin/sh\nexec {shutil.which(program)} {shlex.join(arguments)} "$@"\n', "utf-8")
    (path / "tar").chmod(0o755)
    ran = run(dest, "--oci-tar", workdir / "all.tar", path=path)
    assert ran.status == 0, ran.err
    assert tar_files(workdir / "all.tar") == tar_of(dest)
    ran = run(dest, workdir / "target", path=path)
    assert ran.status == 0, ran.err
    (line,) = [command for command in ran.commands if " && tar " in command]
    subprocess.run(["/bin/sh", "-c", line], env={"PATH": str(path)}, check=True)
    assert tar_files(workdir / "target" / "images.tar") == tar_of(dest)


def test_of_a_directory_nothing_is_copied(archives: dict[str, Path], workdir: Path) -> None:
    """Files on the medium are read from there; cat is what copies files."""
    dest = archives["dir"]
    path = programs(workdir / "bin", "dir")
    (path / "tar").symlink_to(str(shutil.which("tar")))
    replace(path, "cat", "sys.exit(9)\n")
    ran = run(dest, "--oci-tar", "all.tar", path=path, cwd=workdir)
    assert ran.status == 0, ran.err
    assert tar_files(workdir / "all.tar") == tar_of(dest)


@EACH_SHELL
def test_where_it_may_be_written(archives: dict[str, Path], workdir: Path, shell: str) -> None:
    """Files that are there stay; names that cannot be are refused before anything is checked."""
    dest = archives["gzip"]
    (workdir / "there.tar").write_text("stays", "utf-8")
    (workdir / "directory").mkdir()
    (workdir / "dangling").symlink_to("nowhere")
    for name in ("there.tar", "directory", "dangling", "there.tar/below.tar"):
        ran = run(dest, "--oci-tar", name, by=shell, cwd=workdir)
        assert (ran.status, ran.out) == (1, ""), name
        assert "checking" not in ran.err
        assert "already exists and is left as it is" in ran.err or "is not a directory. Name another FILE" in ran.err
    for arguments in (["--oci-tar"], ["--oci-tar", ""], ["--oci-tar", "a/"], ["--oci-tar", "a:b.tar"]):
        ran = run(dest, *arguments, by=shell, cwd=workdir)
        assert (ran.status, ran.out) == (2, ""), arguments
        assert "usage: sh " in ran.err
    assert run(dest, "--oci-tar", "one.tar", "two", by=shell, cwd=workdir).status == 2
    assert (workdir / "there.tar").read_text("utf-8") == "stays"
    assert sorted(os.listdir(workdir)) == ["dangling", "directory", "there.tar"]
    ran = run(dest, "--oci-tar", "with:colon/-dash.tar", by=shell, cwd=workdir)
    assert ran.status == 0, ran.err
    assert tar_files(workdir / "with:colon" / "-dash.tar") == tar_of(dest)
    lines = [shlex.split(line.strip("()")) for line in ran.commands if "oci-archive:" in line]
    assert [line[:3] for line in lines] == [["cd", "./with:colon", "&&"]] * 2
    assert all(line[-1].startswith("oci-archive:./-dash.tar:") for line in lines)


@FORMS
def test_what_is_damaged_is_named_and_nothing_written(archives: dict[str, Path], workdir: Path, kind: str) -> None:
    dest = Path(shutil.copytree(archives[kind].parent, workdir / "copy", symlinks=True)) / archives[kind].name
    line = Path(f"{dest}.sha256").read_text("utf-8").splitlines()[3]
    flip(dest.parent / line.partition("  ")[2])
    ran = run(dest, "--oci-tar", workdir / "out" / "all.tar")
    assert (ran.status, ran.err.count("damaged: ")) == (1, 1)
    assert not (workdir / "out").exists()


@EACH_SHELL
@FORMS
def test_a_full_disk(archives: dict[str, Path], workdir: Path, kind: str, shell: str) -> None:
    """Nothing of it is left, and with more room it goes on."""
    dest, disk = archives[kind], workdir / "disk"
    size = sum(path.stat().st_size for path in (archives["dir"] / "share" / "sha256").iterdir())
    with small_disk(disk, size + size // 2 if kind != "dir" else size // 2):
        ran = run(dest, "--oci-tar", disk / "all.tar", by=shell)
        assert ran.status == 1
        assert os.listdir(disk) == []
        if kind != "dir":  # there, links to long paths may take all the room before it is written
            assert "writing the tar" in ran.err
        assert "cannot write " in ran.err.splitlines()[-1]
        resize(disk, size=8 * 1024 * 1024)
        assert run(dest, "--oci-tar", disk / "all.tar", by=shell).status == 0
        assert tar_files(disk / "all.tar") == tar_of(dest)


@EACH_SHELL
@FORMS
def test_a_run_that_is_stopped_clears_up(archives: dict[str, Path], workdir: Path, kind: str, shell: str) -> None:
    """While the tar is being written."""
    dest, target = archives[kind], workdir / "target"
    path = programs(workdir / "slow", kind_of(dest), shell)
    if kind == "dir":
        (path / "tar").symlink_to(str(shutil.which("tar")))
    writes = "if '-x' in sys.argv: sys.exit(subprocess.run([*REAL, *sys.argv[1:]]).returncode)\n"
    made = "subprocess.run([*REAL, *sys.argv[1:]], stdout=-1).stdout"
    replace(path, "tar", writes + SLOW.replace("sys.stdin.buffer.read()", made))
    with started(dest, "--oci-tar", target / "all.tar", by=shell, path=path, fifo=workdir / "fifo") as process:
        assert os.listdir(target) == [f".saved-image-cache.restore.{process.pid}"]
        process.terminate()
        assert process.wait(60) == 128 + signal.SIGTERM
        assert process.stderr is not None
        assert b"stopped by SIGTERM; nothing is left of it in " in process.stderr.read()
        assert os.listdir(target) == []


def test_programs_that_are_missing_are_named_at_once(archives: dict[str, Path], workdir: Path) -> None:
    """A directory needs tar for this, and for nothing else."""
    dest = archives["dir"]
    path = programs(workdir / "bin", "dir")
    ran = run(dest, "--oci-tar", workdir / "all.tar", path=path)
    assert (ran.status, ran.err) == (1, "error: not found, but needed: tar. Install them. Nothing was done\n")
    assert run(dest, workdir / "target", path=path).status == 0
    assert script_of(dest).is_file()
