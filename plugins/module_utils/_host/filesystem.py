# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The capabilities of the filesystem of a directory, found out by trying.

exFAT and FAT32, which USB sticks have, have neither links nor modes nor owners, record no ctime, and treat ``A`` and
``a`` as one name; files on FAT32 are smaller than 4 GiB. Mount options take some of that from other filesystems.
"""

from __future__ import annotations

import errno
import os
import re
import resource
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

PROBE = ".airgap-images-probe-"
FAT_LIMIT = 2**32 - 1
"""Bytes that a file on FAT32 has at most."""

# vfat and exfat say EPERM, FUSE ENOSYS, network filesystems EOPNOTSUPP.
_CANNOT = frozenset({errno.EPERM, errno.ENOSYS, errno.EOPNOTSUPP})
_LONG_AGO_NS = 1_000_000_000 * 10**9  # in 2001; even, for filesystems that count in two seconds


@dataclass(frozen=True)
class Filesystem:
    """The capabilities of a filesystem.

    :param has_symlinks: whether it has symbolic links.
    :param has_modes: whether a file gets the mode that is asked for; otherwise mode and owner come from the mount.
    :param tells_changes: whether it records when a file was changed (``st_ctime``), so that no change goes unnoticed.
    :param largest_file: bytes that a file may have, also by this process's limit (setrlimit(2), RLIMIT_FSIZE).
    """

    has_symlinks: bool = True
    has_modes: bool = True
    tells_changes: bool = True
    largest_file: int = sys.maxsize


_known: dict[int, Filesystem] = {}


def filesystem_of(path: str) -> Filesystem:
    """Find out what the filesystem that a path is, or will be, on can do. Each filesystem is tried once.

    If it supports files without a name, that leaves no trace; else a file is made and removed.

    :returns: all capabilities if no file can be made: the caller will then fail at that.
    """
    directory = existing(path)
    try:
        device = os.stat(directory).st_dev
        if device not in _known:
            _known[device] = _try(directory)
        return _known[device]
    except OSError:
        return Filesystem(tells_changes=False, largest_file=_limit_of_process())


def ignores_case(path: str) -> bool:
    """Return True if two names that differ by case are one where the path is, or will be."""
    try:
        with _probe_directory(existing(path)) as place, open(os.path.join(place, "a"), "xb"):
            return os.path.lexists(os.path.join(place, "A"))
    except OSError:
        return False


def link_if_possible(target: str, path: str) -> bool:
    """Make a symbolic link, unless the filesystem has none.

    :returns: True if it was made.
    :raises OSError: when it cannot be made for another reason.
    """
    try:
        os.symlink(target, path)
    except OSError as error:
        if error.errno not in _CANNOT or filesystem_of(os.path.dirname(path)).has_symlinks:
            raise
        return False
    return True


def set_mode(path: str, mode: int) -> None:
    """Give a file of ours a mode, unless the filesystem has none.

    :raises OSError: when it cannot be given for another reason.
    """
    try:
        os.chmod(path, mode)
    except OSError as error:
        if error.errno not in _CANNOT or filesystem_of(os.path.dirname(path)).has_modes:
            raise


def spelled_otherwise(directory: str, name: str) -> str:
    """Find the name of a file in a directory that spells it differently by case only.

    :returns: that name; empty if there is none, or the two are different files.
    """
    try:
        if not os.path.lexists(os.path.join(directory, name)):
            return ""
        names = os.listdir(directory)
    except OSError:
        return ""
    # Numbers of inodes tell nothing: with FUSE, each spelling has its own.
    alike = [other for other in names if other.lower() == name.lower()]
    return "" if name in names or not alike else alike[0]


def existing(path: str) -> str:
    """Return the path if it is a directory, or its nearest parent that is."""
    path = os.path.abspath(path)
    while not os.path.isdir(path) and path != "/":
        path = os.path.dirname(path)
    return path


def keeps_modes(descriptor: int) -> bool:
    """Return True if a new file that was made with mode 0600 has it, and gets another one when told to."""
    if stat.S_IMODE(os.fstat(descriptor).st_mode) != 0o600:
        return False
    try:
        os.fchmod(descriptor, 0o400)
    except OSError:
        return False
    return stat.S_IMODE(os.fstat(descriptor).st_mode) == 0o400


def _try(directory: str) -> Filesystem:
    try:
        descriptor = os.open(directory, os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o600)
    except OSError as error:
        if error.errno not in (*_CANNOT, errno.EISDIR, errno.ENOENT):  # the last two: a kernel that does not know it
            raise
        with _probe_directory(directory) as place:
            descriptor = os.open(os.path.join(place, "file"), os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            return _look(descriptor, has_symlinks=_makes_symlink(place))
    # What has files without a name counts the names of a file, and has links.
    return _look(descriptor, has_symlinks=True)


def _look(descriptor: int, *, has_symlinks: bool) -> Filesystem:
    try:
        has_modes = keeps_modes(descriptor)
        return Filesystem(
            has_symlinks=has_symlinks,
            has_modes=has_modes,
            # exFAT's driver has a time of change in memory, but not on disk.
            tells_changes=has_modes and _tells_changes(descriptor),
            largest_file=min(_largest_file(descriptor), _limit_of_process()),
        )
    finally:
        os.close(descriptor)


def _makes_symlink(place: str) -> bool:
    try:
        os.symlink("file", os.path.join(place, "link"))
    except OSError:
        return False
    return True


def _tells_changes(descriptor: int) -> bool:
    """Return True if the time of change stays when the time of the content is set to an old one."""
    os.utime(descriptor, ns=(_LONG_AGO_NS, _LONG_AGO_NS))
    return os.fstat(descriptor).st_ctime_ns > _LONG_AGO_NS


def _largest_file(descriptor: int) -> int:
    """Bytes that a file may have: how far one can go in it (lseek(2), EINVAL). Nothing is written for that."""
    if _is_fat_in_userspace(os.fstat(descriptor).st_dev):
        return FAT_LIMIT
    low, high = 0, sys.maxsize
    while low < high:
        middle = high - (high - low) // 2
        try:
            os.lseek(descriptor, middle, os.SEEK_SET)
            low = middle
        except OSError:
            high = middle - 1
    return low or sys.maxsize


def _is_fat_in_userspace(device: int) -> bool:
    """Return True for FAT by FUSE, where the kernel knows no limit and only a name shows it (proc(5), mountinfo)."""
    number = f"{os.major(device)}:{os.minor(device)}"
    with suppress(OSError), open("/proc/self/mountinfo", encoding="utf-8", errors="replace") as file:
        for line in file:
            fields, _dash, more = line.partition(" - ")
            if fields.split()[2] == number:
                kind = more.split()[0]
                return kind.startswith("fuse") and "fat" in kind and "exfat" not in kind
    return False


def is_mount_point(path: str) -> bool:
    """Return True if something is mounted at a path, also a part of the same filesystem (``mount --bind``).

    What is a mount point can be neither renamed nor replaced. Where there is no /proc, only another filesystem shows,
    and only at a directory: on an overlay, files have other numbers of devices than directories.
    """
    path = os.path.join(os.path.realpath(os.path.dirname(path)), os.path.basename(path))
    is_other = os.path.isdir(path) and os.path.ismount(path)
    return is_other or os.fsencode(path) in _mount_points()


def _mount_points() -> Iterator[bytes]:
    """Paths of all mount points that this process sees (proc(5), mountinfo)."""
    with suppress(OSError), open("/proc/self/mountinfo", "rb") as file:
        for line in file:
            # Blanks, line ends and backslashes are written as octal numbers.
            yield re.sub(rb"\\([0-7]{3})", lambda found: bytes([int(found[1], 8)]), line.split()[4])


def _limit_of_process() -> int:
    soft = resource.getrlimit(resource.RLIMIT_FSIZE)[0]
    return sys.maxsize if soft == resource.RLIM_INFINITY else soft


@contextmanager
def _probe_directory(directory: str) -> Iterator[str]:
    path = tempfile.mkdtemp(prefix=PROBE, dir=directory)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)
