# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The interface of decoders, and what those of several formats share."""

from __future__ import annotations

from typing import Protocol

from .joined import JoinedParts

READ_AT_ONCE = 128 * 1024


class Decoder(Protocol):
    """Gives the bytes of the tar stream from some place on."""

    def read(self, amount: int) -> bytes:
        """Return some of the next bytes, at most ``amount``; none at the end of the stream.

        :raises BrokenStream: when the compressed bytes make no sense.
        """

    def readinto(self, buffer: memoryview) -> int:
        """Put some of the next bytes into a buffer; return how many, none at the end of the stream.

        What is in the rest of the buffer afterwards is not defined.

        :raises BrokenStream: when the compressed bytes make no sense.
        """

    def skip(self, amount: int) -> int:
        """Leave out bytes; return how many, which are fewer at the end of the stream."""

    def consumed(self) -> tuple[int, int]:
        """Return how many bytes of the parts were used for what was given out: at least, and at most."""

    def snapshot(self) -> Snapshot | None:
        """Return what is needed to continue here later; ``None`` if that is not possible."""

    def close(self) -> None:
        """Close what is open."""


class Snapshot(Protocol):
    """A decoder's state at some place."""

    def decoder(self, joined: JoinedParts) -> Decoder:
        """Make a decoder that continues there."""


def skip_by_reading(decoder: Decoder, amount: int) -> int:
    """Leave out bytes of a decoder that has to decode them; return how many."""
    left = amount
    while left:
        data = decoder.read(min(left, READ_AT_ONCE))
        if not data:
            break
        left -= len(data)
    return amount - left
