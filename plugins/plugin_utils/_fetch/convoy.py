# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The progress of files on their way to the controller."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

from ansible_collections.airgap.images.plugins.module_utils._archive.bundle import length_of
from ansible_collections.airgap.images.plugins.module_utils._host.progress import INTERVAL, Speed
from ansible_collections.airgap.images.plugins.plugin_utils._display.lines import fetch_line
from ansible_collections.airgap.images.plugins.plugin_utils._display.ticker import Ticker
from ansible_collections.airgap.images.plugins.plugin_utils._fetch.bundle import member_of
from ansible_collections.airgap.images.plugins.plugin_utils._fetch.place import Item


class Convoy:
    """Shows how far several transfers are, one after another, by the size of the files that they write.

    :param items: in the order in which they come.
    :param arrived: those that have arrived already in this run.
    """

    def __init__(self, items: Sequence[Item], ticker: Ticker, *, arrived: Sequence[Item] = ()) -> None:
        everything = [*arrived, *items]
        self._numbers = {item: number for number, item in enumerate(everything, start=1)}
        self._of = sum(item.size for item in everything)
        self._ticker = ticker
        self._speed = Speed()
        self._arrived = {*arrived}

    @contextmanager
    def shown(self, items: Sequence[Item], path: str) -> Iterator[None]:
        """Show the transfer of one file, or of several in a bundle, while the block runs.

        :param path: where it arrives.
        """
        ended = threading.Event()
        watcher = threading.Thread(target=self._watch, args=(items, path, ended), daemon=True)
        watcher.start()
        try:
            yield
        finally:
            ended.set()
            watcher.join()
        self._arrived |= {*items}

    def miss(self, items: Sequence[Item]) -> None:
        """Do not count items that did not arrive with the others of their bundle."""
        self._arrived -= {*items}

    def _watch(self, items: Sequence[Item], path: str, ended: threading.Event) -> None:
        while True:
            size = 0
            with suppress(OSError):
                size = os.path.getsize(path)
            self._show(*_position(items, size))
            if ended.wait(INTERVAL):
                return

    def _show(self, item: Item, here: int) -> None:
        done = sum(each.size for each in self._arrived) + here
        self._speed.read(time.monotonic(), done)
        self._ticker.tick(
            lambda: fetch_line(
                item.name,
                self._numbers[item],
                len(self._numbers),
                done=done,
                of=self._of,
                rate=self._speed.rate,
                left=self._speed.left(self._of - done),
            )
        )


def _position(items: Sequence[Item], size: int) -> tuple[Item, int]:
    """Return the item that is on its way, and the bytes of all that have arrived, once the file has this size."""
    before = 0
    for item in items[:-1]:
        length = length_of(member_of(item))
        if size < length:
            return item, before + min(size, item.size)
        before, size = before + item.size, size - length
    return items[-1], before + min(size, items[-1].size)
