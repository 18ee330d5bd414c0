# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tables by digest are the mappings that dicts would be."""

from __future__ import annotations

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.airgap.images.plugins.module_utils._archive.digest_tables import (
    RepeatedDigest,
    table_of_offsets,
    table_of_sizes,
)
from ansible_collections.airgap.images.plugins.module_utils._archive.offsets import Offset
from ansible_collections.airgap.images.tests.support.layers import sha256

DIGESTS = st.integers(0, 2**256 - 1).map(lambda number: f"sha256:{number:064x}")
NUMBERS = st.integers(0, 2**63 - 1)


@given(st.dictionaries(DIGESTS, NUMBERS), DIGESTS)
def test_a_table_is_a_dict_in_the_order_of_digests(entries: dict[str, int], other: str) -> None:
    table = table_of_sizes(entries.items())
    ordered = dict(sorted(entries.items()))
    assert table == entries
    assert list(table) == list(ordered)
    assert list(table.values()) == list(ordered.values())
    assert list(table.items()) == list(ordered.items())
    assert {digest: table[digest] for digest in entries} == entries
    assert (other in table) == (other in entries)
    assert table.get(other) == entries.get(other)
    assert table.keys() == entries.keys()


def test_offsets_are_made_from_their_numbers() -> None:
    table = table_of_offsets([("sha256:" + "b" * 64, (7, 8)), ("sha256:" + "a" * 64, (5, 6))])
    assert table["sha256:" + "b" * 64] == Offset(7, 8)
    assert list(table.values()) == [Offset(5, 6), Offset(7, 8)]


@pytest.mark.parametrize(
    "other",
    ["", "sha256:", "SHA256:" + "ab" * 32, "sha512:" + "ab" * 32, "sha256:" + "AB" * 32, "ab" * 32, b"ab", None],
)
def test_another_spelling_is_not_there(other: object) -> None:
    table = table_of_sizes([("sha256:" + "ab" * 32, 1)])
    assert other not in table
    with pytest.raises(KeyError):
        table[other]  # type: ignore[index]


@pytest.mark.parametrize("order", [(0, 0), (0, 1, 0), (1, 0, 0)])
def test_a_digest_twice_is_refused(order: tuple[int, ...]) -> None:
    digests = [sha256(b"a"), sha256(b"b")]
    with pytest.raises(RepeatedDigest):
        table_of_sizes((digests[number], place) for place, number in enumerate(order))


def test_it_takes_little_memory() -> None:
    table = table_of_offsets((f"sha256:{number:064x}", (number, 0)) for number in range(1000))
    held = sys.getsizeof(table._digests) + sum(map(sys.getsizeof, table._columns))
    assert held < 1000 * 60
