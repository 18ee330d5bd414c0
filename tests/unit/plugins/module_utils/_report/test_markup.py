# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""HTML from pieces."""

from __future__ import annotations

from html.parser import HTMLParser

from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.airgap.images.plugins.module_utils._base.errors import printable
from ansible_collections.airgap.images.plugins.module_utils._report.markup import (
    LINE_END,
    element,
    join,
    text,
)

NASTY = st.text() | st.text(alphabet="<>&\"'/= -!scriptonload\u2028\x00\n", max_size=60)


class Parsed(HTMLParser):
    """The elements that a parser makes of it."""

    def __init__(self, markup: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.values: list[str | None] = []
        self.text = ""
        self.feed(markup)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.values += [value for _name, value in attrs]

    def handle_data(self, data: str) -> None:
        self.text += data

    def handle_comment(self, data: str) -> None:
        self.tags.append("comment")

    def handle_decl(self, decl: str) -> None:
        self.tags.append("declaration")


@given(NASTY, NASTY)
def test_no_text_becomes_markup(content: str, value: str) -> None:
    parsed = Parsed(element("p", content, element("b", content), title=value))
    assert parsed.tags == ["p", "b"]
    assert parsed.values == [printable(value, 10_000)]
    assert parsed.text == printable(content, 10_000) * 2


def test_attributes_are_named_and_left_out() -> None:
    made = element("td", "x", class_="n", aria_label="a", hidden=True, open=False, id=None, tabindex=0)
    assert made == '<td class="n" aria-label="a" hidden tabindex="0">x</td>'


def test_elements_are_closed_but_for_those_that_must_not_be() -> None:
    assert element("input", type="search") == '<input type="search">'
    assert element("rect", width=1) == '<rect width="1"></rect>'


def test_pieces_are_joined_with_what_is_escaped_too() -> None:
    assert join(["<", element("b", "&")], ">") == "&lt;&gt;<b>&amp;</b>"
    assert join(["a", "b"], LINE_END) == "a\nb"
    assert text("'\"") == "&#x27;&quot;"
