# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter that names images in a registry: what a playbook gives and gets."""

from __future__ import annotations

import inspect

import pytest
import yaml
from ansible.errors import AnsibleFilterError

from ansible_collections.airgap.images.plugins.filter import registry_names as plugin
from ansible_collections.airgap.images.plugins.filter.registry_names import FilterModule, registry_names
from ansible_collections.airgap.images.plugins.modules import image_load


def test_what_it_returns() -> None:
    found = FilterModule().filters()["registry_names"](["rancher/rancher:v2.7.9"], "reg.lan:5000")
    assert found["names"] == {"docker.io/rancher/rancher:v2.7.9": "reg.lan:5000/rancher/rancher:v2.7.9"}
    assert yaml.safe_load(found["registries_yaml"]) == {
        "mirrors": {"docker.io": {"endpoint": ["https://reg.lan:5000"]}}
    }
    assert found["hosts_toml"]["docker.io"].startswith('server = "https://reg.lan:5000"\n')
    assert (found["system_default_registry"], found["notes"]) == ("reg.lan:5000", [])


def test_errors_name_the_filter() -> None:
    with pytest.raises(AnsibleFilterError, match="registry_names: registry: '' is not a valid registry"):
        registry_names([], "")


def test_its_options_are_those_of_the_module() -> None:
    """With the same defaults, so that the same values give the same names."""
    documented = yaml.safe_load(plugin.DOCUMENTATION)["options"]
    of_module = yaml.safe_load(image_load.DOCUMENTATION)["options"]
    for name in ("registry", "keep_registry", "rewrites"):
        assert documented[name]["type"] == of_module[name]["type"]
        assert documented[name].get("default") == of_module[name].get("default")
    assert [*documented["rewrites"]["suboptions"]] == [*of_module["rewrites"]["suboptions"]]
    names = [name for name in inspect.signature(registry_names).parameters if name != "lines"]
    assert names == [name for name in documented if name != "_input"]
