# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Credentials: the user's options, login files and credential helpers; which of them belongs to which repository.

Login files: containers-auth.json(5) and Docker's ``config.json``.
"""

from __future__ import annotations

import base64
import binascii
import os
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from ._errors import OptionError, TransferError, printable
from ._json import Json, JsonError, JsonObject, compact, parse_object
from ._options import Access, Login
from ._process import death_guard
from ._reference import Repository, canonical_registry
from ._secrets import Secrets

_HELPER_TIMEOUT = 60.0
_NO_CREDENTIALS = "credentials not found"


@dataclass(frozen=True)
class Credential:
    """What proves who we are: user and password, or an identity token (OAuth2 refresh token)."""

    username: str
    password: str = field(repr=False)
    identity_token: str = field(default="", repr=False)


@dataclass(frozen=True)
class LoginFile:
    """One login file: entries by ``HOST[:PORT][/PATH]``, and helper programs by registry."""

    entries: dict[str, Credential]
    helpers: dict[str, str]

    def find(self, repository: Repository) -> Credential | None:
        """The most specific entry that covers the repository; a helper of its registry comes first."""
        helper = self.helpers.get(repository.registry)
        if helper:
            found = _ask_helper(helper, repository.registry)
            if found is not None:
                return found
        key = str(repository)
        while key:
            if key in self.entries:
                return self.entries[key]
            key = key.rpartition("/")[0]
        return None


class Credentials:
    """Finds the credential of a repository; the user's own options come before every login file.

    :ivar secrets: learns of every credential before it is used.
    """

    def __init__(self, logins: Iterable[Login], files: Iterable[LoginFile], secrets: Secrets | None = None) -> None:
        self._logins = {login.registry: Credential(login.username, login.password) for login in logins}
        self._files = tuple(files)
        self.secrets = secrets or Secrets()
        for known in (self._logins, *(file.entries for file in self._files)):
            for credential in known.values():
                self._keep_secret(credential)

    def find(self, repository: Repository) -> Credential | None:
        """The credential to use, or ``None`` for anonymous access.

        :raises TransferError: when a credential helper fails.
        """
        found = self._search(repository)
        if found is not None:
            self._keep_secret(found)  # a helper's was not known before
        return found

    def _search(self, repository: Repository) -> Credential | None:
        if repository.registry in self._logins:
            return self._logins[repository.registry]
        for file in self._files:
            found = file.find(repository)
            if found is not None:
                return found
        return None

    def _keep_secret(self, credential: Credential) -> None:
        self.secrets.add(credential.password, username=credential.username)
        self.secrets.add(credential.identity_token)

    @property
    def has_logins(self) -> bool:
        """Whether any credential came from the options, so that skopeo needs a login file of our own."""
        return bool(self._logins)

    def login_file(self) -> bytes:
        """All entries as one login file: the options', and those of files that no option overrides."""
        auths: dict[str, Json] = {}
        helpers: dict[str, Json] = {}
        for file in reversed(self._files):
            auths.update({key: _entry(value) for key, value in file.entries.items() if not self._overrides(key)})
            helpers.update({key: value for key, value in file.helpers.items() if not self._overrides(key)})
        auths.update({registry: _entry(credential) for registry, credential in self._logins.items()})
        return compact({"auths": auths, "credHelpers": helpers})

    def _overrides(self, key: str) -> bool:
        return key.split("/", 1)[0] in self._logins


def gather_credentials(
    access: Access, registries: Iterable[str], environ: Mapping[str, str], secrets: Secrets
) -> Credentials:
    """Bring together the options' credentials and the login files'.

    :param registries: the registries that the list is pulled from; ``username`` belongs to the only one of them.
    :param secrets: learns of all that is found.
    :raises OptionError: when it is unclear which registry ``username`` belongs to, or ``authfile`` is not readable.
    """
    logins = list(access.logins)
    if access.login is not None:
        username, password = access.login
        logins.append(Login(registry=_only(registries), username=username, password=password))
    if access.authfile is not None:
        files = [read_login_file(access.authfile, required=True)]
    else:
        files = [read_login_file(path, required=False) for path in default_login_files(environ)]
    return Credentials(logins, [file for file in files if file is not None], secrets)


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

    :param required: the user named it, so it must be there and readable; else ``None`` stands for a missing one.
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
        return _parse_login_file(parse_object(raw))
    except (JsonError, ValueError) as error:
        raise OptionError(f"{path} is no login file (containers-auth.json) that can be read") from error


def _parse_login_file(document: JsonObject) -> LoginFile:
    auths = document.object("auths")
    entries: dict[str, Credential] = {}
    for key in auths.names():
        entry = auths.object(key)
        username, password = _decode(entry.text("auth")) if entry.text("auth") else ("", "")
        if username or entry.text("identitytoken"):
            entries[_normal_key(key)] = Credential(username, password, entry.text("identitytoken"))
    helpers = {_normal_key(key): name for key, name in document.text_map("credHelpers").items()}
    return LoginFile(entries=entries, helpers=helpers)


def _normal_key(key: str) -> str:
    """``https://index.docker.io/v1/`` and ``HOST/v2/`` are Docker's spellings of a registry."""
    host = canonical_registry(key)
    bare = key.split("://", 1)[-1].rstrip("/")
    path = bare.partition("/")[2]
    return host if path in ("", "v1", "v2") else f"{host}/{path}"


def _decode(auth: str) -> tuple[str, str]:
    try:
        text = base64.b64decode(auth, validate=True).decode("utf-8")
    except (binascii.Error, UnicodeDecodeError) as error:
        raise ValueError("an auth entry is not base64") from error
    username, _colon, password = text.partition(":")
    return username, password.rstrip("\x00")


def _entry(credential: Credential) -> dict[str, Json]:
    pair = f"{credential.username}:{credential.password}".encode()
    entry: dict[str, Json] = {"auth": base64.b64encode(pair).decode("ascii")}
    if credential.identity_token:
        entry["identitytoken"] = credential.identity_token
    return entry


def _only(registries: Iterable[str]) -> str:
    names = sorted(set(registries))
    if len(names) == 1:
        return names[0]
    raise OptionError(
        "username and password (or SOURCE_USERNAME and SOURCE_PASSWORD of the environment) could belong to any of "
        f"{', '.join(names)}; name the registry: "
        "set source_registry, or give host, username and password under registries"
    )


def _ask_helper(helper: str, registry: str) -> Credential | None:
    """Run ``docker-credential-HELPER get`` (docker-credential-helpers protocol)."""
    program = f"docker-credential-{helper}"
    path = shutil.which(program)
    if path is None:
        raise TransferError(f"credential helper {printable(program)} for {registry}: no such program", heals=False)
    try:
        done = subprocess.run(  # pylint: disable=ansible-bad-function  # the engine knows no module
            [*death_guard(), path, "get"],
            input=registry.encode(),
            capture_output=True,
            timeout=_HELPER_TIMEOUT,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise TransferError(f"credential helper {printable(program)} for {registry}: {error}", heals=False) from error
    if done.returncode != 0:
        if _NO_CREDENTIALS in done.stdout.decode("utf-8", "replace"):
            return None
        raise TransferError(f"credential helper {printable(program)} failed for {registry}", heals=False)
    try:
        answer = parse_object(done.stdout)
        username, secret = answer.text("Username"), answer.text("Secret")
    except JsonError as error:
        raise TransferError(f"credential helper {printable(program)} gave no JSON", heals=False) from error
    if username == "<token>":
        return Credential("", "", identity_token=secret)
    return Credential(username, secret)
