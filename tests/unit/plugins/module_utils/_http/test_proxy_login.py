# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Proxies that want a login."""

from __future__ import annotations

import threading
from typing import Callable

import pytest

from ansible_collections.airgap.images.plugins.module_utils._base.deadline import time_left
from ansible_collections.airgap.images.plugins.module_utils._base.errors import ProxyLoginRefused, TransferError
from ansible_collections.airgap.images.plugins.module_utils._http.proxy_login import ProxyLogin, ProxyLogins


def refuse() -> str:
    raise ProxyLoginRefused("407", heals=False, is_final=True)


def fail() -> str:
    raise TransferError("no connection", heals=True)


def at_once(login: ProxyLogin, send: Callable[[], str], count: int = 8) -> list[str]:
    """The outcomes of requests that were sent at the same time."""
    found: list[str] = []

    def one() -> None:
        try:
            found.append(login.through(send))
        except TransferError as error:
            found.append(str(error))

    threads = [threading.Thread(target=one) for _number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return found


def test_a_login_that_is_refused_is_sent_once() -> None:
    login, sent = ProxyLogin(), []

    def send() -> str:
        sent.append(1)
        return refuse()

    assert at_once(login, send) == ["407"] * 8
    assert len(sent) == 1


def test_after_the_first_answer_all_go_at_once() -> None:
    login, together = ProxyLogin(), threading.Barrier(8)
    assert login.through(lambda: "first") == "first"

    def send() -> str:
        together.wait(timeout=60)
        return "answer"

    assert at_once(login, send) == ["answer"] * 8


def test_other_failures_say_nothing_about_the_login() -> None:
    login = ProxyLogin()
    for _time in range(2):
        with pytest.raises(TransferError, match="no connection"):
            login.through(fail)
    assert login.through(lambda: "answer") == "answer"


def test_a_login_may_be_refused_later_on() -> None:
    login = ProxyLogin()
    login.through(lambda: "answer")
    for send in (refuse, lambda: "answer"):
        with pytest.raises(ProxyLoginRefused):
            login.through(send)


def test_nobody_waits_longer_than_there_is_time() -> None:
    login, release, begun = ProxyLogin(), threading.Event(), threading.Event()

    def hang() -> str:
        begun.set()
        release.wait(60)
        return "answer"

    thread = threading.Thread(target=login.through, args=(hang,))
    thread.start()
    begun.wait(60)
    with time_left(0.05), pytest.raises(TransferError, match="timeout"):
        login.through(lambda: "answer")
    release.set()
    thread.join(60)


def test_each_proxy_has_a_gate_of_its_own() -> None:
    logins = ProxyLogins()
    assert logins.of("http://a") is logins.of("http://a") is not logins.of("http://b")
