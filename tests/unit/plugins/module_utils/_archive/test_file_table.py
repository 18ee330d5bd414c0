# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A table of files is the list that it stands for."""

from __future__ import annotations

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.airgap.images.plugins.module_utils._archive.file_table import FileTable
from ansible_collections.airgap.images.plugins.module_utils._archive.parts import Part
from ansible_collections.airgap.images.tests.support.layers import sha256

SUMS = st.integers(0, 15).map(lambda number: f"{number:x}" * 64)
NAMES = (
    st.sampled_from(["index.json", "images.tar.part0", "images.tar.part1"])
    | SUMS.map(lambda digest: f"share/sha256/{digest}")
    | SUMS.map(lambda digest: f"{digest}/index.json")
    | SUMS.map(lambda digest: f"{digest}/oci-layout")
)
PARTS = st.builds(Part, NAMES, st.integers(0, 2**63 - 1), SUMS)


@given(st.lists(PARTS), st.lists(PARTS))
def test_a_table_is_a_list(parts: list[Part], others: list[Part]) -> None:
    table = FileTable(parts)
    assert [*table] == parts
    assert len(table) == len(parts)
    assert [table[place] for place in range(-len(parts), len(parts))] == [*parts, *parts]
    assert table[1:3] == parts[1:3]
    assert table == tuple(parts)
    assert (table == FileTable(others)) == (parts == others)
    assert table != "something else"


def test_a_place_behind_the_last_file_is_an_error() -> None:
    with pytest.raises(IndexError):
        FileTable([Part("index.json", 2, "a" * 64)])[1]


def test_files_of_a_directory_take_little_memory() -> None:
    sums = [sha256(str(number).encode()).partition(":")[2] for number in range(1000)]
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    table = FileTable(Part(f"share/sha256/{one}", 7, one) for one in sums)
    taken = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert len(table) == 1000
    assert taken < 1000 * 80
