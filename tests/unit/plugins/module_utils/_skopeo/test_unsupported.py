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
from ansible_collections.airgap.images.plugins.module_utils._oci.reference import Repository
from ansible_collections.airgap.images.plugins.module_utils._skopeo.policy_rules import PolicyRules
from ansible_collections.airgap.images.plugins.module_utils._skopeo.registries_conf import RegistriesConf
from ansible_collections.airgap.images.plugins.module_utils._skopeo.unsupported import UnsupportedImages
from ansible_collections.airgap.images.tests.unit.fakes import Sample, make_options

IMAGE = Sample(b"layer").image
ANYTHING, REJECT = [{"type": "insecureAcceptAnything"}], [{"type": "reject"}]


class Registries:
    """Those of these names ask for a login, but not at ``/v2/``."""

    def __init__(self, *open_doors: str) -> None:
        self._open_doors = open_doors

    def has_open_door(self, registry: str) -> bool:
        return registry in self._open_doors


def unsupported(folder: Path, accepted: str) -> UnsupportedImages:
    """With a policy that accepts anything from one scope alone."""
    path = folder / "policy.json"
    path.write_text(json.dumps({"default": REJECT, "transports": {"docker": {accepted: ANYTHING}}}))
    rules = PolicyRules(make_options(signature_policy=str(path)).work, {})
    registries = Registries("mirror.lan", "[::1]:5000")
    return UnsupportedImages(cast(Any, registries), rules, RegistriesConf({"HOME": str(folder)}))


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


def test_what_skopeo_can_copy_is_left_to_it(tmp_path: Path) -> None:
    image = replace(IMAGE, repository=Repository("plain.lan", "app", "docker.io/team/app"))
    found = unsupported(tmp_path, "docker.io")
    found.ensure_can_copy(image)
    assert not found.includes(image)


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
