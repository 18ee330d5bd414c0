# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role more than once in a run: nothing of one call, host or play gets into another."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from ansible_collections.airgap.images.tests.functional._helpers import check
from ansible_collections.airgap.images.tests.functional._role import (
    ROLE,
    Site,
    assert_well,
    failure,
    on,
)
from ansible_collections.airgap.images.tests.support.playbook import PlaybookResult
from ansible_collections.airgap.images.tests.support.push import push
from ansible_collections.airgap.images.tests.support.registry import Registry
from ansible_collections.airgap.images.tests.support.samples import small

HOSTS = ("north", "east")


def call(name: str, images: list[str], *, rescued: bool = False, when: str = "true", **options: Any) -> dict[str, Any]:
    """A call of the role that saves an archive of this name, and shows what it has handed over."""
    variables = {
        "image_save_dest": f"{{{{ work }}}}/{name}/{name}.tar.gz",
        "image_save_images": images,
        **{f"image_save_{option}": value for option, value in options.items()},
    }
    show = {"name": f"Show {name}", "ansible.builtin.debug": {"var": "image_save_result"}}
    role = {"name": f"Call for {name}", "ansible.builtin.include_role": {"name": ROLE}, "vars": variables, "when": when}
    last = "rescue" if rescued else "always"
    return {"name": f"All of {name}", "block": [role], last: [show]}


def play(*calls: Mapping[str, Any], hosts: str = "all", **keywords: Any) -> dict[str, Any]:
    return {"name": f"Play for {hosts}", "hosts": hosts, "gather_facts": False, "tasks": list(calls), **keywords}


def common(site: Site) -> dict[str, Any]:
    """The variables that all calls have."""
    variables = site.variables()
    del variables["image_save_dest"]
    return variables


def shown(result: PlaybookResult, host: str, name: str) -> dict[str, Any]:
    """Return the result that a call has handed over on a host."""
    (one,) = [each for each in on(result, host) if each.task == f"Show {name}" and each.status == "ok"]
    value: dict[str, Any] = one.data["image_save_result"]
    return value


def saved(site: Site, host: str, name: str) -> set[str]:
    """The references in an archive on the controller; none where there is no archive."""
    paths = [site.media / host / f"{name}{of_host}.tar.gz" for of_host in ("", f"-{host}")]
    return {each for path in paths if path.exists() for each in check(path).references}


def test_one_list_after_the_other(registry: Registry, site: Site) -> None:
    """With and without fetching, with failures between, each host at its own pace, in two plays."""
    images = [push(registry, f"some/image-{number}", "1", small(number)).reference for number in range(4)]
    mine = {"north": images[:1], "east": images[1:2]}
    inventory = site.inventory(*HOSTS)
    for host in HOSTS:
        inventory[host]["mine"] = mine[host]
    plays = [
        play(
            call("first", ["{{ mine[0] }}"]),
            call("second", [images[2]], fetch=False, when="inventory_hostname == 'north'"),
            call("third", ["# no image"], rescued=True, when="inventory_hostname == 'north'"),
            call(
                "fourth",
                ["# no image"],
                remote_list_files=["{{ work }}/none.txt"],
                rescued=True,
                when="inventory_hostname == 'east'",
            ),
            strategy="free",
        ),
        play(call("fifth", [images[3]], when="inventory_hostname == 'north'")),
    ]
    done = site.run(inventory, common(site), plays=plays)
    assert_well(done)
    for host in HOSTS:
        assert saved(site, host, "first") == {*mine[host]}
        first = shown(done, host, "first")
        assert {image["reference"] for image in first["images"]} == {*mine[host]}
        assert first["fetched"]["dest"] == str(site.media / host)
    second = shown(done, "north", "second")
    assert [image["reference"] for image in second["images"]] == [images[2]]
    assert second["dest"].endswith("/second.tar.gz") and second["list_file"].endswith("/second.tar.gz.txt")
    assert second["fetched"] == {}, "those are the files of another archive"
    assert saved(site, "north", "second") == set() and check(site.on_host("north", "second/second.tar.gz")).files
    assert shown(done, "north", "third") == {} and shown(done, "east", "fourth") == {}
    assert saved(site, "north", "fifth") == {images[3]} and saved(site, "east", "fifth") == set()
    assert [image["reference"] for image in shown(done, "north", "fifth")["images"]] == [images[3]]
    assert shown(done, "east", "fifth") == {}, "that of another play"


@pytest.mark.thorough
def test_lists_that_are_shared_out(registry: Registry, site: Site) -> None:
    """A host that a condition leaves out has the list of the call before: it is missed, not taken at its word.

    The test command has the refusal in the unit tests of sharing out, and a set in ``test_role_set.py``.
    """
    names = [f"team/app-{number}" for number in range(6)]
    images = [push(registry, name, "1", small(number)).reference for number, name in enumerate(names)]
    one, two, three = images[:3], images[3:5], images[5:]
    variables = {**common(site), "image_save_distribute": True}
    whole = {"one": one, "two": two}
    plays = [
        *(play(call(name, wanted)) for name, wanted in whole.items()),
        play(call("three", three, when="inventory_hostname == 'north'")),
    ]
    done = site.run(site.inventory(*HOSTS), variables, plays=plays)
    assert done.rc != 0
    for name, wanted in whole.items():
        assert set().union(*(saved(site, host, name) for host in HOSTS)) == {*wanted}
        assert sum(len(shown(done, host, name)["images"]) for host in HOSTS) == len(wanted)
    # Where nothing fell to a host, there is no archive, and what it has handed over says so.
    for host in HOSTS:
        assert {image["reference"] for image in shown(done, host, "two")["images"]} == saved(site, host, "two")
    assert "image_save_distribute: east did not read any list" in failure(done, "north")
    assert not [host for host in HOSTS if saved(site, host, "three")]
    merged = json.loads((site.media / "images.lock.json").read_bytes())
    assert {image["reference"] for image in merged["images"]} == {*two}


@pytest.mark.thorough
def test_lists_that_are_shared_out_at_each_hosts_own_pace(registry: Registry, site: Site) -> None:
    """It may be refused, but no archive ever holds images of the other list."""
    lists = {
        name: [push(registry, f"{name}/app-{number}", "1", small(number)).reference for number in range(3)]
        for name in ("one", "two")
    }
    variables = {**common(site), "image_save_distribute": True}
    calls = [call(name, images, rescued=True) for name, images in lists.items()]
    site.run(site.inventory(*HOSTS), variables, plays=[play(*calls, strategy="free")])
    for host in HOSTS:
        for name, images in lists.items():
            assert saved(site, host, name) <= {*images}
