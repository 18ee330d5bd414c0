# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role over two hosts: parity files are fetched, the script of the set uses them, and a request is answered."""

from __future__ import annotations

import hashlib
import json
import subprocess

from ansible_collections.airgap.images.tests.functional._role import Site, assert_well, fact
from ansible_collections.airgap.images.tests.support.push import push
from ansible_collections.airgap.images.tests.support.registry import Registry
from ansible_collections.airgap.images.tests.support.samples import small

_LINES = [f"team/app-{number}:1" for number in range(4)]


def test_lost_parts_of_a_set_are_made_again_or_asked_for(registry: Registry, site: Site) -> None:
    for number, line in enumerate(_LINES):
        name, _, tag = line.partition(":")
        push(registry, name, tag, small(number))
    options = {"images": _LINES, "source_registry": registry.host, "distribute": True, "part_size": "10K"}
    inventory = site.inventory("north", "south")
    done = site.run(inventory, site.variables(**options, parity=True))
    assert_well(done)
    folders = [site.media / host for host in ("north", "south")]
    parts = [sorted(folder.glob("*.part?*")) for folder in folders]
    assert all(len(one) >= 2 for one in parts)
    for folder in folders:
        (lock_file,) = folder.glob("*.lock.json")
        for one in json.loads(lock_file.read_bytes())["parity"]:
            raw = (folder / one["name"]).read_bytes()
            assert (len(raw), hashlib.sha256(raw).hexdigest()) == (one["size"], one["sha256"])

    # One part of each host is lost on the way.
    lost = {one[1]: one[1].read_bytes() for one in parts}
    for path in lost:
        path.unlink()
    script = ["sh", str(site.media / "images.restore.sh")]
    there = site.folder / "there"
    ran = subprocess.run([*script, str(there)], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert len([*(there / "saved-image-cache" / "share" / "sha256").iterdir()]) > len(_LINES)
    ran = subprocess.run([*script, "--rebuild"], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert {path: path.read_bytes() for path in lost} == lost

    # Two parts of one host have to be asked for.
    (lock_file,) = folders[0].glob("*.lock.json")
    name = lock_file.name[: -len(".lock.json")]
    request = site.folder / f"{name}.request.json"
    document = {
        "version": 1,
        "archive": name,
        "lock_sha256": hashlib.sha256(lock_file.read_bytes()).hexdigest(),
        "parts": [0, 1],
        "digests": [],
    }
    request.write_text(json.dumps(document), encoding="utf-8")
    before = {path: path.read_bytes() for path in site.media.rglob("*") if path.is_file()}
    done = site.run(inventory, site.variables(**options, request=str(request)))
    assert_well(done)
    requested = folders[0] / f"{name}.requested"
    assert {path.name for path in requested.iterdir()} >= {parts[0][0].name, parts[0][1].name, lock_file.name}
    assert all((requested / path.name).read_bytes() == path.read_bytes() for path in parts[0][:2])
    assert str(requested / parts[0][0].name) in fact(done, "north")["fetched"]["files"]
    assert {path: path.read_bytes() for path in before} == before, "nothing else is touched"
    assert not [*folders[1].glob("*.requested")]
