# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A registry in the tests' own process that is written to, with the manners of those that cannot be installed here.

``stand_in_store`` and ``stand_in_answers`` say what was measured on real ones, and what comes from documents.
"""

from __future__ import annotations

import base64
import json
import re
import secrets
import ssl
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from .served import Served
from .stand_in_answers import MEASURED, Answer, error
from .stand_in_store import DISTRIBUTION_2, Asked, Manners, Store

_ROUTES = (
    ("token", re.compile(r"/token")),
    ("base", re.compile(r"/v2/")),
    ("api", re.compile(r"/api/(?P<name>.+)")),
    ("start", re.compile(r"/v2/(?P<repository>.+)/blobs/uploads/")),
    ("upload", re.compile(r"/v2/(?P<repository>.+)/blobs/uploads/(?P<name>[^/]+)")),
    ("blob", re.compile(r"/v2/(?P<repository>.+)/blobs/(?P<name>[^/]+)")),
    ("manifest", re.compile(r"/v2/(?P<repository>.+)/manifests/(?P<name>[^/]+)")),
    ("tags", re.compile(r"/v2/(?P<repository>.+)/tags/list")),
    ("referrers", re.compile(r"/v2/(?P<repository>.+)/referrers/(?P<name>[^/]+)")),
)
_PIECE = 64 * 1024


@dataclass(frozen=True)
class Request:
    """A request as it came.

    :param kind: such as ``upload`` or ``manifest``.
    :param received: bytes of its body that were read.
    """

    method: str
    kind: str
    path: str
    query: str
    status: int
    received: int
    headers: Mapping[str, str]

    @property
    def line(self) -> str:
        """Method and kind, with the status."""
        return f"{self.method} {self.kind} {self.status}"


@dataclass
class _Rule:
    method: str
    kind: str
    answer: Answer
    times: int
    before_body: bool


class StandInRegistry(Served):
    """Answers on a free port of loopback; ``context`` makes it speak https.

    :ivar store: what it keeps.
    :ivar break_after: bytes of the next bodies of uploads, one number for each, after which the connection breaks.
    :ivar loses_answer: the next PUT of a blob is taken, but not answered.
    :ivar largest_body: of a proxy before it; 0 for none.
    :ivar users: who gets a token, with their passwords; without any, none is asked for.
    :ivar expires_in: what is said of each token; None for nothing.
    """

    def __init__(self, manners: Manners = DISTRIBUTION_2, context: ssl.SSLContext | None = None) -> None:
        self.break_after: list[int] = []
        self.loses_answer = False
        self.largest_body = 0
        self.users: dict[str, str] = {}
        self.expires_in: object = 300
        self._lock = threading.Lock()
        self._tokens: dict[str, tuple[str, ...]] = {}
        self._rules: list[_Rule] = []
        self._requests: list[Request] = []
        server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        server.daemon_threads = True
        server.block_on_close = False
        if context is not None:
            server.socket = context.wrap_socket(server.socket, server_side=True)
        super().__init__(server, scheme="http" if context is None else "https")
        self.store = Store(manners)
        self.store.origin = self.url

    def answer(
        self, method: str, kind: str, answer: Answer, *, times: int = 1_000_000, before_body: bool = False
    ) -> None:
        """Has the next requests of a kind answered so.

        :param before_body: the body is not read, and the connection closed.
        """
        self._rules.append(_Rule(method, kind, answer, times, before_body))

    def end_tokens(self) -> None:
        """No token that was given so far is accepted any more."""
        with self._lock:
            self._tokens.clear()

    def requests(self) -> list[Request]:
        """All requests so far, in the order in which they were answered."""
        with self._lock:
            return list(self._requests)

    @property
    def lines(self) -> list[str]:
        """Method, kind and status of all requests, but those that find out whether it speaks https."""
        return [request.line for request in self.requests() if request.kind != "base"]

    def sent(self) -> int:
        """How many bytes of blobs came in."""
        return sum(each.received for each in self.requests() if each.kind in ("start", "upload"))

    def record(self, request: Request) -> None:
        """Keeps a request for the tests."""
        with self._lock:
            self._requests.append(request)

    def rule_for(self, method: str, kind: str) -> _Rule | None:
        """The answer that is laid down for a request."""
        with self._lock:
            for rule in self._rules:
                if (rule.method, rule.kind) == (method, kind) and rule.times:
                    rule.times -= 1
                    return rule
        return None

    def give_token(self, authorization: str, scopes: tuple[str, ...]) -> Answer:
        """Answers a request for a token."""
        user, _colon, password = base64.b64decode(authorization.partition(" ")[2]).decode().partition(":")
        if self.users.get(user) != password:
            return error(401, "UNAUTHORIZED", "wrong password")
        token = secrets.token_hex(8)
        with self._lock:
            self._tokens[token] = scopes
        document = {"token": token} if self.expires_in is None else {"token": token, "expires_in": self.expires_in}
        return Answer(200, json.dumps(document).encode())

    def permits(self, authorization: str, repository: str, action: str) -> bool:
        """Return True if a token permits an action."""
        granted = self._tokens.get(authorization.partition(" ")[2], ())
        return any(
            scope.startswith(f"repository:{repository}:") and action in scope.rpartition(":")[2].split(",")
            for scope in granted
        )

    def challenge(self, authorization: str) -> Answer:
        """Answers a request that nothing permits."""
        told = f'Bearer realm="{self.url}/token",service="stand-in"'
        return error(401, "UNAUTHORIZED", "authentication required", **{"WWW-Authenticate": told})

    def answer_api(
        self, method: str, name: str, query: Mapping[str, list[str]], authorization: str, body: bytes
    ) -> Answer:
        """Answers a request to another interface than that of registries."""
        return Answer(404, b"404 page not found")

    def respond(
        self,
        method: str,
        kind: str,
        found: Mapping[str, str],
        query: Mapping[str, list[str]],
        headers: Mapping[str, str],
        body: bytes,
    ) -> Answer:
        """Answers a request whose body was read."""
        authorization = headers.get("authorization", "")
        if kind == "token":
            scopes = [text for each in query.get("scope", []) for text in each.split()]
            return self.give_token(authorization, tuple(scopes))
        if kind == "base":
            return Answer(200, b"{}")
        if kind == "api":
            return self.answer_api(method, found["name"], query, authorization, body)
        flat = {key: values[0] for key, values in query.items()}
        may_read = not self.users or self.permits(authorization, flat.get("from", ""), "pull")
        with self._lock:
            return self.store.respond(method, kind, found, Asked(flat, headers, body, may_read))


def _handler(registry: StandInRegistry) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True  # an answer of two pieces would wait for the client's acknowledgement
        received = 0

        def serve(self) -> None:
            parts = urlsplit(self.path)
            kind, found = next(
                (kind, match.groupdict())
                for kind, pattern in _ROUTES
                if (match := pattern.fullmatch(parts.path)) is not None
            )
            headers = {key.lower(): value for key, value in self.headers.items()}
            self.received = 0
            answer = self.decide(kind, found, headers, parse_qs(parts.query))
            status = 0 if answer is None else answer.status
            registry.record(Request(self.command, kind, parts.path, parts.query, status, self.received, headers))
            if answer is None:
                self.close_connection = True
                return
            self.send_response(answer.status)
            for key, value in answer.headers.items():
                self.send_header(key, value)
            self.send_header("Content-Length", "0" if answer.status == 204 else str(len(answer.body)))
            if self.close_connection:  # as servers say it that leave a body unread
                self.send_header("Connection", "close")
            self.end_headers()
            if self.command != "HEAD" and answer.status != 204:
                self.wfile.write(answer.body)

        def decide(
            self, kind: str, found: Mapping[str, str], headers: Mapping[str, str], query: Mapping[str, list[str]]
        ) -> Answer | None:
            """The answer to a request; None if the connection breaks."""
            length = int(headers.get("content-length", "0"))
            rule = registry.rule_for(self.command, kind)
            if rule is not None and rule.before_body:
                self.close_connection = True
                return rule.answer
            if registry.largest_body and length > registry.largest_body:
                self.close_connection = True
                return MEASURED["nginx, large body"]
            refused = self.challenge(kind, found, headers)
            if refused is not None:
                self.close_connection = self.close_connection or length > 0
                return refused
            name = found.get("name", "") if kind == "upload" else ""
            given = re.fullmatch(r"(\d+)-\d+", headers.get("content-range", ""))
            if name and length and int(given[1] if given else 0) != registry.store.expected_start(name):
                self.close_connection = True
                return error(416, "RANGE_INVALID", "invalid content range")
            body = self.read_body(length, name)
            if body is None:
                return None
            if rule is not None:
                return rule.answer
            answer = registry.respond(self.command, kind, found, query, headers, body)
            if registry.loses_answer and self.command == "PUT" and kind == "upload":
                registry.loses_answer = False
                return None
            return answer

        def challenge(self, kind: str, found: Mapping[str, str], headers: Mapping[str, str]) -> Answer | None:
            if not registry.users or kind in ("token", "api"):
                return None
            action = "pull" if self.command in ("GET", "HEAD") else "push"
            if registry.permits(headers.get("authorization", ""), found.get("repository", ""), action):
                return None
            return registry.challenge(headers.get("authorization", ""))

        def read_body(self, length: int, name: str) -> bytes | None:
            """The body; that of an upload is kept as it comes. None if the connection is to break within it."""
            limit = registry.break_after.pop(0) if name and length and registry.break_after else length
            body = bytearray()
            while self.received < min(length, limit):
                piece = self.rfile.read(min(_PIECE, min(length, limit) - self.received))
                if not piece:
                    break
                self.received += len(piece)
                if name:
                    registry.store.append(name, piece)
                else:
                    body += piece
            if self.received == length:
                return bytes(body)
            registry.store.forget(name)
            return None

        def handle_one_request(self) -> None:
            try:
                super().handle_one_request()
            except OSError:
                self.close_connection = True

        def log_message(self, format: str, *args: object) -> None:
            """Record what comes."""

    for method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"):
        setattr(Handler, f"do_{method}", Handler.serve)
    return Handler
