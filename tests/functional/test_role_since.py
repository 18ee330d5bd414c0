# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bundles of several hosts: the lock file of the last set is the base of all of them."""

from __future__ import annotations

import json
import shutil
import subprocess

from ansible_collections.airgap.images.tests.functional._role import Site, assert_unchanged, assert_well, fact, staged
from ansible_collections.airgap.images.tests.support.push import push
from ansible_collections.airgap.images.tests.support.registry import Registry
from ansible_collections.airgap.images.tests.support.samples import small

HOSTS = ("north", "south")
LINES = [f"team/app-{number}:1" for number in range(6)]


def test_a_set_of_bundles(registry: Registry, site: Site) -> None:
    """One host has news, the other nothing to carry; the set describes all images, and is added to what is there."""
    for number, line in enumerate(LINES):
        push(registry, *line.split(":"), small(number))
    inventory = site.inventory(*HOSTS)
    options = {"images": LINES, "source_registry": registry.host, "distribute": True}
    first = site.variables(**options)
    assert_well(site.run(inventory, first))
    shares = {host: staged(site, host) for host in HOSTS}
    media = site.media.with_name("media-1")
    shutil.copytree(site.media, media)
    target = site.folder / "there"
    assert restore(media, target).returncode == 0
    index = json.loads((target / "saved-image-cache" / "index.json").read_bytes())

    moved = shares["north"][0]
    push(registry, *moved.split(":"), small(50))
    dest = first["image_save_dest"].replace("images", "second")
    later = site.variables(**options, dest=dest, since=[str(media / "images.lock.json")])
    done = site.run(inventory, later)
    assert_well(done)
    assert {host: staged_as(site, host, dest) for host in HOSTS} == shares
    north, south = (fact(done, host) for host in HOSTS)
    assert (north["bundle"]["is_needed"], south["bundle"]["is_needed"]) == (True, False)
    lock = json.loads((site.media / "images.lock.json").read_bytes())
    assert lock["version"] == 2 and lock["hosts"] == ["north"]
    assert [one["name"] for one in lock["base"]] == ["images-north.tar.gz", "images-south.tar.gz"]
    assert_unchanged(site.run(inventory, later))
    ran = restore(site.media, target)
    assert ran.returncode == 0, ran.stderr
    now = json.loads((target / "saved-image-cache" / "index.json").read_bytes())
    assert names(now) == names(index)
    assert [one for one in now["manifests"] if one not in index["manifests"]] != []


def staged_as(site: Site, host: str, dest: str) -> list[str]:
    name = dest.rpartition("/")[2]
    return (site.on_host(host, "out/lists") / f"{name}.txt").read_text("utf-8").split()


def restore(media: object, target: object) -> subprocess.CompletedProcess[str]:
    command = ["sh", f"{media}/images.restore.sh", str(target)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def names(index: dict[str, list[dict[str, dict[str, str]]]]) -> list[str]:
    return sorted(one["annotations"]["org.opencontainers.image.ref.name"] for one in index["manifests"])
