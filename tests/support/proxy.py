# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A proxy in front of a registry: does harm where a rule says so, and records every request with its headers."""

from __future__ import annotations

import re
import threading
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from types import TracebackType
from urllib.parse import urlsplit

from .certificates import KeyPair
from .faults import Action, Rule
from .proxy_server import ProxyServer
from .served import Served


@dataclass
class ProxyRequest:
    """One request as the client sent it, and what became of it.

    ``headers`` have names in lower case, repeated ones joined. ``status`` is 0 while no answer was begun, ``sent`` is
    the part of the body that has left, in bytes; ``done`` once nothing more will.
    """

    method: str
    path: str
    query: str
    headers: dict[str, str]
    action: Action | None
    status: int = 0
    sent: int = 0
    done: bool = False


class Proxy(Served):
    """Stands on a port of its own before ``upstream`` (``http://127.0.0.1:PORT``), as a context manager.

    ``authorization`` replaces that header towards the registry, after the client's own was recorded. With ``tls`` the
    proxy speaks https to the client; towards the registry it is always http.
    """

    def __init__(
        self,
        upstream: str,
        rules: Iterable[Rule] = (),
        *,
        tls: KeyPair | None = None,
        authorization: str = "",
    ) -> None:
        self.upstream = urlsplit(upstream)
        self.authorization = authorization
        self.ended = threading.Event()
        self._rules = list(rules)
        self._changed = threading.Condition()
        self._requests: list[ProxyRequest] = []
        super().__init__(ProxyServer(self, tls), scheme="https" if tls else "http")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.ended.set()
        super().__exit__(kind, error, trace)

    def add(self, *rules: Rule) -> None:
        """More rules, after those there are; the first that applies is taken."""
        with self._changed:
            self._rules.extend(rules)

    def requests(self) -> list[ProxyRequest]:
        """Every request since the start or the last ``clear``."""
        with self._changed:
            return list(self._requests)

    def clear(self) -> None:
        """Forgets the requests seen so far; the rules keep their counts."""
        with self._changed:
            self._requests.clear()

    def blob_gets(self) -> Counter[str]:
        """How often each blob was asked for, by digest, whatever the answer."""
        found = (
            re.search(r"/blobs/(sha256:[0-9a-f]{64})$", each.path) for each in self.requests() if each.method == "GET"
        )
        return Counter(each[1] for each in found if each)

    def wait_for(self, condition: Callable[[list[ProxyRequest]], bool], timeout: float = 60.0) -> None:
        """Returns once ``condition`` holds for the requests seen so far; asked again at each change.

        :raises TimeoutError: it did not within ``timeout`` seconds
        """
        with self._changed:
            if not self._changed.wait_for(lambda: condition(self._requests), timeout):
                raise TimeoutError(f"not seen within {timeout} seconds; requests: {self._requests}")

    def begin(self, method: str, target: str, headers: Iterable[tuple[str, str]]) -> ProxyRequest:
        """Records a request that has come in and finds its rule."""
        path, _mark, query = target.partition("?")
        lowered: dict[str, str] = {}
        for name, text in headers:
            known = lowered.get(name.lower())
            lowered[name.lower()] = text if known is None else f"{known}, {text}"
        with self._changed:
            agent = lowered.get("user-agent", "")
            rule = next((each for each in self._rules if each.take(method, path, agent)), None)
            request = ProxyRequest(method, path, query, lowered, rule.action if rule else None)
            self._requests.append(request)
            self._changed.notify_all()
        return request

    def progress(self, request: ProxyRequest, *, status: int = 0, sent: int = 0, done: bool = False) -> None:
        """Records how far the answer has come."""
        with self._changed:
            request.status = status or request.status
            request.sent += sent
            request.done = request.done or done
            self._changed.notify_all()
