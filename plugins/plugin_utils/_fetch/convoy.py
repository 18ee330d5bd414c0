# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files on their way to the controller, and how far they are."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

from ansible_collections.airgap.images.plugins.module_utils._host.progress import INTERVAL, Speed
from ansible_collections.airgap.images.plugins.plugin_utils._display.lines import fetch_line
from ansible_collections.airgap.images.plugins.plugin_utils._display.ticker import Ticker
from ansible_collections.airgap.images.plugins.plugin_utils._fetch.place import Item


class Convoy:
    """Shows how far several transfers are, one after another; what has arrived is what the files on disk hold.

    :param items: in the order in which they come.
    :param arrived: those that have come already in this run.
    """

    def __init__(self, items: Sequence[Item], ticker: Ticker, *, arrived: Sequence[Item] = ()) -> None:
        everything = [*arrived, *items]
        self._numbers = {item: number for number, item in enumerate(everything, start=1)}
        self._of = sum(item.size for item in everything)
        self._ticker = ticker
        self._speed = Speed()
        self._arrived = sum(item.size for item in arrived)

    @contextmanager
    def shown(self, item: Item, path: str) -> Iterator[None]:
        """Show the transfer of one file, as long as the block runs.

        :param path: where it arrives.
        """
        ended = threading.Event()
        watcher = threading.Thread(target=self._watch, args=(item, path, ended), daemon=True)
        watcher.start()
        try:
            yield
        finally:
            ended.set()
            watcher.join()
        self._arrived += item.size

    def _watch(self, item: Item, path: str, ended: threading.Event) -> None:
        while True:
            here = 0
            with suppress(OSError):
                here = os.path.getsize(path)
            self._show(item, min(here, item.size))
            if ended.wait(INTERVAL):
                return

    def _show(self, item: Item, here: int) -> None:
        done = self._arrived + here
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
