# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Several hosts are one set: one report, one restore, one record that later runs follow."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.airgap.images.tests.functional._helpers import snapshot, traffic
from ansible_collections.airgap.images.tests.functional._role import (
    Site,
    assert_unchanged,
    assert_well,
    fact,
    failure,
    references,
    staged,
)
from ansible_collections.airgap.images.tests.functional.test_role_distribute import check_merged
from ansible_collections.airgap.images.tests.support.archive import read_archive
from ansible_collections.airgap.images.tests.support.extent import is_full
from ansible_collections.airgap.images.tests.support.push import push
from ansible_collections.airgap.images.tests.support.registry import Registry
from ansible_collections.airgap.images.tests.support.samples import small

HOSTS = ("north", "east", "south") if is_full() else ("north", "south")
LINES = [f"team/app-{number}:1" for number in range(9)]
SET_FILES = {"images.report.html", "images.restore.sh", "images.index.json", "images.list.json", "images.lock.json"}


def of_set(site: Site) -> dict[str, bytes]:
    """The files of the set on the controller."""
    return {path.name: path.read_bytes() for path in site.media.iterdir() if path.is_file()}


def shares(site: Site, *hosts: str) -> dict[str, list[str]]:
    return {host: staged(site, host) for host in hosts}


def line_of(result: Any) -> list[str]:
    """The lines that are shown about the set."""
    lines = [line for line in result.stderr.splitlines() if line.startswith("the set: ")]
    assert not [line for line in lines if "could not be found out" in line]
    return [line for line in lines if "asking for the sizes" not in line]


@pytest.mark.thorough(repeats=True)
def test_a_set_is_restored_as_one_and_later_runs_follow_its_record(registry: Registry, site: Site) -> None:
    for number, line in enumerate(LINES):
        name, _, tag = line.partition(":")
        push(registry, name, tag, small(number))
    variables = site.variables(images=LINES, source_registry=registry.host, distribute=True, part_size="30K")
    inventory = site.inventory(*HOSTS)
    done = site.run(inventory, variables)
    assert_well(done)
    before, files = shares(site, *HOSTS), of_set(site)
    assert all(before.values()), f"a host without work: {before}"
    assert sorted(line for share in before.values() for line in share) == sorted(LINES), "not each line exactly once"
    check_merged(json.loads(files["images.lock.json"]), site, LINES, hosts=HOSTS)
    assert {*files} == {*SET_FILES, "images.set.json"}
    (line,) = line_of(done)
    assert line.startswith(f"the set: 9 images of {len(HOSTS)} hosts in ") and f"{site.media}/images.restore.sh" in line
    assert {*fact(done, "north")["set_files"]} == {str(site.media / name) for name in SET_FILES}

    # All of it in one directory, as on a stick.
    stick = site.folder / "stick"
    stick.mkdir()
    for path in [*site.media.glob("images.*"), *site.media.glob("*/*")]:
        (stick / path.name).write_bytes(path.read_bytes())
    there = site.folder / "there"
    ran = subprocess.run(
        ["sh", str(stick / "images.restore.sh"), str(there)], capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    restored = there / "saved-image-cache"
    index = json.loads((restored / "index.json").read_bytes())
    names = [each["annotations"]["org.opencontainers.image.ref.name"] for each in index["manifests"]]
    assert sorted(names) == sorted(f"docker.io/{line}" for line in LINES)
    own = [read_archive(site.fetched(host)) for host in HOSTS]
    members = {member.name: member.sha256 for archive in own for member in archive.members}
    found = {member.name: member.sha256 for member in read_archive(restored).members}
    documents = {"saved-image-cache/index.json", "saved-image-cache/saved-images-list.json"}
    assert {name: each for name, each in found.items() if name not in documents} == {
        name: each for name, each in members.items() if name not in documents
    }

    # With a limit, each host keeps its own, and the others are named.
    registry.clear()
    limited = site.run(inventory, variables, options=["--limit", "north"])
    assert_unchanged(limited)
    assert shares(site, "north")["north"] == before["north"] and of_set(site) == files
    others = "east and south are not part of this run, and their shares of "
    assert (others if is_full() else "south is not part of this run, and its share of ") in limited.stderr
    assert traffic(registry).nothing

    # A dead host is told at the start, as looking for programs has failed, and at the end; then the others take over.
    # What is told is in test_role_month.py as well.
    dead = {**inventory, **site.unreachable("south")}
    if is_full():
        broken = site.run(dead, {**variables, "image_save_install": True})
        assert broken.rc != 0
        option = "-e '{image_save_take_over: [south]}'"
        assert option in failure(broken, "north")
        notices = [line for line in broken.stderr.splitlines() if "south is unreachable or failed" in line]
        assert len(notices) == 1 and option in notices[0], broken.stderr
    taken = site.run(dead, {**variables, "image_save_take_over": ["south"], "image_save_remove_orphans": True})
    living = [host for host in HOSTS if host != "south"]
    after = shares(site, *living)
    assert sorted(line for each in after.values() for line in each) == sorted(LINES)
    assert all({*before[host]} <= {*after[host]} for host in after), "a share has moved"
    assert not (site.media / "south").exists()
    record = json.loads((site.media / "images.lock.json").read_bytes())
    assert {each["host"] for each in record["images"]} == {*living}
    assert [each.task for each in taken.tasks if each.status == "failed"] == []

    # It comes back, and gets its share of the others; nothing moves between these.
    if is_full():
        assert_well(site.run(inventory, variables))
        back = shares(site, *HOSTS)
        assert all(len(each) == len(LINES) // len(HOSTS) for each in back.values()), back
        assert all({*back[host]} < {*after[host]} for host in living)
        check_merged(json.loads((site.media / "images.lock.json").read_bytes()), site, LINES, hosts=HOSTS)


@pytest.mark.thorough(repeats=True)
def test_an_archive_without_the_hosts_name_is_taken_over(registry: Registry, site: Site) -> None:
    """Nothing is downloaded or fetched again, but for the small files that name it; the lock file serves again."""
    pushed = push(registry, "team/app", "1", small(72))
    layers = {layer.digest for platform in pushed.platforms for layer in platform.layers}
    variables = site.variables(images=["team/app:1"], source_registry=registry.host)
    inventory = site.inventory("north")
    assert_well(site.run(inventory, variables))
    old = site.fetched("north")
    inodes = old.stat().st_ino, site.on_host("north", "out/images.tar.gz").stat().st_ino
    registry.clear()
    shared = {**variables, "image_save_distribute": True}
    if is_full():
        assert site.run(inventory, shared, options=["--check"]).rc == 0
        assert old.exists()
    done = site.run(inventory, shared)
    assert_well(done)
    new = site.fetched("north"), site.on_host("north", "out/images-north.tar.gz")
    assert new[0].name == "images-north.tar.gz" and tuple(path.stat().st_ino for path in new) == inodes
    assert not [path.name for path in site.fetched("north").parent.iterdir() if path.name.startswith("images.tar")]
    assert not [*site.on_host("north", "out").glob("images.tar*")]
    assert not layers & {*registry.blob_gets()}
    site.checked("north")
    if is_full():
        assert_unchanged(site.run(inventory, shared))

    before = snapshot(site.media)
    locked = {**shared, "image_save_images": [], "image_save_from_lock_file": str(site.media / "images.lock.json")}
    assert_well(site.run(inventory, locked))
    if is_full():
        assert_well(site.run(inventory, locked, options=["--check"]))
        assert_unchanged(site.run(inventory, locked))
    assert {path: each for path, each in snapshot(site.media).items() if Path(path).name == "images-north.tar.gz"} == {
        path: each for path, each in before.items() if Path(path).name == "images-north.tar.gz"
    }
    assert references(site.checked("north")) == ["docker.io/team/app:1"]
