# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Free space on the filesystems of the target, checked before the first byte."""

from __future__ import annotations

import os
import re
import stat
import sys
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from .._base.errors import SpaceError
from .._base.size import format_size
from .filesystem import PROBE, existing

_LARGEST_BLOCK = 64 * 1024  # filesystems that report more count in other units
_BLOCK = 512  # stat(2), st_blocks
_OCTAL = re.compile(rb"\\([0-7]{3})")


def free_bytes(path: str) -> int:
    """Return the bytes that this user can still write where the path is, or will be."""
    found = os.statvfs(existing(path))
    return found.f_bavail * found.f_frsize


def block_bytes(path: str) -> int:
    """Return the bytes that the smallest file takes where the path is, or will be."""
    return min(os.statvfs(existing(path)).f_frsize, _LARGEST_BLOCK)


def capacity_bytes(path: str) -> int:
    """Return the size of the filesystem where the path is, or will be; unlimited if it does not say."""
    found = os.statvfs(existing(path))
    return found.f_blocks * found.f_frsize or sys.maxsize


def bytes_below(paths: Iterable[str]) -> int:
    """Add up the bytes on disk of files and directories; those that do not exist count as 0."""
    return sum(_bytes_of(path) for path in paths)


def _bytes_of(path: str) -> int:
    try:
        found = os.lstat(path)
        inside = [entry.path for entry in os.scandir(path)] if stat.S_ISDIR(found.st_mode) else []
    except OSError:
        return 0
    is_shared = found.st_nlink > 1 and not stat.S_ISDIR(found.st_mode)  # its bytes stay with another name
    return (0 if is_shared else found.st_blocks * _BLOCK) + bytes_below(inside)


@dataclass(frozen=True)
class Mount:
    """The mount of a path.

    :param number: of the mount: links lead nowhere else, not even to the same filesystem in another place.
    :param filesystem: its device number, which all mounts and subvolumes of it have in common.
    """

    number: str
    filesystem: str


def mount_of(path: str) -> Mount:
    """Find the mount that a path is, or will be, on; a link is not followed (proc(5), fdinfo and mountinfo).

    :raises OSError: when it cannot be inspected.
    """
    path = path if os.path.lexists(path) else existing(path)
    descriptor = os.open(path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        number = _mount_number(descriptor)
        device = os.fstat(descriptor).st_dev
    finally:
        os.close(descriptor)
    return Mount(number, _mounted().get(number, f"{os.major(device)}:{os.minor(device)}"))


def _mount_number(descriptor: int) -> str:
    with suppress(OSError), open(f"/proc/self/fdinfo/{descriptor}", encoding="ascii") as file:
        for line in file:
            if line.startswith("mnt_id:"):
                return line.partition(":")[2].strip()
    return ""


def _mounted() -> dict[str, str]:
    """The filesystem of each mount, by its number."""
    with suppress(OSError), open("/proc/self/mountinfo", encoding="utf-8", errors="replace") as file:
        return {fields[0]: fields[2] for fields in (line.split(" ", 3) for line in file) if len(fields) == 4}
    return {}


def same_filesystem(first: str, second: str) -> bool:
    """Return True if two paths are, or will be, on one filesystem, and so share its room."""
    places = [existing(path) for path in (first, second)]
    return mount_of(places[0]).filesystem == mount_of(places[1]).filesystem


def mount_points_among(paths: Iterable[str]) -> list[str]:
    """Return those of some paths that are mount points, and so cannot be replaced."""
    lines: list[bytes] = []
    with suppress(OSError), open("/proc/self/mountinfo", "rb") as file:
        lines = file.readlines()
    places = {_OCTAL.sub(_as_byte, line.split(b" ", 5)[4]) for line in lines if line.count(b" ") > 4}
    found = []
    for path in paths:
        directory, name = os.path.split(path)
        if os.fsencode(os.path.join(os.path.realpath(directory), name)) in places:
            found.append(path)
    return found


def _as_byte(match: re.Match[bytes]) -> bytes:
    return bytes([int(match.group(1), 8)])


def link_leads(source: str, target: str) -> bool:
    """Return True if a file of one directory can get a second name in another, found out by trying.

    :param target: need not be there yet.
    """
    name = f"{PROBE}{os.urandom(8).hex()}"
    probe, link = os.path.join(source, name), os.path.join(existing(target), name)
    try:
        os.close(os.open(probe, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        os.link(probe, link, follow_symlinks=False)
    except OSError:
        return False
    finally:
        for path in (probe, link):
            with suppress(OSError):
                os.unlink(path)
    return True


@dataclass(frozen=True)
class Demand:
    """Room that is needed somewhere.

    :param place: a directory, which need not be there yet.
    :param size: bytes.
    """

    place: str
    size: int


def ensure_space(demands: Sequence[Demand]) -> None:
    """Refuse a run that cannot end well.

    :param demands: those on one filesystem are added up.
    :raises SpaceError: says what is needed, what is free, and where.
    """
    by_filesystem: dict[str, list[Demand]] = {}
    for demand in demands:
        by_filesystem.setdefault(mount_of(existing(demand.place)).filesystem, []).append(demand)
    for together in by_filesystem.values():
        places = list(dict.fromkeys(demand.place for demand in together))
        needed = sum(demand.size for demand in together)
        other = "or choose another filesystem for cache_dir or dest"
        require(" and ".join(places), free_bytes(together[0].place), needed, otherwise=other)


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
