# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The time that the current thread has left, and the one error for work that was not done within it."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from .errors import TransferError

_LEAST_SECONDS = 0.001  # a socket takes 0 for "do not wait at all"
_thread = threading.local()


def not_done_in_time() -> TransferError:
    """Return the error for a transfer that reached the user's ``timeout``; no further try is worth making."""
    return TransferError("it was not done within timeout; run again, or raise timeout", heals=False, is_final=True)


@contextmanager
def time_left(seconds: float) -> Iterator[None]:
    """Give this thread some seconds for the block; blocks within it cannot extend them."""
    before = _until()
    _thread.until = min(before, time.monotonic() + seconds)
    try:
        yield
    finally:
        _thread.until = before


def seconds_left() -> float:
    """Return the seconds that this thread has left: 0 or less once time is up, infinity without a limit."""
    return _until() - time.monotonic()


def at_most(seconds: float) -> float:
    """Return the given seconds, or what this thread has left if that is less; never quite 0."""
    return max(_LEAST_SECONDS, min(seconds, seconds_left()))


def ensure_time() -> None:
    """Raise if this thread has no time left.

    To be called before a failure is explained: what failed then may have failed because time was up.

    :raises TransferError: see :func:`not_done_in_time`.
    """
    if seconds_left() <= 0:
        raise not_done_in_time()


def _until() -> float:
    return float(getattr(_thread, "until", math.inf))
