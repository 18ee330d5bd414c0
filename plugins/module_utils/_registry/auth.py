# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Authentication at one registry: Basic and Bearer, with a token for each scope.

Distribution token specification ("Token Authentication") and its OAuth2 variant for identity tokens.
"""

from __future__ import annotations

import base64
import math
import threading
import time
from dataclasses import dataclass, field, replace
from urllib.parse import urlencode, urlsplit

from .._base.errors import TransferError, printable
from .._base.json import JsonError, JsonObject, parse_object
from .._http.client import Http
from .._http.response import Response, shown_host
from .._http.status_errors import explain_status
from .._oci.reference import Repository
from .challenge import Challenge, parse_challenges
from .credential_helper import Credential
from .credentials import Credentials
from .push_errors import explain_push
from .scope import Scope

_MAX_TOKEN_BYTES = 256 * 1024
_DEFAULT_LIFETIME = 60
_FORM = {"Content-Type": "application/x-www-form-urlencoded"}
_CLIENT_ID = "airgap.images"
_MAY_BE_MEANT = (400, 401)  # to a refresh token that is not valid
_NO_POST = (400, 401, 404, 405, 501)  # what services answer that do not know POST: ACR 400, Artifactory 401, GCR 404


@dataclass(frozen=True)
class _Proof:
    """A header that a registry accepts.

    :param header: empty where there is no credential.
    :param account: whose login it is, in words; empty: nobody's.
    :param half_life: ``time.monotonic()`` at which half of its time is over.
    """

    header: str = field(repr=False)
    account: str
    half_life: float = math.inf


class Authenticator:
    """Gives the Authorization header for the scopes of one registry.

    After the first 401 the registry's scheme is known, so that every further repository costs one token request and
    no refused one.
    """

    def __init__(self, registry: str, http: Http, credentials: Credentials) -> None:
        self._registry = registry
        self._http = http
        self._credentials = credentials
        self._mutex = threading.Lock()
        self._challenge: Challenge | None = None
        self._proofs: dict[Scope, _Proof] = {}
        self._is_secure = False

    def header(self, scope: Scope) -> dict[str, str]:
        """Return the headers to send with a request; empty while none is known to be needed.

        :raises TransferError: when the token service gives no token.
        """
        with self._mutex:
            known = self._proofs.get(scope)
            challenge = self._challenge
        # What is read can be asked for again; a large body should not have to be sent again.
        is_old = known is not None and "push" in scope.actions and time.monotonic() >= known.half_life
        if challenge is not None and (known is None or is_old):
            known = self._prove(scope, challenge)
        return {"Authorization": known.header} if known is not None and known.header else {}

    def account(self, scope: Scope) -> str:
        """Return whose login is sent with requests for a scope, in words; empty: nobody's."""
        with self._mutex:
            known = self._proofs.get(scope)
        return "" if known is None else known.account

    def login(self, path: str) -> tuple[dict[str, str], str]:
        """Return the header with the login itself, for what takes no tokens, and whose login it is, in words.

        Both are empty if there is no user name and password.

        :param path: of a repository, as logins may be for a part of a registry only.
        :raises TransferError: when a credential helper fails, or the entry of a login file cannot be read.
        """
        credential = self._credentials.find(Repository(self._registry, path))
        if credential is None or not credential.username:
            return {}, ""
        return {"Authorization": _basic(credential)}, credential.account

    def respond(self, scope: Scope, refused: Response, *, url: str) -> bool:
        """Answer a challenge: learn what the registry asks for, and make a new header.

        :param refused: the response with status 401.
        :param url: where it came from; if that has TLS, no credential goes to a token service without it.
        :returns: True if trying again makes sense.
        :raises TransferError: when the token service gives no token.
        """
        offered = {challenge.scheme: challenge for challenge in parse_challenges(refused.header("www-authenticate"))}
        challenge = offered.get("bearer") or offered.get("basic")
        if challenge is None:
            return False
        self._is_secure = urlsplit(url).scheme == "https"
        proof = self._prove(scope, challenge)
        with self._mutex:
            self._challenge = challenge
        return bool(proof.header)

    def _refuse_open_realm(self, realm: str) -> None:
        """Raise if a token service has no TLS although the registry has: a password could be read on the way."""
        if self._is_secure and _scheme(realm) == "http":
            raise TransferError(
                f"{self._registry} names a token service without TLS ({printable(realm, 100)}), where no password is "
                "sent; refused. Its owner has to correct that address; what is public can be saved without a login",
                heals=False,
                is_final=True,
            )

    def _prove(self, scope: Scope, challenge: Challenge) -> _Proof:
        credential = self._credentials.find(Repository(self._registry, scope.path))
        account = credential.account if credential is not None else ""
        if challenge.scheme == "basic":
            proof = _Proof(_basic(credential) if credential is not None and credential.username else "", account)
        else:
            header, half_life = self._token(scope, challenge, credential)
            proof = _Proof(header, account, half_life)
        with self._mutex:
            self._proofs[scope] = proof
        return proof

    def _token(self, scope: Scope, challenge: Challenge, credential: Credential | None) -> tuple[str, float]:
        """Return the header with a new token, and the time at which half of its life is over."""
        realm = challenge.parameters.get("realm", "")
        if _scheme(realm) not in ("http", "https"):
            raise TransferError(
                f"{self._registry} names no usable token service ({printable(realm, 100)})", heals=False
            )
        if credential is not None and (credential.username or credential.identity_token):
            self._refuse_open_realm(realm)
        asked_at = time.monotonic()
        response = self._ask(realm, challenge.parameters.get("service", ""), scope, credential)
        if response.status != 200:
            raise self._refusal(response, scope, realm, credential)
        try:
            document = parse_object(response.plain)
            token = document.text("token") or document.text("access_token")
        except JsonError as error:
            raise TransferError(f"the token service of {self._registry} gave no readable token", heals=True) from error
        if not token.isascii() or not token.isprintable() or not token or " " in token:
            raise TransferError(f"the token service of {self._registry} gave no readable token", heals=True)
        self._credentials.secrets.add_token(token)
        return f"Bearer {token}", asked_at + _lifetime(document) / 2

    def _refusal(self, response: Response, scope: Scope, realm: str, credential: Credential | None) -> TransferError:
        """Return the error for an answer without a token. A login is refused by the registry that it was given for."""
        what = f"{self._registry}/{scope.path}"
        is_refused = response.status in (401, 403)
        explain = explain_push if is_refused and "push" in scope.actions else explain_status
        if credential is None or not credential.account or not is_refused:
            return explain(response, host=shown_host(realm), what=f"a token for {what}")
        return explain(replace(response, account=credential.account), host=self._registry, what=what)

    def _ask(self, realm: str, service: str, scope: Scope, credential: Credential | None) -> Response:
        named = [("service", service)] if service else []
        fields = [*named, *(("scope", text) for text in scope.resources())]
        if credential is None or not credential.identity_token:
            return self._get(realm, fields, credential)
        form = {
            **dict(named),
            "scope": str(scope),
            "grant_type": "refresh_token",
            "client_id": _CLIENT_ID,
            "refresh_token": credential.identity_token,
        }
        posted = self._http.read(
            "POST", realm, headers=_FORM, limit=_MAX_TOKEN_BYTES, body=urlencode(form).encode("ascii")
        )
        if posted.status not in _NO_POST:
            return posted
        # Some services know the older way alone, in which the refresh token is the password.
        response = self._get(realm, fields, credential.as_password())
        if response.status == 200:
            self._credentials.give_as_password(credential)
            return response
        return posted if posted.status in _MAY_BE_MEANT else response

    def _get(self, realm: str, fields: list[tuple[str, str]], credential: Credential | None) -> Response:
        headers = {"Authorization": _basic(credential)} if credential is not None and credential.username else {}
        separator = "&" if urlsplit(realm).query else "?"
        url = f"{realm}{separator}{urlencode(fields)}"
        return self._http.read("GET", url, headers=headers, limit=_MAX_TOKEN_BYTES)


def _lifetime(document: JsonObject) -> int:
    """Return the seconds for which a token is valid ("Token Response Fields"): 60 unless stated."""
    try:
        return document.integer("expires_in") or _DEFAULT_LIFETIME
    except JsonError:
        return _DEFAULT_LIFETIME


def _scheme(url: str) -> str:
    """``http`` or ``https`` of a usable address; else empty."""
    try:
        parts = urlsplit(url)
        return parts.scheme if parts.hostname else ""
    except ValueError:
        return ""


def _basic(credential: Credential) -> str:
    pair = f"{credential.username}:{credential.password}".encode()
    return "Basic " + base64.b64encode(pair).decode("ascii")
