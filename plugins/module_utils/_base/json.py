# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads JSON from outside with types, and without surprises. Pure.

An object with the same key twice is refused: two readers may use different ones.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import Union

Json = Union[None, bool, int, float, str, "list[Json]", "dict[str, Json]"]


SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
"""An escape that may be half of a pair."""

REPEATED_KEY = "a key occurs twice in one object"

_LONGEST_INTEGER = 100


class JsonError(ValueError):
    """A text is not the JSON that was expected; names the place and the problem."""


class JsonObject:
    """One object of a document. Its getters have types, and raise :class:`JsonError`, which names the place.

    :param where: the object's place, such as ``layers[3]``; empty for the document itself.
    """

    def __init__(self, values: Mapping[str, Json], where: str = "") -> None:
        self._values = values
        self._where = where

    def __contains__(self, key: str) -> bool:
        return self._values.get(key) is not None

    def names(self) -> list[str]:
        """Return the keys, in the order of the document."""
        return list(self._values)

    def values(self) -> dict[str, Json]:
        """Return all members as they are."""
        return dict(self._values)

    def text(self, key: str) -> str:
        """Return the string of a key; an empty one if the key is missing."""
        value = self._values.get(key)
        if value is None:
            return ""
        if not isinstance(value, str):
            raise JsonError(f"{self._place(key)} must be a string")
        return value

    def integer(self, key: str) -> int:
        """Return the integer of a key, which is required."""
        value = self._values.get(key)
        if isinstance(value, bool) or not isinstance(value, int):
            raise JsonError(f"{self._place(key)} must be an integer")
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        """Return the list of strings of a key; an empty one if the key is missing."""
        found: list[str] = []
        for item in self._list(key):
            if not isinstance(item, str):
                raise JsonError(f"{self._place(key)} must hold strings only")
            found.append(item)
        return tuple(found)

    def integers(self, key: str) -> tuple[int, ...]:
        """Return the list of integers of a key; an empty one if the key is missing."""
        found: list[int] = []
        for item in self._list(key):
            if isinstance(item, bool) or not isinstance(item, int):
                raise JsonError(f"{self._place(key)} must hold integers only")
            found.append(item)
        return tuple(found)

    def object(self, key: str) -> JsonObject:
        """Return the object of a key; an empty one if the key is missing."""
        value = self._values.get(key)
        if value is None:
            value = {}
        if not isinstance(value, dict):
            raise JsonError(f"{self._place(key)} must be an object")
        return JsonObject(value, self._place(key))

    def objects(self, key: str) -> tuple[JsonObject, ...]:
        """Return the list of objects of a key; an empty one if the key is missing."""
        found: list[JsonObject] = []
        for number, item in enumerate(self._list(key)):
            if not isinstance(item, dict):
                raise JsonError(f"{self._place(key)}[{number}] must be an object")
            found.append(JsonObject(item, f"{self._place(key)}[{number}]"))
        return tuple(found)

    def text_map(self, key: str) -> dict[str, str]:
        """Return the object of strings of a key; an empty one if the key is missing."""
        if key not in self:
            return {}
        inner = self.object(key)
        return {name: inner.text(name) for name in inner.names()}

    def _list(self, key: str) -> list[Json]:
        value = self._values.get(key)
        if value is None:
            return []
        if not isinstance(value, list):
            raise JsonError(f"{self._place(key)} must be a list")
        return value

    def _place(self, key: str) -> str:
        return f"{self._where}.{key}" if self._where else key


def parse_object(raw: bytes, *, most: int = 0) -> JsonObject:
    """Read a document that must be one JSON object in UTF-8 (RFC 8259).

    :param most: how many brackets, braces and commas are accepted, those in strings included: each may mean a value,
        which takes much more memory than its text. 0: any number.
    :raises JsonError: when it is anything else.
    """
    if most and raw.count(b",") + raw.count(b"[") + raw.count(b"{") > most:
        raise too_many(most)
    try:
        text = raw.decode("utf-8")
        value = STRICT.decode(text)
        if SURROGATE.search(text):
            refuse_half_pairs(value)
    except JsonError:
        raise
    except (ValueError, RecursionError) as error:
        raise JsonError(f"it is not a JSON document ({type(error).__name__})") from error
    if not isinstance(value, dict):
        raise JsonError("it is not a JSON object")
    return JsonObject(value)


def too_many(most: int) -> JsonError:
    """Make the error for a document with too many values."""
    return JsonError(f"it holds more than {most} values")


def refuse_half_pairs(value: Json) -> None:
    """Refuse half a surrogate pair, which the reader accepts and which cannot be written again.

    :raises JsonError: when there is one.
    """
    try:
        compact(value)
    except (ValueError, RecursionError) as error:
        raise JsonError(f"it is not a JSON document ({type(error).__name__})") from error


def canonical(value: Json) -> bytes:
    """Return a document as bytes, the same for equal content: keys as given, indented by two spaces, one final LF."""
    return f"{indented(value)}\n".encode()


def indented(value: Json) -> str:
    """Return a value as text, as :func:`canonical` has it."""
    return json.dumps(value, indent=2, ensure_ascii=False)


def compact(value: Json) -> bytes:
    """Return a document as bytes without whitespace, as registries and layouts have them."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode("utf-8")


def _unique(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    values = dict(pairs)
    if len(values) != len(pairs):
        raise JsonError(REPEATED_KEY)
    return values


def _bounded(text: str) -> int:
    if len(text) > _LONGEST_INTEGER:  # reading takes time by the square of its length
        raise JsonError(f"an integer has {len(text)} digits")
    return int(text)


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise JsonError(f"{text} is too large a number")
    return number


def _no_constant(text: str) -> Json:
    raise JsonError(f"{text} is not a JSON value")


STRICT = json.JSONDecoder(
    object_pairs_hook=_unique, parse_constant=_no_constant, parse_float=_finite, parse_int=_bounded
)
"""Reads a value, and refuses what two readers may take for different things."""
