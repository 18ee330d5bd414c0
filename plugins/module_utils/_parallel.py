# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Many small requests at once, results in order."""

from __future__ import annotations

import queue
import threading
from collections.abc import Sequence
from typing import Callable, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def parallel_map(function: Callable[[Item], Result], items: Sequence[Item], *, workers: int) -> list[Result]:
    """Apply a function to every item on several threads.

    The threads are daemons: an exception in the caller (a signal) does not wait for a request that hangs.

    :param workers: threads at most.
    :returns: results in the order of the items.
    :raises Exception: the first one, by item order, that the function raised.
    """
    todo: queue.SimpleQueue[int] = queue.SimpleQueue()
    for number in range(len(items)):
        todo.put(number)
    results: dict[int, Result] = {}
    errors: dict[int, Exception] = {}
    done: queue.SimpleQueue[None] = queue.SimpleQueue()

    def work() -> None:
        try:
            while not errors:
                number = todo.get_nowait()
                try:
                    results[number] = function(items[number])
                except Exception as error:
                    errors[number] = error
        except queue.Empty:
            pass
        finally:
            done.put(None)

    count = min(workers, len(items))
    for _thread in range(count):
        threading.Thread(target=work, daemon=True).start()
    for _thread in range(count):
        done.get()
    if errors:
        raise errors[min(errors)]
    return [results[number] for number in range(len(items))]
