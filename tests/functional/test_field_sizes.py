# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sizes that are none: what an index says of its manifests, and a manifest of its blobs."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.airgap.images.tests.functional._field import (  # noqa: F401
    Batch,
    registry,
    served,
    site,
)
from ansible_collections.airgap.images.tests.functional._helpers import saved
from ansible_collections.airgap.images.tests.functional._hostile import HONEST, Site, refused
from ansible_collections.airgap.images.tests.support.archive import Archive, read_archive, unpack
from ansible_collections.airgap.images.tests.support.field_registry import FieldRegistry
from ansible_collections.airgap.images.tests.support.images import (
    AMD64,
    ARM64,
    ARM_V7,
    Image,
    Index,
    Platform,
    build_image,
    build_index,
    encode,
)
from ansible_collections.airgap.images.tests.support.layers import sha256, text_layer
from ansible_collections.airgap.images.tests.support.samples import small

Resized = Callable[[int], int]

WRONG: dict[str, Resized] = {
    "smaller": lambda size: size - 100,
    "larger": lambda size: size + 100,
    "none": lambda size: 0,
    "absurd": lambda size: 2**62,
}


def with_sizes(index: Index, resized: Resized) -> Index:
    """The same index with other sizes."""
    document = json.loads(index.raw)
    for entry in document["manifests"]:
        entry["size"] = resized(entry["size"])
    return Index(encode(document), index.media_type, index.entries)


def lies_of(image: Image, member: str) -> Image:
    """The same image, but for the size that its manifest gives of a blob."""
    document = json.loads(image.raw)
    part = document["layers"][-1] if member == "layers" else document[member]
    part["size"] += 1
    return Image(
        encode(document), image.media_type, image.config, image.config_media_type, image.layers, image.platform
    )


def entries(site: Site, reference: str) -> list[dict[str, Any]]:
    """The entries of the index that a reference names in the archive."""
    layout = unpack(site.dest, site.root / "cache" / "unpacked")
    listed = json.loads((layout / "index.json").read_bytes())["manifests"]
    [digest] = [
        each["digest"] for each in listed if each["annotations"]["org.opencontainers.image.ref.name"] == reference
    ]
    found: list[dict[str, Any]] = json.loads((layout / "share" / "sha256" / digest[7:]).read_bytes())["manifests"]
    return found


PLATFORMS = (AMD64, ARM64)
LISTED = [small(3, platform=each, docker=True) for each in PLATFORMS]
INDEXES = {
    name: with_sizes(build_index([small(4, platform=each) for each in PLATFORMS]), WRONG[name]) for name in WRONG
}
LIARS = {"layers": small(5), "config": small(6)}


@pytest.fixture(scope="module")
def wrong(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Batch]:
    """A repository for each of these sizes in a list, in an index and in a manifest, saved twice."""
    with served(tmp_path_factory.mktemp("wrong")) as batch:
        listed = build_index(LISTED, docker=True)
        items: dict[str, Image | Index] = {f"list/{name}": with_sizes(listed, WRONG[name]) for name in WRONG}
        items.update({f"index/{name}": INDEXES[name] for name in WRONG})
        items.update({f"manifest/{member}": lies_of(image, member) for member, image in LIARS.items()})
        references = [batch.registry.add(name, item) for name, item in items.items()]
        for _time in range(2):
            batch.save(*references)
        yield batch


@pytest.fixture(scope="module")
def archive(wrong: Batch) -> Archive:
    """The archive of both runs, as it is: its index has the wrong sizes too."""
    return read_archive(wrong.site.dest)


def test_all_that_can_be_is_saved_and_once(wrong: Batch) -> None:
    first, again = wrong.results
    assert first.changed and not first.failed, first.msg
    assert not again.changed and not again.failed, again["reason"]
    assert len(first["failed_images"]) == len(LIARS)


def notes(batch: Batch, reference: str) -> list[str]:
    """The notes about an image."""
    [image] = [each for each in batch.results[0]["images"] if each["reference"] == reference]
    return list(image["notes"])


@pytest.mark.field(
    "sizes",
    given=("a Docker manifest list with wrong sizes of its manifests, as written by docker before 18.09"),
    happens="saved; the index in the archive has the correct sizes",
)
@pytest.mark.parametrize("name", WRONG)
def test_a_list_with_wrong_sizes(wrong: Batch, archive: Archive, name: str) -> None:
    reference = wrong.registry.reference(f"list/{name}")
    found = {each["digest"]: each["size"] for each in archive.blob(archive.references[reference])["manifests"]}
    assert found == {each.digest: len(each.raw) for each in LISTED}
    assert not notes(wrong, reference)


def test_the_list_in_the_shape_of_line_453(site: Site, registry: FieldRegistry) -> None:
    """As ``mirrored-nginx-ingress-controller-defaultbackend:1.5-rancher1``: one layer each, 100 bytes less for all."""
    layer = text_layer(453, 20_000)
    platforms = (AMD64, ARM_V7, ARM64, Platform("linux", "ppc64le"), Platform("linux", "s390x"))
    images = [build_image([layer], platform=each, docker=True) for each in platforms]
    wanted = with_sizes(build_index(images, docker=True), WRONG["smaller"])
    name = registry.add("rancher/mirrored-nginx-ingress-controller-defaultbackend", wanted, tag="1.5-rancher1")
    beside = registry.add("rancher/good", HONEST)
    result = site.save([name, beside], arch=["amd64", "arm64"], insecure_policy=True)
    assert set(saved(result).references) == {name, beside}
    assert [each["size"] for each in entries(site, name)] == [len(images[0].raw), len(images[2].raw)]
    lock = json.loads(Path(f"{site.dest}.lock.json").read_bytes())
    assert lock["blobs"][images[0].digest] == len(images[0].raw)


@pytest.mark.field(
    "sizes",
    given="an OCI index with such sizes, saved with all its platforms",
    happens="saved byte for byte; a note says that containerd refuses it",
)
@pytest.mark.parametrize("name", WRONG)
def test_an_index_that_is_kept_with_wrong_sizes(wrong: Batch, archive: Archive, name: str) -> None:
    index, reference = INDEXES[name], wrong.registry.reference(f"index/{name}")
    assert archive.references[reference] == index.digest
    assert archive.blob(index.digest) == json.loads(index.raw)
    for image in index.entries:
        assert archive.blobs[image.item.digest] == len(image.item.raw)
    [note] = notes(wrong, reference)
    assert "containerd refuses" in note and note.endswith("hangar load make an index anew")


@pytest.mark.field(
    "sizes",
    given="a manifest with a wrong size of a layer or of its configuration",
    happens="the image fails, as it would when containerd pulls it; the message names the blob",
)
@pytest.mark.parametrize("member", LIARS)
def test_sizes_in_a_manifest_are_no_hints(wrong: Batch, member: str) -> None:
    blob = LIARS[member].layers[-1].digest if member == "layers" else sha256(LIARS[member].config)
    assert blob in refused(wrong.results[0], wrong.registry.reference(f"manifest/{member}"))
