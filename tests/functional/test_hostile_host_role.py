# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role on a managed host that means harm: it takes neither paths nor variables from there."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from ansible_collections.airgap.images.tests.functional._hostile_host import Ground
from ansible_collections.airgap.images.tests.functional._role import NAME, Site, assert_well, failure
from ansible_collections.airgap.images.tests.support.extent import is_full
from ansible_collections.airgap.images.tests.support.workbench import Source


@pytest.fixture
def ground(site: Site) -> Ground:
    return Ground(site)


@pytest.mark.thorough
def test_the_role_does_not_believe_where_an_archive_is(ground: Ground, source: Source) -> None:
    site, host = ground.site, ground.host()
    shutil.rmtree(host.out)
    host.save({NAME: b"of the decoy"}, into=host.decoy)
    path = f"{host.decoy}/{NAME}"
    host.lie({"dest": path, "parts": [{"path": path}], "path": path})
    image = source["oci/gzip:1"]
    result = site.run({"one": host.variables}, site.variables(images=[image.reference], keep_remote_archive=False))
    assert_well(result)
    names = sorted([NAME, f"{NAME}.lock.json", f"{NAME}.sha256"])
    assert sorted(path.name for path in host.decoy.iterdir()) == names, "the role removes what it has asked for"
    assert not [path for path in host.out.iterdir() if path.name.startswith(NAME)]
    lock = json.loads(Path(f"{site.fetched('one')}.lock.json").read_bytes())
    assert [each["reference"] for each in lock["images"]] == [str(image.reference)]
    ground.assert_nothing_else()


@pytest.mark.thorough(repeats=True)
def test_the_role_does_not_take_its_variables_from_a_host(ground: Ground, source: Source) -> None:
    """Any module can return facts, and they count for more than the inventory."""
    site = ground.site
    image = source["oci/gzip:1"]
    usual = site.variables(images=[image.reference])
    names = ("image_save_list_files", "__image_save_local_dir", "image_save_fetch_dest")
    hosts = ground.hosts(len(names) if is_full() else 2)
    for host, name in zip(hosts, names):
        host.variables.update(usual)
        value = [str(site.folder / "canary" / "precious")] if name.endswith("files") else str(site.folder / "canary")
        host.lie({}, adds={"ansible_facts": {name: value}})
    result = site.run({host.name: host.variables for host in hosts}, {})
    for host in hosts:
        assert "has facts with the names of variables of this role" in failure(result, host.name)
        said = [path for path in host.folder.rglob("*") if path.is_file() and b"precious" in path.read_bytes()]
        assert {path.name for path in said} <= {"lies.json"}, "what is on the controller was sent to the host"
    assert not site.media.exists()
    ground.assert_nothing_else()


UNUSABLE: list[tuple[str, str]] = [
    ("dest", "/srv/it's.tar.gz"),
    ("fetch_dest", "/media/a\nb"),
    ("failed_list", '/srv/"a".txt'),
    ("dest", "/srv/back\\slash.tar.gz"),
    ("dest", "/srv/$HOME.tar.gz"),
]


@pytest.mark.thorough(repeats=True)
def test_the_role_refuses_paths_before_it_saves(ground: Ground) -> None:
    """Paths that no transfer can carry, and a home that would be another one for the transfer."""
    site = ground.site
    usual = site.variables(images=["localhost:1/a:1"])
    unusable = UNUSABLE if is_full() else UNUSABLE[:2]
    hosts = ground.hosts(len(unusable) + 1)
    for host, (variable, value) in zip(hosts, unusable):
        host.variables.update({**usual, f"image_save_{variable}": value})
    hosts[-1].variables.update({**usual, "image_save_dest": f"~/out/{NAME}", "ansible_become": True})
    result = site.run({host.name: host.variables for host in hosts}, {})
    for host, (variable, _value) in zip(hosts, unusable):
        assert f"image_save_{variable}: " in failure(result, host.name)
    assert "give an absolute path" in failure(result, hosts[-1].name)
    assert "airgap.images.image_save" not in [each.action for each in result.tasks]
