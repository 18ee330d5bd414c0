# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Write one archive from images as they become ready, with the right writer and stages."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum
from typing import Callable, Union

from .._base.buffers import Buffers, Data
from .._base.stage import Stage
from .._base.stop import Check
from .._oci.layout import ROOT, SavedImage
from .compress import make_encoder
from .encoder import BUFFER, Encoder
from .members import Blobs, write_members
from .offsets import Offset
from .output import AT_IMAGE, DIR, Output
from .parts import PartWriter, WrittenFile, at_once
from .tar import TarWriter
from .tree import Standing, TreeWriter

_SYNCS_WAITING = 2


@dataclass(frozen=True)
class Built:
    """A new archive in the staging directory, not yet published.

    :param blobs: bytes of everything in ``share``, by digest.
    :param offsets: where each of them can be read from; empty for a directory, and where all is one stretch.
    """

    images: list[SavedImage]
    blobs: dict[str, int]
    files: list[WrittenFile]
    offsets: dict[str, Offset] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.size for file in self.files)


def build_archive(
    images: Iterable[SavedImage],
    blobs: Blobs,
    output: Output,
    directory: str,
    standing: Standing,
    *,
    check: Check,
) -> Built:
    """Write the archive's files into an empty directory.

    :param images: in list order; may wait for copies.
    :param blobs: where theirs are.
    :param standing: the directory that this one replaces.
    :param check: raises when the run is to end.
    :raises DamagedBlobError: when a blob is not what its name says.
    :raises SpaceError: when the filesystem is full.
    :raises Interrupted: when the run was stopped.
    """
    if output.compress == DIR:
        tree = TreeWriter(
            os.path.join(directory, output.name),
            ROOT,
            standing,
            link=not output.has_attributes,
            is_checked=blobs.is_checked,
            check=check,
        )
        saved, sizes = write_members(images, blobs, tree)
        return Built(saved, sizes, tree.written)
    with Stage(at_once, check=check, waiting=_SYNCS_WAITING) as syncing:
        buffers = Buffers(BUFFER)
        parts = PartWriter(directory, output.part_size, syncing.put, output.only_parts)
        try:
            with Stage(_write_with(parts, buffers), check=check) as writing:
                encoder = make_encoder(output.compress, output.compress_level, _Queue(writing), buffers)
                with Stage(_encode_with(encoder), check=check) as encoding:
                    sink = _Encoding(encoding, ends_images=output.part_at == AT_IMAGE)
                    tar = TarWriter(sink, blobs.is_checked, buffers)
                    saved, sizes = write_members(images, blobs, tar)
                    tar.finish()
                encoder.finish()
            parts.finish()
        except BaseException:
            syncing.drop()
            syncing.wait()
            parts.abort()
            raise
    found = {digest: encoder.offset_of(plain) for digest, plain in tar.contents.items()}
    offsets = {digest: offset for digest, offset in found.items() if offset is not None}
    return Built(saved, sizes, parts.written, offsets)


_Piece = Union[tuple[Data, bool], "_End"]
"""Bytes, and whether they are to be stored; or the end of a blob or an image."""


class _End(Enum):
    BLOB = "blob"
    IMAGE = "image"


def _encode_with(encoder: Encoder) -> Callable[[_Piece], None]:
    def encode(piece: _Piece) -> None:
        if piece is _End.BLOB:
            encoder.end_blob()
        elif piece is _End.IMAGE:
            encoder.end_image()
        else:
            encoder.write(piece[0], stored=piece[1])

    return encode


def _write_with(parts: PartWriter, buffers: Buffers) -> Callable[[Data | None], None]:
    def write(piece: Data | None) -> None:
        if piece is None:
            parts.end_file()
        else:
            parts.write(piece)
            buffers.give(piece)

    return write


class _Queue:
    """Passes the encoder's output to the stage that writes files; ``None``: a file ends."""

    def __init__(self, stage: Stage[Data | None]) -> None:
        self._stage = stage

    def write(self, data: Data) -> None:
        if data:
            self._stage.put(data)

    def end_file(self) -> None:
        self._stage.put(None)


class _Encoding(Encoder):
    """Passes the tar writer's output to the stage that compresses.

    :param ends_images: whether parts end where images do.
    """

    def __init__(self, stage: Stage[_Piece], *, ends_images: bool) -> None:
        self._stage = stage
        self._ends_images = ends_images

    def write(self, data: Data, *, stored: bool) -> None:
        self._stage.put((data, stored))

    def end_blob(self) -> None:
        self._stage.put(_End.BLOB)

    def end_image(self) -> None:
        if self._ends_images:
            self._stage.put(_End.IMAGE)

    def finish(self) -> None:
        """The encoder behind the stage is finished by its owner, once the stage is empty."""
