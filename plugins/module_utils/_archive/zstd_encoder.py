# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""zstd: RFC 8878. Stored parts are frames of raw blocks, without the library's checksum: sha256 covers them anyway."""

from __future__ import annotations

from .._base.buffers import Buffers, Data
from .encoder import LONG, Blocks, Output, Sink
from .offsets import Offset, Starts

try:
    import zstandard

    ZSTANDARD_ERROR: ImportError | None = None
except ImportError as missing:  # the module reports it, with the interpreter it runs under
    ZSTANDARD_ERROR = missing

_LEVEL = 1
STORED_BLOCK = 128 * 1024  # Block_Maximum_Size, which is also the window that the frame header below announces
STORED_FRAME = b"\x28\xb5\x2f\xfd" + bytes((0, (17 - 10) << 3))  # no size, no checksum, a window of 2^17
_LAST_BLOCK = b"\x01\x00\x00"


def zstd_version() -> str:
    """Return the version of the library's code for zstd; empty if there is no library."""
    return "" if ZSTANDARD_ERROR is not None else ".".join(str(number) for number in zstandard.ZSTD_VERSION)


class ZstdEncoder:
    """zstd frames one after the other: those of the library, and our own with what is stored (RFC 8878, 3.1.1).

    The library would read every byte to find that it does not compress.
    """

    def __init__(self, sink: Sink, level: int | None, buffers: Buffers) -> None:
        self._output = Output(sink)
        self._buffers = buffers
        self._is_one_frame = level is not None
        self._starts = Starts()
        self._compressor = zstandard.ZstdCompressor(level=_LEVEL if level is None else level, write_checksum=True)
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
        if not self._is_one_frame and self._starts.length_since(self._output.plain) > LONG:
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
            self._output.write(STORED_FRAME)
            self._is_storing = True
        blocks = Blocks(self._output, self._buffers)
        view = memoryview(data)
        for start in range(0, len(data), STORED_BLOCK):
            piece = view[start : start + STORED_BLOCK]
            blocks.add((len(piece) << 3).to_bytes(3, "little"), piece)  # a Raw_Block that is not the last
        blocks.finish()

    def _end_stored(self) -> None:
        if self._is_storing:
            self._output.write(_LAST_BLOCK)
            self._is_storing = False

    def _end_compressed(self) -> None:
        if self._frame is not None:
            self._output.write(self._frame.flush())
            self._frame = None

    def _start(self) -> None:
        if not self._is_one_frame:
            self._starts.add(plain=self._output.plain, position=self._output.written)
