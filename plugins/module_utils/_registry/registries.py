# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads the option ``registries``: what holds for single registries. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypedDict

from .._base.errors import InvalidReferenceError, OptionError
from .._oci.reference import SourceRegistry, canonical_registry, parse_source_registry, registry_key
from .access import Certificates, Login

_CERTIFICATES = ("validate_certs", "ca_path", "client_cert", "client_key")
_OF_THE_HOST = ("username", "password", *_CERTIFICATES)


class _Required(TypedDict):
    host: str


class RegistryParams(_Required, total=False):
    """One item of ``registries``; an option that is left out may also be ``None``."""

    username: str | None
    password: str | None
    validate_certs: bool | None
    ca_path: str | None
    client_cert: str | None
    client_key: str | None
    mirror: str | None


@dataclass(frozen=True)
class Registries:
    """Options of single registries.

    :param logins: the credentials of those that have any.
    :param certificates: options for certificates, by :func:`registry_key`.
    :param mirrors: the registries that take the place of one each, by :func:`registry_key`.
    """

    logins: tuple[Login, ...]
    certificates: Mapping[str, Certificates]
    mirrors: Mapping[str, SourceRegistry]


def read_registries(items: Sequence[RegistryParams], usual: Certificates) -> Registries:
    """Check the items, and return them with types.

    :param usual: what holds for registries without options of their own.
    :raises OptionError: names the registry, and what contradicts itself.
    """
    hosts = [canonical_registry(item["host"]) for item in items]
    _refuse_twice(hosts)
    logins = [_login(host, item) for host, item in zip(hosts, items)]
    certificates = {registry_key(host): _certificates(host, item, usual) for host, item in zip(hosts, items)}
    mirrors = {registry_key(host): _mirror(host, item) for host, item in zip(hosts, items)}
    found = {key: mirror for key, mirror in mirrors.items() if mirror is not None}
    _refuse_chains(found)
    return Registries(
        logins=tuple(login for login in logins if login is not None),
        certificates={key: one for key, one in certificates.items() if one != usual},
        mirrors=found,
    )


def _refuse_twice(hosts: Iterable[str]) -> None:
    seen: set[str] = set()
    for host in hosts:
        if registry_key(host) in seen:
            raise OptionError(f"registries: two entries are for {registry_key(host)}; make them one")
        seen.add(registry_key(host))


def _login(host: str, item: RegistryParams) -> Login | None:
    username, password = item.get("username"), item.get("password")
    if username and password:
        return Login(host, username, password)
    if username or password:
        given, lacking = ("username", "password") if username else ("password", "username")
        raise OptionError(f"registries, {host}: {given} is given without {lacking}; give both or neither")
    return None


def _certificates(host: str, item: RegistryParams, usual: Certificates) -> Certificates:
    """Return the options for certificates of an item; those that it leaves out are the usual ones."""
    is_verified, ca_path = item.get("validate_certs"), item.get("ca_path")
    client_cert, client_key = item.get("client_cert"), item.get("client_key")
    if client_key and not client_cert:
        raise OptionError(f"registries, {host}: client_key requires client_cert in the same entry")
    found = replace(
        usual,
        validate_certs=usual.validate_certs if is_verified is None else is_verified,
        ca_path=ca_path or usual.ca_path,
    )
    return replace(found, client_cert=client_cert, client_key=client_key or None) if client_cert else found


def _mirror(host: str, item: RegistryParams) -> SourceRegistry | None:
    text = item.get("mirror")
    if not text:
        return None
    try:
        mirror = parse_source_registry(text)
    except InvalidReferenceError as error:
        raise OptionError(f"registries, {host}: mirror: {error}") from error
    options: Mapping[str, object] = item
    idle = [name for name in _OF_THE_HOST if options.get(name) not in (None, "")]
    if idle:
        raise OptionError(
            f"registries, {host}: {', '.join(idle)} would have no effect, as its images come from the mirror; move "
            f"what is meant for the mirror to an entry of its own, with host {mirror.registry}"
        )
    return mirror


def _refuse_chains(mirrors: Mapping[str, SourceRegistry]) -> None:
    for key, mirror in mirrors.items():
        if registry_key(mirror.registry) in mirrors:
            raise OptionError(
                f"registries, {key}: mirror: {mirror.registry} has a mirror itself; name the registry that is to be "
                "asked"
            )
