# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Proving who we are."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from ansible_collections.airgap.images.plugins.module_utils._base.errors import TransferError
from ansible_collections.airgap.images.plugins.module_utils._http.client import Http
from ansible_collections.airgap.images.plugins.module_utils._http.response import Response
from ansible_collections.airgap.images.plugins.module_utils._http.tls import Trust
from ansible_collections.airgap.images.plugins.module_utils._registry.access import Login
from ansible_collections.airgap.images.plugins.module_utils._registry.auth import Authenticator
from ansible_collections.airgap.images.plugins.module_utils._registry.credential_helper import Credential
from ansible_collections.airgap.images.plugins.module_utils._registry.credentials import Credentials
from ansible_collections.airgap.images.plugins.module_utils._registry.login_file import LoginFile
from ansible_collections.airgap.images.plugins.module_utils._registry.scope import Scope, pull
from ansible_collections.airgap.images.tests.unit.server import Reply, Request, Server

REGISTRY = "reg.lan"
USER = Credentials([Login(REGISTRY, "usér", "s3:cret")], [])
NOBODY = Credentials([], [])
TOKEN_USER = Credentials([], [LoginFile({REGISTRY: Credential("", "", "refresh-s3cret")}, {})])
BASIC = "Basic " + base64.b64encode("usér:s3:cret".encode()).decode()


@pytest.fixture
def service() -> Iterator[Server]:
    """A token service that gives each scope a token of its own."""

    def token(request: Request) -> Reply:
        fields = parse_qs(request.body.decode() or urlsplit(request.path).query)
        return Reply(200, json.dumps({"token": f"token-for-{fields['scope'][0]}"}).encode())

    with Server() as server:
        server.route("/token", token)
        yield server


class Bench:
    """An authenticator, and refusals of its registry."""

    def __init__(self, service: Server, credentials: Credentials) -> None:
        self._http = Http(REGISTRY, Trust(True, None), read_timeout=30, connections=1)
        self.authenticator = Authenticator(REGISTRY, self._http, credentials)
        self._challenge = f'Bearer realm="{service.url}/token",service="registry"'

    def refuse(self, path: str = "a/b", *, challenge: str | None = None, scheme: str = "http") -> bool:
        headers = {"www-authenticate": self._challenge if challenge is None else challenge}
        answer = Response(f"{scheme}://{REGISTRY}", 401, headers, b"")
        return self.authenticator.respond(pull(path), answer, url=f"{scheme}://{REGISTRY}/v2/")

    def header(self, path: str = "a/b") -> str:
        return self.authenticator.header(pull(path)).get("Authorization", "")


def test_at_first_nothing_is_sent(service: Server) -> None:
    assert Bench(service, USER).header() == ""


@pytest.mark.parametrize("challenge", ['Basic realm="x"', "basic", 'Negotiate, Basic realm="x"'])
def test_basic(service: Server, challenge: str) -> None:
    bench = Bench(service, USER)
    assert bench.refuse(challenge=challenge) is True
    assert bench.header() == BASIC
    assert bench.header("other/repository") == BASIC
    assert service.requests == []


def test_basic_without_credentials(service: Server) -> None:
    bench = Bench(service, NOBODY)
    assert bench.refuse(challenge='Basic realm="x"') is False
    assert bench.header() == ""


@pytest.mark.parametrize("challenge", ["", "Negotiate", 'Digest realm="x"', "nonsense="])
def test_a_registry_that_asks_for_something_else(service: Server, challenge: str) -> None:
    assert Bench(service, USER).refuse(challenge=challenge) is False


@pytest.mark.parametrize(("credentials", "proof"), [(USER, BASIC), (NOBODY, None)], ids=["user", "nobody"])
def test_bearer(service: Server, credentials: Credentials, proof: str | None) -> None:
    bench = Bench(service, credentials)
    assert bench.refuse() is True
    assert bench.header() == "Bearer token-for-repository:a/b:pull"
    [request] = service.requests
    assert request.method == "GET"
    assert parse_qs(urlsplit(request.path).query) == {"service": ["registry"], "scope": ["repository:a/b:pull"]}
    assert request.headers.get("authorization") == proof


def test_bearer_comes_before_basic(service: Server) -> None:
    bench = Bench(service, USER)
    bench.refuse(challenge=f'Basic realm="x", Bearer realm="{service.url}/token"')
    assert bench.header().startswith("Bearer ")


def test_each_repository_has_a_token_that_is_kept(service: Server) -> None:
    bench = Bench(service, USER)
    bench.refuse("one")
    for path in ("one", "two", "one", "two"):
        assert bench.header(path) == f"Bearer token-for-repository:{path}:pull"
    assert len(service.requests) == 2


def test_a_token_that_is_refused_is_renewed(service: Server) -> None:
    bench = Bench(service, USER)
    bench.refuse()
    assert bench.refuse() is True
    assert len(service.requests) == 2


def test_an_identity_token_is_exchanged(service: Server) -> None:
    bench = Bench(service, TOKEN_USER)
    assert bench.refuse() is True
    assert bench.header() == "Bearer token-for-repository:a/b:pull"
    [request] = service.requests
    assert request.line == "POST /token", "no secret in the address"
    assert parse_qs(request.body.decode()) == {
        "service": ["registry"],
        "scope": ["repository:a/b:pull"],
        "grant_type": ["refresh_token"],
        "client_id": ["airgap.images"],
        "refresh_token": ["refresh-s3cret"],
    }


def test_a_service_whose_address_has_a_query(service: Server) -> None:
    bench = Bench(service, NOBODY)
    assert bench.refuse(challenge=f'Bearer realm="{service.url}/token?tenant=1"')
    assert service.requests[0].path == "/token?tenant=1&scope=repository%3Aa%2Fb%3Apull"


ANSWERS: dict[str, tuple[Any, str]] = {
    "a token": ({"token": "abc"}, "abc"),
    "an access token": ({"access_token": "abc"}, "abc"),
    "both": ({"token": "abc", "access_token": "def"}, "abc"),
}


@pytest.mark.parametrize(("document", "token"), ANSWERS.values(), ids=ANSWERS)
def test_answers_of_the_service(service: Server, document: Any, token: str) -> None:
    service.route("/token", Reply(200, json.dumps(document).encode()))
    bench = Bench(service, NOBODY)
    bench.refuse()
    assert bench.header() == f"Bearer {token}"


UNREADABLE: dict[str, bytes] = {
    "nothing": b"",
    "no JSON": b"<html>",
    "no token": b"{}",
    "an empty token": b'{"token": ""}',
    "a number": b'{"token": 1}',
    "a header of its own": b'{"token": "abc\\r\\nX-Evil: 1"}',
    "two words": b'{"token": "a b"}',
    "letters that no header takes, though they can be shown": '{"token": "\u65e5\u672c"}'.encode(),
    "letters that no header takes": b'{"token": "\\u2028"}',
}


@pytest.mark.parametrize("body", UNREADABLE.values(), ids=UNREADABLE)
def test_a_token_that_cannot_be_read(service: Server, body: bytes) -> None:
    service.route("/token", Reply(200, body))
    with pytest.raises(TransferError, match=r"the token service of reg\.lan gave no readable token") as caught:
        Bench(service, NOBODY).refuse()
    assert caught.value.heals is True


@pytest.mark.parametrize(("status", "heals"), [(401, False), (403, False), (429, True), (503, True)])
def test_a_service_that_refuses(service: Server, status: int, heals: bool) -> None:
    service.route("/token", Reply(status))
    with pytest.raises(TransferError, match=r"user 'usér'.* reg\.lan/a/b: |a token for|rate of req") as caught:
        Bench(service, USER).refuse()
    assert caught.value.heals is heals
    assert "s3" not in str(caught.value)


REALMS: dict[str, tuple[str, str]] = {
    "none": ("Bearer", "names no usable token service"),
    "a file": ('Bearer realm="file:///etc/passwd"', "names no usable token service"),
    "a path": ('Bearer realm="/token"', "names no usable token service"),
    "nonsense": ('Bearer realm="http://["', "names no usable token service"),
}


@pytest.mark.parametrize(("challenge", "said"), REALMS.values(), ids=REALMS)
def test_a_service_that_is_none(service: Server, challenge: str, said: str) -> None:
    with pytest.raises(TransferError, match=said) as caught:
        Bench(service, USER).refuse(challenge=challenge)
    assert caught.value.heals is False


@pytest.mark.parametrize("credentials", [USER, TOKEN_USER], ids=["password", "refresh token"])
def test_no_credential_goes_to_an_open_service_of_a_secure_registry(service: Server, credentials: Credentials) -> None:
    bench = Bench(service, credentials)
    with pytest.raises(TransferError, match="names a token service without TLS") as caught:
        bench.refuse(scheme="https")
    assert (caught.value.heals, caught.value.is_final) == (False, True)
    assert service.requests == []


def test_nor_for_a_repository_that_comes_later(service: Server) -> None:
    """Somebody has a login for one namespace alone."""
    login = LoginFile({f"{REGISTRY}/private": Credential("user", "s3cret")}, {})
    bench = Bench(service, Credentials([], [login]))
    assert bench.refuse("public/a", scheme="https")
    with pytest.raises(TransferError, match="names a token service without TLS"):
        bench.header("private/b")
    assert [request.headers.get("authorization") for request in service.requests] == [None]


def test_without_a_credential_an_open_service_is_asked(service: Server) -> None:
    bench = Bench(service, NOBODY)
    assert bench.refuse(scheme="https") is True
    assert bench.header() == "Bearer token-for-repository:a/b:pull"


@pytest.mark.parametrize("status", [400, 401, 404, 405, 501])
def test_a_service_that_does_not_know_post(service: Server, status: int) -> None:
    """The refresh token is the password there, and skopeo gets it as such."""

    def old(request: Request) -> Reply:
        return Reply(status) if request.method == "POST" else Reply(200, b'{"token": "abc"}')

    service.route("/token", old)
    credentials = Credentials([], [LoginFile({REGISTRY: Credential("", "", "refresh-s3cret")}, {})])
    bench = Bench(service, credentials)
    assert not credentials.needs_login_file
    assert bench.refuse() is True
    assert bench.header() == "Bearer abc"
    proof = base64.b64encode(b"<token>:refresh-s3cret").decode()
    assert [request.headers.get("authorization") for request in service.requests] == [None, f"Basic {proof}"]
    assert "refresh-s3cret" not in str(service.lines), "no secret in the address"
    assert credentials.needs_login_file
    assert json.loads(credentials.login_file())["auths"] == {REGISTRY: {"auth": proof}}


def test_a_refresh_token_that_is_refused_either_way(service: Server) -> None:
    service.route("/token", Reply(401))
    bench = Bench(service, TOKEN_USER)
    with pytest.raises(TransferError, match=r"reg\.lan refused the token of the login file for reg\.lan/a/b: "):
        bench.refuse()
    assert len(service.requests) == 2


def test_a_token_is_kept_for_each_scope(service: Server) -> None:
    """A token for reading must not be used for writing."""
    bench = Bench(service, USER)
    assert bench.refuse()
    both = Scope("a/b", ("pull", "push"))
    for _time in range(2):
        assert bench.header() == "Bearer token-for-repository:a/b:pull"
        assert bench.authenticator.header(both) == {"Authorization": "Bearer token-for-repository:a/b:pull,push"}
    assert len(service.requests) == 2
