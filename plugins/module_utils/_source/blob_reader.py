# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A blob of an archive as a file-like body for a request, which never ends well with wrong bytes."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from types import TracebackType
from typing import Protocol

from .._archive.encoder import CHUNK
from .._base.errors import ImagesError
from .._oci.image import hex_of
from .errors import BrokenStream

_PIECE = CHUNK
"""Bytes that are read and hashed at once. Stored pieces have this length, in any format."""


class Content(Protocol):
    """The bytes of a blob from its first one on, and perhaps others behind them."""

    def readinto(self, buffer: memoryview) -> int:
        """Put some of the next bytes into a buffer; return how many, none at the end.

        :raises BrokenStream: when the archive makes no sense there.
        """

    def close(self) -> None:
        """Close what is open."""


class Contents(Protocol):
    """Where the bytes of blobs come from."""

    def start(self, digest: str) -> Content:
        """Open a blob at its first byte.

        :raises BrokenStream: when the archive makes no sense there.
        """

    def explain(self, digest: str, found: str) -> ImagesError:
        """Find out why a blob came out wrong, and make the error for the user."""


class BlobReader:
    """Reads a blob from its start to its end, and again after :meth:`seek`. For one thread at a time.

    All of it is hashed on the way. The last piece is given out only after the sha256 of the whole turned out right, so
    whoever got ``size`` bytes has the right ones.

    :ivar digest: of the blob, ``sha256:<hex>``.
    :ivar size: its bytes.
    """

    def __init__(self, digest: str, size: int, contents: Contents) -> None:
        self.digest = digest
        self.size = size
        self._contents = contents
        self._content: Content | None = None
        self._memory = memoryview(b"")
        self._buffer = self._memory  # what is in it, and was not given out
        self._hasher = hashlib.sha256()
        self._hashed = 0
        self._position = 0  # of the next byte in the buffer
        self._target = 0
        self._is_right = False
        self._error: ImagesError | None = None

    def __enter__(self) -> BlobReader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def read(self, amount: int = -1) -> bytes:
        """Read on.

        :param amount: bytes; below 0: all that are left, which are then in memory.
        :returns: so many bytes, fewer at the end of the blob, none behind it.
        :raises SourceGone: when the disk, stick or share does not answer any more.
        :raises MissingPart: when a part is not there.
        :raises DamagedPart: when the bytes are wrong because a part is damaged.
        :raises WrongOffset: when the bytes were wrong, and will be right after ``seek(0)``.
        :raises WrongLock: when the bytes are wrong although all parts are whole.
        """
        left = self.size - self._target
        left = left if amount < 0 else min(amount, left)
        pieces = [bytes(self.read1(left))]
        while left := left - len(pieces[-1]):
            pieces.append(bytes(self.read1(left)))
        return b"".join(pieces)

    def read1(self, amount: int) -> memoryview:
        """Read on, but no more than was read at once; else as :meth:`read`, without a copy.

        :param amount: bytes at most.
        :returns: at least one byte, unless that is the end of the blob. They may change with the next call.
        """
        if self._error is not None:
            raise self._error
        try:
            self._move()
            piece = self._take(min(amount, self.size - self._position))
            self._target = self._position
            return piece
        except BrokenStream as error:
            self._fail(self._contents.explain(self.digest, str(error)))
        except ImagesError as error:
            self._fail(error)
        raise AssertionError  # _fail always raises

    def seek(self, offset: int, whence: int = 0) -> int:
        """Go to a place in the blob. Going back means to read it again from its start.

        :param whence: as :meth:`io.IOBase.seek` has it.
        :returns: the new place.
        """
        base = {0: 0, 1: self._target, 2: self.size}[whence]
        self._target = max(0, min(base + offset, self.size))
        self._error = None
        return self._target

    def tell(self) -> int:
        """Return the place of the next byte."""
        return self._target

    def close(self) -> None:
        """Close what is open. Reading opens it again, at the start."""
        if self._content is not None:
            self._content.close()
        self._content = None
        self._memory = self._buffer = memoryview(b"")
        self._hasher = hashlib.sha256()
        self._hashed = self._position = 0

    def _fail(self, error: ImagesError) -> None:
        self.close()
        self._error = error
        raise error

    def _move(self) -> None:
        """Go where :meth:`seek` wants to be."""
        if self._target < self._position:
            self.close()
        while self._position < self._target:
            self._take(self._target - self._position)

    def _take(self, most: int) -> memoryview:
        if self.size == 0 and not self._is_right:
            self._check()
        if most and not self._buffer:
            self._fill()
        piece = self._buffer[:most]
        self._buffer = self._buffer[len(piece) :]
        self._position += len(piece)
        return piece

    def _fill(self) -> None:
        """Read and hash the next piece."""
        if self._content is None:
            self._content = self._contents.start(self.digest)
            self._memory = memoryview(bytearray(min(_PIECE, self.size)))
        piece = self._memory[: self.size - self._hashed]
        filled = 0
        while filled < len(piece):
            count = self._content.readinto(piece[filled:])
            if not count:
                raise BrokenStream(f"the archive ends after {self._hashed + filled} of {self.size} bytes of it")
            filled += count
        self._hasher.update(piece)
        self._hashed += len(piece)
        if self._hashed == self.size:
            self._check()
        self._buffer = piece

    def _check(self) -> None:
        if self._hasher.hexdigest() != hex_of(self.digest):
            raise BrokenStream("its bytes have another sha256")
        self._is_right = True
        if self._content is not None:
            with suppress(OSError):
                self._content.close()
