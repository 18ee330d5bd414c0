# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which blob is fetched next. Pure.

In the archive's order, so that it can be written meanwhile; but a blob that would by itself outlast all others together
is begun at once, or the last worker would end alone.
"""

from __future__ import annotations

import heapq
from collections import OrderedDict


class BlobQueue:
    """Blobs that wait to be fetched.

    :param workers: how many are fetched at once; 0: none ever comes before its turn.
    """

    def __init__(self, workers: int) -> None:
        self._workers = workers
        self._sizes: OrderedDict[str, int] = OrderedDict()
        self._largest: list[tuple[int, str]] = []
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._sizes)

    def add(self, digest: str, size: int) -> None:
        """Put a blob at the end, unless it waits already.

        :param size: bytes.
        """
        if digest not in self._sizes:
            self._sizes[digest] = size
            self._bytes += size
            heapq.heappush(self._largest, (-size, digest))

    def discard(self, digest: str) -> None:
        """Take out a blob that nobody needs any more."""
        self._bytes -= self._sizes.pop(digest, 0)

    def take(self) -> str:
        """The blob to fetch now.

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
