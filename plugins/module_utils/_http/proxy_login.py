# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Proxies that want a login: one that refuses it is asked once, because some lock an account after a few failures."""

from __future__ import annotations

import math
import threading
from typing import Callable, TypeVar

from .._base.deadline import at_most, ensure_time
from .._base.errors import ProxyLoginRefused

_Result = TypeVar("_Result")


class ProxyLogin:
    """One proxy. Until it has let somebody through, requests go one after the other."""

    def __init__(self) -> None:
        self._mutex = threading.Lock()
        self._is_open = False
        self._refusal: ProxyLoginRefused | None = None

    def through(self, send: Callable[[], _Result]) -> _Result:
        """Send a request, unless the proxy has refused the login before.

        :param send: raises :class:`ProxyLoginRefused` when the proxy refuses it.
        """
        if self._is_open or self._refusal is not None:
            return self._sent(send)
        left = at_most(math.inf)
        if not self._mutex.acquire(timeout=-1 if left == math.inf else min(left, threading.TIMEOUT_MAX)):
            ensure_time()
        try:
            return self._sent(send)
        finally:
            self._mutex.release()

    def _sent(self, send: Callable[[], _Result]) -> _Result:
        if self._refusal is not None:
            raise self._refusal
        try:
            result = send()
        except ProxyLoginRefused as refusal:
            self._refusal = refusal
            raise
        self._is_open = True
        return result


class ProxyLogins:
    """The proxies of a run, by their address; shared by all of its threads and registries."""

    def __init__(self) -> None:
        self._mutex = threading.Lock()
        self._logins: dict[str, ProxyLogin] = {}

    def of(self, proxy: str) -> ProxyLogin:
        with self._mutex:
            return self._logins.setdefault(proxy, ProxyLogin())
