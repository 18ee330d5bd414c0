# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The workbench of one test: registries and proxies that end with it, and a folder of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from .certificates import Authority
from .faults import Rule
from .module import Result, RunningModule, run_module, start_module
from .proxy import Proxy
from .push import PushedImage
from .registry import Credentials, Registry, Tls
from .token_server import TokenServer

USER = Credentials("reader", "p4ss:wörd")
"""Whom the registries of a workbench let in when they ask."""


@dataclass(frozen=True)
class Source:
    """A registry with the whole catalogue of samples, by ``REPOSITORY:TAG``; for reading only."""

    registry: Registry
    images: Mapping[str, PushedImage]

    def __getitem__(self, name: str) -> PushedImage:
        return self.images[name]


class Workbench:
    """Makes what a test asks for in ``directory``, and ends it all in ``__exit__``."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.dest = directory / "out" / "images.tar.gz"
        self.cache = directory / "cache"
        self._stack = ExitStack()
        self._count = 0
        self._authority: Authority | None = None

    def __enter__(self) -> Workbench:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    @property
    def authority(self) -> Authority:
        """The certificate authority of this test."""
        if self._authority is None:
            self._authority = Authority(self.directory / "authority")
        return self._authority

    def registry(
        self,
        *,
        basic: Credentials | None = None,
        tokens: TokenServer | None = None,
        tls: bool = False,
        client_certificate: bool = False,
    ) -> Registry:
        """A running, empty registry.

        :raises RegistryError: it did not come up
        """
        wrapped = Tls(self.authority, client_certificate) if tls or client_certificate else None
        return self._stack.enter_context(Registry(self._folder("registry"), basic=basic, tokens=tokens, tls=wrapped))

    def tokens(self, *, users: Sequence[Credentials] = (USER,), tls: bool = False, **options: Any) -> TokenServer:
        """A running token server; ``options`` are those of ``TokenServer``."""
        known = {user.username: user.password for user in users}
        pair = self.authority.server() if tls else None
        return self._stack.enter_context(TokenServer(self._folder("tokens"), known, tls=pair, **options))

    def proxy(self, upstream: Registry, *rules: Rule, tls: bool = False, authorization: str = "") -> Proxy:
        """A running proxy in front of ``upstream``, which has to speak http."""
        pair = self.authority.server() if tls else None
        return self._stack.enter_context(Proxy(upstream.url, rules, tls=pair, authorization=authorization))

    def params(self, images: Sequence[str | PushedImage], **params: Any) -> dict[str, Any]:
        """Parameters for the module: destination and cache of this workbench, no TLS verification."""
        references = [each if isinstance(each, str) else each.reference for each in images]
        usual = {"images": references, "dest": self.dest, "cache_dir": self.cache, "validate_certs": False}
        return {**usual, **params}

    def save(
        self,
        images: Sequence[str | PushedImage],
        *,
        check: bool = False,
        diff: bool = False,
        env: Mapping[str, str | None] | None = None,
        **params: Any,
    ) -> Result:
        """Runs ``image_save``; makes the destination's folder. See ``params``."""
        full = self.params(images, **params)
        Path(full["dest"]).parent.mkdir(parents=True, exist_ok=True)
        return run_module(full, check=check, diff=diff, env=env)

    def start(self, images: Sequence[str | PushedImage], **params: Any) -> RunningModule:
        """Starts ``image_save``; the run ends with the test. See ``params``."""
        full = self.params(images, **params)
        Path(full["dest"]).parent.mkdir(parents=True, exist_ok=True)
        return self._stack.enter_context(start_module(full))

    def _folder(self, name: str) -> Path:
        self._count += 1
        return self.directory / f"{name}-{self._count}"
