# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A registry that says one thing and sends another: digests, media types, sizes, and indexes without end."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from ansible_collections.airgap.images.tests.functional._helpers import check, platforms
from ansible_collections.airgap.images.tests.functional._hostile import HONEST, Site, files, only, reasons, refused
from ansible_collections.airgap.images.tests.support.hostile import Asked, Hostile, Reply, Rule, manifest_reply
from ansible_collections.airgap.images.tests.support.images import DOCKER_SCHEMA1, OCI_INDEX, OCI_MANIFEST
from ansible_collections.airgap.images.tests.support.layers import sha256
from ansible_collections.airgap.images.tests.support.samples import oci_index, small

OTHER = small(7)
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


def to_us(part: str, reply: Reply, *, method: str = "") -> Rule:
    """An answer that skopeo does not get."""

    def rule(asked: Asked) -> Reply | None:
        fits = part in asked.path and not asked.by_skopeo and method in ("", asked.method)
        return reply if fits else None

    return rule


def assert_refused(hostile: Hostile, site: Site, *words: str, images: tuple[str, ...] = ()) -> None:
    """All images but the honest one are refused, with these words."""
    names = images or (hostile.reference("bad"),)
    result = site.save([*names, hostile.reference("honest")])
    only(result, site, hostile)
    for name in names:
        reason = refused(result, name)
        assert all(word in reason for word in words), reason


def test_a_tag_that_comes_with_other_bytes_than_its_digest_says(hostile: Hostile, site: Site) -> None:
    hostile.image("bad", OTHER)
    hostile.rules.append(to_us("/bad/manifests/1", Reply(405), method="HEAD"))
    hostile.rules.append(to_us("/bad/manifests/1", manifest_reply(OTHER.raw, digest=FALSE)))
    assert_refused(hostile, site, "other bytes", "registry's own digest")


def test_a_digest_that_comes_with_other_bytes(hostile: Hostile, site: Site) -> None:
    hostile.image("bad", OTHER)
    hostile.child("bad", OTHER.raw, digest=FALSE)
    assert_refused(hostile, site, "other bytes", images=(f"{hostile.host}/bad@{FALSE}",))


def test_a_child_that_comes_with_other_bytes(hostile: Hostile, site: Site) -> None:
    index = oci_index()
    hostile.image("bad", index)
    first = index.entries[0].item
    hostile.child("bad", stretched(OTHER.raw, max(len(OTHER.raw), len(first.raw))), digest=first.digest)
    assert_refused(hostile, site, "other bytes")


@pytest.mark.parametrize(
    "media_type", [DOCKER_SCHEMA1, OCI_MANIFEST, pytest.param("text/plain", marks=pytest.mark.thorough)]
)
def test_what_is_called_schema_1_has_to_be_it(hostile: Hostile, site: Site, media_type: str) -> None:
    """Of schema 1 the digest is not that of the bytes. Under this pretext we get another image than skopeo does."""
    hostile.image("bad", HONEST)
    hostile.content("bad", OTHER)
    lie = stretched(OTHER.raw, len(HONEST.raw)) if len(OTHER.raw) <= len(HONEST.raw) else OTHER.raw
    reply = manifest_reply(lie, media_type, digest=HONEST.digest)
    hostile.rules.append(to_us(f"/bad/manifests/{HONEST.digest}", reply))
    assert_refused(hostile, site, "other bytes")
    assert not hostile.asked("/bad/blobs/"), "what it names was fetched"


@pytest.mark.parametrize("media_type", [OCI_INDEX, DOCKER_SCHEMA1])
def test_an_index_that_names_itself(hostile: Hostile, site: Site, media_type: str) -> None:
    """No index can hold its own digest, but a server can say so."""
    entry = {"mediaType": OCI_INDEX, "digest": FALSE, "size": 0, "platform": {"os": "linux", "architecture": "amd64"}}
    document = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [entry]}
    entry["size"] = len(json.dumps(document)) + 2
    raw = json.dumps(document).encode()
    for name in ("1", FALSE):
        hostile.replies[f"/v2/bad/manifests/{name}"] = manifest_reply(raw, media_type, digest=FALSE)
    assert_refused(hostile, site, "other bytes")
    assert len(hostile.asked("/bad/")) < 10


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


def test_blobs_that_are_not_what_their_digests_say(hostile: Hostile, site: Site) -> None:
    refusals: dict[str, str] = {}
    for number, kind in enumerate(("layer", "config") * 4):
        image = small(20 + number)
        reference = hostile.image(f"bad/{number}", image)
        data = image.config if kind == "config" else image.layers[2].data
        sent = (data + b"x", data[:-1], b"x" * len(data), b"")[number // 2]
        refusals[reference] = hostile.blob(f"bad/{number}", sent, digest=sha256(data))
    result = site.save([*refusals, hostile.reference("honest")])
    only(result, site, hostile)
    for reference, digest in refusals.items():
        assert digest in refused(result, reference)
        assert not (site.cache / "share" / "sha256" / digest[7:]).exists()


def test_a_layer_that_never_ends_is_cut_where_its_descriptor_ends(hostile: Hostile, site: Site) -> None:
    hostile.image("bad", OTHER)
    hostile.replies[f"/v2/bad/blobs/{OTHER.layers[2].digest}"] = Reply(body=_zeros)
    assert_refused(hostile, site, "more bytes than its descriptor says")
    assert not [name for name in files(site.cache) if "blob-" in name]


def _zeros() -> Iterator[bytes]:
    while True:
        yield bytes(65536)


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


@dataclass(frozen=True)
class Crowd:
    raw: bytes

    @staticmethod
    def of(count: int, architecture: str, *, digests: bool) -> Crowd:
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
        return Crowd(json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries}).encode())


def test_a_thousand_platforms_that_nobody_wants(hostile: Hostile, site: Site) -> None:
    crowd = Crowd.of(1000, "mips", digests=True).raw
    bad = hostile.manifest("bad", crowd, OCI_INDEX)
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


def test_a_thousand_platforms_that_are_not_there(hostile: Hostile, site: Site) -> None:
    hostile.manifest("bad", Crowd.of(1000, "amd64", digests=True).raw, OCI_INDEX)
    assert_refused(hostile, site, "does not exist")
    assert len(hostile.asked("/bad/manifests/")) < 10, "it was asked on after the first was missing"


@pytest.mark.parametrize("check_mode", [False, True])
def test_a_thousand_platforms_that_are_one(hostile: Hostile, site: Site, check_mode: bool) -> None:
    """All entries name the same image, each for a platform of its own: it is asked for once, and stored once."""
    crowd = Crowd.of(1000, "amd64", digests=False).raw
    hostile.content("bad", HONEST)
    bad = hostile.manifest("bad", crowd, OCI_INDEX)
    if check_mode:
        params = site.params([bad, hostile.reference("honest")])
        params.update(failed_list=None, log_file=None)
        from ansible_collections.airgap.images.tests.support.module import run_module

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
