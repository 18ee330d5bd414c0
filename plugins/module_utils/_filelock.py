# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A file that one run holds at a time, and that says who holds it.

``flock`` belongs to the open file: it ends with the process, however that ends, so a dead run's lock is free.
"""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import time
from contextlib import suppress
from types import TracebackType

from ._errors import BusyError, StorageError, printable

_POLL_SECONDS = 0.2


class FileLock:
    """Holds a lock file for the length of a ``with`` block.

    :param path: the file; it is made when missing.
    :param what: what it protects, for the error.
    :param timeout: seconds to wait for another run.
    """

    def __init__(self, path: str, *, what: str, timeout: float) -> None:
        self._path = path
        self._what = what
        self._timeout = timeout
        self._descriptor = -1

    def __enter__(self) -> FileLock:
        """Take the lock.

        :raises BusyError: when another run holds it for longer than the timeout; names that run.
        :raises StorageError: when the file cannot be made.
        """
        deadline = time.monotonic() + self._timeout
        while not self._try():
            if time.monotonic() >= deadline:
                raise BusyError(
                    f"{self._what} is in use by another run ({self._holder()}); it waited {self._timeout:g} s. "
                    "Let that run end, or wait longer with lock_timeout"
                )
            time.sleep(_POLL_SECONDS)
        with suppress(OSError):  # on a full disk the lock holds all the same
            os.ftruncate(self._descriptor, 0)
            os.pwrite(self._descriptor, f"process {os.getpid()} on {socket.gethostname()}\n".encode(), 0)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._descriptor)
        self._descriptor = -1

    def _try(self) -> bool:
        try:
            # The run before may have removed the directory together with the file.
            os.makedirs(os.path.dirname(self._path), mode=0o700, exist_ok=True)
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        except OSError as error:
            raise StorageError(f"cannot make the lock file {self._path}: {error.strerror}") from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(descriptor)
            if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
                return False
            raise StorageError(f"cannot lock {self._path}: {error.strerror}") from error
        if not self._still_there(descriptor):
            os.close(descriptor)
            return False
        self._descriptor = descriptor
        return True

    def _still_there(self, descriptor: int) -> bool:
        """Whether the file locked is the one that the path names: the run before may have removed it."""
        try:
            return os.path.samestat(os.fstat(descriptor), os.stat(self._path))
        except FileNotFoundError:
            return False

    def _holder(self) -> str:
        try:
            with open(self._path, encoding="utf-8", errors="replace") as file:
                return printable(file.read(200).strip()) or "it does not say which"
        except OSError:
            return "it does not say which"
