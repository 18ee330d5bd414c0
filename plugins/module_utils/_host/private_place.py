# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A directory for files that nobody else can read: logins, and links to client keys.

If the cache's filesystem has no modes, as on a USB stick, the directory is on another one, in memory if possible.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import stat
import tempfile
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress

from .._base.errors import StorageError
from .filesystem import filesystem_of
from .trust import distrust

_PREFIX = ".airgap-images-"
_PASSING = f"{_PREFIX}asks-"


class PrivatePlace:
    """Finds a place that keeps a directory to this user alone.

    :param owner: path of what the directory belongs to; one run at a time holds that.
    """

    def __init__(self, owner: str, environ: Mapping[str, str]) -> None:
        name = hashlib.sha256(os.fsencode(os.path.realpath(owner))).hexdigest()[:16]
        self._prefix = f"{_PREFIX}{name}-"
        self._environ = environ

    def make(self) -> str:
        """Make the directory.

        :raises StorageError: when no place keeps it to this user.
        """
        places = list(self.places())
        for place in places:
            path = _make_private(place, self._prefix)
            if path is not None:
                return path
        raise no_private_place(places)

    def clear(self) -> None:
        """Remove the directories that this run and killed ones have left."""
        for place in self.places():
            with suppress(OSError):
                for entry in os.scandir(place):
                    if entry.name.startswith(self._prefix) and _is_ours(entry):
                        shutil.rmtree(entry.path, ignore_errors=True)

    def places(self) -> Iterator[str]:
        """Directories to try, those in memory first; none twice."""
        named = (
            self._environ.get("XDG_RUNTIME_DIR", ""),
            "/run",
            f"/run/user/{os.geteuid()}",
            "/dev/shm",  # noqa: S108  # what is made there gets a name that nobody can foresee
            self._environ.get("TMPDIR", ""),
            "/tmp",  # noqa: S108  # the same
            "/var/tmp",  # noqa: S108  # the same
        )
        yield from dict.fromkeys(path for path in named if os.path.isabs(path) and os.path.isdir(path))


class PassingDirectory:
    """A directory of the same kind for callers that hold no cache; made when it is first needed.

    It is locked, so that another run only removes directories that killed runs have left.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._places = PrivatePlace("", environ).places
        self._mutex = threading.Lock()
        self._path = ""
        self._lock = -1

    def path(self) -> str:
        """Return its path, and make it if needed.

        :raises StorageError: when no place keeps it to this user.
        """
        with self._mutex:
            if not self._path:
                self._clear()
                self._make()
            return self._path

    def close(self) -> None:
        """Remove it, if it was made."""
        with self._mutex:
            if self._path:
                shutil.rmtree(self._path, ignore_errors=True)
                os.close(self._lock)
            self._path = ""

    def _make(self) -> None:
        for place in self._places():
            path = _make_private(place, _PASSING)
            lock = None if path is None else _locked(path)
            # Another run may have taken it for a killed one's before it was locked.
            if path is not None and lock is not None and os.path.isdir(path):
                self._path, self._lock = path, lock
                return
        raise no_private_place(self._places())

    def _clear(self) -> None:
        for place in self._places():
            with suppress(OSError):
                for entry in os.scandir(place):
                    lock = _locked(entry.path) if entry.name.startswith(_PASSING) and _is_ours(entry) else None
                    if lock is not None:
                        shutil.rmtree(entry.path, ignore_errors=True)
                        os.close(lock)


def no_private_place(places: Iterable[str]) -> StorageError:
    """Make the error for when no place keeps files private to this user."""
    return StorageError(
        "logins and keys must be kept where only this user can read them, and no filesystem does that in any of "
        f"{', '.join(places)}; set TMPDIR to a directory of this user on a filesystem with modes, or choose another "
        "cache_dir"
    )


def _locked(path: str) -> int | None:
    """Open and lock a directory; ``None`` if somebody else has locked it."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return None
    return descriptor


def _make_private(place: str, prefix: str) -> str | None:
    """Make a directory, if the filesystem really keeps it private."""
    try:
        if not filesystem_of(place).has_modes:
            return None
        path = tempfile.mkdtemp(prefix=prefix, dir=place)
    except OSError:
        return None
    with suppress(OSError):
        found = os.lstat(path)
        if stat.S_IMODE(found.st_mode) == 0o700 and found.st_uid == os.geteuid() and not distrust(path):
            return path
    with suppress(OSError):
        os.rmdir(path)
    return None


def _is_ours(entry: os.DirEntry[str]) -> bool:
    found = entry.stat(follow_symlinks=False)
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid()
