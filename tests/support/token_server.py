# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A token server on loopback: Basic credentials in, RS256 bearer tokens out.

https://distribution.github.io/distribution/spec/auth/token/ and …/auth/jwt/
"""

from __future__ import annotations

import base64
import functools
import json
import secrets
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import trustme
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from .certificates import KeyPair, server_context
from .served import Served

LEEWAY = 60
"""Seconds for which docker-registry still accepts a token that has expired."""


@dataclass(frozen=True)
class TokenRequest:
    """One request for a token; ``user`` is empty when it was asked for anonymously."""

    method: str
    scopes: tuple[str, ...]
    service: str
    user: str
    status: int


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


@functools.cache
def _issued() -> tuple[trustme.CA, trustme.LeafCert]:
    """An authority and a certificate of it, made once in a process: RSA keys take long to find."""
    authority = trustme.CA(key_type=trustme.KeyType.RSA)
    return authority, authority.issue_cert("token.example.org", key_type=trustme.KeyType.RSA)


class TokenSigner:
    """An RSA key with a certificate that docker-registry trusts through ``auth.token.rootcertbundle``."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        authority, issued = _issued()
        self.root_bundle = directory / "token-root.crt"
        authority.cert_pem.write_to_path(str(self.root_bundle))
        key = serialization.load_pem_private_key(issued.private_key_pem.bytes(), password=None)
        assert isinstance(key, rsa.RSAPrivateKey)
        self._key = key
        pem = issued.cert_chain_pems[0].bytes().decode("ascii")
        self._certificate = "".join(pem.strip().splitlines()[1:-1])

    def sign(self, claims: Mapping[str, object]) -> str:
        """A JSON web token (RFC 7519) over ``claims``."""
        header = {"typ": "JWT", "alg": "RS256", "x5c": [self._certificate]}
        parts = [_base64url(json.dumps(part, separators=(",", ":")).encode()) for part in (header, claims)]
        signature = self._key.sign(".".join(parts).encode("ascii"), padding.PKCS1v15(), hashes.SHA256())
        return ".".join([*parts, _base64url(signature)])


class TokenServer(Served):
    """Checks Basic credentials and issues tokens.

    ``lifetime`` (seconds) is how long the registry really accepts a token, ``expires_in`` what the answer says
    (the same unless given). With ``anonymous_pull`` whoever gives no credentials gets a token that may pull.
    """

    service = "tests.registry"
    issuer = "tests.issuer"

    def __init__(
        self,
        directory: Path,
        users: Mapping[str, str],
        *,
        anonymous_pull: bool = False,
        lifetime: int = 300,
        expires_in: int | None = None,
        tls: KeyPair | None = None,
    ) -> None:
        self.users = dict(users)
        self.anonymous_pull = anonymous_pull
        self.lifetime = lifetime
        self.expires_in = lifetime if expires_in is None else expires_in
        self._signer = TokenSigner(directory)
        self._lock = threading.Lock()
        self._requests: list[TokenRequest] = []
        self._stale = 0
        server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        server.daemon_threads = True
        if tls is not None:
            server.socket = server_context(tls).wrap_socket(server.socket, server_side=True)
        super().__init__(server, scheme="http" if tls is None else "https")

    @property
    def root_bundle(self) -> Path:
        """The file for docker-registry's ``auth.token.rootcertbundle``."""
        return self._signer.root_bundle

    @property
    def realm(self) -> str:
        """The URL that the registry names in its challenge."""
        return f"{self.url}/token"

    def requests(self) -> list[TokenRequest]:
        """Every request since the start or the last ``clear``."""
        with self._lock:
            return list(self._requests)

    def clear(self) -> None:
        """Forgets the requests seen so far."""
        with self._lock:
            self._requests.clear()

    def issue_expired(self, count: int) -> None:
        """The next ``count`` tokens asked for over HTTP are refused by the registry as expired."""
        with self._lock:
            self._stale = count

    def token(self, user: str, scopes: tuple[str, ...], *, lifetime: int | None = None) -> str:
        """Signs a token for ``user`` (empty: anonymous, pull only) without a request."""
        now = int(time.time())
        seconds = self.lifetime if lifetime is None else lifetime
        return self._signer.sign(
            {
                "iss": self.issuer,
                "sub": user,
                "aud": self.service,
                "exp": now + seconds - LEEWAY,
                "nbf": now - 2 * LEEWAY,
                "iat": now,
                "jti": secrets.token_hex(8),
                "access": [_access(scope, pull_only=not user) for scope in scopes],
            }
        )

    def answer(self, method: str, query: Mapping[str, list[str]], credentials: str) -> tuple[int, dict[str, object]]:
        """Answers one request: the status and the JSON body."""
        scopes = tuple(part for scope in query.get("scope", []) for part in scope.split())
        user, allowed = self._check(credentials)
        with self._lock:
            stale = allowed and self._stale > 0
            self._stale -= stale
            service = query.get("service", [""])[0]
            self._requests.append(TokenRequest(method, scopes, service, user, 200 if allowed else 401))
        if not allowed:
            return 401, {"errors": [{"code": "UNAUTHORIZED", "message": "authentication required"}]}
        token = self.token(user, scopes, lifetime=-1 if stale else None)
        return 200, {"token": token, "access_token": token, "expires_in": self.expires_in}

    def _check(self, credentials: str) -> tuple[str, bool]:
        if not credentials:
            return "", self.anonymous_pull
        kind, _space, encoded = credentials.partition(" ")
        user, _colon, password = base64.b64decode(encoded).decode().partition(":")
        return user, kind.lower() == "basic" and self.users.get(user) == password


def _access(scope: str, *, pull_only: bool) -> dict[str, object]:
    kind, _colon, rest = scope.partition(":")
    name, _colon, actions = rest.rpartition(":")
    granted = [each for each in actions.split(",") if each == "pull" or not pull_only]
    return {"type": kind, "name": name, "actions": granted}


def _handler(server: TokenServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            self._reply(parse_qs(urlsplit(self.path).query))

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
            self._reply(parse_qs(body))

        def _reply(self, query: Mapping[str, list[str]]) -> None:
            status, document = server.answer(self.command, query, self.headers.get("Authorization", ""))
            body = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Keeps the tests' output free of it."""

    return Handler
