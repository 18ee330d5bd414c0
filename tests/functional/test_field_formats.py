# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Images as they were written in other years, and by other tools."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ansible_collections.airgap.images.tests.functional._helpers import outcomes, saved
from ansible_collections.airgap.images.tests.functional._hostile import Site
from ansible_collections.airgap.images.tests.support.field_registry import FieldRegistry
from ansible_collections.airgap.images.tests.support.images import Entry, Platform, build_artifact, build_index
from ansible_collections.airgap.images.tests.support.samples import small

OLD_TYPES = ["application/octet-stream", "application/json", "text/html", ""]


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path / "site")


@pytest.fixture
def registry() -> Iterator[FieldRegistry]:
    with FieldRegistry() as registry:
        yield registry


@pytest.mark.field(
    "formats",
    given="a Docker manifest whose configuration is `application/octet-stream`, `application/json`, `text/html`, none",
    happens="an image: its platform is read from the configuration, `arch` and `os` apply, hangar finds it",
)
@pytest.mark.parametrize("config_type", OLD_TYPES)
def test_configurations_of_docker_1_10(site: Site, registry: FieldRegistry, config_type: str) -> None:
    wanted, other = small(3, docker=True), small(4, platform=Platform("linux", "s390x"), docker=True)
    images = [build_artifact(each.layers, each.config, config_type, docker=True) for each in (wanted, other)]
    names = [registry.add(f"old/{number}", each) for number, each in enumerate(images)]
    result = site.save(names)
    archive = saved(result)
    assert list(outcomes(result).values()) == ["saved", "skipped"]
    assert result["images"][0]["platforms"][0]["platform"] == "linux/amd64"
    [listed] = archive.document("saved-image-cache/saved-images-list.json")["List"]
    assert [each["Arch"] for each in listed["Images"]] == ["amd64"]
    assert archive.blob(images[0].digest)["config"]["mediaType"] == config_type


@pytest.mark.field(
    "formats",
    given="platforms as people write them: `aarch64`, `x86_64`, `armhf`, variant `7`, upper case",
    happens="chosen as containerd reads them, kept as they are; hangar's list has Go's words",
)
def test_platforms_as_people_write_them(site: Site, registry: FieldRegistry) -> None:
    written = [Platform("linux", "aarch64"), Platform("Linux", "x86_64"), Platform("linux", "armhf")]
    index = build_index([Entry(small(seed), each) for seed, each in enumerate(written, start=3)])
    name = registry.add("some/image", index)
    result = site.save([name], arch=["amd64", "arm64", "arm/7"])
    archive = saved(result)
    assert archive.references == {name: index.digest}
    [listed] = archive.document("saved-image-cache/saved-images-list.json")["List"]
    assert [(each["OS"], each["Arch"]) for each in listed["Images"]] == [
        ("linux", "arm64"),
        ("linux", "amd64"),
        ("linux", "arm"),
    ]
    assert not result["images"][0]["notes"]
