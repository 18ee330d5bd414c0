# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The log of a run: time, level, the number of the image in the list and of its platform image, and a message."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timezone
from typing import BinaryIO, Callable

from .._base.errors import OptionError, printable
from .._base.secrets import Secrets
from .disk_errors import reason

REPEATED = "repeated"
"""The kind of a failure whose cause was told before."""

RETRY = "retry"
"""The kind of a temporary failure, after which the same is tried again."""

_KEPT_LINES = 2000
_TOLD = frozenset({"WARNING", "ERROR"})


class Log:
    """Takes lines from all threads of a run.

    :param debug: record lines of level DEBUG as well, and keep the last lines for the result.
    :ivar secrets: what no line shows.
    :ivar told: is given kind and text of every warning and error, as they come; the kind is the level in lower case,
        :data:`REPEATED` or :data:`RETRY`.
    :ivar problem: why the file lacks lines, for the user; empty where it has all.
    """

    def __init__(self, *, debug: bool) -> None:
        self._debug = debug
        self._mutex = threading.Lock()
        self._place = threading.local()
        self._file: BinaryIO | None = None
        self._path = ""
        self.problem = ""
        self.lines: list[str] = []
        self.told: Callable[[str, str], None] | None = None
        self.secrets = Secrets()

    def append_to(self, path: str) -> None:
        """Write all further lines to the end of a file.

        :raises OptionError: when it cannot be written.
        """
        try:
            # A pipe that nobody reads is not waited for.
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK
            # Without a buffer, which would keep what a full disk did not take, and try it again at the end.
            self._file = open(os.open(path, flags, 0o664), "ab", buffering=0)  # noqa: SIM115  # closed by close
            self._path = path
        except OSError as error:
            raise OptionError(f"log_file: cannot write {path}: {reason(error)}") from error

    @contextmanager
    def about(self, image: int, platform: int | None = None) -> Iterator[None]:
        """Lines of this thread are about an image of the list, and one of its platform images, each from 1."""
        before = getattr(self._place, "text", "-")
        self._place.text = f"image {image}" if platform is None else f"image {image}.{platform}"
        try:
            yield
        finally:
            self._place.text = before

    def debug(self, message: str) -> None:
        """Add a line, if debugging was asked for."""
        if self._debug:
            self._add("DEBUG", message)

    def info(self, message: str) -> None:
        """Add a line about what happens."""
        self._add("INFO", message)

    def warning(self, message: str) -> None:
        """Add a line about something that the run copes with."""
        self._add("WARNING", message)

    def retry(self, message: str) -> None:
        """Add a line about a temporary failure, after which the same is tried again."""
        self._add("WARNING", message, kind=RETRY)

    def error(self, message: str) -> None:
        """Add a line about a failure."""
        self._add("ERROR", message)

    def failure(self, message: str, *, is_known: bool) -> None:
        """Record that an image failed.

        :param is_known: another one failed of the same cause before, so that those who watch the run know it already.
        """
        self._add("ERROR", message, kind=REPEATED if is_known else "")

    def close(self) -> None:
        """Close the file, if there is one."""
        if self._file is not None:
            with suppress(OSError):  # what the disk did not take before, it does not take now
                self._file.close()

    def _add(self, level: str, message: str, *, kind: str = "") -> None:
        told = self.told if level in _TOLD else None
        if not self._debug and self._file is None and told is None:
            return  # nobody keeps it
        text = printable(self.secrets.hide(message), 2000)
        if told is not None:
            told(kind or level.lower(), text)
        now = datetime.now(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        line = f"{now} {level} [{getattr(self._place, 'text', '-')}] {text}"
        with self._mutex:
            if self._debug:
                self.lines.append(line)
                del self.lines[:-_KEPT_LINES]
            if self._file is not None:
                try:
                    self._write(self._file, f"{line}\n".encode())
                except OSError as error:  # a log that cannot be written must not end the run
                    self.problem = self.problem or f"log_file: {self._path} is incomplete: {reason(error)}"

    def _write(self, file: BinaryIO, line: bytes) -> None:
        if file.write(line) != len(line):  # the end of a disk, or a pipe that is full
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
