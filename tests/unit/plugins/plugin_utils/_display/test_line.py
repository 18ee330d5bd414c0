# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.airgap.images.plugins.plugin_utils._display.line import (
    Line,
    Piece,
    shortened_end,
    shortened_start,
    width_of,
)


@pytest.mark.parametrize(("text", "columns"), [("", 0), ("abc", 3), ("日本", 4), ("e\u0301", 1), ("…", 1)])
def test_columns_of_a_terminal(text: str, columns: int) -> None:
    assert width_of(text) == columns


def test_the_end_of_a_name_and_the_start_of_a_line_stay() -> None:
    assert shortened_start("docker.io/rancher/rancher:v1", 12) == "…/rancher:v1"
    assert shortened_end("asking registries", 8) == "asking …"
    assert shortened_end("日本", 3) == "日…"
    assert shortened_start("short", 5) == "short"


def test_a_piece_after_the_first() -> None:
    line = Line((Piece("a"), Piece("c", 1, joint="; ")), news=1).with_piece(Piece("b"))
    assert (str(line), line.news) == ("a, b; c", 1)


PIECES = st.builds(Piece, st.text(max_size=20), st.integers(0, 5), st.text(max_size=40), st.text(max_size=5))


@given(pieces=st.lists(PIECES, max_size=6), columns=st.integers(1, 120))
def test_no_line_is_wider_than_its_terminal(pieces: list[Piece], columns: int) -> None:
    line = Line((Piece("first"), *pieces))
    fitted = line.within(columns)
    assert width_of(fitted) <= columns
    if width_of(str(line)) <= columns:
        assert fitted == str(line) == line.within(None)
    if columns >= 5:
        assert fitted.startswith("firs")
