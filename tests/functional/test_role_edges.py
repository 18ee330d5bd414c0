# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a role goes wrong on somebody's machine: strict umasks, foreign files, an odd localhost, steps of a set."""

from __future__ import annotations

import json
from typing import Any

from ansible_collections.airgap.images.tests.functional._role import (
    NAME,
    ROLE,
    SHOW,
    Site,
    assert_unchanged,
    assert_well,
    fact,
    failure,
    play,
    references,
)
from ansible_collections.airgap.images.tests.functional.test_role_calls import strict_sudo
from ansible_collections.airgap.images.tests.support.workbench import Source

IMAGES = ("docker/single:1", "oci/gzip:1", "oci/zstd:1", "docker/list:1")


def test_hosts_that_are_not_like_others(source: Source, site: Site) -> None:
    """Files of a strict root are fetched, foreign files stay, and localhost may be a host that nobody reaches."""
    image, missing = source["docker/single:1"].reference, f"{source.registry.host}/team/missing:1"
    inventory = site.inventory("partial", "locked", "foreign")
    inventory.update({"localhost": site.unreachable("localhost")["localhost"]})
    for name in ("partial", "locked"):
        inventory[name]["ansible_become_exe"] = str(strict_sudo(site.on_host(name)))
    (site.folder / "files").mkdir()
    (site.folder / "files" / "list.txt").write_text(f"{image}\n", encoding="utf-8")
    saved = {"image_save_list_files": [site.folder / "files" / "list.txt"]}
    site.on_host("foreign", "cache").mkdir()
    precious = site.on_host("foreign", "cache/precious")
    precious.write_text("not of the cache", encoding="utf-8")
    plays: list[dict[str, Any]] = [
        play(
            hosts="partial",
            become=True,
            variables={
                "image_save_images": [image, missing],
                "image_save_allow_partial": True,
                "image_save_failed_list": "{{ work }}/out/failed.txt",
            },
        ),
        play(hosts="locked", become=True, variables=saved),
        play(
            hosts="locked",
            become=True,
            variables={
                "image_save_from_lock": f"{{{{ work }}}}/out/{NAME}.lock.json",
                "image_save_dest": "{{ work }}/again/other.tar.gz",
            },
        ),
        play(hosts="foreign", become=True, variables={**saved, "image_save_keep_cache": False}),
    ]
    variables = site.variables()
    for each in plays:
        each["vars"] = {"image_save_dest": variables["image_save_dest"], **each["vars"]}
    del variables["image_save_dest"]
    result = site.run(inventory, variables, plays=plays)

    assert references(site.checked("partial", beside=["failed.txt"])) == [image]
    assert missing in (site.media / "partial" / "failed.txt").read_text("utf-8")
    assert references(site.checked("locked")) == [image]
    assert (site.media / "locked" / "other.tar.gz").stat().st_size
    assert "precious" in failure(result, "foreign")
    assert precious.exists() and site.on_host("foreign", f"out/{NAME}").exists()
    assert references(site.checked("foreign")) == [image]


def test_a_set_in_steps(source: Source, site: Site) -> None:
    """The record of a set is there whenever its archives were fetched, and not when a host has failed on the way."""
    inventory = site.inventory("north", "south")
    # Named without the registry, so that the shares are the same in every run of this test.
    variables = site.variables(images=[*IMAGES], source_registry=source.registry.host, distribute=True)
    record = site.media / "images.lock.json"
    assert_well(site.run(inventory, variables, options=["--skip-tags", "image_save_fetch"]))
    assert not site.media.exists()

    assert_well(site.run(inventory, variables, options=["--tags", "image_save_fetch"]))
    known = json.loads(record.read_bytes())
    assert len(known["images"]) == len(IMAGES)
    assert_unchanged(site.run(inventory, variables, options=["--tags", "image_save_fetch"]))

    # A play that goes on after a failure of its own would be told that the set is whole.
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
    assert all(reference.partition("/")[2] in said.partition(f"{broken}: ")[2] for reference in theirs)
    assert fact(result, broken)["failed"]
