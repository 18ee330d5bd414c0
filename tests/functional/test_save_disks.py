# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Disks: what goes where, how much room that takes, and what is left of it."""

from __future__ import annotations

import os
from typing import Any

import pytest

from ansible_collections.airgap.images.tests.functional._helpers import cached, flip, saved
from ansible_collections.airgap.images.tests.support.disks import bound, small_disk
from ansible_collections.airgap.images.tests.support.faults import Corrupt, Hold, Respond, Rule, Truncate
from ansible_collections.airgap.images.tests.support.module import run_module
from ansible_collections.airgap.images.tests.support.push import PushedImage, push
from ansible_collections.airgap.images.tests.support.registry import Registry
from ansible_collections.airgap.images.tests.support.samples import big
from ansible_collections.airgap.images.tests.support.workbench import Source, Workbench

THOROUGH = pytest.mark.thorough

LAYER = 300_000


def row(registry: Registry, count: int) -> list[PushedImage]:
    """Images with a large layer each, and nothing in common."""
    return [push(registry, f"row/image{number}", "1", big(number, [LAYER])) for number in range(count)]


def layers(*images: PushedImage) -> set[str]:
    return {layer.digest for image in images for each in image.platforms for layer in each.layers}


def in_cache(bench: Workbench) -> set[str]:
    return {f"sha256:{path.name}" for path in (bench.cache / "share" / "sha256").iterdir()}


def through(
    bench: Workbench, registry: Registry, images: list[PushedImage], *rules: Rule
) -> tuple[list[str], dict[str, Any]]:
    """Images and parameters of a run that gets them through a proxy that does harm."""
    proxy = bench.proxy(registry, *rules)
    return [image.reference.split("/", 1)[1] for image in images], {"source_registry": proxy.host}


# -- a cache that is not kept


@pytest.mark.parametrize("compress", ["gzip", pytest.param("dir", marks=THOROUGH)])
def test_after_a_failure_nothing_is_fetched_that_would_not_be_kept(
    registry: Registry, bench: Workbench, compress: str
) -> None:
    images = row(registry, 12)
    (lost,) = layers(images[2])
    names, params = through(bench, registry, images, Rule(Respond(404), path=f"/blobs/{lost}"))
    dest = bench.directory / "out" / "images"
    result = bench.save(names, dest=dest, compress=compress, keep_cache=False, jobs=1, retries=0, **params)
    assert result.failed and not result.changed
    reasons = {each["reference"].rpartition("/")[2]: each["reason"] for each in result["failed_images"]}
    assert lost in reasons.pop("image2:1")
    assert len(reasons) >= 6 and all("keep_cache=false" in reason for reason in reasons.values())
    assert "What was fetched stays" not in result.msg
    fetched = layers(*images) & set(registry.blob_gets())
    assert len(fetched) <= 6, "the rest was fetched all the same"
    assert not in_cache(bench) & layers(*images)
    assert not list(dest.parent.iterdir())
    again = bench.save(images[:3], dest=dest, compress=compress, keep_cache=False)
    saved(again)
    assert not in_cache(bench) & layers(*images)


def test_where_an_image_is_missing_nothing_is_fetched_that_would_not_be_kept(
    registry: Registry, bench: Workbench
) -> None:
    """Check mode names the same images with the same reasons."""
    images = row(registry, 3)
    wanted = [images[0].reference, f"{registry.host}/no/such:1", *(image.reference for image in images[1:])]
    results = [bench.save(wanted, keep_cache=False, check=check) for check in (True, False)]
    assert results[0]["failed_images"] == results[1]["failed_images"]
    assert [each["reference"] for each in results[1]["failed_images"]] == wanted
    assert not layers(*images) & set(registry.blob_gets())


@THOROUGH
def test_a_partial_archive_keeps_nothing_of_what_failed(registry: Registry, bench: Workbench) -> None:
    """There is room for the archive and a few images; of those that fail, a layer comes each time."""
    images = [push(registry, f"row/image{number}", "1", big(number, [LAYER, LAYER])) for number in range(10)]
    lost = [image.platforms[0].layers[-1].digest for image in images[:8]]
    names, params = through(bench, registry, images, *(Rule(Respond(404), path=f"/blobs/{each}") for each in lost))
    result = bench.save(names, keep_cache=False, allow_partial=True, jobs=1, retries=0, **params)
    assert len(saved(result).references) == 2
    assert not in_cache(bench) & layers(*images)


@THOROUGH
def test_a_repair_does_not_fill_a_cache_that_is_not_kept(registry: Registry, bench: Workbench) -> None:
    """A damaged blob of the last image is found when the first ones have left the cache long since."""
    images = row(registry, 12)
    (last,) = layers(images[-1])
    with small_disk(bench.cache, 7 * LAYER):
        saved(bench.save(images[-1:], dest=bench.directory / "first" / "images.tar.gz"))
        flip(cached(bench.cache, last), keep_times=True)
        result = bench.save(images, keep_cache=False, jobs=2)
        saved(result)
        assert result["stats"]["blobs_repaired"] == 1
        assert not in_cache(bench) & layers(*images)


def test_what_will_leave_the_cache_makes_room(registry: Registry, bench: Workbench) -> None:
    """Cache and archive share a disk that has no room for both, but each blob leaves the one for the other."""
    images = row(registry, 10)
    with small_disk(bench.directory / "disk", 16 * LAYER) as disk:
        bench.cache, dest = disk / "cache", disk / "out" / "images.tar.gz"
        saved(bench.save(images[:9], dest=bench.directory / "first" / "images.tar.gz"))
        for check in (True, False):
            refused = bench.save(images, dest=dest, check=check)
            assert refused.failed and "not enough space for" in refused.msg
        assert not bench.save(images, dest=dest, keep_cache=False, check=True).failed
        saved(bench.save(images, dest=dest, keep_cache=False))
        assert not in_cache(bench) & layers(*images)


@THOROUGH
def test_what_a_directory_shares_makes_no_room(registry: Registry, bench: Workbench) -> None:
    """It leaves the cache, and the archive has its bytes: as much as there is has to be free."""
    images = row(registry, 10)
    with small_disk(bench.directory / "disk", 8 * LAYER) as disk:
        bench.cache, dest = disk / "cache", disk / "out" / "images"
        for check in (True, False):
            refused = bench.save(images, dest=dest, compress="dir", keep_cache=False, check=check)
            assert refused.failed and "not enough space for" in refused.msg
        assert not layers(*images) & set(registry.blob_gets())
        saved(bench.save(images[:6], dest=dest, compress="dir", keep_cache=False))


# -- pieces


@pytest.mark.parametrize("rule", [Truncate(200_000), Corrupt(0)], ids=["broken off", "other bytes"])
def test_no_piece_of_a_blob_stays_that_no_try_will_use(registry: Registry, bench: Workbench, rule: Any) -> None:
    """While another image is still being fetched, the run's directory has nothing of the one that failed."""
    images = row(registry, 2)
    (broken,), (held,) = layers(images[0]), layers(images[1])
    hold = Hold()
    proxy = bench.proxy(registry, Rule(rule, path=f"/blobs/{broken}"), Rule(hold, path=f"/blobs/{held}"))
    names = [image.reference.split("/", 1)[1] for image in images]
    running = bench.start(
        names,
        source_registry=proxy.host,
        retries=0,
        retry_delay=0.01,
        jobs=1,
        log_file=bench.directory / "log",
    )
    proxy.wait_for(lambda seen: any(each.action is hold for each in seen))
    pieces = [
        path.name for path in bench.cache.glob(".run-*/**/*") if broken[7:] in path.name or "oci-put" in path.name
    ]
    hold.release()
    result = running.wait()
    assert result.failed and "row/image0:1" in result.msg
    assert pieces == []


# -- where bytes really go


def test_a_directory_behind_another_mount_is_a_copy(registry: Registry, bench: Workbench) -> None:
    """One filesystem, seen in two places: no link leads over, so the room for copies is asked for."""
    images = row(registry, 8)
    with small_disk(bench.directory / "disk", 15 * LAYER) as disk:
        for name in ("cache", "out"):
            (disk / name).mkdir(mode=0o700)
        bench.cache = disk / "cache"
        with bound(disk / "out", bench.directory / "elsewhere") as elsewhere:
            for check in (True, False):
                result = bench.save(images, dest=elsewhere / "images", compress="dir", check=check)
                assert result.failed and f"not enough space for {bench.cache} and {elsewhere}" in result.msg
            assert not layers(*images) & set(registry.blob_gets())
            assert not list(disk.rglob(".airgap-images-probe-*"))
            saved(bench.save(images[:4], dest=elsewhere / "images", compress="dir"))
        saved(bench.save(images, dest=disk / "out" / "linked", compress="dir"))
        assert cached(bench.cache, next(iter(layers(*images)))).stat().st_nlink == 2


def test_a_mount_point_cannot_be_exchanged(source: Source, bench: Workbench) -> None:
    dest = bench.directory / "out" / "images"
    with small_disk(dest, 1024 * 1024):
        for check in (True, False):
            result = bench.save([source["oci/gzip:1"]], dest=dest, compress="dir", check=check)
            assert result.failed and f"dest: {dest} is a mount point" in result.msg
        assert not source.registry.requests()
        saved(bench.save([source["oci/gzip:1"]], dest=dest / "images", compress="dir"))
        saved(bench.save([source["oci/gzip:1"]], dest=dest / "images.tar.gz"))


def test_room_is_asked_for_a_list_of_failures(source: Source, bench: Workbench) -> None:
    """It may be on a disk of its own."""
    wanted = [source["oci/gzip:1"].reference, f"{source.registry.host}/no/such:1"]
    with small_disk(bench.directory / "lists", 8192) as disk:
        (disk / "filler").write_bytes(b"x" * (os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize))
        params = {"failed_list": disk / "failed.txt", "allow_partial": True}
        for check in (True, False):
            result = bench.save(wanted, check=check, **params)
            assert result.failed and f"not enough space for {disk}:" in result.msg
        (disk / "filler").unlink()
        saved(bench.save(wanted, **params))
        assert "no/such:1" in (disk / "failed.txt").read_text(encoding="utf-8")


# -- names


@pytest.mark.parametrize(
    "params", [pytest.param({}, marks=THOROUGH), {"part_size": "20K"}, {"compress": "dir"}], ids=str
)
def test_the_longest_name_that_is_said_to_fit(source: Source, bench: Workbench, params: dict[str, Any]) -> None:
    suffix = "" if params.get("compress") == "dir" else ".tar.gz"
    for check in (True, False):
        dest = bench.directory / "out" / f"{'n' * 250}{suffix}"
        result = bench.save([source["oci/gzip:1"]], dest=dest, check=check, **params)
        assert result.failed and "dest: the name is too long by" in result.msg
    assert not source.registry.requests() and not list((bench.directory / "out").iterdir())
    room = int(result.msg.rpartition(" ")[2]) - len(suffix)
    saved(bench.save([source["oci/gzip:1"]], dest=dest.with_name("n" * room + suffix), **params))
    again = bench.save([source["oci/gzip:1"]], dest=dest.with_name("n" * room + suffix), **params)
    assert not again.failed and not again.changed


def test_a_directory_may_be_named_as_one(source: Source, bench: Workbench) -> None:
    dest = bench.directory / "out" / "images"
    for check in (True, False):
        result = bench.save([source["oci/gzip:1"]], dest=f"{dest}/", compress="dir", check=check)
        assert result["dest"] == str(dest) and result.changed
    saved(result)
    assert not bench.save([source["oci/gzip:1"]], dest=dest, compress="dir").changed
    assert not bench.save([source["oci/gzip:1"]], dest=f"{dest}//", compress="dir").changed
    refused = bench.save([source["oci/gzip:1"]], dest=f"{dest}/")
    assert refused.failed and "must end in a file name" in refused.msg


@pytest.mark.parametrize("place", [pytest.param("new", marks=THOROUGH), "new/below"])
def test_a_list_of_failures_in_a_directory_that_dest_makes(source: Source, bench: Workbench, place: str) -> None:
    """Also where no archive is made, and so no directory for it; and not where nobody would make it."""
    bad = f"{source.registry.host}/no/such:1"
    listed = bench.directory / "new" / "failed.txt"
    params = bench.params(
        [source["oci/gzip:1"], bad], dest=bench.directory / place / "images.tar.gz", failed_list=listed
    )
    foreseen = run_module({**params, "allow_partial": True}, check=True)
    assert not foreseen.failed and foreseen.changed and not listed.parent.exists()
    failed = run_module(params)
    assert failed.failed and failed.changed and bad in failed.msg and bad in listed.read_text(encoding="utf-8")
    saved(run_module({**params, "allow_partial": True}))
    assert bad in listed.read_text(encoding="utf-8")
    nowhere = bench.directory / "nowhere" / "failed.txt"
    refused = run_module({**params, "failed_list": nowhere})
    assert (
        refused.failed
        and "is not a directory that this user can write to" in refused.msg
        and not nowhere.parent.exists()
    )
