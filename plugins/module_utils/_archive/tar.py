# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Members of an archive, as a tar stream or as a directory tree; the bytes depend on the content alone.

POSIX.1-1988 (ustar), with GNU's spelling of sizes above 8 GiB, which GNU tar, busybox, Python and Go read.
"""

from __future__ import annotations

import hashlib
import os
import tarfile
from array import array
from collections.abc import Iterator
from typing import Callable, Protocol

from .._base.buffers import Buffers, Data
from .._base.errors import DamagedBlobError
from .._host.files import keep_from_others, open_regular
from .._oci.descriptor import Descriptor
from .encoder import BUFFER, CHUNK, Encoder, is_compressed
from .small_blob import SMALL, read_checked, refuse_difference
from .tar_header import header_of

RECORD = 20 * 512
"""Bytes of which a tar is a multiple."""

IsChecked = Callable[[str, int], bool]
"""Returns whether the blob of a digest, in an open file, was checked in this run, and the file not touched since."""


def nothing_is_checked(digest: str, descriptor: int) -> bool:
    """Answer for blobs of which nothing is known."""
    return False


class Writer(Protocol):
    """Takes the members of an archive, in their order. Names are relative, with ``/``."""

    def directory(self, name: str) -> None:
        """Take a directory; it comes before what is in it."""

    def document(self, name: str, raw: bytes) -> None:
        """Take a small file that was made here."""

    def blob(self, name: str, path: str, blob: Descriptor) -> None:
        """Take a file of the cache, and check its bytes against its digest.

        :raises DamagedBlobError: when they are not those; the archive is then of no use.
        """

    def link(self, name: str, target: str) -> None:
        """Take a symbolic link."""

    def end_image(self) -> None:
        """Take note that the members of an image end here, or those that precede all images."""


class TarWriter:
    """Writes a tar stream into an encoder.

    :param is_checked: says which blobs need not be hashed once more.
    :param buffers: of :data:`BUFFER` bytes; the encoder gives them back.
    """

    def __init__(
        self, encoder: Encoder, is_checked: IsChecked = nothing_is_checked, buffers: Buffers | None = None
    ) -> None:
        self._encoder = encoder
        self._buffers = buffers or Buffers(BUFFER)
        self._is_checked = is_checked
        self._size = 0
        self._digests: list[str] = []
        self._starts = array("q")

    def contents(self) -> Iterator[tuple[str, int]]:
        """Yield the digest of each blob, and where its content begins in the stream."""
        return zip(self._digests, self._starts)

    def directory(self, name: str) -> None:
        self._header(f"{name}/", tarfile.DIRTYPE, 0o755)

    def document(self, name: str, raw: bytes) -> None:
        self._header(name, tarfile.REGTYPE, 0o644, size=len(raw))
        self._write(raw + _padding(len(raw)), stored=False)

    def link(self, name: str, target: str) -> None:
        self._header(name, tarfile.SYMTYPE, 0o777, target=target)

    def blob(self, name: str, path: str, blob: Descriptor) -> None:
        self._header(name, tarfile.REGTYPE, 0o644, size=blob.size)
        self._digests.append(blob.digest)
        self._starts.append(self._size)
        if blob.size <= SMALL:
            self._small(read_checked(path, blob))
        else:
            self._large(path, blob)
        self._write(_padding(blob.size), stored=False)
        self._encoder.end_blob()

    def _small(self, raw: bytes) -> None:
        if raw:
            self._write(raw, stored=is_compressed(raw))

    def _large(self, path: str, blob: Descriptor) -> None:
        stored: bool | None = None
        for chunk in checked_chunks(path, blob, self._is_checked, self._buffers):
            stored = is_compressed(chunk) if stored is None else stored
            self._write(chunk, stored=stored)

    def end_image(self) -> None:
        self._encoder.end_image()

    def finish(self) -> None:
        """End the stream: two empty blocks, filled up to a whole record as ``tar`` does."""
        end = 2 * 512
        self._write(bytes(end + -(self._size + end) % RECORD), stored=False)
        self._encoder.finish()

    def _header(self, name: str, kind: bytes, mode: int, *, size: int = 0, target: str = "") -> None:
        self._write(header_of(name, kind, mode, size=size, target=target), stored=False)

    def _write(self, data: Data, *, stored: bool) -> None:
        self._size += len(data)
        self._encoder.write(data, stored=stored)


def checked_chunks(
    path: str, blob: Descriptor, is_checked: IsChecked = nothing_is_checked, buffers: Buffers | None = None
) -> Iterator[memoryview]:
    """Read a blob in chunks of a fixed size, and compare size and sha256 with its descriptor; make its mode harmless.

    :param is_checked: says whether it need not be hashed, asked before and after it is read.
    :param buffers: of :data:`BUFFER` bytes, which chunks are in until they are given back.
    :raises DamagedBlobError: at the latest after the last chunk.
    """
    size = 0
    buffers = buffers or Buffers(BUFFER)
    try:
        with open_regular(path) as file:
            hasher = None if is_checked(blob.digest, file.fileno()) else hashlib.sha256()
            while True:
                memory = buffers.take()
                chunk = memory[: _read(file.fileno(), memory[:CHUNK])]
                if not chunk:
                    buffers.give(memory)
                    break
                size += len(chunk)
                if size > blob.size:
                    refuse_difference(blob, size, None)
                if hasher is not None:
                    hasher.update(chunk)
                yield chunk
            refuse_difference(blob, size, None if hasher is None else hasher.hexdigest())
            if hasher is None and not is_checked(blob.digest, file.fileno()):
                raise DamagedBlobError(blob.digest, "it was touched while it was read")
            keep_from_others(file.fileno())
    except OSError as error:
        raise DamagedBlobError(blob.digest, str(error.strerror)) from error


def _read(descriptor: int, memory: memoryview) -> int:
    """Fill memory from a file; return how many bytes there were, fewer only at its end."""
    done = 0
    while done < len(memory):
        read = os.readv(descriptor, [memory[done:]])
        if not read:
            break
        done += read
    return done


def is_sound(path: str, blob: Descriptor, is_checked: IsChecked) -> bool:
    """Return True if a blob of the right size was checked in this run, so that it need not be read at all."""
    try:
        with open_regular(path) as file:
            return os.fstat(file.fileno()).st_size == blob.size and is_checked(blob.digest, file.fileno())
    except OSError:
        return False


def _padding(size: int) -> bytes:
    return bytes(-size % 512)
