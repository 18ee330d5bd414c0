# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Write one archive from images as they become ready, with the right writer and stages."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Callable

from .._base.buffers import Buffers, Data
from .._base.stage import Stage
from .._base.stop import Check
from .._oci.layout import ROOT, SavedImage
from .batches import Batches, Joined, encode_with
from .compress import make_encoder
from .cutter import Cutter
from .digest_tables import table_of_offsets
from .encoder import BUFFER
from .file_table import FileTable
from .members import Blobs, write_members
from .offsets import Offset
from .output import AT_IMAGE, DIR, Output
from .part_files import Action, PartFiles, PartsBehind, at_once
from .parts import WrittenFile
from .tar import TarWriter
from .tree import ChangesWriter, Kept, Standing, TreeWriter

_SYNCS_WAITING = 2


@dataclass(frozen=True)
class Built:
    """A new archive in the staging directory, not yet published.

    :param blobs: bytes of everything in ``share``, by digest.
    :param offsets: where each of them can be read from; empty for a directory, and where all is one stretch.
    :param files: the parts; none of a directory.
    :param tree: the files of a directory, which have their names already.
    :param new: names of the files that were written, if the others stay in the published directory.
    """

    images: list[SavedImage]
    blobs: Mapping[str, int]
    files: list[WrittenFile]
    offsets: Mapping[str, Offset] = field(default_factory=dict)
    tree: FileTable | None = None
    new: Collection[str] | None = None

    @property
    def written(self) -> list[WrittenFile] | FileTable:
        """All files, of whichever kind they are."""
        return self.files if self.tree is None else self.tree

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.size for file in self.written)


def build_archive(
    images: Iterable[SavedImage],
    blobs: Blobs,
    output: Output,
    directory: str,
    standing: Standing,
    *,
    check: Check,
    kept: Kept | None = None,
) -> Built:
    """Write the archive's files into an empty directory.

    :param images: in list order; may wait for copies.
    :param blobs: where theirs are.
    :param standing: the directory that this one replaces.
    :param check: raises when the run is to end.
    :param kept: the files of that directory that stay there, if only what is new is to be written.
    :raises DamagedBlobError: when a blob is not what its name says.
    :raises SpaceError: when the filesystem is full.
    :raises Interrupted: when the run was stopped.
    """
    if output.compress == DIR:
        tree = _tree_writer(blobs, output, directory, standing, check=check, kept=kept)
        saved, sizes = write_members(images, blobs, tree)
        new = tree.new if isinstance(tree, ChangesWriter) else None
        return Built(saved, sizes, [], tree=tree.written, new=new)
    with Stage(at_once, check=check, waiting=_SYNCS_WAITING) as syncing:
        buffers = Buffers(BUFFER)
        files = PartFiles(directory, syncing.put)
        try:
            with Stage(at_once, check=check) as writing:
                cutter = Cutter(output.part_size, PartsBehind(files, writing.put), output.only_parts)
                with Stage(_cut_with(cutter, buffers, writing.put), check=check) as cutting:
                    joined = Joined(cutting.put, buffers)
                    encoder = make_encoder(output.compress, output.compress_level, joined, buffers)
                    with Stage(encode_with(encoder), check=check) as encoding:
                        batches = Batches(encoding.put, ends_images=output.part_at == AT_IMAGE)
                        tar = TarWriter(batches, blobs.is_checked, buffers)
                        saved, sizes = write_members(images, blobs, tar)
                        tar.finish()
                    encoder.finish()
                    joined.finish()
                cutter.finish()
            files.finish()
        except BaseException:
            syncing.drop()
            syncing.wait()
            files.abort()
            raise
    found = ((digest, encoder.offset_of(plain)) for digest, plain in tar.contents())
    offsets = table_of_offsets((digest, (at.position, at.skip)) for digest, at in found if at is not None)
    return Built(saved, sizes, files.written, offsets)


def _tree_writer(
    blobs: Blobs, output: Output, directory: str, standing: Standing, *, check: Check, kept: Kept | None
) -> TreeWriter:
    root = os.path.join(directory, output.name)
    if kept is not None:
        return ChangesWriter(root, ROOT, standing, kept, is_checked=blobs.is_checked, check=check)
    return TreeWriter(root, ROOT, standing, link=not output.has_attributes, is_checked=blobs.is_checked, check=check)


def _cut_with(cutter: Cutter, buffers: Buffers, then: Callable[[Action], None]) -> Callable[[Data | None], None]:
    """Return what cuts and hashes a piece, while the one before it is written; ``None``: a file ends.

    :param then: runs an action once the piece is written.
    """

    def cut(piece: Data | None) -> None:
        if piece is None:
            cutter.end_file()
        else:
            cutter.write(piece)
            then(partial(buffers.give, piece))

    return cut
