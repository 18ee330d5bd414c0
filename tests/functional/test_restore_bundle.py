# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The restore script of a bundle: it is added to the directory that its base was restored to."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from ansible_collections.airgap.images.tests.functional._helpers import cached, flip
from ansible_collections.airgap.images.tests.functional._restore import (
    SHELLS,
    command_of,
    content,
    programs,
    run,
)
from ansible_collections.airgap.images.tests.functional._since import Months
from ansible_collections.airgap.images.tests.support.archive import ROOT, SHARE, read_archive
from ansible_collections.airgap.images.tests.support.workbench import Workbench

pytestmark = pytest.mark.spread

# Ends the script as its lists are to be moved.
KILL = """
if sys.argv[-1].endswith("saved-image-cache/index.json"):
    os.kill(os.getppid(), 9)
else:
    sys.exit(subprocess.call(REAL + sys.argv[1:]))
"""


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Months:
    """Three months: a full archive, a bundle in parts and one that is a directory. They must not be written to."""
    with Workbench(tmp_path_factory.mktemp("chain")) as bench:
        months = Months(bench.registry(), bench)
        months.save(0, "one.tar.gz")
        months.save(1, "two.tar.gz", ["one.tar.gz"], part_size=8192)
        months.save(2, "three", ["one.tar.gz", "two.tar.gz"], compress="dir")
        months.save(2, "full.tar.gz")
        return months


@pytest.fixture
def target(chain: Months, workdir: Path) -> Path:
    """A directory with what the first month brought."""
    ran = run(chain.dest("one.tar.gz"), workdir / "target")
    assert ran.status == 0, ran.err
    return workdir / "target"


def names(target: Path) -> set[str]:
    return {str(path.relative_to(target)) for path in target.rglob("*")}


def files(target: Path) -> dict[str, tuple[str, str, str]]:
    return {name: each for name, each in content(target).items() if not name.startswith(SHARE)}


@pytest.mark.each_value
@pytest.mark.parametrize("shell", SHELLS)
def test_a_chain_gives_what_a_full_archive_gives(chain: Months, target: Path, workdir: Path, shell: str) -> None:
    """Blobs that nothing names any more stay. What is added once can be added again."""
    path = programs(workdir / "bin", "gzip", shell)
    (path / "ls").symlink_to(str(shutil.which("busybox" if shell == "busybox" else "ls")))
    before = {name for name in content(target) if name.startswith(SHARE)}
    for name, argument in (("two.tar.gz", "--verify"), ("three", ""), ("three", "")):
        ran = run(chain.dest(name), *filter(None, [argument]), target, by=shell, path=path)
        assert ran.status == 0, ran.err
        assert f"{target}/{ROOT} is whole: " in ran.out
        assert os.listdir(target) == [ROOT]
    whole = read_archive(chain.dest("full.tar.gz"))
    full = {member.name: (member.kind, member.target, member.sha256) for member in whole.members}
    now = content(target)
    assert full.items() <= now.items()
    assert before <= now.keys()
    for document in ("index.json", "saved-images-list.json"):
        assert now[f"{ROOT}/{document}"] == full[f"{ROOT}/{document}"]


def test_the_last_alone_names_what_is_missing(chain: Months, target: Path) -> None:
    """The second month was never restored: each of its layers is named, with what carried it, and nothing changes."""
    before = content(target)
    ran = run(chain.dest("three"), target)
    assert ran.status == 1
    bundle = read_archive(chain.dest("three")).lock["requires"]
    missing = [digest for digest in bundle if f"{SHARE}/{digest[7:]}" not in before]
    assert missing
    for digest in missing:
        size, carrier = bundle[digest]["size"], bundle[digest]["from"]
        where = f"two.tar.gz ({', '.join(carrier['parts'])})"
        assert f"missing: layer {digest} ({size} bytes), which was carried by {where}" in ran.err
    assert f"{len(missing)} are missing in {target}/{ROOT} and 0 are damaged" in ran.err
    assert content(target) == before and os.listdir(target) == [ROOT]


@pytest.mark.parametrize("change", ["gone", "shorter", "other bytes", "a link"])
def test_a_layer_that_is_not_as_it_was(chain: Months, target: Path, change: str) -> None:
    """Other bytes of the same size are found on request."""
    lock = read_archive(chain.dest("two.tar.gz")).lock
    layer = cached(target / ROOT, max(lock["requires"]))
    if change == "gone":
        layer.unlink()
    elif change == "shorter":
        os.truncate(layer, 10)
    elif change == "a link":
        layer.rename(target.parent / "moved")
        layer.symlink_to(target.parent / "moved")
    else:
        flip(layer)
    before = names(target)
    ran = run(chain.dest("two.tar.gz"), "--verify", target)
    assert ran.status == 1 and f"layer sha256:{layer.name} " in ran.err
    assert names(target) == before
    assert (run(chain.dest("two.tar.gz"), target).status == 0) is (change == "other bytes")


def test_what_it_refuses(chain: Months, target: Path, workdir: Path) -> None:
    """No base; a damaged part; and a tar, which would lack layers."""
    dest = chain.dest("two.tar.gz")
    ran = run(dest, workdir / "nowhere")
    assert ran.status == 1 and "This archive is a bundle" in ran.err and "one.tar.gz" in ran.err
    assert not (workdir / "nowhere").exists()
    ran = run(dest, "--oci-tar", workdir / "all.tar")
    assert ran.status == 1 and "this archive is a bundle" in ran.err
    shutil.copytree(dest.parent, workdir / "copy")
    flip(workdir / "copy" / "two.tar.gz.part1")
    before = content(target)
    ran = run(workdir / "copy" / "two.tar.gz", target)
    assert ran.status == 1 and "damaged: two.tar.gz.part1" in ran.err
    assert content(target) == before


def test_killed_while_it_moves(chain: Months, target: Path, workdir: Path) -> None:
    """Before the lists are there, everything is as it was, with blobs beside it; a second call completes it."""
    path = programs(workdir / "bin", "gzip")
    (path / "ls").symlink_to(str(shutil.which("ls")))
    (path / "mv").unlink()
    (path / "mv").write_text(
        f'#!/bin/sh\ncase "$*" in */index.json) kill -9 $PPID; exit 1 ;; esac\nexec {shutil.which("mv")} "$@"\n'
    )
    (path / "mv").chmod(0o755)
    before = files(target)
    done = subprocess.run(
        command_of(chain.dest("two.tar.gz"), target), env={"PATH": str(path)}, capture_output=True, check=False
    )
    assert done.returncode == -signal.SIGKILL
    now = files(target)
    assert {name: now[name] for name in before} == before
    assert run(chain.dest("two.tar.gz"), target).status == 0
    assert os.listdir(target) == [ROOT]
    assert run(chain.dest("three"), target).status == 0
