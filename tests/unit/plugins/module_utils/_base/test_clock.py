# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The time that one image may take."""

from __future__ import annotations

import pytest

from ansible_collections.airgap.images.plugins.module_utils._base import clock as clock_module
from ansible_collections.airgap.images.plugins.module_utils._base.clock import Clock


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A time that a test sets."""
    now = [1000.0]
    monkeypatch.setattr(clock_module.time, "monotonic", lambda: now[0])
    return now


def test_it_stands_while_nothing_runs(now: list[float]) -> None:
    clock = Clock(50)
    now[0] = 2000
    with clock.running() as deadline:
        assert deadline == 2050
        now[0] = 2020
    now[0] = 9000
    with clock.running() as deadline:
        assert deadline == 9030


def test_two_at_once_take_no_more_than_one(now: list[float]) -> None:
    clock = Clock(50)
    first, second = clock.running(), clock.running()
    assert first.__enter__() == 1050
    now[0] = 1010
    assert second.__enter__() == 1050
    now[0] = 1020
    first.__exit__(None, None, None)
    now[0] = 1030
    second.__exit__(None, None, None)
    now[0] = 5000
    with clock.running() as deadline:
        assert deadline == 5020


def test_what_fails_counts_as_well(now: list[float]) -> None:
    clock = Clock(50)
    with pytest.raises(ValueError), clock.running():
        now[0] += 49
        raise ValueError
    with clock.running() as deadline:
        assert deadline == now[0] + 1
