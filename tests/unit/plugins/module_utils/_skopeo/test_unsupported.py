# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which images the client copies because skopeo cannot."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from ansible_collections.airgap.images.plugins.module_utils._base.errors import NotCarried
from ansible_collections.airgap.images.plugins.module_utils._oci.media_types import DOCKER_SCHEMA1
from ansible_collections.airgap.images.plugins.module_utils._oci.reference import Repository
from ansible_collections.airgap.images.plugins.module_utils._oci.schema1 import Schema1
from ansible_collections.airgap.images.plugins.module_utils._skopeo.policy_rules import PolicyRules
from ansible_collections.airgap.images.plugins.module_utils._skopeo.registries_conf import RegistriesConf
from ansible_collections.airgap.images.plugins.module_utils._skopeo.unsupported import UnsupportedImages
from ansible_collections.airgap.images.tests.unit.fakes import AMD64, Sample, make_options

IMAGE = Sample(b"layer").image
ANYTHING, REJECT = [{"type": "insecureAcceptAnything"}], [{"type": "reject"}]


class Registries:
    """Those of these names ask for a login, but not at ``/v2/``."""

    def __init__(self, *open_doors: str) -> None:
        self._open_doors = open_doors

    def has_open_door(self, registry: str) -> bool:
        return registry in self._open_doors


def unsupported(folder: Path, accepted: str, skopeo_copy: str = "auto") -> UnsupportedImages:
    """With a policy that accepts anything from one scope alone."""
    path = folder / "policy.json"
    path.write_text(json.dumps({"default": REJECT, "transports": {"docker": {accepted: ANYTHING}}}))
    rules = PolicyRules(make_options(signature_policy=str(path)).work, {})
    registries = Registries("mirror.lan", "[::1]:5000")
    return UnsupportedImages(cast(Any, registries), rules, RegistriesConf({"HOME": str(folder)}), skopeo_copy)


@pytest.mark.parametrize("accepted", ["docker.io", "docker.io/team/app"])
@pytest.mark.parametrize("mirror", ["mirror.lan", "[::1]:5000"])
def test_what_the_policy_says_of_the_name_in_the_list_counts(tmp_path: Path, mirror: str, accepted: str) -> None:
    image = replace(IMAGE, repository=Repository(mirror, "hub/team/app", "docker.io/team/app"))
    found = unsupported(tmp_path, accepted)
    found.ensure_can_copy(image)
    assert found.includes(image)


@pytest.mark.parametrize("accepted", ["mirror.lan", "mirror.lan/hub", "docker.io/team/other"])
def test_what_it_says_of_the_mirror_does_not(tmp_path: Path, accepted: str) -> None:
    image = replace(IMAGE, repository=Repository("mirror.lan", "hub/team/app", "docker.io/team/app"))
    found = unsupported(tmp_path, accepted)
    assert not found.includes(image)
    with pytest.raises(
        NotCarried, match=r"mirror.lan answers /v2/ to anybody .* accepts anything for docker.io/team/app"
    ):
        found.ensure_can_copy(image)


def test_an_address_in_the_list_that_skopeo_does_not_read(tmp_path: Path) -> None:
    image = replace(IMAGE, repository=Repository("plain.lan", "app", "[2001:db8::1]:5000/app"))
    assert unsupported(tmp_path, "[2001:db8::1]:5000/app").includes(image)


@pytest.mark.parametrize(
    ("accepted", "way", "is_free"),
    [("docker.io", "auto", True), ("docker.io", "always", False), ("plain.lan", "auto", False)],
)
def test_what_skopeo_can_copy_is_left_to_it_unless_nothing_is_left_to_decide(
    tmp_path: Path, accepted: str, way: str, is_free: bool
) -> None:
    image = replace(IMAGE, repository=Repository("plain.lan", "app", "docker.io/team/app"))
    found = unsupported(tmp_path, accepted, way)
    found.ensure_can_copy(image)
    assert (found.includes(image), found.can_be_read(image), found.may_be_copied(image)) == (False, True, is_free)


def test_what_registries_conf_names_is_left_to_skopeo(tmp_path: Path) -> None:
    folder = tmp_path / ".config" / "containers"
    folder.mkdir(parents=True)
    (folder / "registries.conf").write_text('[[registry]]\nlocation = "docker.io"\n')
    image = replace(IMAGE, repository=Repository("docker.io", "team/app"))
    assert not unsupported(tmp_path, "docker.io").may_be_copied(image)


def test_docker_schema_1_is_left_to_skopeo(tmp_path: Path) -> None:
    content = Schema1(DOCKER_SCHEMA1, AMD64, tuple(IMAGE.layer_digests))
    image = replace(IMAGE, repository=Repository("docker.io", "team/app"), content=content)
    assert not unsupported(tmp_path, "docker.io").may_be_copied(image)


def test_what_skopeo_cannot_read_is_refused_where_it_copies_everything(tmp_path: Path) -> None:
    image = replace(IMAGE, repository=Repository("mirror.lan", "hub/team/app", "docker.io/team/app"))
    found = unsupported(tmp_path, "docker.io", "always")
    assert not found.includes(image)
    with pytest.raises(NotCarried, match=r"mirror\.lan answers /v2/ to anybody .* only if skopeo_copy is auto, "):
        found.ensure_can_copy(image)


@pytest.mark.parametrize(
    ("accepted", "way", "is_ours"),
    [("docker.io", "auto", True), ("docker.io", "always", False), ("other.lan", "always", True)],
)
def test_a_signature_goes_through_skopeo_only_where_that_is_asked_for_and_accepted(
    tmp_path: Path, accepted: str, way: str, is_ours: bool
) -> None:
    bare = replace(IMAGE.descriptor, platform=None, artifact_type="application/vnd.dev.cosign.simplesigning.v1+json")
    image = replace(IMAGE, descriptor=bare, repository=Repository("docker.io", "team/app"), is_referrer=True)
    assert image.is_artefact
    assert unsupported(tmp_path, accepted, way).includes(image) is is_ours


PROOF = Sample(b"signature", platform=None).image
SIGNATURE = replace(PROOF, is_referrer=True, repository=Repository("plain.lan", "app"))


def test_what_refers_to_an_image_is_copied_under_any_policy(tmp_path: Path) -> None:
    found = unsupported(tmp_path, "docker.io")
    found.ensure_can_copy(SIGNATURE)
    assert found.includes(SIGNATURE)
    assert not found.includes(replace(SIGNATURE, is_referrer=False))


def test_what_could_be_run_is_an_image_whatever_it_refers_to(tmp_path: Path) -> None:
    claims = replace(SIGNATURE, descriptor=replace(SIGNATURE.descriptor, platform=IMAGE.descriptor.platform))
    assert not unsupported(tmp_path, "docker.io").includes(claims)


def test_a_registry_that_is_left_to_skopeo_stays_so(tmp_path: Path) -> None:
    configuration = tmp_path / ".config" / "containers" / "registries.conf"
    configuration.parent.mkdir(parents=True)
    configuration.write_text('[[registry]]\nlocation = "plain.lan"\nblocked = true\n')
    assert not unsupported(tmp_path, "docker.io").includes(SIGNATURE)
