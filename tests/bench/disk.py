# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The most that cache and archive take on disk together, during a cold run."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from .context import Bench
from .figures import Figure, Series, series
from .process import MEGA, alternating, run_module
from .workload import blobs_of

GROUP = "disk"

_INTERVAL = 0.05
_BLOCK = 512


class Watch:
    """Looks at a folder again and again; ``peak`` is the most bytes of blocks that it saw there."""

    def __init__(self, folder: Path) -> None:
        self.peak = 0
        self._folder = folder
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look)

    @contextmanager
    def looking(self) -> Iterator[Watch]:
        """Looks while the context lasts, and once more at its end."""
        self._thread.start()
        try:
            yield self
        finally:
            self._ended.set()
            self._thread.join()

    def _look(self) -> None:
        ended = False
        while not ended:
            ended = self._ended.wait(_INTERVAL)
            self.peak = max(self.peak, used(self._folder))


def used(folder: Path) -> int:
    """Bytes of all blocks of all files below a folder; a file with several names counts once."""
    blocks: dict[int, int] = {}
    for parent, _folders, names in os.walk(folder):
        for name in names:
            with suppress(FileNotFoundError):
                stat = os.lstat(os.path.join(parent, name))
                blocks[stat.st_ino] = stat.st_blocks
    return sum(blocks.values()) * _BLOCK


def measure(bench: Bench) -> list[Figure]:
    """The rows of this group."""
    images = bench.images
    unique = sum(blobs_of(images).values())

    def sample(keep_cache: bool) -> int:
        with bench.empty() as folder, Watch(folder).looking() as watch:
            run_module(bench.params(images, folder, keep_cache=keep_cache, jobs=4))
        return watch.peak

    samples = alternating(1, {"kept": lambda: sample(True), "dropped": lambda: sample(False)})
    return [
        _row("keep_cache: true", samples["kept"], unique, None),
        _row("keep_cache: false", samples["dropped"], unique, 1.25),
    ]


def _row(option: str, peaks: Sequence[int], unique: int, bound: float | None) -> Figure:
    peak = series("peak of cache and archive", "MB", (each / MEGA for each in peaks))
    return Figure(
        GROUP, f"peak disk use, {option}", peak, Series("unique bytes of blobs", "MB", (unique / MEGA,)), bound
    )
