# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A line of progress, fitted to the width of a terminal. Pure."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace

CUT = "…"
"""Stands for what was left out."""

_SHORTEST_NAME = 12


@dataclass(frozen=True)
class Piece:
    """A piece of a line.

    :param text: of it, or what comes before its name.
    :param rank: order of leaving pieces out where a line is too long: the highest first; 0 is never left out.
    :param name: is shortened before the piece is left out; its end says most.
    :param end: what comes after the name.
    :param joint: what separates it from the piece before.
    """

    text: str
    rank: int = 0
    name: str = ""
    end: str = ""
    joint: str = ", "

    def __str__(self) -> str:
        return f"{self.text}{self.name}{self.end}"


@dataclass(frozen=True)
class Line:
    """A line of progress.

    :param pieces: at least one; the first has rank 0.
    :param news: differs from that of the line before if anything has moved; ``None`` if that is not measured.
    """

    pieces: tuple[Piece, ...]
    news: object = None

    def __str__(self) -> str:
        return _joined(self.pieces)

    def with_piece(self, piece: Piece) -> Line:
        """Return the line with a piece after the first."""
        return replace(self, pieces=(self.pieces[0], piece, *self.pieces[1:]))

    def within(self, columns: int | None) -> str:
        """Return the line in at most so many columns of a terminal; ``None``: as long as it is."""
        if columns is None:
            return str(self)
        kept = list(self.pieces)
        while (over := width_of(_joined(kept)) - columns) > 0:
            rank, place = max((piece.rank, place) for place, piece in enumerate(kept))
            if not rank:
                return shortened_end(_joined(kept), columns)
            piece = kept[place]
            spare = width_of(piece.name) - over
            if spare < _SHORTEST_NAME:
                del kept[place]
            else:
                kept[place] = replace(piece, name=shortened_start(piece.name, spare))
        return _joined(kept)


def width_of(text: str) -> int:
    """Return the columns that a text takes on a terminal."""
    return sum(map(_columns_of, text))


def shortened_start(text: str, columns: int) -> str:
    """Leave out the start of a text that is too long."""
    return text if width_of(text) <= columns else CUT + _fitting(text[::-1], columns - 1)[::-1]


def shortened_end(text: str, columns: int) -> str:
    """Leave out the end of a text that is too long."""
    return text if width_of(text) <= columns else _fitting(text, columns - 1) + CUT


def _fitting(text: str, columns: int) -> str:
    """Return as much of the start of a text as has room."""
    for length, character in enumerate(text):
        columns -= _columns_of(character)
        if columns < 0:
            return text[:length]
    return text


def _columns_of(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def _joined(pieces: Sequence[Piece]) -> str:
    first, *others = pieces
    return str(first) + "".join(f"{piece.joint}{piece}" for piece in others)
