# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The proxy that the environment names for a host, by the rules of Go programs. Pure.

skopeo runs in the same environment, so both must use the same proxy. The rules are those of Go's
``golang.org/x/net/http/httpproxy``, which differ from those of ``requests``: the upper-case variable comes first,
``*.name`` means ``.name``, a name also covers its subdomains, and neither ``ALL_PROXY`` nor the address that a
name resolves to counts.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Union
from urllib.parse import urlsplit

from .._base.errors import TransferError, printable
from .response import DEFAULT_PORTS

_USABLE = ("http", "https")
_Address = Union[ipaddress.IPv4Address, ipaddress.IPv6Address]


@dataclass(frozen=True)
class _Host:
    """A host that is asked for.

    :param address: what its name is, where that is an IP address.
    """

    name: str
    port: str
    address: _Address | None


_Rule = Callable[[_Host], bool]


class Proxies:
    """The proxies of an environment.

    :param environ: ``HTTP_PROXY``, ``HTTPS_PROXY`` and ``NO_PROXY``, or the same in lower case.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._by_scheme = {scheme: _variable(environ, f"{scheme}_proxy") for scheme in DEFAULT_PORTS}
        self._exceptions = [rule for rule in map(_rule, _variable(environ, "no_proxy").split(",")) if rule is not None]

    def find(self, origin: str) -> str:
        """The proxy for a host.

        :param origin: ``SCHEME://HOST[:PORT]``.
        :returns: its address, or nothing where the host is asked directly.
        :raises TransferError: when the environment names a proxy that only other programs can use.
        """
        parts = urlsplit(origin)
        proxy = self._by_scheme.get(parts.scheme, "")
        host = _host(parts.hostname or "", str(parts.port or DEFAULT_PORTS.get(parts.scheme, "")))
        if not proxy or _is_this_machine(host) or any(covers(host) for covers in self._exceptions):
            return ""
        return _usable(proxy, variable=f"{parts.scheme}_proxy", host=parts.netloc)

    @property
    def have_logins(self) -> bool:
        """True if any of them has a user name and password."""
        return any("@" in address for address in self._by_scheme.values())


def _variable(environ: Mapping[str, str], name: str) -> str:
    return environ.get(name.upper()) or environ.get(name) or ""


def _host(name: str, port: str) -> _Host:
    name = name.strip().lower()
    return _Host(name, port, _address(name))


def _address(text: str) -> _Address | None:
    """An IP address; one of version 4 that is written as one of version 6 is the same."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


def _is_this_machine(host: _Host) -> bool:
    return host.name == "localhost" or (host.address is not None and host.address.is_loopback)


def _rule(entry: str) -> _Rule | None:
    """Return the rule for one entry of ``NO_PROXY``; ``None`` for an entry that Go ignores."""
    entry = entry.strip().lower()
    if not entry:
        return None
    if entry == "*":
        return lambda host: True
    network = _network(entry)
    if network is not None:
        return _within(network)
    name, port = _split_port(entry)
    address = _address(name)
    if address is not None:
        return _exactly(address, port)
    return _below(name, port) if name else None


def _network(entry: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    address, slash, bits = entry.partition("/")
    if not slash or not (bits.isascii() and bits.isdigit()):
        return None
    try:
        return ipaddress.ip_network(f"{address}/{bits}", strict=False)
    except ValueError:
        return None


def _split_port(entry: str) -> tuple[str, str]:
    """``HOST:PORT`` and ``[ADDRESS]:PORT`` in their parts; all else is a host."""
    if entry.startswith("["):
        name, bracket, port = entry[1:].partition("]:")
        return (name, port) if bracket else (entry, "")
    name, colon, port = entry.partition(":")
    return (entry, "") if not colon or ":" in port else (name, port)


def _within(network: ipaddress.IPv4Network | ipaddress.IPv6Network) -> _Rule:
    return lambda host: host.address is not None and host.address in network


def _exactly(address: _Address, port: str) -> _Rule:
    return lambda host: host.address == address and port in ("", host.port)


def _below(name: str, port: str) -> _Rule:
    """``name`` covers itself and what is below it; ``.name`` and ``*.name`` only the latter."""
    if name.startswith("*."):
        name = name[1:]
    itself = "" if name.startswith(".") else name
    ending = _ascii(name if name.startswith(".") else f".{name}")

    def covers(host: _Host) -> bool:
        is_named = host.name.endswith(ending) or (bool(itself) and host.name == ending[1:])
        return is_named and port in ("", host.port)

    return covers


def _ascii(name: str) -> str:
    """A name as DNS has it; one that cannot be written so stays as it is, and covers nothing."""
    if name.isascii():
        return name
    try:
        return "." + name.strip(".").encode("idna").decode("ascii")
    except UnicodeError:
        return name


def _usable(proxy: str, *, variable: str, host: str) -> str:
    """The address of a proxy, which may lack its scheme."""
    scheme = proxy.partition("://")[0].lower() if "://" in proxy else "http"
    address = proxy if "://" in proxy else f"http://{proxy}"
    if scheme in _USABLE and _has_host(address):
        return address
    shown = printable(_without_login(address), 100)
    if scheme.startswith("socks"):
        raise TransferError(
            f"{variable} names a SOCKS proxy ({shown}) for {host}, which is not supported; set {variable} to an http "
            "or https proxy, or add the host to no_proxy",
            heals=False,
            is_final=True,
        )
    raise TransferError(
        f"{variable} is not the address of a proxy ({shown}); correct or unset it", heals=False, is_final=True
    )


def _has_host(address: str) -> bool:
    try:
        parts = urlsplit(address)
        return bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def _without_login(address: str) -> str:
    """An address without user and password, however broken it is."""
    scheme, _separator, rest = address.partition("://")
    return f"{scheme}://{rest.rpartition('@')[2]}"
