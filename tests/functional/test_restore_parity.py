# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The restore script makes a lost part again from a parity file, or says why it cannot."""

from __future__ import annotations

import hashlib
import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Callable

import pytest

from ansible_collections.airgap.images.plugins.module_utils._archive.lock_file import read_lock
from ansible_collections.airgap.images.plugins.module_utils._archive.parts import Part
from ansible_collections.airgap.images.plugins.module_utils._report.restore import restore_script
from ansible_collections.airgap.images.tests.functional._helpers import flip, snapshot
from ansible_collections.airgap.images.tests.functional._restore import (
    LOGIN_SHELLS,
    SHELLS,
    Ran,
    content,
    programs,
    run,
    script_of,
    tar_files,
    tar_of,
    unpacked,
)
from ansible_collections.airgap.images.tests.support.archive import archive_files

KIND = "none in parts"
PARTS = 43
LOSSES: dict[str, Callable[[Path], object]] = {
    "removed": Path.unlink,
    "cut off": lambda path: os.truncate(path, path.stat().st_size - 1),
    "one bit turned": flip,
}


def xor(paths: list[Path]) -> bytes:
    whole = 0
    for path in paths:
        whole ^= int.from_bytes(path.read_bytes(), "little")
    return whole.to_bytes(max(path.stat().st_size for path in paths), "little")


@pytest.fixture
def dest(restorable: dict[str, Path], workdir: Path) -> Path:
    """A copy of an archive in parts, with two parity files and the script that goes with them."""
    original = restorable[KIND]
    dest = shutil.copytree(original.parent, workdir / "the stick") / original.name
    lock_file = Path(f"{dest}.lock.json")
    lock = read_lock(lock_file.read_bytes(), path=str(lock_file))
    parts = recut(dest)
    groups = len(parts) // 20
    files = []
    for group in range(groups):
        path = parity_of(dest, group)
        path.write_bytes(xor(parts[group::groups]))
        files.append(recorded(path))
    lock = replace(lock, parts=tuple(map(recorded, parts)), parity=tuple(files))
    script_of(dest).write_bytes(restore_script(dest.name, lock))
    return dest


def recut(dest: Path) -> list[Path]:
    """Cut an archive into so many parts that there are two parity files."""
    joined = b"".join(path.read_bytes() for path in archive_files(dest))
    for path in archive_files(dest):
        path.unlink()
    size = len(joined) // PARTS + 1
    pieces = [joined[start : start + size] for start in range(0, len(joined), size)]
    for number, piece in enumerate(pieces):
        dest.with_name(f"{dest.name}.part{number:02d}").write_bytes(piece)
    return archive_files(dest)


def recorded(path: Path) -> Part:
    return Part(path.name, path.stat().st_size, hashlib.sha256(path.read_bytes()).hexdigest())


def parity_of(dest: Path, part: int) -> Path:
    return dest.with_name(f"{dest.name}.parity{part % 2}")


def with_programs(folder: Path, *names: str, shell: str = "dash") -> Path:
    """A folder for PATH with what the script needs in any case, and these programs."""
    path = programs(folder, "none", shell)
    for name in names:
        real = shutil.which(name)
        assert real is not None, f"{name} is not installed here"
        # A Python of pyenv or of a virtual environment finds its library by the path that it is called by.
        (path / name).write_text(f'#!/bin/sh\nexec {real} "$@"\n')
        (path / name).chmod(0o755)
    return path


@pytest.mark.each_value
@pytest.mark.parametrize("program", ["python3", "perl"])
@pytest.mark.parametrize("shell", [*SHELLS, *LOGIN_SHELLS])
@pytest.mark.parametrize("loss", LOSSES)
def test_one_lost_part_is_made_again(dest: Path, workdir: Path, program: str, shell: str, loss: str) -> None:
    whole = content(dest)
    path = with_programs(workdir / "bin", program, shell=shell)
    lost = archive_files(dest)[-1 if loss == "cut off" else 3]
    LOSSES[loss](lost)
    before = snapshot(dest.parent)
    ran = run(dest, workdir / "it's here", by=shell, path=path)
    assert ran.status == 0, ran.err
    assert unpacked(workdir / "it's here") == whole
    assert f"making {lost.name} again from {dest.name}.parity" in ran.err
    assert snapshot(dest.parent) == before, "nothing is written beside the script"


@pytest.mark.thorough
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("program", ["python3", "perl"])
def test_each_part_in_turn(dest: Path, workdir: Path, loss: str, program: str) -> None:
    path = with_programs(workdir / "bin", program)
    for number, part in enumerate(archive_files(dest)):
        raw = part.read_bytes()
        LOSSES[loss](part)
        ran = run(dest, "--rebuild", path=path)
        assert ran.status == 0, ran.err
        assert part.read_bytes() == raw, number


def test_a_lost_part_of_each_group_is_made_again_beside_the_script(dest: Path) -> None:
    parts = archive_files(dest)
    assert len(parts) == PARTS
    before = {path: path.read_bytes() for path in dest.parent.iterdir()}
    parts[0].unlink()
    flip(parts[3])
    checked = run(dest, "--check")
    assert checked.status == 1 and "Call this script with TARGET_DIR" in checked.err.splitlines()[-1]
    ran = run(dest, "--rebuild")
    assert ran.status == 0, ran.err
    assert {path: path.read_bytes() for path in dest.parent.iterdir()} == before
    assert run(dest, "--check").status == 0
    again = run(dest, "--rebuild")
    assert (again.status, again.err.splitlines()[-1]) == (0, f"all {len(parts)} files are whole")


def test_the_tar_is_written_from_parts_that_were_made_again(dest: Path, workdir: Path) -> None:
    expected = tar_of(dest)
    archive_files(dest)[1].unlink()
    ran = run(dest, "--oci-tar", workdir / "all.tar")
    assert ran.status == 0, ran.err
    assert tar_files(workdir / "all.tar") == expected
    assert sorted(path.name for path in workdir.iterdir()) == ["all.tar", "the stick"]


def refused(ran: Ran, target: Path) -> list[str]:
    assert (ran.status, ran.out) == (1, "") and not target.exists(), ran.err
    assert ran.err.splitlines()[-1].startswith("error: of ") and "Copy them again" in ran.err
    return ran.err.splitlines()


def test_what_cannot_be_made_again_is_said(dest: Path, workdir: Path) -> None:
    parts, target = archive_files(dest), workdir / "target"
    parity = parity_of(dest, 0)
    raw = parity.read_bytes()
    parts[0].unlink()
    lines = refused(run(dest, target, path=programs(workdir / "neither", "none")), target)
    assert any("but neither python3 nor perl was found" in line for line in lines)
    flip(parity)
    said = f"{parity.name}, from which the lost file could be made again"
    assert f"damaged: {said}" in refused(run(dest, target), target)
    parity.unlink()
    assert f"missing: {said}" in refused(run(dest, target), target)
    parity.write_bytes(raw)
    parts[2].unlink()
    only = f"2 lost files belong to {parity.name}, from which only one can be made again"
    assert only in refused(run(dest, target), target)


def test_parity_files_are_not_needed_where_nothing_is_lost(dest: Path, workdir: Path) -> None:
    parity = parity_of(dest, 0)
    flip(parity)
    checked = run(dest, "--check")
    assert checked.status == 0
    assert f"damaged: {parity.name}, from which a lost file could be made again" in checked.err
    parity.unlink()
    checked = run(dest, "--check")
    assert checked.status == 0
    assert f"not here: {parity.name}, from which a lost file could be made again" in checked.err.splitlines()
    assert run(dest, workdir / "target").status == 0


def test_what_was_made_wrong_is_not_used(dest: Path, workdir: Path) -> None:
    """A program that is not what its name says."""
    archive_files(dest)[0].unlink()
    path = with_programs(workdir / "bin")
    (path / "python3").write_text("#!/bin/sh\nwhile read -r _; do :; done; echo wrong\n")
    (path / "python3").chmod(0o755)
    target = workdir / "target"
    ran = run(dest, target, path=path)
    assert ran.status == 1 and os.listdir(target) == []
    assert "its sha256 is wrong" in ran.err.splitlines()[-1]


def test_an_archive_without_parity_files_says_so(restorable: dict[str, Path]) -> None:
    ran = run(restorable[KIND], "--rebuild")
    assert ran.status == 2 and "there are no parity files" in ran.err
