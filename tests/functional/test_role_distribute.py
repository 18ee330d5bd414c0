# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Several hosts share the work: one list, an archive of each, one merged lock."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest

from ansible_collections.airgap.images.tests.functional._helpers import snapshot, traffic
from ansible_collections.airgap.images.tests.functional._role import (
    Site,
    assert_unchanged,
    assert_well,
    fact,
    staged,
)
from ansible_collections.airgap.images.tests.support.push import push
from ansible_collections.airgap.images.tests.support.registry import Registry
from ansible_collections.airgap.images.tests.support.samples import small

HOSTS = ("north", "east", "south")
REPOSITORIES = [f"team/app-{number}" for number in range(9)]


def lock_of(site: Site, host: str) -> dict[str, Any]:
    """The lock of a host's archive on the controller."""
    lock: dict[str, Any] = json.loads((site.media / host / f"images-{host}.tar.gz.lock.json").read_bytes())
    return lock


def shares(site: Site) -> dict[str, list[str]]:
    """Return the list of each host."""
    return {host: staged(site, host) for host in HOSTS}


@pytest.mark.thorough
def test_hosts_share_one_list(registry: Registry, site: Site) -> None:
    """Twice the same; then with one image more, while a host can't be reached.

    The test command saves a set in ``test_role_set.py``, with a host that is dead.
    """
    pushed = {f"{name}:{tag}": push(registry, name, tag, small(70)) for name in REPOSITORIES for tag in ("1", "2")}
    more = "team/more:1"
    push(registry, "team/more", "1", small(71))
    # Named without the registry, so that the shares are the same in every run of this test.
    lines = [*pushed]
    variables = site.variables(images=lines, source_registry=registry.host, distribute=True, part_size="30K")
    inventory = site.inventory(*HOSTS)
    merged_file = site.media / "images.lock.json"

    done = site.run(inventory, variables)
    assert_well(done)
    before = shares(site)
    assert all(before.values()), f"a host without work: {before}"
    assert sorted(line for share in before.values() for line in share) == sorted(lines), "not each line exactly once"
    for name in REPOSITORIES:
        holders = {host for host, share in before.items() for line in share if line.partition(":")[0] == name}
        assert len(holders) == 1, f"{name} is on {holders}"
    for host in HOSTS:
        archive = site.checked(host)
        assert {each.rpartition("/")[2] for each in archive.references} == {
            line.rpartition("/")[2] for line in before[host]
        }
        assert fact(done, host)["merged_lock_file"] == str(merged_file)
    check_merged(json.loads(merged_file.read_bytes()), site, lines)

    files = snapshot(site.media, *(site.on_host(host, "out") for host in HOSTS))
    registry.clear()
    assert_unchanged(site.run(inventory, variables))
    assert snapshot(site.media, *(site.on_host(host, "out") for host in HOSTS)) == files
    assert traffic(registry).nothing

    # What the others have on the controller is lost, so that it shows whether they are served.
    lost = max(HOSTS, key=lambda host: len(before[host]))
    for host in HOSTS:
        if host != lost:
            for path in (site.media / host).iterdir():
                path.unlink()
    kept = snapshot(site.media / lost)
    merged_before = merged_file.read_bytes()
    variables["image_save_images"] = [*lines, more]
    broken = site.run({**inventory, **site.unreachable(lost)}, variables)
    assert broken.rc != 0, "a host's images are missing, and the play has not failed"
    told = "\n".join(str(each.data.get("msg")) for each in broken.tasks if each.status == "failed")
    missing = [*before[lost]]
    assert lost in told, broken.stdout
    assert [line for line in missing if line not in told] == [], f"not named: {told}"
    others = {host: staged(site, host) for host in HOSTS if host != lost}
    for host, share in others.items():
        assert [line for line in share if line != more] == before[host], "an image has moved"
        archive = site.checked(host)
        assert len(archive.references) == len(share)
    assert (more in told) != any(more in share for share in others.values()), "not exactly once"
    assert snapshot(site.media / lost) == kept
    assert not merged_file.exists() or merged_file.read_bytes() == merged_before


@pytest.mark.thorough
def test_one_host_has_all_of_it(registry: Registry, site: Site) -> None:
    """The same variables serve a group that has one host only, so far."""
    push(registry, "team/app", "1", small(72))
    variables = site.variables(images=["team/app:1"], source_registry=registry.host, distribute=True)
    done = site.run(site.inventory("north"), variables)
    assert_well(done)
    assert len(site.checked("north").references) == 1
    check_merged(json.loads((site.media / "images.lock.json").read_bytes()), site, ["team/app:1"], hosts=["north"])


def check_merged(merged: dict[str, Any], site: Site, lines: list[str], hosts: Sequence[str] = HOSTS) -> None:
    """The merged lock says what the hosts' locks say, and covers the list."""
    locks = {host: lock_of(site, host) for host in hosts}
    listed = [each["reference"] for each in merged["images"]]
    assert sorted(each.partition("/")[2].removeprefix("docker.io/") for each in listed) == sorted(lines)
    assert listed == sorted(listed)
    for image in merged["images"]:
        own = {key: each for key, each in image.items() if key != "host"}
        assert own in locks[image["host"]]["images"]
    parts = [{**part, "name": f"{host}/{part['name']}"} for host in hosts for part in locks[host]["parts"]]
    assert sorted(merged["parts"], key=str) == sorted(parts, key=str)
    for part in merged["parts"]:
        assert (site.media / part["name"]).stat().st_size == part["size"]
    assert set(merged["blobs"]) == {digest for lock in locks.values() for digest in lock["blobs"]}
