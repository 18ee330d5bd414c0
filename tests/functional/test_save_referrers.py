# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Signatures, attestations and SBOMs travel with their images: found, saved, compared, loaded, found again."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.airgap.images.tests.functional._helpers import saved
from ansible_collections.airgap.images.tests.functional._load import load_params, loaded, lock_of
from ansible_collections.airgap.images.tests.support.archive import Archive
from ansible_collections.airgap.images.tests.support.images import Image, Index, build_artifact, encode
from ansible_collections.airgap.images.tests.support.layers import PLAIN, Layer, sha256
from ansible_collections.airgap.images.tests.support.module import Result, run_module
from ansible_collections.airgap.images.tests.support.push import get_manifest, push
from ansible_collections.airgap.images.tests.support.registry import Registry
from ansible_collections.airgap.images.tests.support.samples import oci_index
from ansible_collections.airgap.images.tests.support.stand_in_registry import StandInRegistry
from ansible_collections.airgap.images.tests.support.stand_in_store import OLAREG
from ansible_collections.airgap.images.tests.support.workbench import Workbench

REPOSITORY = "team/app"
SUBJECT = oci_index()
ARCHES = ["amd64", "arm64", "arm"]
_INDEX = "application/vnd.oci.image.index.v1+json"
_COSIGN_CONFIG = (
    b'{"architecture":"","created":"0001-01-01T00:00:00Z","os":"","rootfs":{"type":"layers","diff_ids":[]}}'
)


def of_cosign(text: str) -> Image:
    """As cosign has it: an image whose configuration names no platform."""
    layer = Layer(text.encode(), "application/vnd.dev.cosign.simplesigning.v1+json", "")
    return build_artifact([layer], _COSIGN_CONFIG, "application/vnd.oci.image.config.v1+json")


def about(subject: Image | Index, kind: str) -> Image:
    """An artefact with a subject."""
    item = build_artifact([Layer(kind.encode(), PLAIN, "")], b"{}", kind, annotations={"about": kind})
    named = {"mediaType": subject.media_type, "digest": subject.digest, "size": len(subject.raw)}
    return replace(item, raw=encode({**json.loads(item.raw), "subject": named}))


SIGNATURE, ATTESTATION = of_cosign("signature"), of_cosign("attestation")
PLATFORM = SUBJECT.entries[0].item
assert isinstance(PLATFORM, Image)
SBOM, SCAN = about(SUBJECT, "application/x-sbom"), about(PLATFORM, "application/x-scan")
OF_SBOM = about(SBOM, "application/x-signature")
SIG_TAG, ATT_TAG = f"sha256-{SUBJECT.digest[7:]}.sig", f"sha256-{PLATFORM.digest[7:]}.att"


def list_of(*items: Image) -> bytes:
    entries = [{"mediaType": item.media_type, "digest": item.digest, "size": len(item.raw)} for item in items]
    return encode({"schemaVersion": 2, "mediaType": _INDEX, "manifests": entries})


def reference(host: str, item: Image | Index, tag: str = "") -> str:
    return f"{host}/{REPOSITORY}:{tag}" if tag else f"{host}/{REPOSITORY}@{item.digest}"


def keep(registry: Registry, item: Image | Index, *, tag: str = "") -> None:
    """Puts an item into a real registry; without a tag, by its digest alone."""
    push(registry, REPOSITORY, tag or "passing", item)
    if not tag:
        registry_tag(registry, "passing").unlink()


def keep_list(registry: Registry, subject: Image | Index, *items: Image) -> None:
    """What a client does that knows no lists of the registry: it keeps one under a tag."""
    for item in items:
        keep(registry, item)
    entries = [{"mediaType": item.media_type, "digest": item.digest, "size": len(item.raw)} for item in items]
    raw = encode({"schemaVersion": 2, "mediaType": _INDEX, "manifests": entries})
    push(registry, REPOSITORY, list_tag(subject), replace(SUBJECT, raw=raw, entries=()))


def list_tag(subject: Image | Index) -> str:
    return f"sha256-{subject.digest[7:]}"


def registry_tag(registry: Registry, tag: str) -> Path:
    return registry.storage / "docker/registry/v2/repositories" / REPOSITORY / "_manifests/tags" / tag / "current/link"


def stand_in_keep(registry: StandInRegistry, item: Image | Index, *, tag: str = "") -> None:
    """Puts an item into a registry that lists referrers itself."""
    store = registry.store
    for each in [entry.item for entry in item.entries] if isinstance(item, Index) else []:
        stand_in_keep(registry, each)
    if isinstance(item, Image):
        for data in [item.config, *(layer.data for layer in item.layers)]:
            store.blobs[sha256(data)] = data
            store.links.add((REPOSITORY, sha256(data)))
    store.manifests[REPOSITORY, item.digest] = (item.raw, item.media_type)
    if tag:
        store.tags[REPOSITORY, tag] = item.digest


@pytest.fixture
def source(bench: Workbench) -> Registry:
    """docker-registry 2.8, which keeps no lists of referrers, with an image and all kinds of what refers to it."""
    registry = bench.registry()
    keep(registry, SUBJECT, tag="1")
    keep(registry, SIGNATURE, tag=SIG_TAG)
    keep(registry, ATTESTATION, tag=ATT_TAG)
    keep_list(registry, SUBJECT, SBOM)
    keep_list(registry, PLATFORM, SCAN)
    keep_list(registry, SBOM, OF_SBOM)
    registry.clear()
    return registry


@pytest.fixture
def modern() -> Iterator[StandInRegistry]:
    """A registry that lists referrers itself."""
    with StandInRegistry(OLAREG) as registry:
        yield registry


def save(bench: Workbench, host: str, **more: Any) -> Result:
    return bench.save([f"{host}/{REPOSITORY}:1"], arch=ARCHES, referrers="auto", **more)


def named(archive: Archive) -> dict[str, str]:
    """What the lock names, with what each refers to, in order."""
    return {image["reference"]: image.get("refers_to", "") for image in archive.lock["images"]}


def expected(host: str) -> dict[str, str]:
    """Level by level: first what refers to the index, then what refers to its manifests, then what refers to that."""
    return {
        reference(host, SUBJECT, "1"): "",
        reference(host, SBOM): SUBJECT.digest,
        reference(host, SIGNATURE, SIG_TAG): SUBJECT.digest,
        reference(host, SCAN): PLATFORM.digest,
        reference(host, ATTESTATION, ATT_TAG): PLATFORM.digest,
        reference(host, OF_SBOM): SBOM.digest,
    }


def lines(registry: Registry) -> list[str]:
    """What a registry was asked for, and has answered; what was asked is forgotten."""
    found = [
        f"{each.method} {each.path.removeprefix(f'/v2/{REPOSITORY}/').partition('?')[0]} {each.status}"
        for each in registry.requests()
        if REPOSITORY in each.path
    ]
    registry.clear()
    return found


def predecessors(layout: Path) -> dict[str, set[str]]:
    """By each digest, what refers to it, as the image-spec has it: only what index.json names is there."""
    found: dict[str, set[str]] = {}
    queue = list(json.loads((layout / "index.json").read_bytes())["manifests"])
    while queue:
        entry = queue.pop()
        document = json.loads((layout / "blobs" / entry["digest"].replace(":", "/")).read_bytes())
        queue += document.get("manifests", [])
        if "subject" in document:
            found.setdefault(document["subject"]["digest"], set()).add(entry["digest"])
    return found


def test_all_that_refers_to_an_image_is_saved_behind_it_and_arrives(
    bench: Workbench, source: Registry, registry: Registry, modern: StandInRegistry
) -> None:
    archive = saved(save(bench, source.host))
    assert named(archive) == expected(source.host)
    assert [*named(archive)] == [*expected(source.host)]
    asked = lines(source)
    assert sum(line.startswith("GET referrers/") for line in asked) == 1
    assert sum("tags/list" in line for line in asked) == 1
    for target in (registry, modern):
        params = {**load_params(lock_of(bench.dest), registry), "registry": target.host}
        done = loaded(run_module(params, module="image_load"))
        assert len(done["images"]) == len(expected(""))
        again = run_module(params, module="image_load")
        loaded(again, changed=False)
    for tag, item in (("1", SUBJECT), (SIG_TAG, SIGNATURE), (ATT_TAG, ATTESTATION)):
        assert get_manifest(registry, REPOSITORY, tag)[0] == item.raw
        assert modern.store.tags[REPOSITORY, tag] == item.digest
    for subject, item in ((SUBJECT, SBOM), (PLATFORM, SCAN), (SBOM, OF_SBOM)):
        listed = json.loads(get_manifest(registry, REPOSITORY, list_tag(subject))[0])["manifests"]
        assert [each["digest"] for each in listed] == [item.digest]
        assert modern.store.manifests[REPOSITORY, item.digest][0] == item.raw
    assert (REPOSITORY, list_tag(SUBJECT)) not in modern.store.tags


def test_a_registry_that_lists_referrers_gives_the_same_archive(bench: Workbench, modern: StandInRegistry) -> None:
    for item, tag in (
        (SUBJECT, "1"),
        (SIGNATURE, SIG_TAG),
        (ATTESTATION, ATT_TAG),
        (SBOM, ""),
        (SCAN, ""),
        (OF_SBOM, ""),
    ):
        stand_in_keep(modern, item, tag=tag)
    result = save(bench, modern.host, compress="dir", keep_cache=False)
    archive = saved(result)
    assert named(archive) == expected(modern.host)
    assert [each["Tag"] for each in archive.saved_images["List"]] == ["1"]
    [image] = result["images"]
    kinds = ["application/x-sbom", "signature", "application/x-scan", "attestation", "application/x-signature"]
    assert [each["kind"] for each in image["referrers"]] == kinds
    assert result["msg"].startswith(f"saved 1 image and 5 referrers to {result['dest']}")
    saved(save(bench, modern.host, compress="dir", keep_cache=False), changed=False)
    assert predecessors(Path(result["dest"])) == {
        SUBJECT.digest: {SBOM.digest},
        PLATFORM.digest: {SCAN.digest},
        SBOM.digest: {OF_SBOM.digest},
    }
    for name, item in ((f"@{SBOM.digest}", SBOM), (f":{SIG_TAG}", SIGNATURE)):
        shown = subprocess.run(
            ["skopeo", "inspect", "--raw", f"oci:{result['dest']}:{modern.host}/{REPOSITORY}{name}"],
            capture_output=True,
            check=True,
        )
        assert shown.stdout == item.raw
    pinned = bench.save([], from_lock=lock_of(Path(result["dest"])), dest=bench.dest.parent / "again", compress="dir")
    assert saved(pinned).lock["images"] == archive.lock["images"]


def test_a_new_signature_makes_the_archive_new(bench: Workbench, source: Registry) -> None:
    saved(save(bench, source.host))
    lines(source)
    saved(save(bench, source.host), changed=False)
    assert sorted(lines(source)) == sorted(
        [
            "HEAD manifests/1 200",
            "GET tags/list 200",
            f"GET referrers/{SUBJECT.digest} 404",
            *(f"HEAD manifests/{tag} 200" for tag in (SIG_TAG, ATT_TAG)),
            *(f"GET manifests/{list_tag(subject)} 200" for subject in (SUBJECT, PLATFORM, SBOM)),
        ]
    )
    keep(source, of_cosign("another signature"), tag=SIG_TAG)
    result = save(bench, source.host)
    saved(result)
    assert "1 image changed" in result["reason"]
    registry_tag(source, SIG_TAG).unlink()
    left = saved(save(bench, source.host))
    assert reference(source.host, SIGNATURE, SIG_TAG) not in named(left)


def test_check_mode_and_a_cache_that_is_gone(bench: Workbench, source: Registry) -> None:
    """Without its cache, an archive that is right is accepted again, signatures included, and stays."""
    foreseen = save(bench, source.host, check=True)
    assert foreseen.changed and foreseen["msg"].startswith("would save 1 image and 5 referrers to ")
    done = save(bench, source.host)
    saved(done)
    assert foreseen["images"][0]["referrers"] == done["images"][0]["referrers"]
    facts = json.loads(Path(done["facts_file"]).read_bytes())["facts"]
    told = {one["reference"]: one["refers_to"] for one in facts["referrers"]}
    assert told == {name: subject for name, subject in expected(source.host).items() if subject}
    assert {one["image"] for one in facts["referrers"]} == {reference(source.host, SUBJECT, "1")}
    shutil.rmtree(bench.cache)
    again = save(bench, source.host)
    saved(again, changed=False)
    assert "accepted anew" in again["reason"]
    assert not save(bench, source.host, check=True).changed
