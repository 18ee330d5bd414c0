# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A file that one run holds at a time, and that names the run that holds it.

``flock`` belongs to the open file: it ends with the process, however that ends, so a dead run holds nothing. On NFS the
server keeps it for all its clients (flock(2)), unless they mount with ``nolock`` or ``local_lock``.
"""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import socket
import stat
import time
from contextlib import suppress
from enum import Enum
from types import TracebackType

from .._base.errors import BusyError, StorageError, printable
from .._base.stop import Check, go_on
from .disk_errors import explained

_POLL_SECONDS = 0.2
_MOST_TURNS = 1000
_REMEDY = "Let that run end, or wait longer with lock_timeout"
_UNKNOWN = "it does not say which"


class _State(Enum):
    """The result of one attempt."""

    TAKEN = "taken"
    HELD = "held by another run"
    GONE = "the file is another now; to be tried again at once"


class Hold:
    """Holds a file for the length of a ``with`` block.

    :param path: the file; it is made if missing. Anything but a regular file is replaced.
    :param what: what it protects, for the error.
    :param timeout: seconds to wait for another run.
    :param check: called while waiting for another run; raises when this one is to end.
    :param remedy: what to do if that was not long enough: a sentence without its full stop.
    """

    def __init__(self, path: str, *, what: str, timeout: float, check: Check = go_on, remedy: str = _REMEDY) -> None:
        self._path = path
        self._directory = os.path.dirname(path)
        self._what = what
        self._timeout = timeout
        self._check = check
        self._remedy = remedy
        self._descriptor = -1
        self._holder = _UNKNOWN

    def __enter__(self) -> Hold:
        """Hold the file.

        :raises BusyError: when another run holds it for longer than the timeout; the error names that run.
        :raises StorageError: when the file cannot be made.
        :raises Interrupted: when the run was stopped while it waited.
        """
        deadline = time.monotonic() + self._timeout
        turns = 0
        while True:
            state = self._explained_try()
            turns += 1
            if state is _State.TAKEN:
                break
            self._check()
            if state is _State.GONE:
                if turns < _MOST_TURNS:
                    continue
                raise StorageError(f"the lock file {self._path} is replaced again and again; choose another directory")
            if time.monotonic() >= deadline:
                raise BusyError(
                    f"{self._what} is in use by another run ({self._holder}); it waited {self._timeout:g} s. "
                    f"{self._remedy}"
                )
            time.sleep(_POLL_SECONDS)
        with suppress(OSError):  # on a full disk the lock holds all the same
            os.ftruncate(self._descriptor, 0)
            os.pwrite(self._descriptor, f"process {os.getpid()} on {socket.gethostname()}\n".encode(), 0)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(OSError):  # so that nobody takes this run for the next holder
            os.ftruncate(self._descriptor, 0)
        os.close(self._descriptor)
        self._descriptor = -1

    def _explained_try(self) -> _State:
        try:
            return self._try()
        except OSError as error:
            raise explained(f"cannot make the lock file {self._path}", error) from error

    def _try(self) -> _State:
        # The run before may have removed the directory together with the file.
        os.makedirs(self._directory, mode=0o700, exist_ok=True)
        try:
            if self._is_something_else():
                self._clear_away()
                return _State.GONE
            descriptor = self._open()
        except FileNotFoundError:
            return _State.GONE  # the directory is removed just now
        state = _State.GONE
        try:
            state = self._lock(descriptor)
        finally:
            if state is not _State.TAKEN:
                os.close(descriptor)
        self._descriptor = descriptor
        return state

    def _open(self) -> int:
        flags = os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
        try:
            return os.open(self._path, os.O_RDWR | os.O_CREAT | flags, 0o600)
        except PermissionError as error:
            try:
                descriptor = os.open(self._path, os.O_RDONLY | flags)
            except FileNotFoundError:
                raise error from None
        try:
            os.fchmod(descriptor, 0o600)  # it is ours, and somebody made it read-only
        finally:
            os.close(descriptor)
        return os.open(self._path, os.O_RDWR | flags)

    def _lock(self, descriptor: int) -> _State:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
                self._holder = printable(os.pread(descriptor, 200, 0).decode("utf-8", "replace").strip()) or _UNKNOWN
                return _State.HELD
            raise StorageError(f"cannot lock {self._path}: {error.strerror}") from error
        if not self._still_there(descriptor):
            return _State.GONE
        if self._is_of_others(os.fstat(descriptor)):
            os.unlink(self._path)  # it may be a second name of a file that is not to be written to
            return _State.GONE
        return _State.TAKEN

    def _still_there(self, descriptor: int) -> bool:
        """Return True if the locked file is the one that the path names: the run before may have removed it."""
        try:
            return os.path.samestat(os.fstat(descriptor), os.lstat(self._path))
        except FileNotFoundError:
            return False

    def _is_of_others(self, found: os.stat_result) -> bool:
        """Return True if somebody else can write to the file, or it has another name."""
        ours = (os.geteuid(), os.stat(self._directory).st_uid)  # the second is ours too where an export maps users
        return found.st_nlink > 1 or found.st_uid not in ours

    def _is_something_else(self) -> bool:
        try:
            return not stat.S_ISREG(os.lstat(self._path).st_mode)
        except FileNotFoundError:
            return False

    def _clear_away(self) -> None:
        """Remove what nobody can hold: a link, a directory, a device.

        The directory is locked meanwhile. Otherwise a slow run would remove the file that a fast one holds.
        """
        directory = os.open(self._directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(directory, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if not self._is_something_else():
                return
            if os.path.isdir(self._path) and not os.path.islink(self._path):
                shutil.rmtree(self._path)
            else:
                os.unlink(self._path)
        except BlockingIOError:
            time.sleep(_POLL_SECONDS / 20)  # another run does it
        except OSError as error:
            raise StorageError(f"{self._path} is not a file and cannot be removed: {error.strerror}") from error
        finally:
            os.close(directory)
