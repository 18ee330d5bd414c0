# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role image_load over a real sshd: archives that are on the host, or on the controller."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from pathlib import Path
from typing import Any

import yaml

from ansible_collections.airgap.images.plugins.module_utils._archive.request import Request, write_request
from ansible_collections.airgap.images.tests.functional._helpers import saved
from ansible_collections.airgap.images.tests.functional._loading import (
    JOB,
    ROLE,
    SHOW,
    handed_over,
    play,
    variables,
    writes,
)
from ansible_collections.airgap.images.tests.functional._role import JOB as SAVE_JOB
from ansible_collections.airgap.images.tests.functional._role import ROLE as SAVE
from ansible_collections.airgap.images.tests.functional._role import (
    Site,
    assert_not_failed,
    assert_unchanged,
    assert_well,
    changed,
    failure,
)
from ansible_collections.airgap.images.tests.support.module import COLLECTION
from ansible_collections.airgap.images.tests.support.registry import Registry
from ansible_collections.airgap.images.tests.support.workbench import Source, Workbench

SAMPLES = ("docker/single:1", "oci/gzip:1")


def without_values() -> dict[str, Any]:
    """All variables, by turns as empty text, null and omitted; those that a test needs have another value there."""
    specs = yaml.safe_load((COLLECTION / "roles/image_load/meta/argument_specs.yml").read_text("utf-8"))
    values = ["", None, "{{ omit }}"]
    return {name: values[number % 3] for number, name in enumerate(specs["argument_specs"]["main"]["options"])}


def carried(source: Source, bench: Workbench, folder: Path) -> None:
    """Saves a small archive in parts, and puts its files into a folder that everybody can read."""
    saved(bench.save([source[name] for name in SAMPLES], part_size="20K"))
    shutil.copytree(bench.dest.parent, folder)


def test_parts_on_the_host(source: Source, bench: Workbench, site: Site, registry: Registry) -> None:
    """They are loaded with progress, the digests are those of the source, and a second run changes nothing.

    Variables without a value are variables that are left out. The password is part of paths, where Ansible hides it.
    Of the requests that were fetched before, that of the archive is removed.
    """
    inventory = site.inventory("inside")
    inventory["inside"].update(without_values())
    carried(source, bench, site.on_host("inside", "media"))
    fetched = bench.directory / "fetched"
    about = {"receipt": "{{ work }}/receipt.json", "request_file": "{{ work }}/out/", "fetch_dest": str(fetched)}
    login = {"username": "loader", "password": "receipt"}
    wanted = variables(registry, src=["{{ work }}/media"], **about, **login)
    raw_lock = next(site.on_host("inside", "media").glob("*.lock.json")).read_bytes()
    old, other = (fetched / "inside" / f"{name}.request.json" for name in ("old", "other"))
    old.parent.mkdir(parents=True)
    old.write_bytes(write_request(Request("old", hashlib.sha256(raw_lock).hexdigest(), (0,))))
    other.write_bytes(write_request(Request("other", 64 * "a", (0,))))

    done = site.run(inventory, wanted, plays=[play()])
    assert_well(done)
    result = handed_over(done, "inside")
    assert not result["failed"] and result["changed"]
    assert {one["reference"]: one["digest"] for one in result["images"]} == {
        source[name].reference: source[name].digest for name in SAMPLES
    }
    assert [one["action"] for one in result["images"]] == ["pushed"] * len(SAMPLES)
    assert re.search(r"^inside: 2 of 2 images, .* of ", done.stderr, re.MULTILINE), done.stderr
    receipt = site.on_host("inside", "receipt.json").read_bytes()
    assert (fetched / "inside" / "receipt.json").read_bytes() == receipt
    assert {path.name for path in (fetched / "inside").iterdir()} == {"receipt.json", other.name}
    assert f"inside: to confirm by telephone: {result['confirmation']}" in done.stderr
    assert result["confirmation"].startswith(json.loads(receipt)["number"])

    registry.clear()
    assert_unchanged(site.run(inventory, wanted, plays=[play()]))
    assert writes(registry) == []


def test_parts_on_the_controller(source: Source, bench: Workbench, site: Site, registry: Registry) -> None:
    """They are copied by the user who logs in, loaded by root, not copied again, and removed where it is asked for."""
    inventory = site.inventory("kept", "tidy")
    inventory["tidy"]["image_load_keep_staged"] = False
    media = bench.directory / "stick"
    carried(source, bench, media)
    (lock,) = media.glob("*.lock.json")
    wanted = variables(registry, controller_src=[str(media)], staging_dir="{{ work }}/in", retry_delay=0)
    plays = [play(become=True)]

    foreseen = site.run(inventory, wanted, plays=plays, options=["--check"])
    assert_well(foreseen)
    assert ("kept", "Copy the archives to the host") in changed(foreseen)
    assert f"kept: would copy {len([*media.glob('*.part*')]) + 1} files (" in foreseen.stderr
    told = handed_over(foreseen, "kept")
    assert told["changed"] and f"of 1 archive with {len(SAMPLES)} images. What would be loaded" in told["msg"]
    assert not site.on_host("kept", "in").exists() and writes(registry) == []

    done = site.run(inventory, wanted, plays=plays)
    assert_well(done)
    for host in inventory:
        assert handed_over(done, host)["stats"]["images"] == len(SAMPLES)
    files = {path.name: path.read_bytes() for path in [lock, *media.glob("*.part*")]}
    staged = {path.name: path for path in site.on_host("kept", "in").iterdir()}
    assert staged.pop("verified.json").is_file()
    assert {name: path.read_bytes() for name, path in staged.items()} == files
    assert {path.owner() for path in staged.values()} == {site.hosts.user}
    assert [*site.on_host("tidy", "in").iterdir()] == []

    inventory.pop("tidy")
    registry.clear()
    assert_unchanged(site.run(inventory, wanted, plays=plays))
    assert writes(registry) == []

    first = sorted(name for name in staged if ".part" in name)[0]
    staged[first].write_bytes(b"damaged")
    again = site.run(inventory, wanted, plays=plays)
    assert_well(again)
    assert changed(again) == [("kept", "Copy the archives to the host")]
    assert staged[first].read_bytes() == files[first]


def test_hosts_share_the_images(source: Source, bench: Workbench, site: Site, registry: Registry) -> None:
    """Each image of a list on the controller is loaded by one host, and nothing else is."""
    inventory = site.inventory("north", "east", "south")
    names = [f"{name}:1" for name in ("oci/gzip", "oci/zstd", "oci/plain", "docker/single", "docker/arm64")]
    # Named without the registry, so that the shares are the same in every run of this test.
    saved(bench.save([*names, "a/b/c/d:1.0"], source_registry=source.registry.host))
    shutil.copytree(bench.dest.parent, site.on_host("north", "media"))
    listed = site.folder / "list.txt"
    listed.write_text("\n".join(["# of the release", *names]), "utf-8")
    src = str(site.on_host("north", "media"))
    wanted = variables(registry, src=[src], list_files=[str(listed)], distribute=True, **JOB)

    done = site.run(inventory, wanted, plays=[play()])
    assert_well(done)
    shares = {host: [one["reference"] for one in handed_over(done, host)["images"]] for host in inventory}
    loaded = [reference for share in shares.values() for reference in share]
    assert sorted(loaded) == sorted(f"docker.io/{name}" for name in names)
    assert all(shares.values()), f"a host without work: {shares}"
    tags = {each.manifest for each in registry.requests() if each.method == "PUT" and each.manifest}
    assert {name for name in tags if "@" not in name} == {*names}


def test_save_and_load_in_one_play(source: Source, site: Site, registry: Registry) -> None:
    """A site that reaches both sides, with a host whose images no archive has, and one that is asked for nothing."""
    inventory = site.inventory("both", "absent", "nothing")
    lock = {"image_load_src": ["{{ image_save_result.lock_file }}"]}
    inventory["both"].update(lock)
    inventory["absent"].update({**lock, "image_load_images": ["reg.lan/not/there:1"]})
    save = site.variables(images=[source[name].reference for name in SAMPLES], fetch=False, **SAVE_JOB)
    roles = [{"ansible.builtin.include_role": {"name": name}} for name in (SAVE, ROLE)]
    both = {
        "name": "Both sides",
        "hosts": "all",
        "gather_facts": False,
        "tasks": [{"name": "Both", "block": roles, "always": [SHOW]}],
    }
    done = site.run(inventory, {**save, **variables(registry, **JOB)}, plays=[both])
    assert done.rc != 0
    assert_not_failed(done, "both")
    assert {one["digest"] for one in handed_over(done, "both")["images"]} == {source[name].digest for name in SAMPLES}
    result = handed_over(done, "absent")
    assert result["failed"] and [one["reference"] for one in result["failed_images"]] == ["reg.lan/not/there:1"]
    assert "reg.lan/not/there:1" in failure(done, "absent") and "image_load_images, item 1" in str(result["causes"])
    assert "There is nothing to load: set image_load_src" in failure(done, "nothing")
