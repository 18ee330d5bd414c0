# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Steps of few items at a time, an end after all of them, and errors that end one item or all."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from functools import partial

import pytest

from ansible_collections.airgap.images.plugins.module_utils._base.errors import Interrupted, TransferError
from ansible_collections.airgap.images.plugins.module_utils._base.stop import Stop, go_on
from ansible_collections.airgap.images.plugins.module_utils._load.side_by_side import Step, work_on


class Work:
    """Items are numbers; each has so many steps.

    :ivar failing: names of what raises.
    :ivar ending: items after whose failure no other is tried.
    """

    def __init__(self, steps: int = 3, failing: Sequence[str] = (), ending: Sequence[int] = ()) -> None:
        self._steps = steps
        self._mutex = threading.Lock()
        self.failing = set(failing)
        self.ending = set(ending)
        self.done: list[str] = []
        self.failures: dict[int, str] = {}
        self.open = self.most_open = 0

    def begin(self, item: int) -> Sequence[Step]:
        with self._mutex:
            self.open += 1
            self.most_open = max(self.open, self.most_open)
        self._do(f"begin {item}")
        return [partial(self._do, f"step {item} {number}") for number in range(self._steps)]

    def finish(self, item: int) -> None:
        self._do(f"finish {item}")
        with self._mutex:
            self.open -= 1

    def failed(self, item: int, error: Exception) -> None:
        with self._mutex:
            self.open -= 1
            self.failures[item] = str(error)
        if item in self.ending:
            raise error

    def _do(self, name: str) -> None:
        with self._mutex:
            self.done.append(name)
        if name in self.failing:
            raise TransferError(f"{name} failed", heals=False)


@pytest.mark.parametrize("workers", [1, 2, 7])
@pytest.mark.parametrize("steps", [0, 1, 5])
def test_all_is_done_once_and_in_order(workers: int, steps: int) -> None:
    work = Work(steps)
    work_on(range(20), work, workers=workers, check=go_on)
    assert len(work.done) == len({*work.done}) == 20 * (steps + 2)
    for item in range(20):
        own = [name.split()[0] for name in work.done if name.split()[1] == str(item)]
        assert own == ["begin", *["step"] * steps, "finish"]
    assert work.most_open <= workers
    begun = [name for name in work.done if name.startswith("begin")]
    assert workers > 1 or begun == [f"begin {item}" for item in range(20)]


def test_nothing_to_do() -> None:
    work_on([], Work(), workers=4, check=go_on)


@pytest.mark.parametrize("failing", ["begin 3", "step 3 0", "step 3 2", "finish 3"])
def test_a_failure_is_that_of_its_item(failing: str) -> None:
    work = Work(failing=[failing])
    work_on(range(6), work, workers=3, check=go_on)
    assert work.failures == {3: f"{failing} failed"}
    assert sorted(name for name in work.done if name.startswith("finish")) == [
        f"finish {item}" for item in range(6) if item != 3 or failing == "finish 3"
    ]


def test_after_a_failed_step_no_other_of_its_item_is_begun() -> None:
    work = Work(failing=["step 0 0"])
    work_on([0], work, workers=1, check=go_on)
    assert work.done == ["begin 0", "step 0 0"]


def test_an_error_that_ends_all_is_raised_and_nothing_new_is_begun() -> None:
    work = Work(failing=["step 2 0"], ending=[2])
    with pytest.raises(TransferError, match="step 2 0 failed"):
        work_on(range(50), work, workers=1, check=go_on)
    assert "begin 3" not in work.done


def test_an_error_of_the_program_is_not_hidden() -> None:
    class Broken(Work):
        def finish(self, item: int) -> None:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        work_on([1, 2], Broken(), workers=2, check=go_on)


def test_a_stop_does_not_wait_for_a_step_that_hangs() -> None:
    stop, entered, gate = Stop(), threading.Event(), threading.Event()

    class Hanging(Work):
        def begin(self, item: int) -> Sequence[Step]:
            return [self.hang]

        def hang(self) -> None:
            entered.set()
            gate.wait(60)

    def check() -> None:
        if entered.is_set():
            stop.request("SIGTERM")
        stop.check()

    with pytest.raises(Interrupted):
        work_on([1], Hanging(), workers=1, check=check)
    assert not gate.is_set()
    gate.set()
