# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is written in pieces has the bytes of Python's own writer."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.airgap.images.plugins.module_utils._base.json import Json
from ansible_collections.airgap.images.plugins.module_utils._base.json_pieces import (
    Listed,
    Member,
    Named,
    canonical_pieces,
    compact_list,
)

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


def expected(value: Json) -> bytes:
    return json.dumps(value, indent=2, ensure_ascii=False).encode() + b"\n"


def in_elements(value: Json) -> Member:
    if isinstance(value, list):
        return Listed(iter(value))
    return Named(iter(value.items())) if isinstance(value, dict) else value


@given(st.dictionaries(st.text(), VALUES))
def test_any_object_in_pieces(document: dict[str, Json]) -> None:
    members = ((name, in_elements(value)) for name, value in document.items())
    assert b"".join(canonical_pieces(members)) == expected(document)


@given(st.lists(VALUES))
def test_any_list_without_whitespace(elements: list[Json]) -> None:
    whole = json.dumps(elements, separators=(",", ":"), ensure_ascii=False).encode()
    assert b"".join(compact_list(iter(elements))) == whole


@pytest.mark.parametrize("count", [499, 500, 501, 1000])
def test_long_lists_and_objects(count: int) -> None:
    document: dict[str, Json] = {"list": [*range(count)], "object": {str(one): [one] for one in range(count)}}
    members = ((name, in_elements(value)) for name, value in document.items())
    assert b"".join(canonical_pieces(members)) == expected(document)
