# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads what a compressed stream has as it is, past the library that decodes the format.

Layers are compressed already, so archives have them in blocks that are stored: behind a header of a few bytes each.
One call of the kernel puts the contents of many blocks side by side, and the headers elsewhere.

The offset that leads here is not trusted, and neither are the headers. Whatever is not a plain stored block is left to
the library, which goes on right there, with the same bytes before it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable

from .._archive.encoder import STORED_CHUNK
from .._archive.zstd_encoder import STORED_BLOCK, STORED_FRAME
from .decoder import READ_AT_ONCE, Decoder, Snapshot, skip_by_reading
from .errors import BrokenStream
from .joined import PartReader

_AT_ONCE = 4 * 1024 * 1024  # bytes, far below what a call takes in pieces of a block each (IOV_MAX)


@dataclass(frozen=True)
class Framing:
    """How a format has stored blocks.

    :param opening: the bytes before the first block.
    :param header_size: the bytes before each block.
    :param most: bytes of a block at most, which all of them have but the last.
    :param length_of: returns the length that a header states; 0 if it is not that of a plain stored block.
    :param window: bytes that the library has to have seen before a block, to go on with it; ``None``: all of them.
    """

    opening: bytes
    header_size: int
    most: int
    length_of: Callable[[bytes | bytearray], int]
    window: int | None


def _of_gzip(header: bytes | bytearray) -> int:
    """RFC 1951, 3.2.4. Bits that fill up the first byte may be anything, but are 0 in what is read here."""
    length = header[1] | header[2] << 8
    return length if header[0] == 0 and length ^ 0xFFFF == header[3] | header[4] << 8 else 0


def _of_zstd(header: bytes | bytearray) -> int:
    """RFC 8878, 3.1.1.2: a Raw_Block that is not the last."""
    stated = int.from_bytes(header, "little")
    return stated >> 3 if stated & 7 == 0 and stated >> 3 <= STORED_BLOCK else 0


GZIP_BLOCKS = Framing(b"", 5, STORED_CHUNK, _of_gzip, 32 * 1024)
ZSTD_BLOCKS = Framing(STORED_FRAME, 3, STORED_BLOCK, _of_zstd, None)


@dataclass(frozen=True)
class _Place:
    """A place where the library can start.

    :param position: in the joined parts.
    :param given: bytes that came out before it.
    """

    position: int
    given: int


class StoredBlocks:
    """A decoder for a stretch that begins with stored blocks, and may go on with anything.

    :param reader: at the beginning of the stretch.
    :param library: makes the decoder of the format, which starts at a position.
    """

    def __init__(self, reader: PartReader, framing: Framing, library: Callable[[int], Decoder]) -> None:
        self._reader = reader
        self._framing = framing
        self._library = library
        self._decoder: Decoder | None = None  # the library, once it has to go on
        self._given = 0
        self._left = 0  # bytes of the open block
        self._is_opened = False
        # The library starts at the first of these: enough precedes the next byte from there on.
        self._starts = [_Place(reader.position, 0)]

    def read(self, amount: int) -> bytes:
        buffer = memoryview(bytearray(min(amount, READ_AT_ONCE)))
        return bytes(buffer[: self.readinto(buffer)])

    def readinto(self, buffer: memoryview) -> int:
        if not buffer:
            return 0
        if self._decoder is None:
            count = self._read_stored(buffer)
            if count:
                return count
            self._decoder = self._continued()
        return self._decoder.readinto(buffer)

    def skip(self, amount: int) -> int:
        return skip_by_reading(self, amount)

    def consumed(self) -> tuple[int, int]:
        return (self._reader.position, self._reader.position) if self._decoder is None else self._decoder.consumed()

    def snapshot(self) -> Snapshot | None:
        return None

    def close(self) -> None:
        self._reader.close()
        if self._decoder is not None:
            self._decoder.close()

    def _read_stored(self, buffer: memoryview) -> int:
        """Put the next bytes into a buffer; return how many, none if the library has to go on."""
        if not self._is_opened:
            self._is_opened = True
            if self._exactly(len(self._framing.opening)) != self._framing.opening or not self._open():
                return 0
        count = self._read_blocks(buffer)
        if not count and self._open():  # its header is in two parts
            count = self._read_blocks(buffer)
        return count

    def _open(self) -> bool:
        """Read the next header, unless a block is open; return whether one is open then."""
        if not self._left:
            header = self._exactly(self._framing.header_size)
            if len(header) == self._framing.header_size:
                self._left = self._framing.length_of(header)
        return self._left > 0

    def _read_blocks(self, buffer: memoryview) -> int:
        """Read the open block, and those that follow if they have the usual length; return how many bytes."""
        framing = self._framing
        start = self._reader.position
        headers, pieces = self._pieces(buffer)
        read = self._reader.readv(pieces)
        used = count = min(read, len(pieces[0]))
        self._left -= count
        for number, content in enumerate(pieces[2::2]):
            header = headers[number * framing.header_size : (number + 1) * framing.header_size]
            length = framing.length_of(header) if used + len(header) <= read else 0
            if not length:
                break
            self._note(start + used, self._given + count)
            used += len(header)
            taken = min(length, len(content), read - used)
            used, count = used + taken, count + taken
            self._left = length - taken
            if length != framing.most or self._left:
                break  # what follows was read to the wrong place
        self._reader.position = start + used
        self._given += count
        return count

    def _pieces(self, buffer: memoryview) -> tuple[bytearray, list[memoryview]]:
        """Cut a buffer for the contents of blocks, with room for the header before each but the first.

        :returns: the headers, and the pieces in the order of the stream; the first is what is left of the open block.
        """
        size, most = self._framing.header_size, self._framing.most
        starts = range(self._left, min(len(buffer), _AT_ONCE), most)
        headers = bytearray(len(starts) * size)
        room = memoryview(headers)
        pieces = [buffer[: self._left]]
        for number, start in enumerate(starts):
            pieces += (room[number * size : (number + 1) * size], buffer[start : start + most])
        return headers, pieces

    def _exactly(self, amount: int) -> bytes:
        """Read so many bytes, from as many parts as have them; fewer at the end of the stream."""
        found = b""
        while len(found) < amount and (data := self._reader.read(amount - len(found))):
            found += data
        return found

    def _note(self, position: int, given: int) -> None:
        """Note that a block begins somewhere."""
        window = self._framing.window
        if window is not None and given - self._starts[-1].given >= window:
            self._starts = [self._starts[-1], _Place(position, given)]

    def _continued(self) -> Decoder:
        """Return the library, at the next byte."""
        start = self._starts[0]
        self._reader.close()
        decoder = self._library(start.position)
        if decoder.skip(self._given - start.given) < self._given - start.given:
            raise BrokenStream("it ends too early")
        return decoder
