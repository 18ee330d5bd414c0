# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads a large JSON object piece by piece, as strictly as :mod:`json` of this package reads one as a whole. Pure.

Of a document with a hundred thousand values, all of them at once take ten times the memory of its text.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterable, Iterator
from typing import Union

from .json import REPEATED_KEY, STRICT, SURROGATE, Json, JsonError, refuse_half_pairs, too_many

Element = Union["re.Match[str]", tuple[str, Json]]
"""An element that matched a pattern, or any other with its name, which is empty in lists."""

_SPACE = re.compile(r"[ \t\n\r]*")
_BEHIND_NUMBERS = tuple(",]} \t\n\r")
_NONE_IS_USUAL = re.compile(r"(?!)")


class JsonStream:
    """One JSON object in UTF-8, read from its beginning to its end.

    All methods raise :class:`JsonError` when it is not one.

    :param pieces: the bytes of the document.
    :param most: as :func:`parse_object` has it.
    """

    def __init__(self, pieces: Iterable[bytes], *, most: int = 0) -> None:
        self._pieces = iter(pieces)
        self._decode = codecs.getincrementaldecoder("utf-8")().decode
        self._most = most
        self._values = 0
        self._text = ""
        self._at = 0
        self._has_surrogates = False
        self._is_complete = False

    def members(self) -> Iterator[str]:
        """Yield the names of the members in their order; the value of each has to be read before the next."""
        if self._peek() != "{":
            self.value()
            raise JsonError("it is not a JSON object")
        names: set[str] = set()
        if self._enter("{", "}"):
            while True:
                name = self._name()
                if name in names:
                    raise JsonError(REPEATED_KEY)
                names.add(name)
                yield name
                if not self._goes_on("}"):
                    break
        if self._peek():
            raise _no_document()

    def value(self) -> Json:
        """Return a value as a whole."""
        while True:
            self._peek()
            try:
                value, end = STRICT.raw_decode(self._text, self._at)
            except json.JSONDecodeError as error:
                if self._more():
                    continue
                raise _no_document() from error
            except RecursionError as error:
                raise JsonError("it is not a JSON document (RecursionError)") from error
            may_go_on = not isinstance(value, (str, list, dict)) and self._text[end : end + 1] not in _BEHIND_NUMBERS
            if may_go_on and self._more():
                continue
            self._at = end
            if self._has_surrogates:
                refuse_half_pairs(value)
            read: Json = value
            return read

    def items(self, place: str, usual: re.Pattern[str] = _NONE_IS_USUAL) -> Iterator[Element]:
        """Yield the elements of a list; nothing for ``null``.

        :param place: the name of the list, for errors.
        :param usual: matches valid elements that need not be taken apart any further, each with the comma behind it.
        """
        if self._peek() != "[":
            if self.value() is not None:
                raise JsonError(f"{place} must be a list")
        elif self._enter("[", "]"):
            while True:
                yield from self._matches(usual)
                yield "", self.value()
                if not self._goes_on("]"):
                    break

    def pairs(self, place: str, usual: re.Pattern[str] = _NONE_IS_USUAL) -> Iterator[Element]:
        """Yield the members of an object, as :meth:`items` does. If a name occurs twice, it is yielded twice."""
        if self._peek() != "{":
            if self.value() is not None:
                raise JsonError(f"{place} must be an object")
        elif self._enter("{", "}"):
            while True:
                yield from self._matches(usual)
                name = self._name()
                yield name, self.value()
                if not self._goes_on("}"):
                    break

    def _enter(self, opening: str, closing: str) -> bool:
        """Go behind the opening bracket, and behind the closing one if nothing is between them."""
        self._at += len(opening)
        if self._peek() != closing:
            return True
        self._at += len(closing)
        return False

    def _goes_on(self, closing: str) -> bool:
        """Go behind the comma or the closing bracket, and return True if it was a comma."""
        found = self._peek()
        if found not in (",", closing):
            raise _no_document()
        self._at += 1
        return found == ","

    def _matches(self, usual: re.Pattern[str]) -> Iterator[re.Match[str]]:
        found = usual.match(self._text, self._at)
        while found is not None:
            self._at = found.end()
            yield found
            found = usual.match(self._text, self._at)

    def _name(self) -> str:
        name = self.value()
        if not isinstance(name, str) or self._peek() != ":":
            raise _no_document()
        self._at += 1
        return name

    def _peek(self) -> str:
        """Go to the next character that is not whitespace; empty at the end of the document."""
        while True:
            found = _SPACE.match(self._text, self._at)
            self._at = self._at if found is None else found.end()
            if self._at < len(self._text):
                return self._text[self._at]
            if not self._more():
                return ""

    def _more(self) -> bool:
        """Take in at least as much as is there, so that what is read again and again is at most read twice over.

        :returns: whether anything came.
        """
        left = self._text[self._at :]
        texts, added = [left], 0
        while not self._is_complete and added <= len(left):
            piece = next(self._pieces, b"")
            self._is_complete = not piece
            self._values += piece.count(b",") + piece.count(b"[") + piece.count(b"{")
            if self._most and self._values > self._most:
                raise too_many(self._most)
            try:
                texts.append(self._decode(piece, self._is_complete))
            except UnicodeDecodeError as error:
                raise JsonError("it is not a JSON document (UnicodeDecodeError)") from error
            added += len(texts[-1])
        self._text, self._at = "".join(texts), 0
        self._has_surrogates = self._has_surrogates or SURROGATE.search(self._text) is not None
        return added > 0


def _no_document() -> JsonError:
    return JsonError("it is not a JSON document (JSONDecodeError)")
