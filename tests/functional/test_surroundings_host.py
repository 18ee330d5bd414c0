# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts on which something is not as it should be: the umask, the environment, a policy, skopeo itself."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.airgap.images.tests.functional._helpers import cached, check, contents, saved, umask
from ansible_collections.airgap.images.tests.support.disks import fill, read_only, small_disk
from ansible_collections.airgap.images.tests.support.extent import is_full
from ansible_collections.airgap.images.tests.support.module import Result, RunningModule, alive, start_module
from ansible_collections.airgap.images.tests.support.workbench import Source, Workbench

THOROUGH = pytest.mark.thorough

LONGEST = 2000
"""Characters that an error for a single image has at most."""


def run(
    bench: Workbench, images: Any, *, first: str = "", env: Mapping[str, str | None] | None = None, **params: Any
) -> Result:
    """A run after some commands of a shell of its own; it must come to an end, and not with a traceback."""
    bench.dest.parent.mkdir(exist_ok=True)
    under = ["unshare", "--mount", "sh", "-c", f'{first} exec "$@"', "sh"] if first else []
    with start_module(bench.params(images, **params), env=env, under=under) as running:
        return ended(running)


def ended(running: RunningModule) -> Result:
    """The result of a run that left no process and no traceback."""
    result = running.wait(90)
    assert "Traceback" not in f"{result.data}{result.stderr}"
    assert len(result.msg) < LONGEST
    return result


def refused(result: Result, bench: Workbench, *words: str) -> None:
    """Asserts that the task failed with these words, and that there is no archive."""
    assert result.failed and not result.changed
    for word in words:
        assert word in result.msg, result.msg
    assert not list(bench.dest.parent.iterdir())


def modes(root: Path) -> set[int]:
    """The modes of all files and directories below a path, links aside."""
    found = [path.lstat() for path in [root, *root.rglob("*")]]
    return {stat.S_IMODE(each.st_mode) for each in found if not stat.S_ISLNK(each.st_mode)}


@pytest.mark.parametrize(
    ("mask", "compress"),
    [
        pytest.param(0o000, "gzip", marks=THOROUGH),
        (0o000, "dir"),
        pytest.param(0o002, "dir", marks=THOROUGH),
        (0o077, "gzip"),
        pytest.param(0o077, "dir", marks=THOROUGH),
    ],
    ids=str,
)
def test_umask(source: Source, bench: Workbench, mask: int, compress: str) -> None:
    """Nobody else may write to anything; the cache is private; the members' modes are always the same."""
    dest = bench.dest if compress == "gzip" else bench.dest.with_name("images")
    dest.parent.mkdir()
    with umask(mask):
        archive = saved(run(bench, [source["docker/list:1"]], dest=dest, compress=compress))
    assert stat.S_IMODE(bench.cache.stat().st_mode) == 0o700
    for root in (bench.cache, bench.dest.parent):
        assert {f"{mode:04o}" for mode in modes(root) if mode & 0o7002} == set()
    blobs = {path.stat().st_mode & 0o7777 for path in (bench.cache / "share" / "sha256").iterdir()}
    assert blobs == {0o644}, "a directory shares these"
    if compress == "gzip":
        assert {(member.kind, member.mode) for member in archive.members} == {
            ("dir", 0o755),
            ("file", 0o644),
            ("symlink", 0o777),
        }


@pytest.mark.parametrize("home", [None, *(pytest.param(home, marks=THOROUGH) for home in ("/nonexistent", ""))])
def test_home(source: Source, bench: Workbench, home: str | None) -> None:
    saved(run(bench, [source["oci/plain:1"]], env={"HOME": home}))


def test_a_home_that_is_read_only(source: Source, bench: Workbench) -> None:
    with small_disk(bench.directory / "home", 1024 * 1024) as home, read_only(home):
        saved(run(bench, [source["oci/plain:1"]], env={"HOME": str(home)}))


def test_a_directory_for_temporary_files_that_is_not_there(source: Source, bench: Workbench) -> None:
    saved(run(bench, [source["oci/plain:1"]], env={"TMPDIR": "/nonexistent"}))


def test_a_directory_for_temporary_files_that_is_full(source: Source, bench: Workbench) -> None:
    """Large temporary files of ours are on the cache's filesystem."""
    with small_disk(bench.directory / "tmp", 1024 * 1024) as disk:
        fill(disk / "filler")
        saved(run(bench, [source["oci/gzip:1"]], env={"TMPDIR": str(disk)}))


def test_a_working_directory_that_is_gone(source: Source, bench: Workbench) -> None:
    gone = bench.directory / "gone"
    saved(run(bench, [source["oci/plain:1"]], first=f"mkdir {gone}; cd {gone}; rmdir {gone};"))


def test_without_a_path(source: Source, bench: Workbench) -> None:
    refused(run(bench, [source["oci/plain:1"]], env={"PATH": ""}), bench, "skopeo_path: 'skopeo'", "install skopeo")
    saved(run(bench, [source["oci/plain:1"]], env={"PATH": ""}, skopeo_path="/usr/bin/skopeo"))


HIDDEN = "for each in /etc/containers /usr/share/containers; do [ ! -d $each ] || mount -t tmpfs none $each; done;"


def test_without_any_signature_policy(source: Source, bench: Workbench) -> None:
    """skopeo refuses to decide by itself, and so do we; the remedies are named."""
    result = run(bench, [source["oci/plain:1"]], first=HIDDEN)
    refused(result, bench, "policy.json", "signature_policy", "insecure_policy")


@THOROUGH
def test_a_remedy_where_there_is_no_signature_policy(source: Source, bench: Workbench) -> None:
    saved(run(bench, [source["oci/plain:1"]], first=HIDDEN, insecure_policy=True))


# What passes for skopeo. $share is the directory with the blobs, $folder the layout that it is to write.
HEAD = """#!/bin/sh
case "$*" in *--version*) echo "skopeo version 1.9.3"; exit 0 ;; esac
for each; do
    [ "$before" = --dest-shared-blob-dir ] && share=$each/sha256
    before=$each
done
folder=${each#oci:}
"""
REAL = '/usr/bin/skopeo "$@" || exit $?\n'


def program(bench: Workbench, text: str, *, head: str = HEAD, mode: int = 0o755) -> Path:
    """A shell script in skopeo's place."""
    path = bench.directory / "bin" / "skopeo"
    path.parent.mkdir(exist_ok=True)
    path.write_text(head + text, encoding="utf-8")
    path.chmod(mode)
    return path


def version(text: str) -> str:
    return f"#!/bin/sh\necho '{text}'\n"


UNUSABLE: dict[str, tuple[str, int, str]] = {
    "old": (version("skopeo version 1.5.2"), 0o755, "too old"),
    "something else": (version("usage: skopeo"), 0o755, "does not answer as skopeo does"),
    "no program": ("nothing", 0o755, "cannot be run"),
    "not executable": (version("skopeo version 1.9.3"), 0o644, "was not found"),
    "not there": ("", 0, "was not found"),
    "no interpreter": ("#!/nonexistent\n", 0o755, "cannot be run"),
    "silent": ("#!/bin/sh\nexit 1\n", 0o755, "does not answer as skopeo does"),
    "bytes": ("#!/bin/sh\nprintf '\\377\\376\\302\\233'; exit 0\n", 0o755, "does not answer as skopeo does"),
}


@pytest.mark.parametrize(
    "what",
    [
        pytest.param(what, marks=THOROUGH) if what in ("no program", "not there", "silent", "bytes") else what
        for what in UNUSABLE
    ],
)
def test_a_skopeo_that_is_of_no_use(source: Source, bench: Workbench, what: str) -> None:
    text, mode, told = UNUSABLE[what]
    path = program(bench, text, head="", mode=mode)
    if not mode:
        path.unlink()
    refused(run(bench, [source["oci/plain:1"]], skopeo_path=path, retries=0), bench, "skopeo", str(path), told)


LIES: dict[str, tuple[str, str]] = {
    "nothing is written": ("exit 0\n", "index.json cannot be read"),
    "a layout without its blobs": (REAL + 'rm "$share"/*\n', "left no sound manifest"),
    "layers are missing": (REAL + 'find "$share" -size +15k -delete\n', "are missing in the cache"),
    "layers are links": (
        REAL + 'for each in $(find "$share" -size +15k); do mv $each $folder.x; ln -s $folder.x $each; done\n',
        "are missing in the cache",
    ),
    "wrong bytes in a manifest": (
        REAL + 'for each in "$share"/*; do echo >> $each; done\n',
        "left no sound manifest",
    ),
    "another manifest": (
        REAL + "sed -i 's/sha256:[0-9a-f]\\{60\\}/sha256:" + "0" * 60 + "/g' $folder/index.json\n",
        "instead of sha256:",
    ),
    "no JSON": (REAL + "echo '{\"manifests\": [' > $folder/index.json\n", "index.json cannot be read"),
    "a FIFO": (REAL + "rm $folder/index.json; mkfifo $folder/index.json\n", "index.json cannot be read"),
    "a link in place of the layout": (REAL + "mv $folder $folder.x; ln -s $folder.x $folder\n", "is a link"),
    "much is said": (
        "(head -c 3000000 /dev/zero | tr '\\0' x; echo; echo too much was said) >&2; exit 1\n",
        "too much was said",
    ),
    "control characters are said": ("printf '\\033[2J\\r\\n\\a gone wrong \\302\\233' >&2; exit 1\n", "gone wrong"),
    "killed": ("kill -9 $$\n", "ended by signal 9"),
}


MORE_LIES = (
    "a layout without its blobs",
    "layers are links",
    "another manifest",
    "no JSON",
    "a FIFO",
    "much is said",
    "killed",
)
"""Those that are found in the same place as another one."""

OF_LAYERS = ("layers are missing", "layers are links")
"""Those that do no harm where skopeo has no layers."""


@pytest.mark.thorough(repeats=True)
@pytest.mark.parametrize("what", [pytest.param(what, marks=THOROUGH) if what in MORE_LIES else what for what in LIES])
@pytest.mark.parametrize("way", ["always", pytest.param("auto", marks=THOROUGH)])
def test_a_skopeo_that_lies(source: Source, bench: Workbench, what: str, way: str) -> None:
    """Nothing is published that is not whole; the next run, with a skopeo that does not, has all that it needs.

    Where skopeo copies the first image only to compare, all are left to it after that.
    """
    text, told = LIES[what]
    path = program(bench, text)
    options: dict[str, Any] = {"retries": 1, "retry_delay": 0.01, "stall_timeout": 10, "skopeo_copy": way}
    images = [source[name] for name in (("oci/plain:1", "oci/gzip:1") if is_full() else ("oci/gzip:1",))]
    result = run(bench, images, skopeo_path=path, **options)
    if way == "auto" and what in OF_LAYERS:
        saved(result)
        return
    refused(result, bench, told)
    assert result.msg.isprintable()
    assert not [path for path in bench.cache.rglob("*") if path.name.startswith((".run", "copy-"))]
    saved(run(bench, images))


def test_a_skopeo_that_spoils_layers(source: Source, bench: Workbench) -> None:
    """They are found as they are archived, fetched again, and not given to skopeo once more."""
    spoil = 'for each in $(find "$share" -size +15k); do printf x | dd of=$each conv=notrunc 2>/dev/null; done\n'
    images = [source["oci/plain:1"], source["oci/gzip:1"]]
    result = run(bench, images, skopeo_path=program(bench, REAL + spoil), skopeo_copy="always")
    saved(result)
    assert result["stats"]["blobs_repaired"]
    blobs = contents(bench.cache / "share" / "sha256")
    assert {name: digest for name, digest in blobs.items() if name != digest} == {}


def test_a_skopeo_that_changes_what_was_there(source: Source, bench: Workbench) -> None:
    """Blobs of another image, which were sound when they were looked at first."""
    saved(run(bench, [source["oci/plain:1"]]))
    layer = cached(bench.cache, source["oci/plain:1"].platforms[0].layers[-1].digest)
    path = program(bench, REAL + f"printf x | dd of={layer} conv=notrunc 2>/dev/null\n")
    images = [source["oci/plain:1"], source["oci/gzip:1"]]
    result = run(bench, images, skopeo_path=path)
    if result.failed:
        assert "does not keep what is written to it" in result.msg
    check(bench.dest)
    saved(run(bench, images, force=True))
    blobs = contents(bench.cache / "share" / "sha256")
    assert {name: digest for name, digest in blobs.items() if name != digest} == {}


def test_a_skopeo_that_writes_links_and_more_into_the_layout(source: Source, bench: Workbench) -> None:
    precious = bench.directory / "precious"
    precious.write_text("data", encoding="utf-8")
    links = f"ln -sf {precious} $folder/oci-layout; ln -s {precious} $folder/accepted; ln -s / $folder/more\n"
    saved(run(bench, [source["oci/plain:1"]], skopeo_path=program(bench, REAL + links)))
    assert precious.read_text(encoding="utf-8") == "data"
    folder = bench.cache / source["oci/plain:1"].platforms[0].digest[7:]
    links = {path: str(path.readlink()) for path in bench.cache.rglob("*") if path.is_symlink()}
    assert links == {bench.cache / "blobs": "share", folder / "blobs": "../share"}


def test_a_skopeo_that_hangs(source: Source, bench: Workbench) -> None:
    pids = bench.directory / "pids"
    path = program(bench, f"echo $$ >> {pids}; sleep 1000 & echo $! >> {pids}; trap '' TERM; sleep 1000\n")
    result = run(bench, [source["oci/plain:1"]], skopeo_path=path, retries=0, stall_timeout=1)
    refused(result, bench, "the transfer stalled: no byte in 1 s")
    assert not [pid for pid in map(int, pids.read_text(encoding="utf-8").split()) if alive(pid)]


@pytest.mark.parametrize("status", [pytest.param(0, marks=THOROUGH), 1])
def test_a_skopeo_that_leaves_children(source: Source, bench: Workbench, status: int) -> None:
    pids = bench.directory / "pids"
    path = program(bench, f"sleep 1000 & echo $! >> {pids}\n{REAL}exit {status}\n")
    result = run(bench, [source["oci/plain:1"]], skopeo_path=path, retries=0)
    left = [pid for pid in map(int, pids.read_text(encoding="utf-8").split()) if alive(pid)]
    for pid in left:
        os.kill(pid, 9)
    assert result.failed is bool(status)
    assert not left, "orphans go on"
