# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Writes a large JSON object piece by piece, in the bytes that ``canonical`` gives it as a whole. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Union

from .json import Json, written

_AT_ONCE = 500
_INDENT = "    "


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
        yield f"{between}  {written(name)}: ".encode()
        between = ",\n"
        if isinstance(value, Listed):
            yield from _elements("[]", (f"{_INDENT}{written(one, _INDENT)}" for one in value.elements))
        elif isinstance(value, Named):
            named = (f"{_INDENT}{written(name)}: {written(one, _INDENT)}" for name, one in value.members)
            yield from _elements("{}", named)
        else:
            yield written(value, "  ").encode()
    yield b"{}\n" if between == "{\n" else b"\n}\n"


def _elements(brackets: str, elements: Iterator[str]) -> Iterator[bytes]:
    between = f"{brackets[0]}\n"
    while True:
        some = ",\n".join(islice(elements, _AT_ONCE))
        if not some:
            break
        yield f"{between}{some}".encode()
        between = ",\n"
    yield brackets.encode() if between != ",\n" else f"\n  {brackets[1]}".encode()
