# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One blob, written to a file as it arrives: hashed, limited to its size, and resumed where it broke off."""

from __future__ import annotations

import hashlib
import os
import re
import zlib
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Any, Callable

from .._base.errors import TransferError
from .._http.response import Response, is_gzip, number_of
from .._oci.descriptor import Descriptor
from .retry import BrokenOffError

_GOOD_PIECE = _PIECE = 1024 * 1024
_GZIP_MAGIC = b"\x1f\x8b"
_CONTENT_RANGE = re.compile(r"bytes (\d{1,19})-(\d{1,19})/(\d{1,19}|\*)", re.ASCII)


class EncodingError(TransferError):
    """The decoded bytes are not the blob; the bytes as they were sent may be."""


class BlobFile:
    """Takes the body of one blob, over as many answers as it needs.

    :param path: is written anew; its owner removes it when the blob does not come.
    :ivar size: bytes that are there.
    """

    def __init__(self, descriptor: Descriptor, path: str, what: str) -> None:
        self._descriptor = descriptor
        self._path = path
        self._what = what
        self._hasher = hashlib.sha256()
        self._furthest = 0
        self._unpacker: Any = None
        self._is_as_it_is = False
        self.size = 0

    def request_headers(self) -> dict[str, str]:
        """Return the headers that ask for all of the blob, or for the rest of it (RFC 9110, 14.2)."""
        return {"Range": f"bytes={self.size}-"} if self.size and self._unpacker is None else {}

    def take(self, answer: Response, chunks: Iterable[bytes], check: Callable[[], None]) -> None:
        """Write the body of an answer.

        :param check: is called between chunks; raises where the transfer is to end.
        :raises BrokenOffError: when it breaks off after a good piece.
        :raises TransferError: when it breaks off at once, or is not the blob.
        """
        if not self._continues(answer):
            self._start_again()
            self._unpacker = self._unpacker_for(answer)
        start = self.size
        try:
            self._write(self._unpacked(chunks), check)
        except TransferError as error:
            # Where all of it has come, its digest decides, whatever the answer said of its length.
            if not error.heals or self.size < start:
                raise
            if self.size < self._descriptor.size:
                came, self._furthest = self.size - self._furthest, max(self.size, self._furthest)
                if came < _GOOD_PIECE:
                    raise
                raise BrokenOffError(str(error), heals=True, retry_after=error.retry_after) from error
        if self.size != self._descriptor.size:
            raise self._wrong("fewer bytes than its descriptor says")
        if f"sha256:{self._hasher.hexdigest()}" != self._descriptor.digest:
            raise self._wrong("other bytes than its digest names")

    def _write(self, chunks: Iterable[bytes], check: Callable[[], None]) -> None:
        with open(self._path, "ab" if self.size else "wb", buffering=0) as file:
            for chunk in chunks:
                check()
                if self.size + len(chunk) > self._descriptor.size:
                    raise self._wrong("more bytes than its descriptor says")
                self._hasher.update(chunk)
                _write_all(file.write, chunk)
                self.size += len(chunk)

    def _unpacker_for(self, answer: Response) -> Any:
        """Return the decompressor for an encoding that was not asked for; ``None`` if there is none.

        Blobs that are gzip themselves may have the same header. It is trusted if the length differs from that of the
        blob; the digest decides.
        """
        encoded = is_gzip(answer.header("content-encoding"))
        has_size = number_of(answer.header("content-length")) == self._descriptor.size
        return zlib.decompressobj(wbits=31) if encoded and not has_size and not self._is_as_it_is else None

    def _unpacked(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        is_first = True
        for chunk in chunks:
            if is_first and not chunk.startswith(_GZIP_MAGIC):
                self._unpacker = None  # whatever the answer says of itself
            is_first = False
            yield from [chunk] if self._unpacker is None else self._unpack(chunk)

    def _unpack(self, chunk: bytes) -> Iterator[bytes]:
        """Decompress in pieces, because a few bytes may expand to many."""
        try:
            while True:
                piece = self._unpacker.decompress(chunk, _PIECE)
                yield piece
                chunk = self._unpacker.unconsumed_tail
                if not chunk and len(piece) < _PIECE:
                    return
        except zlib.error:
            raise self._wrong("another encoding than it says") from None

    def _continues(self, answer: Response) -> bool:
        """Return True if the response is the rest that was asked for; a server may send all of the blob instead."""
        if answer.status != 206:
            return False
        found = _CONTENT_RANGE.fullmatch(answer.header("content-range").strip())
        if found is None or int(found.group(1)) != self.size:
            raise self._wrong("another range than was asked for")
        return True

    def _wrong(self, how: str) -> TransferError:
        self._start_again()
        is_unpacked, self._unpacker = self._unpacker is not None, None
        self._is_as_it_is = is_unpacked
        told = f"{self._what} came with {how}"
        return EncodingError(told, heals=True) if is_unpacked else TransferError(told, heals=True)

    def _start_again(self) -> None:
        """Discard what was received, and free its space on the disk until the next try."""
        self._hasher, self.size = hashlib.sha256(), 0
        with suppress(FileNotFoundError):
            os.unlink(self._path)


def _write_all(write: Callable[[memoryview], int | None], chunk: bytes) -> None:
    view = memoryview(chunk)
    while view:
        view = view[write(view) or 0 :]
