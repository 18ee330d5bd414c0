# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Small pieces on their way from one thread to the next, many at a time.

A list of hundreds of references has ten thousand small members. Each is three pieces, of header, content and padding,
and to hand over a piece takes longer than to compress it. The pieces stay as they are: how a compressor is called may
change the bytes that come out.
"""

from __future__ import annotations

from enum import Enum
from typing import Callable, Union

from .._base.buffers import Buffers, Data
from .encoder import Encoder

_TOGETHER = 64 * 1024
"""Bytes of pieces that are handed over; a longer one goes with those before it."""


class _End(Enum):
    BLOB = "blob"
    IMAGE = "image"


Batch = list[Union[tuple[Data, bool], _End]]
"""In order, bytes with whether they are to be stored, and the ends of blobs and images."""


class Batches(Encoder):
    """Passes what an encoder is to do to a stage on another thread.

    :param put: takes a batch.
    :param ends_images: whether parts end where images do.
    """

    def __init__(self, put: Callable[[Batch], None], *, ends_images: bool) -> None:
        self._put = put
        self._ends_images = ends_images
        self._batch: Batch = []
        self._size = 0

    def write(self, data: Data, *, stored: bool) -> None:
        self._batch.append((data, stored))
        self._size += len(data)
        if self._size >= _TOGETHER:
            self.finish()

    def end_blob(self) -> None:
        self._batch.append(_End.BLOB)

    def end_image(self) -> None:
        if self._ends_images:
            self._batch.append(_End.IMAGE)

    def finish(self) -> None:
        """Pass on what is left. The encoder itself is finished by its owner, once the stage is empty."""
        batch, self._batch, self._size = self._batch, [], 0
        self._put(batch)


def encode_with(encoder: Encoder) -> Callable[[Batch], None]:
    """Return a function that passes what a batch holds to an encoder."""

    def encode(batch: Batch) -> None:
        for piece in batch:
            if piece is _End.BLOB:
                encoder.end_blob()
            elif piece is _End.IMAGE:
                encoder.end_image()
            else:
                encoder.write(piece[0], stored=piece[1])

    return encode


class Joined:
    """Passes an encoder's output to a stage that writes files, small pieces joined; ``None``: a file ends.

    :param put: takes bytes, and the buffer that they are in.
    :param buffers: get back what was joined.
    """

    def __init__(self, put: Callable[[Data | None], None], buffers: Buffers) -> None:
        self._put = put
        self._buffers = buffers
        self._pieces: list[bytes] = []
        self._size = 0

    def write(self, data: Data) -> None:
        if len(data) < _TOGETHER:
            self._pieces.append(bytes(data))
            self._size += len(data)
            self._buffers.give(data)
        if self._size >= _TOGETHER or len(data) >= _TOGETHER:
            self.finish()
        if len(data) >= _TOGETHER:
            self._put(data)

    def end_file(self) -> None:
        self.finish()
        self._put(None)

    def finish(self) -> None:
        """Pass on what is left."""
        if self._size:
            raw = b"".join(self._pieces)
            self._pieces, self._size = [], 0
            self._put(raw)
