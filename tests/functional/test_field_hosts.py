# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts as one finds them: hardened users, containers, few files, other alphabets, no room for another file."""

from __future__ import annotations

import os
import shutil
import stat
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.airgap.images.tests.functional._helpers import check, contents, saved, snapshot, traffic
from ansible_collections.airgap.images.tests.functional._progress import play, task
from ansible_collections.airgap.images.tests.support.disks import bound, overlaid
from ansible_collections.airgap.images.tests.support.module import run_module
from ansible_collections.airgap.images.tests.support.playbook import run_playbook
from ansible_collections.airgap.images.tests.support.workbench import Source, Workbench


def modes(*paths: Path) -> set[str]:
    """The modes of files and directories, in octal digits."""
    return {f"{stat.S_IMODE(path.lstat().st_mode):04o}" for path in paths}


@contextmanager
def umask(mask: int) -> Iterator[None]:
    """Has what begins in the block inherit a umask."""
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


@pytest.mark.field(
    "hosts",
    given="A run is a job, whose starter sets umask 022, and the user's own umask is 077",
    happens="the user's counts: nobody else reads the archive or what lies beside it",
)
@pytest.mark.parametrize(
    ("mask", "expected", "keywords"),
    [
        (0o077, "0600", {}),
        (0o027, "0640", {"async": 600, "poll": 1}),
        (0o000, "0664", {}),
    ],
)
def test_the_umask_of_the_user_counts_in_a_job(
    source: Source, bench: Workbench, mask: int, expected: str, keywords: dict[str, Any]
) -> None:
    bench.dest.parent.mkdir()
    arguments = bench.params([source["oci/plain:1"]], log_file=bench.directory / "log")
    keywords = {**keywords, "vars": {"ansible_async_dir": str(bench.directory / "jobs")}}
    with umask(mask):
        result = run_playbook([play(task(arguments, **keywords))])
    assert result.rc == 0, result.stdout
    check(bench.dest)
    assert modes(*bench.dest.parent.iterdir(), bench.directory / "log") == {expected}


def in_a_layer(bench: Workbench, folder: Path, compress: str) -> dict[str, Any]:
    """Options for an archive in a folder, with a cache of its own there."""
    dest = folder / "out" / ("images" if compress == "dir" else "images.tar.gz")
    return {"dest": dest, "cache_dir": folder / "cache", "compress": compress}


@pytest.mark.field(
    "hosts",
    given="`dest` and cache in a lower layer of an overlay, as in the image of a container",
    happens="a new archive takes the place of the old one; what the kernel refuses to rename is copied",
)
@pytest.mark.parametrize("compress", ["dir", "gzip"])
def test_an_archive_in_a_lower_layer_of_an_overlay(source: Source, bench: Workbench, compress: str) -> None:
    lower, path = bench.directory / "lower", bench.directory / "overlay"
    saved(bench.save([source["oci/plain:1"]], **in_a_layer(bench, lower, compress)))
    before = snapshot(lower)
    with overlaid(lower, path, 64 * 1024 * 1024):
        options = in_a_layer(bench, path, compress)
        result = bench.save([source["oci/gzip:1"], source["oci/plain:1"]], **options)
        assert "already" not in result.msg and sorted(each.name for each in path.iterdir()) == ["cache", "out"]
        assert [each["reference"] for each in saved(result).lock["images"]] == [
            source["oci/gzip:1"].reference,
            source["oci/plain:1"].reference,
        ]
        assert not list((path / "out").glob(".*")), "nothing is left of the way there"
        source.registry.clear()
        assert not bench.save([source["oci/gzip:1"], source["oci/plain:1"]], **options).changed
        assert traffic(source.registry).nothing
    assert snapshot(lower) == before


@pytest.mark.field(
    "hosts",
    given="the image of a container that was taken when an archive was just to be put in place",
    happens="it is put in place there",
)
def test_an_archive_that_was_ready_in_a_lower_layer(source: Source, bench: Workbench) -> None:
    lower, path = bench.directory / "lower", bench.directory / "overlay"
    options, out = in_a_layer(bench, lower, "dir"), lower / "out"
    saved(bench.save([source["oci/gzip:1"]], **options))
    shutil.copytree(out, bench.directory / "before", symlinks=True)
    saved(bench.save([source["oci/plain:1"]], **options))
    wanted = contents(out / "images")
    ready = out / ".images.staging" / "ready"
    ready.parent.mkdir(mode=0o700)
    out.rename(bench.directory / "ready")
    shutil.copytree(bench.directory / "before", out, symlinks=True)
    (out / ".images.staging").mkdir(mode=0o700)
    (bench.directory / "ready").rename(ready)
    (ready / ".images.staging").rmdir()
    with overlaid(lower, path, 64 * 1024 * 1024):
        result = bench.save([source["oci/plain:1"]], **in_a_layer(bench, path, "dir"))
        saved(result)
        assert result["reason"] == "an interrupted run had finished the archive"
        assert contents(path / "out" / "images") == wanted
        assert not list((path / "out").glob(".*"))


@pytest.mark.field(
    "hosts",
    given="`dest` is a mount point, as with `docker run -v`",
    happens="refused at once, as nothing can take its place",
)
@pytest.mark.parametrize("kind", ["directory", "file"])
def test_a_destination_that_is_a_mount_point(source: Source, bench: Workbench, kind: str) -> None:
    """Also a part of the same filesystem, which only the kernel's list of mounts shows."""
    inside, compress = bench.directory / "in side", "dir" if kind == "directory" else "gzip"
    dest = bench.directory / "out\t1" / ("images" if kind == "directory" else "images.tar.gz")
    inside.mkdir() if kind == "directory" else inside.touch()
    dest.parent.mkdir()
    dest.mkdir() if kind == "directory" else dest.touch()
    with bound(inside, dest):
        result = bench.save([source["oci/plain:1"]], dest=dest, compress=compress)
        assert result.failed and f"dest: {dest} is a mount point" in result.msg.replace("\\x09", "\t"), result.msg
    assert not source.registry.requests()
    assert list(dest.parent.iterdir()) == [dest]


def open_to_all(folder: Path) -> None:
    """Gives a folder a default ACL that grants everything to everybody: what is made there gets all that it asks for.

    The attribute is as the kernel has it (acl(5)): version 2, then owner, group and others with rights 7.
    """
    entries = b"".join(struct.pack("<HHI", tag, 0o7, 0xFFFFFFFF) for tag in (0x01, 0x04, 0x20))
    os.setxattr(folder, "system.posix_acl_default", struct.pack("<I", 2) + entries)


@pytest.mark.field(
    "hosts",
    given="a default ACL on the directory of `dest` that grants everything to all; it takes the place of the umask",
    happens="owner and group may write to the archive, as the ACL has it, and nobody else",
)
@pytest.mark.parametrize("compress", ["gzip", "dir"])
@pytest.mark.parametrize("more", [{}, {"mode": "u=rw,g=r,o=r"}], ids=["as made", "with a mode"])
def test_a_default_acl_does_not_open_the_archive_to_all(
    source: Source, bench: Workbench, compress: str, more: dict[str, Any]
) -> None:
    folder = bench.directory / "open"
    folder.mkdir()
    open_to_all(folder)
    options = {**in_a_layer(bench, folder, compress), "log_file": folder / "log", "failed_list": folder / "failed"}
    saved(run_module(bench.params([source["docker/list:1"]], **options, **more)))
    assert list((folder / "out").iterdir()), "the directory was made by the run"
    assert os.getxattr(folder / "out", "system.posix_acl_default"), "which has the same default"
    assert {path for path in folder.rglob("*") if not path.is_symlink() and path.stat().st_mode & 0o7002} == set()
