# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an index names beside its images, on mirrors that do not have it."""

from __future__ import annotations

import pytest

from ansible_collections.airgap.images.tests.functional._field import registry, site  # noqa: F401
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

GONE = {
    "missing": Reply(404),
    "refused": Reply(403),
    "unauthorized": Reply(401),
    "other": Reply(body=HONEST.raw),
    "page": Reply(headers=(("Content-Type", "text/html"),), body=b"<html>no</html>"),
    "endless": Reply(body=lambda: (b" " * 65536 for _number in range(100))),
}
MORE = ("unauthorized", "page")
EACH_GONE = [
    pytest.param(reply, id=name, marks=pytest.mark.thorough if name in MORE else ()) for name, reply in GONE.items()
]


def names(result: Result) -> list[str]:
    """The platforms of the only image."""
    return [str(each["platform"]) for each in result["images"][0]["platforms"]]


def gives(entry: Entry | Image, reply: Reply) -> Manner:
    return when(f"/manifests/{entry.item.digest if isinstance(entry, Entry) else entry.digest}", always(reply))


@pytest.mark.field(
    "extras",
    given="an attestation that a mirror does not have (404), refuses (401, 403), or sends damaged",
    happens="the image is saved without it; a note names the attestation",
)
@pytest.mark.parametrize("reply", EACH_GONE)
def test_an_attestation_that_is_not_there(site: Site, registry: FieldRegistry, reply: Reply) -> None:
    name = registry.add("some/image", ATTESTED)
    registry.manners.append(gives(PROOFS[0], reply))
    result = site.save([name], arch=["amd64"])
    saved(result)
    assert names(result) == ["linux/amd64"]
    [note] = result["images"][0]["notes"]
    assert note.startswith(f"without the attestation {PROOFS[0].item.digest} of linux/amd64: ")


@pytest.mark.field(
    "extras",
    given="an attestation whose manifest exists, but not the blobs that it names",
    happens=("the image is saved without it; a note names the attestation, and the next run does not repeat it"),
)
@pytest.mark.parametrize(
    "reply", [GONE["missing"], pytest.param(GONE["refused"], marks=pytest.mark.thorough), GONE["other"]]
)
def test_an_attestation_without_its_layer(site: Site, registry: FieldRegistry, reply: Reply) -> None:
    name = registry.add("some/image", ATTESTED)
    layer = PROOFS[0].item.layers[0].digest
    registry.manners.append(when(f"/blobs/{layer}", always(reply)))
    foreseen = run_module(site.params([name]), env=site.env, check=True)
    result = site.save([name])
    archive = saved(result)
    assert layer not in archive.blobs and PROOFS[0].item.digest not in archive.blobs
    [note] = result["images"][0]["notes"]
    assert note.startswith(f"without the attestation {PROOFS[0].item.digest} of linux/amd64: ")
    assert foreseen["images"][0]["notes"] == [note]
    before = snapshot(site.dest.parent)
    again = site.save([name])
    assert not again.changed and snapshot(site.dest.parent) == before


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
    assert names(result) == ["linux/amd64", "linux/arm64"]
    assert result["images"][0]["notes"] == [f"without the artefact {item.digest}: its registry does not have it"]


@pytest.mark.field(
    "extras",
    given=("a rate limit or server error (429, 5xx) for an attestation, or a requested platform that is missing"),
    happens="the image fails, because another run may succeed",
)
@pytest.mark.parametrize(
    ("item", "status", "told"),
    [(PROOFS[0], 429, "429"), (PROOFS[0], 503, "503"), (IMAGES[0], 404, IMAGES[0].digest)],
    ids=["limit", "error", "platform"],
)
def test_what_is_not_left_out(site: Site, registry: FieldRegistry, item: Entry | Image, status: int, told: str) -> None:
    name = registry.add("some/image", ATTESTED)
    registry.manners.append(gives(item, Reply(status)))
    assert told in refused(site.save([name]), name)
