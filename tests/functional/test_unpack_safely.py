# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Unpacking an archive on the other side does nothing but write files of its own, whoever unpacks it."""

from __future__ import annotations

import io
import os
import re
import shutil
import stat
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest

from ansible_collections.airgap.images.tests.functional._helpers import cached, check, contents, saved, umask
from ansible_collections.airgap.images.tests.support.archive import ROOT
from ansible_collections.airgap.images.tests.support.images import (
    AMD64,
    OCI_CONFIG,
    Entry,
    Image,
    Index,
    build_artifact,
    build_image,
    build_index,
)
from ansible_collections.airgap.images.tests.support.layers import PLAIN, Layer
from ansible_collections.airgap.images.tests.support.push import PushedImage, push
from ansible_collections.airgap.images.tests.support.registry import Registry
from ansible_collections.airgap.images.tests.support.workbench import Workbench

pytestmark = pytest.mark.pairwise

OTHER = 4242
"""Somebody who unpacks without being root."""

Filter = Literal["data", "tar", "fully_trusted"]
FORMATS = ["gzip", "zstd", "none"]
DECOMPRESS = {"gzip": ["gzip", "-dc"], "zstd": ["zstd", "-dcq"], "none": ["cat"]}


def hostile_layer() -> Layer:
    """A layer that would do harm if it were unpacked; an archive carries it as it is."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as out:
        for name, kind, target in [
            ("/etc/absolute", tarfile.REGTYPE, ""),
            ("../../above", tarfile.REGTYPE, ""),
            ("link", tarfile.SYMTYPE, "/etc"),
            ("device", tarfile.CHRTYPE, ""),
        ]:
            member = tarfile.TarInfo(name)
            member.type, member.linkname, member.mode, member.uid = kind, target, 0o6777, 1234
            out.addfile(member)
    data = buffer.getvalue()
    return Layer(data, PLAIN, "sha256:" + "0" * 64)


def push_hostile(registry: Registry) -> list[PushedImage]:
    """Images whose names, media types and annotations were chosen with unpacking in mind."""
    annotations = {"org.opencontainers.image.ref.name": "../../etc/passwd", "title": "/etc/shadow\n\x1b[2J"}
    program = Layer(b"#!/bin/sh\nid > /tmp/owned\n", PLAIN, "sha256:" + "1" * 64)
    items: dict[str, Image | Index] = {
        "some.one__a--b/blobs": build_image([hostile_layer()], platform=AMD64),
        "share/sha256/x": build_index([Entry(build_image([program], platform=AMD64), AMD64, annotations)]),
        f"saved-image-cache/{'0' * 64}": build_artifact(
            [program], b"{}", OCI_CONFIG, layer_media_type="application/x-executable"
        ),
    }
    return [push(registry, name, "_..-..", item) for name, item in items.items()]


@dataclass(frozen=True)
class Pressed:
    """One archive of the hostile images in each format, written under umask 000 by root."""

    folder: Path

    def stream(self, compress: str) -> bytes:
        """The tar."""
        command = [*DECOMPRESS[compress], str(self.dest(compress))]
        return subprocess.run(command, capture_output=True, check=True).stdout

    def dest(self, compress: str) -> Path:
        suffix = {"gzip": ".tar.gz", "zstd": ".tar.zst", "none": ".tar", "dir": ""}[compress]
        return self.folder / compress / f"images{suffix}"


@pytest.fixture(scope="module")
def pressed() -> Iterator[Pressed]:
    with tempfile.TemporaryDirectory(dir="/var/tmp") as name, Workbench(Path(name)) as bench:
        folder = Path(name)
        folder.chmod(0o755)
        images = push_hostile(bench.registry())
        for compress in [*FORMATS, "dir"]:
            save(bench, images, Pressed(folder).dest(compress), compress)
        yield Pressed(folder)


def save(bench: Workbench, images: list[PushedImage], dest: Path, compress: str) -> None:
    """Runs the module with a umask that keeps nothing from anybody."""
    dest.parent.mkdir()
    with umask(0):
        saved(bench.save(images, dest=dest, compress=compress, env={"HOME": str(bench.directory)}))


UNPACK: dict[str, list[str]] = {
    "tar": ["tar", "-x", "-C"],
    "tar as it is": ["tar", "-x", "-p", "--same-owner", "-C"],
    "busybox": ["busybox", "tar", "-x", "-C"],
    "bsdtar": ["bsdtar", "-x", "-p", "-C"],
}
PROGRAMS = pytest.mark.parametrize("program", UNPACK)


def unpack(program: str, data: bytes, place: Path, *, user: int = 0) -> str:
    """Unpacks a tar into a directory.

    :returns: what the program said
    """
    become = ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups", "--"] if user else []
    # A umask that takes nothing away shows the modes that the archive itself asks for.
    command = ["sh", "-c", 'umask 000; exec "$@"', "sh", *become, *UNPACK[program], str(place)]
    if program == "bsdtar":
        command += ["-f", "-"]
    return subprocess.run(command, input=data, capture_output=True, check=False).stderr.decode()


def assert_harmless(root: Path, owner: int, *, umask: int = 0o022) -> None:
    """Files and directories only, of one owner, that others cannot write to, and the links of layouts."""
    usual = {(True, 0o777 & ~umask), (False, 0o666 & ~umask), (False, 0o644)}
    for path in [root, *root.rglob("*")]:
        found = path.lstat()
        assert found.st_uid == found.st_gid == owner, path
        if path.is_symlink():
            target = "share" if path.parent == root else "../share"
            assert (path.name, os.readlink(path)) == ("blobs", target)
            assert path.resolve() == root / "share"
        else:
            mode = stat.S_IMODE(found.st_mode)
            assert (path.is_dir(), mode) in usual, f"{path} has {mode:o}"
            assert path.is_dir() or stat.S_ISREG(found.st_mode)


@pytest.mark.parametrize("compress", FORMATS)
def test_the_members_as_they_are_written(pressed: Pressed, compress: str) -> None:
    """Read from the headers, before any program makes them safe."""
    with tarfile.open(fileobj=io.BytesIO(pressed.stream(compress))) as archive:
        members = archive.getmembers()
    assert {member.type for member in members} == {tarfile.REGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE}
    links = {each.name: each.linkname for each in members if each.issym()}
    directories = [member.name for member in members if member.isdir()]
    folders = [name for name in directories if re.fullmatch(f"{ROOT}/[0-9a-f]{{64}}", name)]
    assert links == {f"{ROOT}/blobs": "share", **{f"{folder}/blobs": "../share" for folder in folders}} and folders
    for member in members:
        assert not member.name.startswith("/") and not {"..", ".", ""} & set(member.name.split("/"))
        assert (member.uid, member.gid, member.uname, member.gname) == (0, 0, "", "")
        assert member.mode == {tarfile.DIRTYPE: 0o755, tarfile.REGTYPE: 0o644, tarfile.SYMTYPE: 0o777}[member.type]
        assert not (member.devmajor or member.devminor or member.pax_headers)
    names = [member.name for member in members]
    assert len(set(names)) == len(names)
    for link in links:
        assert not [name for name in names if name.startswith(f"{link}/")], "something goes through a link"
        assert names.index(f"{ROOT}/share/sha256") < names.index(link)


# Python has filters since 3.11.4; before, it trusts fully.
FILTERS: list[Filter | None] = ["data", "tar", "fully_trusted"] if hasattr(tarfile, "data_filter") else [None]


@pytest.mark.parametrize("compress", FORMATS)
@pytest.mark.parametrize("filter_name", FILTERS)
def test_python_unpacks_it(pressed: Pressed, tmp_path: Path, compress: str, filter_name: Filter | None) -> None:
    """The strictest filter refuses nothing. It leaves the modes of directories to the umask, the others do not."""
    with (
        umask(0o022 if filter_name == "data" else 0),
        tarfile.open(fileobj=io.BytesIO(pressed.stream(compress))) as archive,
    ):
        archive.extractall(tmp_path, **({"filter": filter_name} if filter_name else {}))  # noqa: S202  # this is what the test is about
    assert [path.name for path in tmp_path.iterdir() if path.name != "home"] == [ROOT]
    assert contents(tmp_path / ROOT) == contents(pressed.dest("dir"))
    assert_harmless(tmp_path / ROOT, 0)


@PROGRAMS
@pytest.mark.parametrize("compress", FORMATS)
@pytest.mark.parametrize("user", [0, OTHER])
def test_programs_unpack_it(pressed: Pressed, compress: str, program: str, user: int) -> None:
    place = Path(tempfile.mkdtemp(dir="/var/tmp"))
    try:
        os.chown(place, user, user)
        said = unpack(program, pressed.stream(compress), place, user=user)
        assert user or said == ""
        assert [path.name for path in place.iterdir()] == [ROOT]
        assert contents(place / ROOT) == contents(pressed.dest("dir"))
        assert_harmless(place / ROOT, user)
    finally:
        shutil.rmtree(place)


def test_the_directory_itself(pressed: Pressed) -> None:
    """Written under a umask that keeps nothing from anybody, and linked with the cache."""
    check(pressed.dest("dir"))
    assert_harmless(pressed.dest("dir"), 0, umask=0o002)


def test_modes_in_the_cache_do_not_come_into_a_directory(registry: Registry, bench: Workbench) -> None:
    """A file of the cache that somebody made a program of root's is the same file in the directory."""
    images = push_hostile(registry)
    dest = bench.dest.with_name("tree")
    archive = saved(bench.save(images, dest=bench.dest))
    for digest in archive.blobs:
        cached(bench.cache, digest).chmod(0o6777)
    saved(bench.save(images, dest=dest, compress="dir"))
    assert_harmless(dest, 0)


@PROGRAMS
@pytest.mark.parametrize("what", ["root", "blobs", "share", "file", "folder"])
def test_over_a_directory_in_which_links_were_planted(
    pressed: Pressed, tmp_path: Path, program: str, what: str
) -> None:
    """The target of a link is never overwritten. Only busybox follows those in place of directories."""
    with tarfile.open(fileobj=io.BytesIO(pressed.stream("none"))) as archive:
        names = archive.getnames()
    folder = next(name for name in names if name.count("/") == 1 and len(name.partition("/")[2]) == 64)
    planted = {"root": ROOT, "blobs": f"{ROOT}/blobs", "share": f"{ROOT}/share", "folder": folder}
    target = tmp_path / planted.get(what, f"{folder}/index.json")
    place = tmp_path / "of-root"
    place.mkdir()
    (place / "precious").write_text("data", encoding="utf-8")
    target.parent.mkdir(parents=True, exist_ok=True)
    target.symlink_to(place / "precious" if what in ("file", "blobs") else place)
    said = unpack(program, pressed.stream("none"), tmp_path)
    assert said == ""
    assert (place / "precious").read_text(encoding="utf-8") == "data"
    if program == "busybox" and what in ("root", "share", "folder"):
        assert target.is_symlink(), "docs/archive.md says that it is followed"
        return
    assert [path.name for path in place.iterdir()] == ["precious"]
    assert contents(tmp_path / ROOT) == contents(pressed.dest("dir"))
    assert_harmless(tmp_path / ROOT, 0)
