# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Numbers by digest in little memory: 40 or 48 bytes for each blob, where a dict takes 220 and more. Pure.

A lock file names each blob of an archive twice, with its size and its offset, and most runs look at few of them.
"""

from __future__ import annotations

from array import array
from collections.abc import ItemsView, Iterable, Iterator, Mapping, ValuesView
from typing import Callable, TypeVar

from .offsets import Offset

Value = TypeVar("Value")

_PREFIX = "sha256:"
_RAW = 32


class RepeatedDigest(ValueError):
    """A digest was added twice."""


class DigestTable(Mapping[str, Value]):
    """Values that consist of a few numbers, by digest and in the order of the digests.

    :param entries: valid digests in any order, each with its numbers, which are below 2 to the power of 63.
    :param width: how many numbers each has.
    :param value: makes a value from them.
    :raises RepeatedDigest: when a digest is there twice.
    """

    def __init__(self, entries: Iterable[tuple[str, tuple[int, ...]]], width: int, value: Callable[..., Value]) -> None:
        self._value = value
        digests, columns = bytearray(), [array("q") for _column in range(width)]
        before, is_sorted = b"", True
        for digest, numbers in entries:
            raw = bytes.fromhex(digest[len(_PREFIX) :])
            is_sorted = is_sorted and before < raw
            before = raw
            digests += raw
            for column, number in zip(columns, numbers):
                column.append(number)
        self._digests, self._columns = bytes(digests), columns
        if not is_sorted:
            self._sort()

    def __getitem__(self, digest: str) -> Value:
        place = self._place(digest)
        if place < 0:
            raise KeyError(digest)
        return self._at(place)

    def __contains__(self, digest: object) -> bool:
        return self._place(digest) >= 0

    def __iter__(self) -> Iterator[str]:
        return map(self._name, range(len(self)))

    def __len__(self) -> int:
        return len(self._digests) // _RAW

    def values(self) -> ValuesView[Value]:
        """Return the values; going through them looks nothing up."""
        return _Values(self)

    def items(self) -> ItemsView[str, Value]:
        """Return digests and values; going through them looks nothing up."""
        return _Items(self)

    def in_order(self) -> Iterator[Value]:
        """Yield the values in the order of the digests."""
        return map(self._at, range(len(self)))

    def _at(self, place: int) -> Value:
        return self._value(*[column[place] for column in self._columns])

    def _raw(self, place: int) -> bytes:
        return self._digests[place * _RAW : (place + 1) * _RAW]

    def _name(self, place: int) -> str:
        return _PREFIX + self._raw(place).hex()

    def _place(self, digest: object) -> int:
        """Return where a digest is; -1 if it is not there."""
        try:
            raw = bytes.fromhex(digest[len(_PREFIX) :]) if isinstance(digest, str) else b""
        except ValueError:
            return -1
        low, high = 0, len(self)
        while low < high:
            middle = (low + high) // 2
            if self._raw(middle) < raw:
                low = middle + 1
            else:
                high = middle
        # The same bytes in other letters are another name.
        return low if low < len(self) and self._name(low) == digest else -1

    def _sort(self) -> None:
        order = sorted(range(len(self)), key=self._raw)
        if any(self._raw(one) == self._raw(other) for one, other in zip(order, order[1:])):
            raise RepeatedDigest
        self._digests = b"".join(map(self._raw, order))
        self._columns = [array("q", [column[place] for place in order]) for column in self._columns]


class _Values(ValuesView[Value]):
    def __init__(self, table: DigestTable[Value]) -> None:
        super().__init__(table)
        self._table = table

    def __iter__(self) -> Iterator[Value]:
        return self._table.in_order()


class _Items(ItemsView[str, Value]):
    def __init__(self, table: DigestTable[Value]) -> None:
        super().__init__(table)
        self._table = table

    def __iter__(self) -> Iterator[tuple[str, Value]]:
        return zip(self._table, self._table.in_order())


def in_order(values: Mapping[str, Value]) -> Iterator[tuple[str, Value]]:
    """Yield digests and values in the order of the digests."""
    if isinstance(values, DigestTable):
        return iter(values.items())
    return ((digest, values[digest]) for digest in sorted(values))


def table_of_sizes(entries: Iterable[tuple[str, int]]) -> DigestTable[int]:
    """Make a table of numbers of bytes; raises as :class:`DigestTable`."""
    return DigestTable(((digest, (size,)) for digest, size in entries), 1, int)


def table_of_offsets(entries: Iterable[tuple[str, tuple[int, int]]]) -> DigestTable[Offset]:
    """Make a table of offsets from their numbers; raises as :class:`DigestTable`."""
    return DigestTable(entries, 2, Offset)
