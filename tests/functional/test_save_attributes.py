# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Mode, owner and flags: they reach the files of an archive, and no other name of these files."""

from __future__ import annotations

import os
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.airgap.images.tests.functional._helpers import contents, saved, snapshot, traffic
from ansible_collections.airgap.images.tests.support.disks import flagged_disk, small_disk
from ansible_collections.airgap.images.tests.support.module import Result
from ansible_collections.airgap.images.tests.support.workbench import Source, Workbench

THOROUGH = pytest.mark.thorough

NAMES = ["oci/gzip:1", "docker/single:1"]
IS_ROOT = os.geteuid() == 0
OWNER = {"owner": "65534", "group": "65534"} if IS_ROOT else {"group": str(os.getegid()), "mode": "0604"}


def as_it_was(*roots: Path) -> dict[str, tuple[object, ...]]:
    """Everything about files that attributes could change, by path: mode, owner, inode, time of change and content.

    Times of change of the inode are left out: they change with the number of a file's names.
    """
    return {path: (*found[:4], found[5]) for path, found in snapshot(*roots).items() if Path(path).is_file()}


def modes(root: Path) -> set[str]:
    """The modes of all files below a directory."""
    files = [path for path in root.rglob("*") if path.is_file() and not path.is_symlink()]
    return {f"{stat.S_IMODE(path.stat().st_mode):04o}" for path in files}


def names(root: Path) -> set[int]:
    """How many names the files below a directory have."""
    return {path.lstat().st_nlink for path in root.rglob("*") if path.is_file()}


class Shelf:
    """Two directories with the same images, which share their blobs with the cache."""

    def __init__(self, bench: Workbench, source: Source) -> None:
        self.bench, self.source = bench, source
        self.one, self.two = bench.directory / "one" / "images", bench.directory / "two" / "images"

    def save(self, dest: Path, **params: Any) -> Result:
        images = [self.source[name] for name in params.pop("names", NAMES)]
        return self.bench.save(images, dest=dest, compress="dir", **params)

    def others(self) -> dict[str, tuple[object, ...]]:
        """Everything that is not the first directory's."""
        return as_it_was(self.bench.cache / "share", self.two.parent)


@pytest.fixture
def shelf(source: Source, bench: Workbench) -> Shelf:
    shelf = Shelf(bench, source)
    for dest in (shelf.one, shelf.two):
        saved(shelf.save(dest))
    assert names(shelf.one / "share") == {3}
    return shelf


ASKED: dict[str, dict[str, Any]] = {"mode": {"mode": "0640"}, "owner": OWNER, "flags": {"attributes": "+S"}}


@pytest.mark.parametrize(
    "params",
    [pytest.param(each, id=name, marks=() if name == "mode" else THOROUGH) for name, each in ASKED.items()],
)
def test_what_is_given_later_stays_in_the_directory(shelf: Shelf, params: dict[str, Any]) -> None:
    """Neither the cache nor the other archive see anything of it, and check mode foresees it."""
    others, before = shelf.others(), as_it_was(shelf.one.parent)
    foreseen = shelf.save(shelf.one, check=True, **params)
    assert (foreseen.changed, foreseen["reason"]) == (True, "mode or owner differed")
    assert as_it_was(shelf.one.parent) == before
    result = shelf.save(shelf.one, **params)
    saved(result)
    assert result["reason"] == "mode or owner differed"
    assert names(shelf.one) == {1}
    assert shelf.others() == others
    if "mode" in params and "owner" not in params and "group" not in params:
        assert modes(shelf.one) == {"0640"} and modes(shelf.two / "share") == {"0644"}
    if "attributes" in params:
        flags = subprocess.run(["lsattr", "-R", shelf.one / "share"], capture_output=True, text=True, check=True)
        assert all("S" in line.split()[0] for line in flags.stdout.splitlines() if line.count("/") and " " in line)
    for dest, more in ((shelf.one, params), (shelf.two, {})):
        assert not shelf.save(dest, check=True, **more).changed
        assert not shelf.save(dest, **more).changed
    assert shelf.others() == others


def test_what_is_given_with_another_list_stays_in_the_directory(shelf: Shelf) -> None:
    """The new directory takes over files of the one before, which have other names too, and still stands."""
    others = shelf.others()
    params = {"names": NAMES[:1], "mode": "0600"}
    assert shelf.save(shelf.one, check=True, **params).changed
    saved(shelf.save(shelf.one, **params))
    assert modes(shelf.one) == {"0600"} and names(shelf.one) == {1}
    assert shelf.others() == others
    assert not shelf.save(shelf.one, **params).changed
    saved(shelf.save(shelf.one, mode="0600"))
    assert modes(shelf.one) == {"0600"}
    assert shelf.others() == others


def test_a_part_that_a_backup_has_too_is_copied_first(source: Source, bench: Workbench) -> None:
    wanted = [source["oci/gzip:1"]]
    saved(bench.save(wanted, part_size="10K"))
    backup = bench.directory / "backup"
    backup.mkdir()
    for path in bench.dest.parent.iterdir():
        os.link(path, backup / path.name)
    before = as_it_was(backup)
    saved(bench.save(wanted, part_size="10K", mode="0600"))
    assert as_it_was(backup) == before and modes(backup) != {"0600"}
    assert modes(bench.dest.parent) == {"0600"}
    assert contents(backup) == contents(bench.dest.parent)
    assert not bench.save(wanted, part_size="10K", mode="0600").changed


def test_a_list_of_failures_that_has_another_name_is_copied_first(source: Source, bench: Workbench) -> None:
    wanted = [source["oci/gzip:1"].reference, f"{source.registry.host}/no/such:1"]
    params = {"failed_list": bench.directory / "failed.txt", "allow_partial": True}
    saved(bench.save(wanted, **params))
    other = bench.directory / "other.txt"
    os.link(params["failed_list"], other)
    before = as_it_was(bench.directory)
    assert bench.save(wanted, check=True, mode="0600", **params).changed
    assert as_it_was(bench.directory) == before
    assert bench.save(wanted, mode="0600", **params).changed
    listed = bench.directory / "failed.txt"
    assert (stat.S_IMODE(listed.stat().st_mode), other.stat().st_nlink) == (0o600, 1)
    assert as_it_was(other) == {str(other): before[str(other)]}
    assert listed.read_bytes() == other.read_bytes()
    assert not bench.save(wanted, mode="0600", **params).changed


def test_what_a_user_has_beside_a_list_of_failures_stays(source: Source, bench: Workbench) -> None:
    """Whatever its name: what is written there on the way has one that nobody else takes."""
    listed, shown = bench.directory / "failed.txt", bench.directory / "progress.json"
    own = [path.with_name(f"{path.name}{end}") for path in (listed, shown) for end in (".new", ".tmp", "~")]
    for path in own:
        path.write_text("of the user\n", encoding="utf-8")
    before = snapshot(*own)
    wanted = [source["oci/gzip:1"].reference, f"{source.registry.host}/no/such:1"]
    result = bench.save(wanted, failed_list=listed, progress_file=shown, allow_partial=True)
    saved(result)
    assert "no/such:1" in listed.read_text(encoding="utf-8") and shown.exists()
    assert snapshot(*own) == before
    out = {bench.dest.parent, bench.cache, listed, shown, *own}
    assert {path for path in bench.directory.iterdir() if path.name.startswith((".", "failed", "progress"))} <= out


def test_there_must_be_room_for_the_copies(source: Source, bench: Workbench) -> None:
    """It is asked for before the first of them, in check mode too."""
    with small_disk(bench.directory / "disk", 1024 * 1024) as disk:
        shelf = Shelf(bench, source)
        shelf.bench.cache, dest = disk / "cache", disk / "out" / "images"
        saved(shelf.save(dest))
        filler = disk / "filler"
        filler.write_bytes(b"x" * (os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize - 20_000))
        before = snapshot(dest, bench.cache / "share")
        for check in (True, False):
            result = shelf.save(dest, check=check, mode="0640")
            assert result.failed and not result.changed
            assert f"not enough space for {dest.parent}" in result.msg and "leave the attributes" in result.msg
            assert snapshot(dest, bench.cache / "share") == before
        filler.unlink()
        saved(shelf.save(dest, mode="0640"))


# -- flags that protect a file


@pytest.fixture
def flagged(bench: Workbench) -> Iterator[Path]:
    """A place for archives on a filesystem whose files have flags; none of them is in the way of its end."""
    image = bench.directory / "ext4"
    with flagged_disk(bench.directory / "flagged", image) as disk:
        (disk / "out").mkdir()
        yield disk / "out"
        subprocess.run(["chattr", "-R", "-f", "-ia", disk / "out"], check=False)


def flags(path: Path) -> set[str]:
    told = subprocess.run(["lsattr", "-d", path], capture_output=True, text=True, check=True).stdout
    return set(told.split()[0]) - set("-e")


@pytest.mark.parametrize("compress", ["gzip", pytest.param("dir", marks=THOROUGH)])
def test_a_protected_archive(source: Source, bench: Workbench, flagged: Path, compress: str) -> None:
    """It is protected when all is in place; what would replace it is refused before the first byte, not midway."""
    one, two = source["oci/gzip:1"], source["docker/list:1"]
    params = {"dest": flagged / "images.tar.gz", "compress": compress, "part_size": "20K"}
    if compress == "dir":
        params.update(dest=flagged / "images", part_size=None)
    if not IS_ROOT:
        result = bench.save([one], attributes="+i", **params)
        assert result.failed and "attributes: " in result.msg and not list(flagged.iterdir())
        return
    saved(bench.save([one], attributes="+i", **params))
    standing = [path for path in flagged.rglob("*") if not path.is_symlink()]
    assert all(flags(path) == {"i"} for path in standing)
    before = snapshot(flagged)
    source.registry.clear()
    assert not bench.save([one], attributes="+i", **params).changed
    assert not bench.save([one], **params).changed
    for more in ({"attributes": "+i"}, {}, {"attributes": "-i"}):
        for check in (True, False):
            result = bench.save([one, two], check=check, **params, **more)
            assert result.failed and not result.changed
            assert "is protected (lsattr shows i)" in result.msg and "chattr -i" in result.msg
    refused = bench.save([one], attributes="+i", mode="0600", **params)
    assert refused.failed and "is protected" in refused.msg
    assert snapshot(flagged) == before
    assert not source.registry.blob_gets()
    assert bench.save([one], check=True, attributes="-i", mode="0600", **params).changed
    assert snapshot(flagged) == before
    assert bench.save([one], attributes="-i", mode="0600", **params).changed
    assert not any(flags(path) for path in standing) and modes(flagged) == {"0600"}
    assert not bench.save([one], attributes="-i", mode="0600", **params).changed
    saved(bench.save([one, two], **params))
    assert traffic(source.registry).fetched


def test_flags_that_the_filesystem_has_not(source: Source, bench: Workbench) -> None:
    """It is found out before the first layer is fetched."""
    layers = {layer.digest for each in source["oci/gzip:1"].platforms for layer in each.layers}
    with small_disk(bench.directory / "disk", 16 * 1024 * 1024) as disk:
        result = bench.save([source["oci/gzip:1"]], dest=disk / "out" / "images.tar.gz", attributes="+c")
        assert result.failed and "attributes: " in result.msg and "cannot be given +c" in result.msg
        assert not list((disk / "out").iterdir())
    assert not layers & set(source.registry.blob_gets())


@pytest.mark.parametrize("text", ["+?", *(pytest.param(text, marks=THOROUGH) for text in ("i,a", "+ i"))])
def test_what_are_no_flags(source: Source, bench: Workbench, text: str) -> None:
    result = bench.save([source["oci/gzip:1"]], attributes=text)
    assert result.failed and "are not valid flags" in result.msg
