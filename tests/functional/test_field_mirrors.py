# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Several mirrors, mirrors in trouble, and mirrors that are for digests only or lack something."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.airgap.images.tests.functional._helpers import (
    configure,
    outcomes,
    saved,
)
from ansible_collections.airgap.images.tests.functional._mirrors import (  # noqa: F401
    AWAY,
    INDEX,
    closed_port,
    hub,
    mirror,
    reason,
    site,
)
from ansible_collections.airgap.images.tests.support.field_registry import FieldRegistry, always, when
from ansible_collections.airgap.images.tests.support.hostile import Reply
from ansible_collections.airgap.images.tests.support.images import AMD64, ARM64, UNKNOWN, build_index
from ansible_collections.airgap.images.tests.support.push import push
from ansible_collections.airgap.images.tests.support.registry import Registry
from ansible_collections.airgap.images.tests.support.samples import attested, small
from ansible_collections.airgap.images.tests.support.workbench import Workbench

THOROUGH = pytest.mark.thorough

OTHER = build_index([small(4, platform=each) for each in (AMD64, ARM64)])


@pytest.mark.field(
    "configuration", given="several mirrors, the first of which is down", happens="the image comes from the next one"
)
def test_the_first_mirror_is_down(site: Registry, bench: Workbench, home: Path) -> None:
    configure(home, mirror(f"{closed_port()}/hub", f"{site.host}/hub"))
    reference = f"{AWAY}/team/app:1"
    assert saved(bench.save([reference], retries=0)).references == {reference: INDEX.digest}


def test_what_no_mirror_has_fails_and_says_what_each_said(site: Registry, bench: Workbench, home: Path) -> None:
    closed = closed_port()
    configure(home, mirror(f"{closed}/hub", f"{site.host}/hub"))
    there, missing = f"{AWAY}/team/app:1", f"{AWAY}/team/app:2"
    result = bench.save([there, missing], allow_partial=True, retries=1, retry_delay=0.01)
    assert outcomes(result) == {there: "saved", missing: "failed"}
    told = reason(result, missing)
    assert f"{closed}: connect: connection refused" in told
    assert f"reading manifest 2 in {site.host}/hub/team/app: manifest unknown" in told
    assert "no such host" in told and "it is not (or no longer) in the registry" in told


def test_a_mirror_in_trouble_is_asked_again(bench: Workbench, home: Path) -> None:
    with FieldRegistry() as registry:
        registry.add("hub/team/app", INDEX)
        registry.manners.append(when("/manifests/", always(Reply(503)), times=1))
        configure(home, mirror(f"{registry.host}/hub"))
        reference = f"{AWAY}/team/app:1"
        assert saved(bench.save([reference], retry_delay=0.01)).references == {reference: INDEX.digest}


@pytest.mark.parametrize("document", ["manifests", "blobs"])
def test_a_mirror_that_gives_something_else(bench: Workbench, home: Path, document: str) -> None:
    """By digest, of a manifest as of a configuration."""
    image = small(1)
    with FieldRegistry() as registry:
        registry.add("hub/team/app", image)
        registry.manners.append(when(f"/{document}/sha256:", always(Reply(200, body=b'{"schemaVersion": 2}'))))
        configure(home, mirror(f"{registry.host}/hub"))
        reference = f"{AWAY}/team/app{'@' + image.digest if document == 'manifests' else ':1'}"
        result = bench.save([reference], retries=0)
        told = reason(result, reference)
    assert "came with other bytes than its digest names" in told or "does not match" in told, told
    assert not bench.dest.exists()


@pytest.mark.field(
    "configuration",
    given="mirrors for digests only (`mirror-by-digest-only`, `pull-from-mirror`)",
    happens="tags are resolved by the registry itself; everything else comes from the mirror",
)
@pytest.mark.parametrize(
    "way", ["mirror-by-digest-only = true\n", pytest.param('pull-from-mirror = "digest-only"\n', marks=THOROUGH)]
)
def test_a_mirror_for_digests_only(site: Registry, bench: Workbench, home: Path, way: str) -> None:
    registry = bench.registry()
    image = push(registry, "hub/team/app", "1", OTHER)
    push(site, "hub/team/app", "other", OTHER)  # what is its tag 1 is another image
    place = {"more": way} if way.startswith("mirror") else {"last": way}
    text = mirror(site.host, prefix=registry.host, **place)
    configure(home, text.replace("location", "insecure = true\nlocation", 1))
    registry.clear()
    site.clear()
    assert saved(bench.save([image])).references == {image.reference: OTHER.digest}
    assert registry.manifest_gets() == {"hub/team/app:1": 1} and not registry.blob_gets()
    assert not [each for each in site.requests() if each.manifest.endswith(":1")]
    assert set(site.blob_gets()) == {blob for each in image.platforms for blob in each.blobs} - {
        each.digest for each in image.platforms
    }


def test_an_attestation_that_a_mirror_lacks(bench: Workbench, home: Path) -> None:
    """As of a registry that our own client asks: the image is saved, and says so."""
    index = attested()
    with FieldRegistry() as registry:
        registry.add("hub/team/app", index)
        lacking = [entry.item.digest for entry in index.entries if entry.platform == UNKNOWN]
        registry.manners += [when(digest, always(Reply(404))) for digest in lacking]
        configure(home, mirror(f"{registry.host}/hub"))
        reference = f"{AWAY}/team/app:1"
        result = bench.save([reference], retries=0)
        archive = saved(result)
    (image,) = result["images"]
    assert lacking and image["status"] == "saved" and "attestation" in " ".join(image["notes"]), image
    assert list(archive.references) == [reference]
