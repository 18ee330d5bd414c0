# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Archive and cache on a USB stick: no links, no modes, no time of change, one name for ``A`` and ``a``, short files.

The stick is exFAT, mounted for real. FAT32's limit of file sizes is the process's (RLIMIT_FSIZE).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ansible_collections.airgap.images.tests.support.disks import exfat_disk
from ansible_collections.airgap.images.tests.support.workbench import Source, Workbench

MIB = 1024 * 1024
SIZE = 64 * MIB
KINDS = pytest.mark.parametrize("kind", ["gzip", "gzip in parts", "dir"])


@pytest.fixture
def stick(workdir: Path) -> Iterator[Path]:
    """A stick that only this user may read and write."""
    with exfat_disk(workdir / "stick", workdir / "stick.img", SIZE) as path:
        yield path


def params(kind: str) -> dict[str, object]:
    """The options of a kind of archive."""
    compress, _, parts = kind.partition(" in ")
    return {"compress": compress, **({"part_size": "16K"} if parts else {})}


def names(root: Path) -> list[str]:
    """All that is below a directory."""
    return sorted(str(path.relative_to(root)) for path in root.rglob("*"))


@KINDS
def test_the_same_archive_as_elsewhere_and_nothing_the_second_time(
    source: Source, bench: Workbench, stick: Path, kind: str
) -> None:
    images = [source["oci/index:1"], source["docker/list:1"]]
    elsewhere = bench.save(images, dest=bench.directory / "out" / "images", **params(kind))
    assert not elsewhere.failed
    places = {"dest": stick / "images", "cache_dir": stick / "cache", **params(kind)}
    foreseen = bench.save(images, check=True, **places)
    assert foreseen.changed and names(stick) == []
    done = bench.save(images, **places)
    assert not done.failed and done.changed, done.msg
    assert done["notes"] == foreseen["notes"] != []
    for before, after in zip(elsewhere["parts"], done["parts"]):
        assert before["sha256"] == after["sha256"]
    assert len(elsewhere["parts"]) == len(done["parts"])
    seen = names(stick)
    for check in (True, False):
        again = bench.save(images, check=check, **places)
        assert not again.failed and not again.changed, again["reason"]
        assert again["notes"] == done["notes"]
    assert names(stick) == seen
    assert [path.name for path in stick.rglob(".*")] == [".lock"]
