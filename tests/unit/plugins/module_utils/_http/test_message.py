# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Messages of HTTP/1.1, as they are written and read."""

from __future__ import annotations

import http.client
import io
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.airgap.images.plugins.module_utils._http.message import (
    BrokenOff,
    Head,
    NotHttp,
    chunks,
    counted,
    is_in_chunks,
    length_of,
    read_head,
    request_head,
    to_the_end,
)

OK = b"HTTP/1.1 200 OK\r\n"


def head_of(raw: bytes) -> Head:
    return read_head(io.BufferedReader(io.BytesIO(raw)))  # type: ignore[arg-type]


def source(raw: bytes) -> io.BufferedReader:
    return io.BufferedReader(io.BytesIO(raw))  # type: ignore[arg-type]


def test_a_request() -> None:
    head = request_head("GET", "/v2/?a=b", {"Host": "reg.lan", "Accept": "caf\u00e9"})
    assert head == b"GET /v2/?a=b HTTP/1.1\r\nHost: reg.lan\r\nAccept: caf\xe9\r\n\r\n"


@pytest.mark.parametrize("text", ["a\nb", "a\rb", "a\r\n b", "a\0b", "\u20ac"])
def test_a_text_that_breaks_a_line_is_never_sent(text: str) -> None:
    for target, value in ((f"/{text}", "x"), ("/", text)):
        with pytest.raises(ValueError):  # also that of an encoding
            request_head("GET", target, {"Host": "reg.lan", "X": value})


HEADS: dict[str, tuple[bytes, Head]] = {
    "usual": (OK + b"Content-Length: 5\r\n\r\nhello", Head(200, {"content-length": "5"}, True)),
    "bare line feeds": (b"HTTP/1.1 404\nA: b\n\n", Head(404, {"a": "b"}, True)),
    "no headers": (OK + b"\r\n", Head(200, {}, True)),
    "twice": (OK + b"A: b\r\na:c\r\n\r\n", Head(200, {"a": "b, c"}, True)),
    "in two lines": (OK + b"A: b\r\n\t c\r\nD: e\r\n\r\n", Head(200, {"a": "b c", "d": "e"}, True)),
    "nothing to go on with": (OK + b" b\r\nC: d\r\n\r\n", Head(200, {"c": "d"}, True)),
    "a line without a colon": (OK + b"what\r\n more\r\nC: d\r\n\r\n", Head(200, {"c": "d"}, True)),
    "colons": (OK + b"A : b:c\r\n: x\r\n\r\n", Head(200, {"a": "b:c"}, True)),
    "Latin-1": (OK + b"A: \xe9\r\n\r\n", Head(200, {"a": "\u00e9"}, True)),
    "it closes": (OK + b"Connection: Close\r\n\r\n", Head(200, {"connection": "Close"}, False)),
    "an old version": (b"HTTP/1.0 200 OK\r\n\r\n", Head(200, {}, False)),
    "an old version that keeps it": (
        b"HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\n\r\n",
        Head(200, {"connection": "Keep-Alive"}, True),
    ),
}


@pytest.mark.parametrize(("raw", "expected"), HEADS.values(), ids=HEADS)
def test_the_beginning_of_an_answer(raw: bytes, expected: Head) -> None:
    assert head_of(raw) == expected


NO_HEADS: dict[str, tuple[bytes, type[Exception], str]] = {
    "nothing": (b"", ConnectionResetError, "closed connection"),
    "another protocol": (b"SSH-2.0-hello\r\n", NotHttp, "^SSH-2.0-hello$"),
    "another version": (b"HTTP/2 200 OK\r\n\r\n", NotHttp, "HTTP/2"),
    "a status that is none": (b"HTTP/1.1 2000 OK\r\n\r\n", NotHttp, "2000"),
    "its end within the headers": (OK + b"A: b\r\n", BrokenOff, "within its headers"),
    "its end within a header": (OK + b"A: b", BrokenOff, "within its headers"),
    "a long line": (OK + b"A: " + b"x" * 70_000 + b"\r\n\r\n", NotHttp, "more than 65536 bytes"),
    "many headers": (OK + b"A: b\r\n" * 101 + b"\r\n", NotHttp, "more than 100 headers"),
}


@pytest.mark.parametrize(("raw", "kind", "said"), NO_HEADS.values(), ids=NO_HEADS)
def test_what_is_not_the_beginning_of_an_answer(raw: bytes, kind: type[Exception], said: str) -> None:
    with pytest.raises(kind, match=said):
        head_of(raw)


LENGTHS: dict[str, tuple[str, int, dict[str, str], int | None]] = {
    "stated": ("GET", 200, {"content-length": "5"}, 5),
    "not stated": ("GET", 200, {}, None),
    "stated twice": ("GET", 200, {"content-length": "5, 5"}, 5),
    "not a number": ("GET", 200, {"content-length": "-5"}, None),
    "too large a number": ("GET", 200, {"content-length": "9" * 20}, None),
    "HEAD": ("HEAD", 200, {"content-length": "5"}, 0),
    "no content": ("GET", 204, {"content-length": "5"}, 0),
    "not modified": ("GET", 304, {"content-length": "5"}, 0),
    "another protocol": ("GET", 101, {}, 0),
    "chunks": ("GET", 200, {"content-length": "5", "transfer-encoding": "chunked"}, None),
}


@pytest.mark.parametrize(("method", "status", "headers", "expected"), LENGTHS.values(), ids=LENGTHS)
def test_lengths(method: str, status: int, headers: dict[str, str], expected: int | None) -> None:
    head = Head(status, headers, True)
    assert length_of(method, head) == expected
    assert is_in_chunks(head) == ("transfer-encoding" in headers)


def test_lengths_that_contradict_each_other() -> None:
    with pytest.raises(NotHttp, match="Content-Length has several values: 5, 6"):
        length_of("GET", Head(200, {"content-length": "5, 6"}, True))


def test_a_body_of_known_length_takes_nothing_more() -> None:
    file = source(b"hello!")
    assert b"".join(counted(file, 5, 2)) == b"hello"
    assert file.read() == b"!"


def test_a_body_that_is_too_short() -> None:
    with pytest.raises(BrokenOff, match="after 2 of 5 bytes"):
        list(counted(source(b"he"), 5, 100))


def test_a_body_that_ends_with_the_connection() -> None:
    assert list(to_the_end(source(b"hello"), 2)) == [b"he", b"ll", b"o"]


CHUNKED: dict[str, tuple[bytes, bytes, bytes]] = {
    "one": (b"5\r\nhello\r\n0\r\n\r\nX", b"hello", b"X"),
    "two, of which one has an extension": (b"2;a=b\r\nhe\r\n3\nllo\r\n0\r\n\r\n", b"hello", b""),
    "trailers": (b"1\r\nh\r\n000\r\nA: b\r\nC: d\r\n\r\nX", b"h", b"X"),
    "no end of the trailers": (b"1\r\nh\r\n0\r\n", b"h", b""),
}


@pytest.mark.parametrize(("raw", "body", "rest"), CHUNKED.values(), ids=CHUNKED)
def test_chunks(raw: bytes, body: bytes, rest: bytes) -> None:
    file = source(raw)
    assert (b"".join(chunks(file, 2)), file.read()) == (body, rest)


@pytest.mark.parametrize(
    "raw",
    [b"", b"5", b"5\r\nhe", b"2\r\nhello\r\n0\r\n\r\n", b"zz\r\n", b"-1\r\n", b"0x1\r\nh\r\n", b"\r\n", b"f" * 99],
)
def test_chunks_that_are_none(raw: bytes) -> None:
    with pytest.raises(BrokenOff):
        list(chunks(source(raw), 100))


@given(raw=st.binary(max_size=300).map(lambda rest: OK + rest))
def test_whatever_comes_has_a_verdict(raw: bytes) -> None:
    try:
        head = head_of(raw)
    except (NotHttp, BrokenOff):
        return
    assert all(name and name == name.lower().strip() for name in head.headers)


NAMES = st.sampled_from(["A", "Content-Type", "Docker-Content-Digest", "X-1"])
VALUES = st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=20)


@given(headers=st.lists(st.tuples(NAMES, VALUES), max_size=8))
def test_headers_are_those_that_http_client_reads(headers: list[tuple[str, str]]) -> None:
    raw = OK + "".join(f"{name}: {value}\r\n" for name, value in headers).encode("ascii") + b"\r\n"
    response = http.client.HTTPResponse(SimpleNamespace(makefile=lambda _mode: io.BytesIO(raw)))  # type: ignore[arg-type]
    response.begin()
    assert head_of(raw).headers == {name.lower(): response.getheader(name) for name in response.headers}
