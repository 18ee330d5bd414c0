# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which platform images are chosen, and from where."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.airgap.images.tests.functional._helpers import (
    assert_counts,
    below,
    digests,
    outcomes,
    platforms,
    saved,
)
from ansible_collections.airgap.images.tests.support.images import (
    AMD64,
    ARM64,
    WINDOWS_2019,
    Entry,
    build_image,
    build_index,
)
from ansible_collections.airgap.images.tests.support.layers import text_layer
from ansible_collections.airgap.images.tests.support.push import push
from ansible_collections.airgap.images.tests.support.registry import Registry
from ansible_collections.airgap.images.tests.support.samples import oci_index, small
from ansible_collections.airgap.images.tests.support.workbench import Source, Workbench

THOROUGH = pytest.mark.thorough

ALL = ["oci/index:1", "docker/list:1", "oci/variants:1", "oci/no-platforms:1", "windows/list:1", "docker/arm64:1"]


@pytest.mark.parametrize(
    ("arch", "os", "chosen"),
    [
        (["arm/v7"], ["linux"], {"oci/index:1": [2], "docker/list:1": [2]}),
        pytest.param(["arm"], ["linux"], {"oci/index:1": [2], "docker/list:1": [2]}, marks=THOROUGH),
        pytest.param(["arm/v6"], ["linux"], {}, marks=THOROUGH),
        (["amd64/v3"], ["linux"], {"oci/variants:1": [1]}),
        (["amd64"], ["windows"], {"windows/list:1": [0, 1]}),
        pytest.param(
            ["arm64"],
            ["linux", "windows"],
            {"oci/index:1": [1], "docker/list:1": [1], "oci/no-platforms:1": [1], "docker/arm64:1": [0]},
            marks=THOROUGH,
        ),
        (
            ["amd64", "arm/v7"],
            ["linux"],
            {
                "oci/index:1": [0, 2],
                "docker/list:1": [0, 2],
                "oci/variants:1": [0, 1],
                "oci/no-platforms:1": [0],
                "windows/list:1": [2],
            },
        ),
    ],
    ids=lambda each: ",".join(each) if isinstance(each, list) else "",
)
def test_arch_and_os(
    source: Source, bench: Workbench, arch: list[str], os: list[str], chosen: dict[str, list[int]]
) -> None:
    """Together with one image that is always saved, so that there is an archive."""
    always = source["charts/app:1.2.3"]
    result = bench.save([always, *(source[name] for name in ALL)], arch=arch, os=os)
    archive = saved(result)
    assert list(archive.references) == [always.reference, *(source[each].reference for each in ALL if each in chosen)]
    for name, places in chosen.items():
        image = source[name]
        assert platforms(archive, image.reference) == digests(image.platforms[place] for place in places)
    skipped = {source[name].reference for name in ALL if name not in chosen}
    assert {each["reference"] for each in result["skipped_images"]} == skipped
    assert_counts(result, 1 + len(ALL))


def test_hangar_fault_12_the_os_counts_for_oci_indexes_too(registry: Registry, bench: Workbench) -> None:
    windows = build_image([text_layer(7, 5_000)], platform=WINDOWS_2019)
    image = push(registry, "some/image", "1", build_index([small(1, platform=AMD64), windows]))
    archive = saved(bench.save([image], os=["linux"]))
    assert platforms(archive, image.reference) == [image.platform("amd64").digest]


def test_hangar_fault_14_images_without_the_wanted_platform_are_named_with_the_reason(
    source: Source, bench: Workbench
) -> None:
    kept, skipped = source["oci/gzip:1"], source["docker/arm64:1"]
    result = bench.save([kept, skipped], arch=["amd64"])
    archive = saved(result)
    assert list(archive.references) == [kept.reference]
    (entry,) = result["skipped_images"]
    assert entry["reference"] == skipped.reference
    assert "amd64" in entry["reason"] and "linux/arm64" in entry["reason"]
    assert outcomes(result) == {kept.reference: "saved", skipped.reference: "skipped"}
    assert skipped.repository not in str(archive.saved_images)
    assert not bench.save([kept, skipped], arch=["amd64"]).changed


def test_fail_on_missing_platform(source: Source, bench: Workbench) -> None:
    kept, missing = source["oci/gzip:1"], source["docker/arm64:1"]
    result = bench.save([kept, missing], arch=["amd64"], fail_on_missing_platform=True)
    assert result.failed and not result.changed
    (entry,) = result["failed_images"]
    assert entry["reference"] == missing.reference and "linux/arm64" in entry["reason"]
    assert result["skipped_images"] == []
    assert not list(bench.dest.parent.iterdir())
    assert_counts(result, 2)


def test_hangar_fault_02_nothing_is_reported_saved_when_every_image_was_skipped(
    source: Source, bench: Workbench
) -> None:
    result = bench.save([source["docker/arm64:1"]], arch=["s390x"])
    assert outcomes(result) == {source["docker/arm64:1"].reference: "skipped"}
    assert not bench.dest.exists(), "an archive of nothing"
    assert not result.changed
    assert result["parts"] == []


def test_notes_name_the_architectures_that_an_image_lacks(source: Source, bench: Workbench) -> None:
    result = bench.save([source["oci/index:1"]], arch=["amd64", "s390x"])
    saved(result)
    assert any("s390x" in note for note in result["images"][0]["notes"])


@pytest.mark.parametrize(
    ("way", "prefix"),
    [pytest.param("option", "", marks=THOROUGH), ("option", "/mirror/docker-hub"), ("environment", "/mirror")],
)
def test_source_registry(registry: Registry, bench: Workbench, way: str, prefix: str) -> None:
    """It replaces the registry of every reference and keeps the path; the archive names images as the list does."""
    above = prefix[1:] + "/" if prefix else ""
    first = push(registry, f"{above}library/app", "1", small(1))
    second = push(registry, f"{above}team/tool", "2", oci_index())
    source = f"{registry.host}{prefix}"
    names = ["app:1", "registry.example:5000/team/tool:2"]
    if way == "option":
        result = bench.save(names, source_registry=source, env={"SOURCE_REGISTRY": "127.0.0.1:1"})
    else:
        result = bench.save(names, env={"SOURCE_REGISTRY": source})
    archive = saved(result)
    references = ["docker.io/library/app:1", "registry.example:5000/team/tool:2"]
    assert list(archive.references) == references
    assert [each["digest"] for each in result["images"]] == [first.digest, second.digest]
    assert platforms(archive, references[1]) == digests(second.platforms[:2])
    sources = [each["Source"] for each in archive.saved_images["List"]]
    assert sources == ["docker.io/library/app", "registry.example:5000/team/tool"]


def test_source_registry_with_references_that_have_a_digest(source: Source, bench: Workbench) -> None:
    image = source["oci/index:1"]
    reference = f"registry.example/{below(source.registry, image)}@{image.digest}"
    archive = saved(bench.save([reference], source_registry=source.registry.host))
    assert list(archive.references) == [reference]
    assert platforms(archive, reference) == digests(image.platforms[:2])


@pytest.mark.parametrize(
    ("params", "named"),
    [
        ({"arch": []}, "arch"),
        ({"os": []}, "os"),
        ({"arch": ["amd64/v3/x"]}, "amd64/v3/x"),
        ({"source_registry": "https://mirror.example"}, "source_registry"),
        ({"source_registry": "mirror.example/Upper"}, "source_registry"),
    ],
    ids=str,
)
def test_choices_that_mean_nothing_are_refused(
    source: Source, bench: Workbench, params: dict[str, Any], named: str
) -> None:
    result = bench.save([source["oci/gzip:1"]], **params)
    assert result.failed and named in result.msg
    assert not list(bench.dest.parent.iterdir())


def test_one_platform_of_several_images(registry: Registry, bench: Workbench) -> None:
    """arm64 of an index that shares its layers with amd64: only what arm64 needs is fetched."""
    image = push(registry, "some/image", "1", oci_index())
    archive = saved(bench.save([image], arch=[ARM64.architecture]))
    other = set(image.platform("amd64").blobs) - set(image.platform("arm64").blobs)
    assert not other & set(archive.blobs)
    assert not other & set(registry.blob_gets())


@pytest.mark.parametrize("docker", [False, pytest.param(True, marks=THOROUGH)], ids=["OCI", "Docker"])
def test_one_manifest_for_several_platforms(registry: Registry, bench: Workbench, docker: bool) -> None:
    """As images without programs are: chosen by entry, saved once, and there for each of its platforms."""
    image = small(80, docker=docker)
    pushed = push(registry, "noarch", "1", build_index([Entry(image, AMD64), Entry(image, ARM64)], docker=docker))
    for arch in (["amd64", "arm64"], ["amd64"], ["arm64"]):
        registry.clear()
        result = bench.save([pushed], arch=arch)
        archive = saved(result)
        expected = [{"architecture": one, "os": "linux"} for one in arch]
        (locked,) = archive.lock["images"]
        assert [one["platform"] for one in locked["platforms"]] == expected
        assert [one["platform"] for one in result["images"][0]["platforms"]] == [f"linux/{one}" for one in arch]
        assert list(archive.folders) == [image.digest[7:]]
        named = archive.blob(archive.references[pushed.reference])["manifests"]
        assert [(one["digest"], one["platform"]) for one in named] == [(image.digest, one) for one in expected]
        (listed,) = archive.saved_images["List"]
        assert listed["ArchList"] == arch
        assert [(one["Digest"], one["Arch"]) for one in listed["Images"]] == [(image.digest, one) for one in arch]
        assert not bench.save([pushed], arch=arch).changed
    assert not registry.blob_gets(), "for other platforms of it, nothing is fetched again"
