# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role image_load over a real sshd: archives that are on the host, or on the controller."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from ansible_collections.airgap.images.tests.functional._helpers import saved
from ansible_collections.airgap.images.tests.functional._loading import handed_over, play, variables, writes
from ansible_collections.airgap.images.tests.functional._role import Site, assert_unchanged, assert_well
from ansible_collections.airgap.images.tests.support.registry import Registry
from ansible_collections.airgap.images.tests.support.workbench import Source, Workbench

SAMPLES = ("docker/single:1", "oci/gzip:1")


def carried(source: Source, bench: Workbench, folder: Path) -> None:
    """Saves a small archive in parts, and puts its files into a folder that everybody can read."""
    saved(bench.save([source[name] for name in SAMPLES], part_size="20K"))
    shutil.copytree(bench.dest.parent, folder)


def test_parts_on_the_host(source: Source, bench: Workbench, site: Site, registry: Registry) -> None:
    """They are loaded with progress, the digests are those of the source, and a second run changes nothing."""
    inventory = site.inventory("inside")
    carried(source, bench, site.on_host("inside", "media"))
    wanted = variables(registry, src=["{{ work }}/media"], receipt="{{ work }}/receipt.json")

    done = site.run(inventory, wanted, plays=[play()])
    assert_well(done)
    result = handed_over(done, "inside")
    assert not result["failed"] and result["changed"]
    assert {one["reference"]: one["digest"] for one in result["images"]} == {
        source[name].reference: source[name].digest for name in SAMPLES
    }
    assert [one["action"] for one in result["images"]] == ["pushed"] * len(SAMPLES)
    assert re.search(r"^inside: 2 of 2 images, .* of ", done.stderr, re.MULTILINE), done.stderr
    assert site.on_host("inside", "receipt.json").is_file()

    registry.clear()
    assert_unchanged(site.run(inventory, wanted, plays=[play()]))
    assert writes(registry) == []
