# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Properties that must hold for all output of a parser, checked without the parsers' own code."""

from __future__ import annotations

import re
import zlib

LONGEST_ERROR = 1200
LARGEST_FILE = 2**63 - 1

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
# Control characters, half pairs, ends of lines, marks without a width, and what turns the order of letters round.
_HIDDEN = re.compile(
    "[\\x00-\\x1f\\x7f-\\x9f\\u061c\\u200b-\\u200f\\u2028-\\u202e\\u2060-\\u206f\\ud800-\\udfff\\ufeff\\ufff9-\\ufffb]"
)


def text_of(data: bytes) -> str:
    """Any bytes as text, as Python reads arguments and file names: no two give the same."""
    return data.decode("utf-8", "surrogateescape")


def is_sample(data: bytes) -> bool:
    """One input of four, the same at every run: for a second property that takes as long as all others."""
    return zlib.crc32(data) % 4 == 0


def moves_a_cursor(text: str) -> bool:
    """Return True if text has control characters, line breaks or invisible characters."""
    return _HIDDEN.search(text) is not None


def assert_shown(text: str, longest: int = LONGEST_ERROR) -> None:
    """A text for the user: something, in one line, bounded, without control characters."""
    assert text, "an error says nothing"
    assert len(text) <= longest, f"an error of {len(text)} characters"
    assert not moves_a_cursor(text), f"control characters in {text!a}"


def assert_digest(text: str) -> None:
    """A digest that may become a file's name."""
    assert _DIGEST.fullmatch(text), f"{text!a} passes for a digest"


def assert_inside(name: str) -> None:
    """The name of a file in a directory or below it, under that name only."""
    assert not re.search(r"[\x00-\x1f\x7f]", name), f"control characters in {name!a}"
    for part in name.split("/"):
        assert part not in ("", ".", ".."), f"{name!a} may leave its directory"
        assert len(part.encode()) <= 255, "a file's name that no filesystem takes"
