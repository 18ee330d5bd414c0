# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The blobs of an archive that is a directory, or of any unpacked OCI image layout."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterable, Iterator, Mapping

from .._base.errors import ImagesError, printable
from .._base.stop import Check
from .._oci.image import hex_of
from .._oci.layout import SAVED_IMAGES
from .._oci.limits import MAX_MANIFEST_BYTES
from .blob_reader import BlobReader, Content
from .contents import BEGIN_JSON
from .errors import DamagedPart, MissingBlob, SourceError, WrongLock, cannot_read
from .joined import JoinedParts, PartFile
from .part_check import PartCheck
from .small_file import read_small

FOLDERS = ("share/sha256", "blobs/sha256")
"""Where blobs are, below the root: in archives, and in layouts (image-spec, image-layout.md)."""

_HEX = re.compile(r"[0-9a-f]{64}")


class TreeBlobs:
    """The blobs of a directory.

    :param root: its path.
    :param sizes: of the blobs, by digest, if there is a lock file.
    :param check: called before each read; raises when the run is to end.
    """

    has_offsets = True

    def __init__(self, root: str, *, sizes: Mapping[str, int], checked: PartCheck, check: Check) -> None:
        self._root = root
        self._folder = os.path.join(root, _folder_of(root))
        self._checked = checked
        self._check = check
        self.sizes: Mapping[str, int] = sizes or _sizes_below(self._folder)

    def open(self, digest: str) -> BlobReader:
        """Open a blob; nothing is read yet.

        :raises MissingBlob: when the archive does not have it.
        """
        if digest not in self.sizes:
            raise MissingBlob(f"the archive does not contain {printable(digest, 100)}")
        return BlobReader(digest, self.sizes[digest], self)

    def document(self, digest: str) -> bytes:
        """Read a manifest, index or configuration.

        :raises MissingBlob: when the archive does not have it.
        :raises WrongLock: when it is too large for one.
        """
        with self.open(digest) as reader:
            if reader.size > MAX_MANIFEST_BYTES:
                raise WrongLock(f"{digest} has {reader.size} bytes, which is too much for a manifest")
            return reader.read()

    def documents(self, digests: Iterable[str]) -> Iterator[tuple[str, bytes]]:
        """Yield documents; those that cannot be read are left out."""
        for digest in digests:
            try:
                raw = self.document(digest)
            except SourceError:
                continue
            yield digest, raw

    def all_documents(self) -> Iterator[tuple[str, bytes]]:
        """Yield everything that may be a manifest or index, by digest."""
        for digest, size in self.sizes.items():
            if 0 < size <= MAX_MANIFEST_BYTES:
                with self.open(digest) as reader:
                    first = reader.read(1)
                    if first[0] in BEGIN_JSON:
                        yield digest, first + reader.read()

    def lists(self) -> Mapping[str, bytes]:
        """Return ``index.json`` and hangar's list, by name."""
        found = {name: read_small(os.path.join(self._root, name)) for name in ("index.json", SAVED_IMAGES)}
        return {name: raw for name, raw in found.items() if raw is not None}

    def damage(self) -> ImagesError | None:
        """Return why not all of the directory could be looked through, which it always can."""
        return None

    def in_stream_order(self, digests: Iterable[str]) -> Iterator[tuple[str, BlobReader]]:
        """Yield blobs, each with a reader."""
        for digest in digests:
            if digest in self.sizes:
                with self.open(digest) as reader:
                    yield digest, reader

    def parts_of(self, digest: str) -> tuple[PartFile, ...]:
        """Return the file that is the blob."""
        return (self._file_of(digest),)

    def start(self, digest: str) -> Content:
        """Open a blob at its first byte."""
        part = self._file_of(digest)
        if not part.path:
            if not os.path.isdir(self._folder):
                raise cannot_read(self._folder, FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT)))
            path = os.path.join(self._folder, hex_of(digest))
            raise MissingBlob(f"{path} is missing; copy the directory again")
        return JoinedParts([part], self._check).reader(0)

    def explain(self, digest: str, found: str) -> ImagesError:
        """Find out why a blob came out wrong."""
        part = self._file_of(digest)
        return self._checked.damage(part) or DamagedPart(f"{part.path} is damaged: {found}. Copy it again")

    def _file_of(self, digest: str) -> PartFile:
        path = os.path.join(self._folder, hex_of(digest))
        name = f"{os.path.basename(os.path.dirname(self._folder))}/sha256/{hex_of(digest)}"
        there = path if os.path.lexists(path) else ""
        return PartFile(name, there, 0, self.sizes.get(digest, 0), hex_of(digest))


def _folder_of(root: str) -> str:
    return next((folder for folder in FOLDERS if os.path.isdir(os.path.join(root, folder))), FOLDERS[0])


def _sizes_below(folder: str) -> dict[str, int]:
    """List the files that have a sha256 for a name."""
    try:
        with os.scandir(folder) as entries:
            return {
                f"sha256:{entry.name}": entry.stat(follow_symlinks=False).st_size
                for entry in entries
                if _HEX.fullmatch(entry.name) and entry.is_file(follow_symlinks=False)
            }
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise cannot_read(folder, error) from error
