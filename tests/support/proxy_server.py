# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fault proxy's work on a connection: it forwards what comes, and does to it what a rule says."""

from __future__ import annotations

import http.client
import socket
import struct
from collections.abc import Iterable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, cast

from .certificates import KeyPair, server_context
from .faults import (
    Action,
    Authorize,
    Busy,
    Dole,
    Hold,
    Mismeasure,
    Redirect,
    Reset,
    Respond,
    Stall,
    Trickle,
    Truncate,
    limit,
    spoiled,
    told,
)

if TYPE_CHECKING:
    from .proxy import Proxy, ProxyRequest

_CHUNK = 64 * 1024
_HOP_BY_HOP = {"connection", "keep-alive", "proxy-connection", "te", "transfer-encoding", "upgrade"}


class ProxyServer(ThreadingHTTPServer):
    """Listens for one proxy; every connection has a thread of its own."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, proxy: Proxy, tls: KeyPair | None) -> None:
        self.proxy = proxy
        super().__init__(("127.0.0.1", 0), _Handler)
        self._context = server_context(tls) if tls else None

    def get_request(self) -> tuple[socket.socket, tuple[str, int]]:
        connection, address = super().get_request()
        if self._context:
            # The handshake happens in the connection's own thread, at the first read.
            connection = self._context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
        return connection, address

    def shutdown_request(self, request: socket.socket | tuple[bytes, socket.socket]) -> None:
        """Closes without the orderly shutdown that would come before a reset."""
        self.close_request(request)

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients that go away are what the tests are about."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def setup(self) -> None:
        super().setup()
        self.proxy = cast(ProxyServer, self.server).proxy
        self.upstream: http.client.HTTPConnection | None = None

    def finish(self) -> None:
        if self.upstream:
            self.upstream.close()
        super().finish()

    def log_message(self, format: str, *args: object) -> None:
        """Keeps the tests' output free of it."""

    def _serve(self) -> None:
        request = self.proxy.begin(self.command, self.path, self.headers.items())
        try:
            self._act(request)
        finally:
            self.proxy.progress(request, done=True)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = _serve

    def _act(self, request: ProxyRequest) -> None:
        action = request.action
        if isinstance(action, Hold):
            action.wait(self.proxy.ended)
        if isinstance(action, Respond):
            self._respond(request, action.status, action.headers, action.body)
        elif isinstance(action, Busy):
            self._respond(request, 429, action.headers(), b"")
        elif isinstance(action, Redirect):
            self._respond(request, action.status, {"Location": f"{action.base}{self.path}"}, b"")
        elif isinstance(action, Reset) and action.after < 0:
            self._reset()
        elif isinstance(action, Stall) and action.after < 0:
            self._wait_for_client()
            self.close_connection = True
        else:
            self._forward(request)

    def _respond(self, request: ProxyRequest, status: int, headers: Mapping[str, str], body: bytes) -> None:
        # What the client sends along has to be read, or it would be taken for the next request.
        for _data in self._sized(int(self.headers.get("Content-Length") or 0)):
            pass
        self.proxy.progress(request, status=status)
        self.send_response_only(status)
        for name, text in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, text)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
            self.proxy.progress(request, sent=len(body))

    def _forward(self, request: ProxyRequest) -> None:
        try:
            answer = self._ask(request.action)
        except (OSError, http.client.HTTPException) as error:
            self._drop_upstream()
            self.close_connection = True
            self._respond(request, 502, {}, f"the registry is out of reach: {error}\n".encode())
            return
        self.proxy.progress(request, status=answer.status)
        self.send_response_only(answer.status, answer.reason)
        for name, text in told(request.action, answer.getheaders()):
            if name.lower() not in _HOP_BY_HOP:
                self.send_header(name, text)
        length = answer.getheader("Content-Length")
        if length is None and self.command != "HEAD":
            self.send_header("Connection", "close")
        self.end_headers()
        self._body(request, answer)

    def _ask(self, action: Action | None) -> http.client.HTTPResponse:
        if self.upstream is None:
            self.upstream = http.client.HTTPConnection(self.proxy.upstream.hostname or "", self.proxy.upstream.port)
        self.upstream.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
        replaced = {"x-forwarded-proto": self.proxy.scheme}
        proof = action.header if isinstance(action, Authorize) else self.proxy.authorization
        if proof:
            replaced["authorization"] = proof
        # One by one: a name may come more than once, as Accept does.
        for name, text in self.headers.items():
            if name.lower() not in _HOP_BY_HOP and name.lower() not in replaced:
                self.upstream.putheader(name, text)
        for name, text in replaced.items():
            self.upstream.putheader(name, text)
        if "chunked" in self.headers.get("Transfer-Encoding", "").lower():
            self.upstream.putheader("Transfer-Encoding", "chunked")
            self.upstream.endheaders(self._chunks(), encode_chunked=True)
        else:
            self.upstream.endheaders(self._sized(int(self.headers.get("Content-Length") or 0)))
        return self.upstream.getresponse()

    def _sized(self, length: int) -> Iterable[bytes]:
        while length > 0:
            data = self.rfile.read(min(length, _CHUNK))
            if not data:
                return
            length -= len(data)
            yield data

    def _chunks(self) -> Iterable[bytes]:
        while size := int(self.rfile.readline().split(b";")[0], 16):
            yield from self._sized(size)
            self.rfile.readline()
        self.rfile.readline()

    def _body(self, request: ProxyRequest, answer: http.client.HTTPResponse) -> None:
        action = request.action
        end = limit(action, answer.length or 0)
        while True:
            want = self._pace(action, request.sent) if end is None else min(_CHUNK, end - request.sent)
            data = answer.read(want) if want > 0 else b""
            if not data:
                break
            self.wfile.write(spoiled(action, data, request.sent))
            self.proxy.progress(request, sent=len(data))
        if isinstance(action, Stall):
            self._wait_for_client()
        elif isinstance(action, Reset):
            self._reset()
        ends = isinstance(action, (Stall, Truncate, Reset, Mismeasure))
        if ends or answer.getheader("Content-Length") is None:
            self._drop_upstream()
            self.close_connection = True

    def _pace(self, action: Action | None, sent: int) -> int:
        """How many bytes to send now; waits first where they are to trickle, or doled out."""
        if isinstance(action, Dole):
            return action.room(sent, _CHUNK, self.proxy.ended)
        if not isinstance(action, Trickle):
            return _CHUNK
        if sent < action.after:
            return min(_CHUNK, action.after - sent)
        if action.count is not None and sent >= action.after + action.count:
            return _CHUNK
        self.proxy.ended.wait(action.pause)
        return action.piece

    def _drop_upstream(self) -> None:
        if self.upstream:
            self.upstream.close()
            self.upstream = None

    def _wait_for_client(self) -> None:
        """Returns when the client closes the connection or the proxy ends."""
        self.connection.settimeout(0.05)
        while not self.proxy.ended.is_set():
            try:
                if not self.connection.recv(1):
                    return
            except TimeoutError:
                continue
            except OSError:
                return

    def _reset(self) -> None:
        """Makes the close that follows a reset (RFC 9293, 3.10.4: close with linger 0)."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
