# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A run on the host, watched from the controller until it ends."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from typing import Any, Callable, NoReturn, Protocol

from ansible.errors import AnsibleConnectionFailure, AnsibleError

from ansible_collections.airgap.images.plugins.module_utils._base.errors import printable
from ansible_collections.airgap.images.plugins.module_utils._base.json import JsonError, JsonObject
from ansible_collections.airgap.images.plugins.module_utils._base.size import format_count
from ansible_collections.airgap.images.plugins.module_utils._base.stop import LOOK_SECONDS
from ansible_collections.airgap.images.plugins.module_utils._host.job_files import LIMIT
from ansible_collections.airgap.images.plugins.module_utils._host.log import REPEATED
from ansible_collections.airgap.images.plugins.plugin_utils._display.line import Line
from ansible_collections.airgap.images.plugins.plugin_utils._display.ticker import Ticker
from ansible_collections.airgap.images.plugins.plugin_utils._watch.job import WAIT, WAITS
from ansible_collections.airgap.images.plugins.plugin_utils._watch.signals import Orphaned, Signals, Stopped

LONGEST, SHARE = 5.0, 0.02
"""Seconds between two checks of the run, at most, and their share of its time so far. At first they are those for which
a check itself waits on the host."""

_MOST_FAILURES = 5
"""Failures that are shown as they happen; the end of the task shows all of them."""

_STANDS_STILL = 3
_LAST_WORDS = 30.0
_UNREACHABLE = 3600.0


LineOf = Callable[[JsonObject], "Line | None"]
"""Describes the progress of a run; ``None``: there is nothing to show yet. May raise C(JsonError)."""


class Watched(Protocol):
    """The part of a job that is used; every method may raise C(AnsibleError)."""

    def start(self) -> dict[str, Any] | None:
        """Start it, and return the answer of a module that has not become a job."""

    def is_there(self) -> bool:
        """Return True if the host has a trace of it."""

    def progress(self) -> JsonObject | None:
        """Wait a moment for its end, and return its progress."""

    def result(self) -> dict[str, Any] | None:
        """Return its result; ``None`` if it ran when its progress was read."""

    def end(self) -> None:
        """Ask it to end."""

    def forget(self) -> None:
        """Remove its files."""

    def reconnect(self) -> None:
        """Make the next call use a new connection."""


def follow(job: Watched, ticker: Ticker, signals: Signals, *, line_of: LineOf) -> dict[str, Any]:
    """Start a run, wait for its end, and show its progress.

    A lost connection is opened again: the run does not need it.

    :param signals: from the block around this call.
    :param line_of: describes the progress of the run.
    :returns: the result of the module, or the answer of one that has not become a job.
    :raises AnsibleError: when it could not be started.
    :raises AnsibleConnectionFailure: when the host was unreachable for an hour; the run continues there.
    :raises Orphaned: when nobody is waiting any more; the run continues.
    """
    try:
        link = _Link(ticker)
        answer = _start(job, signals, link)
        if answer is not None:
            return answer
        result = _watch(job, signals, _Seen(ticker, line_of), link)
    except Stopped as stopped:
        _end(job, ticker)
        _die(stopped.number)
    except (Orphaned, AnsibleError):
        raise
    except BaseException:  # also that of a task's own timeout
        _end(job, ticker)
        raise
    finally:
        ticker.end()
    with suppress(AnsibleError):
        job.forget()
    return result


def _start(job: Watched, signals: Signals, link: _Link) -> dict[str, Any] | None:
    """Start the run. If the connection is lost meanwhile, find out whether it goes on.

    :returns: the answer of a module that has not become a job.
    """
    try:
        return job.start()
    except AnsibleConnectionFailure as error:
        signals.check()  # which also ends the command that starts it
        job.reconnect()
        is_there = False
        with suppress(AnsibleError):  # the first error is the one to show
            is_there = job.is_there()
        if not is_there:
            raise
        link.is_down(error)
    return None


def _watch(job: Watched, signals: Signals, seen: _Seen, link: _Link, *, limit: float = LIMIT) -> dict[str, Any]:
    started = time.monotonic()
    parent = os.getppid()
    while True:
        signals.sleep(min(LONGEST, SHARE * (time.monotonic() - started)) - WAITS * WAIT)
        if os.getppid() != parent:
            raise Orphaned("the controller was killed; the run continues")
        if time.monotonic() - started > limit + _UNREACHABLE:
            raise AnsibleConnectionFailure("the run neither ended within its time limit nor was it killed")
        try:
            progress = job.progress()
            link.is_up()
            if seen.is_over(progress) and (result := job.result()) is not None:
                return result
        except AnsibleError as error:  # a sudo that does not answer is not a failure of the connection
            signals.check()  # which also ends the command that waits on the host
            link.is_down(error)
            job.reconnect()


class _Link:
    """The connection to the host, which may be lost and restored."""

    def __init__(self, ticker: Ticker) -> None:
        self._ticker = ticker
        self._up = time.monotonic()
        self._is_lost = False

    def is_up(self) -> None:
        if self._is_lost:
            self._ticker.warn("the connection is restored")
        self._is_lost, self._up = False, time.monotonic()

    def is_down(self, error: AnsibleError) -> None:
        """Report that the connection is lost.

        :raises AnsibleConnectionFailure: when it has been lost for too long.
        """
        if not self._is_lost:
            self._ticker.warn(f"the connection is lost, but the run continues ({' '.join(str(error).split())[:200]})")
        self._is_lost = True
        if time.monotonic() - self._up > _UNREACHABLE:
            raise AnsibleConnectionFailure(
                f"the host could not be reached for {_UNREACHABLE / 60:.0f} minutes. The run may continue there; run "
                f"again when the host is back: {error}"
            ) from error


class _Seen:
    """The part of a run's progress that has been shown."""

    def __init__(self, ticker: Ticker, line_of: LineOf) -> None:
        self.ticker = ticker
        self._line_of = line_of
        self._event = 0
        self._failures = 0
        self._moment: object = None
        self._still = 0

    def is_over(self, progress: JsonObject | None) -> bool:
        """Show new events and progress. Return True if the result should be asked for."""
        moment = None if progress is None else progress.values().get("seconds")
        self._still = self._still + 1 if moment == self._moment else 0
        self._moment = moment
        if progress is None:
            return self._is_still()
        with suppress(JsonError):  # progress that cannot be shown is not a reason to end
            self._tell_events(progress)
            self.ticker.tick(lambda: self._line_of(progress), progress.text("stage"))
        return _has_ended(progress) or self._is_still()

    def _is_still(self) -> bool:
        """Return True if the run reports nothing any more: it may have been killed."""
        if self._still < _STANDS_STILL:
            return False
        self._still = 0
        return True

    def _tell_events(self, progress: JsonObject) -> None:
        for event in progress.objects("events"):
            number = event.integer("number")
            if number > self._event:
                if number > self._event + 1:  # the file only keeps the last ones
                    skipped = format_count(number - self._event - 1, "message")
                    self.ticker.warn(f"{skipped} skipped here; set log_file to see all of them")
                self._event = number
                self._tell(event.text("kind"), printable(event.text("text"), 2000))

    def _tell(self, kind: str, text: str) -> None:
        if kind in ("image", REPEATED):
            self.ticker.detail(text)
        elif kind != "error":
            self.ticker.warn(text)
        elif self._failures < _MOST_FAILURES:
            self._failures += 1
            self.ticker.fail(text)
        else:
            if self._failures == _MOST_FAILURES:
                self._failures += 1
                self.ticker.warn("more failed; the lines count them, and -v shows all of them")
            self.ticker.detail(text)


def _has_ended(progress: JsonObject | None) -> bool:
    return progress is not None and progress.values().get("ended") is True


def _end(job: Watched, ticker: Ticker) -> None:
    """Ask the run on the host to end, and wait a moment for it."""
    until = time.monotonic() + _LAST_WORDS
    try:
        job.end()
        while time.monotonic() < until:
            progress = job.progress()
            is_over = progress is None or _has_ended(progress)
            # Files removed before the result is there would be written again.
            if is_over and job.result() is not None:
                job.forget()
                ticker.warn("the run was ended; what was transferred is kept")
                return
            time.sleep(LOOK_SECONDS)
        ticker.warn("the run was asked to end, but has not ended yet")
    except AnsibleError:
        ticker.warn("the run could not be asked to end, and may continue on the host")


def _die(number: int) -> NoReturn:
    """End this process the way the signal would have."""
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
    os._exit(128 + number)
