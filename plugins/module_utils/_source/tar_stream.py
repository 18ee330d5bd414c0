# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A tar stream, member by member, in bounded memory.

POSIX.1-1988 (ustar) and POSIX.1-2001 (pax), with GNU's long names and large sizes. This collection and hangar write
nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from .decoder import Decoder, Snapshot
from .errors import BrokenStream

_BLOCK = 512
_CHUNK = 256 * 1024
_LARGEST = 2**50
_LONGEST_EXTRA = 64 * 1024  # of a long name, or of pax's records
_WITHOUT_CONTENT = frozenset({b"1", b"2", b"3", b"4", b"5", b"6"})  # links, devices, directories, FIFOs
_OCTAL = re.compile(rb"[ \0]*([0-7]{1,12})[ \0]*")
_NUMBER = re.compile(r"[0-9]{1,16}")


@dataclass(frozen=True)
class Member:
    """A member of a tar.

    :param name: as the tar has it.
    :param plain: bytes of the stream that precede its content.
    :param size: bytes of its content.
    :param is_file: whether it is a regular file.
    """

    name: str
    plain: int
    size: int
    is_file: bool


class TarStream:
    """Goes through a tar stream once. The content of a member can be read, in part or in full, before the next one.

    :param decoder: at the beginning of the stream.
    :ivar plain: bytes of the stream that were read or left out.
    """

    def __init__(self, decoder: Decoder) -> None:
        self._decoder = decoder
        self.plain = 0

    def members(self) -> Iterator[Member]:
        """Yield the members in order, up to the end.

        :raises BrokenStream: when it is not a tar stream.
        """
        extra: dict[str, str] = {}
        while any(header := self._block()):
            kind = header[156:157]
            size = 0 if kind in _WITHOUT_CONTENT else _size(header)
            if kind in (b"L", b"x"):
                extra.update(_extra(kind, self.read_all(size, most=_LONGEST_EXTRA)))
                self._leave(-size % _BLOCK)
                continue
            if kind in (b"K", b"g"):
                self._leave(size + -size % _BLOCK)
                continue
            if kind not in _WITHOUT_CONTENT:
                size = _size_of(extra.get("size"), size)
            start = self.plain
            yield Member(extra.get("path") or _name(header), start, size, kind in (b"0", b"\0"))
            self._leave(start + size + -size % _BLOCK - self.plain)
            extra = {}

    def read(self, amount: int) -> bytes:
        """Return some of the next bytes, at most ``amount``; none at the end of the stream."""
        data = self._decoder.read(amount)
        self.plain += len(data)
        return data

    def readinto(self, buffer: memoryview) -> int:
        """Put some of the next bytes into a buffer; return how many, none at the end of the stream."""
        count = self._decoder.readinto(buffer)
        self.plain += count
        return count

    def read_all(self, amount: int, *, most: int) -> bytes:
        """Return exactly so many of the next bytes.

        :raises BrokenStream: when they are more than ``most``, or not there.
        """
        if amount > most:
            raise BrokenStream(f"a member has {amount} bytes, where at most {most} are expected")
        pieces: list[bytes] = []
        left = amount
        while left:
            data = self.read(left)
            if not data:
                raise BrokenStream("it ends within a member")
            pieces.append(data)
            left -= len(data)
        return b"".join(pieces)

    def consumed(self) -> tuple[int, int]:
        """Return how many bytes of the parts were used up to here: at least, and at most."""
        return self._decoder.consumed()

    def snapshot(self) -> Snapshot | None:
        """Return what is needed to read on from here later; ``None`` if that is not possible."""
        return self._decoder.snapshot()

    def _block(self) -> bytes:
        """Return the next header; nothing at the end of the stream."""
        first = self.read(_BLOCK)
        block = first + self.read_all(_BLOCK - len(first), most=_BLOCK) if first else first
        if any(block) and _checksum(block) != _number(block[148:156]):
            raise BrokenStream("it is not a tar stream")
        return block

    def _leave(self, amount: int) -> None:
        left = amount
        while left > 0:
            skipped = self._decoder.skip(min(left, _CHUNK))
            if not skipped:
                raise BrokenStream("it ends within a member")
            self.plain += skipped
            left -= skipped


def _checksum(header: bytes) -> int:
    return sum(header) - sum(header[148:156]) + 8 * ord(" ")


def _number(field: bytes) -> int:
    found = _OCTAL.fullmatch(field)
    return int(found[1], 8) if found else 0


def _size(header: bytes) -> int:
    field = header[124:136]
    size = int.from_bytes(field[1:], "big") if field[0] == 0x80 else _number(field)
    if size > _LARGEST:
        raise BrokenStream(f"a member has {size} bytes")
    return size


def _size_of(text: str | None, size: int) -> int:
    if text is None:
        return size
    if not _NUMBER.fullmatch(text) or int(text) > _LARGEST:
        raise BrokenStream("a member has no valid size")
    return int(text)


def _name(header: bytes) -> str:
    name = _text(header[:100])
    prefix = _text(header[345:500]) if header[257:263] == b"ustar\0" else ""
    return f"{prefix}/{name}" if prefix else name


def _text(field: bytes) -> str:
    return field.split(b"\0", 1)[0].decode("utf-8", "replace")


def _extra(kind: bytes, raw: bytes) -> dict[str, str]:
    """Return ``path`` and ``size`` of what precedes a member: GNU's long name, or pax's records."""
    if kind == b"L":
        return {"path": _text(raw)}
    records: dict[str, str] = {}
    while raw:
        length, blank, _rest = raw.partition(b" ")
        if not blank or not length.isdigit() or len(length) > 6 or not len(length) + 1 < int(length) <= len(raw):
            raise BrokenStream("pax records make no sense")
        key, _equals, value = raw[len(length) + 1 : int(length) - 1].partition(b"=")
        if key in (b"path", b"size"):
            records[key.decode()] = value.decode("utf-8", "replace")
        raw = raw[int(length) :]
    return records
