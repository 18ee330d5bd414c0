# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A response over HTTP, with its headers and addresses. Pure."""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import urlsplit

from .._base.errors import printable

DEFAULT_PORTS = {"http": "80", "https": "443"}
_PLAIN_BEGINNING = re.compile(r"([A-Za-z]+://[A-Za-z0-9.:\[\]-]+)/")
_GZIP = 31  # zlib: a header and trailer of gzip are expected
_MOST_TIMES = 16
_MOST_BYTES = 4 * 1024 * 1024  # no document is longer: one that is has one byte more then, and is refused


@dataclass(frozen=True)
class Response:
    """A response whose body was read whole.

    :param origin: where it came from, behind all redirects; see :func:`origin_of`.
    :param headers: by name in lower case.
    :param url: the same as an address.
    :param asked: the origin that was asked, before all redirects.
    :param account: whose login was sent with the request, in words (``user 'robot'``); empty: nobody's.
    """

    origin: str
    status: int
    headers: dict[str, str]
    body: bytes
    url: str = ""
    asked: str = ""
    account: str = ""

    @property
    def is_elsewhere(self) -> bool:
        """True if a redirect led to another host, which answered."""
        return bool(self.asked) and self.origin != self.asked

    @property
    def plain(self) -> bytes:
        """The body without its Content-Encoding, if that is correct; at most 4 MiB, and 16 times the body.

        Encodings are never asked for, so the header may be about what the bytes are, not about how they were sent.
        """
        if not is_gzip(self.header("content-encoding")):
            return self.body
        longest = min(_MOST_TIMES * len(self.body), _MOST_BYTES)
        try:
            return zlib.decompressobj(wbits=_GZIP).decompress(self.body, longest + 1)
        except zlib.error:
            return self.body

    def header(self, name: str) -> str:
        """Return the value of a header, in any case of letters; empty if there is none."""
        return self.headers.get(name.lower(), "")


def number_of(text: str) -> int | None:
    """Return the number of bytes in a header; ``None`` if it is not a number, or too large to be a size."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else None


def is_gzip(encoding: str) -> bool:
    """Return True if a Content-Encoding is gzip."""
    return encoding.strip().lower() in ("gzip", "x-gzip")


def shown_host(url: str) -> str:
    """Return the host of a URL from a server, safe to show: without user and password."""
    try:
        return printable(urlsplit(url).netloc.rpartition("@")[2], 200) or "a host without name"
    except ValueError:
        return "a host without name"


def origin_of(url: str) -> str:
    """``SCHEME://HOST[:PORT]`` of an address, in one spelling: lower case, and no port where it is the scheme's own.

    User and password stay, so that an address with them is another origin than one without.

    :raises ValueError: when it is not a URL.
    """
    beginning = _PLAIN_BEGINNING.match(url)
    return _origin_of(beginning[1] if beginning else url)


@lru_cache(maxsize=64)
def _origin_of(url: str) -> str:
    """Do so for an address, of which all requests to one host have the beginning in common."""
    parts = urlsplit(url)
    scheme = parts.scheme.lower()
    host = parts.netloc.lower()
    name, colon, port = host.rpartition(":")
    return f"{scheme}://{name}" if colon and port in ("", DEFAULT_PORTS.get(scheme)) else f"{scheme}://{host}"
