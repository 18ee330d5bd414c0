# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The way to an origin: directly or through a proxy. Pure."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote_to_bytes, urlsplit

from .response import DEFAULT_PORTS


@dataclass(frozen=True)
class ProxyAddress:
    """A proxy.

    :param url: as the environment has it.
    :param authorization: value of ``Proxy-Authorization``; empty without a login.
    """

    url: str = field(repr=False)
    is_tls: bool
    host: str
    port: int
    authorization: str = field(repr=False)


@dataclass(frozen=True)
class Route:
    """The way that connections to one origin are made.

    :param netloc: ``HOST[:PORT]`` as the ``Host`` header has it: without login, and without the scheme's own port.
    :param proxy: ``None`` for a direct connection.
    """

    is_tls: bool
    host: str
    port: int
    netloc: str
    proxy: ProxyAddress | None

    @property
    def is_forwarded(self) -> bool:
        """True if the proxy itself gets the request, instead of a tunnel (RFC 9112, 3.2.2)."""
        return self.proxy is not None and not self.is_tls


def route_to(url: str, proxy: str) -> Route:
    """Return the way to the origin of a URL.

    :param proxy: the URL of a proxy; empty for none.
    :raises ValueError: when either is not a usable URL.
    """
    parts = urlsplit(url)
    host, port = _host_and_port(parts)
    scheme = parts.scheme.lower()
    name = f"[{host}]" if ":" in host else host
    if not name.isascii():
        name = name.encode("idna").decode("ascii")
    netloc = name if str(port) == DEFAULT_PORTS[scheme] else f"{name}:{port}"
    return Route(scheme == "https", host, port, netloc, _proxy_address(proxy) if proxy else None)


def _proxy_address(url: str) -> ProxyAddress:
    parts = urlsplit(url)
    host, port = _host_and_port(parts)
    return ProxyAddress(url, parts.scheme.lower() == "https", host, port, basic_login(url))


def _host_and_port(parts: Any) -> tuple[str, int]:
    if not parts.hostname:
        raise ValueError("a URL without a host")
    return parts.hostname, parts.port or int(DEFAULT_PORTS[parts.scheme.lower()])


def basic_login(url: str) -> str:
    """Return the value of an ``Authorization`` header for the login in a URL; empty where there is none."""
    parts = urlsplit(url)
    if parts.username is None:
        return ""
    pair = unquote_to_bytes(parts.username) + b":" + unquote_to_bytes(parts.password or "")
    return "Basic " + base64.b64encode(pair).decode("ascii")
