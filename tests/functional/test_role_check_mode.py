# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Check mode as a play or a task has it, against what the command line says."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.airgap.images.tests.functional._role import (
    ROLE,
    SHOW,
    Site,
    assert_well,
    fact,
    play,
    references,
)
from ansible_collections.airgap.images.tests.support.extent import is_full
from ansible_collections.airgap.images.tests.support.push import push
from ansible_collections.airgap.images.tests.support.registry import Registry
from ansible_collections.airgap.images.tests.support.samples import small


def called(host: str, how: str, **keywords: Any) -> dict[str, Any]:
    """A play that calls the role in a task of these keywords."""
    task = {"name": "The role", f"ansible.builtin.{how}": {"name": ROLE}, **keywords}
    return {"name": f"Play for {host}", "hosts": host, "gather_facts": False, "tasks": [task, SHOW]}


@pytest.mark.thorough(repeats=True)
def test_a_play_or_a_task_that_only_looks(registry: Registry, site: Site) -> None:
    """Nothing is written, on the hosts or the controller, and what would be is told; beside them, one works."""
    image = push(registry, "some/image", "1", small(1)).reference
    looking = ("north", "east", "task", "included")
    included = called("included", "include_role")
    included["tasks"][0]["ansible.builtin.include_role"]["apply"] = {"check_mode": True}
    plays = [
        play(hosts="north,east", variables={"image_save_distribute": True}, check_mode=True),
        called("task", "import_role", check_mode=True, vars={"image_save_async": 3600}),
        included,
    ]
    working = ["works"] if is_full() else []
    plays += [play(hosts=host) for host in working]
    variables = site.variables(images=[image])
    del variables["image_save_async"]
    done = site.run(site.inventory(*looking, *working), variables, plays=plays)
    assert_well(done)
    for host in looking:
        told = fact(done, host)
        assert not [*site.on_host(host).rglob("*")], f"{host} has files"
        assert not (site.media / host).exists()
        if told["images"]:
            assert told["changed"] and told["msg"].startswith("would save 1 image to ")
        assert told["fetched"] == {}
    assert sum(len(fact(done, host)["images"]) for host in ("north", "east")) == 1, "not shared out"
    assert not (site.media / "images.lock.json").exists()
    assert "the set: would be 1 image of 1 host (up to " in done.stderr
    for host in working:
        assert references(site.checked(host)) == [image]
        assert fact(done, host)["msg"].startswith("saved 1 image to ")


@pytest.mark.thorough
def test_a_play_that_works_though_the_command_line_only_looks(registry: Registry, site: Site) -> None:
    """It saves, fetches, merges and cleans up; a play without a word of its own does not.

    The test command has the same the other way round, above, and in a unit test of the role's variables.
    """
    image = push(registry, "some/image", "1", small(1)).reference
    plays = [
        play(
            hosts="north,east",
            variables={"image_save_distribute": True, "image_save_keep_cache": False},
            check_mode=False,
        ),
        play(hosts="looks"),
    ]
    variables = site.variables(images=[image])
    inventory = site.inventory("north", "east", "looks")
    done = site.run(inventory, variables, plays=plays, options=["--check"])
    assert_well(done)
    (works,) = [host for host in ("north", "east") if fact(done, host)["images"]]
    assert references(site.checked(works)) == [image]
    assert fact(done, works)["msg"].startswith("saved 1 image to ")
    assert (site.media / "images.lock.json").exists()
    assert not site.on_host(works, "cache").exists(), "the cache was to be removed"
    assert not [*site.on_host("looks").rglob("*")] and not (site.media / "looks").exists()
    assert fact(done, "looks")["msg"].startswith("would save 1 image to ")
