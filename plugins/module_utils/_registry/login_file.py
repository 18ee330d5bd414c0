# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Login files as docker, podman, skopeo and nerdctl write them.

containers-auth.json(5), and the ``config.json`` of Docker's command line, which has more: a store for everything
(``credsStore``), names and passwords that are not encoded, addresses as keys.
"""

from __future__ import annotations

import base64
import binascii
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Callable

from .._base.errors import OptionError, TransferError, printable
from .._base.json import Json, JsonError, JsonObject, parse_object
from .._oci.reference import DOCKER_HUB, Repository, registry_key
from .credential_helper import Credential, CredentialHelpers

_HUB_FOR_DOCKER = "https://index.docker.io/v1/"
_HTTPS_PORT = ":443"
_NO_PATHS = ("", "v1", "v2")

Ask = Callable[[str, Sequence[str]], "Credential | None"]
"""Asks a helper program for a registry, which may have several names there."""

Note = Callable[[str], None]
"""Writes a line to the log."""


def _pass_over(_text: str) -> None:
    """Write nothing."""


@dataclass(frozen=True)
class LoginFile:
    """One login file.

    :param entries: by ``HOST[:PORT][/PATH]``.
    :param helpers: a helper program for one registry, by registry.
    :param store: the helper program for all other registries; empty where there is none.
    :param spellings: each registry that has an entry, and how the keys of its entries are written in the file.
    :param unreadable: how the keys of entries that cannot be read are written in the file, by ``HOST[:PORT][/PATH]``.
    :param path: of the file, for errors.
    :param is_plain: whether skopeo finds in the file itself all that we do.
    """

    entries: Mapping[str, Credential]
    helpers: Mapping[str, str]
    store: str = ""
    spellings: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    unreadable: Mapping[str, str] = field(default_factory=dict)
    is_plain: bool = True
    path: str = ""

    def find(self, repository: Repository, ask: Ask | None = None, note: Note = _pass_over) -> Credential | None:
        """Return the most specific entry that covers the repository; a helper program comes first, as with docker.

        :param ask: asks helper programs.
        :param note: is called with what was passed over.
        :raises TransferError: when the entry cannot be read, or the helper that knows the registry fails.
        """
        registry = registry_key(repository.registry)
        found = self.ask_helper_for(registry, ask or CredentialHelpers().ask, note)
        if found is not None:
            return found
        key = f"{registry}/{repository.path}"
        while key:
            if key in self.entries:
                return self.entries[key]
            if key in self.unreadable:
                raise TransferError(
                    f"the entry of {printable(self.unreadable[key], 100)} in {self.path} cannot be read; log in again, "
                    f"as with skopeo login {printable(registry, 100)}",
                    heals=False,
                )
            key = key.rpartition("/")[0]
        return None

    def ask_helper_for(self, registry: str, ask: Ask, note: Note = _pass_over) -> Credential | None:
        """Ask the helper program for a registry.

        :param note: is called when a store fails for a registry nobody logged in to, which it then knows nothing of.
        :raises TransferError: when the program fails otherwise.
        """
        own = self.helpers.get(registry)
        if own:
            return ask(own, self.names_of(registry))
        if not self.store:
            return None
        try:
            return ask(self.store, self.names_of(registry))
        except TransferError as error:
            if registry in self.spellings:
                raise
            note(f"{registry} is asked without a login: {error}")
            return None

    def left_to_store(self) -> dict[str, str]:
        """The store, for each registry of which the file says no more than that there is a login."""
        return {registry: self.store for registry in self.spellings if self.store and registry not in self.entries}

    def names_of(self, registry: str) -> tuple[str, ...]:
        """The names under which a helper program may know a registry, its own first."""
        docker = (_HUB_FOR_DOCKER,) if registry == DOCKER_HUB else ()
        return tuple(dict.fromkeys((registry, *self.spellings.get(registry, ()), *docker)))


def default_login_files(environ: Mapping[str, str]) -> list[str]:
    """The login files that skopeo searches when none is given, in its order."""
    home = environ.get("HOME") or os.path.expanduser("~")
    first = environ.get("REGISTRY_AUTH_FILE")
    runtime = environ.get("XDG_RUNTIME_DIR") or f"/run/containers/{os.getuid()}"
    if not first:
        subdirectory = "containers" if environ.get("XDG_RUNTIME_DIR") else ""
        first = os.path.join(runtime, subdirectory, "auth.json")
    config = environ.get("XDG_CONFIG_HOME") or os.path.join(home, ".config")
    docker = environ.get("DOCKER_CONFIG") or os.path.join(home, ".docker")
    return [first, os.path.join(config, "containers", "auth.json"), os.path.join(docker, "config.json")]


def read_login_file(path: str, *, required: bool) -> LoginFile | None:
    """Read a login file.

    :param required: the user named it, so it must be readable; otherwise ``None`` is returned for a missing file.
    :raises OptionError: without any of the file's content in the text.
    """
    try:
        with open(path, "rb") as file:
            raw = file.read()
    except OSError as error:
        if not required:
            return None
        raise OptionError(f"authfile: cannot read {path}: {error.strerror}") from error
    if not raw.strip():
        return LoginFile(entries={}, helpers={})
    try:
        return _parse(parse_object(raw), path)
    except JsonError as error:
        raise OptionError(f"{path} is not a readable login file (containers-auth.json)") from error


def _parse(document: JsonObject, path: str) -> LoginFile:
    """Read each entry by itself: one that is broken says nothing about the others."""
    auths = document.object("auths")
    entries: dict[str, Credential] = {}
    spellings: dict[str, tuple[str, ...]] = {}
    unreadable: dict[str, str] = {}
    is_plain = True
    for written in auths.names():
        key = _normal_key(written)
        try:
            entry = auths.object(written)
            found = _credential(entry)
        except (JsonError, ValueError):
            unreadable[key] = written
            continue
        if "/" not in key:
            spellings[key] = (*spellings.get(key, ()), written)
        is_plain &= bool(entry.text("auth") or not entry.text("username"))
        is_plain &= _HTTPS_PORT not in written
        if found is not None:
            entries[key] = found
    helpers = {_normal_key(key): name for key, name in document.text_map("credHelpers").items() if name}
    for written in document.object("credHelpers").names():
        key = _normal_key(written)
        spellings[key] = (*spellings.get(key, ()), written)
    store = document.text("credsStore")
    return LoginFile(
        entries=entries,
        helpers=helpers,
        store=store,
        spellings=spellings,
        unreadable=unreadable,
        is_plain=is_plain and not store and not unreadable,
        path=path,
    )


def _credential(entry: JsonObject) -> Credential | None:
    """Return the credential of an entry; ``None`` if the entry only says that a store knows the registry.

    :raises ValueError: when what is encoded in it cannot be read.
    """
    if entry.text("auth"):
        username, password = _decode(entry.text("auth"))
    else:
        username, password = entry.text("username"), entry.text("password")
    token = entry.text("identitytoken")
    return Credential(username, password, token) if username or token else None


def entry_json(credential: Credential) -> dict[str, Json]:
    """An entry that all programs read."""
    pair = f"{credential.username}:{credential.password}".encode()
    entry: dict[str, Json] = {"auth": base64.b64encode(pair).decode("ascii")}
    if credential.identity_token:
        entry["identitytoken"] = credential.identity_token
    return entry


def _normal_key(key: str) -> str:
    """``https://index.docker.io/v1/`` and ``HOST/v2/`` are Docker's spellings of a registry."""
    host = registry_key(key)
    bare = key.split("://", 1)[-1].rstrip("/")
    path = bare.partition("/")[2]
    return host if path in _NO_PATHS else f"{host}/{path}"


def _decode(auth: str) -> tuple[str, str]:
    try:
        text = base64.b64decode(auth, validate=True).decode("utf-8")
    except (binascii.Error, UnicodeDecodeError) as error:
        raise ValueError("an auth entry is not base64") from error
    username, _colon, password = text.partition(":")
    return username, password.rstrip("\x00")
