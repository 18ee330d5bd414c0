# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Writes large JSON piece by piece, in the bytes that ``canonical`` or ``compact`` gives it as a whole. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Union

from .json import Json, compact, indented

_AT_ONCE = 500
_CLOSING = "\n  ]"


@dataclass(frozen=True)
class Listed:
    """A list whose elements are made while it is written."""

    elements: Iterable[Json]


@dataclass(frozen=True)
class Named:
    """An object whose members are made while it is written."""

    members: Iterable[tuple[str, Json]]


Member = Union[Json, Listed, Named]


def canonical_pieces(members: Iterable[tuple[str, Member]]) -> Iterator[bytes]:
    """Yield the bytes of an object with these members."""
    between = "{\n"
    for name, value in members:
        yield f"{between}  {indented(name)}: ".encode()
        between = ",\n"
        if isinstance(value, Listed):
            yield from _joined("[]", _lists(value.elements))
        elif isinstance(value, Named):
            yield from _joined("{}", _objects(value.members))
        else:
            yield _deeper(value).encode()
    yield b"{}\n" if between == "{\n" else b"\n}\n"


def compact_list(elements: Iterable[Json]) -> Iterator[bytes]:
    """Yield the bytes of a list without whitespace, element by element."""
    before = b"["
    for element in elements:
        yield before + compact(element)
        before = b","
    yield b"[]" if before == b"[" else b"]"


def _lists(elements: Iterable[Json]) -> Iterator[Json]:
    left = iter(elements)
    while some := list(islice(left, _AT_ONCE)):
        yield some


def _objects(members: Iterable[tuple[str, Json]]) -> Iterator[Json]:
    left = iter(members)
    while some := dict(islice(left, _AT_ONCE)):
        yield some


def _joined(brackets: str, some: Iterable[Json]) -> Iterator[bytes]:
    """Yield one list or object that has the elements of several, each of which is not empty."""
    before = brackets[0]
    for each in some:
        yield f"{before}{_deeper(each)[1 : -len(_CLOSING)]}".encode()
        before = ","
    yield brackets.encode() if before != "," else f"{_CLOSING[:-1]}{brackets[1]}".encode()


def _deeper(value: Json) -> str:
    """Return a value as it is in an object. Within its strings there are no line ends."""
    return indented(value).replace("\n", "\n  ")
