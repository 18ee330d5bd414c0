# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""HTML from pieces: whatever is text is escaped, so that nothing from a list or a registry becomes markup. Pure."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Union

from .._base.errors import printable

_LONGEST = 10_000
_EMPTY = frozenset({"br", "input"})
_PLAIN = re.compile(r"[ !#-%(-;=?-~]*")
"""Text that HTML shows as it is: most of a page."""


class Markup(str):
    """Text that is HTML already, and made by this room."""

    __slots__ = ()


LINE_END = Markup("\n")


Piece = Union[str, Markup]
Value = Union[str, int, bool, None]


def text(content: str) -> Markup:
    """Any text, as HTML that shows it; also good between double quotes."""
    if isinstance(content, Markup):
        return content
    if len(content) <= _LONGEST and _PLAIN.fullmatch(content):
        return Markup(content)
    return Markup(html.escape(printable(content, _LONGEST)))


def element(name: str, /, *children: Piece, **attributes: Value) -> Markup:
    """One element.

    :param children: texts, which are escaped, and markup, which is not.
    :param attributes: a final underscore of a name is dropped, others become hyphens; ``None`` and ``False`` leave the
        attribute out, ``True`` gives it no value.
    """
    written = "".join([_attribute(key, value) for key, value in attributes.items()])
    if name in _EMPTY:
        return Markup(f"<{name}{written}>")
    # In one go: each copy of a large table takes as much memory as the page.
    return Markup("".join([f"<{name}{written}>", *map(text, children), f"</{name}>"]))


def spread(name: str, children: Iterable[Piece], /, **attributes: Value) -> Iterator[Markup]:
    """One element in pieces, for children that are not to be copied once more; otherwise as :func:`element`."""
    written = "".join([_attribute(key, value) for key, value in attributes.items()])
    yield Markup(f"<{name}{written}>")
    yield from map(text, children)
    yield Markup(f"</{name}>")


def join(pieces: Iterable[Piece], between: str = "") -> Markup:
    """Pieces one after the other."""
    return Markup(text(between).join(map(text, pieces)))


@lru_cache(maxsize=1024, typed=True)  # typed, as True is equal to 1
def _attribute(name: str, value: Value) -> str:
    if value is None or value is False:
        return ""
    name = name.rstrip("_").replace("_", "-")
    return f" {name}" if value is True else f' {name}="{text(str(value))}"'
