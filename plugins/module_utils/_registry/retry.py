# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Retries: delays, limits, and prompt reaction to a stop."""

from __future__ import annotations

import math
import random
import time
from dataclasses import dataclass
from typing import Callable, TypeVar

from .._base.deadline import not_done_in_time
from .._base.errors import TransferError
from .._base.stop import Stop

_LONGEST_DELAY = 60.0
_LONGEST_ASKED = 600.0
_UNITS = (("seconds", 1, 120), ("minutes", 60, 120), ("hours", 3600, 48), ("days", 86400, 366))

Result = TypeVar("Result")


class BrokenOffError(TransferError):
    """A transfer broke off after a good piece of it had come, which need not come again."""


@dataclass(frozen=True)
class RetryPolicy:
    """The number of retries, and the first delay in seconds; each further delay is twice as long."""

    retries: int
    delay: float

    def wait(self, attempt: int, asked: float | None) -> float:
        """Seconds before the next try.

        :param attempt: tries that failed so far, from 1.
        :param asked: what the registry asked for (Retry-After), if it did; it is never undercut.
        """
        delay: float = min(self.delay * 2.0 ** (attempt - 1), _LONGEST_DELAY)
        # Many copies that failed together should not come back together.
        jittered = delay * random.uniform(0.75, 1.25)  # noqa: S311  # no secret hangs on it
        return max(jittered, asked or 0.0)


def retrying(
    action: Callable[[], Result],
    *,
    policy: RetryPolicy,
    stop: Stop,
    on_retry: Callable[[str], None],
    deadline: float = math.inf,
) -> Result:
    """Run an action until it succeeds, fails for good, or has used up its tries.

    :param action: raises :class:`TransferError`; only one that ``heals`` is tried again. After a
        :class:`BrokenOffError` all tries but the first are left, or no large blob would get over a link that breaks
        now and then.
    :param stop: set when the run is to end; no delay outlasts it.
    :param deadline: ``time.monotonic()`` after which nothing is tried again.
    :param on_retry: is told what failed and when it is tried again.
    :raises TransferError: the last failure, saying how often it was tried.
    :raises Interrupted: when the run was stopped.
    """
    attempt = tries = 0
    while True:
        stop.check()
        attempt, tries = attempt + 1, tries + 1
        try:
            return action()
        except TransferError as error:
            if not error.heals:
                raise
            if isinstance(error, BrokenOffError):
                attempt = 1
            if attempt > policy.retries:
                raise _given_up(error, tries) from error
            if (error.retry_after or 0.0) > _LONGEST_ASKED:
                told = in_words(error.retry_after or 0.0)
                raise error.ended(f"{error} (the registry asks to wait {told}; run again later)") from error
            delay = policy.wait(attempt, error.retry_after)
            if time.monotonic() + delay >= deadline:
                raise _too_late(error, time.monotonic() >= deadline) from error
            on_retry(f"{error}; try {attempt + 1} of {policy.retries + 1} in {delay:.1f} s")
            stop.wait(delay)


def _given_up(error: TransferError, attempts: int) -> TransferError:
    tries = "once" if attempts == 1 else f"{attempts} times"
    return error.ended(f"{error} (tried {tries}). Run again later, or raise retries")


def _too_late(error: TransferError, is_over: bool) -> TransferError:
    """Return the error for a failure after which no time is left.

    :param is_over: time is up: the failure may be a consequence of that, so its own message is dropped.
    """
    if is_over:
        return not_done_in_time()
    return error.ended(f"{error} (no time is left to try again within timeout). Run again, or raise timeout")


def in_words(seconds: float) -> str:
    """Return a duration in words, rounded up; anything above a year is "more than a year"."""
    for unit, length, most in _UNITS:
        count = math.ceil(seconds / length)
        if count <= most:
            return f"{count} {unit}" if count != 1 else f"1 {unit[:-1]}"
    return "more than a year"
