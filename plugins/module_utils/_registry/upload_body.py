# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The bytes of a blob on their way out: read as they are sent, with a stop, and a count of what went."""

from __future__ import annotations

from typing import Callable, Protocol

from .._base.buffers import Data
from .._base.errors import TransferError
from .._base.stop import Check


class BlobSource(Protocol):
    """The bytes of one blob, which can be read again from any position.

    It checks them itself: reading raises, with the last bytes at the latest, if they have another digest.
    """

    @property
    def size(self) -> int:
        """All bytes of the blob."""

    def read1(self, size: int, /) -> Data:
        """Return some of the next bytes, at most so many; none at the end. The next call may change them."""

    def seek(self, position: int, /) -> object:
        """Go to a position."""


class SourceFailed(Exception):
    """The source raised an error, which must not be taken for one of the connection.

    :ivar error: what it raised.
    """

    def __init__(self, error: OSError) -> None:
        super().__init__(str(error))
        self.error = error


class UploadBody:
    """A stretch of a blob, as the body of a request.

    :param what: names the blob, for errors.
    :param check: is called before each piece; raises where the upload is to end.
    :param on_sent: is told of the bytes of each piece that was sent, and of a negative number where bytes have to be
        sent again.
    :ivar sent: bytes of the blob that were sent, counted from its beginning.
    """

    def __init__(
        self, source: BlobSource, *, size: int, what: str, check: Check, on_sent: Callable[[int], None]
    ) -> None:
        self._source = source
        self._size = size
        self._what = what
        self._check = check
        self._on_sent = on_sent
        self._position = self._end = self.sent = 0

    def choose(self, start: int, end: int) -> None:
        """Go to a stretch of the blob, which is then all there is."""
        self._end = end
        self.seek(start)

    def read(self, size: int, /) -> Data:
        """Return the next bytes of the stretch; what was returned before has been sent, and may change.

        :raises SourceFailed: when the source cannot be read.
        :raises TransferError: when the source ends too early.
        """
        self._check()
        self.settle()
        wanted = min(size, self._end - self._position)
        if wanted <= 0:
            return b""
        try:
            piece = self._source.read1(wanted)
        except OSError as error:
            raise SourceFailed(error) from error
        if not piece:
            raise TransferError(
                f"the source of {self._what} ended after {self._position} of {self._size} bytes", heals=False
            )
        self._position += len(piece)
        return piece

    def settle(self) -> None:
        """Count what was read as sent."""
        if self._position != self.sent:
            self._on_sent(self._position - self.sent)
            self.sent = self._position

    def tell(self) -> int:
        """Return the position in the blob."""
        return self._position

    def seek(self, position: int, /) -> int:
        """Go to a position in the blob."""
        try:
            self._source.seek(position)
        except OSError as error:
            raise SourceFailed(error) from error
        self._position = position
        self.settle()
        return position
