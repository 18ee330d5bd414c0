# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Answers of a host while a list is staged, which is not trusted."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from ansible_collections.airgap.images.plugins.module_utils._base.errors import ImagesError
from ansible_collections.airgap.images.plugins.plugin_utils._stage.target import Target


def sizes_from(said: dict[str, Any]) -> dict[str, dict[str, int]]:
    """What the controller makes of an answer."""
    asked = []

    def execute(*, module_name: str, module_args: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        asked.append((module_name, module_args))
        return said

    action = SimpleNamespace(_task=SimpleNamespace(check_mode=False), _execute_module=execute)
    target = Target(action, {"inventory_hostname": "north"})  # type: ignore[arg-type]
    found = target.sizes(["a/b:1"], {"jobs": 2})
    assert asked == [("airgap.images.image_sizes", {"jobs": 2, "images": ["a/b:1"]})]
    return found


def test_sizes_by_digest() -> None:
    said = {"blobs": [["sha256:x", 5], ["sha256:y", 7]], "images": {"a/b:1": [0, 1], "a/c:1": [1], "a/d:1": []}}
    assert sizes_from(said) == {
        "a/b:1": {"sha256:x": 5, "sha256:y": 7},
        "a/c:1": {"sha256:y": 7},
        "a/d:1": {},
    }


@pytest.mark.parametrize(
    "said",
    [
        {},
        {"blobs": [], "images": []},
        {"blobs": "x", "images": {}},
        {"blobs": [["sha256:x"]], "images": {"a": [0]}},
        {"blobs": [["sha256:x", "many"]], "images": {"a": [0]}},
        {"blobs": [["sha256:x", -1]], "images": {"a": [0]}},
        {"blobs": [["sha256:x", 2**63]], "images": {"a": [0]}},
        {"blobs": [["sha256:x", float("inf")]], "images": {"a": [0]}},
        {"blobs": [["sha256:x", 1]], "images": {"a": [1]}},
        {"blobs": [["sha256:x", 1]], "images": {"a": 0}},
        {"blobs": [["sha256:x", 1]], "images": {"a": ["0"]}},
        {"blobs": [["sha256:x", 1]], "images": {"a": [0]}, "ansible_facts": {"image_save_dest": "/"}},
    ],
)
def test_other_answers_are_not_used(said: dict[str, Any]) -> None:
    with pytest.raises(ImagesError, match=r"^north (did not answer what it was asked|has facts with the names)"):
        sizes_from(said)


def test_why_there_are_no_sizes() -> None:
    with pytest.raises(ImagesError, match=r"^no route$"):
        sizes_from({"blobs": [], "images": {}, "problem": "no route"})
    with pytest.raises(ImagesError, match=r"^cannot do that$"):
        sizes_from({"failed": True, "msg": "cannot do that"})
