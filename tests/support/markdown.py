# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The content of a page of Markdown: links, the anchors of its headings, and its blocks of code. Pure.

Pages are read on a code host and on the site; both give a heading the same anchor.
"""

from __future__ import annotations

import re
import textwrap
from collections import Counter
from dataclasses import dataclass
from typing import Callable

_FENCE = re.compile(
    r"^(?P<indent> *)(?P<fence>```+|~~~+)(?P<language>[^\n`]*)\n(?P<text>.*?)^(?P=indent)(?P=fence)[ \t]*$",
    re.DOTALL | re.MULTILINE,
)
_CODE = re.compile(r"(?<!`)(`+)(?!`)(.+?)(?<!`)\1(?!`)", re.DOTALL)
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
# ](target) with balanced parentheses in it, and an optional title; [name]: target; <https://...>
_LINK = re.compile(r"\]\((?P<inline>[^()\s]*(?:\([^()\s]*\)[^()\s]*)*)(?:\s+\"[^\"]*\")?\)")
_DEFINITION = re.compile(r"^ {0,3}\[[^\]]+\]:[ \t]*(?P<defined><[^>\n]*>|\S+)", re.MULTILINE)
_AUTOMATIC = re.compile(r"<(?P<automatic>[a-z][a-z0-9+.-]*:[^>\s]*)>")
_HEADING = re.compile(r"^(?P<marks>#{1,6})[ \t]+(?P<text>.+?)[ \t]*#*$", re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """A fenced block of code; ``line`` is where its fence begins, ``heading`` the text of the heading above it."""

    language: str
    text: str
    line: int
    heading: str


@dataclass(frozen=True)
class Heading:
    """A heading, its anchor, and how deep it is: 1 is the title."""

    text: str
    anchor: str
    depth: int
    line: int


def masked(text: str) -> str:
    """The text with blanks where code and comments are; each line and column stays where it was."""
    for pattern in (_FENCE, _COMMENT, _CODE):
        text = pattern.sub(lambda found: re.sub(r"[^\n]", " ", found[0]), text)
    return text


def links(text: str) -> list[tuple[str, int]]:
    """The target of every link and picture outside of code, and its line, in no special order."""
    prose = masked(text)
    found = []
    for pattern in (_LINK, _DEFINITION, _AUTOMATIC):
        for link in pattern.finditer(prose):
            (target,) = link.groups()
            found.append((target.strip("<>"), _line(text, link.start())))
    return found


def with_links(text: str, change: Callable[[str], str]) -> str:
    """The text with other targets of its inline links and definitions."""
    prose = masked(text)
    for pattern, name in ((_LINK, "inline"), (_DEFINITION, "defined")):
        for link in reversed(list(pattern.finditer(prose))):
            begin, end = link.span(name)
            new = change(link[name].strip("<>"))
            text, prose = text[:begin] + new + text[end:], prose[:begin] + new + prose[end:]
    return text


def headings(text: str) -> list[Heading]:
    """The headings with the anchors that code hosts give them."""
    # Code in a heading is part of its text, so only blocks and comments are hidden here.
    prose = text
    for pattern in (_FENCE, _COMMENT):
        prose = pattern.sub(lambda found: re.sub(r"[^\n]", " ", found[0]), prose)
    seen: Counter[str] = Counter()
    found = []
    for heading in _HEADING.finditer(prose):
        words = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", heading["text"]).replace("`", "")
        anchor = re.sub(r"[^\w\- ]", "", words.strip().lower()).replace(" ", "-")
        number = seen[anchor]
        seen[anchor] += 1
        anchor += f"-{number}" if number else ""
        found.append(Heading(words, anchor, len(heading["marks"]), _line(text, heading.start())))
    return found


def blocks(text: str) -> list[Block]:
    """The fenced blocks in their order."""
    above = headings(text)
    found = []
    for block in _FENCE.finditer(text):
        line = _line(text, block.start())
        heading = next((each.text for each in reversed(above) if each.line < line), "")
        found.append(Block(block["language"].strip(), textwrap.dedent(block["text"]), line, heading))
    return found


def _line(text: str, position: int) -> int:
    return text.count("\n", 0, position) + 1
