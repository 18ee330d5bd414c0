# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The restore script's text; what it does is tried in ``tests/functional/test_restore.py``."""

from __future__ import annotations

import hashlib
import os
import shlex
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.airgap.images.plugins.module_utils._archive.lock import (
    Lock,
    LockedBase,
    LockedImage,
    Requirement,
)
from ansible_collections.airgap.images.plugins.module_utils._archive.names import part_names
from ansible_collections.airgap.images.plugins.module_utils._archive.parts import Part
from ansible_collections.airgap.images.plugins.module_utils._oci.media_types import OCI_INDEX
from ansible_collections.airgap.images.plugins.module_utils._oci.reference import parse_reference
from ansible_collections.airgap.images.plugins.module_utils._report import restore
from ansible_collections.airgap.images.plugins.module_utils._report.restore import restore_script, target_path
from ansible_collections.airgap.images.tests.support import markdown

COLLECTION = Path(__file__).resolve().parents[5]

DIGEST = "sha256:" + "ab" * 32
SHA = "ef" * 32
HOSTILE = '-it\'s a "$HOME" `id` \\n * é;&|<>(){}#!~'
KINDS = ["gzip", "zstd", "none", "dir"]
NAMES = st.text(st.characters(exclude_categories=("Cc", "Cs"), exclude_characters="/"), min_size=1, max_size=20)


def image(reference: str) -> LockedImage:
    return LockedImage(parse_reference(reference), DIGEST, OCI_INDEX, (), ())


def a_lock(
    compress: str, name: str = "images", *, parts: int = 3, references: tuple[str, ...] = ("a.lan/b:1",)
) -> Lock:
    names = part_names(name, parts, split=True, digits=None)
    if compress == "dir":
        names = ["index.json", f"{'0' * 64}/index.json", *(f"share/sha256/{number}" for number in range(parts))]
    return Lock(
        options={"compress": compress},
        images=tuple(image(reference) for reference in references),
        blobs={DIGEST: 5000},
        parts=tuple(Part(each, 10, SHA) for each in names),
    )


def a_bundle(compress: str, name: str = "images") -> Lock:
    """A lock file that leaves out two layers."""
    base = (LockedBase(HOSTILE, SHA, has_receipt=True), LockedBase("b.tar", SHA, has_receipt=False))
    requires = {
        DIGEST: Requirement(7, ("a.lan/b",), HOSTILE, (f"{HOSTILE}.part1", f"{HOSTILE}.part2")),
        f"sha256:{SHA}": Requirement(8, (), "b.tar", ("b.tar",)),
    }
    return replace(a_lock(compress, name), base=base, requires=requires)


def body(script: bytes, function: str) -> list[str]:
    """The lines of a function."""
    lines = script.decode().split("\n")
    start = lines.index(f"{function}() {{") + 1
    return lines[start : lines.index("}", start)]


def shellcheck(script: bytes, dialect: str) -> str:
    command = ["shellcheck", "--norc", "-s", dialect, "-"]
    return subprocess.run(command, input=script, capture_output=True, check=False).stdout.decode()


@pytest.mark.parametrize(
    ("compress", "dialect"),
    [
        *(pytest.param(each, "sh", marks=pytest.mark.thorough) for each in ("gzip", "zstd", "none")),
        ("dir", "sh"),
        ("gzip", "busybox"),
        pytest.param("gzip", "bash", marks=pytest.mark.thorough),
    ],
)
def test_shellcheck_finds_nothing(compress: str, dialect: str) -> None:
    references = ("a.lan/b:1", f"a.lan/b@{DIGEST}", "[2001:db8::1]:5000/c:x")
    for lock in (
        a_lock(compress, HOSTILE, references=references),
        a_bundle(compress, HOSTILE),
        replace(a_lock(compress), failed=("a.lan/lost:1", HOSTILE), images=()),
    ):
        assert shellcheck(restore_script(HOSTILE, lock), dialect) == ""


def test_shellcheck_finds_what_is_there() -> None:
    assert "SC2086" in shellcheck(b"#!/bin/sh\necho $1\n", "sh")


def test_a_bundle_asks_for_what_it_leaves_out() -> None:
    """By size, and with the name of what carried it; a full archive asks for nothing."""
    script = restore_script("images", a_bundle("gzip"))
    told = [shlex.split(line) for line in body(script, "each_required")]
    assert told == [
        [f"where_0={HOSTILE} ({HOSTILE}.part1, {HOSTILE}.part2)"],
        ["where_1=b.tar"],
        ["one_required", "ab" * 32, "7", "$where_0"],
        ["one_required", SHA, "8", "$where_1"],
    ]
    assert b"required" not in restore_script("images", a_lock("gzip"))


@pytest.mark.parametrize("compress", KINDS)
def test_equal_archives_have_equal_scripts(compress: str) -> None:
    lock = a_lock(compress)
    assert restore_script("images", lock) == restore_script("images", replace(lock))
    other = replace(lock, parts=(*lock.parts[:-1], replace(lock.parts[-1], sha256="00" * 32)))
    assert restore_script("images", lock) != restore_script("images", other)


@settings(deadline=None)
@given(name=NAMES)
def test_names_arrive_as_they_are(name: str) -> None:
    """In whatever characters, but for those that no line can have."""
    lock = a_lock("gzip", name)
    script = restore_script(name, lock)
    for line, part in zip(body(script, "each_file")[2:], lock.parts):
        assert shlex.split(line) == ["one_file", part.sha256, str(part.size), part.name]
    assert f"\narchive={shlex.quote(name)}\n" in script.decode()


def test_a_name_that_is_no_text_keeps_its_bytes() -> None:
    name = b"r\xe9sum\xe9".decode("utf-8", "surrogateescape")
    assert b"\narchive='r\xe9sum\xe9'\n" in restore_script(name, a_lock("gzip", name))


def test_a_directory_and_what_is_above_it_are_made_in_this_order() -> None:
    made = [shlex.split(line)[1] for line in body(restore_script("images", a_lock("dir")), "make_directories")]
    assert made == ["$1", f"$1/{'0' * 64}", "$1/share", "$1/share/sha256"]


@pytest.mark.parametrize(
    ("compress", "programs"),
    [("gzip", {"tar", "gzip"}), ("zstd", {"tar", "zstd"}), ("none", {"tar"}), ("dir", set())],
)
def test_programs(compress: str, programs: set[str]) -> None:
    (line,) = body(restore_script("images", a_lock(compress)), "need_all")
    assert set(line.split()) == {"need", "sha256sum", "cat", "mkdir", "mv", "rm", "ln"} | programs


@pytest.mark.parametrize(
    ("reference", "path"),
    [
        ("nginx:1", "library/nginx:1"),
        (f"reg.lan:5000/a/b:1@{DIGEST}", "a/b:1"),
        (f"reg.lan/a/b@{DIGEST}", f"a/b:digest-{'ab' * 32}"),
    ],
)
def test_where_images_go(reference: str, path: str) -> None:
    assert target_path(parse_reference(reference)) == path


def test_the_loop_that_is_printed_is_that_of_the_pages() -> None:
    """But for the names, and for how it ends where somebody has pasted it."""
    start = 'quote() { printf %s "$1"; }; script=SCRIPT after= copy="skopeo copy --all --preserve-digests oci:LAYOUT:"'
    script = "\n".join([start, *restore._loop([parse_reference(f"a.lan/b@{DIGEST}")])])
    printed = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True)
    guide = (COLLECTION / "docs" / "guides" / "registry.md").read_text("utf-8")
    (block,) = (each.text for each in markdown.blocks(guide) if each.text.startswith("# load.sh"))
    names = {'"$1"': "SCRIPT", '"$2"/saved-image-cache': "LAYOUT", '"$3"': "REGISTRY", "|| exit": "|| break"}
    for written, name in names.items():
        block = block.replace(written, name)
    documented = [line.strip() for line in block.splitlines() if not line.startswith(("#", "set "))]
    assert [line.strip() for line in printed.stdout.splitlines()] == documented


def test_the_number_of_lines_that_tell_progress_is_bounded() -> None:
    def step(parts: int) -> int:
        lines = restore_script("images", a_lock("gzip", parts=parts)).decode().split("\n")
        return int(next(line for line in lines if line.startswith("step=")).partition("=")[2])

    assert [step(parts) for parts in (1, 99, 100, 1000, 10_000)] == [1, 1, 2, 11, 101]


def test_the_script_grows_with_the_parts_and_not_faster() -> None:
    small, large = (len(restore_script("images", a_lock("gzip", parts=parts))) for parts in (1000, 10_000))
    assert large < 10.5 * small


def test_shellcheck_finds_nothing_in_the_functions_for_parity_files() -> None:
    lock = a_lock("gzip", HOSTILE)
    parts = tuple(Part(f"{HOSTILE}.part{number:02d}", 5, "ab" * 32) for number in range(41))
    parity = tuple(Part(f"{HOSTILE}.parity{number}", 5, "cd" * 32) for number in range(2))
    script = restore_script(HOSTILE, replace(lock, parts=parts, parity=parity))
    assert shellcheck(script, "sh") == ""
    calls = [
        line.split() for line in script.decode("utf-8", "surrogateescape").splitlines() if "one_group cdcd" in line
    ]
    assert [call[-3:] for call in calls] == [["1", "2", "21"], ["2", "2", "20"]]


def many_files(folder: Path, name: str, count: int) -> Lock:
    """Make a directory of many files, as a restore finds it; returns its lock file."""
    lock = a_lock("dir", name, parts=count)
    parts = []
    for number, part in enumerate(lock.parts):
        path = folder / name / part.name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"content %d\n" % number)
        raw = path.read_bytes()
        parts.append(replace(part, size=len(raw), sha256=hashlib.sha256(raw).hexdigest()))
    lock = replace(lock, parts=tuple(parts))
    (folder / "restore.sh").write_bytes(restore_script(name, lock))
    return lock


def check_of(folder: Path) -> tuple[subprocess.CompletedProcess[str], int]:
    """Have the script check all files.

    :returns: the outcome, and how many programs have computed checksums.
    """
    bin_folder = folder / "bin"
    bin_folder.mkdir(exist_ok=True)
    wrapper = bin_folder / "sha256sum"
    wrapper.write_text(f'#!/bin/sh\necho called >>"{folder}/calls"\nexec {shutil.which("sha256sum")} "$@"\n')
    wrapper.chmod(0o755)
    (folder / "calls").write_text("")
    done = subprocess.run(
        ["sh", str(folder / "restore.sh"), "--check"],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": f"{bin_folder}:{os.environ['PATH']}"},
    )
    return done, len((folder / "calls").read_text().splitlines())


@pytest.mark.parametrize("name", ["images", "im ages", "im\\ages", "-n"])
def test_one_program_checks_many_files(tmp_path: Path, name: str) -> None:
    lock = many_files(tmp_path, name, 250)
    done, calls = check_of(tmp_path)
    total = len(lock.parts)
    assert done.returncode == 0 and calls == 1, done.stderr
    assert done.stderr.endswith(f"all {total} files are whole\n")
    assert f"checking file 1 of {total}: {name}".rstrip() in done.stderr.replace("\\\\", "\\")
    assert len(done.stderr.splitlines()) <= 101


def test_of_many_files_each_one_that_is_wrong_is_named(tmp_path: Path) -> None:
    lock = many_files(tmp_path, "images", 250)
    total = len(lock.parts)
    (tmp_path / "images" / "share" / "sha256" / "7").write_bytes(b"cOntent 9\n")
    (tmp_path / "images" / "share" / "sha256" / "8").write_bytes(b"")
    done, calls = check_of(tmp_path)
    assert done.returncode == 1 and calls == total + 1
    assert "damaged: images/share/sha256/7 has the right size, but not the sha256 " in done.stderr
    assert "damaged: images/share/sha256/8 has 0 bytes instead of 11" in done.stderr
    assert f"of {total} files, 0 are missing and 2 are damaged" in done.stderr
    (tmp_path / "images" / "share" / "sha256" / "9").unlink()
    done, calls = check_of(tmp_path)
    assert "missing: images/share/sha256/9" in done.stderr and calls == total - 1
    assert f"of {total} files, 1 are missing and 2 are damaged" in done.stderr


def test_few_files_are_named_as_they_are_read(tmp_path: Path) -> None:
    lock = many_files(tmp_path, "images", 20)
    assert check_of(tmp_path)[1] == len(lock.parts)
