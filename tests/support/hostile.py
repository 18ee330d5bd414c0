# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A registry that means harm: it answers with exactly the bytes and headers that it is told, however wrong they are.

It speaks as much of the distribution API as a pull needs, closes the connection after every answer, and keeps the head
of every request.
"""

from __future__ import annotations

import socketserver
import ssl
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from http.client import parse_headers
from typing import Union, cast

from .certificates import KeyPair, server_context
from .images import OCI_MANIFEST, Image, Index
from .layers import sha256
from .served import Served

_TIMEOUT = 60.0

Body = Union[bytes, Callable[[], Iterable[bytes]]]
"""Bytes, or a function that makes pieces of them, also without end."""


@dataclass(frozen=True)
class Asked:
    """One request; names of headers are in lower case. ``path`` is as it came, with the query."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes = b""

    @property
    def by_skopeo(self) -> bool:
        """True if skopeo asks, not the module's own client."""
        return "skopeo" in self.headers.get("user-agent", "")

    @property
    def authorization(self) -> str:
        """The credentials that the client sends."""
        return self.headers.get("authorization", "")


@dataclass(frozen=True)
class Reply:
    """An answer. Headers go out as they are; a Content-Length that is right is added unless ``plain`` is false.

    The length of a ``body`` that a function makes is not told. ``raw`` replaces everything, the status line as well.
    """

    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    body: Body = b""
    plain: bool = True
    raw: Body | None = None

    def head(self) -> bytes:
        """Status line and headers. What Latin-1 lacks goes out as UTF-8."""
        lines = [f"HTTP/1.1 {self.status} Whatever", *(f"{name}: {value}" for name, value in self.headers)]
        if self.plain and isinstance(self.body, bytes):
            lines.append(f"Content-Length: {len(self.body)}")
        return "\r\n".join([*lines, "Connection: close", "", ""]).encode("utf-8")

    def pieces(self, *, body: bool) -> Iterator[bytes]:
        """The bytes that go over the wire."""
        if self.raw is not None:
            yield from _pieces(self.raw)
            return
        yield self.head()
        if body:
            yield from _pieces(self.body)


def _pieces(data: Body) -> Iterable[bytes]:
    return [data] if isinstance(data, bytes) else data()


def manifest_reply(raw: bytes, media_type: str = OCI_MANIFEST, *, digest: str = "") -> Reply:
    """How an honest registry would answer for a manifest; ``digest`` is what it says the digest is."""
    return Reply(headers=(("Content-Type", media_type), ("Docker-Content-Digest", digest or sha256(raw))), body=raw)


Rule = Callable[[Asked], Union[Reply, None]]


@dataclass
class Hostile(Served):
    """The server, as a context manager. ``rules`` are asked first, in order; ``replies`` are by path, without query."""

    tls: KeyPair | None = None
    rules: list[Rule] = field(default_factory=list)
    replies: dict[str, Reply] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._mutex = threading.Lock()
        self._asked: list[Asked] = []
        self._context = server_context(self.tls) if self.tls else None
        super().__init__(_Server(self), scheme="https" if self.tls else "http")

    def manifest(self, name: str, raw: bytes, media_type: str = OCI_MANIFEST) -> str:
        """Has the tag ``1`` of a repository stand for these bytes, under their right digest; gives the reference."""
        for reference in ("1", sha256(raw)):
            self.replies[f"/v2/{name}/manifests/{reference}"] = manifest_reply(raw, media_type)
        return self.reference(name)

    def child(self, name: str, raw: bytes, media_type: str = OCI_MANIFEST, *, digest: str = "") -> None:
        """Serves a manifest by digest alone, which may be another than its own."""
        named = digest or sha256(raw)
        self.replies[f"/v2/{name}/manifests/{named}"] = manifest_reply(raw, media_type, digest=named)

    def blob(self, name: str, data: bytes, *, digest: str = "") -> str:
        """Serves a blob, by default under its right digest; gives that."""
        named = digest or sha256(data)
        self.replies[f"/v2/{name}/blobs/{named}"] = Reply(body=data)
        return named

    def image(self, name: str, image: Image | Index) -> str:
        """Serves a sound image under the tag ``1``; gives its reference."""
        self.content(name, image)
        return self.manifest(name, image.raw, image.media_type)

    def content(self, name: str, image: Image | Index) -> None:
        """Serves all that an image consists of, but no tag."""
        self.child(name, image.raw, image.media_type)
        if isinstance(image, Index):
            for entry in image.entries:
                self.content(name, entry.item)
            return
        self.blob(name, image.config)
        for layer in image.layers:
            self.blob(name, layer.data)

    def reference(self, name: str) -> str:
        """The reference of a repository's tag ``1``."""
        return f"{self.host}/{name}:1"

    def asked(self, part: str = "") -> list[Asked]:
        """The requests since the start or the last ``clear`` with ``part`` in their path."""
        with self._mutex:
            return [each for each in self._asked if part in each.path]

    def clear(self) -> None:
        """Forgets the requests seen so far."""
        with self._mutex:
            self._asked.clear()

    def answer(self, asked: Asked) -> Reply:
        """Takes down a request and chooses the answer."""
        with self._mutex:
            self._asked.append(asked)
        for rule in self.rules:
            reply = rule(asked)
            if reply is not None:
                return reply
        path = asked.path.partition("?")[0]
        return self.replies.get(path, Reply() if path == "/v2/" else Reply(404))


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def __init__(self, hostile: Hostile) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.hostile = hostile

    def handle_error(self, request: object, client_address: object) -> None:
        """Keeps the tests' output free of clients that went away."""


class _Handler(socketserver.StreamRequestHandler):
    timeout = _TIMEOUT

    def setup(self) -> None:
        """Speaks TLS here, in the connection's own thread."""
        context = cast("_Server", self.server).hostile._context
        self.request.settimeout(_TIMEOUT)
        if context is not None:
            self.request = context.wrap_socket(self.request, server_side=True)
        super().setup()

    def handle(self) -> None:
        """Answers one request. Who speaks TLS where it is not spoken is let go at once."""
        if self.rfile.peek(1)[:1] == b"\x16":
            return
        words = self.rfile.readline(65537).decode("latin-1").split()
        if len(words) != 3:
            return
        headers = {name.lower(): value for name, value in parse_headers(self.rfile).items()}
        length = headers.get("content-length", "")
        body = self.rfile.read(int(length)) if length.isdigit() else b""
        if headers.get("transfer-encoding") == "chunked":  # skopeo's way to send a refresh token
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size + 2)[:size]
            self.rfile.readline()
        reply = cast("_Server", self.server).hostile.answer(Asked(words[0], words[1], headers, body))
        with suppress(OSError, ssl.SSLError):
            for piece in reply.pieces(body=words[0] != "HEAD"):
                self.wfile.write(piece)
