# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What to do about a disk that cannot be written to or read, in words. Pure."""

from __future__ import annotations

import errno

from ._errors import StorageError

_REMEDIES = {
    errno.ENOSPC: "Free some space there (or some files, where their number is bounded), or choose another directory",
    errno.EDQUOT: "Free some space there, have the quota raised, or choose another directory",
    errno.EROFS: "Have it mounted for writing, or choose another directory",
    errno.EACCES: "Give this user the permission, or choose another directory",
    errno.EPERM: "Give this user the permission, or choose another directory",
    errno.EIO: "Check the disk and what the kernel's log says of it",
    errno.EEXIST: "Remove what is in the way, or choose another directory",
    errno.ENOTDIR: "Remove what is in the way, or choose another directory",
    errno.EINVAL: "Remove it, or name another file",
    errno.ELOOP: "Remove it, or name another file",
    errno.EISDIR: "Remove the directory that is in the way",
    errno.ENOTEMPTY: "Remove the directory that is in the way",
    errno.EBUSY: "Unmount what is mounted there, or choose another directory",
    errno.EMFILE: "Lower jobs or raise the limit of open files (ulimit -n)",
    errno.ENFILE: "Lower jobs or raise the limit of open files on the host (sysctl fs.file-max)",
}


def remedy(error: OSError) -> str:
    """What can be done about an error of the operating system: a sentence."""
    return f"{_REMEDIES.get(error.errno or 0, 'Correct that')}, then run again"


def reason(error: OSError) -> str:
    """What the operating system says, and what can be done about it."""
    return f"{error.strerror or error}. {remedy(error)}"


def explained(what: str, error: OSError) -> StorageError:
    """The error for the user.

    :param what: what could not be done, and to which path.
    """
    path = error.filename2 or error.filename
    place = f" ({path})" if isinstance(path, str) and path not in what else ""
    return StorageError(f"{what}{place}: {reason(error)}")
