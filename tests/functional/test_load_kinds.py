# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Images of every kind come out of an archive into a registry with the digests that docs/digests.md promises."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.airgap.images.tests.functional._load import load, loaded, lock_of
from ansible_collections.airgap.images.tests.support.archive import read_archive
from ansible_collections.airgap.images.tests.support.images import (
    ARM64,
    UNKNOWN,
    Entry,
    build_artifact,
    build_index,
)
from ansible_collections.airgap.images.tests.support.layers import PLAIN, Layer
from ansible_collections.airgap.images.tests.support.module import COLLECTION
from ansible_collections.airgap.images.tests.support.push import PushedImage, get_manifest, push
from ansible_collections.airgap.images.tests.support.registry import Registry
from ansible_collections.airgap.images.tests.support.samples import SAMPLES, small
from ansible_collections.airgap.images.tests.support.skopeo import push_schema1, registry_digests
from ansible_collections.airgap.images.tests.support.target import gaps
from ansible_collections.airgap.images.tests.support.workbench import Source, Workbench

SAME, OTHER = "the same", "another"
PAGE = COLLECTION / "docs" / "digests.md"
ALL = (("arch", ("amd64", "arm64", "arm")),)
ARM_ONLY = (("arch", ("arm64",)),)
WITH_FOREIGN = (*ALL, ("include_foreign_layers", True))


@dataclass(frozen=True)
class Kind:
    """A kind of image, and its digests after a journey.

    :param sample: its name in the registry that it is saved from.
    :param tag: whether its tag names the same digest.
    :param platforms: whether its platform images have the same digests.
    :param saved: options of the save.
    """

    sample: str
    tag: str = SAME
    platforms: str = SAME
    saved: tuple[tuple[str, Any], ...] = ALL


KINDS = {
    "OCI image, layers in gzip": Kind("oci/gzip:1"),
    "OCI image, layers in zstd": Kind("oci/zstd:1"),
    "OCI image, layers not compressed": Kind("oci/plain:1"),
    "Docker image": Kind("docker/single:1"),
    "Docker image of schema 1": Kind("old/image:1", OTHER, OTHER),
    "OCI index, all platforms saved": Kind("oci/index:1"),
    "OCI index, some platforms saved": Kind("oci/index:1", OTHER, saved=ARM_ONLY),
    "Docker manifest list, all platforms saved": Kind("docker/list:1"),
    "Docker manifest list, some platforms saved": Kind("docker/list:1", OTHER, saved=ARM_ONLY),
    "Index with variants of a processor": Kind("oci/variants:1"),
    "Index with attestations (SBOM, provenance)": Kind("oci/attested:1"),
    "The same, some platforms saved": Kind("oci/attested:1", OTHER, saved=ARM_ONLY),
    "Index whose entries name no platform": Kind("oci/no-platforms:1"),
    "Index with an entry that belongs to no image": Kind("made/stray:1"),
    "Index that lists an image twice": Kind("made/twice:1"),
    "Windows images, base layers not saved": Kind("windows/list:1"),
    "Windows image, base layers saved": Kind("windows/foreign-present:1", saved=WITH_FOREIGN),
    "Helm chart": Kind("charts/app:1.2.3"),
    "Artefact with an empty configuration": Kind("oci/artifact:1"),
    "Signature of cosign, by its tag": Kind("made/signed:sha256-1.sig"),
    "Image that a list names by digest": Kind("oci/many-layers@"),
    "Image that a list names by tag and digest": Kind("a/b/c/d:1.0@"),
}
"""Every kind that can be saved, as docs/digests.md has them."""


@dataclass
class Journey:
    """All kinds in the registry that they were saved from, and in the one that they were loaded into."""

    source: Registry
    target: Registry
    loads: dict[tuple[tuple[str, Any], ...], dict[str, dict[str, Any]]]


def _made(registry: Registry) -> dict[str, PushedImage]:
    """Push kinds that the samples do not have."""
    stray = build_artifact([Layer(b"stray", PLAIN, "")], b"{}", "application/vnd.example+json")
    signature = build_artifact(
        [Layer(b'{"critical":{}}', PLAIN, "")],
        b"{}",
        "application/vnd.oci.image.config.v1+json",
        layer_media_type="application/vnd.dev.cosign.simplesigning.v1+json",
    )
    made = {
        "made/stray:1": build_index([small(31), Entry(stray, UNKNOWN)]),
        "made/twice:1": build_index([small(32), small(32), small(33, platform=ARM64)]),
        "made/signed:sha256-1.sig": signature,
    }
    return {name: push(registry, *name.split(":"), item) for name, item in made.items()}  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def journey(seeded_source: Source, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Journey]:
    """One save and one load for each set of options."""
    with Workbench(tmp_path_factory.mktemp("kinds")) as bench:
        source, target = seeded_source.registry, bench.registry()
        images = {**seeded_source.images, **_made(source)}
        references = {name: image.reference for name, image in images.items()}
        references["old/image:1"] = push_schema1(source, seeded_source["docker/single:1"], "old/image", "1")
        references["oci/many-layers@"] = images["oci/many-layers:1"].by_digest
        references["a/b/c/d:1.0@"] = f"{images['a/b/c/d:1.0'].reference}@{images['a/b/c/d:1.0'].digest}"
        done = Journey(source, target, {})
        for number, options in enumerate(dict.fromkeys(kind.saved for kind in KINDS.values())):
            names = [kind.sample for kind in KINDS.values() if kind.saved == options]
            dest = bench.directory / f"out-{number}" / "images.tar.gz"
            result = bench.save([references[name] for name in names], dest=dest, **dict(options))
            assert not result.failed, result.msg
            assert read_archive(dest).lock["offsets"]
            result = loaded(load(lock_of(dest), target, prefix=f"load{number}"))
            by_reference = {each["reference"]: each for each in result["images"]}
            done.loads[options] = {name: by_reference[references[name]] for name in names}
        yield done


def digests(registry: Registry, repository: str, name: str) -> tuple[str, list[str]]:
    """The digest behind a name, and those of its platform images."""
    own, *children = registry_digests(registry, repository, name)
    return own, children or [own]


@pytest.mark.parametrize("name", KINDS)
def test_digests_are_as_documented(journey: Journey, name: str) -> None:
    kind = KINDS[name]
    image = journey.loads[kind.saved][kind.sample]
    repository, _colon, tag = image["target"].partition("/")[2].rpartition(":")
    before = re.fullmatch(r"[^/]+/(.+?)(?::([^@/]+))?(?:@(.+))?", image["reference"])
    assert before
    own, children = digests(journey.source, before[1], before[2] or before[3])
    arrived, arrived_children = digests(journey.target, repository, tag)
    assert arrived == image["digest"]
    assert (arrived == own) is (kind.tag == SAME)
    assert (set(arrived_children) <= set(children)) is (kind.platforms == SAME)
    assert kind.saved == ARM_ONLY or len(arrived_children) == len(children)
    if kind.tag == SAME:
        assert get_manifest(journey.target, repository, tag) == get_manifest(journey.source, before[1], own)


def test_every_tag_is_whole(journey: Journey) -> None:
    assert gaps(journey.target) == []


def test_the_page_has_every_kind() -> None:
    """docs/digests.md has a row for each, in this order."""
    rows = re.findall(r"^\| (.+?) +\| (the same|another) +\| (the same|another) +\|", PAGE.read_text("utf-8"), re.M)
    assert rows == [(name, kind.tag, kind.platforms) for name, kind in KINDS.items()]


def test_samples_that_can_be_saved_are_all_here() -> None:
    left = {name for name in SAMPLES if not any(kind.sample.rstrip("@") in name for kind in KINDS.values())}
    assert left == {"oci/nested:1", "docker/arm64:1", "windows/foreign-absent:1", "oci/foreign-present:1"}


def test_the_index_of_the_source_is_refused_with_a_way_on(
    source: Source, bench: Workbench, registry: Registry, tmp_path: Path
) -> None:
    dest = tmp_path / "images.tar.gz"
    assert not bench.save([source["oci/index:1"], source["oci/gzip:1"]], dest=dest, arch=["arm64", "amd64"]).failed
    result = load(lock_of(dest), registry, index="source")
    assert [each["action"] for each in result["images"]] == ["failed", "pushed"]
    assert "index=auto" in result["failed_images"][0]["reason"]
    assert gaps(registry) == []
    loaded(load(lock_of(dest), registry))
