# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The archive that stands: is it still what its lock file says?"""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path
from typing import Any, Callable

import pytest

from ansible_collections.airgap.images.plugins.module_utils._archive.lock import WRITER, Lock
from ansible_collections.airgap.images.plugins.module_utils._archive.lock_file import write_lock
from ansible_collections.airgap.images.plugins.module_utils._archive.names import (
    checksum_lines,
    path_of,
    stale_names,
)
from ansible_collections.airgap.images.plugins.module_utils._archive.output import Output
from ansible_collections.airgap.images.plugins.module_utils._archive.parts import Part
from ansible_collections.airgap.images.plugins.module_utils._base.errors import OptionError
from ansible_collections.airgap.images.plugins.module_utils._host.verified_files import VerifiedFiles
from ansible_collections.airgap.images.plugins.module_utils._publish.companions import make_companions
from ansible_collections.airgap.images.plugins.module_utils._publish.published import inspect, is_rewritten
from ansible_collections.airgap.images.tests.unit.fakes import make_options


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def archive(folder: Path, names: dict[str, bytes], writer: int = WRITER, **options: Any) -> Output:
    """Files as they stand after a run."""
    output = make_options(folder, **{"compress": "none", **options}).output
    parts = tuple(Part(name, len(data), sha256(data)) for name, data in names.items())
    for part in parts:
        path = Path(path_of(output, part))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(names[part.name])
    lock = Lock({}, (), parts=parts, writer=writer)
    Path(output.lock_file).write_bytes(write_lock(lock))
    for suffix, pieces in make_companions(output.name, lock, hashlib.sha256(write_lock(lock)).hexdigest(), None):
        Path(f"{output.dest}{suffix}").write_bytes(b"".join(pieces))
    Path(output.checksum_file).write_bytes(checksum_lines(output, parts))
    return output


@pytest.fixture
def output(tmp_path: Path) -> Output:
    names = {"images.tar.part0": b"abcd", "images.tar.part1": b"ef"}
    return archive(tmp_path, names, part_size="4B")


@pytest.fixture
def memory(tmp_path: Path) -> VerifiedFiles:
    return VerifiedFiles(str(tmp_path))


def test_an_archive_that_is_whole(output: Output, memory: VerifiedFiles) -> None:
    for verify in ("digest", "size"):
        published = inspect(output, memory, verify=verify)
        assert published.lock is not None
        assert (published.damage, published.untidy) == ("", ())


def replaced_by_link(path: Path) -> None:
    path.rename(path.with_suffix(".moved"))
    path.symlink_to(path.with_suffix(".moved"))


def replaced_by_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


DAMAGES: dict[str, tuple[Callable[[Path], object], str, str]] = {
    "missing": (lambda path: path.unlink(), "is missing", "is missing"),
    "shorter": (lambda path: path.write_bytes(b"e"), "has 1 bytes instead of 2", "has 1 bytes instead of 2"),
    "longer": (lambda path: path.write_bytes(b"efg"), "has 3 bytes instead of 2", "has 3 bytes instead of 2"),
    "changed": (lambda path: path.write_bytes(b"eF"), "does not have the sha256 that was published", ""),
    "a link": (replaced_by_link, "is not a regular file", "is not a regular file"),
    "a pipe": (replaced_by_pipe, "is not a regular file", "is not a regular file"),
}


@pytest.mark.parametrize(("spoil", "by_digest", "by_size"), DAMAGES.values(), ids=DAMAGES)
def test_damage(
    output: Output, memory: VerifiedFiles, spoil: Callable[[Path], object], by_digest: str, by_size: str
) -> None:
    spoil(Path(output.directory, "images.tar.part1"))
    for verify, said in (("digest", by_digest), ("size", by_size)):
        published = inspect(output, memory, verify=verify)
        assert published.lock is not None
        assert published.damage == (f"images.tar.part1 {said}" if said else "")


@pytest.mark.parametrize("name", ["images.tar.part1", "images.tar.part7", "images.tar.lock.json", "images.tar.sha256"])
def test_a_directory_where_a_file_of_the_archive_is_to_be(output: Output, memory: VerifiedFiles, name: str) -> None:
    """It cannot be replaced by a rename, and could hold what is somebody's: that is told before hours go into it."""
    path = Path(output.directory, name)
    path.unlink(missing_ok=True)
    path.mkdir()
    with pytest.raises(OptionError, match=f"{name} is a directory where .* remove it, or name another"):
        inspect(output, memory, verify="digest")
    assert path.is_dir()


def write(name: str, data: bytes) -> Callable[[Output], object]:
    return lambda output: Path(output.directory, name).write_bytes(data)


UNTIDY: dict[str, tuple[Callable[[Output], object], tuple[str, ...]]] = {
    "a stale part": (write("images.tar.part2", b""), ("images.tar.part2 is not part of the archive",)),
    "a part with another width": (write("images.tar.part00", b""), ("images.tar.part00 is not part of the archive",)),
    "an archive in one file": (write("images.tar", b""), ("images.tar is not part of the archive",)),
    "other checksums": (write("images.tar.sha256", b"x"), ("images.tar.sha256 does not match the parts",)),
    "another table": (
        write("images.tar.report.csv", b"x"),
        ("images.tar.report.csv does not match the lock file",),
    ),
    "another page": (
        write("images.tar.report.html", b"x"),
        ("images.tar.report.html does not match the lock file",),
    ),
    "other facts": (
        write("images.tar.report.json", b"{}"),
        ("images.tar.report.json does not match the lock file",),
    ),
    "no facts": (
        lambda output: os.unlink(output.facts_file),
        ("images.tar.report.json does not match the lock file",),
    ),
    "no script": (
        lambda output: os.unlink(output.restore_file),
        ("images.tar.restore.sh does not match the lock file",),
    ),
    "no checksums": (
        lambda output: os.unlink(output.checksum_file),
        ("images.tar.sha256 does not match the parts",),
    ),
    "a file of somebody else": (write("images.tar.bak", b""), ()),
}


@pytest.mark.parametrize(("spoil", "untidy"), UNTIDY.values(), ids=UNTIDY)
def test_what_stands_beside_it(
    output: Output, memory: VerifiedFiles, spoil: Callable[[Output], object], untidy: tuple[str, ...]
) -> None:
    spoil(output)
    published = inspect(output, memory, verify="digest")
    assert (published.damage, published.untidy) == ("", untidy)


NO_LOCK: dict[str, tuple[Callable[[Output], object], str]] = {
    "none, with parts": (lambda output: os.unlink(output.lock_file), "an archive is there, but no "),
    "no JSON": (write("images.tar.lock.json", b"{"), "images.tar.lock.json is not a lock file"),
    "a later version": (write("images.tar.lock.json", b'{"version": 9}'), "is a lock file of version 9"),
}


@pytest.mark.parametrize(("spoil", "said"), NO_LOCK.values(), ids=NO_LOCK)
def test_no_lock_file_that_can_be_read(
    output: Output, memory: VerifiedFiles, spoil: Callable[[Output], object], said: str
) -> None:
    spoil(output)
    published = inspect(output, memory, verify="digest")
    assert published.lock is None
    assert said in published.damage


def test_nothing_is_there(tmp_path: Path, memory: VerifiedFiles) -> None:
    published = inspect(make_options(tmp_path).output, memory, verify="digest")
    assert published.lock is None
    assert published.damage == "the archive is new"


def test_a_directory_of_files(tmp_path: Path, memory: VerifiedFiles) -> None:
    output = archive(tmp_path, {"index.json": b"{}", "share/sha256/x": b"x"}, compress="dir")
    assert inspect(output, memory, verify="digest").damage == "its link blobs is missing"
    os.symlink("share", os.path.join(output.dest, "blobs"))
    assert inspect(output, memory, verify="digest").damage == ""
    Path(output.dest, "share/sha256/x").write_bytes(b"y")
    assert (
        inspect(output, memory, verify="digest").damage == "share/sha256/x does not have the sha256 that was published"
    )
    Path(output.dest, "share/sha256/x").unlink()
    assert inspect(output, memory, verify="size").damage == "share/sha256/x is missing"


@pytest.mark.parametrize("target", ["", "share", "/etc"])
def test_a_folder_of_a_directory_without_its_link(tmp_path: Path, memory: VerifiedFiles, target: str) -> None:
    folder = "ab" * 32
    output = archive(tmp_path, {f"{folder}/index.json": b"{}"}, compress="dir")
    os.symlink("share", os.path.join(output.dest, "blobs"))
    link = os.path.join(output.dest, folder, "blobs")
    if target:
        os.symlink(target, link)
    assert inspect(output, memory, verify="size").damage == f"its link {folder}/blobs is missing"
    if target:
        os.unlink(link)
    os.symlink("../share", link)
    assert inspect(output, memory, verify="size").damage == ""


def test_a_directory_of_an_earlier_release_has_no_such_links(tmp_path: Path, memory: VerifiedFiles) -> None:
    output = archive(tmp_path, {f"{'ab' * 32}/index.json": b"{}"}, writer=1, compress="dir")
    os.symlink("share", os.path.join(output.dest, "blobs"))
    assert inspect(output, memory, verify="size").damage == ""


def unsealed(script: bytes) -> bytes:
    """A script as the first releases wrote it."""
    return re.sub(rb"# Seal: [0-9a-f]{64}\n", b"", script)


@pytest.mark.parametrize(
    ("spoil", "is_fit"),
    [
        (lambda script: script, True),
        (lambda script: unsealed(script).replace(b"writing to disk", b"bringing it to disk"), True),
        (lambda script: script.replace(b"writing to disk", b"bringing it to disk"), False),
        (lambda script: unsealed(script).replace(b"one_file ", b"one_file 0", 1), False),
        (lambda script: unsealed(script)[:-1], False),
        (lambda script: unsealed(script)[1:], False),
        (lambda script: b"", False),
    ],
)
def test_the_script_of_another_writer_has_words_of_its_own(
    tmp_path: Path, memory: VerifiedFiles, spoil: Callable[[bytes], bytes], is_fit: bool
) -> None:
    output = archive(tmp_path, {"images.tar.part0": b"abcd", "images.tar.part1": b"ef"}, writer=1, part_size="4B")
    script = Path(output.restore_file)
    script.write_bytes(spoil(script.read_bytes()))
    told = () if is_fit else (f"{output.name}.restore.sh does not match the lock file",)
    assert inspect(output, memory, verify="digest").untidy == told


def test_a_directory_where_a_file_is_to_be(tmp_path: Path, memory: VerifiedFiles) -> None:
    output = make_options(tmp_path, compress="none").output
    os.makedirs(output.dest)
    with pytest.raises(OptionError, match=r"dest: .* is a directory; it must be the path of a file"):
        inspect(output, memory, verify="digest")


def test_what_may_not_be_replaced_by_a_directory(tmp_path: Path, memory: VerifiedFiles) -> None:
    output = make_options(tmp_path, compress="dir").output
    os.makedirs(output.directory)
    Path(output.dest).write_text("precious")
    with pytest.raises(OptionError, match="is not a directory, but compress=dir writes one"):
        inspect(output, memory, verify="digest")
    os.unlink(output.dest)
    os.symlink(tmp_path, output.dest)
    with pytest.raises(OptionError, match="is not a directory"):
        inspect(output, memory, verify="digest")
    os.unlink(output.dest)
    os.makedirs(os.path.join(output.dest, "precious"))
    with pytest.raises(OptionError, match="that this module did not make"):
        inspect(output, memory, verify="digest")
    os.rmdir(os.path.join(output.dest, "precious"))
    assert inspect(output, memory, verify="digest").lock is None


def test_stale_names(output: Output) -> None:
    for name in ("images.tar", "images.tar.part2", "images.tar.part10", "images.tar.part", "images.tar.part1x", "x"):
        Path(output.directory, name).write_text("")
    Path(output.directory, "images.tar.part3\n").write_text("")
    ours = [Part("images.tar.part0", 1, ""), Part("images.tar.part1", 1, "")]
    assert stale_names(output, ours) == ["images.tar", "images.tar.part10", "images.tar.part2"]


def test_no_directory_has_no_stale_names(tmp_path: Path) -> None:
    assert stale_names(make_options(tmp_path / "missing").output, []) == []


def test_another_run_has_written_the_archive(output: Output, memory: VerifiedFiles) -> None:
    published = inspect(output, memory, verify="digest")
    assert is_rewritten(output, published.lock_sha256) is False
    lock_file = Path(output.lock_file)
    lock_file.write_bytes(lock_file.read_bytes() + b" ")
    assert is_rewritten(output, published.lock_sha256) is True
    lock_file.unlink()
    assert is_rewritten(output, published.lock_sha256) is True


@pytest.mark.parametrize(
    "name", ["lock_file", "checksum_file", "report_file", "table_file", "facts_file", "restore_file"]
)
def test_a_fifo_beside_the_archive_is_not_waited_for(output: Output, memory: VerifiedFiles, name: str) -> None:
    path = Path(getattr(output, name))
    path.unlink()
    os.mkfifo(path)
    published = inspect(output, memory, verify="digest")
    assert "is not a regular file" in published.damage if name == "lock_file" else published.untidy
