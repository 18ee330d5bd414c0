# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Messages of HTTP/1.1: how a request begins, and how a response is read (RFC 9112). Pure, except for reading.

``http.client`` does the same for four times the CPU, most of it for headers, which it has the parser of mails read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

MOST_HEADERS = 100
LONGEST_LINE = 64 * 1024

_STATUS = re.compile(rb"HTTP/1\.([0-9]+) +([0-9]{3})(?![0-9])")
_SIZE = re.compile(rb"[0-9A-Fa-f]{1,15}")
_BLANK = (b"\r\n", b"\n")
_NO_BODY = (204, 304)


class NotHttp(Exception):
    """The other side says something that is not HTTP."""


class BrokenOff(Exception):
    """A response ends before its end."""


class Source(Protocol):
    """A buffered file with the bytes of one response."""

    def readline(self, size: int, /) -> bytes:
        """Return a line; one that is cut if it is longer, or if there is no more."""

    def read1(self, size: int, /) -> bytes:
        """Return what has come, but wait for something; nothing at the end."""


@dataclass(frozen=True)
class Head:
    """The beginning of a response.

    :param headers: by name in lower case; of several with one name, the values are joined by commas.
    :param is_kept: whether the other side keeps the connection for another request.
    """

    status: int
    headers: dict[str, str]
    is_kept: bool


def request_head(method: str, target: str, headers: Mapping[str, str]) -> bytes:
    """Write the beginning of a request.

    :param target: has no blanks.
    :raises ValueError: when a text would break a line, or cannot be sent at all.
    """
    lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    text = "\n".join(lines)
    if "\r" in text or "\0" in text or text.count("\n") >= len(lines):
        raise ValueError("a header or an address would break a line")
    return (text.replace("\n", "\r\n") + "\r\n\r\n").encode("latin-1")


def read_head(source: Source) -> Head:
    """Read the beginning of a response.

    :raises ConnectionResetError: when there is none.
    :raises NotHttp: when it is something else.
    :raises BrokenOff: when it ends before its end.
    """
    first = source.readline(LONGEST_LINE + 1)
    if not first:
        raise ConnectionResetError("Remote end closed connection without response")
    found = _STATUS.match(first)
    if found is None:
        raise NotHttp(first[:LONGEST_LINE].decode("latin-1").strip())
    headers = _read_headers(source)
    return Head(int(found[2]), headers, _is_kept(is_old=found[1] == b"0", headers=headers))


def _read_headers(source: Source) -> dict[str, str]:
    headers: dict[str, str] = {}
    name = ""
    for _number in range(MOST_HEADERS + 1):
        line = source.readline(LONGEST_LINE + 1)
        if line in _BLANK:
            return headers
        if len(line) > LONGEST_LINE:
            raise NotHttp(f"got more than {LONGEST_LINE} bytes when reading header line")
        if line[-1:] != b"\n":
            raise BrokenOff("it ends within its headers")
        text = line.decode("latin-1")
        if text[0] in " \t":  # goes on with the line before it (RFC 9112, 5.2)
            if name:
                headers[name] = f"{headers[name]} {text.strip()}"
            continue
        name, colon, value = text.partition(":")
        name = name.strip().lower() if colon else ""
        if name:
            headers[name] = f"{headers[name]}, {value.strip()}" if name in headers else value.strip()
    raise NotHttp(f"got more than {MOST_HEADERS} headers")


def _is_kept(*, is_old: bool, headers: Mapping[str, str]) -> bool:
    options = headers.get("connection", "").lower()
    return "keep-alive" in options if is_old else "close" not in options


def length_of(method: str, head: Head) -> int | None:
    """Return how many bytes the body of a response has; ``None`` if its headers do not say (RFC 9112, 6.3).

    :raises NotHttp: when they contradict themselves.
    """
    if method == "HEAD" or head.status < 200 or head.status in _NO_BODY:
        return 0
    if "transfer-encoding" in head.headers:
        return None
    header = head.headers.get("content-length", "")
    stated = {text.strip() for text in header.split(",")}
    if len(stated) > 1:
        raise NotHttp(f"Content-Length has several values: {header}")
    text = stated.pop()
    return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else None


def is_in_chunks(head: Head) -> bool:
    """Return True if a body comes in chunks, the last of which says that it is the last."""
    return head.headers.get("transfer-encoding", "").strip().lower() == "chunked"


def counted(source: Source, length: int, piece: int) -> Iterator[bytes]:
    """Yield the body of a response of which the length is known, as it comes.

    :param piece: bytes that are read at a time, at most.
    :raises BrokenOff: when it is shorter.
    """
    left = length
    while left:
        data = source.read1(min(left, piece))
        if not data:
            raise BrokenOff(f"it ended after {length - left} of {length} bytes")
        left -= len(data)
        yield data


def chunks(source: Source, piece: int) -> Iterator[bytes]:
    """Yield the body of a response that comes in chunks, as it comes (RFC 9112, 7.1); trailers are dropped.

    :param piece: bytes that are read at a time, at most.
    :raises BrokenOff: when it ends before its last chunk, or is not of this form.
    """
    while True:
        line = source.readline(LONGEST_LINE + 1)
        size = line.partition(b";")[0].strip()
        if line[-1:] != b"\n" or not _SIZE.fullmatch(size):
            raise BrokenOff("a chunk is incomplete")
        if not int(size, 16):
            break
        yield from counted(source, int(size, 16), piece)
        if source.readline(3) not in _BLANK:
            raise BrokenOff("a chunk is incomplete")
    while source.readline(LONGEST_LINE + 1) not in (*_BLANK, b""):
        pass


def to_the_end(source: Source, piece: int) -> Iterator[bytes]:
    """Yield the body of a response that ends with the connection, as it comes.

    :param piece: bytes that are read at a time, at most.
    """
    while data := source.read1(piece):
        yield data
