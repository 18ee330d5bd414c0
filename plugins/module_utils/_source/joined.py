# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The parts of an archive as one stream of bytes, read from any place, by several threads at once."""

from __future__ import annotations

import os
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO

from .._base.stop import Check, go_on
from .._host.files import open_regular
from .errors import DamagedPart, MissingPart, cannot_read


@dataclass(frozen=True)
class PartFile:
    """A part of an archive, and its place in the stream.

    :param name: as the lock file has it.
    :param path: empty if the part is not there.
    :param start: bytes of the stream that precede it.
    :param size: bytes that it must have.
    :param sha256: hex digits; empty if they are not known.
    """

    name: str
    path: str
    start: int
    size: int
    sha256: str

    @property
    def end(self) -> int:
        """Bytes of the stream up to its end."""
        return self.start + self.size


class JoinedParts:
    """All parts in their order.

    :param check: called before each read; raises when the run is to end.
    """

    def __init__(self, parts: Sequence[PartFile], check: Check = go_on) -> None:
        self.parts = tuple(parts)
        self.check = check
        self._starts = [part.start for part in self.parts]

    @property
    def size(self) -> int:
        """Bytes of all parts, including those that are not there."""
        return self.parts[-1].end if self.parts else 0

    def between(self, start: int, end: int) -> tuple[PartFile, ...]:
        """Return the parts that hold any of the bytes from one place of the stream to another."""
        return tuple(part for part in self.parts if part.start < end and start < part.end)

    def part_at(self, position: int) -> PartFile | None:
        """Return the part that holds a byte of the stream; ``None`` at its end and beyond."""
        if not 0 <= position < self.size:
            return None
        return self.parts[bisect_right(self._starts, position) - 1]

    def reader(self, position: int) -> PartReader:
        """Start to read at a place of the stream."""
        return PartReader(self, position)


class PartReader:
    """Reads the stream from some place on. It has one file open at a time, which it shares with no other reader.

    :ivar position: bytes of the stream that precede the next one.
    """

    def __init__(self, joined: JoinedParts, position: int) -> None:
        self._joined = joined
        self._part: PartFile | None = None
        self._file: BinaryIO | None = None
        self.position = position

    def read(self, amount: int = -1) -> bytes:
        """Read on, at most to the end of a part.

        :returns: at least one byte, unless the stream is at its end.
        :raises MissingPart: when the next byte is in a part that is not there.
        :raises DamagedPart: when the part ends too early.
        :raises SourceGone: when the file cannot be read any more.
        """
        part = self._joined.part_at(self.position)
        if part is None or amount == 0:
            return b""
        left = part.end - self.position
        wanted = left if amount < 0 else min(amount, left)
        with self._reading(part) as file:
            data = os.pread(file.fileno(), wanted, self.position - part.start)
        self._passed(part, len(data))
        return data

    def readinto(self, buffer: memoryview) -> int:
        """Put the next bytes into a buffer, at most to the end of a part; return how many, as :meth:`read`."""
        return self.readv([buffer])

    def readv(self, buffers: Sequence[memoryview]) -> int:
        """Put the next bytes into buffers, one after the other, at most to the end of a part.

        :returns: how many; at least one, unless the stream is at its end or there is no room.
        """
        part = self._joined.part_at(self.position)
        wanted = [] if part is None else _cut(buffers, part.end - self.position)
        if part is None or not wanted:
            return 0
        with self._reading(part) as file:
            count = os.preadv(file.fileno(), wanted, self.position - part.start)
        self._passed(part, count)
        return count

    def skip(self, amount: int) -> int:
        """Leave out bytes without reading them.

        :returns: how many were left out; fewer at the end of the stream.
        """
        skipped = max(0, min(amount, self._joined.size - self.position))
        self.position += skipped
        return skipped

    def close(self) -> None:
        """Close the file that is open."""
        if self._file is not None:
            self._file.close()
        self._file = self._part = None

    @contextmanager
    def _reading(self, part: PartFile) -> Iterator[BinaryIO]:
        """Open a part for a call that reads, and explain what fails."""
        self._joined.check()
        file = self._open(part)
        try:
            yield file
        except OSError as error:
            raise cannot_read(part.path, error) from error

    def _passed(self, part: PartFile, count: int) -> None:
        """Go on behind bytes that were read."""
        if not count:
            size = os.fstat(self._open(part).fileno()).st_size
            raise DamagedPart(wrong_size(part, size))
        self.position += count

    def _open(self, part: PartFile) -> BinaryIO:
        if self._file is None or self._part is not part:
            self.close()
            if not part.path:
                raise missing(part)
            try:
                self._file = open_regular(part.path)
            except OSError as error:
                raise cannot_read(part.path, error) from error
            self._part = part
        return self._file


def _cut(buffers: Sequence[memoryview], amount: int) -> list[memoryview]:
    """Return the first buffers, with room for so many bytes at most."""
    if 0 < sum(map(len, buffers)) <= amount:
        return [*buffers]
    taken: list[memoryview] = []
    for buffer in buffers:
        if buffer and amount > 0:
            taken.append(buffer[:amount])
            amount -= len(taken[-1])
    return taken


def missing(part: PartFile) -> MissingPart:
    """Make the error for a part that is not there."""
    return MissingPart(f"{part.name} is missing; add the directory that holds it to src, then run again")


def wrong_size(part: PartFile, size: int) -> str:
    """Say that a part has another size than it must have."""
    return f"{part.path} is damaged: it has {size} bytes instead of {part.size}. Copy it again"
