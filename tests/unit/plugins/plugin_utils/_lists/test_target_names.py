# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Names in the target registry, for plays after a load."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.airgap.images.plugins.module_utils._base.errors import OptionError
from ansible_collections.airgap.images.plugins.plugin_utils._lists.target_names import (
    RegistryNames,
    name_all,
    read_naming,
)

DIGEST = "sha256:" + 64 * "a"


def named(*lines: str, registry: str = "reg.lan:5000", is_plain: bool = False, **rules: Any) -> RegistryNames:
    naming = read_naming(registry, **{"keep_registry": False, "rewrites": (), **rules})
    return name_all(lines, naming, is_plain=is_plain)


def test_each_reference_has_its_name_in_full_once() -> None:
    found = named("nginx", "# a comment", "", "docker.io/library/nginx:latest", f"quay.io/a/b@{DIGEST}\nquay.io/a/b:1")
    assert found.names == {
        "docker.io/library/nginx:latest": "reg.lan:5000/library/nginx:latest",
        f"quay.io/a/b@{DIGEST}": f"reg.lan:5000/a/b:digest-{64 * 'a'}",
        "quay.io/a/b:1": "reg.lan:5000/a/b:1",
    }
    assert found.notes == []


def test_the_rules_of_image_load() -> None:
    rules = {"keep_registry": True, "rewrites": [{"from": "quay.io/a", "to": "team"}]}
    found = named("rancher/rancher:1", "quay.io/a/b:1", registry="reg.lan/mirror", is_plain=True, **rules)
    assert found.names == {
        "docker.io/rancher/rancher:1": "reg.lan/mirror/docker.io/rancher/rancher:1",
        "quay.io/a/b:1": "reg.lan/mirror/team/b:1",
    }
    assert found.system_default_registry == "reg.lan/mirror/docker.io"
    assert '"^(.*)$": "mirror/docker.io/$1"' in found.registries_yaml
    assert '"^a/b$": "mirror/team/b"' in found.registries_yaml
    assert found.registries_yaml.count('"http://reg.lan"') == 2
    assert [*found.hosts_toml] == ["docker.io"]


def test_two_of_one_name_are_told() -> None:
    found = named("quay.io/a/b:1", "ghcr.io/a/b:1", "ghcr.io/a/b:2")
    assert found.notes == [
        "quay.io/a/b:1 and ghcr.io/a/b:1 would both be reg.lan:5000/a/b:1, "
        "so image_load loads both only if they are one image"
    ]


@pytest.mark.parametrize(
    ("lines", "options", "said"),
    [
        (["a:1", "b: 2"], {}, "references, item 2: 'b: 2' is not a valid reference: it contains whitespace"),
        (["a:1"], {"registry": "https://reg.lan"}, "registry: 'https://reg.lan' begins with a scheme"),
        (["a:1"], {"rewrites": [{"from": "docker.io"}]}, "rewrites: .* is not a rule; expected a dictionary"),
        (["a:1"], {"rewrites": ["docker.io"]}, "rewrites: 'docker.io' is not a rule; expected a dictionary"),
    ],
)
def test_what_is_wrong_is_named(lines: list[str], options: dict[str, Any], said: str) -> None:
    with pytest.raises(OptionError, match=said):
        named(*lines, **options)
