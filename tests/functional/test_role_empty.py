# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Variables without a value are variables that are left out."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml

from ansible_collections.airgap.images.tests.functional._role import Site, assert_well, failure, on
from ansible_collections.airgap.images.tests.support.extent import is_full
from ansible_collections.airgap.images.tests.support.module import COLLECTION
from ansible_collections.airgap.images.tests.support.push import push
from ansible_collections.airgap.images.tests.support.registry import Registry
from ansible_collections.airgap.images.tests.support.samples import small

VALUES = {"empty": "", "null": None, "omitted": "{{ omit }}"}
NEEDED = ("images", "dest", "fetch_dest", "validate_certs")


def names() -> list[str]:
    """All variables of the role."""
    specs = yaml.safe_load((COLLECTION / "roles/image_save/meta/argument_specs.yml").read_text("utf-8"))
    return list(specs["argument_specs"]["main"]["options"])


def without_values() -> dict[str, dict[str, Any]]:
    """The variables of each host; in the test command each variable has one of the values, by turns."""
    kinds = list(VALUES.values())
    others = [name for name in names() if name not in {f"image_save_{each}" for each in NEEDED}]
    if is_full():
        return {host: dict.fromkeys(others, value) for host, value in VALUES.items()}
    return {"mixed": {name: kinds[number % len(kinds)] for number, name in enumerate(others)}}


@pytest.mark.thorough(repeats=True)
def test_every_variable_may_be_without_a_value(registry: Registry, site: Site) -> None:
    """The module is asked the same, and the same bytes arrive, as where nothing is said."""
    usual = site.variables(images=[push(registry, "some/image", "1", small(1)).reference])
    needed = {f"image_save_{name}": usual[f"image_save_{name}"] for name in NEEDED}
    without = without_values()
    inventory = site.inventory("nothing", *without)
    for host, variables in without.items():
        inventory[host].update(variables)
    done = site.run(inventory, {**needed, "ansible_inject_invocation": True})
    assert_well(done)

    asked: dict[str, dict[str, Any]] = {}
    for host in inventory:
        (task,) = [each for each in on(done, host) if each.action.endswith("image_save") and each.status == "ok"]
        text = json.dumps(task.data["invocation"]["module_args"])
        asked[host] = json.loads(text.replace(str(site.on_host(host)), "/work"))
        assert site.checked(host).files
    fetched = {
        host: {path.name: path.read_bytes() for path in site.fetched(host).parent.iterdir()} for host in inventory
    }
    for host in without:
        assert asked[host] == asked["nothing"]
        assert fetched[host] == fetched["nothing"]
        assert site.on_host(host, "out/saved-image-cache").is_dir() and site.on_host(host, "out/lists").is_dir()


def test_what_has_a_value_has_to_be_of_its_type(site: Site) -> None:
    """Before anything else, and by name; so has what is needed."""
    wrong = {
        "number": ("jobs", "four", "image_save_jobs"),
        "choice": ("compress", "zip", "value of image_save_compress must be one of: gzip, zstd, none, dir"),
        "login": ("registries", [{"host": "reg.lan", "username": "u"}], "required together: username, password found"),
        "key": ("registries", [{"host": "reg.lan", "client_key": "/k"}], "required by 'client_key': client_cert found"),
        "nowhere": ("dest", "", "image_save_dest: expected the absolute path"),
        "nothing": ("images", None, "There is nothing to save: set image_save_images"),
    }
    inventory = site.inventory(*wrong)
    usual = site.variables(images=["reg.lan/app:1"])
    varied = {f"image_save_{name}" for name, _value, _said in wrong.values()}
    for host, (name, value, _said) in wrong.items():
        inventory[host].update({each: usual[each] for each in varied if each in usual})
        inventory[host][f"image_save_{name}"] = value
    done = site.run(inventory, {name: each for name, each in usual.items() if name not in varied})
    assert done.rc != 0
    for host, (_name, _value, said) in wrong.items():
        assert said in failure(done, host)
        assert not [*site.on_host(host).rglob("*")]
