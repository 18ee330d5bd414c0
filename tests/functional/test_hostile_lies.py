# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A registry that says one thing and sends another: digests, media types, sizes, and indexes without end."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from ansible_collections.airgap.images.tests.functional._helpers import check, platforms
from ansible_collections.airgap.images.tests.functional._hostile import (
    HONEST,
    Site,
    files,
    only,
    reasons,
    refused,
    to_us,
)
from ansible_collections.airgap.images.tests.support.hostile import Hostile, Reply, manifest_reply
from ansible_collections.airgap.images.tests.support.images import DOCKER_SCHEMA1, OCI_INDEX, OCI_MANIFEST
from ansible_collections.airgap.images.tests.support.layers import sha256
from ansible_collections.airgap.images.tests.support.module import Result, run_module
from ansible_collections.airgap.images.tests.support.samples import oci_index, small

pytestmark = pytest.mark.both_ways

OTHER = small(7)
FIRST = small(9)
FALSE = "sha256:" + "ab" * 32


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path / "site")


@pytest.fixture(scope="module")
def server() -> Iterator[Hostile]:
    with Hostile() as hostile:
        hostile.image("honest", HONEST)
        yield hostile


@pytest.fixture
def hostile(server: Hostile) -> Hostile:
    """A server with the honest image; rules of the test before are gone."""
    server.rules.clear()
    server.clear()
    return server


def stretched(raw: bytes, size: int) -> bytes:
    """The same document in so many bytes."""
    assert len(raw) <= size
    return raw + b" " * (size - len(raw))


# -- what is refused, all in one run


@dataclass(frozen=True)
class Lie:
    """Has a repository lie.

    :ivar arrange: Given the server and the repository, gives the reference that is to be refused.
    :ivar words: Words of the reason.
    """

    arrange: Callable[[Hostile, str], str]
    words: tuple[str, ...] = ("other bytes",)


def other_than_said(hostile: Hostile, name: str) -> str:
    """A tag that comes with other bytes than the registry's own digest says."""
    reference = hostile.image(name, OTHER)
    hostile.rules.append(to_us(f"/{name}/manifests/1", Reply(405), method="HEAD"))
    hostile.rules.append(to_us(f"/{name}/manifests/1", manifest_reply(OTHER.raw, digest=FALSE)))
    return reference


def other_than_asked(hostile: Hostile, name: str) -> str:
    """A digest that comes with other bytes."""
    hostile.image(name, OTHER)
    hostile.child(name, OTHER.raw, digest=FALSE)
    return f"{hostile.host}/{name}@{FALSE}"


def other_child(hostile: Hostile, name: str) -> str:
    """A child of an index that comes with other bytes."""
    index = oci_index()
    reference = hostile.image(name, index)
    first = index.entries[0].item
    hostile.child(name, stretched(OTHER.raw, max(len(OTHER.raw), len(first.raw))), digest=first.digest)
    return reference


def called(media_type: str) -> Callable[[Hostile, str], str]:
    """Another image under a media type. Of schema 1 the digest is not that of the bytes: under this pretext we would
    get another image than skopeo does."""

    def arrange(hostile: Hostile, name: str) -> str:
        reference = hostile.image(name, FIRST)
        hostile.content(name, OTHER)
        lie = stretched(OTHER.raw, len(FIRST.raw)) if len(OTHER.raw) <= len(FIRST.raw) else OTHER.raw
        hostile.rules.append(
            to_us(f"/{name}/manifests/{FIRST.digest}", manifest_reply(lie, media_type, digest=FIRST.digest))
        )
        return reference

    return arrange


def names_itself(media_type: str) -> Callable[[Hostile, str], str]:
    """An index that names itself. None can hold its own digest, but a server can say so."""

    def arrange(hostile: Hostile, name: str) -> str:
        platform = {"os": "linux", "architecture": "amd64"}
        entry = {"mediaType": OCI_INDEX, "digest": FALSE, "size": 0, "platform": platform}
        document = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [entry]}
        entry["size"] = len(json.dumps(document)) + 2
        raw = json.dumps(document).encode()
        for reference in ("1", FALSE):
            hostile.replies[f"/v2/{name}/manifests/{reference}"] = manifest_reply(raw, media_type, digest=FALSE)
        return hostile.reference(name)

    return arrange


def endless_layer(hostile: Hostile, name: str) -> str:
    """A layer that never ends is cut off where its descriptor ends."""
    image = small(8)
    reference = hostile.image(name, image)
    hostile.replies[f"/v2/{name}/blobs/{image.layers[2].digest}"] = Reply(body=_zeros)
    return reference


def _zeros() -> Iterator[bytes]:
    while True:
        yield bytes(65536)


def absent_crowd(hostile: Hostile, name: str) -> str:
    """A thousand platforms that are not there."""
    return hostile.manifest(name, crowd("amd64", digests=True), OCI_INDEX)


LIES = {
    "than-said": Lie(other_than_said, ("other bytes", "registry's own digest")),
    "than-asked": Lie(other_than_asked),
    "child": Lie(other_child),
    "called-schema-1": Lie(called(DOCKER_SCHEMA1)),
    "called-manifest": Lie(called(OCI_MANIFEST)),
    "called-text": Lie(called("text/plain")),
    "itself": Lie(names_itself(OCI_INDEX)),
    "itself-as-schema-1": Lie(names_itself(DOCKER_SCHEMA1)),
    "endless-layer": Lie(endless_layer, ("more bytes than its descriptor says",)),
    "absent-crowd": Lie(absent_crowd, ("does not exist",)),
}


@dataclass(frozen=True)
class Batch:
    """The run of all lies, with the honest image at the end.

    :ivar blobs: Of the blobs that were not what their digests say, by reference.
    """

    result: Result
    site: Site
    hostile: Hostile
    references: Mapping[str, str]
    blobs: Mapping[str, str]


@pytest.fixture(scope="module")
def batch(tmp_path_factory: pytest.TempPathFactory, skopeo_copy: str) -> Iterator[Batch]:
    with Hostile() as hostile:
        references = {name: lie.arrange(hostile, f"bad/{name}") for name, lie in LIES.items()}
        blobs = dict(wrong_blobs(hostile))
        site = Site(tmp_path_factory.mktemp("batch"))
        result = site.save([*references.values(), *blobs, hostile.image("honest", HONEST)])
        yield Batch(result, site, hostile, references, blobs)


def wrong_blobs(hostile: Hostile) -> Iterator[tuple[str, str]]:
    """Images of which a blob is not what its digest says: references and digests."""
    for number, kind in enumerate(("layer", "config") * 4):
        image = small(20 + number)
        reference = hostile.image(f"blob/{number}", image)
        data = image.config if kind == "config" else image.layers[2].data
        sent = (data + b"x", data[:-1], b"x" * len(data), b"")[number // 2]
        yield reference, hostile.blob(f"blob/{number}", sent, digest=sha256(data))


def test_all_others_are_saved(batch: Batch) -> None:
    only(batch.result, batch.site, batch.hostile)
    assert len(batch.result["failed_images"]) == len(batch.references) + len(batch.blobs)


@pytest.mark.parametrize("name", LIES)
def test_a_lie_is_refused(batch: Batch, name: str) -> None:
    reason = refused(batch.result, batch.references[name])
    assert all(word in reason for word in LIES[name].words), reason


@pytest.mark.parametrize("name", [name for name in LIES if name.startswith("called-")])
def test_nothing_that_a_false_manifest_names_is_fetched(batch: Batch, name: str) -> None:
    assert not batch.hostile.asked(f"/bad/{name}/blobs/")


@pytest.mark.parametrize("name", [name for name in LIES if name.startswith(("itself", "absent"))])
def test_after_the_first_lie_it_is_not_asked_on(batch: Batch, name: str) -> None:
    assert len(batch.hostile.asked(f"/bad/{name}/")) < 10


@pytest.mark.both_ways(short=True)
def test_blobs_that_are_not_what_their_digests_say(batch: Batch) -> None:
    for reference, digest in batch.blobs.items():
        assert digest in refused(batch.result, reference)
        assert not (batch.site.cache / "share" / "sha256" / digest[7:]).exists()


def test_nothing_is_left_of_what_was_cut_off(batch: Batch) -> None:
    assert not [name for name in files(batch.site.cache) if "blob-" in name]


# -- what is saved nevertheless


STATED = ["sha256:../../../etc/x", "sha512:" + "ab" * 64, "\x1b[2J", "A" * 60_000, FALSE.upper()]


def test_a_stated_digest_that_is_none_is_not_believed(hostile: Hostile, site: Site) -> None:
    """The tag is what its bytes are."""
    names = {f"said/{number}": said for number, said in enumerate(STATED)}
    images = [hostile.image(name, OTHER) for name in names]
    for name, said in names.items():
        hostile.rules.append(to_us(f"/{name}/manifests/1", manifest_reply(OTHER.raw, digest=said)))
    result = site.save(images)
    assert not result.failed and not reasons(result)
    assert check(site.dest).references == dict.fromkeys(images, OTHER.digest)


def test_addresses_of_foreign_layers_are_not_called(hostile: Hostile, site: Site) -> None:
    """The image names where its layer is; nobody but its registry is asked."""
    document = json.loads(OTHER.raw)
    with Hostile() as elsewhere:
        document["layers"][2]["urls"] = [f"{elsewhere.url}/layer", "file:///etc/passwd", "--help"]
        hostile.content("bad", OTHER)
        bad = hostile.manifest("bad", json.dumps(document).encode())
        result = site.save([bad, hostile.reference("honest")], include_foreign_layers=True)
        assert not result.failed and not result["failed_images"]
        assert not elsewhere.asked()
    check(site.dest)


def crowd(architecture: str, *, digests: bool, count: int = 1000) -> bytes:
    """An index of many platforms, each with words as long as they may be."""
    entries = [
        {
            "mediaType": OCI_MANIFEST,
            "digest": f"sha256:{number:064x}" if digests else HONEST.digest,
            "size": len(HONEST.raw),
            "platform": {"os": "linux", "architecture": architecture, "variant": f"{number:0128d}"},
            "annotations": {"note": "\x1b[2J\n" * 5},
        }
        for number in range(count)
    ]
    return json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries}).encode()


def test_a_thousand_platforms_that_nobody_wants(hostile: Hostile, site: Site) -> None:
    bad = hostile.manifest("bad", crowd("mips", digests=True), OCI_INDEX)
    honest = hostile.reference("honest")
    result = site.save([bad, honest])
    only(result, site, hostile)
    (skipped,) = result["skipped_images"]
    assert len(skipped["reason"]) < 2000 and "and 990 more" in skipped["reason"]
    strict = Site(site.root / "strict")
    result = strict.save([bad, honest], fail_on_missing_platform=True)
    only(result, strict, hostile)
    assert len(refused(result, bad)) < 2000
    assert len(result.msg) < 5000


@pytest.mark.parametrize("check_mode", [pytest.param(True, marks=pytest.mark.thorough), False])
def test_a_thousand_platforms_that_are_one(hostile: Hostile, site: Site, check_mode: bool) -> None:
    """All entries name the same image, each for a platform of its own: it is asked for once, and stored once."""
    hostile.content("bad", HONEST)
    bad = hostile.manifest("bad", crowd("amd64", digests=False), OCI_INDEX)
    if check_mode:
        params = site.params([bad, hostile.reference("honest")])
        params.update(failed_list=None, log_file=None)
        result = run_module(params, env=site.env, check=True)
    else:
        result = site.save([bad, hostile.reference("honest")])
        archive = check(site.dest)
        assert platforms(archive, bad) == 1000 * [HONEST.digest]
        folders = {name.split("/")[1] for name in archive.names if name.endswith("/oci-layout")}
        assert HONEST.digest.removeprefix("sha256:") in folders and len(folders) <= 3
    assert not result.failed and not reasons(result)
    asked = [each for each in hostile.asked(f"/bad/manifests/{HONEST.digest}") if not each.by_skopeo]
    assert len(asked) <= 2
