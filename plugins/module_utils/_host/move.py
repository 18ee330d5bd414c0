# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Replace a directory by another, even where the kernel cannot rename it.

An overlay, as in the root of containers, cannot rename directories of a lower layer, and with project quotas those of
another project cannot be renamed either (rename(2), EXDEV).
"""

from __future__ import annotations

import ctypes
import errno
import os
import shutil
import tempfile
from contextlib import suppress

from .attributes import copy_alone


def replace_directory(source: str, target: str, *, aside: str, spare: str) -> None:
    """Put a directory in the place of another one, which is removed. Can be repeated until it succeeds.

    :param source: if it cannot be renamed, it is copied and stays: otherwise, a repetition could take half of it for
        all of it. The caller removes it.
    :param aside: a directory that takes the directory in the way; the caller empties it.
    :param spare: a path for a copy until it is whole. Anything there is removed.
    :raises OSError: when it cannot be done.
    """
    if os.path.isdir(target):
        try:
            os.rename(target, os.path.join(tempfile.mkdtemp(dir=aside), "archive"))
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            shutil.rmtree(target)
    try:
        os.rename(source, target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        if os.path.lexists(spare):
            shutil.rmtree(spare)
        copy_directory(source, spare)
        os.rename(spare, target)


def copy_directory(source: str, target: str) -> None:
    """Copy a directory with modes, times and, if this user is allowed to, owners, and flush it to disk.

    Files are linked where possible, and copied otherwise.

    :raises OSError: when it cannot be done.
    """
    for directory, names, files in os.walk(source, onerror=_fail):
        os.mkdir(_moved(directory, source, target), 0o700)
        for path in (os.path.join(directory, name) for name in (*names, *files)):
            if os.path.islink(path):
                os.symlink(os.readlink(path), _moved(path, source, target))
            elif not os.path.isdir(path):
                _link_or_copy(path, _moved(path, source, target))
    for directory, _names, _files in os.walk(source, topdown=False, onerror=_fail):
        found = os.lstat(directory)
        with suppress(PermissionError):
            os.chown(_moved(directory, source, target), found.st_uid, found.st_gid)
        shutil.copystat(directory, _moved(directory, source, target))
    sync_filesystem(target)


def _moved(path: str, source: str, target: str) -> str:
    return f"{target}{path[len(source) :]}"


def _fail(error: OSError) -> None:
    raise error


def _link_or_copy(source: str, target: str) -> None:
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError:
        copy_alone(source, target)


def sync_filesystem(path: str) -> None:
    """Flush the filesystem of a path to disk, which is faster than thousands of single files.

    This is syncfs(2), which Python does not offer.

    :raises OSError: when the disk did not accept something.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        if libc.syncfs(descriptor) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), path)
    finally:
        os.close(descriptor)
