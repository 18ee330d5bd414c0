# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The restore script in shells that people log in with, and are more than POSIX's or none: ksh, mksh, zsh, tcsh."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest

from ansible_collections.airgap.images.tests.functional._helpers import flip
from ansible_collections.airgap.images.tests.functional._restore import (
    LOGIN_SHELLS,
    PAIR_KINDS,
    SLOW,
    command_of,
    content,
    kind_of,
    programs,
    replace,
    run,
    script_of,
    site_commands,
    started,
    unpacked,
)
from ansible_collections.airgap.images.tests.support.archive import read_archive
from ansible_collections.airgap.images.tests.support.module import COLLECTION
from ansible_collections.airgap.images.tests.support.registry import Registry
from ansible_collections.airgap.images.tests.support.skopeo import registry_digests

EACH_SHELL = pytest.mark.parametrize("shell", LOGIN_SHELLS)


@pytest.fixture
def archives(restorable_pairs: dict[str, Path]) -> dict[str, Path]:
    """Archives with their scripts, each of two images, one of them by digest. They must not be written to."""
    return restorable_pairs


@pytest.mark.each_value
@EACH_SHELL
@pytest.mark.parametrize("kind", PAIR_KINDS)
def test_unpacks_and_writes_the_tar(archives: dict[str, Path], workdir: Path, kind: str, shell: str) -> None:
    """Without a word about what these shells take for wrong."""
    dest = archives[kind]
    path = programs(workdir / "bin", kind_of(dest), shell)
    ran = run(dest, workdir / "it's here", by=shell, path=path)
    assert ran.status == 0, ran.err
    assert unpacked(workdir / "it's here") == content(dest)
    spoken = ("checking file ", "unpacking file ", "copying file ", "all ", "writing to disk")
    assert [line for line in ran.err.splitlines() if not line.startswith(spoken)] == []
    assert run(dest, "--oci-tar", workdir / "all.tar", by=shell).status == 0
    assert (workdir / "all.tar").stat().st_size > 100_000
    assert run(dest, "--images", by=shell).out.splitlines() == list(read_archive(dest).references)


@EACH_SHELL
def test_names_what_is_wrong(archives: dict[str, Path], workdir: Path, shell: str) -> None:
    dest = archives["dir"]
    harmed = workdir / dest.name
    subprocess.run(["cp", "-a", dest, script_of(dest), workdir], check=True)
    first, *_others, last = sorted(path for path in harmed.rglob("*") if path.is_file() and not path.is_symlink())
    first.unlink()
    flip(last)
    ran = run(harmed, workdir / "target", by=shell)
    assert ran.status == 1
    assert f"missing: {first.relative_to(workdir)}" in ran.err
    assert f"damaged: {last.relative_to(workdir)} has the right size, but not the sha256 " in ran.err
    assert run(harmed, "--chek", by=shell).status == 2
    assert not (workdir / "target").exists()


@pytest.mark.each_value
@EACH_SHELL
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_run_that_is_stopped_clears_up(
    archives: dict[str, Path], workdir: Path, number: signal.Signals, shell: str
) -> None:
    dest, target = archives["gzip in parts"], workdir / "target"
    path = programs(workdir / "slow", "gzip", shell)
    replace(path, "cat", SLOW)
    with started(dest, target, by=shell, path=path, fifo=workdir / "fifo") as process:
        process.send_signal(number)
        assert process.wait(60) == 128 + number
        assert process.stderr is not None
        assert f"stopped by {number.name}; nothing is left of it in ".encode() in process.stderr.read()
        assert os.listdir(target) == []


LATE = """
status = subprocess.run([*REAL, *sys.argv[1:]]).returncode
os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
open(os.environ["ENDED"]).close()
sys.exit(status)
"""
LAST = """
whole = sys.stdin.buffer.read(int(os.environ["LENGTH"]))
status = subprocess.run([*REAL, *sys.argv[1:]], input=whole).returncode
open(os.environ["ENDED"], "w").close()
sys.exit(status)
"""


@pytest.mark.parametrize("shell", ["dash", *LOGIN_SHELLS])
def test_all_of_a_pipeline_is_waited_for(archives: dict[str, Path], workdir: Path, shell: str) -> None:
    """Also what ends after tar has; ksh waits for the last one only."""
    path = programs(workdir / "late", "zstd", shell)
    replace(path, "zstd", LATE)
    replace(path, "tar", LAST)
    os.mkfifo(workdir / "fifo")
    stream = subprocess.run(["zstd", "-dcq", archives["zstd"]], check=True, capture_output=True).stdout
    env = {"ENDED": str(workdir / "fifo"), "LENGTH": str(len(stream))}
    ran = run(archives["zstd"], workdir / "target", by=shell, path=path, env=env)
    assert ran.status == 0, ran.err
    assert unpacked(workdir / "target") == content(archives["zstd"])


@EACH_SHELL
def test_what_is_printed_may_be_typed_there(
    archives: dict[str, Path], registry: Registry, workdir: Path, shell: str
) -> None:
    """The loop over all images included: in zsh, path is where programs are looked for."""
    dest = archives["zstd"]
    ran = run(dest, "target", by=shell, cwd=workdir)
    assert ran.status == 0, ran.err
    commands = site_commands(ran.commands, registry)
    subprocess.run([*command_of(dest, by=shell)[:-1], "-c", commands], cwd=workdir, check=True, timeout=120)
    index, plain = read_archive(dest).references.items()
    assert registry_digests(registry, "oci/index", "1")[0] == index[1]
    assert registry_digests(registry, "oci/plain", f"digest-{plain[1].partition(':')[2]}") == [plain[1]]


def test_csh_is_told_at_once_which_shell_to_use(archives: dict[str, Path], workdir: Path) -> None:
    """It cannot read the script; what it says instead is in the pages."""
    dest = archives["none"]
    for arguments in ([], ["--check"], [str(workdir / "target")]):
        ran = run(dest, *arguments, by="tcsh")
        assert (ran.status, ran.out) == (2, "")
        assert ran.err == "error: csh and tcsh cannot read this script. Call it with sh\n"
    assert list(workdir.iterdir()) == []
    assert ran.err.strip() in (COLLECTION / "docs" / "troubleshooting.md").read_text("utf-8")
    direct = script_of(dest)
    called = subprocess.run(
        ["tcsh", "-c", f"sh {direct} {workdir}/target"], capture_output=True, text=True, check=False
    )
    assert called.returncode == 0, called.stderr
    assert unpacked(workdir / "target") == content(dest)
