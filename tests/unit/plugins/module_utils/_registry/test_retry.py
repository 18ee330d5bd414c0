# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Trying again."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from ansible_collections.airgap.images.plugins.module_utils._base.errors import (
    ConnectionRefused,
    Interrupted,
    TransferError,
)
from ansible_collections.airgap.images.plugins.module_utils._base.stop import Stop
from ansible_collections.airgap.images.plugins.module_utils._registry.retry import (
    BrokenOffError,
    RetryPolicy,
    in_words,
    retrying,
)

DELAYS: dict[str, tuple[int, float | None, float, float]] = {
    "the first": (1, None, 1.5, 2.5),
    "twice as long": (2, None, 3.0, 5.0),
    "four times as long": (3, None, 6.0, 10.0),
    "a minute at most": (20, None, 45.0, 75.0),
    "after all that are allowed": (100, None, 45.0, 75.0),
    "what the registry asks for": (1, 30.0, 30.0, 30.0),
    "no less than the own": (1, 0.1, 1.5, 2.5),
}


class RecordedStop(Stop):
    """Takes down how long was waited, and does not wait."""

    def __init__(self) -> None:
        super().__init__()
        self.waits: list[float] = []

    def wait(self, seconds: float) -> bool:
        self.waits.append(seconds)
        return self.is_set()


class Action:
    """Fails with the errors given, then succeeds."""

    def __init__(self, *errors: Exception) -> None:
        self._errors: Iterator[Exception] = iter(errors)
        self.tries = 0

    def __call__(self) -> str:
        self.tries += 1
        error = next(self._errors, None)
        if error is not None:
            raise error
        return "done"


def heals(text: str = "503", retry_after: float | None = None) -> TransferError:
    return TransferError(text, heals=True, retry_after=retry_after)


def refused(retry_after: float | None = None) -> ConnectionRefused:
    return ConnectionRefused("refused", heals=True, retry_after=retry_after)


def run(action: Action, *, retries: int, stop: Stop | None = None, told: list[str] | None = None) -> str:
    return retrying(
        action,
        policy=RetryPolicy(retries, 1.0),
        stop=stop or RecordedStop(),
        on_retry=(told if told is not None else []).append,
    )


@pytest.mark.parametrize(("attempt", "asked", "low", "high"), DELAYS.values(), ids=DELAYS)
def test_delays(attempt: int, asked: float | None, low: float, high: float) -> None:
    policy = RetryPolicy(retries=3, delay=2.0)
    assert all(low <= policy.wait(attempt, asked) <= high for _try in range(20))


def test_success_needs_no_second_try() -> None:
    action = Action()
    assert run(action, retries=3) == "done"
    assert action.tries == 1


def test_what_heals_is_tried_again() -> None:
    action, stop, told = Action(heals("503"), heals("EOF")), RecordedStop(), []
    assert run(action, retries=2, stop=stop, told=told) == "done"
    assert action.tries == 3
    assert len(stop.waits) == 2
    assert told[0].startswith("503; try 2 of 3 in ")
    assert told[1].startswith("EOF; try 3 of 3 in ")


def test_what_does_not_heal_fails_at_once() -> None:
    error = TransferError("404", heals=False)
    action = Action(error)
    with pytest.raises(TransferError) as caught:
        run(action, retries=5)
    assert caught.value is error
    assert action.tries == 1


def test_other_errors_pass_through() -> None:
    action = Action(ValueError("bug"))
    with pytest.raises(ValueError, match="bug"):
        run(action, retries=5)
    assert action.tries == 1


@pytest.mark.parametrize(("retries", "said"), [(0, "once"), (2, "3 times")])
def test_the_last_failure_says_how_often_it_was_tried(retries: int, said: str) -> None:
    action = Action(*(heals() for _number in range(9)))
    with pytest.raises(TransferError) as caught:
        run(action, retries=retries)
    assert str(caught.value) == f"503 (tried {said}). Run again later, or raise retries"
    assert caught.value.heals is False
    assert action.tries == retries + 1


def broke_off() -> TransferError:
    return BrokenOffError("reset", heals=True)


def test_what_gets_on_is_tried_as_often_as_it_takes() -> None:
    action, stop = Action(*(broke_off() for _number in range(9)), heals(), heals()), RecordedStop()
    assert run(action, retries=3, stop=stop) == "done"
    assert action.tries == 12
    assert all(seconds <= 1.25 for seconds in stop.waits[:9]), "each is a first failure"


def test_what_does_not_get_on_any_more_is_given_up() -> None:
    action = Action(broke_off(), broke_off(), *(heals() for _number in range(9)))
    with pytest.raises(TransferError, match=r"503 \(tried 4 times\)"):
        run(action, retries=2)


def test_without_retries_nothing_is_tried_again() -> None:
    action = Action(broke_off())
    with pytest.raises(TransferError, match=r"reset \(tried once\)"):
        run(action, retries=0)


def test_the_registry_is_waited_for() -> None:
    stop = RecordedStop()
    run(Action(heals("429", retry_after=33.0)), retries=1, stop=stop)
    assert stop.waits == [33.0]


def test_a_registry_that_asks_for_hours_is_not_waited_for() -> None:
    stop = RecordedStop()
    with pytest.raises(TransferError, match="asks to wait 120 minutes; run again later"):
        run(Action(heals("429", retry_after=7200.0)), retries=3, stop=stop)
    assert stop.waits == []


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.2, "1 second"),
        (90, "90 seconds"),
        (121, "3 minutes"),
        (7201, "3 hours"),
        (47 * 3600.0, "47 hours"),
        (49 * 3600.0, "3 days"),
        (366 * 86400.0, "366 days"),
        (366 * 86400.0 + 1, "more than a year"),
        (999_999_999.0, "more than a year"),
        (252_455_615_999.0, "more than a year"),
    ],
)
def test_times_are_told_as_people_say_them(seconds: float, words: str) -> None:
    assert in_words(seconds) == words


@pytest.mark.parametrize("action", [Action(refused(), refused()), Action(refused(7200.0))], ids=["tries", "time"])
def test_a_failure_keeps_its_kind(action: Action) -> None:
    with pytest.raises(ConnectionRefused) as caught:
        run(action, retries=1)
    assert (caught.value.heals, caught.value.is_final) == (False, True)


def test_after_the_deadline_nothing_is_tried_again() -> None:
    action = Action(heals(), heals())
    said = r"^503 \(no time is left to try again within timeout\)\. Run again, or raise timeout$"
    with pytest.raises(TransferError, match=said) as caught:
        retrying(
            action,
            policy=RetryPolicy(5, 1.0),
            stop=RecordedStop(),
            on_retry=lambda _text: None,
            deadline=time.monotonic() + 0.1,
        )
    assert action.tries == 1
    assert caught.value.heals is False


def test_what_ends_at_the_deadline_is_not_blamed_on_something_else() -> None:
    with pytest.raises(TransferError, match=r"^it was not done within timeout; run again, or raise timeout$") as caught:
        retrying(
            Action(heals("nothing came for the whole stall_timeout")),
            policy=RetryPolicy(5, 1.0),
            stop=RecordedStop(),
            on_retry=lambda _text: None,
            deadline=time.monotonic(),
        )
    assert (caught.value.heals, caught.value.is_final) == (False, True)


def test_a_stop_before_the_first_try() -> None:
    stop, action = Stop(), Action()
    stop.end()
    with pytest.raises(Interrupted):
        run(action, retries=3, stop=stop)
    assert action.tries == 0


def test_a_stop_cuts_the_delay_short() -> None:
    stop, action = Stop(), Action(heals(retry_after=600.0), heals())
    with pytest.raises(Interrupted):
        retrying(action, policy=RetryPolicy(3, 1.0), stop=stop, on_retry=lambda _text: stop.end())
    assert action.tries == 1
