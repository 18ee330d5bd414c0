# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The credentials for each repository: the user's options come before login files."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Callable

from .._base.errors import OptionError, TransferError
from .._base.json import Json, compact
from .._base.secrets import Secrets
from .._base.stop import Check, go_on
from .._oci.reference import Repository, registry_key
from .access import Access, Login
from .credential_helper import Credential, CredentialHelpers
from .login_file import (
    LoginFile,
    default_login_files,
    entry_json,
    read_login_file,
)


class Credentials:
    """Finds the credential of a repository; the user's own options come before every login file.

    :param registries: those that the run pulls from, and those that skopeo may ask instead.
    :param check: is called while a helper program runs; raises when the run is to end.
    :param note: writes a line to the log.
    :ivar secrets: learns of every credential before it is used.
    """

    def __init__(
        self,
        logins: Iterable[Login],
        files: Iterable[LoginFile],
        secrets: Secrets | None = None,
        registries: Iterable[str] = (),
        check: Check = go_on,
        note: Callable[[str], None] | None = None,
    ) -> None:
        self._logins = {registry_key(login.registry): Credential(login.username, login.password) for login in logins}
        self._files = tuple(files)
        self._registries = tuple(sorted(set(registries)))
        self._helpers = CredentialHelpers(check)
        self._note = note
        self._noted: set[str] = set()
        self._as_passwords: set[str] = set()
        self.secrets = secrets or Secrets()
        for known in (self._logins, *(file.entries for file in self._files)):
            for credential in known.values():
                self._keep_secret(credential)

    def find(self, repository: Repository) -> Credential | None:
        """The credential to use, or ``None`` for anonymous access.

        :raises TransferError: when a credential helper fails, or the entry of a login file cannot be read.
        """
        found = self._search(repository)
        if found is not None:
            self._keep_secret(found)  # a helper's was not known before
        return found

    def account(self, repository: Repository) -> str:
        """Return whose login a repository is asked with, in words; empty: nobody's, or it cannot be found out."""
        try:
            found = self.find(repository)
        except TransferError:
            return ""
        return found.account if found is not None else ""

    def _search(self, repository: Repository) -> Credential | None:
        registry = registry_key(repository.registry)
        if registry in self._logins:
            return self._logins[registry]
        for file in self._files:
            found = file.find(repository, self._helpers.ask, self._note_once)
            if found is not None:
                return found
        return None

    def _note_once(self, text: str) -> None:
        if self._note is not None and text not in self._noted:
            self._noted.add(text)
            self._note(text)

    def _keep_secret(self, credential: Credential) -> None:
        self.secrets.add(credential.password, username=credential.username)
        self.secrets.add(credential.identity_token, username=credential.as_password().username)

    def give_as_password(self, credential: Credential) -> None:
        """Have skopeo use a refresh token as a password: its token service does not take it otherwise."""
        self._as_passwords.add(credential.identity_token)

    @property
    def has_logins(self) -> bool:
        """True if any credential came from the options."""
        return bool(self._logins)

    @property
    def needs_login_file(self) -> bool:
        """True if skopeo would not find all of these by itself, so that it needs a login file of our own."""
        is_renamed = any(registry_key(registry) != registry for registry in self._registries)
        return (
            self.has_logins or is_renamed or bool(self._as_passwords) or not all(file.is_plain for file in self._files)
        )

    def login_file(self) -> bytes:
        """All entries as one login file: the options', and those of files that no option overrides.

        Also those of registries that the list does not name: mirrors may need them.
        """
        auths: dict[str, Credential] = {}
        helpers: dict[str, str] = {}
        for file in reversed(self._files):
            auths.update({key: value for key, value in file.entries.items() if not self._overrides(key)})
            for key in file.entries:
                helpers.pop(key, None)
            found = {**file.left_to_store(), **file.helpers}
            helpers.update({key: value for key, value in found.items() if not self._overrides(key)})
        for file in reversed(self._files):
            self._add_from_store(file, auths, helpers)
        auths.update(self._logins)
        for registry in self._registries:
            _add_spelling(registry, auths, helpers)
        entries: dict[str, Json] = {key: entry_json(self._for_skopeo(credential)) for key, credential in auths.items()}
        return compact({"auths": entries, "credHelpers": dict(helpers)})

    def _add_from_store(self, file: LoginFile, auths: dict[str, Credential], helpers: dict[str, str]) -> None:
        """Give skopeo, which knows no store for all registries, what a store has for those of the list.

        It asks the program itself, each time, where that knows the registry by the name that skopeo has for it.
        """
        for registry in {registry_key(one) for one in self._registries} if file.store else ():
            if registry in self._logins or registry in file.helpers:
                continue
            try:
                found = file.ask_helper_for(registry, self._helpers.ask, self._note_once)
                by_name = found and self._helpers.ask(file.store, [registry])
            except TransferError:  # was told where the registry asked for a login
                found = by_name = None
            helpers.pop(registry, None)
            if found is not None and by_name:
                helpers[registry] = file.store
            elif found is not None:
                self._keep_secret(found)
                auths[registry] = found

    def _for_skopeo(self, credential: Credential) -> Credential:
        return credential.as_password() if credential.identity_token in self._as_passwords else credential

    def _overrides(self, key: str) -> bool:
        return key.split("/", 1)[0] in self._logins


def _add_spelling(registry: str, auths: dict[str, Credential], helpers: dict[str, str]) -> None:
    """Let a registry whose port is spelled out be found under that name too."""
    key = registry_key(registry)
    if key == registry:
        return
    for name in [name for name in auths if name.split("/", 1)[0] == key]:
        auths[registry + name[len(key) :]] = auths[name]
    if key in helpers:
        helpers[registry] = helpers[key]


def gather_credentials(
    access: Access,
    registries: Iterable[str],
    environ: Mapping[str, str],
    secrets: Secrets,
    check: Check = go_on,
    *,
    others: Iterable[str] = (),
    note: Callable[[str], None] | None = None,
) -> Credentials:
    """Bring together the options' credentials and the login files'.

    :param registries: the registries that the list is pulled from; ``username`` belongs to the only one of them.
    :param secrets: learns of all that is found.
    :param check: is asked while a helper program runs; raises when the run is to end.
    :param others: registries that skopeo may ask instead of these.
    :param note: writes a line to the log.
    :raises OptionError: when it is unclear which registry ``username`` belongs to, or ``authfile`` is not readable.
    """
    names = sorted(set(registries))
    logins = list(access.logins)
    if access.login is not None:
        username, password = access.login
        logins.append(Login(registry=_only(names), username=username, password=password))
    if access.authfile is not None:
        files = [read_login_file(access.authfile, required=True)]
    else:
        files = [read_login_file(path, required=False) for path in default_login_files(environ)]
    known = [file for file in files if file is not None]
    return Credentials(logins, known, secrets, [name for name in {*names, *others} if name], check, note)


def _only(names: list[str]) -> str:
    if len(names) == 1:
        return names[0]
    raise OptionError(
        "username and password (or SOURCE_USERNAME and SOURCE_PASSWORD of the environment) could belong to any of "
        f"{', '.join(names)}; name the registry: "
        "set source_registry, or give host, username and password under registries"
    )
