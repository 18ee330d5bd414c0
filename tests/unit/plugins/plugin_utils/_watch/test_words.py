# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Messages name what the user can set: options of a module, or variables of a role."""

from __future__ import annotations

import pytest

from ansible_collections.airgap.images.plugins.plugin_utils._watch.words import prefix_of, with_variables

OPTIONS = ("dest", "part_size", "allow_partial", "src", "keep_cache", "timeout", "create_projects")
SAVE = "image_save_"


@pytest.mark.parametrize(
    ("role", "prefix"),
    [("airgap.images.image_save", SAVE), ("airgap.images.image_load", "image_load_"), ("my.own.role", ""), ("", "")],
)
def test_a_role_of_the_collection_has_a_prefix(role: str, prefix: str) -> None:
    assert prefix_of(role) == prefix


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("dest: /srv/x is a file", "image_save_dest: /srv/x is a file"),
        ("allow_partial=true saves the rest", "image_save_allow_partial=true saves the rest"),
        ("Correct that, or set allow_partial", "Correct that, or set image_save_allow_partial"),
        ("with keep_cache=false. Set timeout.", "with image_save_keep_cache=false. Set timeout."),
        ("Set create_projects=false", "Set image_save_create_projects=false"),
        ("src: no archive", "src: no archive"),
        ("the dest: x, a timeout, part_size", "the dest: x, a timeout, part_size"),
        ("https://reg.lan/?timeout=5 /x-dest=y --timeout=3", "https://reg.lan/?timeout=5 /x-dest=y --timeout=3"),
        ("image_save_timeout=5", "image_save_timeout=5"),
        ("set dest-dir or set timeouts", "set dest-dir or set timeouts"),
    ],
)
def test_options_are_named_as_variables(text: str, expected: str) -> None:
    cause = {"kind": "x", "pattern": text, "sentence": text, "references": [text]}
    returned = {"msg": text, "hint": text, "causes": [cause], "dest": text, "changed": False}
    told = with_variables(returned, OPTIONS, SAVE)
    assert told == {
        **returned,
        "msg": expected,
        "hint": expected,
        "causes": [{**cause, "pattern": expected, "sentence": expected}],
    }
    assert with_variables(returned, OPTIONS, "") == returned


@pytest.mark.parametrize("wrong", [None, 5, ["x"], {"a": "dest: b"}])
def test_anything_but_a_message_stays(wrong: object) -> None:
    """Hosts are not trusted."""
    returned = {"msg": wrong, "hint": wrong, "causes": wrong}
    assert with_variables(returned, OPTIONS, SAVE) == returned
    assert with_variables({"causes": [wrong]}, OPTIONS, SAVE) == {"causes": [wrong]}
