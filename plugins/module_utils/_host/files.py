# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Open, write, hash and flush files in directories that others may write to."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import BinaryIO

from .._base.stop import Check, go_on
from .disk_errors import refuse_lack_of_files

_CHUNK = 1024 * 1024
_HARMFUL = 0o7002


def open_regular(path: str) -> BinaryIO:
    """Open a file for reading that must be a regular one: a link is not followed, and a FIFO is not waited for.

    :raises OSError: when it does not exist, or is something else.
    :raises StorageError: when too many files are open. That is not an OSError, which callers take for damage.
    """
    return os.fdopen(descriptor_of_regular(path), "rb")


def descriptor_of_regular(path: str) -> int:
    """Open a file as :func:`open_regular` does; the caller closes the descriptor."""
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
    return descriptor


def read_regular(path: str, most: int) -> bytes:
    """Read a small file that must be a regular one.

    A reader of Python's would take ``most`` bytes of memory for each of them.

    :param most: how many bytes are read of it.
    :raises OSError: when it does not exist, is something else, or cannot be read.
    :raises StorageError: when too many files are open.
    """
    descriptor = descriptor_of_regular(path)
    try:
        return read_first(descriptor, min(most, os.fstat(descriptor).st_size))
    finally:
        os.close(descriptor)


def pieces_of(file: BinaryIO) -> Iterator[bytes]:
    """Yield what is left of a file in pieces, for what is not to be in memory as a whole.

    :raises OSError: when it cannot be read.
    """
    return iter(lambda: file.read(_CHUNK // 4), b"")


def is_content(path: str, pieces: Iterable[bytes]) -> bool:
    """Return True if a file can be read and has this content."""
    try:
        with open_regular(path) as file:
            return all(file.read(len(piece)) == piece for piece in pieces) and not file.read(1)
    except OSError:
        return False


def read_first(descriptor: int, size: int) -> bytes:
    """Read on in a file until so many bytes have come, or its end.

    :raises OSError: when it cannot be read.
    """
    raw = os.read(descriptor, size)
    while raw and len(raw) < size:
        more = os.read(descriptor, size - len(raw))
        if not more:
            break
        raw += more
    return raw


OF_ARCHIVES = 0o775
"""The mode of a directory for archives; the umask decides whether its group can write to it."""


def not_for_others(path: str, flags: int) -> int:
    """Serve as the ``opener`` of :func:`open` for a new file that others can never write to, even without a umask.

    A default ACL of the directory replaces the umask (acl(5), "Object creation and default ACLs").
    """
    return os.open(path, flags, 0o664)


def keep_from_others(descriptor: int) -> None:
    """Take from a file of ours what others must not have: that anyone can write to it, or set-id."""
    if stat.S_IMODE(os.fstat(descriptor).st_mode) & _HARMFUL:
        with suppress(OSError):
            os.fchmod(descriptor, 0o644)


def make_directories(path: str, mode: int = 0o755, *, above: int = 0o755) -> None:
    """Make a directory and its parents. Others can write to none of them, whatever the umask or default ACL.

    :param mode: of the last one, before the umask.
    :param above: of its parents.
    :raises OSError: when it cannot be made.
    """
    parent = os.path.dirname(path)
    if not os.path.isdir(parent):
        make_directories(parent, above, above=above)
    with suppress(FileExistsError):
        os.mkdir(path, mode)


def write_new(path: str, raw: bytes) -> None:
    """Write a new file in place of whatever is there; a link is replaced, never followed.

    :raises OSError: when it cannot be written, or is a directory.
    """
    _write_new(path, [raw])


def _write_new(path: str, pieces: Iterable[bytes]) -> None:
    with suppress(FileNotFoundError):
        os.unlink(path)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
    with os.fdopen(descriptor, "wb") as file:
        file.writelines(pieces)


def temporary_of(path: str) -> str:
    """Name the file that holds new content for another file until it is whole.

    It is always the same name, so that the next run replaces what a killed run has left, and nothing else. It is never
    too long where the file's own name is not.
    """
    directory, name = os.path.split(path)
    mark = hashlib.sha256(os.fsencode(name)).hexdigest()[:16]
    return os.path.join(directory, f".airgap-images-{mark}.new")


def put_whole(path: str, raw: bytes, *, by: str = "") -> None:
    """Replace a file's content atomically; a link is replaced, never followed.

    :param by: the path of the content until it is whole; empty: that of :func:`temporary_of`.
    :raises OSError: when it cannot be written.
    """
    put_pieces(path, [raw], by=by)


def put_pieces(path: str, pieces: Iterable[bytes], *, by: str = "") -> None:
    """Do the same with content that comes in pieces."""
    temporary = by or temporary_of(path)
    try:
        _write_new(temporary, pieces)
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
