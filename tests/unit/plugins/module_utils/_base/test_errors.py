# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Text from outside is safe to show."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.airgap.images.plugins.module_utils._base import errors as errors_module
from ansible_collections.airgap.images.plugins.module_utils._base.errors import (
    DamagedBlobError,
    ImagesError,
    TransferError,
    printable,
)

ESCAPED: dict[str, tuple[str, str]] = {
    "plain text": ("a café of 日本", "a café of 日本"),
    "line ends": ("one\r\ntwo\tthree", "one\\x0d\\x0atwo\\x09three"),
    "colours of a terminal": ("\x1b[31mred", "\\x1b[31mred"),
    "line separators": ("a\u2028b\u2029c", "a\\x2028b\\x2029c"),
    "reversed direction": ("a\u202eb\u2066c", "a\\x202eb\\x2066c"),
    "C1 controls": ("a\x85b\x9bc", "a\\x85b\\x9bc"),
    "marks without a width": ("a\u200bb\u200ec\ufeffd", "a\\x200bb\\x200ec\\xfeffd"),
    "half a character": ("a\ud800b", "a\\xd800b"),
    "nothing": ("", ""),
}


@pytest.mark.parametrize(("text", "expected"), ESCAPED.values(), ids=ESCAPED)
def test_what_could_deceive_is_escaped(text: str, expected: str) -> None:
    assert printable(text) == expected


@pytest.mark.parametrize("longest", [1, 5, 600])
def test_long_text_is_cut(longest: int) -> None:
    shown = printable("x" * 1000, longest)
    assert len(shown) == longest
    assert shown.endswith("…")


def test_text_of_just_the_longest_length_is_not_cut() -> None:
    assert printable("x" * 600) == "x" * 600


@given(st.text(st.characters(), max_size=700))
def test_every_text_becomes_one_line_that_can_be_written(text: str) -> None:
    shown = printable(text)
    assert len(shown) <= 600
    assert len(shown.splitlines()) <= 1
    shown.encode("utf-8")


@given(st.text())
def test_what_is_safe_already_stays_as_it_is(text: str) -> None:
    assert printable(printable(text)) == printable(text)


def test_every_error_has_one_root() -> None:
    errors = [kind for kind in vars(errors_module).values() if isinstance(kind, type) and issubclass(kind, Exception)]
    assert len(errors) > 8
    assert all(issubclass(kind, ImagesError) for kind in errors)


def test_a_transfer_error_says_whether_it_heals() -> None:
    error = TransferError("no connection", heals=True, retry_after=3.0)
    assert (str(error), error.heals, error.retry_after) == ("no connection", True, 3.0)


def test_a_damaged_blob_is_named() -> None:
    error = DamagedBlobError("sha256:ab", "it has 3 bytes instead of 4")
    assert error.digest == "sha256:ab"
    assert str(error) == "sha256:ab in the cache is damaged: it has 3 bytes instead of 4"
