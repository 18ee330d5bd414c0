# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where a stream is cut, and what is hashed."""

from __future__ import annotations

import hashlib
from collections import defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.airgap.images.plugins.module_utils._archive.cutter import Cutter


class Kept:
    """The bytes of parts, and what was told of each at its end."""

    def __init__(self) -> None:
        self.parts: dict[int, bytes] = defaultdict(bytes)
        self.ended: list[tuple[int, int, str]] = []

    def write(self, number: int, piece: memoryview) -> None:
        self.parts[number] += piece

    def end(self, number: int, size: int, sha256: str) -> None:
        assert (size, sha256) == (len(self.parts[number]), hashlib.sha256(self.parts[number]).hexdigest())
        self.ended.append((number, size, sha256))


@given(st.lists(st.tuples(st.binary(max_size=9), st.booleans()), max_size=8), st.none() | st.integers(1, 5))
def test_every_byte_is_in_one_part_and_no_part_is_too_long(
    pieces: list[tuple[bytes, bool]], part_size: int | None
) -> None:
    kept = Kept()
    cutter = Cutter(part_size, kept)
    for piece, is_end in pieces:
        cutter.write(piece)
        if is_end:
            cutter.end_file()
    cutter.finish()
    assert [number for number, _size, _sha256 in kept.ended] == list(range(max(1, len(kept.ended))))
    assert b"".join(kept.parts.values()) == b"".join(piece for piece, _is_end in pieces)
    assert all(size <= (part_size or size) for _number, size, _sha256 in kept.ended)


@pytest.mark.parametrize("data", [b"", b"abc"])
def test_finishing_again_makes_no_further_part(data: bytes) -> None:
    kept = Kept()
    cutter = Cutter(None, kept)
    cutter.write(data)
    for _time in range(2):
        cutter.finish()
    assert [(number, size) for number, size, _sha256 in kept.ended] == [(0, len(data))]


def test_only_the_parts_that_are_wanted_are_passed_on() -> None:
    kept = Kept()
    cutter = Cutter(2, kept, frozenset({1, 3}))
    cutter.write(b"aabbccd")
    cutter.finish()
    assert dict(kept.parts) == {1: b"bb", 3: b"d"}
    assert [(number, size) for number, size, _sha256 in kept.ended] == [(1, 2), (3, 1)]
