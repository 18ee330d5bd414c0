# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Attestations and artefacts of an index, on mirrors that do not have them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from ansible_collections.airgap.images.tests.functional._field import (  # noqa: F401
    Batch,
    registry,
    served,
    site,
)
from ansible_collections.airgap.images.tests.functional._helpers import saved, snapshot
from ansible_collections.airgap.images.tests.functional._hostile import HONEST, Site, refused
from ansible_collections.airgap.images.tests.support.field_registry import FieldRegistry, Manner, always, when
from ansible_collections.airgap.images.tests.support.hostile import Reply
from ansible_collections.airgap.images.tests.support.images import AMD64, ARM64, Entry, Image, build_index
from ansible_collections.airgap.images.tests.support.module import Result, run_module
from ansible_collections.airgap.images.tests.support.samples import attestation, chart, small

IMAGES = [small(14, platform=each) for each in (AMD64, ARM64)]
PROOFS = [attestation(each) for each in IMAGES]
ATTESTED = build_index([*IMAGES, *PROOFS])

# Others, as a manifest that one repository gives is known to a run for all.
LAYER_IMAGES = [small(15, platform=each) for each in (AMD64, ARM64)]
LAYER_PROOFS = [attestation(each) for each in LAYER_IMAGES]
LAYER_ATTESTED = build_index([*LAYER_IMAGES, *LAYER_PROOFS])

GONE = {
    "missing": Reply(404),
    "refused": Reply(403),
    "unauthorized": Reply(401),
    "other": Reply(body=HONEST.raw),
    "page": Reply(headers=(("Content-Type", "text/html"),), body=b"<html>no</html>"),
    "endless": Reply(body=lambda: (b" " * 65536 for _number in range(100))),
}
NO_LAYER = ("missing", "refused", "other")
"""Of these, what a registry may answer for the layer of an attestation."""


def named(result: Result, reference: str) -> dict[str, Any]:
    """The image of a reference in a result."""
    [image] = [each for each in result["images"] if each["reference"] == reference]
    return dict(image)


def names(image: Mapping[str, Any]) -> list[str]:
    """The platforms of an image."""
    return [str(each["platform"]) for each in image["platforms"]]


def gives(entry: Entry | Image, reply: Reply, *, name: str = "") -> Manner:
    digest = entry.item.digest if isinstance(entry, Entry) else entry.digest
    return when(f"{name}/manifests/{digest}", always(reply))


@pytest.fixture(scope="module")
def without(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Batch]:
    """For each answer a repository that gives it for an attestation, or for its layer: in check mode, for real, and
    once more."""
    with served(tmp_path_factory.mktemp("without")) as batch:
        registry, layer = batch.registry, LAYER_PROOFS[0].item.layers[0].digest
        for name, reply in GONE.items():
            registry.manners.append(gives(PROOFS[0], reply, name=f"gone/{name}"))
        for name in NO_LAYER:
            registry.manners.append(when(f"layer/{name}/blobs/{layer}", always(GONE[name])))
        references = [registry.add(f"gone/{name}", ATTESTED) for name in GONE]
        references += [registry.add(f"layer/{name}", LAYER_ATTESTED) for name in NO_LAYER]
        batch.results.append(run_module(batch.site.params(references), env=batch.site.env, check=True))
        for _time in range(2):
            batch.save(*references)
        yield batch


def assert_without(result: Result, reference: str, proof: Entry) -> None:
    """The image is saved without the attestation, which a note names."""
    image = named(result, reference)
    assert names(image)[:2] == ["linux/amd64", "linux/arm64"]
    [note] = image["notes"]
    assert note.startswith(f"without the attestation {proof.item.digest} of linux/amd64: ")


@pytest.mark.field(
    "extras",
    given="an attestation that a mirror does not have (404), refuses (401, 403), or sends damaged",
    happens="the image is saved without it; a note names the attestation",
)
@pytest.mark.parametrize("name", GONE)
def test_an_attestation_that_is_not_there(without: Batch, name: str) -> None:
    for result in without.results:
        assert_without(result, without.registry.reference(f"gone/{name}"), PROOFS[0])
    assert PROOFS[0].item.digest not in without.archive.blobs


@pytest.mark.field(
    "extras",
    given="an attestation whose manifest exists, but not the blobs that it names",
    happens=("the image is saved without it; a note names the attestation, and the next run does not repeat it"),
)
@pytest.mark.parametrize("name", NO_LAYER)
def test_an_attestation_without_its_layer(without: Batch, name: str) -> None:
    reference = without.registry.reference(f"layer/{name}")
    for result in without.results:
        assert_without(result, reference, LAYER_PROOFS[0])
    assert LAYER_PROOFS[0].item.layers[0].digest not in without.archive.blobs


def test_nothing_changes_as_long_as_it_is_not_there(without: Batch) -> None:
    assert [result.changed for result in without.results] == [True, True, False]
    assert without.snapshots[0] == without.snapshots[1]


def test_an_attestation_of_the_only_platform_that_is_wanted(site: Site, registry: FieldRegistry) -> None:
    name = registry.add("some/image", ATTESTED)
    registry.manners.append(gives(PROOFS[0], GONE["missing"]))
    result = site.save([name], arch=["amd64"])
    saved(result)
    assert names(result["images"][0]) == ["linux/amd64"]
    [note] = result["images"][0]["notes"]
    assert note.startswith(f"without the attestation {PROOFS[0].item.digest} of linux/amd64: ")


@pytest.mark.field(
    "extras",
    given="the next run, also if the mirror has the attestation by then",
    happens="nothing changes, and only the digest is requested; `force` saves the attestation too",
)
def test_what_was_left_out_stays_out_until_something_changes(site: Site, registry: FieldRegistry) -> None:
    name = registry.add("some/image", ATTESTED)
    registry.manners.append(gives(PROOFS[1], Reply(404)))
    first = site.save([name])
    assert "without the attestation" in first["images"][0]["notes"][0]
    partly = saved(first)
    before = snapshot(site.dest.parent)
    asked = len(registry.asked())
    for _time in range(2):
        again = site.save([name])
        assert not again.changed and again["images"][0]["notes"] == first["images"][0]["notes"]
        assert snapshot(site.dest.parent) == before
        registry.manners.clear()  # it is there from now on
    assert {each.method for each in registry.asked("/manifests/")[asked:]} <= {"HEAD"}
    whole = site.save([name], force=True)
    assert saved(whole).references == {name: ATTESTED.digest} != partly.references
    assert not whole["images"][0]["notes"]


def test_what_was_left_out_comes_with_the_next_change(site: Site, registry: FieldRegistry) -> None:
    name, other = registry.add("some/image", ATTESTED), registry.add("other/image", HONEST)
    registry.manners.append(gives(PROOFS[1], Reply(404)))
    notes = site.save([name])["images"][0]["notes"]
    result = site.save([name, other])
    assert "1 image added" in result["reason"] and "changed" not in result["reason"]
    assert result["images"][0]["notes"] == notes
    registry.manners.clear()
    result = site.save([other, name])
    assert "1 image changed" in result["reason"]
    assert saved(result).references[name] == ATTESTED.digest


@pytest.mark.field(
    "extras",
    given="a missing artefact without a platform in an index of images",
    happens="the images are saved; a note names the artefact",
)
def test_an_artefact_that_is_not_there(site: Site, registry: FieldRegistry) -> None:
    item = chart()
    name = registry.add("some/image", build_index([*IMAGES, Entry(item)]))
    registry.manners.append(gives(item, Reply(404)))
    result = site.save([name])
    saved(result)
    assert names(result["images"][0]) == ["linux/amd64", "linux/arm64"]
    assert result["images"][0]["notes"] == [f"without the artefact {item.digest}: its registry does not have it"]


LIMITS = {"limit": (PROOFS[0], 429, "429"), "error": (PROOFS[0], 503, "503"), "platform": (IMAGES[0], 404, "")}
"""An entry, the status that its registry answers, and a word of the reason."""


@pytest.fixture(scope="module")
def failing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Batch]:
    """All of these in one run."""
    with served(tmp_path_factory.mktemp("failing")) as batch:
        for name, (entry, status, _told) in LIMITS.items():
            batch.registry.manners.append(gives(entry, Reply(status), name=f"fails/{name}"))
        batch.save(*(batch.registry.add(f"fails/{name}", ATTESTED) for name in LIMITS))
        yield batch


@pytest.mark.field(
    "extras",
    given=("a rate limit or server error (429, 5xx) for an attestation, or a requested platform that is missing"),
    happens="the image fails, because another run may succeed",
)
@pytest.mark.parametrize("name", LIMITS)
def test_what_is_not_left_out(failing: Batch, name: str) -> None:
    reason = refused(failing.results[0], failing.registry.reference(f"fails/{name}"))
    assert (LIMITS[name][2] or IMAGES[0].digest) in reason
