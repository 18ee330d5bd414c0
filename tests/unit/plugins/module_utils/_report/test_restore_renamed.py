# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Restore scripts where parts have other numbers, as an earlier archive of the same name had them."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from collections import Counter
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import pytest

from ansible_collections.airgap.images.plugins.module_utils._archive.parity import xor
from ansible_collections.airgap.images.plugins.module_utils._archive.parts import Part
from ansible_collections.airgap.images.plugins.module_utils._report.restore import restore_script
from ansible_collections.airgap.images.tests.support.archive import read_archive
from ansible_collections.airgap.images.tests.unit.carried import Carried, carry

SHELLS = {
    "dash": ["dash"],
    "busybox": ["busybox", "sh"],
    "bash": ["bash", "--posix"],
    "ksh": ["ksh93"],
    "mksh": ["mksh"],
    "zsh": ["zsh"],
}


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Carried:
    """An archive with a part for each of three images, one before and one behind."""
    place = tmp_path_factory.mktemp("saved")
    carried = carry(place, "gzip by image", dest=str(place / "out" / "it's an image.tar.gz"))
    Path(f"{carried.dest}.restore.sh").write_bytes(restore_script(carried.dest.name, carried.lock))
    return carried


@pytest.fixture
def folder(saved: Carried, tmp_path: Path) -> Path:
    return Path(shutil.copytree(saved.dest.parent, tmp_path / "carried"))


def part(folder: Path, saved: Carried, number: int) -> Path:
    return folder / f"{saved.dest.name}.part{number}"


def run(
    folder: Path, saved: Carried, *arguments: str, shell: str = "dash", programs: Path | None = None
) -> tuple[int, str]:
    script = str(folder / f"{saved.dest.name}.restore.sh")
    program, *options = SHELLS[shell]
    done = subprocess.run(
        [str(shutil.which(program)), *options, script, *arguments],
        env={"PATH": f"{programs}:{os.environ['PATH']}" if programs else os.environ["PATH"]},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stderr


def shift(folder: Path, saved: Carried) -> None:
    """Let all parts but the first have the next number, and a part of another archive the second."""
    for number in reversed(range(1, len(saved.parts))):
        part(folder, saved, number).rename(part(folder, saved, number + 1))
    part(folder, saved, 1).write_bytes(b"of an image that has left the list")


def content(place: Path) -> dict[str, str]:
    return {member.name: member.sha256 for member in read_archive(place).members}


@pytest.mark.parametrize("dialect", ["sh", "busybox"])
def test_shellcheck_finds_nothing(saved: Carried, dialect: str) -> None:
    script = f"{saved.dest}.restore.sh"
    command = ["shellcheck", "--norc", "-s", dialect, script]
    assert subprocess.run(command, capture_output=True, text=True, check=False).stdout == ""


def test_parts_of_equal_size_have_no_other_numbers(tmp_path: Path) -> None:
    """What is missing is named before anything is read, although other parts have its size."""
    carried = carry(tmp_path, "gzip in parts")
    folder = carried.dest.parent
    (folder / f"{carried.dest.name}.restore.sh").write_bytes(restore_script(carried.dest.name, carried.lock))
    carried.parts[1].unlink()
    status, said = run(folder, carried, "--check")
    assert status == 1
    assert said.splitlines()[0] == f"missing: {carried.parts[1].name}"


@pytest.mark.parametrize("shell", SHELLS)
def test_parts_with_other_numbers_are_read_where_they_are(
    folder: Path, saved: Carried, tmp_path: Path, shell: str
) -> None:
    shift(folder, saved)
    before = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    status, said = run(folder, saved, str(tmp_path / "restored"), shell=shell)
    assert status == 0, said
    assert "3 of them are here under other numbers, and are read there\nall 4 files are whole\n" in said
    assert "missing" not in said and "damaged" not in said
    assert content(tmp_path / "restored") == content(saved.dest)
    assert {path.name: path.stat().st_mtime_ns for path in folder.iterdir()} == before


def test_old_parts_out_of_the_way_of_new_ones(folder: Path, saved: Carried, tmp_path: Path) -> None:
    """As the guide has it: old parts get larger numbers, and then the new ones are copied beside them."""
    new = part(folder, saved, 1).read_bytes()
    for number in (0, 2, 3):
        part(folder, saved, number).rename(part(folder, saved, number * 10_000 + 10_000))
    part(folder, saved, 50_000).write_bytes(bytes(len(new)))
    assert part(folder, saved, 1).read_bytes() == new
    status, said = run(folder, saved, str(tmp_path / "restored"))
    assert status == 0, said
    assert "3 of them are here" in said
    assert content(tmp_path / "restored") == content(saved.dest)


def counting(folder: Path) -> Path:
    """A sha256sum that writes down what it reads."""
    folder.mkdir()
    program = folder / "sha256sum"
    program.write_text(f'#!/bin/sh\nreadlink /proc/self/fd/0 >>{folder}/read\nexec {shutil.which("sha256sum")} "$@"\n')
    program.chmod(0o755)
    return folder


def test_no_file_is_read_twice_and_none_in_vain(folder: Path, saved: Carried, tmp_path: Path) -> None:
    shift(folder, saved)
    part(folder, saved, 0).rename(part(folder, saved, 17))
    part(folder, saved, 99).write_bytes(b"no part has this size")
    programs = counting(tmp_path / "bin")
    assert run(folder, saved, "--check", programs=programs)[0] == 0
    read = Counter(Path(line).name for line in (programs / "read").read_text().splitlines())
    numbers = (17, 2, 3, 4)
    assert read == Counter({part(folder, saved, number).name: 1 for number in numbers}), "part 1 has another size"


@pytest.mark.parametrize("shell", ["dash", "busybox", "bash"])
def test_what_is_not_there_under_any_number_is_named(folder: Path, saved: Carried, tmp_path: Path, shell: str) -> None:
    shift(folder, saved)
    name = saved.dest.name
    right = part(folder, saved, 3).read_bytes()
    part(folder, saved, 30).write_bytes(right[:-1] + bytes([right[-1] ^ 1]))
    part(folder, saved, 3).unlink()
    part(folder, saved, 4).unlink()
    status, said = run(folder, saved, str(tmp_path / "restored"), shell=shell)
    assert status == 1
    assert f"missing: {name}.part3\n" in said
    assert f"damaged: {name}.part2 has " in said
    assert "error: of 4 files, 1 are missing and 1 are damaged" in said
    assert not (tmp_path / "restored").exists()


def test_a_part_of_the_right_size_alone_is_missing(folder: Path, saved: Carried) -> None:
    part(folder, saved, 2).rename(part(folder, saved, 20))
    with part(folder, saved, 20).open("r+b") as file:
        file.write(b"x")
    status, said = run(folder, saved, "--check")
    assert status == 1
    assert f"missing: {saved.dest.name}.part2\n" in said


@pytest.mark.parametrize("kind", ["pipe", "directory", "link to nothing"])
def test_what_is_no_file_is_not_waited_for(folder: Path, saved: Carried, kind: str) -> None:
    """Parts are found under their own numbers then, as ever."""
    odd = part(folder, saved, 77)
    if kind == "pipe":
        os.mkfifo(odd)
    elif kind == "directory":
        odd.mkdir()
    else:
        odd.symlink_to("nowhere")
    assert run(folder, saved, "--check")[0] == 0
    part(folder, saved, 1).rename(part(folder, saved, 8))
    status, said = run(folder, saved, "--check")
    assert status == 1
    assert said.count("missing: ") == 1 and "damaged: " not in said


def test_without_wc_parts_are_found_under_their_own_numbers(folder: Path, saved: Carried, tmp_path: Path) -> None:
    shift(folder, saved)
    programs = counting(tmp_path / "bin")
    (programs / "wc").write_text("#!/bin/sh\nexit 127\n")
    (programs / "wc").chmod(0o755)
    status, said = run(folder, saved, "--check", programs=programs)
    assert status == 1
    assert "error: of 4 files, 0 are missing and 3 are damaged" in said


def test_a_part_that_is_made_again_takes_the_place_of_no_other(folder: Path, saved: Carried, tmp_path: Path) -> None:
    """Under its number there is another one, which is read there."""
    data = [path.read_bytes() for path in saved.parts]
    raw = b"".join(xor([BytesIO(one) for one in data]))
    name = f"{saved.dest.name}.parity"
    (folder / name).write_bytes(raw)
    lock = replace(saved.lock, parity=(Part(name, len(raw), hashlib.sha256(raw).hexdigest()),))
    (folder / f"{saved.dest.name}.restore.sh").write_bytes(restore_script(saved.dest.name, lock))
    shift(folder, saved)
    part(folder, saved, 2).unlink()  # the first image
    part(folder, saved, 3).rename(part(folder, saved, 1))  # the second one, where the first one was to be
    status, said = run(folder, saved, "--rebuild")
    assert status == 0, said
    assert part(folder, saved, 1).read_bytes() == data[2]
    assert part(folder, saved, 10).read_bytes() == data[1]
    status, said = run(folder, saved, str(tmp_path / "restored"))
    assert status == 0, said
    assert content(tmp_path / "restored") == content(saved.dest)
