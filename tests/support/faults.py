# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules of the fault proxy: what it does to which request."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from email.utils import formatdate


class Action:
    """The fault that a request meets if a rule matches it."""


@dataclass(frozen=True)
class Respond(Action):
    """Answers by itself, such as ``Respond(429, {"Retry-After": "1"})``; the registry never hears of it."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True)
class Busy(Action):
    """Answers 429; where ``seconds`` are given, asks to wait for so long, or (``as_date``) until then."""

    seconds: int | None = None
    as_date: bool = False

    def headers(self) -> dict[str, str]:
        """Retry-After as of now (RFC 9110, 10.2.3)."""
        if self.seconds is None:
            return {}
        text = formatdate(time.time() + self.seconds, usegmt=True) if self.as_date else str(self.seconds)
        return {"Retry-After": text}


@dataclass(frozen=True)
class Redirect(Action):
    """Sends the client to the same path at ``base`` (``http://127.0.0.1:PORT``)."""

    base: str
    status: int = 307


@dataclass(frozen=True)
class Stall(Action):
    """Sends ``after`` bytes of the body, then nothing until the proxy ends or the client goes away; -1: no headers."""

    after: int = 0


@dataclass(frozen=True)
class Truncate(Action):
    """Sends ``after`` bytes of the body and closes the connection in order."""

    after: int = 0


@dataclass(frozen=True)
class Reset(Action):
    """Sends ``after`` bytes of the body and resets the connection; -1: not even the headers."""

    after: int = -1


@dataclass(frozen=True)
class Trickle(Action):
    """Sends ``after`` bytes of the body, then ``count`` bytes (None: all) with a pause of seconds before each.

    With ``piece``, so many bytes follow a pause.
    """

    after: int = 0
    pause: float = 0.2
    count: int | None = None
    piece: int = 1


@dataclass(frozen=True)
class Mismeasure(Action):
    """Says a Content-Length that differs by so many bytes; no more than that is sent, and the connection is closed."""

    by: int


@dataclass(frozen=True)
class Corrupt(Action):
    """Flips all bits of the body's byte at offset ``at`` (None: of every byte); the length stays right."""

    at: int | None = 0


@dataclass(frozen=True)
class Relabel(Action):
    """Gives the answer another Content-Type."""

    media_type: str


@dataclass(frozen=True)
class Authorize(Action):
    """Sends the registry another Authorization than the client's, such as that of a token that has expired."""

    header: str


class Hold(Action):
    """Holds the request back, before the registry hears of it, until ``release`` is called."""

    def __init__(self) -> None:
        self._released = threading.Event()

    def release(self) -> None:
        """Lets everything through, now and later."""
        self._released.set()

    def wait(self, ended: threading.Event) -> None:
        """Returns when released, or soon after ``ended`` is set."""
        while not self._released.wait(0.05) and not ended.is_set():
            pass


class Dole(Action):
    """Sends the first ``size`` bytes of the body, and further ones when ``allow`` says so."""

    def __init__(self, size: int) -> None:
        self._changed = threading.Condition()
        self._size: int | None = size

    def allow(self, size: int | None = None) -> None:
        """Sends the first ``size`` bytes (None: all), now and later."""
        with self._changed:
            self._size = size
            self._changed.notify_all()

    def room(self, sent: int, most: int, ended: threading.Event) -> int:
        """How many bytes, up to ``most``, may follow the first ``sent``; waits while there is none."""
        with self._changed:
            while self._size is not None and self._size <= sent and not ended.is_set():
                self._changed.wait(0.05)
            return most if self._size is None or ended.is_set() else min(most, self._size - sent)


class Rule:
    """Applies ``action`` to the first ``times`` requests (None: all) whose method and path match the expressions.

    ``path`` is searched for in the path without the query, ``agent`` in the User-Agent, ``method`` has to match as a
    whole.
    """

    def __init__(
        self, action: Action, *, method: str = "GET", path: str = "", agent: str = "", times: int | None = None
    ) -> None:
        self.action = action
        self.hits = 0
        self._method = re.compile(method)
        self._path = re.compile(path)
        self._agent = re.compile(agent)
        self._times = times

    def end(self) -> None:
        """Applies to nothing from now on."""
        self._times = 0

    def take(self, method: str, path: str, agent: str = "") -> bool:
        """Return True if the rule applies to this request, and count it."""
        if self._times is not None and self.hits >= self._times:
            return False
        if not self._method.fullmatch(method) or not self._path.search(path) or not self._agent.search(agent):
            return False
        self.hits += 1
        return True


def told(action: Action | None, headers: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """The headers of an answer, as the action changes them."""
    for name, text in headers:
        if isinstance(action, Mismeasure) and name.lower() == "content-length":
            yield name, str(max(0, int(text) + action.by))
        elif not isinstance(action, Relabel) or name.lower() != "content-type":
            yield name, text
    if isinstance(action, Relabel):
        yield "Content-Type", action.media_type


def spoiled(action: Action | None, data: bytes, start: int) -> bytes:
    """A piece of a body, which begins at an offset, as the action changes it."""
    if not isinstance(action, Corrupt):
        return data
    if action.at is None:
        return bytes(byte ^ 0xFF for byte in data)
    place = action.at - start
    if not 0 <= place < len(data):
        return data
    return data[:place] + bytes([data[place] ^ 0xFF]) + data[place + 1 :]


def limit(action: Action | None, length: int) -> int | None:
    """How many bytes of a body of this length are sent; None: all."""
    if isinstance(action, (Stall, Truncate, Reset)):
        return action.after
    return max(0, length + action.by) if isinstance(action, Mismeasure) else None
