# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Signals that end a run in order."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest

from ansible_collections.airgap.images.plugins.module_utils._host.signals import ignore_signals, stop_on_signals


@pytest.fixture(autouse=True)
def signals() -> Iterator[None]:
    """The module sets handlers of its own."""
    numbers = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
    before = [signal.getsignal(number) for number in numbers]
    yield
    for number, handler in zip(numbers, before):
        signal.signal(number, handler)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_signals_end_the_run_once(number: signal.Signals) -> None:
    stop = stop_on_signals()
    os.kill(os.getpid(), number)
    os.kill(os.getpid(), signal.SIGHUP)
    assert stop.wait(60)
    assert stop.reason == f"the run was ended by {number.name}; what was transferred is kept"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_that_is_ignored_already_stays_so(number: signal.Signals) -> None:
    """nohup has SIGHUP ignored, and a shell SIGINT for what it runs behind."""
    signal.signal(number, signal.SIG_IGN)
    stop = stop_on_signals()
    assert signal.getsignal(number) is signal.SIG_IGN
    os.kill(os.getpid(), number)
    assert not stop.is_set()


def test_a_run_that_fetches_nothing_does_not_speak_of_the_cache() -> None:
    stop = stop_on_signals(keeps=False)
    os.kill(os.getpid(), signal.SIGTERM)
    assert stop.wait(60)
    assert stop.reason == "the run was ended by SIGTERM"


def test_at_the_end_signals_are_ignored() -> None:
    ignore_signals()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        assert signal.getsignal(number) is signal.SIG_IGN
