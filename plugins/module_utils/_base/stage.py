# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A stage of a stream on a thread of its own: what it does overlaps with what comes before it.

sha256, zlib, zstd and file I/O release the interpreter's lock, so the stages really run side by side.
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
    """Hands items to a function on another thread, in order; a bounded number waits.

    :param work: takes one item. After it has raised, further items are dropped, and the error comes back to the
        caller of :meth:`put`, or at the end.
    :param check: is asked where an item has to wait; raises when the run is to end.
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
        """Let the stage end; its error is raised only where the caller has none of its own.

        When the caller failed, the item that is worked on is the last one.
        """
        if kind is not None:
            self.drop()
        self._queue.put(None)  # there will be room: the thread takes items until it finds this one
        self._thread.join()
        if kind is None:
            self._raise()

    def put(self, item: Item) -> None:
        """Wait for room, and hand over.

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
        """Do no item any more that was put."""
        self._is_dropping = True

    def wait(self) -> None:
        """Wait until everything that was put is done or dropped; raises nothing."""
        self._queue.join()

    def _run(self) -> None:
        while True:
            boxed = self._queue.get()
            if boxed is None:
                return
            try:
                if self._error is None and not self._is_dropping:
                    self._work(boxed[0])
            except BaseException as error:  # given to the caller, whatever it is
                self._error = error
            finally:
                self._queue.task_done()

    def _raise(self) -> None:
        if self._error is not None:
            raise self._error
