# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where each blob of an archive can be read from, without reading what precedes it. Pure."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass

from .._base.slots import slotted


@slotted
@dataclass(frozen=True)
class Offset:
    """A place in an archive where a new decoder can start, and how far from there a blob is.

    :param position: bytes of the joined parts that precede the place.
    :param skip: bytes that the decoder gives before the blob's content.
    """

    position: int
    skip: int


class Starts:
    """The places in a compressed stream where a new decoder can start, in their order."""

    def __init__(self) -> None:
        self._plain: list[int] = []
        self._positions: list[int] = []

    def add(self, *, plain: int, position: int) -> None:
        """Add a place behind all others.

        :param plain: bytes that were compressed before it.
        :param position: bytes that came out before it.
        """
        self._plain.append(plain)
        self._positions.append(position)

    def length_since(self, plain: int) -> int:
        """Return how many bytes were compressed from the last place to another one behind it."""
        return plain - self._plain[-1]

    def offset_of(self, plain: int) -> Offset:
        """Find the last place before something, or right where it begins.

        :param plain: bytes that were compressed before it.
        """
        number = bisect_right(self._plain, plain) - 1
        return Offset(self._positions[number], plain - self._plain[number])
