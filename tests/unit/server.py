# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A tiny HTTP server on 127.0.0.1 whose answers a test lays down."""

from __future__ import annotations

import ssl
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Callable


@dataclass(frozen=True)
class Reply:
    """One answer.

    :param headers: pairs, so that a name may stand twice. Content-Length is added unless it is there.
    :param cut: bytes of the body that are sent before the connection breaks.
    :param stalls: send nothing more after that, until the server ends.
    """

    status: int = 200
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()
    cut: int | None = None
    stalls: bool = False


@dataclass(frozen=True)
class Request:
    """One request as it came; header names are in lower case."""

    method: str
    path: str
    headers: dict[str, str] = field(repr=False)
    body: bytes = field(repr=False)

    @property
    def line(self) -> str:
        return f"{self.method} {self.path}"


Answering = Callable[[Request], Reply]


class Server:
    """Answers requests from ``routes``; what stands there for a path comes one after the other, the last for ever.

    :ivar requests: all that came.
    :ivar connections: how many connections were made.
    """

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        self.requests: list[Request] = []
        self.connections = 0
        self._routes: dict[str, list[Reply | Answering]] = {}
        self._ended = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._server.block_on_close = False
        self.scheme = "http" if context is None else "https"
        if context is not None:
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.005})

    def __enter__(self) -> Server:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        return f"{self.scheme}://{self.host}"

    @property
    def lines(self) -> list[str]:
        """Method and path of all requests."""
        return [request.line for request in self.requests]

    def route(self, path: str, *replies: Reply | Answering) -> None:
        """Lay down what is answered for a path (without its query), or for ``*``."""
        self._routes[path] = list(replies)

    def _next(self, path: str) -> Reply | Answering:
        replies = self._routes.get(path.partition("?")[0]) or self._routes.get("*") or [Reply(404)]
        return replies.pop(0) if len(replies) > 1 else replies[0]

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def setup(self) -> None:
                outer.connections += 1
                super().setup()

            def handle_one_request(self) -> None:
                try:
                    super().handle_one_request()
                except OSError:
                    self.close_connection = True

            def answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                headers = {name.lower(): value for name, value in self.headers.items()}
                request = Request(self.command, self.path, headers, body)
                outer.requests.append(request)
                found = outer._next(self.path)
                reply = found if isinstance(found, Reply) else found(request)
                self.send(reply)

            def send(self, reply: Reply) -> None:
                self.send_response(reply.status)
                for name, value in reply.headers:
                    self.send_header(name, value)
                if "content-length" not in {name.lower() for name, _value in reply.headers}:
                    self.send_header("Content-Length", str(len(reply.body)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(reply.body[: reply.cut])
                self.wfile.flush()
                if reply.stalls:
                    outer._ended.wait(60)
                if reply.cut is not None or reply.stalls:
                    self.close_connection = True

            def log_message(self, format: str, *values: object) -> None:
                """Requests are kept in ``requests``."""

        for method in ("GET", "HEAD", "POST"):
            setattr(Handler, f"do_{method}", Handler.answer)
        return Handler
