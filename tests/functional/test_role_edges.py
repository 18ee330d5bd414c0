# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A set of archives that is saved and fetched in steps, by the tags of the role."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ansible_collections.airgap.images.tests.functional._role import (
    ROLE,
    SHOW,
    Site,
    assert_unchanged,
    assert_well,
    fact,
    failure,
)
from ansible_collections.airgap.images.tests.support.extent import is_full
from ansible_collections.airgap.images.tests.support.workbench import Source

IMAGES = ("docker/single:1", "oci/gzip:1", "oci/zstd:1", "docker/list:1")


@pytest.mark.thorough(repeats=True)
def test_a_set_in_steps(source: Source, site: Site) -> None:
    """The record of a set is there whenever its archives were fetched, and not when a host has failed on the way.

    What was saved on one day is fetched on another, and no registry is asked for it.
    """
    inventory = site.inventory("north", "south")
    # Named without the registry, so that the shares are the same in every run of this test.
    variables = site.variables(images=[*IMAGES], source_registry=source.registry.host, distribute=True)
    record = site.media / "images.lock.json"
    assert_well(site.run(inventory, variables, options=["--skip-tags", "image_save_fetch"]))
    assert [path.name for path in site.media.iterdir()] == ["images.set.json"], "who has what is recorded at once"

    source.registry.clear()
    without_cache = {**variables, "image_save_keep_cache": False}
    assert_well(site.run(inventory, without_cache, options=["--tags", "image_save_fetch,image_save_cleanup"]))
    assert not source.registry.requests()
    assert not [host for host in inventory if site.on_host(host, "cache").exists()]
    known = json.loads(record.read_bytes())
    assert len(known["images"]) == len(IMAGES)
    if is_full():
        assert_unchanged(site.run(inventory, variables, options=["--tags", "image_save_fetch"]))
        assert_a_rescued_failure_is_told(site, inventory, variables, known)


def assert_a_rescued_failure_is_told(
    site: Site, inventory: dict[str, Any], variables: dict[str, Any], known: dict[str, Any]
) -> None:
    """A play that goes on after a failure of its own would be told that the set is whole.

    :param known: the record of the set.
    """
    plays = [
        {
            "name": "Rescued",
            "hosts": "all",
            "gather_facts": False,
            "tasks": [
                {
                    "name": "All of it",
                    "block": [{"name": "The role", "ansible.builtin.include_role": {"name": ROLE}}],
                    "rescue": [SHOW],
                }
            ],
        }
    ]
    broken = {image["host"] for image in known["images"]}.pop()
    inventory[broken]["image_save_part_size"] = "nothing"
    result = site.run(inventory, variables, plays=plays)
    (other,) = set(inventory) - {broken}
    said = failure(result, other)
    theirs = [image["reference"] for image in known["images"] if image["host"] == broken]
    assert f"because {broken} failed. It was to save {len(theirs)} image" in said
    assert all(reference.partition("/")[2] in said for reference in theirs)
    assert fact(result, broken)["failed"]
