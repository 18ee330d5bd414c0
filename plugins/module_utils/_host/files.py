# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Open, write, hash and flush files in directories that others may write to."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from contextlib import suppress
from typing import BinaryIO

from .._base.stop import Check, go_on
from .disk_errors import refuse_lack_of_files

_CHUNK = 1024 * 1024
_HARMFUL = 0o7002


def open_regular(path: str) -> BinaryIO:
    """Open a file for reading that must be a regular one: a link is not followed, and a FIFO not waited for.

    :raises OSError: when there is none.
    :raises StorageError: when too many files are open: whoever takes what cannot be read for damage must not see that.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        refuse_lack_of_files(error, path)
        if error.errno == errno.ELOOP:
            raise OSError(errno.ELOOP, "it is a link", path) from error
        raise
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "it is not a regular file", path)
    return os.fdopen(descriptor, "rb")


OF_ARCHIVES = 0o775
"""The mode of a directory for archives, of which the umask says whether the group may write to it."""


def not_for_others(path: str, flags: int) -> int:
    """An ``opener`` for :func:`open` of a new file that others never write to, whatever stands in place of the umask.

    A default ACL of the directory does (acl(5), "Object creation and default ACLs"): it grants what the mode asks for.
    """
    return os.open(path, flags, 0o664)


def keep_from_others(descriptor: int) -> None:
    """Take from a file of ours what others must not have: that anyone can write to it, or set-id."""
    if stat.S_IMODE(os.fstat(descriptor).st_mode) & _HARMFUL:
        with suppress(OSError):
            os.fchmod(descriptor, 0o644)


def make_directories(path: str, mode: int = 0o755, *, above: int = 0o755) -> None:
    """Make a directory and those above it; none of them may be written to by others, whatever umask or default ACL.

    :param mode: of the last one, as far as the umask lets it.
    :param above: of those above it.
    :raises OSError: when it cannot be made.
    """
    parent = os.path.dirname(path)
    if not os.path.isdir(parent):
        make_directories(parent, above, above=above)
    with suppress(FileExistsError):
        os.mkdir(path, mode)


def write_new(path: str, raw: bytes) -> None:
    """Write a file of our own, whatever stands there; a link is replaced and never followed.

    :raises OSError: when it cannot be written, or is a directory.
    """
    with suppress(FileNotFoundError):
        os.unlink(path)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
    with os.fdopen(descriptor, "wb") as file:
        file.write(raw)


def temporary_of(path: str) -> str:
    """The name beside a file that its new content has until it is whole.

    It is always the same, so that what a killed run left is replaced by the next, and nobody else's. It is short enough
    wherever the file's own name is.
    """
    directory, name = os.path.split(path)
    mark = hashlib.sha256(os.fsencode(name)).hexdigest()[:16]
    return os.path.join(directory, f".airgap-images-{mark}.new")


def put_whole(path: str, raw: bytes, *, by: str = "") -> None:
    """Give a file new content at once; a link is replaced and never followed.

    :param by: the name that it has until it is whole; that of :func:`temporary_of` where none is given.
    :raises OSError: when it cannot be written.
    """
    temporary = by or temporary_of(path)
    try:
        write_new(temporary, raw)
        os.replace(temporary, path)
    except OSError:
        with suppress(OSError):
            os.unlink(temporary)
        raise


def sha256_of(path: str, *, check: Check = go_on) -> str:
    """Hash a file; links are followed.

    :param check: called before each chunk; raises when the run is to end.
    :returns: its sha256 in hex digits.
    :raises OSError: when it cannot be read.
    """
    with open(path, "rb") as file:
        return sha256_of_open(file, check=check)


def sha256_of_open(file: BinaryIO, *, check: Check = go_on) -> str:
    """Hash what is left to read of an open file. Afterwards ``file.tell()`` is its size.

    :param check: called before each chunk; raises when the run is to end.
    :returns: the sha256 in hex digits.
    :raises OSError: when it cannot be read.
    """
    hasher = hashlib.sha256()
    for chunk in iter(lambda: file.read(_CHUNK), b""):
        check()
        hasher.update(chunk)
    return hasher.hexdigest()


def sync_directory(path: str) -> None:
    """Flush a directory to disk, so that names given in it outlast a power cut.

    :raises OSError: when that fails, or it is not a directory.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
