# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs that are killed, ended, short of space, or not alone."""

from __future__ import annotations

import shutil
import signal
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.airgap.images.tests.functional._helpers import (
    assert_layers_once,
    cached,
    check,
    command_lines,
    for_skopeo,
    leftovers,
    saved,
    snapshot,
)
from ansible_collections.airgap.images.tests.support.archive import file_sha256
from ansible_collections.airgap.images.tests.support.disks import fill, small_disk
from ansible_collections.airgap.images.tests.support.faults import Hold, Rule, Stall
from ansible_collections.airgap.images.tests.support.images import OCI_MANIFEST, Image
from ansible_collections.airgap.images.tests.support.module import RunningModule, alive, wait_for_end
from ansible_collections.airgap.images.tests.support.proxy import Proxy
from ansible_collections.airgap.images.tests.support.push import PushedImage, push
from ansible_collections.airgap.images.tests.support.registry import Registry
from ansible_collections.airgap.images.tests.support.samples import big, small
from ansible_collections.airgap.images.tests.support.workbench import Source, Workbench

pytestmark = pytest.mark.both_ways

MIB = 1024 * 1024


def halfway(bench: Workbench, registry: Registry, image: PushedImage, **params: Any) -> tuple[RunningModule, Proxy]:
    """A run whose last layer has come halfway and comes no further."""
    stall = Stall(10_000)
    proxy = bench.proxy(registry, Rule(stall, path=f"/blobs/{image.platforms[0].layers[-1].digest}"))
    reference = f"{proxy.host}/{image.repository}:{image.tag}"
    running = bench.start([reference], **params)
    proxy.wait_for(lambda seen: any(each.action is stall and each.sent == 10_000 for each in seen))
    return running, proxy


def test_hangar_fault_05_a_killed_run_leaves_the_old_archive_and_nothing_that_looks_whole(
    source: Source, bench: Workbench, scratch: Path
) -> None:
    """Neither before nor after the kill does a new part stand under its name; the next run fetches what is missing."""
    old, new = source["oci/plain:1"], source["oci/gzip:1"]
    saved(bench.save([old], part_size="20K"))
    before = snapshot(bench.dest.parent)
    running, _proxy = halfway(bench, source.registry, new, part_size="20K")
    children = running.children()
    running.adopt(children)
    running.kill()
    wait_for_end(children)
    beside = [path.name for path in bench.dest.parent.iterdir() if str(path) not in before]
    assert not [name for name in beside if name.startswith(bench.dest.name)]
    check(bench.dest, beside=beside)
    after = snapshot(bench.dest.parent)
    assert [path for path in before if path != str(bench.dest.parent) and after.get(path) != before[path]] == []
    saved(bench.save([new], part_size="20K"))
    assert not leftovers(bench.cache) and not list(scratch.iterdir())


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_run_that_is_told_to_end_leaves_nothing_private(
    source: Source, bench: Workbench, scratch: Path, number: signal.Signals
) -> None:
    image = source["oci/gzip:1"]
    secret = {"username": "somebody", "password": "s3cr3t-of-somebody"}
    running, _proxy = halfway(bench, source.registry, image, **secret)
    children = running.children()
    running.adopt(children)
    running.signal(number)
    result = running.wait()
    wait_for_end(children)
    assert result.failed and not result.changed
    assert number.name in result.msg
    assert not list(scratch.iterdir()), "files are left in TMPDIR"
    assert not leftovers(bench.cache)
    assert not list(bench.dest.parent.iterdir())


def test_a_run_that_ends_well_leaves_nothing_in_tmpdir(source: Source, bench: Workbench, scratch: Path) -> None:
    saved(bench.save([source["docker/list:1"]]))
    assert not list(scratch.iterdir())


def test_two_runs_on_one_cache(source: Source, bench: Workbench) -> None:
    """The second fails at once and names the first, or waits for it if it may."""
    image = source["oci/gzip:1"]
    hold = Hold()
    proxy = bench.proxy(source.registry, Rule(hold, path="/blobs/"))
    first = bench.start([f"{proxy.host}/{image.repository}:{image.tag}"])
    proxy.wait_for(lambda seen: any(each.action is hold for each in seen))
    other = bench.dest.with_name("other.tar.gz")
    second = bench.save([image], dest=other)
    assert second.failed and not second.changed
    assert str(first.pid) in second.msg and str(bench.cache) in second.msg
    assert not other.exists()
    third = bench.start([image], dest=other, lock_timeout=60)
    # It can do nothing before the first has ended; whichever way this goes, both have to be right in the end.
    hold.release()
    saved(first.wait())
    saved(third.wait())
    assert_layers_once(source.registry, image.platforms)


@pytest.mark.parametrize("begun", [False, True])
def test_two_runs_on_one_archive(source: Source, bench: Workbench, begun: bool) -> None:
    """The second fails and names it, and the first is right, begun to be written or not."""
    held, done = source["oci/gzip:1"], source["oci/plain:1"]
    hold = Hold()
    proxy = bench.proxy(source.registry, Rule(hold, path=f"/blobs/{held.platforms[0].layers[-1].digest}"))
    order = [done, held] if begun else [held]
    first = bench.start([f"{proxy.host}/{each.repository}:{each.tag}" for each in order])
    proxy.wait_for(lambda seen: any(each.action is hold for each in seen))
    while begun and not list(bench.dest.parent.iterdir()):
        assert alive(first.pid)
    second = bench.save([held], cache_dir=bench.directory / "another-cache")
    assert second.failed and str(bench.dest) in second.msg
    hold.release()
    saved(first.wait())


@pytest.mark.both_ways(short=True)
def test_hangar_fault_16_kill_9_ends_skopeo_too_and_frees_the_lock(source: Source, bench: Workbench) -> None:
    image, hold = source["oci/index:1"], Hold()
    proxy = bench.proxy(source.registry, for_skopeo(image, hold))
    running = bench.start([f"{proxy.host}/{image.repository}:{image.tag}"])
    proxy.wait_for(lambda seen: any(each.action is hold for each in seen))
    children = running.children()
    assert any("skopeo" in line for line in command_lines(children))
    running.adopt(children)
    running.kill()
    wait_for_end(children)
    saved(bench.save([source["oci/index:1"]]))


def huge(size: int) -> Image:
    """An image whose manifest promises a layer of ``size`` bytes."""
    image = small(1)
    text = image.raw.decode().replace(f'"size": {len(image.layers[-1].data)}', f'"size": {size}')
    return Image(text.encode(), OCI_MANIFEST, image.config, image.config_media_type, image.layers, image.platform)


@pytest.mark.parametrize("check_mode", [False, True])
def test_hangar_fault_01_space_is_looked_at_before_the_first_byte(
    registry: Registry, bench: Workbench, check_mode: bool
) -> None:
    """An image larger than what is free; the message says how much is needed, how much is free, and where."""
    image = push(registry, "some/huge", "1", huge(shutil.disk_usage(bench.directory).free * 101 // 100))
    result = bench.save([image], check=check_mode)
    assert result.failed and not result.changed
    assert str(bench.cache) in result.msg or str(bench.dest.parent) in result.msg
    assert "free" in result.msg
    layers = {layer.digest for layer in image.platforms[0].layers}
    assert not layers & set(registry.blob_gets())
    assert not list(bench.dest.parent.iterdir())


def test_an_image_larger_than_any_disk_fails_alone(registry: Registry, bench: Workbench) -> None:
    """A registry may say anything of a size; the others are saved."""
    giant, sound = push(registry, "some/huge", "1", huge(2**49)), push(registry, "some/sound", "1", small(2))
    result = bench.save([giant, sound], allow_partial=True)
    archive = saved(result)
    assert archive.references == {sound.reference: sound.digest}
    [failed] = result["failed_images"]
    assert (
        failed["reference"] == giant.reference
        and "512.0 TiB" in failed["reason"]
        and str(bench.cache) in failed["reason"]
    )


@pytest.mark.parametrize("full", ["dest", pytest.param("cache", marks=pytest.mark.thorough)])
def test_hangar_fault_01_a_disk_that_fills_up_fails_the_task(registry: Registry, bench: Workbench, full: str) -> None:
    """It was large enough when the run began. The old archive stays, and with space again all is well."""
    old = push(registry, "some/old", "1", small(1))
    new = push(registry, "some/new", "1", big(5, [400_000, 400_000]))
    hold = Hold()
    with small_disk(bench.directory / "disk", 4 * MIB) as disk:
        places: dict[str, Any] = {
            "dest": bench.directory / "out" / "images.tar",
            "cache_dir": bench.directory / "cache",
        }
        places["dest" if full == "dest" else "cache_dir"] = disk / "images.tar" if full == "dest" else disk / "cache"
        saved(bench.save([old], compress="none", **places))
        archive = places["dest"]
        before = file_sha256(archive)
        proxy = bench.proxy(registry, Rule(hold, path=f"/blobs/{new.platforms[0].layers[-1].digest}"))
        running = bench.start(
            [f"{proxy.host}/some/new:1"],
            compress="none",
            retries=1,
            retry_delay=0.01,
            **places,
        )
        proxy.wait_for(lambda seen: any(each.action is hold for each in seen))
        fill(disk / "filler")
        hold.release()
        result = running.wait()
        assert result.failed and not result.changed
        text = f"{result.msg} {result.data.get('failed_images')}"
        assert "space" in text, text
        assert file_sha256(archive) == before
        check(archive)
        assert sorted(path.name for path in archive.parent.iterdir() if path.name.startswith("images")) == [
            "images.tar",
            "images.tar.lock.json",
            "images.tar.report.csv",
            "images.tar.report.html",
            "images.tar.report.json",
            "images.tar.restore.sh",
            "images.tar.sha256",
        ]
        (disk / "filler").unlink()
        saved(bench.save([new], compress="none", **places))
        assert not leftovers(places["cache_dir"])


def test_a_disk_that_is_too_small_is_told_before_the_first_byte(registry: Registry, bench: Workbench) -> None:
    """The cache would fit, the archive would not."""
    image = push(registry, "some/new", "1", big(6, [900_000, 900_000]))
    with small_disk(bench.directory / "disk", MIB) as disk:
        result = bench.save([image], dest=disk / "images.tar.gz")
        assert result.failed and str(disk) in result.msg and "free" in result.msg
        assert not list(disk.iterdir())
    assert not {layer.digest for layer in image.platforms[0].layers} & set(registry.blob_gets())
    assert not cached(bench.cache, image.platforms[0].layers[0].digest).exists()
