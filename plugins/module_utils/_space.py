# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Room on the target's filesystems, asked before the first byte."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterable

from ._errors import SpaceError
from ._size import format_size

_BLOCK = 512  # stat(2), st_blocks


def free_bytes(path: str) -> int:
    """Bytes that this user may still write where the path is, or will be."""
    found = os.statvfs(_existing(path))
    return found.f_bavail * found.f_frsize


def capacity_bytes(path: str) -> int:
    """Bytes that the filesystem has where the path is, or will be; those that do not tell have any number."""
    found = os.statvfs(_existing(path))
    return found.f_blocks * found.f_frsize or sys.maxsize


def bytes_below(paths: Iterable[str]) -> int:
    """Bytes of the disk that files and directories take; what is not there takes none."""
    return sum(_bytes_of(path) for path in paths)


def _bytes_of(path: str) -> int:
    try:
        found = os.lstat(path)
        inside = [entry.path for entry in os.scandir(path)] if stat.S_ISDIR(found.st_mode) else []
    except OSError:
        return 0
    is_shared = found.st_nlink > 1 and not stat.S_ISDIR(found.st_mode)  # its bytes stay with another name
    return (0 if is_shared else found.st_blocks * _BLOCK) + bytes_below(inside)


def same_filesystem(first: str, second: str) -> bool:
    """Whether two paths are, or will be, on one filesystem."""
    return os.stat(_existing(first)).st_dev == os.stat(_existing(second)).st_dev


def ensure_space(*, cache: str, cache_bytes: int, dest: str, dest_bytes: int) -> None:
    """Refuse a run that cannot end well.

    :param cache_bytes: to be downloaded.
    :param dest_bytes: that the new archive takes; the old one stays until it is replaced.
    :raises SpaceError: says what is needed, what is free, and where.
    """
    other = "or choose another filesystem for cache_dir or dest"
    if same_filesystem(cache, dest):
        require(f"{cache} and {dest}", free_bytes(cache), cache_bytes + dest_bytes, otherwise=other)
    else:
        require(cache, free_bytes(cache), cache_bytes, otherwise=other)
        require(dest, free_bytes(dest), dest_bytes, otherwise=other)


def require(place: str, free: int, needed: int, *, otherwise: str) -> None:
    """Refuse to begin where there is not enough room.

    :param otherwise: what else can be done, beside making room.
    :raises SpaceError: says what is needed, what is free, and where.
    """
    if needed > free:
        raise SpaceError(
            f"not enough space for {place}: {format_size(needed)} are needed, {format_size(free)} are free. "
            f"Free {format_size(needed - free)} more, {otherwise}"
        )


def _existing(path: str) -> str:
    while not os.path.exists(path):
        path = os.path.dirname(path)
    return path
