# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Single steps of the role by their tags, and the ways to save that are not a list into one file."""

from __future__ import annotations

import subprocess

import pytest

from ansible_collections.airgap.images.tests.functional._helpers import check, contents
from ansible_collections.airgap.images.tests.functional._role import ROLE, Site, assert_unchanged, assert_well, changed
from ansible_collections.airgap.images.tests.support.extent import is_full
from ansible_collections.airgap.images.tests.support.workbench import Source


@pytest.mark.thorough
def test_a_step_at_a_time(source: Source, site: Site) -> None:
    """Archives that were saved on one day are fetched on another, and no registry is asked for them.

    The test command does the same with a set, in ``test_role_edges.py``.
    """
    inventory = site.inventory("one")
    variables = site.variables(images=[source["docker/single:1"].reference], part_size="20K")

    assert_well(site.run(inventory, variables, options=["--tags", "image_save_save"]))
    check(site.on_host("one", "out/images.tar.gz"))
    assert not site.media.exists(), "the step after it was run too"

    source.registry.clear()
    assert_well(site.run(inventory, variables, options=["--tags", "image_save_fetch"]))
    site.checked("one")
    assert not source.registry.requests()

    without_cache = {**variables, "image_save_keep_cache": False}
    cleaned = site.run(inventory, without_cache, options=["--tags", "image_save_cleanup"])
    assert_well(cleaned)
    assert not site.on_host("one", "cache").exists()
    site.checked("one")


@pytest.mark.thorough(repeats=True)
def test_a_directory_and_its_lock_file(source: Source, site: Site) -> None:
    """Archives of one play: a directory, what its lock file names, and in ``tests/faults.sh`` a plain tar file."""
    inventory = site.inventory("one")
    image = source["docker/single:1"].reference
    variables = site.variables()
    del variables["image_save_dest"]
    archives = (
        {"image_save_images": [image], "image_save_compress": "dir", "image_save_dest": "{{ work }}/out/layout"},
        {"image_save_from_lock": "{{ work }}/out/layout.lock.json", "image_save_dest": "{{ work }}/out/same"},
        {"image_save_images": [image], "image_save_compress": "none", "image_save_dest": "{{ work }}/out/plain.tar"},
    )
    tasks = [
        {"name": "Save", "ansible.builtin.include_role": {"name": ROLE}, "vars": each, "when": "not only_last"}
        for each in archives[:-1]
    ]
    if is_full():
        tasks.append({"name": "Save", "ansible.builtin.include_role": {"name": ROLE}, "vars": archives[-1]})
    plays = [{"name": "Several", "hosts": "all", "gather_facts": False, "tasks": tasks}]

    done = site.run(inventory, {**variables, "only_last": False}, plays=plays)
    assert_well(done)
    assert [task for host, task in changed(done)].count("Fetch the archive") == len(tasks)
    media = site.media / "one"
    for name in ("layout", "same.tar.gz", "plain.tar")[: len(tasks)]:
        check(media / name)
    assert contents(media / "layout") == contents(site.on_host("one", "out/layout"))
    # The whole directory is an image layout, link included.
    subprocess.run(["skopeo", "inspect", "--raw", f"oci:{media / 'layout'}:{image}"], check=True, capture_output=True)
    if is_full():
        assert_unchanged(site.run(inventory, {**variables, "only_last": True}, plays=plays))
