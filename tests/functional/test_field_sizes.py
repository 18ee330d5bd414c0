# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sizes that are none: what an index says of its manifests, and a manifest of its blobs."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.airgap.images.tests.functional._field import registry, site  # noqa: F401
from ansible_collections.airgap.images.tests.functional._helpers import saved
from ansible_collections.airgap.images.tests.functional._hostile import HONEST, Site, refused
from ansible_collections.airgap.images.tests.support.archive import read_archive, unpack
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

WRONG = {
    "smaller": lambda size: size - 100,
    "larger": lambda size: size + 100,
    "none": lambda size: 0,
    "absurd": lambda size: 2**62,
}
SIZES = [
    pytest.param(resized, id=name, marks=pytest.mark.thorough if name in ("larger", "none") else ())
    for name, resized in WRONG.items()
]


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


@pytest.mark.field(
    "sizes",
    given=("a Docker manifest list with wrong sizes of its manifests, as written by docker before 18.09"),
    happens="saved; the index in the archive has the correct sizes",
)
@pytest.mark.parametrize("resized", SIZES)
def test_a_list_with_wrong_sizes(site: Site, registry: FieldRegistry, resized: Resized) -> None:
    images = [small(3, platform=each, docker=True) for each in (AMD64, ARM64)]
    name = registry.add("some/image", with_sizes(build_index(images, docker=True), resized))
    result = site.save([name])
    saved(result)
    assert {each["digest"]: each["size"] for each in entries(site, name)} == {
        each.digest: len(each.raw) for each in images
    }
    assert not result["images"][0]["notes"]
    again = site.save([name])
    assert not again.changed and not again.failed


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
@pytest.mark.parametrize("resized", SIZES)
def test_an_index_that_is_kept_with_wrong_sizes(site: Site, registry: FieldRegistry, resized: Resized) -> None:
    index = with_sizes(build_index([small(4, platform=each) for each in (AMD64, ARM64)]), resized)
    name = registry.add("some/image", index)
    result = site.save([name])
    assert result.changed and not result.failed, result.msg
    archive = read_archive(site.dest)
    assert archive.references == {name: index.digest}
    assert archive.blob(index.digest) == json.loads(index.raw)
    for image in index.entries:
        assert archive.blobs[image.item.digest] == len(image.item.raw)
    [note] = result["images"][0]["notes"]
    assert "containerd refuses" in note and note.endswith("hangar load make an index anew")


@pytest.mark.field(
    "sizes",
    given="a manifest with a wrong size of a layer or of its configuration",
    happens="the image fails, as it would when containerd pulls it; the message names the blob",
)
@pytest.mark.parametrize("member", ["layers", "config"])
def test_sizes_in_a_manifest_are_no_hints(site: Site, registry: FieldRegistry, member: str) -> None:
    name = registry.add("some/image", lies_of(HONEST, member))
    blob = HONEST.layers[-1].digest if member == "layers" else sha256(HONEST.config)
    assert blob in refused(site.save([name]), name)
