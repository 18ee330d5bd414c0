# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Makes many small requests at once, with results in order, and without waiting for any of them forever."""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Sequence
from typing import Callable, Generic, TypeVar

from .stop import LOOK_SECONDS, Check

Item = TypeVar("Item")
Result = TypeVar("Result")


def parallel_map(
    function: Callable[[Item], Result],
    items: Sequence[Item],
    *,
    workers: int,
    timeout: float,
    late: Callable[[Item], Result],
    check: Check,
) -> list[Result]:
    """Apply a function to every item on several threads.

    The threads are daemons: neither a stop nor the timeout waits for a request that hangs. A server that sends a byte
    a minute hangs without any socket noticing.

    :param workers: how many threads run at most, without those that were given up.
    :param timeout: seconds for each item, from its start.
    :param late: returns the result of an item that took longer; may raise.
    :param check: called while results are waited for; raises when the run is to end.
    :returns: results in the order of the items.
    :raises Exception: the first one, by item order, that the function or ``late`` raised.
    :raises Interrupted: when the run was stopped; no further item is started.
    """
    return _Map(function, items, timeout, late, check).run(workers)


class _Map(Generic[Item, Result]):
    def __init__(
        self,
        function: Callable[[Item], Result],
        items: Sequence[Item],
        timeout: float,
        late: Callable[[Item], Result],
        check: Check,
    ) -> None:
        self._function = function
        self._items = items
        self._timeout = timeout
        self._late = late
        self._check = check
        self._changed = threading.Condition()
        self._todo = deque(range(len(items)))
        self._deadlines: dict[int, float] = {}
        self._results: dict[int, Result] = {}
        self._errors: dict[int, Exception] = {}

    def run(self, workers: int) -> list[Result]:
        for _thread in range(min(workers, len(self._items))):
            threading.Thread(target=self._work, daemon=True).start()
        with self._changed:
            try:
                while len(self._results) + len(self._errors) < len(self._items):
                    self._check()
                    self._changed.wait(min(self._next_deadline(), LOOK_SECONDS))
                    self._give_up_late()
            finally:
                self._todo.clear()
        if self._errors:
            raise self._errors[min(self._errors)]
        return [self._results[number] for number in range(len(self._items))]

    def _work(self) -> None:
        while True:
            with self._changed:
                if not self._todo:
                    return
                number = self._todo.popleft()
                self._deadlines[number] = time.monotonic() + self._timeout
            result: tuple[Result] | None = None
            failure: Exception | None = None
            try:
                result = (self._function(self._items[number]),)
            except Exception as error:
                failure = error
            if not self._finish(number, result, failure):
                return

    def _finish(self, number: int, result: tuple[Result] | None, error: Exception | None) -> bool:
        """Record a result.

        :returns: whether this thread is to go on; False if it was given up, and another one has taken its place.
        """
        with self._changed:
            if self._deadlines.pop(number, None) is None:
                return False
            if result is not None:
                self._results[number] = result[0]
            elif error is not None:
                self._errors[number] = error
            # Who waits looks now and then anyway; to wake it for each item would cost as much as the smallest ones.
            if len(self._results) + len(self._errors) == len(self._items):
                self._changed.notify_all()
            return True

    def _next_deadline(self) -> float:
        return max(0.0, min(self._deadlines.values(), default=math.inf) - time.monotonic())

    def _give_up_late(self) -> None:
        now = time.monotonic()
        for number in [number for number, deadline in self._deadlines.items() if deadline <= now]:
            del self._deadlines[number]
            try:
                self._results[number] = self._late(self._items[number])
            except Exception as error:
                self._errors[number] = error
            threading.Thread(target=self._work, daemon=True).start()
