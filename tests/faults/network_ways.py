# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""By which hosts the registry is reached in a trial, for faults that one proxy alone cannot make."""

from __future__ import annotations

import base64
import random
import socket
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

from ..support.certificates import Authority, KeyPair
from ..support.faults import Action, Authorize, Redirect, Respond, Rule
from ..support.proxy import Proxy
from ..support.registry import Registry
from ..support.token_server import TokenServer
from .ground import Ground
from .network_kinds import HEALS, Kind
from .network_parts import Part
from .site import Site

_NOBODY = "registry.invalid"  # RFC 2606: never resolves


@dataclass(frozen=True)
class Way:
    """How the module gets to the registry.

    :param host: what it is told.
    :param front: the proxy there; ``None`` where there is none.
    :param action: what happens to the requests that are hit; ``None`` where all are.
    :param params: parameters that go with it.
    """

    host: str
    front: Proxy | None = None
    action: Action | None = None
    params: dict[str, Any] = field(default_factory=dict)


class Ways:
    """Makes the ways of one trial; what is started for them ends with the context manager."""

    def __init__(self, ground: Ground, site: Site, chance: random.Random) -> None:
        self._registry = ground.registry
        self._folder = ground.folder / f"{site.folder.name}-ways"
        self._site = site
        self._chance = chance
        self._stack = ExitStack()
        pair = f"{site.user.username}:{site.user.password}".encode()
        self._basic = f"Basic {base64.b64encode(pair).decode()}"

    def __enter__(self) -> Ways:
        return self

    def __exit__(self, *_failure: object) -> None:
        self._stack.close()

    def to(self, kind: Kind, part: Part, form: str) -> Way:
        """The way on which one part is hit."""
        if kind.action is not None:
            front = self._site.proxy()
            return Way(front.host, front, kind.action(part, self._chance))
        makers: dict[str, Callable[[Part, str], Way]] = {
            "expired token": self._expired_token,
            "blobs on another host": self._other_host,
            "redirect to a closed port": lambda *_: self._redirect(f"http://{self._closed_port()}"),
            "redirect to an unknown host name": lambda *_: self._redirect(f"http://{_NOBODY}"),
        }
        return makers[kind.fault](part, form) if kind.fault in makers else self._insecure_host(kind)

    def everywhere(self, kind: Kind) -> Way:
        """The way on which nothing gets through."""
        if kind.fault == "registry on a closed port":
            return Way(self._closed_port())
        if kind.fault == "registry with an unknown host name":
            return Way(_NOBODY)
        authority = Authority(self._folder / "known")
        front = self._site.proxy(tls=self._wrong_certificate(kind, authority))
        return Way(front.host, front, params={"validate_certs": True, "ca_path": authority.ca_path})

    def _redirect(self, base: str) -> Way:
        front = self._site.proxy()
        return Way(front.host, front, Redirect(base, self._chance.choice((301, 302, 303, 307, 308))))

    def _other_host(self, _part: Part, form: str) -> Way:
        """A storage of the registry's own, which knows nobody's password."""
        rules = [] if form == HEALS else [Rule(Respond(self._chance.choice((500, 503))))]
        return self._redirect(self._site.proxy(*rules, authorization=self._basic).url)

    def _insecure_host(self, kind: Kind) -> Way:
        """A registry with a good certificate names a host without one."""
        authority = Authority(self._folder / "known")
        front = self._site.proxy(tls=authority.server())
        other = self._site.proxy(tls=self._wrong_certificate(kind, authority), authorization=self._basic)
        params = {"validate_certs": True, "ca_path": authority.ca_path}
        return Way(front.host, front, Redirect(f"https://{other.host}"), params)

    def _wrong_certificate(self, kind: Kind, known: Authority) -> KeyPair | None:
        if kind.fault == "expired certificate":
            return known.expired()
        if kind.fault == "certificate for another name":
            return known.misnamed()
        if kind.fault == "certificate of an unknown authority":
            return Authority(self._folder / "unknown").server()
        return None

    def _expired_token(self, _part: Part, _form: str) -> Way:
        """The same images behind a token service; the token that comes with a request ran out just before."""
        user = self._site.user
        tokens = self._stack.enter_context(TokenServer(self._folder / "tokens", {user.username: user.password}))
        registry = Registry(self._folder / "registry", tokens=tokens)
        registry.storage = self._registry.storage
        self._stack.enter_context(registry)
        front = self._stack.enter_context(Proxy(registry.url))
        expired = tokens.token(user.username, (), lifetime=-1)
        return Way(front.host, front, Authorize(f"Bearer {expired}"))

    def _closed_port(self) -> str:
        """A port that is taken, so that no one else comes to listen there."""
        taken = self._stack.enter_context(socket.socket())
        taken.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{taken.getsockname()[1]}"
