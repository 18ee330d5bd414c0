# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Helper programs that keep credentials: ``docker-credential-HELPER get`` (docker-credential-helpers protocol)."""

from __future__ import annotations

import shutil
import subprocess
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from .._base.errors import TransferError, printable, quoted
from .._base.json import JsonError, parse_object
from .._base.stop import Check, go_on
from .._host.process import answer_of

_TIMEOUT = 60.0
_FRESH_SECONDS = 600.0  # well below what the shortest-lived tokens of clouds last
NAMELESS = "<token>"
"""The user name that helpers give with an identity token."""

_NO_CREDENTIALS = "credentials not found"


@dataclass(frozen=True)
class Credential:
    """A user name and password, or an identity token (OAuth2 refresh token)."""

    username: str
    password: str = field(repr=False)
    identity_token: str = field(default="", repr=False)

    @property
    def account(self) -> str:
        """Whose login it is, in words; empty if it has neither user nor token."""
        if self.username and self.username != NAMELESS:
            return f"user {quoted(self.username, 100)}"
        return "the token of the login file" if self.identity_token or self.username else ""

    def as_password(self) -> Credential:
        """The identity token as a password, under the name that helpers give it."""
        return Credential(self.username or NAMELESS, self.identity_token)


class CredentialHelpers:
    """Asks helper programs, one at a time, and keeps their answers for some minutes.

    A list has hundreds of repositories of one registry.

    :param check: is called while a program runs; raises when the run is to end.
    """

    def __init__(self, check: Check = go_on) -> None:
        self._check = check
        self._mutex = threading.Lock()
        self._kept: dict[tuple[str, str], tuple[float, Credential | TransferError | None]] = {}

    def ask(self, helper: str, names: Sequence[str]) -> Credential | None:
        """Ask a helper program for a registry under each of its names, until it knows one.

        :raises TransferError: when the program is not found, or fails.
        """
        for name in names:
            found = self._answer(helper, name)
            if isinstance(found, TransferError):
                raise found
            if found is not None:
                return found
        return None

    def _answer(self, helper: str, name: str) -> Credential | TransferError | None:
        with self._mutex:
            when, kept = self._kept.get((helper, name), (-_FRESH_SECONDS, None))
            if time.monotonic() - when < _FRESH_SECONDS and (helper, name) in self._kept:
                return kept
            answer: Credential | TransferError | None
            try:
                answer = _ask(helper, name, self._check)
            except TransferError as error:
                answer = error
            self._kept[helper, name] = (time.monotonic(), answer)
            return answer


def _ask(helper: str, name: str, check: Check) -> Credential | None:
    program = f"docker-credential-{helper}"
    shown, registry = printable(program), printable(name, 200)
    path = shutil.which(program)
    if path is None:
        raise TransferError(f"credential helper {shown} for {registry}: program not found", heals=False)
    try:
        status, said = answer_of([path, "get"], given=name.encode(), seconds=_TIMEOUT, check=check)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise TransferError(f"credential helper {shown} for {registry}: {error}", heals=False) from error
    if status != 0:
        if _NO_CREDENTIALS in said.decode("utf-8", "replace"):
            return None
        raise TransferError(f"credential helper {shown} failed for {registry}", heals=False)
    try:
        answer = parse_object(said)
        username, secret = answer.text("Username"), answer.text("Secret")
    except JsonError as error:
        raise TransferError(f"credential helper {shown} gave no JSON", heals=False) from error
    if not username and not secret:
        return None
    if username == NAMELESS:
        return Credential("", "", identity_token=secret)
    return Credential(username, secret)
