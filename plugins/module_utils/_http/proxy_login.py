# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Logins to proxies: a refused login is not sent again, because some proxies lock an account after a few failures."""

from __future__ import annotations

import math
import threading
from typing import Callable, TypeVar

from .._base.deadline import at_most, ensure_time
from .._base.errors import ProxyLoginRefused

_Result = TypeVar("_Result")


class ProxyLogin:
    """The login to one proxy. Until it has accepted a request, requests are sent one at a time."""

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
    """The logins of a run, by the proxy's address; shared by all of its threads and registries."""

    def __init__(self) -> None:
        self._mutex = threading.Lock()
        self._logins: dict[str, ProxyLogin] = {}

    def of(self, proxy: str) -> ProxyLogin:
        """Return the login of a proxy.

        :param proxy: the proxy's URL.
        """
        with self._mutex:
            return self._logins.setdefault(proxy, ProxyLogin())
