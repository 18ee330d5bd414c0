# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Memory that the stages of a stream use again and again.

A megabyte that is allocated for each piece is new memory each time, which the kernel has to find and to clear.
"""

from __future__ import annotations

from collections import deque
from typing import Union

Data = Union[bytes, memoryview]
"""Bytes, or a part of a buffer; whoever has taken that gives it back, or passes it on."""


class Buffers:
    """Buffers of one length, for any number of threads.

    There are as many as were in use at once. One that is not given back costs its memory until nothing refers to it.

    :param length: bytes of each.
    """

    def __init__(self, length: int) -> None:
        self._length = length
        self._free: deque[memoryview] = deque()

    def take(self) -> memoryview:
        """Return a buffer with anything in it."""
        try:
            return self._free.pop()
        except IndexError:
            return memoryview(bytearray(self._length))

    def give(self, data: Data) -> None:
        """Take back a buffer, of which nothing is used any more; other bytes are left alone.

        :param data: any part of it.
        """
        if isinstance(data, memoryview) and isinstance(data.obj, bytearray) and len(data.obj) == self._length:
            self._free.append(memoryview(data.obj))
