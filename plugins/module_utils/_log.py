# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What happened, line by line: time, level, the image's number in the list and its platform image's number."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timezone

from ._errors import StorageError, printable

_KEPT_LINES = 2000


class Log:
    """Takes lines from all threads of a run.

    :param path: file to append to, or ``None``.
    :param debug: take down lines of level DEBUG as well, and keep the last lines for the result.
    :raises StorageError: when the file cannot be opened.
    """

    def __init__(self, path: str | None, *, debug: bool) -> None:
        self._debug = debug
        self._mutex = threading.Lock()
        self._place = threading.local()
        self.lines: list[str] = []
        try:
            self._file = open(path, "a", encoding="utf-8") if path is not None else None  # noqa: SIM115
        except OSError as error:
            raise StorageError(f"log_file: cannot write {path}: {error.strerror}") from error

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
        if self._debug:
            self._add("DEBUG", message)

    def info(self, message: str) -> None:
        self._add("INFO", message)

    def warning(self, message: str) -> None:
        self._add("WARNING", message)

    def error(self, message: str) -> None:
        self._add("ERROR", message)

    def close(self) -> None:
        if self._file is not None:
            self._file.close()

    def _add(self, level: str, message: str) -> None:
        now = datetime.now(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        line = f"{now} {level} [{getattr(self._place, 'text', '-')}] {printable(message, 2000)}"
        with self._mutex:
            if self._debug:
                self.lines.append(line)
                del self.lines[:-_KEPT_LINES]
            if self._file is not None:
                self._file.write(line + "\n")
                self._file.flush()
