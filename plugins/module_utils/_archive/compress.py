# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The compressor of each format. What is compressed already is stored, and the rest is compressed."""

from __future__ import annotations

import zlib

from .._base.buffers import Buffers, Data
from .encoder import RecordingEncoder, Sink
from .gzip_encoder import GzipEncoder
from .offsets import Offset
from .output import GZIP, NONE, ZSTD
from .zstd_encoder import ZstdEncoder, zstd_version


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
    if compress == ZSTD and zstd_version():
        return f"zstd {zstd_version()}"
    return NONE


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
