# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Pieces that are handed over together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.airgap.images.plugins.module_utils._archive.batches import Batch, Batches, Joined, encode_with
from ansible_collections.airgap.images.plugins.module_utils._archive.encoder import BUFFER
from ansible_collections.airgap.images.plugins.module_utils._base.buffers import Buffers, Data

TOGETHER = 64 * 1024


@dataclass
class Calls:
    """An encoder that keeps how it was called."""

    calls: list[tuple[Any, ...]] = field(default_factory=list)

    def write(self, data: Data, *, stored: bool) -> None:
        self.calls.append((bytes(data), stored))

    def end_blob(self) -> None:
        self.calls.append(("blob",))

    def end_image(self) -> None:
        self.calls.append(("image",))

    def finish(self) -> None:
        self.calls.append(("finish",))


CALLS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from([0, 1, 512, 9_000, 70_000]), st.booleans()),
        st.just(("blob",)),
        st.just(("image",)),
    ),
    max_size=30,
)


def call(encoder: Any, calls: Sequence[tuple[Any, ...]]) -> None:
    for one in calls:
        if one == ("blob",):
            encoder.end_blob()
        elif one == ("image",):
            encoder.end_image()
        else:
            encoder.write(bytes(one[0]), stored=one[1])


@pytest.mark.parametrize("ends_images", [True, False])
@given(calls=CALLS)
def test_the_encoder_is_called_as_if_nothing_were_between(calls: Sequence[tuple[Any, ...]], ends_images: bool) -> None:
    """With the same pieces, since joined ones may be compressed to other bytes."""
    direct, behind = Calls(), Calls()
    call(direct, [one for one in calls if ends_images or one != ("image",)])
    batches = Batches(encode_with(behind), ends_images=ends_images)
    call(batches, calls)
    batches.finish()
    assert behind.calls == direct.calls


def test_small_pieces_are_handed_over_together() -> None:
    handed: list[Batch] = []
    batches = Batches(handed.append, ends_images=False)
    for _number in range(TOGETHER // 512 - 1):
        batches.write(bytes(512), stored=False)
    assert handed == []
    batches.write(bytes(512), stored=False)
    assert [len(batch) for batch in handed] == [TOGETHER // 512]


def test_a_large_piece_does_not_wait() -> None:
    handed: list[Batch] = []
    batches = Batches(handed.append, ends_images=False)
    batches.write(b"header", stored=False)
    batches.write(bytes(TOGETHER), stored=True)
    assert handed == [[(b"header", False), (bytes(TOGETHER), True)]]


@given(st.lists(st.sampled_from([0, 1, 9_000, TOGETHER - 1, TOGETHER, 70_000]), max_size=20))
def test_joined_output_is_the_same_bytes_in_order(sizes: list[int]) -> None:
    handed: list[Data | None] = []
    joined = Joined(handed.append, Buffers(BUFFER))
    pieces = [bytes([number]) * size for number, size in enumerate(sizes)]
    for piece in pieces:
        joined.write(piece)
    joined.finish()
    taken = [bytes(piece) for piece in handed if piece is not None]
    assert b"".join(taken) == b"".join(pieces)
    assert all(taken)
    assert all(len(first) + len(second) >= TOGETHER for first, second in zip(taken, taken[1:]))


def test_a_file_ends_behind_what_was_written() -> None:
    handed: list[Data | None] = []
    joined = Joined(handed.append, Buffers(BUFFER))
    joined.write(b"a")
    joined.write(b"b")
    joined.end_file()
    joined.write(b"c")
    joined.finish()
    assert handed == [b"ab", None, b"c"]


def test_the_buffer_of_a_small_piece_is_given_back() -> None:
    buffers = Buffers(BUFFER)
    memory = buffers.take()
    handed: list[Data | None] = []
    joined = Joined(handed.append, buffers)
    memory[:3] = b"abc"
    joined.write(memory[:3])
    assert buffers.take().obj is memory.obj
    memory[:3] = b"xyz"
    joined.finish()
    assert handed == [b"abc"]
