# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Images of rare kinds, each kept as well as it can be, and what the result says about the rest."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.airgap.images.tests.functional._helpers import digests, platforms, saved
from ansible_collections.airgap.images.tests.support.archive import unpack
from ansible_collections.airgap.images.tests.support.images import (
    ARM64,
    OCI_MANIFEST,
    UNKNOWN,
    Entry,
    build_artifact,
    build_image,
    build_index,
)
from ansible_collections.airgap.images.tests.support.layers import PLAIN, Layer, text_layer
from ansible_collections.airgap.images.tests.support.push import push
from ansible_collections.airgap.images.tests.support.registry import Registry
from ansible_collections.airgap.images.tests.support.samples import small
from ansible_collections.airgap.images.tests.support.skopeo import digests_after_push, push_schema1
from ansible_collections.airgap.images.tests.support.workbench import Source, Workbench


def test_schema_1_is_converted_and_the_result_says_so(registry: Registry, bench: Workbench, workdir: Path) -> None:
    """Its layers are those of the source; the manifest is a new one, the same in each run."""
    new = push(registry, "new/image", "1", small(1, docker=True))
    reference = push_schema1(registry, new, "old/image", "1")
    result = bench.save([reference])
    archive = saved(result)
    [folder] = list(archive.folders.values())
    manifest = archive.blob(folder.digest)
    assert [each["digest"] for each in manifest["layers"]] == [each.digest for each in new.platforms[0].layers]
    assert folder.media_type == OCI_MANIFEST
    assert any("schema" in note for note in result["images"][0]["notes"])
    assert result["images"][0]["platforms"][0]["platform"] == "linux/amd64"
    registry.clear()
    again = bench.save([reference])
    assert not again.failed and not again.changed, again["reason"]
    assert not registry.blob_gets()
    assert any("schema" in note for note in again["images"][0]["notes"])
    other = bench.directory / "other"
    saved(bench.save([reference], dest=other / bench.dest.name, cache_dir=other / "cache"))
    assert (other / bench.dest.name).read_bytes() == bench.dest.read_bytes()
    layout = unpack(bench.dest, workdir / "unpacked")
    assert digests_after_push(layout, reference, registry)[-1] == folder.digest


@pytest.mark.parametrize(
    "name", ["windows/foreign-present:1", pytest.param("oci/foreign-present:1", marks=pytest.mark.thorough)]
)
def test_include_foreign_layers_fetches_them_by_digest(source: Source, bench: Workbench, name: str) -> None:
    image = source[name]
    result = bench.save([image], include_foreign_layers=True)
    archive = saved(result)
    assert set(image.platforms[0].blobs) <= set(archive.blobs)
    assert [source.registry.blob_gets()[layer.digest] for layer in image.platforms[0].layers] == [1, 1]
    assert not any("foreign" in note for note in result["images"][0]["notes"])
    source.registry.clear()
    assert not bench.save([image], include_foreign_layers=True).changed
    assert not source.registry.blob_gets()


def test_foreign_layers_that_are_asked_for_and_not_there_fail_the_image(source: Source, bench: Workbench) -> None:
    image, kept = source["windows/foreign-absent:1"], source["oci/gzip:1"]
    result = bench.save([image, kept], include_foreign_layers=True, allow_partial=True)
    archive = saved(result)
    assert list(archive.references) == [kept.reference]
    (failed,) = result["failed_images"]
    assert failed["reference"] == image.reference
    assert "foreign" in failed["reason"] or image.platforms[0].layers[0].digest in failed["reason"]


def test_foreign_layers_can_be_added_later(source: Source, bench: Workbench) -> None:
    image = source["windows/foreign-present:1"]
    first = bench.save([image])
    assert image.platforms[0].layers[0].digest not in saved(first).blobs
    assert any("foreign" in note for note in first["images"][0]["notes"])
    source.registry.clear()
    archive = saved(bench.save([image], include_foreign_layers=True))
    assert image.platforms[0].layers[0].digest in archive.blobs
    assert source.registry.blob_gets()[image.platforms[0].layers[1].digest] == 0


@pytest.mark.parametrize("name", ["oci/plain:1", "oci/zstd:1"])
def test_layers_keep_their_compression(source: Source, bench: Workbench, name: str) -> None:
    image = source[name]
    archive = saved(bench.save([image]))
    assert {layer.digest: layer.size for layer in image.platforms[0].layers}.items() <= archive.blobs.items()
    source.registry.clear()
    saved(bench.save([image], force=True))
    assert not source.registry.blob_gets(), "fetched again at the second run"


def test_attestations_of_images_that_were_not_chosen_stay_behind(source: Source, bench: Workbench) -> None:
    image = source["oci/attested:1"]
    archive = saved(bench.save([image], arch=["arm64"]))
    chosen = image.platform("arm64")
    about = [each for each in image.platforms if each.annotations.get("vnd.docker.reference.digest") == chosen.digest]
    assert sorted(platforms(archive, image.reference)) == sorted(digests([chosen, *about]))
    assert len(about) == 1


def test_an_unknown_entry_that_is_about_nothing_breaks_nothing(registry: Registry, bench: Workbench) -> None:
    """Listed as unknown/unknown without a word about what it belongs to."""
    stray = build_artifact([Layer(b"stray", PLAIN, "")], b"{}", "application/vnd.example+json")
    image = push(registry, "some/image", "1", build_index([small(1), Entry(stray, UNKNOWN)]))
    archive = saved(bench.save([image]))
    assert image.platforms[0].digest in platforms(archive, image.reference)


def test_the_same_image_listed_twice_in_an_index_is_saved_once(registry: Registry, bench: Workbench) -> None:
    image = push(registry, "some/image", "1", build_index([small(1), small(1), small(2, platform=ARM64)]))
    archive = saved(bench.save([image]))
    assert len(archive.folders) == 2


def test_an_image_without_layers(registry: Registry, bench: Workbench) -> None:
    image = push(registry, "some/image", "1", build_image([]))
    assert set(saved(bench.save([image])).blobs) == set(image.platforms[0].blobs)


def test_an_image_with_a_layer_twice(registry: Registry, bench: Workbench) -> None:
    """As old images list the empty layer."""
    layer = text_layer(9, 1_000)
    image = push(registry, "some/image", "1", build_image([layer, small(1).layers[2], layer], docker=True))
    saved(bench.save([image]))
    assert registry.blob_gets()[layer.digest] == 1
