# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The interface of compressors, and what those of several formats share."""

from __future__ import annotations

from typing import Protocol

from .._base.buffers import Buffers, Data
from .offsets import Offset

STORED_CHUNK = 65535  # the most that one stored block of gzip holds
CHUNK = 16 * STORED_CHUNK
"""Bytes of a blob that are handed over at once: raw blocks of zstd end with them."""

BUFFER = CHUNK + 16 * 5
"""Bytes of a buffer that a stored piece fits in, in any format."""

LONG = 1024 * 1024
"""Bytes of a compressed stretch that no further blob is added to."""

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


class Output:
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


class Blocks:
    """Stored blocks on their way to the output, as many in a buffer as fit."""

    def __init__(self, output: Output, buffers: Buffers) -> None:
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
