# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Mode, owner and similar attributes of published files, which are given only to files without other names.

A file of a directory (``compress: dir``) is often one with a blob of the cache and of other archives, and any file may
have got a second name from a program that makes backups. What is given to one name is given to all of them.
"""

from __future__ import annotations

import array
import fcntl
import hashlib
import os
import stat
import sys
from collections.abc import Iterable
from contextlib import suppress
from typing import Protocol

from .._base.errors import StorageError
from .._base.stop import Check, go_on
from .files import not_for_others, open_regular

_CHUNK = 1024 * 1024
# ioctl_iflags(2): _IOR('f', 1, long)
_GET_FLAGS = 0x80086601 if sys.maxsize > 2**32 else 0x80046601
_IMMUTABLE, _APPEND_ONLY = 0x10, 0x20

PROTECTING = frozenset("ia")
"""Flags of chattr(1) that keep a file from being changed, removed and named anew."""


class Attributes(Protocol):
    """The attributes that files are given. ``final`` is the path that a file will have, if it is another."""

    def differ(self, path: str, final: str = "") -> bool:
        """Return True if :meth:`give` would change something."""

    def give(self, path: str, final: str = "") -> bool:
        """Give a path all but flags that protect it.

        :returns: whether something differed.
        :raises StorageError: when it cannot be given.
        """

    def lack_protection(self, path: str) -> bool:
        """Return True if :meth:`protect` would change something."""

    def protect(self, path: str) -> None:
        """Give a path the flags that protect it, if any were asked for: from then on it cannot be replaced."""

    def lift(self, path: str) -> None:
        """Take away again what :meth:`protect` gave."""

    def frees(self, flags: frozenset[str]) -> bool:
        """Return True if :meth:`give` takes away all of these flags that protect a file."""


class NoAttributes:
    """Files stay as they are made."""

    def differ(self, path: str, final: str = "") -> bool:
        return False

    def give(self, path: str, final: str = "") -> bool:
        return False

    def lack_protection(self, path: str) -> bool:
        return False

    def protect(self, path: str) -> None:
        pass

    def lift(self, path: str) -> None:
        pass

    def frees(self, flags: frozenset[str]) -> bool:
        return not flags


def is_shared(path: str) -> bool:
    """Return True if a file has other names; a directory has none, whatever its count says."""
    try:
        found = os.lstat(path)
    except OSError:
        return False
    return stat.S_ISREG(found.st_mode) and found.st_nlink > 1


def give_alone(
    attributes: Attributes, path: str, *, by: str, final: str = "", sha256: str = "", check: Check = go_on
) -> bool:
    """Give a path its attributes; a file with other names is first replaced by a copy, atomically.

    :param by: path of the copy until it is whole, on the same filesystem.
    :param final: the path that it will have, if it is another.
    :param sha256: of the file's content, in hex digits; empty if that does not matter.
    :param check: raises when the run is to end.
    :returns: whether something differed.
    :raises OSError: when it cannot be copied.
    :raises StorageError: when they cannot be given.
    """
    if not (is_shared(path) and attributes.differ(path, final)):
        return attributes.give(path, final)
    try:
        if copy_alone(path, by, check) != sha256 and sha256:
            raise StorageError(
                f"{path} does not have the bytes that the lock file records; run again with verify=digest, which "
                "makes the archive again"
            )
        attributes.give(by, final or path)
        os.replace(by, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(by)
        raise
    return True


def copy_alone(path: str, target: str, check: Check = go_on) -> str:
    """Copy a file with its mode, times and, if this user is allowed to, its owner, and flush it to disk.

    :returns: the sha256 of what was copied, in hex digits.
    :raises OSError: when it cannot be read or written.
    """
    hasher = hashlib.sha256()
    with suppress(FileNotFoundError):
        os.unlink(target)
    with open_regular(path) as source, open(target, "xb", opener=not_for_others) as written:
        for chunk in iter(lambda: source.read(_CHUNK), b""):
            check()
            hasher.update(chunk)
            written.write(chunk)
        written.flush()
        _copy_attributes(source.fileno(), written.fileno())
        os.fsync(written.fileno())
    return hasher.hexdigest()


def _copy_attributes(source: int, target: int) -> None:
    """Give an open file what another has. By its path, it could be another file by now."""
    found = os.fstat(source)
    with suppress(PermissionError):
        os.fchown(target, found.st_uid, found.st_gid)
    with suppress(OSError):  # there may be none on either filesystem
        for name in os.listxattr(source):
            with suppress(OSError):
                os.setxattr(target, name, os.getxattr(source, name))
    os.fchmod(target, stat.S_IMODE(found.st_mode))
    os.utime(target, ns=(found.st_atime_ns, found.st_mtime_ns))


def protection_of(path: str) -> frozenset[str]:
    """Return the flags of a file or directory that keep it from being replaced; none if its filesystem has none."""
    flags = array.array("l", [0])
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return frozenset()
    try:
        fcntl.ioctl(descriptor, _GET_FLAGS, flags)
    except OSError:
        return frozenset()
    finally:
        os.close(descriptor)
    letters = {"i": flags[0] & _IMMUTABLE, "a": flags[0] & _APPEND_ONLY}
    return frozenset(letter for letter, is_set in letters.items() if is_set)


def refuse_protected(paths: Iterable[str], attributes: Attributes | None = None) -> None:
    """Make sure that files can be replaced, or given attributes, before anything is done.

    :param attributes: those that they are to be given; ``None``: they are to be replaced.
    :raises StorageError: names the first that cannot, and what to do.
    """
    for path in paths:
        flags = protection_of(path)
        if flags and not (attributes is not None and attributes.frees(flags) and not is_shared(path)):
            shown = "".join(sorted(flags))
            raise StorageError(
                f"{path} is protected (lsattr shows {shown}), so it cannot be changed or replaced. Remove these flags "
                f"with chattr -{shown} on all files of the archive, or name another dest"
            )
