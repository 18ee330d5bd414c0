# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A directory for what nobody else may read: logins, and the way to client keys.

Where the cache's filesystem has no modes, as that of a USB stick, it is on another one, in memory where there is such.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import suppress

from ._errors import StorageError
from ._filesystem import filesystem_of
from ._trusted import distrust

_PREFIX = ".airgap-images-"


class PrivatePlace:
    """Finds a place that keeps a directory to this user alone.

    :param owner: path of what the directory belongs to; one run at a time has that.
    """

    def __init__(self, owner: str, environ: Mapping[str, str]) -> None:
        name = hashlib.sha256(os.fsencode(os.path.realpath(owner))).hexdigest()[:16]
        self._prefix = f"{_PREFIX}{name}-"
        self._environ = environ

    def make(self) -> str:
        """Make the directory.

        :raises StorageError: when no place keeps it to this user.
        """
        places = list(self._places())
        for place in places:
            path = _make_private(place, self._prefix)
            if path is not None:
                return path
        raise StorageError(
            "logins and keys must lie where only this user may read them, and no filesystem keeps files so in any of "
            f"{', '.join(places)}; set TMPDIR to a directory of this user on one that has modes, or choose another "
            "cache_dir"
        )

    def clear(self) -> None:
        """Remove what this run, and one that was killed, have left."""
        for place in self._places():
            with suppress(OSError):
                for entry in os.scandir(place):
                    if entry.name.startswith(self._prefix) and _is_ours(entry):
                        shutil.rmtree(entry.path, ignore_errors=True)

    def _places(self) -> Iterator[str]:
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


def _make_private(place: str, prefix: str) -> str | None:
    """A new directory, if the filesystem really keeps it to us."""
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
