# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The progress of files on their way to a host: how far into a file the program that sends it has read."""

from __future__ import annotations

import os
import re
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

from ansible_collections.airgap.images.plugins.module_utils._host.progress import INTERVAL, Speed
from ansible_collections.airgap.images.plugins.plugin_utils._carry.cargo import Item
from ansible_collections.airgap.images.plugins.plugin_utils._display.lines import send_line
from ansible_collections.airgap.images.plugins.plugin_utils._display.ticker import Ticker

_POSITION = re.compile(r"^pos:\s*([0-9]+)$", re.MULTILINE)
_DEEPEST = 4


class Convoy:
    """Shows how far several transfers are, one after another.

    :param items: in the order in which they are sent.
    """

    def __init__(self, items: Sequence[Item], ticker: Ticker) -> None:
        self._numbers = {item: number for number, item in enumerate(items, start=1)}
        self._of = sum(item.size for item in items)
        self._ticker = ticker
        self._speed = Speed()
        self._sent: set[Item] = set()

    @contextmanager
    def shown(self, item: Item) -> Iterator[None]:
        """Show the transfer of a file while the block runs."""
        ended = threading.Event()
        watcher = threading.Thread(target=self._watch, args=(item, ended), daemon=True)
        watcher.start()
        try:
            yield
        finally:
            ended.set()
            watcher.join()
        self._sent.add(item)

    def _watch(self, item: Item, ended: threading.Event) -> None:
        while True:
            self._show(item, min(item.size, position_in(item.path)))
            if ended.wait(INTERVAL):
                return

    def _show(self, item: Item, here: int) -> None:
        done = sum(each.size for each in self._sent if each != item) + here
        self._speed.read(time.monotonic(), done)
        self._ticker.tick(
            lambda: send_line(
                item.name,
                self._numbers[item],
                len(self._numbers),
                done=done,
                of=self._of,
                rate=self._speed.rate,
                left=self._speed.left(self._of - done),
            )
        )


def position_in(path: str) -> int:
    """Return how far into a file any process below this one has read; 0 if the system does not say."""
    positions = [0]
    with suppress(OSError):
        wanted = os.path.realpath(path)
        for process in _below(os.getpid()):
            positions += _positions(f"/proc/{process}", wanted)
    return max(positions)


def _below(process: int, depth: int = _DEEPEST) -> Iterator[int]:
    """Yield the processes below one, the programs that a connection runs."""
    if not depth:
        return
    for task in os.listdir(f"/proc/{process}/task"):
        with suppress(OSError), open(f"/proc/{process}/task/{task}/children", encoding="ascii") as file:
            for child in map(int, file.read().split()):
                yield child
                yield from _below(child, depth - 1)


def _positions(process: str, wanted: str) -> Iterator[int]:
    with suppress(OSError):
        for number in os.listdir(f"{process}/fd"):
            with suppress(OSError):
                if os.readlink(f"{process}/fd/{number}") == wanted:
                    with open(f"{process}/fdinfo/{number}", encoding="ascii") as file:
                        yield from map(int, _POSITION.findall(file.read()))
