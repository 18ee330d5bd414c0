# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Compressors behind one small interface: compressed data is stored, the rest is compressed.

gzip: RFC 1952 around RFC 1951; stored parts are "non-compressed blocks" (RFC 1951, 3.2.4), all in one member.
zstd: RFC 8878; stored parts are frames of raw blocks, without the library's checksum: sha256 is over all of it anyway.
"""

from __future__ import annotations

import struct
import zlib
from typing import Protocol

from .._base.buffers import Buffers, Data
from .offsets import Offset, Starts
from .output import GZIP, NONE, ZSTD

try:
    import zstandard

    ZSTANDARD_ERROR: ImportError | None = None
except ImportError as missing:  # the module reports it, with the interpreter it runs under
    ZSTANDARD_ERROR = missing

STORED_CHUNK = 65535  # the most that one stored block holds
CHUNK = 16 * STORED_CHUNK
"""Bytes of a blob that are handed over at once: raw blocks of zstd end with them."""

BUFFER = CHUNK + 16 * 5
"""Bytes of a buffer that a stored piece fits in, in any format."""

_GZIP_LEVEL = 4
_ZSTD_LEVEL = 1
_GZIP_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"  # no name, no time, unknown system: the same everywhere
_ZSTD_BLOCK = 128 * 1024  # Block_Maximum_Size, which is also the window that the frame header below announces
_ZSTD_STORED_FRAME = b"\x28\xb5\x2f\xfd" + bytes((0, (17 - 10) << 3))  # no size, no checksum, a window of 2^17
_ZSTD_LAST_BLOCK = b"\x01\x00\x00"
_LAST_BLOCK = b"\x01\x00\x00\xff\xff"
_LONG = 1024 * 1024  # bytes of a deflated stretch that no further blob is added to

_MAGICS = (
    b"\x1f\x8b",  # gzip
    b"\x28\xb5\x2f\xfd",  # zstd
    b"\xfd7zXZ\x00",  # xz
    b"BZh",  # bzip2
    b"\x04\x22\x4d\x18",  # lz4
)


class Sink(Protocol):
    """Takes bytes in order."""

    def write(self, data: Data) -> None:
        """Take the next bytes, and the buffer that they are in."""

    def end_file(self) -> None:
        """Take what follows into another file."""


class Encoder(Protocol):
    """Turns a stream into another one.

    ``stored`` says that the data is compressed already; it is a hint that changes the bytes that come out, so equal
    input needs equal hints.
    """

    def write(self, data: Data, *, stored: bool) -> None:
        """Take the next bytes, and the buffer that they are in."""

    def end_blob(self) -> None:
        """Make the next bytes readable without a long stretch before them; called behind each blob."""

    def end_image(self) -> None:
        """Make the next bytes independent of those before them, and begin another file; called behind each image."""

    def finish(self) -> None:
        """End the stream."""


class RecordingEncoder(Encoder, Protocol):
    """An encoder that knows where its output can be read from."""

    def offset_of(self, plain: int) -> Offset | None:
        """Return where to read what came after this many bytes; ``None`` if only from the beginning of the stream."""


def is_compressed(start: Data) -> bool:
    """Return True if a blob that begins with these bytes is already compressed."""
    return bytes(start[:8]).startswith(_MAGICS)


def make_encoder(compress: str, level: int | None, sink: Sink, buffers: Buffers) -> RecordingEncoder:
    """Make the encoder of a format.

    :param buffers: of :data:`BUFFER` bytes; those that it is given are given back to them.
    :param level: the user's ``compress_level``, which then applies to everything; ``None``: as fast as is useful.
    """
    if compress == GZIP:
        return GzipEncoder(sink, level, buffers)
    if compress == ZSTD:
        return ZstdEncoder(sink, level, buffers)
    return PlainEncoder(sink)


def library_of(compress: str) -> str:
    """Return name and version of the library whose output is in the archive; another may give other bytes."""
    if compress == GZIP:
        return f"zlib {zlib.ZLIB_RUNTIME_VERSION}"
    if compress == ZSTD and ZSTANDARD_ERROR is None:
        return "zstd " + ".".join(str(number) for number in zstandard.ZSTD_VERSION)
    return NONE


class _Output:
    """The sink of an encoder, with how much it has taken.

    :ivar plain: bytes that the encoder was given.
    :ivar written: bytes that the sink was given.
    """

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self.plain = 0
        self.written = 0

    def write(self, data: Data) -> None:
        self.written += len(data)
        self._sink.write(data)

    def end_file(self) -> None:
        self._sink.end_file()


class _Blocks:
    """Stored blocks on their way to the output, as many in a buffer as fit."""

    def __init__(self, output: _Output, buffers: Buffers) -> None:
        self._output = output
        self._buffers = buffers
        self._buffer = buffers.take()
        self._filled = 0

    def add(self, header: bytes, content: memoryview) -> None:
        """Take a block that is shorter than a buffer."""
        start = self._filled + len(header)
        end = start + len(content)
        if end > len(self._buffer):
            self._output.write(self._buffer[: self._filled])
            self._buffer, self._filled = self._buffers.take(), 0
            start, end = len(header), len(header) + len(content)
        self._buffer[start - len(header) : start] = header
        self._buffer[start:end] = content
        self._filled = end

    def finish(self) -> None:
        """Pass on what is left."""
        self._output.write(self._buffer[: self._filled])


class PlainEncoder:
    """No compression."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink

    def write(self, data: Data, *, stored: bool) -> None:
        self._sink.write(data)

    def end_blob(self) -> None:
        pass

    def end_image(self) -> None:
        self._sink.end_file()

    def finish(self) -> None:
        pass

    def offset_of(self, plain: int) -> Offset | None:
        return Offset(plain, 0)


class GzipEncoder:
    """One gzip member; between stored blocks and deflated ones the stream is brought to a byte boundary."""

    def __init__(self, sink: Sink, level: int | None, buffers: Buffers) -> None:
        self._output = _Output(sink)
        self._buffers = buffers
        self._level = _GZIP_LEVEL if level is None else level
        self._is_one_stretch = level is not None
        self._deflater: zlib._Compress | None = None
        self._is_storing = False
        self._crc = 0
        self._starts = Starts()
        self._output.write(_GZIP_HEADER)

    def write(self, data: Data, *, stored: bool) -> None:
        self._crc = zlib.crc32(data, self._crc)
        if stored and not self._is_one_stretch:
            self._store(data)
        else:
            self._deflate(data)
        self._output.plain += len(data)
        self._buffers.give(data)

    def end_blob(self) -> None:
        if not self._is_one_stretch and self._starts.length_since(self._output.plain) > _LONG:
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
        blocks = _Blocks(self._output, self._buffers)
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


class ZstdEncoder:
    """zstd frames one after the other: those of the library, and our own with what is stored (RFC 8878, 3.1.1).

    The library would read every byte to find that it does not compress.
    """

    def __init__(self, sink: Sink, level: int | None, buffers: Buffers) -> None:
        self._output = _Output(sink)
        self._buffers = buffers
        self._is_one_frame = level is not None
        self._starts = Starts()
        self._compressor = zstandard.ZstdCompressor(level=_ZSTD_LEVEL if level is None else level, write_checksum=True)
        self._frame: zstandard.ZstdCompressionObj | None = None
        self._is_storing = False

    def write(self, data: Data, *, stored: bool) -> None:
        if stored and not self._is_one_frame:
            self._store(data)
        else:
            self._compress(data)
        self._output.plain += len(data)
        self._buffers.give(data)

    def end_blob(self) -> None:
        if not self._is_one_frame and self._starts.length_since(self._output.plain) > _LONG:
            self._end_compressed()

    def end_image(self) -> None:
        self._end_stored()
        self._end_compressed()
        self._output.end_file()

    def finish(self) -> None:
        self._end_stored()
        self._end_compressed()

    def offset_of(self, plain: int) -> Offset | None:
        return None if self._is_one_frame else self._starts.offset_of(plain)

    def _compress(self, data: Data) -> None:
        self._end_stored()
        if self._frame is None:
            self._start()
            self._frame = self._compressor.compressobj()
        self._output.write(self._frame.compress(data))

    def _store(self, data: Data) -> None:
        self._end_compressed()
        if not self._is_storing:
            self._start()
            self._output.write(_ZSTD_STORED_FRAME)
            self._is_storing = True
        blocks = _Blocks(self._output, self._buffers)
        view = memoryview(data)
        for start in range(0, len(data), _ZSTD_BLOCK):
            piece = view[start : start + _ZSTD_BLOCK]
            blocks.add((len(piece) << 3).to_bytes(3, "little"), piece)  # a Raw_Block that is not the last
        blocks.finish()

    def _end_stored(self) -> None:
        if self._is_storing:
            self._output.write(_ZSTD_LAST_BLOCK)
            self._is_storing = False

    def _end_compressed(self) -> None:
        if self._frame is not None:
            self._output.write(self._frame.flush())
            self._frame = None

    def _start(self) -> None:
        if not self._is_one_frame:
            self._starts.add(plain=self._output.plain, position=self._output.written)
