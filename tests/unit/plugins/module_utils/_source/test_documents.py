# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Many documents of an archive in one walk: each stretch is decoded once, and what comes out wrong is left out."""

from __future__ import annotations

import pytest

from ansible_collections.airgap.images.plugins.module_utils._archive.offsets import Offset
from ansible_collections.airgap.images.plugins.module_utils._oci.descriptor import digest_of
from ansible_collections.airgap.images.plugins.module_utils._source.documents import Placed, read_in_order
from ansible_collections.airgap.images.plugins.module_utils._source.errors import BrokenStream, MissingPart

STRETCHES = {0: b"aabbbcccc", 70: b"ddeee"}


class FakeDecoder:
    """Gives a stretch in small pieces.

    :ivar given: bytes that were decoded.
    """

    def __init__(self, content: bytes) -> None:
        self._content = content
        self.given = 0
        self.is_closed = False

    def read(self, amount: int) -> bytes:
        piece = self._content[self.given : self.given + min(amount, 2)]
        self.given += len(piece)
        return piece

    def readinto(self, buffer: memoryview) -> int:
        piece = self.read(len(buffer))
        buffer[: len(piece)] = piece
        return len(piece)

    def skip(self, amount: int) -> int:
        self.given += amount
        return amount

    def consumed(self) -> tuple[int, int]:
        return self.given, self.given

    def snapshot(self) -> None:
        return None

    def close(self) -> None:
        self.is_closed = True


class FakeStream:
    """Starts decoders.

    :ivar started: where, and each decoder.
    """

    def __init__(self) -> None:
        self.started: list[tuple[Offset, FakeDecoder]] = []

    def start(self, offset: Offset) -> FakeDecoder:
        decoder = FakeDecoder(STRETCHES[offset.position])
        decoder.skip(offset.skip)
        self.started.append((offset, decoder))
        return decoder


def placed(content: bytes, position: int, skip: int) -> Placed:
    return Placed(digest_of(content), len(content), Offset(position, skip))


A, B, C = placed(b"aa", 0, 0), placed(b"bbb", 0, 2), placed(b"cccc", 0, 5)
D, E = placed(b"dd", 70, 0), placed(b"eee", 70, 2)


@pytest.fixture
def stream() -> FakeStream:
    return FakeStream()


def test_each_stretch_is_decoded_once(stream: FakeStream) -> None:
    found = [raw for _digest, raw in read_in_order([E, C, A, D], stream.start)]
    assert found == [b"aa", b"cccc", b"dd", b"eee"]
    assert [offset for offset, _decoder in stream.started] == [A.offset, D.offset]
    assert [decoder.given for _offset, decoder in stream.started] == [9, 5]
    assert all(decoder.is_closed for _offset, decoder in stream.started)


def test_what_has_other_bytes_is_left_out(stream: FakeStream) -> None:
    wrong = Placed(B.digest, 3, Offset(0, 3))
    late = Placed(E.digest, 3, Offset(70, 4))
    found = dict(read_in_order([A, wrong, C, D, late], stream.start))
    assert found == {A.digest: b"aa", C.digest: b"cccc", D.digest: b"dd"}
    # The wrong one has gone beyond the start of the next.
    assert [offset for offset, _decoder in stream.started] == [A.offset, C.offset, D.offset]


@pytest.mark.parametrize("error", [BrokenStream("it ends too early"), MissingPart("part1 is missing")])
def test_others_are_read_where_one_cannot_be(stream: FakeStream, error: Exception) -> None:
    def start(offset: Offset) -> FakeDecoder:
        if offset.position == 0:
            raise error
        return stream.start(offset)

    assert [digest for digest, _raw in read_in_order([A, B, D], start)] == [D.digest]


def test_whoever_asks_no_further_leaves_nothing_open(stream: FakeStream) -> None:
    walk = read_in_order([A, B], stream.start)
    assert next(walk) == (A.digest, b"aa")
    walk.close()
    ((_offset, decoder),) = stream.started
    assert decoder.is_closed
