# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Registries want more than blobs and manifests: projects (a stand-in for Harbor), and lists of referrers."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from ansible_collections.airgap.images.tests.functional._helpers import saved
from ansible_collections.airgap.images.tests.functional._load import load, loaded, lock_of
from ansible_collections.airgap.images.tests.support.images import Image, build_artifact, encode
from ansible_collections.airgap.images.tests.support.layers import PLAIN, Layer
from ansible_collections.airgap.images.tests.support.module import run_module
from ansible_collections.airgap.images.tests.support.push import get_manifest, push
from ansible_collections.airgap.images.tests.support.registry import Registry
from ansible_collections.airgap.images.tests.support.samples import oci_index, small
from ansible_collections.airgap.images.tests.support.stand_in_harbor import ADMIN, StandInHarbor
from ansible_collections.airgap.images.tests.support.workbench import Workbench

SUBJECT = oci_index()
LIST_TAG = SUBJECT.digest.replace(":", "-")
REPOSITORY = "team/app"


def artefact(kind: str) -> Image:
    return build_artifact([Layer(kind.encode(), PLAIN, "")], b"{}", kind, annotations={"about": kind})


def with_subject(item: Image) -> Image:
    about = {"mediaType": SUBJECT.media_type, "digest": SUBJECT.digest, "size": len(SUBJECT.raw)}
    return replace(item, raw=encode({**json.loads(item.raw), "subject": about}))


SBOM, OTHER = with_subject(artefact("application/x-sbom")), with_subject(artefact("application/x-other"))
SIGNATURE = artefact("application/x-signature")


@pytest.fixture
def archive(bench: Workbench) -> Path:
    """An image, its signature under cosign's tag, and an SBOM that refers to it; its subject is the last."""
    source = bench.registry()
    items = {f"{LIST_TAG}.sig": SIGNATURE, "sbom": SBOM, "1": SUBJECT}
    pushed = [push(source, REPOSITORY, tag, item) for tag, item in items.items()]
    saved(bench.save(pushed, arch=["amd64", "arm64", "arm"]))
    return lock_of(bench.dest)


def test_what_refers_to_an_image_comes_out_as_it_was(archive: Path, registry: Registry) -> None:
    """docker-registry 2.8 keeps no lists of referrers, so there is one under a tag."""
    push(registry, REPOSITORY, "of-others", OTHER)
    entry = {"mediaType": OTHER.media_type, "digest": OTHER.digest, "size": len(OTHER.raw)}
    before = {"schemaVersion": 2, "mediaType": SUBJECT.media_type, "manifests": [entry]}
    push(registry, REPOSITORY, LIST_TAG, replace(SUBJECT, raw=encode(before), entries=()))
    registry.clear()
    loaded(load(archive, registry))
    for tag, item in (("1", SUBJECT), (f"{LIST_TAG}.sig", SIGNATURE), ("sbom", SBOM)):
        assert get_manifest(registry, REPOSITORY, tag)[0] == item.raw
    listed = json.loads(get_manifest(registry, REPOSITORY, LIST_TAG)[0])["manifests"]
    about = {"artifactType": "application/x-sbom", "annotations": {"about": "application/x-sbom"}}
    assert listed == [entry, {**entry, "digest": SBOM.digest, "size": len(SBOM.raw), **about}]
    tags = [each.path.rpartition("/")[2] for each in registry.requests() if each.method == "PUT" and each.manifest]
    assert next(tag for tag in tags if ":" not in tag) == "1"
    assert tags.index(LIST_TAG) < tags.index("sbom")
    registry.clear()
    loaded(load(archive, registry), changed=False)
    assert {each.method for each in registry.requests() if each.manifest} == {"HEAD"}


def test_what_refers_to_an_image_can_be_left_out(archive: Path, registry: Registry) -> None:
    result = loaded(load(archive, registry, referrers="none"))
    assert [one["target"] for one in result["images"]] == [f"{registry.host}/{REPOSITORY}:1"]
    assert result["left_out"] == 2


def test_a_harbor_gets_the_project_that_it_lacks(bench: Workbench) -> None:
    source = bench.registry()
    saved(bench.save([push(source, REPOSITORY, "1", small(1))]))
    user, password = ADMIN
    with StandInHarbor() as harbor:
        options = {
            "src": [lock_of(bench.dest)],
            "registry": harbor.host,
            "validate_certs": False,
            "username": user,
            "password": password,
            "create_projects": True,
            "project_quota": "10G",
            "debug": True,
        }
        foreseen = loaded(run_module(options, check=True, module="image_load"))
        assert [*harbor.projects] == ["library"]
        done = loaded(run_module(options, module="image_load"))
        assert harbor.projects["team"]["storage_limit"] == 10 * 1024**3
        assert harbor.store.tags == {(REPOSITORY, "1"): small(1).digest}
        again = loaded(run_module(options, module="image_load"), changed=False)
    assert [each["projects_created"] for each in (foreseen, done, again)] == [["team"], ["team"], []]
    assert [each["images"][0]["action"] for each in (foreseen, done, again)] == ["pushed", "pushed", "present"]
    assert any("project team of" in line for line in done["log"])
    for each in (foreseen, done, again):
        assert password not in json.dumps(each.data) and password not in each.stderr
