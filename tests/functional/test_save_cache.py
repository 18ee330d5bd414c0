# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The cache: what is kept, repaired, pruned and read by others."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from ansible_collections.airgap.images.tests.functional._helpers import (
    assert_layers_once,
    cached,
    contents,
    flip,
    leftovers,
    saved,
    traffic,
)
from ansible_collections.airgap.images.tests.support.archive import file_sha256
from ansible_collections.airgap.images.tests.support.extent import repetitions
from ansible_collections.airgap.images.tests.support.images import AMD64, OCI_CONFIG, build_artifact, build_image
from ansible_collections.airgap.images.tests.support.layers import random_layer
from ansible_collections.airgap.images.tests.support.push import PushedImage, push
from ansible_collections.airgap.images.tests.support.registry import Registry
from ansible_collections.airgap.images.tests.support.samples import big
from ansible_collections.airgap.images.tests.support.workbench import Source, Workbench

THOROUGH = pytest.mark.thorough

NAMES = ["oci/gzip:1", "docker/list:1"]


@dataclass(frozen=True)
class Warm:
    """A workbench whose cache is a copy of one that a whole run left, and the archive that it gave."""

    bench: Workbench
    source: Source
    archive: str

    @property
    def images(self) -> list[PushedImage]:
        return [self.source[name] for name in NAMES]


@pytest.fixture(scope="module")
def filled(seeded_source: Source, tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("filled")
    with Workbench(directory) as bench:
        saved(bench.save([seeded_source[name] for name in NAMES], env={"HOME": str(directory)}))
        return directory


@pytest.fixture
def warm(filled: Path, source: Source, bench: Workbench) -> Iterator[Warm]:
    shutil.copytree(filled / "cache", bench.cache, symlinks=True)
    yield Warm(bench, source, file_sha256(filled / "out" / "images.tar.gz"))


def one_bit(path: Path) -> None:
    flip(path)


def one_bit_unseen(path: Path) -> None:
    flip(path, keep_times=True)


def truncated(path: Path) -> None:
    os.truncate(path, path.stat().st_size - 1)


def empty(path: Path) -> None:
    os.truncate(path, 0)


def longer(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"\0")


def gone(path: Path) -> None:
    path.unlink()


def directory(path: Path) -> None:
    path.unlink()
    path.mkdir()
    (path / "file").write_text("x", encoding="utf-8")


@pytest.mark.parametrize(
    ("place", "damage"),
    [
        ("layer", one_bit_unseen),
        *(pytest.param("layer", damage, marks=THOROUGH) for damage in (truncated, empty, longer)),
        ("layer", gone),
        ("layer", directory),
        ("config", one_bit_unseen),
        pytest.param("config", empty, marks=THOROUGH),
        ("manifest", one_bit_unseen),
        pytest.param("list", one_bit_unseen, marks=THOROUGH),
        ("list", empty),
    ],
)
def test_hangar_fault_15_a_damaged_blob_is_fetched_again(
    warm: Warm, place: str, damage: Callable[[Path], None]
) -> None:
    """The archive is what a run with a sound cache gives, and no sound layer is fetched again."""
    image = warm.images[1].platforms[0]
    places = {
        "layer": image.layers[-1].digest,
        "config": image.config_digest,
        "manifest": image.digest,
        "list": warm.images[1].digest,
    }
    digest = places[place]
    damage(cached(warm.bench.cache, digest))
    saved(warm.bench.save(warm.images))
    assert file_sha256(warm.bench.dest) == warm.archive
    assert file_sha256(cached(warm.bench.cache, digest)) == digest[7:]
    layers = {layer.digest for each in warm.images for one in each.platforms for layer in one.layers}
    assert {each for each in warm.source.registry.blob_gets() if each in layers} == layers & {digest}


def test_blobs_repaired_counts_every_damaged_blob(warm: Warm) -> None:
    """Whatever the damage; a blob that is missing is no damage."""
    first, second = (image.platforms[0] for image in warm.images)
    truncated(cached(warm.bench.cache, first.layers[-1].digest))
    one_bit(cached(warm.bench.cache, second.layers[-1].digest))
    empty(cached(warm.bench.cache, second.config_digest))
    one_bit_unseen(cached(warm.bench.cache, second.digest))
    gone(cached(warm.bench.cache, warm.images[1].platforms[1].layers[-1].digest))
    result = warm.bench.save(warm.images)
    saved(result)
    assert result["stats"]["blobs_repaired"] == 4
    assert result["stats"]["blobs_downloaded"] == 5


def test_a_file_in_place_of_a_folder_is_put_right(warm: Warm) -> None:
    folder = warm.bench.cache / warm.images[0].digest[7:]
    shutil.rmtree(folder)
    folder.write_bytes(b"not a folder")
    saved(warm.bench.save(warm.images))
    assert file_sha256(warm.bench.dest) == warm.archive


def test_leftovers_and_broken_folders_are_put_right(warm: Warm) -> None:
    """Remains of a killed skopeo and of a full disk."""
    first, second, third = (each.digest[7:] for image in warm.images for each in image.platforms[:2])
    (warm.bench.cache / first / "oci-put-blob12345").write_bytes(b"half a layer")
    (warm.bench.cache / first / "index.json").write_bytes(b"")
    (warm.bench.cache / second / "index.json").write_bytes(b"{")
    shutil.rmtree(warm.bench.cache / third)
    (warm.bench.cache / "index.json").write_bytes(b"")
    (warm.bench.cache / "oci-layout").unlink()
    saved(warm.bench.save(warm.images))
    assert file_sha256(warm.bench.dest) == warm.archive
    assert not leftovers(warm.bench.cache)
    layers = {layer.digest for each in warm.images for one in each.platforms for layer in one.layers}
    assert not layers & set(warm.source.registry.blob_gets()), "sound layers were fetched again"


@pytest.mark.parametrize("what", [pytest.param("removed", marks=THOROUGH), "damaged"])
def test_the_cache_works_without_its_own_notes(warm: Warm, what: str) -> None:
    """Files in the cache that are no part of its layout are a help, never a condition."""
    layout = {"oci-layout", "index.json", "saved-images-list.json"}
    notes = [path for path in warm.bench.cache.iterdir() if path.is_file() and path.name not in layout]
    assert notes
    for path in notes:
        if what == "removed":
            path.unlink()
        else:
            path.write_bytes(b"{broken")
    saved(warm.bench.save(warm.images))
    assert file_sha256(warm.bench.dest) == warm.archive
    assert not warm.source.registry.blob_gets()


def test_hangar_fault_06_what_else_lies_in_the_cache_is_left_alone(warm: Warm) -> None:
    """Nobody is asked, and no file of somebody else's is touched."""
    mine = warm.bench.cache / "notes"
    mine.mkdir()
    (mine / "read.me").write_text("of the user\n", encoding="utf-8")
    archive = saved(warm.bench.save(warm.images))
    assert (mine / "read.me").read_text() == "of the user\n"
    assert not [name for name in archive.names if "notes" in name]


def test_hangar_fault_10_prune_cache_removes_what_the_archive_does_not_need(warm: Warm) -> None:
    kept, gone = warm.images
    archive = saved(result := warm.bench.save([kept], prune_cache=True))
    found = {f"sha256:{path.name}" for path in (warm.bench.cache / "share" / "sha256").iterdir()}
    assert found == set(archive.blobs)
    folders = {path.name for path in warm.bench.cache.iterdir() if len(path.name) == 64}
    assert folders == set(archive.folders)
    removed = {blob for each in gone.platforms[:2] for blob in each.blobs} | {gone.digest}
    removed -= set(archive.blobs)
    sizes = {layer.digest: layer.size for each in gone.platforms for layer in each.layers}
    assert result["stats"]["bytes_pruned"] >= sum(sizes.get(digest, 1) for digest in removed)
    assert not warm.source.registry.blob_gets()
    assert not warm.bench.save([kept], prune_cache=True).changed


def test_prune_cache_works_when_nothing_else_changes(warm: Warm) -> None:
    kept, _gone = warm.images
    saved(warm.bench.save([kept]))
    blobs = warm.bench.cache / "share" / "sha256"
    before = len(list(blobs.iterdir()))
    result = warm.bench.save([kept], prune_cache=True)
    assert not result.failed
    assert len(list(blobs.iterdir())) == len(kept.platforms[0].blobs) < before
    assert result["stats"]["bytes_pruned"] > 0


def test_the_cache_is_beside_the_archive_by_default(source: Source, bench: Workbench) -> None:
    saved(bench.save([source["oci/gzip:1"]], cache_dir=None))
    cache = bench.dest.parent / "saved-image-cache"
    index = json.loads((cache / "index.json").read_bytes())
    assert [each["digest"] for each in index["manifests"]] == [source["oci/gzip:1"].digest]
    assert json.loads((cache / "oci-layout").read_bytes()) == {"imageLayoutVersion": "1.0.0"}
    assert (cache / "blobs").readlink() == Path("share")


def test_several_archives_share_a_cache(source: Source, bench: Workbench) -> None:
    first, second = source["oci/gzip:1"], source["docker/list:1"]
    saved(bench.save([first]))
    other = bench.dest.with_name("other.tar.gz")
    saved(bench.save([first, second], dest=other))
    assert_layers_once(source.registry, [*first.platforms, *second.platforms[:2]])
    before = contents(bench.dest.parent)
    source.registry.clear()
    assert not bench.save([first]).changed
    assert not bench.save([first, second], dest=other).changed
    assert contents(bench.dest.parent) == before
    assert traffic(source.registry).nothing


@pytest.mark.thorough(repeats=True)
def test_hangar_fault_08_shared_layers_are_fetched_once_by_many_workers(registry: Registry, bench: Workbench) -> None:
    """Many images over the same three layers, in different order, at twenty copies at once."""
    shared = [random_layer(7_000 + number, 150_000) for number in range(3)]
    images = []
    for number in range(repetitions(6, 16)):
        turned = shared[number % 3 :] + shared[: number % 3]
        image = build_image([*turned, random_layer(8_000 + number, 1_000)])
        images.append(push(registry, f"some/image{number}", "1", image))
    saved(bench.save(images, jobs=20))
    assert_layers_once(registry, [each for image in images for each in image.platforms])


def test_one_copy_at_a_time(registry: Registry, bench: Workbench) -> None:
    images = [push(registry, f"some/image{number}", "1", big(number, [3_000, 2_000])) for number in range(3)]
    archive = saved(bench.save(images, jobs=1))
    assert list(archive.references) == [image.reference for image in images]
    assert_layers_once(registry, [each for image in images for each in image.platforms])


@pytest.mark.thorough(repeats=True)
def test_images_that_share_a_config_do_not_disturb_each_other(registry: Registry, bench: Workbench) -> None:
    """skopeo writes a config anew at each copy; none of the others must take it for damaged meanwhile."""
    config = build_image([random_layer(9_000, 1_000)]).config
    images = []
    count = repetitions(8, 40)
    for number in range(count):
        image = build_artifact([random_layer(9_100 + number, 1_000)], config, OCI_CONFIG, platform=AMD64)
        images.append(push(registry, f"some/image{number}", "1", image))
    result = bench.save(images, jobs=20)
    saved(result)
    assert result["stats"]["blobs_repaired"] == 0
    assert result["stats"]["blobs_downloaded"] == 2 * count + 1
    assert_layers_once(registry, [each for image in images for each in image.platforms])
