# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bundles: archives that leave out the layers which earlier archives carried."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

from ansible_collections.airgap.images.tests.functional._helpers import contents, saved, snapshot, without_reports
from ansible_collections.airgap.images.tests.functional._since import BOTH, Months, layers_of, lock_of
from ansible_collections.airgap.images.tests.support.archive import file_sha256
from ansible_collections.airgap.images.tests.support.module import run_module
from ansible_collections.airgap.images.tests.support.registry import Registry
from ansible_collections.airgap.images.tests.support.workbench import Workbench


def test_bundles_of_two_months(registry: Registry, bench: Workbench) -> None:
    """A chain: the lock file of each describes everything, and a layer is carried once. No layer comes again.

    The cache is empty each time, so what the base has is not even there.
    """
    months = Months(registry, bench)
    first = saved(bench.save(months.images(0), dest=months.dest("one.tar.gz"), **BOTH))
    carried = {**first.blobs}
    since = [lock_of(months.dest("one.tar.gz"))]
    for month, name in ((1, "two.tar.gz"), (2, "three.tar.gz")):
        images = months.images(month)
        shutil.rmtree(bench.cache)
        registry.clear()
        result = bench.save(images, dest=months.dest(name), since=since, **BOTH)
        archive = saved(result)
        fetched = {each.blob for each in registry.requests() if each.blob and each.method == "GET"}
        assert not fetched & {*archive.lock["requires"]}, "a layer of the base was downloaded"
        assert archive.lock["version"] == 2
        base = {(one["name"], one["lock_sha256"]) for one in archive.lock["base"]}
        assert base == {(path.name.removesuffix(".lock.json"), file_sha256(path)) for path in since}
        every = set().union(*map(layers_of, images))
        assert set(archive.lock["requires"]) == every & carried.keys()
        assert every <= {*archive.lock["requires"], *archive.blobs}
        assert result["bundle"]["left_out"] == len(archive.lock["requires"])
        carried.update(archive.blobs)
        since.append(lock_of(months.dest(name)))


def test_again_and_when_nothing_is_new(registry: Registry, bench: Workbench) -> None:
    """The second run changes nothing; without anything new, there is no bundle, whatever the cache has."""
    months = Months(registry, bench)
    images = months.images(1)
    saved(bench.save(images, **BOTH))
    registry.clear()
    dest = months.dest("next.tar.gz")
    for check in (True, False):
        result = bench.save(images[::-1], dest=dest, since=[lock_of(bench.dest)], check=check, **BOTH)
        assert not result.failed and not result.changed
        assert "no new blob, no moved tag" in result.msg
        assert result["bundle"]["is_needed"] is False
        assert not [path for path in dest.parent.iterdir() if path.name.startswith("next")]
    assert not [each for each in registry.requests() if each.method == "GET" and each.path != "/v2/"]
    images = months.images(2)
    params: dict[str, Any] = {"dest": dest, "since": [lock_of(bench.dest)], "part_size": 8192, **BOTH}
    saved(bench.save(images, **params))
    before = snapshot(dest.parent)
    assert not bench.save(images, **params).changed
    assert snapshot(dest.parent) == before
    other = bench.dest.parent.parent / "elsewhere" / "next.tar.gz"
    saved(bench.save(images, **{**params, "dest": other, "cache_dir": bench.directory / "empty"}))
    same = {name for name in contents(other.parent) if name.startswith("next")}
    found = without_reports({name: contents(dest.parent)[name] for name in same})
    assert without_reports(contents(other.parent)).items() >= found.items()


def test_a_bundle_that_is_a_directory(registry: Registry, bench: Workbench) -> None:
    months = Months(registry, bench)
    saved(bench.save(months.images(0), **BOTH))
    archive = saved(bench.save(months.images(1), dest=months.dest("next"), compress="dir", since=[lock_of(bench.dest)]))
    assert archive.lock["requires"]
    assert not archive.blobs.keys() & archive.lock["requires"].keys()


def test_what_is_at_dest_and_what_cannot_be_read(registry: Registry, bench: Workbench) -> None:
    """A bundle replaces one of the same base alone, and leaves everything else as it is."""
    months = Months(registry, bench)
    months.save(0, "one.tar.gz")
    months.save(1, "two.tar.gz", ["one.tar.gz"])
    images = months.images(2)
    one, two = months.dest("one.tar.gz"), months.dest("two.tar.gz")
    before = snapshot(one.parent)
    copy = bench.directory / lock_of(two).name
    shutil.copy(lock_of(two), copy)
    gone = lock_of(months.dest("gone.tar.gz"))
    refused: list[tuple[Path, list[Path], str]] = [
        (one, [lock_of(one)], "is the lock file of the archive at dest, .*; set .* such as .*/one-bundle.tar.gz$"),
        (two, [lock_of(one), copy], "since: two.tar.gz.lock.json is the lock file of the archive at dest"),
        (one, [lock_of(two)], "holds a full archive, which a bundle of two.tar.gz does not replace; set another dest"),
        (two, [gone], "^since: cannot read .*/gone.tar.gz.lock.json: No such file.* since_missing=full saves a full"),
    ]
    for dest, since, said in refused:
        result = bench.save(images, dest=dest, since=since, **BOTH)
        assert result.failed and not result.changed and re.search(said, result.msg), result.msg
    assert snapshot(one.parent) == before
    moved = months.save(2, "two.tar.gz", ["one.tar.gz"])
    assert [one["name"] for one in moved.lock["base"]] == ["one.tar.gz"]
    full = bench.save(images, dest=two, since=[gone], since_missing="full", **BOTH)
    assert saved(full).lock["version"] == 1 and "gone.tar.gz.lock.json" in full["notes"][0]
    assert "bundle" not in full.data


def test_a_bundle_that_a_killed_run_has_left_half_in_place(registry: Registry, bench: Workbench) -> None:
    """Its parts have their names, and its lock file is still to come: the next run completes it."""
    months = Months(registry, bench)
    months.save(0, "one.tar.gz")
    months.save(1, "two.tar.gz", ["one.tar.gz"], part_size=8192)
    two = months.dest("two.tar.gz")
    before = contents(two.parent)
    ready = two.with_name(".two.tar.gz.staging") / "ready"
    ready.parent.mkdir(mode=0o700)
    ready.mkdir(mode=0o700)
    lock_of(two).rename(ready / lock_of(two).name)
    params: dict[str, Any] = {"dest": two, "since": [lock_of(months.dest("one.tar.gz"))], "part_size": 8192, **BOTH}
    assert not bench.save(months.images(1), check=True, **params).failed
    result = bench.save(months.images(1), **params)
    saved(result)
    assert result["reason"] == "an interrupted run had finished the archive"
    assert contents(two.parent) == before


def test_the_lock_file_of_a_bundle_in_place_of_a_list(registry: Registry, bench: Workbench) -> None:
    """It names everything, so it gives a full archive, from a cache that was pruned for the bundle."""
    months = Months(registry, bench)
    months.save(0, "one.tar.gz")
    bundle = months.save(1, "two.tar.gz", ["one.tar.gz"], prune_cache=True)
    months.images(2)
    registry.clear()
    params: dict[str, Any] = {**bench.params([]), "from_lock": lock_of(months.dest("two.tar.gz"))}
    del params["images"]
    archive = saved(run_module({**params, "dest": months.dest("full.tar.gz")}))
    assert not [each for each in registry.requests() if each.blob and each.method == "GET"]
    assert archive.lock["images"] == bundle.lock["images"]
    assert archive.blobs == {**bundle.blobs, **{name: one["size"] for name, one in bundle.lock["requires"].items()}}
    facts = json.loads(months.dest("two.tar.gz.report.json").read_bytes())["facts"]
    assert facts["bundle"] == {"bytes": sum(bundle.blobs.values()), "full_bytes": sum(archive.blobs.values())}
    assert "A full archive" in months.dest("two.tar.gz.report.html").read_text("utf-8")
    rows = months.dest("two.tar.gz.report.csv").read_text("utf-8").splitlines()
    assert [row.split(",")[6] for row in rows if ",content," in row] == [
        str(sum(bundle.blobs.values())),
        str(sum(archive.blobs.values())),
    ]
