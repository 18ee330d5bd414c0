# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""JSON from outside, read with types and without surprises. Pure.

A key that stands twice in one object is refused: two readers may take different ones for true.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import Union

Json = Union[None, bool, int, float, str, "list[Json]", "dict[str, Json]"]


_LONGEST_INTEGER = 100
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


class JsonError(ValueError):
    """The text is not the JSON that was expected; says where and what."""


class JsonObject:
    """One object of a document, with typed getters whose errors name the place.

    :param where: the object's place, such as ``layers[3]``; empty for the document itself.
    """

    def __init__(self, values: Mapping[str, Json], where: str = "") -> None:
        self._values = values
        self._where = where

    def __contains__(self, key: str) -> bool:
        return self._values.get(key) is not None

    def names(self) -> list[str]:
        return list(self._values)

    def values(self) -> dict[str, Json]:
        """All members as they are."""
        return dict(self._values)

    def text(self, key: str) -> str:
        """The string under the key; empty when it is absent."""
        value = self._values.get(key)
        if value is None:
            return ""
        if not isinstance(value, str):
            raise JsonError(f"{self._place(key)} must be a string")
        return value

    def integer(self, key: str) -> int:
        """The integer under the key, which must be there."""
        value = self._values.get(key)
        if isinstance(value, bool) or not isinstance(value, int):
            raise JsonError(f"{self._place(key)} must be an integer")
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        """The list of strings under the key; empty when it is absent."""
        found: list[str] = []
        for item in self._list(key):
            if not isinstance(item, str):
                raise JsonError(f"{self._place(key)} must hold strings only")
            found.append(item)
        return tuple(found)

    def object(self, key: str) -> JsonObject:
        """The object under the key; an empty one when it is absent."""
        value = self._values.get(key)
        if value is None:
            value = {}
        if not isinstance(value, dict):
            raise JsonError(f"{self._place(key)} must be an object")
        return JsonObject(value, self._place(key))

    def objects(self, key: str) -> tuple[JsonObject, ...]:
        """The list of objects under the key; empty when it is absent."""
        found: list[JsonObject] = []
        for number, item in enumerate(self._list(key)):
            if not isinstance(item, dict):
                raise JsonError(f"{self._place(key)}[{number}] must be an object")
            found.append(JsonObject(item, f"{self._place(key)}[{number}]"))
        return tuple(found)

    def text_map(self, key: str) -> dict[str, str]:
        """The object of strings under the key; empty when it is absent."""
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

    :param most: brackets, braces and commas accepted, also in texts: each may stand for a value, which takes many times
        the memory of its spelling. 0: any number.
    :raises JsonError: when it is anything else.
    """
    if most and raw.count(b",") + raw.count(b"[") + raw.count(b"{") > most:
        raise JsonError(f"it holds more than {most} values")
    try:
        text = raw.decode("utf-8")
        value = json.loads(
            text,
            object_pairs_hook=_unique,
            parse_constant=_no_constant,
            parse_float=_finite,
            parse_int=_bounded,
        )
        if _SURROGATE.search(text):
            # Half a surrogate pair is accepted by the reader, but cannot be written again.
            compact(value)
    except JsonError:
        raise
    except (ValueError, RecursionError) as error:
        raise JsonError(f"it is no JSON document ({type(error).__name__})") from error
    if not isinstance(value, dict):
        raise JsonError("it is no JSON object")
    return JsonObject(value)


def canonical(value: Json) -> bytes:
    """Write a document so that equal content gives equal bytes: keys in the order given, two blanks, one final LF."""
    return json.dumps(value, indent=2, ensure_ascii=False).encode("utf-8") + b"\n"


def compact(value: Json) -> bytes:
    """As :func:`canonical`, without white space: what registries and layouts hold."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode("utf-8")


def _unique(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    values = dict(pairs)
    if len(values) != len(pairs):
        raise JsonError("a key stands twice in one object")
    return values


def _bounded(text: str) -> int:
    if len(text) > _LONGEST_INTEGER:  # reading it takes the square of its length
        raise JsonError(f"an integer has {len(text)} digits")
    return int(text)


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise JsonError(f"{text} is too large a number")
    return number


def _no_constant(text: str) -> Json:
    raise JsonError(f"{text} is no JSON value")
