# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the fault proxy does to which request."""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field


class Action:
    """What happens to a request that a rule matches."""


@dataclass(frozen=True)
class Respond(Action):
    """Answers by itself, such as ``Respond(429, {"Retry-After": "1"})``; the registry never hears of it."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True)
class Redirect(Action):
    """Sends the client to the same path at ``base`` (``http://127.0.0.1:PORT``)."""

    base: str
    status: int = 307


@dataclass(frozen=True)
class Stall(Action):
    """Sends ``after`` bytes of the body, then nothing until the proxy ends or the client goes away."""

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
class Corrupt(Action):
    """Flips all bits of the body's byte at offset ``at``; the length stays right."""

    at: int = 0


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


class Rule:
    """Applies ``action`` to the first ``times`` requests (None: all) whose method and path match the expressions.

    ``path`` is searched for in the path without the query, ``method`` has to match as a whole.
    """

    def __init__(self, action: Action, *, method: str = "GET", path: str = "", times: int | None = None) -> None:
        self.action = action
        self.hits = 0
        self._method = re.compile(method)
        self._path = re.compile(path)
        self._times = times

    def take(self, method: str, path: str) -> bool:
        """Whether the rule applies to this request; counts it if so."""
        if self._times is not None and self.hits >= self._times:
            return False
        if not self._method.fullmatch(method) or not self._path.search(path):
            return False
        self.hits += 1
        return True
