# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Parity files: made with an archive, for one that stands, mended alone, and removed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible_collections.airgap.images.tests.functional._helpers import flip, saved, snapshot
from ansible_collections.airgap.images.tests.functional._since import BOTH, Months, lock_of
from ansible_collections.airgap.images.tests.support.archive import archive_files
from ansible_collections.airgap.images.tests.support.module import Result
from ansible_collections.airgap.images.tests.support.registry import Registry
from ansible_collections.airgap.images.tests.support.workbench import Source, Workbench

_NAMES = ["oci/gzip:1", "oci/plain:1", "docker/list:1", "oci/many-layers:1"]
_SIZE = "16K"


def save(source: Source, dest: Path, **params: Any) -> Result:
    """Write the same images again out of one cache."""
    with Workbench(dest.parent) as bench:
        images = [source[name] for name in _NAMES]
        return bench.save(images, cache_dir=dest.parent.parent / "cache", dest=dest, **params)


def parts_of(dest: Path) -> dict[str, tuple[object, ...]]:
    """The parts with all that shows whether one was touched."""
    return {name: state for path in archive_files(dest) for name, state in snapshot(path).items()}


def test_parity_files_come_and_go_while_the_parts_stay(seeded_source: Source, workdir: Path) -> None:
    source, dest = seeded_source, workdir / "out" / "images.tar.gz"
    dest.parent.mkdir()
    parity = dest.with_name(f"{dest.name}.parity0")
    refused = save(source, dest, part_size="1G", parity=True)
    assert refused.failed and "parity: at least 2 parts are needed" in refused.msg, refused.msg

    saved(save(source, dest, part_size=_SIZE))
    before = parts_of(dest)
    assert 20 <= len(before) < 40

    forecast = save(source, dest, part_size=_SIZE, parity=True, check=True)
    assert forecast.changed and not parity.exists()
    turned_on = save(source, dest, part_size=_SIZE, parity=True)
    saved(turned_on)
    assert turned_on["reason"] == "the same images, now with parity files"
    assert [each["path"] for each in turned_on["parity_files"]] == [str(parity)]
    assert parts_of(dest) == before
    assert not save(source, dest, part_size=_SIZE, parity=True).changed

    made = parity.read_bytes()
    flip(parity)
    mended = save(source, dest, part_size=_SIZE, parity=True)
    saved(mended)
    assert mended["reason"] == f"{parity.name} does not have the sha256 that was published"
    assert parity.read_bytes() == made
    assert parts_of(dest) == before

    turned_off = save(source, dest, part_size=_SIZE)
    saved(turned_off)
    assert (turned_off["reason"], turned_off["parity_files"]) == ("the same images, without parity files", [])
    assert not parity.exists() and parts_of(dest) == before

    saved(save(source, dest, part_size=_SIZE, parity=True, force=True))
    assert parity.read_bytes() == made, "made with the archive, it is the same"


def test_a_bundle_in_one_part_has_none(registry: Registry, bench: Workbench) -> None:
    """It is written all the same, as the option is set for every month, and a note says why there is none."""
    months = Months(registry, bench)
    months.save(0, "one.tar.gz", part_size=_SIZE, parity=True)
    images, dest = months.images(1), months.dest("two.tar.gz")
    since = [lock_of(months.dest("one.tar.gz"))]
    for changed in (True, False):
        result = bench.save(images, dest=dest, since=since, part_size="1G", parity=True, **BOTH)
        archive = saved(result, changed=changed)
        assert result["parity_files"] == [] and "parity" not in archive.lock
        assert any("two.tar.gz has no parity file" in note for note in result["notes"])
    smaller = bench.save(images, dest=dest, since=since, part_size=_SIZE, parity=True, **BOTH)
    assert saved(smaller).lock["parity"] and not smaller["notes"]
