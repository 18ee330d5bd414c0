# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs a stage of a stream on its own thread, so that it overlaps with the stage before it.

sha256, zlib, zstd and file I/O release the interpreter's lock, so that stages run in parallel.
"""

from __future__ import annotations

import queue
import threading
from types import TracebackType
from typing import Callable, Generic, TypeVar

from .stop import LOOK_SECONDS, Check

Item = TypeVar("Item")
_WAITING = 6


class Stage(Generic[Item]):
    """Passes items to a function on another thread, in order; a bounded number waits.

    :param work: takes one item. After it has raised, further items are dropped, and the error is raised again by
        :meth:`put`, or at the end.
    :param check: called while an item has to wait; raises when the run is to end.
    :param waiting: how many items may wait.
    """

    def __init__(self, work: Callable[[Item], None], *, check: Check, waiting: int = _WAITING) -> None:
        self._work = work
        self._check = check
        self._queue: queue.Queue[tuple[Item] | None] = queue.Queue(waiting)
        self._error: BaseException | None = None
        self._is_dropping = False
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Stage[Item]:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the stage, and raise its error unless the caller has failed.

        If the caller has failed, the item that is being worked on is the last one.
        """
        if kind is not None:
            self.drop()
        self._queue.put(None)  # there will be space: the thread takes items until it finds this one
        self._thread.join()
        if kind is None:
            self._raise()

    def put(self, item: Item) -> None:
        """Pass on an item, and wait for space in the queue.

        :raises Exception: what an earlier item has raised.
        :raises Interrupted: when the run was stopped.
        """
        while True:
            self._raise()
            self._check()
            try:
                self._queue.put((item,), timeout=LOOK_SECONDS)
            except queue.Full:
                continue
            return

    def drop(self) -> None:
        """Drop all items that wait."""
        self._is_dropping = True

    def wait(self) -> None:
        """Wait until all items are done or dropped; raises nothing."""
        self._queue.join()

    def _run(self) -> None:
        while True:
            boxed = self._queue.get()
            if boxed is None:
                return
            try:
                if self._error is None and not self._is_dropping:
                    self._work(boxed[0])
            except BaseException as error:  # raised in the caller, whatever it is
                self._error = error
            finally:
                self._queue.task_done()

    def _raise(self) -> None:
        if self._error is not None:
            raise self._error
