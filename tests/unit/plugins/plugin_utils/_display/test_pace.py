# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from ansible_collections.airgap.images.plugins.plugin_utils._display.pace import (
    IN_LOG,
    ON_TERMINAL,
    STILL,
    Pace,
    Rhythm,
)
from ansible_collections.airgap.images.plugins.plugin_utils._watch.follow import LONGEST, SHARE
from ansible_collections.airgap.images.plugins.plugin_utils._watch.job import WAIT, WAITS


def checks(seconds: float) -> Iterator[float]:
    """The moments at which the progress of a run is read, as the controller does."""
    now = 0.0
    while now < seconds:
        now += min(LONGEST, max(WAITS * WAIT, SHARE * now))
        yield now


def moments(rhythm: Rhythm, seconds: float, news: Callable[[float], object] = float) -> list[float]:
    """The moments at which a line is shown of a run in which something moves all the time."""
    pace = Pace(rhythm)
    return [now for now in checks(seconds) if pace.is_due(now, "copy", news(now))]


HOSTS = 3
HOUR = 3600.0


@pytest.mark.parametrize(("rhythm", "most"), [(ON_TERMINAL, 300), (IN_LOG, 150)], ids=["terminal", "log"])
def test_after_an_hour_with_three_hosts_there_are_hundreds_of_lines_at_most(rhythm: Rhythm, most: int) -> None:
    shown = HOSTS * len(moments(rhythm, HOUR))
    assert most / 2 < shown <= most


def test_a_day_can_be_read_as_well() -> None:
    assert HOSTS * len(moments(ON_TERMINAL, 24 * HOUR)) < 3000


def test_lines_come_often_at_first() -> None:
    first = moments(ON_TERMINAL, 60.0)
    assert len(first) >= 10
    assert all(after - before <= 6.0 for before, after in zip(first, first[1:]))


def test_no_line_is_late() -> None:
    for rhythm in (ON_TERMINAL, IN_LOG):
        shown = moments(rhythm, 6 * HOUR)
        assert max(after - before for before, after in zip(shown, shown[1:])) <= rhythm.most + LONGEST


def test_without_news_there_is_a_line_every_five_minutes() -> None:
    still = moments(ON_TERMINAL, HOUR, lambda now: 0)
    assert HOUR // (STILL + LONGEST) <= len(still) <= HOUR // STILL + 1
    assert len(moments(ON_TERMINAL, HOUR, lambda now: None)) == len(still)


def test_news_after_a_pause_come_at_once() -> None:
    pace = Pace(ON_TERMINAL)
    assert [pace.is_due(now, "a", news) for now, news in [(0, 1), (100, 1), (200, 2), (201, 3)]] == [
        True,
        False,
        True,
        False,
    ]
    assert pace.still(205) == 4


def test_each_step_has_a_line() -> None:
    pace = Pace(IN_LOG)
    steps = [(0, "a"), (59, "a"), (60, "a"), (61, "b"), (62, "b")]
    assert [pace.is_due(now, step, now) for now, step in steps] == [True, False, True, True, False]
