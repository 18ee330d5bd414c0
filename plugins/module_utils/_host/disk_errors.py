# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What to do about a disk that cannot be written to or read, and about too many open files, in words."""

from __future__ import annotations

import errno
import os
import socket

from .._base.errors import StorageError

_REMEDIES = {
    errno.ENOSPC: "Free some space there (or some files, if their number is limited), or choose another directory",
    errno.EDQUOT: "Free some space there, have the quota raised, or choose another directory",
    errno.EROFS: "Mount it for writing, or choose another directory",
    errno.EACCES: "Give this user the permission, or choose another directory",
    errno.EPERM: "Give this user the permission, or choose another directory",
    errno.EIO: "Check the disk and the kernel log",
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
_OUT_OF_FILES = frozenset({errno.EMFILE, errno.ENFILE})


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


def is_out_of_files(error: BaseException) -> bool:
    """Whether an error is that too many files are open: that says nothing of the file that was to be."""
    return isinstance(error, OSError) and not isinstance(error, socket.gaierror) and error.errno in _OUT_OF_FILES


def lack_of_files(error: BaseException) -> OSError | None:
    """The lack of open files that an error comes from, if it does.

    The resolver of names does not tell why it failed, so another file is opened to see.
    """
    if isinstance(error, OSError) and is_out_of_files(error):
        return error
    if isinstance(error, socket.gaierror):
        try:
            os.close(os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC))
        except OSError as lack:
            return lack if is_out_of_files(lack) else None
    return None


def refuse_lack_of_files(error: OSError, path: str) -> None:
    """Raise what is to be told where a file could not be opened because too many are: it is not missing, nor damaged.

    :raises StorageError: only then.
    """
    if is_out_of_files(error):
        raise explained(f"cannot read {path}", error) from error
