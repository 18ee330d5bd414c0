# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role as a user whose login shell is none of POSIX's, or more than that."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from ansible_collections.airgap.images.tests.functional._role import (
    JOB,
    Site,
    assert_unchanged,
    assert_well,
    fact,
    play,
    references,
)
from ansible_collections.airgap.images.tests.support.extent import is_full
from ansible_collections.airgap.images.tests.support.ssh_hosts import SshHosts
from ansible_collections.airgap.images.tests.support.workbench import Source

# The one that is no Bourne shell; the others are more alike.
FEW = ["tcsh"]
MORE = [pytest.param(name, marks=pytest.mark.thorough) for name in ("zsh", "ksh93", "mksh")]


@pytest.mark.thorough(repeats=True)
@pytest.mark.parametrize("shell", [*FEW, *MORE])
def test_a_job_is_followed_and_its_archive_fetched(source: Source, workdir: Path, shell: str) -> None:
    """Names have what these shells take for more than it is. With become, and again, in ``tests/faults.sh``."""
    login = shutil.which(shell)
    assert login is not None, f"{shell} is not installed here"
    with SshHosts(login) as hosts:
        site = Site(hosts, workdir)
        try:
            inventory = site.inventory("plain")
            if is_full():
                inventory.update(site.inventory("become", ansible_become=True))
            images = [source["oci/gzip:1"].reference, source["docker/single:1"].reference]
            variables = {**site.variables(images=images, mode="0644", **JOB)}
            variables["image_save_cache_dir"] = "{{ work }}/a cache! $HOME {a,b}~"
            assert_well(first := site.run(inventory, variables))
            for name in inventory:
                assert fact(first, name)["changed"]
                assert references(site.checked(name)) == images
            if is_full():
                assert_unchanged(site.run(inventory, variables, plays=[play()]))
        finally:
            site.close()
