# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Hides secrets in texts: a registry or a program may repeat what it was sent. Pure."""

from __future__ import annotations

import base64
import re
import threading
from collections.abc import Mapping
from urllib.parse import quote, quote_plus, unquote

HIDDEN = "********"

# Shorter ones occur in many words. A pair of username and password is hidden however short they are.
_SHORTEST = 4
_PROXY = re.compile(r"(?i)(https?|all|ftp)_proxy")
# Texts that look like secrets: tokens that skopeo got by itself, addresses that are valid for a while. Each has pieces
# that it cannot be without; looking for these first takes a hundredth of the time.
_SCHEMES = re.compile(r"(?i)(?P<kept>\b(?:basic|bearer)(?:\s|%20|\+)+)[A-Za-z0-9._~+/=%-]{16,}")
_TOKENS = (
    (("eyJ",), re.compile(r"(?P<kept>\b)eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]*)?")),
    (("://", "@"), re.compile(r"(?P<kept>\b[a-z][a-z0-9+.-]*://)[^\s\"'\\?#/]*:[^\s\"'\\/]*(?=@)")),
    ((":", "@"), re.compile(r"(?P<kept>(?<![\w/]))[^\s\"'\\/@:]+:[^\s\"'\\/@]+(?=@(?!sha\d+:))")),
    (("://", "?"), re.compile(r"(?P<kept>\b[a-z][a-z0-9+.-]*://[^\s\"'\\?]*\?)[^\s\"'\\]+")),
)


class Secrets:
    """The secrets of one run, in every form in which they are sent; used by all threads."""

    def __init__(self) -> None:
        self._mutex = threading.Lock()
        self._forms: tuple[str, ...] = ()

    def add(self, secret: str, *, username: str | None = None) -> None:
        """Hide a secret from now on.

        :param username: its user, if both are sent together (Basic, RFC 7617).
        """
        forms = {form for form in _forms_of(secret) if len(form) >= _SHORTEST}
        if username is not None and secret:
            forms |= _encoded(f"{username}:{secret}")
        self._add(forms)

    def add_token(self, token: str) -> None:
        """Hide a token, which is sent in no other form. There may be one for each repository."""
        self._add({token} if len(token) >= _SHORTEST else set())

    def _add(self, forms: set[str]) -> None:
        with self._mutex:
            if forms.issubset(self._forms):
                return
            # The longest first, as a form may be part of another.
            self._forms = tuple(sorted({*self._forms, *forms}, key=lambda form: (-len(form), form)))

    def add_proxies(self, environ: Mapping[str, str]) -> None:
        """Hide the passwords in the addresses of an environment's proxies."""
        for name, address in environ.items():
            userinfo, at, _host = address.rpartition("://")[2].rpartition("@")
            if _PROXY.fullmatch(name) and at:
                username, _colon, password = userinfo.partition(":")
                self.add(unquote(password), username=unquote(username))
                # If it is not encoded although it should be, errors show the piece that was taken for the host.
                for piece in (password, *re.split("[/?#@]", password)):
                    self.add(piece)

    def hide(self, text: str) -> str:
        """Return a text from outside without secrets, and without what looks like a token."""
        for form in self._forms:
            text = text.replace(form, HIDDEN)
        folded = text.casefold()
        if "bas" in folded or "bearer" in folded:  # for the expression, the i of "basic" may lack its dot
            text = _SCHEMES.sub(rf"\g<kept>{HIDDEN}", text)
        for pieces, token in _TOKENS:
            if all(piece in text for piece in pieces):
                text = token.sub(rf"\g<kept>{HIDDEN}", text)
        return self._without_cut(text)

    def _without_cut(self, text: str) -> str:
        """Hide the beginning of a secret in a text that was cut to a length."""
        if "…" not in text:
            return text
        pieces = text.split("…")
        for number, piece in enumerate(pieces[:-1]):
            longest = max((_overlap(piece, form) for form in self._forms), default=0)
            if longest:
                pieces[number] = piece[:-longest] + HIDDEN
        return "…".join(pieces)


def _overlap(text: str, secret: str) -> int:
    """Return how many characters at a text's end are the beginning of a secret; 0 if too few to tell."""
    tail = text[-len(secret) :]
    start = tail.find(secret[:_SHORTEST])
    while start >= 0:
        if secret.startswith(tail[start:]):
            return len(tail) - start
        start = tail.find(secret[:_SHORTEST], start + 1)
    return 0


def _forms_of(secret: str) -> set[str]:
    return {
        secret,
        quote(secret, safe="", errors="replace"),
        quote(secret, errors="replace"),
        _plus(secret),
    } | _encoded(secret)


def _plus(secret: str) -> str:
    return quote_plus(secret, errors="replace")


def _encoded(text: str) -> set[str]:
    """Return a text in base64: with both alphabets, with padding and without, and encoded for an address."""
    raw = text.encode("utf-8", "replace")
    whole = {base64.b64encode(raw).decode("ascii"), base64.urlsafe_b64encode(raw).decode("ascii")}
    return {*whole, *(quote(form, safe="") for form in whole), *(form.rstrip("=") for form in whole)} - {""}
