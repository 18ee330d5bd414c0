# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A document that is read in pieces gives what it gives as a whole, and is refused for the same reasons."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.airgap.images.plugins.module_utils._base.json import Json, JsonError, parse_object
from ansible_collections.airgap.images.plugins.module_utils._base.json_stream import Element, JsonStream

LIST_USUAL = re.compile(r"[ \t\n\r]*([0-9])[ \t\n\r]*,")
PAIR_USUAL = re.compile(r'[ \t\n\r]*"([a-z]+)"[ \t\n\r]*:[ \t\n\r]*([0-9])[ \t\n\r]*,')

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


def pieces_of(raw: bytes, size: int) -> Iterator[bytes]:
    for start in range(0, len(raw), size):
        yield raw[start : start + size]


def as_list_value(element: Element) -> Json:
    return element[1] if isinstance(element, tuple) else int(element[1])


def as_pair(element: Element) -> tuple[str, Json]:
    return element if isinstance(element, tuple) else (element[1], int(element[2]))


def read(raw: bytes, size: int) -> dict[str, Json]:
    """Reads lists and objects element by element, wherever the document has them."""
    stream = JsonStream(pieces_of(raw, size))
    found: dict[str, Json] = {}
    for name in stream.members():
        if name.startswith("list"):
            found[name] = [as_list_value(one) for one in stream.items(name, LIST_USUAL)]
        elif name.startswith("pairs"):
            found[name] = dict(as_pair(one) for one in stream.pairs(name, PAIR_USUAL))
        else:
            found[name] = stream.value()
    return found


@given(
    st.dictionaries(st.text(), VALUES),
    st.lists(st.integers(0, 12) | VALUES),
    st.dictionaries(st.text(alphabet="ab\\é", max_size=3), st.integers(0, 12) | VALUES),
    st.integers(1, 40),
    st.sampled_from([None, 2]),
    st.booleans(),
)
def test_any_document_in_pieces_of_any_size(
    others: dict[str, Json],
    listed: list[Json],
    pairs: dict[str, Json],
    size: int,
    indent: int | None,
    ascii_only: bool,
) -> None:
    others = {f"other {name}": value for name, value in others.items()}
    document = {"list": listed, **others, "pairs": pairs}
    raw = json.dumps(document, indent=indent, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")
    assert read(raw, size) == document


REFUSED = [
    b"",
    b" ",
    b"[]",
    b"12",
    b"nothing",
    b"{",
    b'{"a"',
    b'{"a":',
    b'{"a": 1',
    b'{"a": 1,',
    b'{"a": 1,}',
    b'{"a" 1}',
    b'{"a": 1 "b": 2}',
    b"{a: 1}",
    b"{1: 1}",
    b'{"a": 1} 2',
    b'{"a": 1}}',
    b'{"a": 1, "a": 2}',
    b'{"x": {"a": 1, "a": 2}}',
    b'{"a": 01}',
    b'{"a": 1.}',
    b'{"a": NaN}',
    b'{"a": -Infinity}',
    b'{"a": 1e999}',
    b'{"a": ' + b"1" * 101 + b"}",
    b'{"a": "\\ud800"}',
    b'{"list": ["\\udc00"]}',
    b'{"pairs": {"\\ud834": 1}}',
    b'{"a": "\xff"}',
    b'{"a": "\xc3',
    b"\xef\xbb\xbf{}",
    b'{"list": [1, 2}',
    b'{"list": [1, 2,]}',
    b'{"list": [,]}',
    b'{"list": [1 2]}',
    b'{"list": [1, 2',
    b'{"pairs": {"a": 1,}}',
    b'{"pairs": {"a": 1]}',
    b'{"pairs": {"a", 1}}',
    b'{"pairs": {"a": 1',
    b'{"pairs": {"a": 1, "b": 01}}',
    b'{"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
]


@pytest.mark.parametrize("size", [1, 3, 1 << 20])
@pytest.mark.parametrize("raw", REFUSED, ids=lambda raw: repr(raw[:40]))
def test_what_is_refused_as_a_whole_is_refused_in_pieces(raw: bytes, size: int) -> None:
    with pytest.raises(JsonError) as whole:
        parse_object(raw)
    with pytest.raises(JsonError) as found:
        read(raw, max(size, len(raw) // 100))
    assert str(found.value) == str(whole.value)


@pytest.mark.parametrize("size", [1, 2, 5, 100])
def test_a_number_may_be_cut_anywhere(size: int) -> None:
    assert read(b'{"a": 12.5e3, "list": [1, 10, 1e2, -3], "b": 123}', size) == {
        "a": 12500.0,
        "list": [1, 10, 100.0, -3],
        "b": 123,
    }


def test_null_has_no_elements() -> None:
    assert read(b'{"list": null, "pairs": null}', 4) == {"list": [], "pairs": {}}


@pytest.mark.parametrize(
    ("raw", "told"),
    [
        (b'{"list": {}}', "list must be a list"),
        (b'{"list": 1}', "list must be a list"),
        (b'{"pairs": []}', "pairs must be an object"),
        (b'{"pairs": ""}', "pairs must be an object"),
    ],
)
def test_another_type_is_refused_by_name(raw: bytes, told: str) -> None:
    with pytest.raises(JsonError, match=f"^{told}$"):
        read(raw, 100)


def test_names_that_come_twice_are_left_to_the_caller() -> None:
    stream = JsonStream([b'{"pairs": {"a": 1, "a": 2, "a": 3}}'])
    assert [[as_pair(one) for one in stream.pairs(name, PAIR_USUAL)] for name in stream.members()] == [
        [("a", 1), ("a", 2), ("a", 3)]
    ]


def test_too_many_values_are_refused_before_they_are_read() -> None:
    def pieces() -> Iterator[bytes]:
        yield b'{"list": ['
        for _piece in range(100):
            yield b"1, " * 10
        pytest.fail("it reads on")

    stream = JsonStream(pieces(), most=50)
    with pytest.raises(JsonError, match=r"^it holds more than 50 values$"):
        for name in stream.members():
            list(stream.items(name, LIST_USUAL))
