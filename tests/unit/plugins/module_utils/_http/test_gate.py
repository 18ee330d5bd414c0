# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Proxies that want a login."""

from __future__ import annotations

import threading
from typing import Callable

import pytest

from ansible_collections.airgap.images.plugins.module_utils._base.errors import ProxyLoginRefused, TransferError
from ansible_collections.airgap.images.plugins.module_utils._http.gate import Gate, Gates
from ansible_collections.airgap.images.plugins.module_utils._http.timed import time_left


def refuse() -> str:
    raise ProxyLoginRefused("407", heals=False, is_final=True)


def fail() -> str:
    raise TransferError("no connection", heals=True)


def at_once(gate: Gate, send: Callable[[], str], count: int = 8) -> list[str]:
    """What became of requests that were sent at the same time."""
    found: list[str] = []

    def one() -> None:
        try:
            found.append(gate.through(send))
        except TransferError as error:
            found.append(str(error))

    threads = [threading.Thread(target=one) for _number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return found


def test_a_login_that_is_refused_is_sent_once() -> None:
    gate, sent = Gate(), []

    def send() -> str:
        sent.append(1)
        return refuse()

    assert at_once(gate, send) == ["407"] * 8
    assert len(sent) == 1


def test_after_the_first_answer_all_go_at_once() -> None:
    gate, together = Gate(), threading.Barrier(8)
    assert gate.through(lambda: "first") == "first"

    def send() -> str:
        together.wait(timeout=60)
        return "answer"

    assert at_once(gate, send) == ["answer"] * 8


def test_other_failures_say_nothing_about_the_login() -> None:
    gate = Gate()
    for _time in range(2):
        with pytest.raises(TransferError, match="no connection"):
            gate.through(fail)
    assert gate.through(lambda: "answer") == "answer"


def test_a_login_may_be_refused_later_on() -> None:
    gate = Gate()
    gate.through(lambda: "answer")
    for send in (refuse, lambda: "answer"):
        with pytest.raises(ProxyLoginRefused):
            gate.through(send)


def test_nobody_waits_longer_than_there_is_time() -> None:
    gate, release, begun = Gate(), threading.Event(), threading.Event()

    def hang() -> str:
        begun.set()
        release.wait(60)
        return "answer"

    thread = threading.Thread(target=gate.through, args=(hang,))
    thread.start()
    begun.wait(60)
    with time_left(0.05), pytest.raises(TransferError, match="timeout"):
        gate.through(lambda: "answer")
    release.set()
    thread.join(60)


def test_each_proxy_has_a_gate_of_its_own() -> None:
    gates = Gates()
    assert gates.of("http://a") is gates.of("http://a") is not gates.of("http://b")
