# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""JSON from outside."""

from __future__ import annotations

import contextlib
import json
from typing import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.airgap.images.plugins.module_utils._base.json import (
    JsonError,
    JsonObject,
    canonical,
    compact,
    parse_object,
)

DOCUMENTS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)
OBJECTS = st.dictionaries(st.text(max_size=5), DOCUMENTS, max_size=4)

REFUSED: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "not a JSON document"),
    "half an object": (b'{"a": 1', "not a JSON document"),
    "more than one": (b"{} {}", "not a JSON document"),
    "not UTF-8": (b'{"a": "\xff"}', "not a JSON document"),
    "a byte order mark": (b"\xef\xbb\xbf{}", "not a JSON document"),
    "a list": (b"[]", "not a JSON object"),
    "a string": (b'"a"', "not a JSON object"),
    "null": (b"null", "not a JSON object"),
    "a key twice": (b'{"a": 1, "a": 1}', "twice"),
    "a key twice, deep inside": (b'{"b": [{"a": 1, "a": 2}]}', "twice"),
    "not a number": (b'{"a": NaN}', "NaN"),
    "infinity": (b'{"a": -Infinity}', "Infinity"),
    "an integer without end": (b'{"a": ' + b"9" * 101 + b"}", "101 digits"),
    "too deep": (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "not a JSON document"),
}

Getter = Callable[[JsonObject], object]
WRONG_TYPES: dict[str, tuple[str, Getter, str]] = {
    "number for text": ('{"a": 1}', lambda o: o.text("a"), "a must be a string"),
    "text for integer": ('{"a": "1"}', lambda o: o.integer("a"), "a must be an integer"),
    "fraction for integer": ('{"a": 1.0}', lambda o: o.integer("a"), "a must be an integer"),
    "truth for integer": ('{"a": true}', lambda o: o.integer("a"), "a must be an integer"),
    "no integer": ("{}", lambda o: o.integer("a"), "a must be an integer"),
    "text for list": ('{"a": "b"}', lambda o: o.texts("a"), "a must be a list"),
    "number in list": ('{"a": ["b", 1]}', lambda o: o.texts("a"), "a must hold strings only"),
    "list for object": ('{"a": []}', lambda o: o.object("a"), "a must be an object"),
    "text among objects": ('{"a": [{}, "b"]}', lambda o: o.objects("a"), "a[1] must be an object"),
    "number in map": ('{"a": {"b": 1}}', lambda o: o.text_map("a"), "a.b must be a string"),
    "deep inside": (
        '{"a": [{}, {"b": {"c": 1}}]}',
        lambda o: o.objects("a")[1].object("b").text("c"),
        "a[1].b.c must be a string",
    ),
}

ABSENT: dict[str, tuple[Getter, object]] = {
    "text": (lambda o: o.text("a"), ""),
    "texts": (lambda o: o.texts("a"), ()),
    "object": (lambda o: o.object("a").names(), []),
    "objects": (lambda o: o.objects("a"), ()),
    "map": (lambda o: o.text_map("a"), {}),
    "in": (lambda o: "a" in o, False),
}


@pytest.mark.parametrize(("raw", "said"), REFUSED.values(), ids=REFUSED)
def test_what_is_no_json_object_is_refused(raw: bytes, said: str) -> None:
    with pytest.raises(JsonError, match=said):
        parse_object(raw)


@pytest.mark.parametrize(("text", "get", "said"), WRONG_TYPES.values(), ids=WRONG_TYPES)
def test_errors_name_the_place(text: str, get: Getter, said: str) -> None:
    with pytest.raises(JsonError) as caught:
        get(parse_object(text.encode()))
    assert str(caught.value) == said


@pytest.mark.parametrize("text", ["{}", '{"a": null}'])
@pytest.mark.parametrize(("get", "expected"), ABSENT.values(), ids=ABSENT)
def test_absent_and_null_are_empty(get: Getter, expected: object, text: str) -> None:
    assert get(parse_object(text.encode())) == expected


def test_members_are_given_as_they_are() -> None:
    document = parse_object(b'{"b": 1, "a": [true, null, 1.5, {"c": "d"}]}')
    assert document.names() == ["b", "a"]
    assert document.values() == {"b": 1, "a": [True, None, 1.5, {"c": "d"}]}
    assert "b" in document


def test_both_ways_of_writing() -> None:
    assert compact({"b": ["é", 1], "a": None}) == '{"b":["é",1],"a":null}'.encode()
    assert canonical({"b": ["é"]}) == '{\n  "b": [\n    "é"\n  ]\n}\n'.encode()


@given(OBJECTS)
def test_what_is_written_can_be_read(values: dict[str, object]) -> None:
    assert parse_object(compact(values)).values() == values
    assert parse_object(canonical(values)).values() == values


@pytest.mark.parametrize("raw", [b'{"a": "\\ud800"}', b'{"\\udfff": 1}', b'{"a": 1e999}'])
def test_what_cannot_be_written_again_is_refused(raw: bytes) -> None:
    json.loads(raw)  # Python takes it
    with pytest.raises(JsonError):
        parse_object(raw)


@given(st.binary(max_size=200) | OBJECTS.map(lambda values: json.dumps(values).encode()))
def test_reading_raises_nothing_else(raw: bytes) -> None:
    with contextlib.suppress(JsonError):
        parse_object(raw)


@pytest.mark.parametrize("raw", [b'{"a": [1, 2]}', b'{"a": {"b": 1}, "c": 2}', b'{"a": "[,"}'])
def test_a_document_may_be_held_to_a_number_of_values(raw: bytes) -> None:
    assert parse_object(raw, most=3).names()
    with pytest.raises(JsonError, match="more than 2 values"):
        parse_object(raw.replace(b"}", b",}"), most=2)
