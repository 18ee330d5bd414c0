# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the role is called: under roles, included, imported, as the user who logs in and as root."""

from __future__ import annotations

import pwd
from pathlib import Path

import pytest

from ansible_collections.airgap.images.tests.functional._helpers import check
from ansible_collections.airgap.images.tests.functional._role import (
    NAME,
    Site,
    assert_well,
    changed,
    play,
    references,
)
from ansible_collections.airgap.images.tests.support.extent import is_full
from ansible_collections.airgap.images.tests.support.workbench import Source


def strict_sudo(folder: Path) -> Path:
    """A sudo whose commands run with umask 077, as on hosts that were hardened; sudo takes the stricter of two."""
    path = folder / "sudo"
    path.write_text('#!/bin/sh\numask 077\nexec sudo "$@"\n', encoding="utf-8")
    path.chmod(0o755)
    return path


@pytest.mark.thorough(repeats=True)
def test_every_way_to_call_it(source: Source, site: Site) -> None:
    """Three hosts, three ways, without facts; what root saved under a strict umask is fetched too.

    In ``tests/faults.sh`` it is also saved again. Localhost may be a host that nobody reaches.
    """
    image = source["docker/single:1"].reference
    strict = {"ansible_become_exe": str(strict_sudo(site.on_host("included")))}
    inventory = site.inventory("listed", "included", "imported")
    inventory["included"].update(strict)
    inventory["imported"].update(strict)
    callers = set(inventory)
    inventory.update(site.unreachable("localhost"))
    # Other tests name the interpreter.
    inventory["listed"]["ansible_python_interpreter"] = "auto"
    del inventory["included"]["ansible_python_interpreter"]
    dest = {"image_save_dest": site.variables()["image_save_dest"]}
    small = {**dest, "image_save_images": [image], "image_save_part_size": "20K"}
    plays = [
        # Everything is there, so installing, which is the default, needs no privileges.
        play(hosts="listed", variables=small),
        play(
            hosts="included",
            how="include_role",
            variables={**small, "image_save_async": 3600},
            become=True,
        ),
        {
            "name": "Play for imported",
            "hosts": "imported",
            "gather_facts": False,
            "tasks": [
                {
                    "name": "The role",
                    "ansible.builtin.import_role": {"name": "airgap.images.image_save"},
                    "become": True,
                    "vars": {
                        **small,
                        "image_save_keep_cache": False,
                        "image_save_keep_remote_archive": False,
                    },
                }
            ],
        },
    ]
    if is_full():
        again = {
            "image_save_from_lock": f"{{{{ work }}}}/out/{NAME}.lock.json",
            "image_save_dest": "{{ work }}/again/other.tar.gz",
        }
        plays.append(play(hosts="included", become=True, variables=again))
    ours = ("image_save_install", "image_save_async", "image_save_dest")
    variables = {name: each for name, each in site.variables().items() if name not in ours}
    result = site.run(inventory, variables, plays=plays)
    assert_well(result)

    others = [path for path in site.fetched("included").parent.iterdir() if path.name.startswith("other.tar.gz")]
    for name in ("listed", "included"):
        archive = site.checked(name)
        assert references(archive) == [image]
        assert len(archive.files) > 1
        assert not [task for host, task in changed(result) if host == name and "nstall" in task]
        assert site.on_host(name, "cache").is_dir()
    owners = {name: pwd.getpwuid(site.on_host(name, "cache").stat().st_uid).pw_name for name in ("listed", "included")}
    assert owners == {"listed": site.hosts.user, "included": "root"}

    # Nothing but the list is left on the host, and everything is on the controller.
    media = site.fetched("imported").parent
    assert not site.on_host("imported", "cache").exists()
    assert not [path.name for path in site.on_host("imported", "out").iterdir() if path.is_file()]
    assert {path.name: path.read_bytes() for path in media.iterdir()} == {
        path.name: path.read_bytes() for path in site.fetched("included").parent.iterdir() if path not in others
    }, "the same image with the same options is another archive"

    if is_full():
        assert list(check(site.on_host("included", "again/other.tar.gz")).references) == [image]
        assert (site.media / "included" / "other.tar.gz").stat().st_size
    assert {each.host for each in result.tasks} == callers
