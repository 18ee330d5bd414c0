# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The second run, and what makes it write the archive again."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.airgap.images.tests.functional._helpers import (
    cached,
    check,
    contents,
    digests,
    flip,
    platforms,
    saved,
    snapshot,
    traffic,
    without_reports,
)
from ansible_collections.airgap.images.tests.support.archive import archive_files, file_sha256
from ansible_collections.airgap.images.tests.support.images import ARM64, build_index
from ansible_collections.airgap.images.tests.support.module import Result
from ansible_collections.airgap.images.tests.support.push import PushedImage, push
from ansible_collections.airgap.images.tests.support.registry import Registry
from ansible_collections.airgap.images.tests.support.samples import oci_index, small
from ansible_collections.airgap.images.tests.support.workbench import Source, Workbench

THOROUGH = pytest.mark.thorough


@dataclass(frozen=True)
class Whole:
    """A copy of an archive in parts, beside the cache that it was made of."""

    source: Source
    dest: Path
    cache: Path

    @property
    def images(self) -> list[PushedImage]:
        return [self.source[name] for name in ("oci/index:1", "oci/gzip:1")]

    def save(self, images: list[PushedImage] | None = None, **params: Any) -> Result:
        """Saves over the copy, by default what it was made with."""
        usual = {"dest": self.dest, "cache_dir": self.cache, "part_size": "40K"}
        with Workbench(self.dest.parent) as bench:
            return bench.save(images or self.images, **{**usual, **params})


@pytest.fixture(scope="module")
def original(seeded_source: Source, tmp_path_factory: pytest.TempPathFactory) -> Whole:
    folder = tmp_path_factory.mktemp("whole")
    whole = Whole(seeded_source, folder / "out" / "images.tar.gz", folder / "cache")
    saved(whole.save(env={"HOME": str(folder)}))
    return whole


@pytest.fixture
def whole(original: Whole, source: Source, workdir: Path) -> Whole:
    shutil.copytree(original.dest.parent, workdir / "out")
    return Whole(source, workdir / "out" / original.dest.name, original.cache)


NAMES = ["oci/gzip:1", "docker/list:1", "charts/app:1.2.3", "oci/attested:1"]


def test_hangar_fault_06_the_second_run_asks_nobody_and_changes_nothing(source: Source, bench: Workbench) -> None:
    """The cache is not empty, nobody is asked, nothing is copied again; one HEAD for each image."""
    images = [source[name] for name in NAMES]
    first = bench.save(images, part_size="100K", mode="0640")
    saved(first)
    before = snapshot(bench.dest.parent, bench.cache)
    source.registry.clear()
    second = bench.save(images, part_size="100K", mode="0640")
    assert not second.failed and not second.changed
    assert snapshot(bench.dest.parent, bench.cache) == before
    seen = traffic(source.registry)
    assert seen.nothing, f"fetched again: {seen.fetched}"
    assert (seen.heads, seen.gets) == (len(NAMES), 0)
    assert second["stats"]["manifest_requests"] == {"HEAD": len(NAMES), "GET": 0}
    for key in ("dest", "parts", "images", "lock_file", "checksum_file", "failed_images", "skipped_images"):
        assert second[key] == first[key], key
    for key in ("images", "platform_images", "bytes_archive", "duplicates"):
        assert second["stats"][key] == first["stats"][key], key
    assert second["stats"]["blobs_downloaded"] == second["stats"]["bytes_downloaded"] == 0
    assert "plan" not in second.data


def test_images_pinned_by_digest_ask_the_registry_for_nothing_new(source: Source, bench: Workbench) -> None:
    images = [source[name].by_digest for name in ("oci/gzip:1", "oci/index:1")]
    saved(bench.save(images))
    source.registry.clear()
    assert not bench.save(images).changed
    assert traffic(source.registry).nothing


def test_force_writes_the_same_bytes_again_without_fetching(source: Source, bench: Workbench) -> None:
    images = [source["oci/gzip:1"], source["docker/list:1"]]
    first = bench.save(images)
    before = (file_sha256(bench.dest), bench.dest.stat().st_ino)
    source.registry.clear()
    second = bench.save(images, force=True)
    saved(second)
    assert (file_sha256(bench.dest), bench.dest.stat().st_ino != before[1]) == (before[0], True)
    assert not traffic(source.registry).fetched
    stats = second["stats"]
    assert (stats["blobs_downloaded"], stats["bytes_downloaded"]) == (0, 0)
    assert stats["blobs_reused"] == first["stats"]["blobs_downloaded"]
    assert stats["bytes_reused"] == first["stats"]["bytes_downloaded"]


def damage_middle(dest: Path) -> None:
    flip(archive_files(dest)[1])


def truncate(dest: Path) -> None:
    last = archive_files(dest)[-1]
    os.truncate(last, last.stat().st_size - 1)


def remove_part(dest: Path) -> None:
    archive_files(dest)[1].unlink()


def remove_checksums(dest: Path) -> None:
    Path(f"{dest}.sha256").unlink()


def damage_checksums(dest: Path) -> None:
    flip(Path(f"{dest}.sha256"), 3)


def remove_lock(dest: Path) -> None:
    Path(f"{dest}.lock.json").unlink()


def damage_lock(dest: Path) -> None:
    Path(f"{dest}.lock.json").write_bytes(Path(f"{dest}.lock.json").read_bytes()[:-20])


def add_part(dest: Path) -> None:
    shutil.copy(archive_files(dest)[0], f"{dest}.part{len(archive_files(dest))}")


@pytest.mark.parametrize(
    "damage",
    [
        damage_middle,
        pytest.param(truncate, marks=THOROUGH),
        remove_part,
        remove_checksums,
        pytest.param(damage_checksums, marks=THOROUGH),
        pytest.param(remove_lock, marks=THOROUGH),
        damage_lock,
        add_part,
    ],
)
def test_what_was_damaged_is_put_right(whole: Whole, damage: Callable[[Path], None]) -> None:
    before = contents(whole.dest.parent)
    damage(whole.dest)
    result = whole.save()
    saved(result)
    assert result["reason"]
    assert contents(whole.dest.parent) == before
    assert not whole.source.registry.blob_gets(), "the cache has all of it"


def test_a_changed_byte_is_noticed_when_the_times_are_as_they_were(whole: Whole) -> None:
    """Also by a run that has read the parts before and remembers them."""
    before = contents(whole.dest.parent)
    assert not whole.save().changed
    flip(archive_files(whole.dest)[1], keep_times=True)
    saved(whole.save())
    assert contents(whole.dest.parent) == before


@pytest.mark.parametrize(("damage", "changed"), [(damage_middle, False), (truncate, True)])
def test_verify_size_looks_at_sizes_only(whole: Whole, damage: Callable[[Path], None], changed: bool) -> None:
    damage(whole.dest)
    assert whole.save(verify="size").changed is changed


@pytest.mark.parametrize("compress", [pytest.param("none", marks=THOROUGH), "dir"])
def test_a_damaged_archive_that_shares_files_with_the_cache(source: Source, bench: Workbench, compress: str) -> None:
    """A hard link damages both at once; both are right afterwards."""
    image = source["oci/gzip:1"]
    dest = bench.dest.parent / "images"
    result = bench.save([image], compress=compress, dest=dest)
    saved(result)
    before = contents(bench.dest.parent)
    layer = image.platforms[0].layers[-1].digest
    damaged = dest / "share" / "sha256" / layer[7:] if compress == "dir" else Path(result["dest"])
    flip(damaged, keep_times=True)
    saved(bench.save([image], compress=compress, dest=dest))
    assert contents(bench.dest.parent) == before
    assert file_sha256(cached(bench.cache, layer)) == layer[7:]


def test_hangar_fault_07_a_moved_tag_fetches_only_what_is_new(registry: Registry, bench: Workbench) -> None:
    stays = push(registry, "some/stays", "1", small(1))
    old = push(registry, "some/app", "1", oci_index())
    saved(bench.save([stays, old]))
    unchanged = oci_index().entries[0]
    new = push(registry, "some/app", "1", build_index([unchanged, small(99, platform=ARM64)]))
    registry.clear()
    result = bench.save([stays, new])
    archive = saved(result)
    assert platforms(archive, new.reference) == digests(new.platforms)
    there = {blob for image in (stays, old) for each in image.platforms for blob in each.blobs}
    expected = {new.digest, *new.platform("arm64").blobs} - there
    seen = traffic(registry)
    assert seen.fetched == expected
    assert (result["stats"]["blobs_downloaded"], result["stats"]["bytes_downloaded"]) == (len(expected), seen.size)
    belongs = {blob for image in (stays, new) for each in image.platforms for blob in each.blobs}
    assert set(archive.blobs) == belongs | {new.digest}
    assert "1" in result["reason"]


def test_hangar_fault_10_what_left_the_list_leaves_the_archive(whole: Whole) -> None:
    gone, kept = whole.images
    archive = saved(whole.save([kept]))
    assert list(archive.references) == [kept.reference]
    assert set(archive.blobs) == set(kept.platforms[0].blobs)
    assert cached(whole.cache, gone.digest).exists(), "without prune_cache the cache keeps it"
    again = whole.save()
    saved(again)
    assert again["stats"]["blobs_downloaded"] == 0


@pytest.mark.parametrize(
    ("order", "params"),
    [
        pytest.param(1, {"compress_level": 9}, marks=THOROUGH),
        (1, {"arch": ["amd64"]}),
        pytest.param(1, {"part_digits": 3}, marks=THOROUGH),
        (-1, {}),
    ],
    ids=str,
)
def test_other_options_make_what_a_first_run_with_them_makes(whole: Whole, order: int, params: dict[str, Any]) -> None:
    """So does another order: the archive has that of the list. Only the report tells of the archive before."""
    images = whole.images[::order]
    saved(whole.save(images, **params))
    fresh = whole.dest.parent.parent / "fresh" / whole.dest.name
    saved(whole.save(images, dest=fresh, **params))
    assert without_reports(contents(whole.dest.parent)) == without_reports(contents(fresh.parent))


def test_an_emptied_cache_alone_changes_nothing(whole: Whole) -> None:
    """The lock is the memory; with the archive whole, nothing has to be fetched. What was accepted is asked anew."""
    before = snapshot(whole.dest.parent)
    result = whole.save(cache_dir=whole.dest.parent.parent / "empty")
    assert not result.failed and not result.changed
    layers = {each.digest for image in whole.source.images.values() for one in image.platforms for each in one.layers}
    assert not layers & set(whole.source.registry.blob_gets())
    assert snapshot(whole.dest.parent) == before
    check(whole.dest)
