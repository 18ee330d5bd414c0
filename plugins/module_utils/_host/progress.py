# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The progress of a run: recorded by its steps, and written to a small file while they go on."""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Callable

from .._base.checks import is_path
from .._base.errors import OptionError, quoted
from .._base.json import Json, JsonError, compact, parse_object
from .._base.stop import Stop
from .disk_errors import reason
from .files import open_regular, put_whole
from .log import RETRY

VERSION = 1
INTERVAL = 1.0
"""Seconds between two versions of the file."""

PRIVATE = "AIRGAP_IMAGES_PROGRESS"
"""The variable by which the action plugin names a file of its own, beside C(progress_file)."""

TO_END = ".end"
"""The suffix of a file beside that one by which the run is asked to end."""

AT_MOST = 1024 * 1024
"""Bytes of a file that a reader has to read at most."""

_KEPT_EVENTS = 100
_WINDOW = 30
_WORTH = 20.0
"""Seconds of readings from which on the time left is worth something: the first files of a run are small."""

_FURTHEST = 100 * 3600
_LONGEST = 1000


class Speed:
    """Bytes a second over the last half minute, from readings in their order. Pure."""

    def __init__(self) -> None:
        self._readings: deque[tuple[float, int]] = deque(maxlen=_WINDOW)

    def read(self, moment: float, done: int) -> None:
        """Record how many bytes were done at a moment (seconds of a monotonic clock)."""
        self._readings.append((moment, done))

    @property
    def rate(self) -> int:
        """Bytes per second; 0 if that is not known, or nothing moved."""
        if len(self._readings) < 2:
            return 0
        (before, first), (now, last) = self._readings[0], self._readings[-1]
        return max(0, int((last - first) / (now - before))) if now > before else 0

    def left(self, todo: int) -> int | None:
        """Estimate the seconds that so many bytes will take; ``None`` if that is not known, or would be a guess."""
        if not self.rate or todo <= 0 or self._readings[-1][0] - self._readings[0][0] < _WORTH:
            return None
        left = -(-todo // self.rate)
        return left if left < _FURTHEST else None


class Progress:
    """The progress of a run, reported by all its threads.

    :ivar stage: the step of the flow.
    :ivar images: references that are to be saved.
    :ivar images_done: those of them that are in the cache.
    :ivar bytes: to be downloaded, or downloaded already.
    :ivar archive_bytes: upper estimate of the archive's size.
    :ivar parts: upper estimate of the number of its files.
    """

    def __init__(self) -> None:
        self._mutex = threading.Lock()
        self._started = time.monotonic()
        self._copying: dict[int, str] = {}
        self._events: deque[Json] = deque(maxlen=_KEPT_EVENTS)
        self._numbered = 0
        self._failed = self._retries = 0
        self._download, self._writing = Speed(), Speed()
        self._downloaded: Callable[[], int] = int
        self._written: Callable[[], tuple[int, int]] = lambda: (0, 0)
        self.stage = ""
        self.images = self.images_done = self.bytes = self.archive_bytes = 0
        self.parts = 1

    def measure(self, downloaded: Callable[[], int]) -> None:
        """Set the function that counts the bytes that have arrived, including those of files that still grow."""
        self._downloaded = downloaded

    def measure_archive(self, written: Callable[[], tuple[int, int]]) -> None:
        """Set the function that counts the bytes of the archive that are written, and the files."""
        self._written = written

    @contextmanager
    def working_on(self, what: str) -> Iterator[None]:
        """Report what this thread copies while it is in the block."""
        thread = threading.get_ident()
        with self._mutex:
            self._copying[thread] = what
        try:
            yield
        finally:
            with self._mutex:
                self._copying.pop(thread, None)

    def image_ended(self, reference: str) -> None:
        """Report that an image of the list is in the cache."""
        with self._mutex:
            self.images_done += 1
        self.tell("image", f"{reference} is there ({self.images_done} of {self.images})")

    def image_failed(self) -> None:
        """Count an image that failed."""
        with self._mutex:
            self._failed += 1

    def tell(self, kind: str, text: str) -> None:
        """Report an event.

        :param kind: ``image``, ``warning``, ``error``, ``repeated`` for an error whose cause was told before, or
            ``retry`` for a warning that is also counted.
        :param text: a line that shows no secret.
        """
        with self._mutex:
            self._numbered += 1
            if kind == RETRY:
                self._retries, kind = self._retries + 1, "warning"
            self._events.append({"number": self._numbered, "kind": kind, "text": text[:_LONGEST]})

    def as_json(self, *, ended: bool = False) -> dict[str, Json]:
        """Return the file's content, as docs/progress.md describes it."""
        now = time.monotonic()
        downloaded, (written, files) = self._downloaded(), self._written()
        self._download.read(now, downloaded)
        self._writing.read(now, written)
        todo = self.bytes - downloaded
        # The archive waits for downloads, and then goes on faster than until then.
        left = self._download.left(todo) if todo > 0 else self._writing.left(self.archive_bytes - written)
        with self._mutex:
            return {
                "version": VERSION,
                "pid": os.getpid(),
                "ended": ended,
                "stage": self.stage,
                "seconds": round(now - self._started, 1),
                "images": {"done": self.images_done, "failed": self._failed, "of": self.images},
                "bytes": {"done": min(downloaded, self.bytes), "of": self.bytes},
                "rate": self._download.rate,
                "seconds_left": left,
                "retries": self._retries,
                "copying": list(dict.fromkeys(self._copying.values())),
                "archive": {
                    "bytes": written,
                    "of": self.archive_bytes,
                    "part": files,
                    "parts": self.parts,
                },
                "events": list(self._events),
            }


def refuse_foreign(path: str, taken: Iterable[str]) -> None:
    """Refuse a path where anything but an earlier progress file would be replaced.

    :param taken: other paths that the task names.
    :raises OptionError: when something else is there, or will be.
    """
    if not is_path(path):
        raise OptionError(
            f"progress_file: {quoted(path)} is not a valid path: it contains what no file name can contain"
        )
    try:
        if os.path.realpath(path) in {os.path.realpath(other) for other in taken}:
            raise OptionError(f"progress_file: {path} is also another file of this task; name one of its own")
        if os.path.lexists(path):
            with open_regular(path) as file:
                if not _is_of_a_run(file.read(AT_MOST)):
                    raise OptionError(
                        f"progress_file: {path} is not a progress file and would be replaced; name another"
                    )
    except OSError as error:
        raise OptionError(f"progress_file: {path} cannot be used: {reason(error)}") from error


def _is_of_a_run(raw: bytes) -> bool:
    try:
        return not raw or {"version", "pid", "ended", "stage"} <= set(parse_object(raw, most=AT_MOST).names())
    except JsonError:
        return False


@contextmanager
def shown(progress: Progress, paths: Sequence[str], *, stop: Stop, to_end: str | None = None) -> Iterator[None]:
    """Keep files up to date while the block runs. A reader always finds a whole version: the last or the one before.

    :param paths: may begin with ``~``. One that cannot be written is ignored: its reader has nothing to read then.
    :param to_end: a file that asks the run to end, as C(SIGTERM) does, for callers that do not know its process id. It
        is removed.
    :param stop: is set then.
    """
    if not paths:
        yield
        return
    paths = [os.path.expanduser(path) for path in paths]
    ended = threading.Event()
    to_end = os.path.expanduser(to_end or "")
    writer = threading.Thread(target=_write_until, args=(progress, paths, ended, stop, to_end), daemon=True)
    writer.start()
    try:
        yield
    finally:
        ended.set()
        writer.join()
        _write(progress, paths, ended=True)


def _write_until(progress: Progress, paths: Sequence[str], ended: threading.Event, stop: Stop, to_end: str) -> None:
    while not ended.is_set():
        _write(progress, paths)
        with suppress(OSError):
            os.unlink(to_end)
            stop.request("the run was ended from the controller; what was transferred is kept")
        ended.wait(INTERVAL)


def _write(progress: Progress, paths: Sequence[str], *, ended: bool = False) -> None:
    raw = compact(progress.as_json(ended=ended))
    for path in paths:
        with suppress(OSError, ValueError):  # a path that no system takes is a ValueError
            put_whole(path, raw)
