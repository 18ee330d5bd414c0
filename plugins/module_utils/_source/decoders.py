# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Decoders that can start wherever the lock file says that a stretch of an archive begins.

gzip: RFC 1952, its blocks RFC 1951; zstd: RFC 8878. Output is bounded piece by piece, whatever the input expands to.
"""

from __future__ import annotations

import zlib
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import IO, cast

from .._archive.output import GZIP, ZSTD
from .._archive.zstd_encoder import ZSTANDARD_ERROR
from .decoder import READ_AT_ONCE, Decoder, Snapshot, skip_by_reading
from .errors import BrokenStream, SourceError
from .joined import JoinedParts, PartReader
from .stored_blocks import GZIP_BLOCKS, ZSTD_BLOCKS, StoredBlocks

with suppress(ImportError):  # ZSTANDARD_ERROR tells
    import zstandard

_WITHIN = 128 * 1024  # input that a decoder may have taken for output that it has not given yet
_GZIP_MAGIC = b"\x1f\x8b"
_WITH_HEADER = 16 + zlib.MAX_WBITS
_MOST_WINDOW = 2**27  # what libzstd itself accepts unless it is told otherwise


def start_decoder(joined: JoinedParts, compress: str, position: int) -> Decoder:
    """Make a decoder that starts at a place of the joined parts.

    :param compress: ``gzip``, ``zstd`` or ``none``.
    :param position: 0, or where a stretch begins.
    :raises SourceError: when the library for the format is missing.
    """
    if compress == GZIP:
        if position:
            return StoredBlocks(joined.reader(position), GZIP_BLOCKS, partial(_inflater, joined))
        return Inflater(joined.reader(0), zlib.decompressobj(_WITH_HEADER), has_members=True)
    if compress == ZSTD:
        _require_zstandard()
        return StoredBlocks(joined.reader(position), ZSTD_BLOCKS, lambda start: ZstdDecoder(joined.reader(start)))
    return Plain(joined.reader(position))


def _inflater(joined: JoinedParts, position: int) -> Inflater:
    """Make a decoder for deflate from the beginning of a block."""
    return Inflater(joined.reader(position), zlib.decompressobj(-zlib.MAX_WBITS), has_members=False)


def _require_zstandard() -> None:
    if ZSTANDARD_ERROR is not None:
        raise SourceError(
            "the archive is compressed with zstd; install the Python library zstandard on this host to read it"
        )


class Plain:
    """No compression."""

    def __init__(self, reader: PartReader) -> None:
        self._reader = reader

    def read(self, amount: int) -> bytes:
        return self._reader.read(amount)

    def readinto(self, buffer: memoryview) -> int:
        return self._reader.readinto(buffer)

    def skip(self, amount: int) -> int:
        return self._reader.skip(amount)

    def consumed(self) -> tuple[int, int]:
        return self._reader.position, self._reader.position

    def snapshot(self) -> Snapshot | None:
        return _PlainSnapshot(self._reader.position)

    def close(self) -> None:
        self._reader.close()


@dataclass(frozen=True)
class _PlainSnapshot:
    position: int

    def decoder(self, joined: JoinedParts) -> Decoder:
        return Plain(joined.reader(self.position))


class Inflater:
    """gzip from its beginning, all members, or deflate from the beginning of a stretch.

    :param has_members: whether it reads gzip members with their headers.
    :param rest: input that was read and is not used yet.
    :param is_full: whether output may wait within zlib.
    """

    def __init__(
        self,
        reader: PartReader,
        inflater: zlib._Decompress,
        *,
        has_members: bool,
        rest: bytes = b"",
        is_full: bool = False,
    ) -> None:
        self._reader = reader
        self._inflater = inflater
        self._has_members = has_members
        self._rest = rest
        self._is_full = is_full

    def read(self, amount: int) -> bytes:
        while amount:
            if self._inflater.eof and not self._next_member():
                break
            # Output that did not fit waits within zlib, even where all input was taken.
            data = self._rest or (b"" if self._is_full else self._input())
            try:
                out = self._inflater.decompress(data, amount)
            except zlib.error as error:
                raise BrokenStream(str(error)) from error
            self._rest, self._is_full = self._inflater.unconsumed_tail, len(out) == amount
            if out:
                return out
        return b""

    def readinto(self, buffer: memoryview) -> int:
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def skip(self, amount: int) -> int:
        return skip_by_reading(self, amount)

    def consumed(self) -> tuple[int, int]:
        most = self._reader.position - len(self._rest)
        return max(0, most - _WITHIN), most

    def snapshot(self) -> Snapshot | None:
        return _InflaterSnapshot(
            self._reader.position, self._inflater.copy(), self._has_members, self._rest, self._is_full
        )

    def close(self) -> None:
        self._reader.close()

    def _input(self) -> bytes:
        data = self._reader.read(READ_AT_ONCE)
        if not data:
            raise BrokenStream("it ends too early")
        return data

    def _next_member(self) -> bool:
        """Start the next gzip member, if one follows."""
        if not self._has_members:
            return False
        rest = self._inflater.unused_data or self._reader.read(READ_AT_ONCE)
        if len(rest) == 1:
            rest += self._reader.read(READ_AT_ONCE)
        if not rest.startswith(_GZIP_MAGIC):
            return False
        self._inflater, self._rest, self._is_full = zlib.decompressobj(_WITH_HEADER), rest, False
        return True


@dataclass(frozen=True)
class _InflaterSnapshot:
    position: int
    inflater: zlib._Decompress
    has_members: bool
    rest: bytes
    is_full: bool

    def decoder(self, joined: JoinedParts) -> Decoder:
        return Inflater(
            joined.reader(self.position),
            self.inflater.copy(),
            has_members=self.has_members,
            rest=self.rest,
            is_full=self.is_full,
        )


class ZstdDecoder:
    """zstd frames, one after the other."""

    def __init__(self, reader: PartReader) -> None:
        self._reader = reader
        decompressor = zstandard.ZstdDecompressor(max_window_size=_MOST_WINDOW)
        source = cast("IO[bytes]", reader)  # it asks for read() only
        self._stream = decompressor.stream_reader(source, read_size=READ_AT_ONCE, read_across_frames=True)

    def read(self, amount: int) -> bytes:
        try:
            return self._stream.read(amount)
        except zstandard.ZstdError as error:
            raise BrokenStream(str(error)) from error

    def readinto(self, buffer: memoryview) -> int:
        try:
            return self._stream.readinto(buffer)
        except zstandard.ZstdError as error:
            raise BrokenStream(str(error)) from error

    def skip(self, amount: int) -> int:
        return skip_by_reading(self, amount)

    def consumed(self) -> tuple[int, int]:
        return max(0, self._reader.position - READ_AT_ONCE - _WITHIN), self._reader.position

    def snapshot(self) -> Snapshot | None:
        return None

    def close(self) -> None:
        self._reader.close()
