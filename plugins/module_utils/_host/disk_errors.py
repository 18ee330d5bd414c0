# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Remedies, in words, for disks that cannot be read or written, and for too many open files."""

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
    """Return the remedy for an error of the operating system, as a sentence."""
    return f"{_REMEDIES.get(error.errno or 0, 'Correct that')}, then run again"


def reason(error: OSError) -> str:
    """Return what the operating system says, and the remedy."""
    return f"{error.strerror or error}. {remedy(error)}"


def explained(what: str, error: OSError) -> StorageError:
    """Make the error for the user.

    :param what: what failed, with its path.
    """
    path = error.filename2 or error.filename
    place = f" ({path})" if isinstance(path, str) and path not in what else ""
    return StorageError(f"{what}{place}: {reason(error)}")


def is_out_of_files(error: BaseException) -> bool:
    """Return True if the error is that too many files are open, which says nothing about the file itself."""
    return isinstance(error, OSError) and not isinstance(error, socket.gaierror) and error.errno in _OUT_OF_FILES


def lack_of_files(error: BaseException) -> OSError | None:
    """Return the lack of open files that caused an error, if one did.

    The resolver of host names does not say why it failed, so another file is opened to find out.
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
    """Refuse to take a file for missing or damaged if it could not be opened because too many files are open.

    :raises StorageError: in that case.
    """
    if is_out_of_files(error):
        raise explained(f"cannot read {path}", error) from error
