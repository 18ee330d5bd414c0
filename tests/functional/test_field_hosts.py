# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts as one finds them: hardened users, containers, few files, other alphabets, no room for another file."""

from __future__ import annotations

import os
import shutil
import stat
import struct
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.airgap.images.tests.functional._helpers import check, contents, saved, snapshot, traffic, umask
from ansible_collections.airgap.images.tests.functional._progress import play, task
from ansible_collections.airgap.images.tests.support.disks import bound, overlaid, resize, small_disk, used_files
from ansible_collections.airgap.images.tests.support.extent import repetitions
from ansible_collections.airgap.images.tests.support.module import ModuleError, Result, run_module, start_module
from ansible_collections.airgap.images.tests.support.playbook import run_playbook
from ansible_collections.airgap.images.tests.support.push import push
from ansible_collections.airgap.images.tests.support.samples import oci_index, small
from ansible_collections.airgap.images.tests.support.workbench import USER, Source, Workbench

THOROUGH = pytest.mark.thorough
COMPRESS = pytest.mark.parametrize("compress", ["dir", pytest.param("gzip", marks=THOROUGH)])
"""A directory is the harder of both: its files are the cache's too."""


def modes(*paths: Path) -> set[str]:
    """The modes of files and directories, in octal digits."""
    return {f"{stat.S_IMODE(path.lstat().st_mode):04o}" for path in paths}


@pytest.mark.field(
    "hosts",
    given="a task with `async`, which Ansible starts with umask 022, and the user's own umask is 077",
    happens="the user's umask applies: nobody else can read the archive or the files next to it",
)
@pytest.mark.parametrize(
    ("mask", "expected"),
    [(0o077, "0600"), *(pytest.param(*each, marks=THOROUGH) for each in ((0o027, "0640"), (0o000, "0664")))],
)
def test_the_umask_of_the_user_counts_in_a_job(source: Source, bench: Workbench, mask: int, expected: str) -> None:
    """In a job of the action plugin's, and in one of the task's own."""
    ways: dict[str, dict[str, Any]] = {"plain": {}, "async": {"async": 600, "poll": 1}}
    tasks = []
    for name, keywords in ways.items():
        folder = bench.directory / name
        folder.mkdir()
        places = {"dest": folder / "images.tar.gz", "log_file": folder / "log"}
        arguments = bench.params([source["oci/plain:1"]], **places)
        tasks.append(task(arguments, vars={"ansible_async_dir": str(bench.directory / "jobs")}, **keywords))
    with umask(mask):
        result = run_playbook([play(*tasks)])
    assert result.rc == 0, result.stdout
    for name in ways:
        check(bench.directory / name / "images.tar.gz")
        assert modes(*(bench.directory / name).iterdir()) == {expected}


def in_a_layer(bench: Workbench, folder: Path, compress: str) -> dict[str, Any]:
    """Options for an archive in a folder, with a cache of its own there."""
    dest = folder / "out" / ("images" if compress == "dir" else "images.tar.gz")
    return {"dest": dest, "cache_dir": folder / "cache", "compress": compress}


@pytest.mark.field(
    "hosts",
    given="`dest` and cache in a lower layer of an overlay, as in a container image",
    happens="a new archive replaces the old one; what the kernel refuses to rename is copied",
)
@COMPRESS
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
    given="a container image that was created at the moment when an archive was to be put in place",
    happens="the archive is put in place there",
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
    happens="refused immediately, because it cannot be replaced",
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


@pytest.mark.each_value
@pytest.mark.field(
    "hosts",
    given=("a default ACL on the directory of `dest` that grants everything to everyone and replaces the umask"),
    happens="owner and group can write to the archive, as the ACL says, and nobody else",
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


def limited(bench: Workbench, images: list[Any], limit: int, **params: Any) -> Result:
    """A run that may have so many files open, and so may all that it starts."""
    under = ["sh", "-c", f'ulimit -n {limit}; exec "$@"', "sh"]
    bench.dest.parent.mkdir(exist_ok=True)
    with start_module(bench.params(images, **params), under=under) as running:
        return running.wait()


@pytest.mark.field(
    "hosts",
    given="a low limit of open files for the process (`ulimit -n`)",
    happens="a run needs about 40, and 12 more for each of its `jobs`, for any number of registries",
)
@pytest.mark.parametrize(("jobs", "limit"), [pytest.param(1, 52, marks=pytest.mark.thorough), (8, 136)])
def test_a_run_needs_few_open_files(source: Source, bench: Workbench, jobs: int, limit: int) -> None:
    images = [source[name] for name in ("oci/gzip:1", "oci/plain:1")]
    proxies = [bench.proxy(source.registry) for _number in range(12)]
    references = [f"{proxy.host}/{image.repository}:{image.tag}" for image in images for proxy in proxies]
    saved(limited(bench, references, limit, jobs=jobs, part_size="16KiB"))


@pytest.mark.field(
    "hosts",
    given="too few open files",
    happens=("the message says to lower `jobs` or to raise the limit; nothing is treated as missing or damaged"),
)
@pytest.mark.thorough(repeats=True)
def test_too_few_open_files(source: Source, bench: Workbench) -> None:
    """At each limit something else is the first that cannot be opened."""
    images = [source["oci/gzip:1"], source["docker/list:1"]]
    saved(bench.save(images[:1]))
    before = contents(bench.dest.parent)
    told: set[str] = set()
    limit, result = 4, None
    while result is None or result.failed:
        limit += repetitions(5, 1)
        with suppress(ModuleError):  # not even Python has enough to begin with
            result = limited(bench, images, limit, jobs=2, retries=0)
        if result is not None and result.failed:
            told.add(result.msg)
            assert "Traceback" not in f"{result.data}{result.stderr}"
            assert contents(bench.dest.parent) == before
    saved(result)
    assert result["stats"]["blobs_repaired"] == 0, "a blob was dropped that only could not be opened"
    assert limit < 52
    assert told and not [text for text in told if "ower jobs or raise the limit of open files" not in text], told


def under(bench: Workbench, first: str, images: list[Any], **params: Any) -> Result:
    """A run after some commands of a shell, with mounts of its own."""
    command = ["unshare", "--mount", "sh", "-ec", f'{first}; exec "$@"', "sh"]
    with start_module(bench.params(images, **params), under=command) as running:
        return sane(running.wait())


def sane(result: Result) -> Result:
    """The same result, of a run without a traceback."""
    assert "Traceback" not in f"{result.data}{result.stderr}"
    return result


@pytest.mark.field("hosts", given="no `/proc`", happens="everything works, also with `ca_path` and for a directory")
@COMPRESS
def test_without_proc(bench: Workbench, compress: str) -> None:
    registry = bench.registry(tls=True)
    pushed = [push(registry, "some/image", tag, oci_index() if tag == "2" else small(1)) for tag in ("1", "2")]
    gone = "mount -t tmpfs none /proc"
    options = {
        **in_a_layer(bench, bench.directory, compress),
        "validate_certs": True,
        "ca_path": bench.authority.ca_path,
    }
    saved(bench.save(pushed[:1], **options))
    saved(under(bench, gone, pushed, **options))
    registry.clear()
    assert not under(bench, gone, pushed, **options).changed
    assert traffic(registry).nothing


@pytest.mark.field(
    "hosts",
    given="a filesystem without free inodes",
    happens=("a run with nothing new succeeds; a run that has something to write reports that no files are free"),
)
@COMPRESS
def test_no_room_for_another_file(source: Source, bench: Workbench, compress: str) -> None:
    with small_disk(bench.directory / "disk", 32 * 1024 * 1024, files=1000) as disk:
        options = {**in_a_layer(bench, disk, compress), "failed_list": disk / "failed"}
        saved(bench.save([source["oci/plain:1"]], **options))
        resize(disk, files=used_files(disk))
        before = contents(disk)
        for check_mode in (False, True):
            result = sane(bench.save([source["oci/plain:1"]], check=check_mode, **options))
            assert (result.failed, result.changed) == (False, False), result.msg
        result = sane(bench.save([source["oci/plain:1"], source["oci/gzip:1"]], **options))
        assert result.failed and "No space left on device" in result.msg
        assert "or some files, if their number is limited" in result.msg
        assert contents(disk) == before
        resize(disk, files=1000)
        saved(bench.save([source["oci/plain:1"], source["oci/gzip:1"]], **options))


PLAIN = {"PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}


LOCALES = ["C", "en_US.ISO-8859-1", pytest.param("POSIX", marks=pytest.mark.thorough)]  # POSIX is C by another name


@pytest.fixture(params=LOCALES)
def other_locale(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, str]:
    """The environment of a host on which Python takes names of files for something else than UTF-8."""
    name = str(request.param)
    env = {**PLAIN, "LC_ALL": name}
    if "." in name:
        folder, (territory, charset) = tmp_path / "locales", name.split(".")
        folder.mkdir()
        command = ["localedef", "--no-archive", "-i", territory, "-f", charset, str(folder / name)]
        subprocess.run(command, check=True, capture_output=True)
        env["LOCPATH"] = str(folder)
    asked = [sys.executable, "-c", "import sys; print(sys.getfilesystemencoding())"]
    said = subprocess.run(asked, env={**os.environ, **env}, check=True, capture_output=True, text=True)
    assert said.stdout.strip() == ("iso8859-1" if "." in name else "ascii")
    return env


@pytest.mark.spread
@pytest.mark.field(
    "hosts",
    given=("a locale of the host that is not UTF-8 (`C` without Python's UTF-8 modes, `en_US.ISO-8859-1`)"),
    happens=(
        "everything works, with passwords in any alphabet; only paths that are not ASCII are refused, "
        "with the setting to change"
    ),
)
@pytest.mark.parametrize("compress", ["gzip", pytest.param("dir", marks=pytest.mark.thorough)])
def test_a_locale_that_is_not_utf_8(bench: Workbench, other_locale: dict[str, str], compress: str) -> None:
    registry = bench.registry(basic=USER)
    image, listed = push(registry, "some/image", "1", oci_index()), bench.directory / "list.txt"
    listed.write_text(f"# Bücher für Jürgen\n{image.reference}\nkein/Büld:1\n", encoding="utf-8")
    login = {"SOURCE_USERNAME": USER.username, "SOURCE_PASSWORD": USER.password}
    strange = bench.directory / "out" / os.fsdecode(b"a-\xe9")
    strange.parent.mkdir(exist_ok=True)
    strange.touch()  # a name that is no UTF-8, and nothing to us
    options = {**in_a_layer(bench, bench.directory, compress), "list_files": [listed], "allow_partial": True}
    options.update(failed_list=bench.directory / "failed", log_file=bench.directory / "log", debug=True)
    strange_as_it_was = strange.lstat()
    result = sane(bench.save([], env={**other_locale, **login}, **options))
    assert not result.failed and result.changed, result.msg
    check(Path(result["dest"]))
    assert "kein/Büld:1" in (bench.directory / "failed").read_text("utf-8")
    assert not sane(bench.save([], env={**other_locale, **login}, **options)).changed
    assert strange.lstat() == strange_as_it_was


PATHS = ("dest", "cache_dir", "failed_list", "log_file", "progress_file")
OF_OTHER_ALPHABETS = [PATHS[0], *(pytest.param(name, marks=pytest.mark.thorough) for name in PATHS[1:])]


@pytest.mark.spread
@pytest.mark.parametrize("option", OF_OTHER_ALPHABETS)
def test_a_path_that_the_locale_cannot_spell(
    source: Source, bench: Workbench, other_locale: dict[str, str], option: str
) -> None:
    """Of the options, the first one stands for all: which of them are checked is shown by the tests of arguments."""
    path = bench.directory / "out" / "Bücher"
    before = snapshot(bench.directory)
    result = sane(bench.save([source["oci/plain:1"]], env=other_locale, **{option: path}))
    assert result.failed
    assert result.msg.startswith(f"{option}: '{path}' contains non-ASCII characters"), result.msg
    assert "Set LC_ALL=C.UTF-8 in the task's environment" in result.msg
    assert {*snapshot(bench.directory)} - {*before} <= {str(bench.directory / "out")}
