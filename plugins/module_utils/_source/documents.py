# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Many documents of an archive, read in the order in which they are in it, so that no stretch is decoded twice."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Callable

from .._archive.offsets import Offset
from .._oci.descriptor import digest_of
from .decoder import Decoder
from .errors import BrokenStream, SourceError

Start = Callable[[Offset], Decoder]
"""Makes a decoder that gives what is at an offset."""


@dataclass(frozen=True)
class Placed:
    """A document, and where it should be."""

    digest: str
    size: int
    offset: Offset


def read_in_order(documents: Iterable[Placed], start: Start) -> Iterator[tuple[str, bytes]]:
    """Yield the documents that are where they should be, by digest. Others are left out, for whatever reason."""
    walk = _Walk(start)
    try:
        for one in sorted(documents, key=lambda each: (each.offset.position, each.offset.skip)):
            try:
                raw = walk.read(one)
            except (BrokenStream, SourceError):
                walk.close()
                continue
            if digest_of(raw) == one.digest:
                yield one.digest, raw
    finally:
        walk.close()


class _Walk:
    """Goes through an archive, and starts anew only where it has to."""

    def __init__(self, start: Start) -> None:
        self._start = start
        self._decoder: Decoder | None = None
        self._at = Offset(0, 0)  # of the decoder's next byte

    def read(self, document: Placed) -> bytes:
        """Read the bytes of a document; fewer at the end of the archive.

        :raises BrokenStream: when the archive makes no sense there.
        :raises SourceError: when it cannot be read.
        """
        decoder = self._go_to(document.offset)
        pieces: list[bytes] = []
        left = document.size
        while left:
            piece = decoder.read(left)
            if not piece:
                break
            pieces.append(piece)
            left -= len(piece)
        self._at = Offset(document.offset.position, document.offset.skip + document.size - left)
        return b"".join(pieces)

    def close(self) -> None:
        """Close what is open."""
        if self._decoder is not None:
            self._decoder.close()
        self._decoder = None

    def _go_to(self, offset: Offset) -> Decoder:
        between = offset.skip - self._at.skip
        if self._decoder is not None and offset.position == self._at.position and between >= 0:
            self._decoder.skip(between)
            return self._decoder
        self.close()
        self._decoder = self._start(offset)
        return self._decoder
