# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A registry as they are met in the field: its images are sound, its manners are odd.

A manner sees each request with the answer that a plain registry would give, and gives the answer that goes out. Several
may be put together; each sees what the one before has made of it.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from urllib.parse import urlsplit

from .hostile import Asked, Hostile, Reply, manifest_reply
from .images import Image, Index

Manner = Callable[[Asked, Reply], Reply]


@dataclass
class FieldRegistry(Hostile):
    """The server, as a context manager. ``manners`` are applied in order, to skopeo's requests as well."""

    manners: list[Manner] = field(default_factory=list)

    def add(self, name: str, item: Image | Index, *, tag: str = "1") -> str:
        """Serves an image or index with all that it names; gives its reference."""
        self.content(name, item)
        self.replies[f"/v2/{name}/manifests/{tag}"] = manifest_reply(item.raw, item.media_type)
        return f"{self.host}/{name}:{tag}"

    def answer(self, asked: Asked) -> Reply:
        """The plain answer, after all manners."""
        reply = super().answer(asked)
        for manner in self.manners:
            reply = manner(asked, reply)
        return reply

    def stop_listening(self) -> None:
        """Refuses every connection from now on; answers that are under way go out."""
        self._server.socket.close()


def when(part: str, manner: Manner, *, method: str = "GET HEAD POST", times: int | None = None) -> Manner:
    """A manner for requests with ``part`` in their path alone, or for the first ``times`` of them."""
    left = [times]

    def limited(asked: Asked, reply: Reply) -> Reply:
        if part not in asked.path or asked.method not in method.split() or left[0] == 0:
            return reply
        if left[0] is not None:
            left[0] -= 1
        return manner(asked, reply)

    return limited


def always(reply: Reply) -> Manner:
    """Gives this answer instead."""
    return lambda _asked, _reply: reply


def redirects(url: str, *, status: int = 307) -> Manner:
    """Sends the client to the same path at ``url``."""
    return lambda asked, _reply: Reply(status, headers=(("Location", f"{url}{asked.path}"),))


def labels(*headers: tuple[str, str]) -> Manner:
    """Adds headers."""
    return lambda _asked, reply: replace(reply, headers=(*reply.headers, *headers))


def hints(*statuses: int) -> Manner:
    """Sends informational answers before the final one (RFC 9110, 15.2)."""

    def hinted(asked: Asked, reply: Reply) -> Reply:
        before = "".join(f"HTTP/1.1 {each} Hint\r\nLink: </x>; rel=preload\r\n\r\n" for each in statuses)
        return Reply(raw=lambda: [before.encode(), *reply.pieces(body=asked.method != "HEAD")])

    return hinted


def drips(seconds: float = 0.05) -> Manner:
    """Sends the head of an answer, and then a byte now and then, without end."""

    def endless() -> Iterator[bytes]:
        yield b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n"
        while True:
            yield b" "
            time.sleep(seconds)

    return always(Reply(raw=endless))


def wants_token(token: str | Callable[[Asked], str], realm: str) -> Manner:
    """Lets nobody to ``/v2/`` without a bearer token, which the service at ``realm`` gives out."""

    def guarded(asked: Asked, reply: Reply) -> Reply:
        wanted = token if isinstance(token, str) else token(asked)
        if not urlsplit(asked.path).path.startswith("/v2/") or asked.authorization == f"Bearer {wanted}":
            return reply
        return Reply(401, headers=(("WWW-Authenticate", f'Bearer realm="{realm}",service="field"'),))

    return guarded


def gives_token(token: str, *, path: str = "/token", accepted: Iterable[str] | None = None) -> Manner:
    """Is a token service at ``path``, for everybody or for who shows one of these ``Authorization`` headers."""
    allowed = None if accepted is None else set(accepted)

    def service(asked: Asked, reply: Reply) -> Reply:
        if urlsplit(asked.path).path != path:
            return reply
        if allowed is not None and asked.authorization not in allowed:
            return Reply(401)
        return Reply(body=json.dumps({"token": token}).encode())

    return service
