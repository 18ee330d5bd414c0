# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A run's hold on a cache directory: its lock, its temporary directories, and what killed runs left behind."""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from .._base.errors import StorageError
from .._base.stop import Check
from .._host.disk_errors import explained
from .._host.files import (
    make_directories,
    write_new,
)
from .._host.filesystem import filesystem_of, set_mode
from .._host.hold import Hold
from .._host.private_place import PrivatePlace
from .._host.trust import distrust, distrust_directory
from .._oci.layout import SHARE
from .disk import FILE_MODE, explaining, remove

_LOCK = ".lock"
_RUN = ".run-"


class Workspace:
    """A cache directory as one run uses it. Nothing in it gets its final name before it is whole.

    :param root: path of the directory; a run in check mode reads it and creates nothing.
    :param check: called while the lock is waited for; raises when the run is to end.
    :ivar share: path of the directory of blobs.
    :ivar changing: held by a thread while it replaces a document.
    """

    def __init__(self, root: str, check: Check) -> None:
        self.root = root
        self.share = os.path.join(root, *SHARE.split("/"))
        self.changing = threading.Lock()
        self._check = check
        self._run: str | None = None
        self._private_place = PrivatePlace(root, os.environ)
        self._private: str | None = None

    @contextmanager
    def opened(self, lock_timeout: float) -> Iterator[str]:
        """Create the directory if it is missing, hold its lock, and remove what killed runs left; clean up at the end.

        :param lock_timeout: seconds to wait for the lock.
        :returns: :attr:`run_directory`.
        :raises BusyError: when another run holds the lock for longer.
        :raises StorageError: when the directory cannot be written to.
        """
        self.refuse_open()
        with explaining(f"cannot use cache_dir {self.root}"):
            self._make_directories()
        lock = os.path.join(self.root, _LOCK)
        with Hold(lock, what=f"the cache {self.root}", timeout=lock_timeout, check=self._check):
            try:
                with explaining(f"cannot use cache_dir {self.root}"):
                    self._remove_leftovers()
                    self._private_place.clear()
                    self._run = tempfile.mkdtemp(prefix=_RUN, dir=self.root)
                yield self._run
            finally:
                with self.changing:  # a thread that was given up may be about to store something
                    self._run = self._private = None
                self._private_place.clear()
                with suppress(OSError):
                    self._remove_leftovers()

    @property
    def is_open(self) -> bool:
        """True within :meth:`opened`."""
        return self._run is not None

    @property
    def run_directory(self) -> str:
        """Path of a directory of this run alone on the cache's filesystem; removed when the run ends.

        Its mode is 0700 where the filesystem has modes; secrets belong in :attr:`private_directory`.

        :raises StorageError: when the cache is not open.
        """
        if self._run is None:
            raise StorageError("the cache is not open")
        return self._run

    @property
    def private_directory(self) -> str:
        """Path of a directory of this run alone that nobody else can read; removed when the run ends.

        :raises StorageError: when there is no place for one.
        """
        with self.changing:
            if self._private is None:
                run = self.run_directory
                self._private = run if filesystem_of(run).has_modes else self._private_place.make()
            return self._private

    @contextmanager
    def scratch(self) -> Iterator[str]:
        """Create a temporary directory, and remove it after the block.

        :raises StorageError: when it cannot be created.
        """
        with explaining(f"cannot write to cache_dir {self.root}"):
            path = tempfile.mkdtemp(prefix="scratch-", dir=self.run_directory)
        try:
            yield path
        finally:
            shutil.rmtree(path, ignore_errors=True)

    def temporary(self, raw: bytes) -> str:
        """Write a temporary file with the mode of a file of the cache, and return its path."""
        handle, path = tempfile.mkstemp(dir=self.run_directory)
        with os.fdopen(handle, "wb") as file:
            file.write(raw)
        set_mode(path, FILE_MODE)
        return path

    def put(self, path: str, raw: bytes) -> None:
        """Write a file that appears whole, in place of whatever has its name."""
        new = os.path.join(self.run_directory, os.path.basename(path))
        write_new(new, raw)
        if os.path.isdir(path) and not os.path.islink(path):
            remove(path)
        os.replace(new, path)

    def refuse_open(self) -> None:
        """Refuse a directory in which other users could replace the cache or its content.

        :raises StorageError: says who could, and what to do.
        """
        with explaining(f"cannot use cache_dir {self.root}"):
            reason = distrust(self.root)
            for path in (os.path.dirname(self.share), self.share) if os.path.isdir(self.root) else ():
                if os.path.islink(path):
                    reason = reason or f"{path} is a link"
                elif os.path.lexists(path):
                    reason = reason or distrust_directory(path)
        if reason:
            raise StorageError(
                f"cannot use cache_dir {self.root}: {reason}. It has to be this user's own, and neither it nor a "
                "directory above it may be writable by everyone; correct that, or set another cache_dir"
            )

    def is_clean(self) -> bool:
        """Return True if the directory exists and no killed run left anything in it.

        :raises StorageError: when it cannot be read, or others could replace it.
        """
        self.refuse_open()
        try:
            return os.path.isdir(self.root) and not self.leftovers()
        except OSError as error:
            raise explained(f"cannot use cache_dir {self.root}", error) from error

    def leftovers(self) -> list[str]:
        """Return the paths of what killed runs left; those of a run under way are among them."""
        if not os.path.isdir(self.root):
            return []
        return [os.path.join(self.root, name) for name in os.listdir(self.root) if name.startswith(_RUN)]

    def _remove_leftovers(self) -> None:
        for path in self.leftovers():
            remove(path)

    def _make_directories(self) -> None:
        """Create root and share. Images may be private, so a new root is for this user alone."""
        make_directories(self.root, 0o700)
        make_directories(self.share)
        self.refuse_open()  # another user may have created it meanwhile
