# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The errors of reading an archive, in words for the person who reads the task's output."""

from __future__ import annotations

import errno

from .._base.errors import ImagesError, StorageError
from .._host.disk_errors import explained

_GONE = frozenset(
    {errno.EIO, errno.ENODEV, errno.ENOENT, errno.ENXIO, errno.ESTALE, errno.ENOTCONN, errno.EHOSTDOWN, errno.ETIMEDOUT}
)


class SourceError(ImagesError):
    """An archive cannot be read, or not all of it."""


class SourceGone(SourceError):
    """The disk, stick or share with the archive does not answer any more. The run cannot go on."""


class MissingPart(SourceError):
    """A part that is needed was not given, or is not there."""


class DamagedPart(SourceError):
    """A part has other bytes than the archive was made of."""


class MissingBlob(SourceError):
    """The archive does not have a blob."""


class WrongLock(SourceError):
    """The lock file says something of a blob that is not so, although the parts are whole."""


class WrongOffset(WrongLock):
    """A blob is not where the lock file says, but was found elsewhere. Reading it again from its start helps."""


class BrokenStream(Exception):
    """Compressed bytes, or the tar stream in them, make no sense from some place on. No user sees this."""


def cannot_read(path: str, error: OSError) -> SourceError | StorageError:
    """Make the error for a file of an archive that was there and cannot be read."""
    if error.errno in _GONE:
        return SourceGone(
            f"{path} cannot be read any more ({error.strerror}). The disk, stick or share may have been removed, or "
            "may be failing. Connect it again, check the kernel log, then run again"
        )
    return explained(f"cannot read {path}", error)
