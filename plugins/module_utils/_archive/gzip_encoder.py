# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""gzip: RFC 1952 around RFC 1951. Stored parts are "non-compressed blocks" (RFC 1951, 3.2.4), all in one member."""

from __future__ import annotations

import struct
import zlib

from .._base.buffers import Buffers, Data
from .encoder import LONG, STORED_CHUNK, Blocks, Output, Sink
from .offsets import Offset, Starts

_LEVEL = 4
_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"  # no name, no time, unknown system: the same everywhere
_LAST_BLOCK = b"\x01\x00\x00\xff\xff"


class GzipEncoder:
    """One gzip member; between stored blocks and deflated ones the stream is brought to a byte boundary."""

    def __init__(self, sink: Sink, level: int | None, buffers: Buffers) -> None:
        self._output = Output(sink)
        self._buffers = buffers
        self._level = _LEVEL if level is None else level
        self._is_one_stretch = level is not None
        self._deflater: zlib._Compress | None = None
        self._is_storing = False
        self._crc = 0
        self._starts = Starts()
        self._output.write(_HEADER)

    def write(self, data: Data, *, stored: bool) -> None:
        self._crc = zlib.crc32(data, self._crc)
        if stored and not self._is_one_stretch:
            self._store(data)
        else:
            self._deflate(data)
        self._output.plain += len(data)
        self._buffers.give(data)

    def end_blob(self) -> None:
        if not self._is_one_stretch and self._starts.length_since(self._output.plain) > LONG:
            self._end_deflated()

    def end_image(self) -> None:
        self._end_deflated()
        self._is_storing = False
        self._output.end_file()

    def finish(self) -> None:
        self._end_deflated()
        self._output.write(_LAST_BLOCK + struct.pack("<II", self._crc, self._output.plain & 0xFFFFFFFF))

    def offset_of(self, plain: int) -> Offset | None:
        return None if self._is_one_stretch else self._starts.offset_of(plain)

    def _deflate(self, data: Data) -> None:
        self._is_storing = False
        if self._deflater is None:
            self._start()
            self._deflater = zlib.compressobj(self._level, zlib.DEFLATED, -zlib.MAX_WBITS)
        self._output.write(self._deflater.compress(data))

    def _store(self, data: Data) -> None:
        self._end_deflated()
        if not self._is_storing:
            self._start()
            self._is_storing = True
        blocks = Blocks(self._output, self._buffers)
        view = memoryview(data)
        for start in range(0, len(data), STORED_CHUNK):
            piece = view[start : start + STORED_CHUNK]
            blocks.add(struct.pack("<BHH", 0, len(piece), len(piece) ^ 0xFFFF), piece)
        blocks.finish()

    def _end_deflated(self) -> None:
        if self._deflater is not None:
            self._output.write(self._deflater.flush(zlib.Z_SYNC_FLUSH))
            self._deflater = None

    def _start(self) -> None:
        if not self._is_one_stretch:
            self._starts.add(plain=self._output.plain, position=self._output.written)
