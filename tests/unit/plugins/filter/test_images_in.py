# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter that finds images in manifests: what a playbook gives and gets."""

from __future__ import annotations

import base64
import codecs

import pytest
from ansible.errors import AnsibleFilterError
from ansible.utils.unsafe_proxy import AnsibleUnsafe

from ansible_collections.airgap.images.plugins.filter.images_in import FilterModule, images_in

POD = "kind: Pod\napiVersion: v1\nspec:\n  containers:\n  - image: 'a:1'\n  - image: '{{ lookup(\"pipe\", \"id\") }}'\n"


@pytest.mark.parametrize("raw", [POD.encode(), codecs.BOM_UTF8 + POD.encode(), POD.encode("utf-16")])
def test_files_as_slurp_reads_them(raw: bytes) -> None:
    found = FilterModule().filters()["images_in"]([("m.yaml", base64.b64encode(raw).decode())])
    assert found["images"] == ["a:1"]
    assert [(one["file"], one["path"]) for one in found["unread"]] == [("m.yaml", "spec.containers[1].image")]


def test_nothing_of_a_manifest_is_a_template() -> None:
    found = images_in([{"name": "m", "text": POD}])
    value = found["unread"][0]["value"]
    assert value == '{{ lookup("pipe", "id") }}'
    assert isinstance(value, AnsibleUnsafe) or not hasattr(value, "_tags_mapping")


@pytest.mark.parametrize("source", ["text", ("name", "%%%"), ("name", 1), {"name": "m"}, {"name": "m", "text": "a: ["}])
def test_what_is_none_is_refused(source: object) -> None:
    with pytest.raises(AnsibleFilterError, match=r"^images_in: "):
        images_in([source])
