# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where a stream is cut into parts, and the hash of each part. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from typing import Protocol

from .._base.buffers import Data


class Pieces(Protocol):
    """Takes the parts of a stream, one after the other."""

    def write(self, number: int, piece: memoryview) -> None:
        """Take the next bytes of a part."""

    def end(self, number: int, size: int, sha256: str) -> None:
        """Take note that a part is complete, perhaps without any bytes.

        :param sha256: hex digits.
        """


class Cutter:
    """Cuts a stream into parts 0, 1, …: at exact byte counts, and where it is told to.

    :param part_size: bytes of each part at most; ``None``: it is not cut for its size.
    :param pieces: takes what the parts hold.
    :param only: numbers of the parts that are passed on; the others are not even hashed. ``None``: all are.
    """

    def __init__(self, part_size: int | None, pieces: Pieces, only: Collection[int] | None = None) -> None:
        self._part_size = part_size
        self._pieces = pieces
        self._only = only
        self._number = 0
        self._is_begun = False
        self._size = 0
        self._hasher = hashlib.sha256()

    def write(self, data: Data) -> None:
        """Take the next bytes, over as many parts as it takes."""
        view = memoryview(data)
        while len(view):
            room = len(view) if self._part_size is None else self._part_size - self._size
            if room == 0:
                self.end_file()
                continue
            self._take(view[:room])
            view = view[room:]

    def end_file(self) -> None:
        """Begin another part with the next byte."""
        if not self._is_begun:
            return
        if self._is_wanted():
            self._pieces.end(self._number, self._size, self._hasher.hexdigest())
        self._number += 1
        self._is_begun = False
        self._size = 0
        self._hasher = hashlib.sha256()

    def finish(self) -> None:
        """End the last part; a stream without bytes is one part without bytes."""
        self._is_begun = self._is_begun or not self._number
        self.end_file()

    def _take(self, piece: memoryview) -> None:
        self._is_begun = True
        self._size += len(piece)
        if self._is_wanted():
            self._hasher.update(piece)
            self._pieces.write(self._number, piece)

    def _is_wanted(self) -> bool:
        return self._only is None or self._number in self._only
