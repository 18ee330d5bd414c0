# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Works on several images at once: each has steps that may run side by side, and an end after all of them."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Callable, Generic, Protocol, TypeVar

from .._base.errors import ImagesError
from .._base.stop import LOOK_SECONDS, Check

Step = Callable[[], None]
Item = TypeVar("Item")
_Taken = TypeVar("_Taken", contravariant=True)


class Work(Protocol[_Taken]):
    """The work on one item; its errors are :class:`ImagesError`."""

    def begin(self, item: _Taken) -> Sequence[Step]:
        """Return the steps of an item, which may run at the same time."""

    def finish(self, item: _Taken) -> None:
        """End an item, after all of its steps."""

    def failed(self, item: _Taken, error: ImagesError) -> None:
        """Record why an item failed.

        :raises ImagesError: when no other item can do better.
        """


@dataclass
class _Open(Generic[Item]):
    """An item that was begun, and how many of its steps are not over."""

    item: Item
    left: int = 0
    error: ImagesError | None = field(default=None)


def work_on(items: Sequence[Item], work: Work[Item], *, workers: int, check: Check) -> None:
    """Work on all items in their order, at most ``workers`` of them at a time.

    Steps of items that were begun come before items that were not, so that few are open at any moment.

    :param check: called while the work goes on; raises when the run is to end.
    :raises ImagesError: what ``failed`` raised; nothing new is begun then.
    :raises Interrupted: when the run was stopped.
    """
    crew = _Crew(items, work)
    threads = [threading.Thread(target=crew.run, daemon=True) for _number in range(workers)]
    for thread in threads:
        thread.start()
    try:
        while any(thread.is_alive() for thread in threads):
            check()
            crew.wait(LOOK_SECONDS)
    finally:
        crew.end()
    crew.raise_error()


class _Crew(Generic[Item]):
    def __init__(self, items: Sequence[Item], work: Work[Item]) -> None:
        self._items: Iterator[Item] = iter(items)
        self._work = work
        self._changed = threading.Condition()
        self._steps: deque[tuple[_Open[Item], Step]] = deque()
        self._open = 0
        self._is_over = False
        self._error: BaseException | None = None

    def run(self) -> None:
        """Take work until there is none."""
        try:
            while True:
                taken = self._take()
                if taken is None:
                    return
                opened, step = taken
                if step is None:
                    self._begin(opened)
                else:
                    self._do(opened, step)
        except BaseException as error:  # raised in the caller, whatever it is
            with self._changed:
                self._error = self._error or error
                self._is_over = True
                self._changed.notify_all()

    def wait(self, seconds: float) -> None:
        """Wait a moment for news."""
        with self._changed:
            self._changed.wait(seconds)

    def end(self) -> None:
        """Have nothing new begun."""
        with self._changed:
            self._is_over = True
            self._changed.notify_all()

    def raise_error(self) -> None:
        """Raise what ended the work early, if something did."""
        if self._error is not None:
            raise self._error

    def _take(self) -> tuple[_Open[Item], Step | None] | None:
        with self._changed:
            while not self._is_over:
                if self._steps:
                    return self._steps.popleft()
                for item in self._items:
                    self._open += 1
                    return _Open(item), None
                if not self._open:
                    break
                self._changed.wait()
            return None

    def _begin(self, opened: _Open[Item]) -> None:
        try:
            steps = self._work.begin(opened.item)
        except ImagesError as error:
            opened.error = error
            steps = ()
        with self._changed:
            opened.left = len(steps)
            self._steps.extend((opened, step) for step in steps)
            self._changed.notify_all()
        if not steps:
            self._finish(opened)

    def _do(self, opened: _Open[Item], step: Step) -> None:
        if opened.error is None:
            try:
                step()
            except ImagesError as error:
                opened.error = error
        with self._changed:
            opened.left -= 1
            is_last = not opened.left
        if is_last:
            self._finish(opened)

    def _finish(self, opened: _Open[Item]) -> None:
        if opened.error is None:
            try:
                self._work.finish(opened.item)
            except ImagesError as error:
                opened.error = error
        if opened.error is not None:
            self._work.failed(opened.item, opened.error)
        with self._changed:
            self._open -= 1
            self._changed.notify_all()
