# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Chooses the blob to pull next. Pure.

Blobs come in the archive's order, so that it can be written meanwhile. A blob that would take longer than all others
together is started at once, so that it does not keep the last worker busy alone.
"""

from __future__ import annotations

import heapq
from collections import OrderedDict


class BlobQueue:
    """The blobs that wait to be pulled.

    :param workers: how many are pulled at once; 0: no blob comes before its turn.
    """

    def __init__(self, workers: int) -> None:
        self._workers = workers
        self._sizes: OrderedDict[str, int] = OrderedDict()
        self._largest: list[tuple[int, str]] = []
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._sizes)

    def add(self, digest: str, size: int) -> None:
        """Add a blob at the end, unless it waits already.

        :param size: bytes.
        """
        if digest not in self._sizes:
            self._sizes[digest] = size
            self._bytes += size
            heapq.heappush(self._largest, (-size, digest))

    def discard(self, digest: str) -> None:
        """Remove a blob that is not needed any more."""
        self._bytes -= self._sizes.pop(digest, 0)

    def take(self) -> str:
        """Remove the blob to pull next, and return its digest.

        :raises IndexError: when none waits.
        """
        while self._largest and -self._largest[0][0] != self._sizes.get(self._largest[0][1]):
            heapq.heappop(self._largest)
        if not self._largest:
            raise IndexError("no blob waits")
        size, digest = -self._largest[0][0], self._largest[0][1]
        if size * self._workers <= self._bytes:
            digest = next(iter(self._sizes))
        self.discard(digest)
        return digest
