# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Directories that others may write to: which of them are trusted.

The rule is that of OpenSSH's ``StrictModes`` (sshd_config(5)), except for groups, which the owner of a directory chose.
Where files have no owners or modes of their own, as on USB sticks, those that the mount gives to all of them count.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cache

from .filesystem import PROBE, existing, filesystem_of, keeps_modes

_MOST_LINKS = 40


def distrust(path: str) -> str:
    """Explain why others could write to a directory, or put another one in its place.

    The owners of the directories above are trusted, because they gave this user a place in theirs.

    :param path: absolute; components that do not exist yet are skipped.
    :returns: a clause for the user; empty if only this user and root can.
    :raises OSError: when it cannot be inspected.
    """
    path = os.path.abspath(path)
    here = _Here(path)
    for parent, name in _lookups(path):
        found, entry = os.stat(parent), _lstat(os.path.join(parent, name))
        if not _is_open(found) or _keeps(found, entry):
            continue
        if not found.st_mode & stat.S_ISVTX:
            mode = f"{stat.S_IMODE(found.st_mode):04o}{here.distrust_of_mount(found)}"
            return f"anyone can replace what is in {parent} (mode {mode})"
        if not here.is_ours(found):
            return f"{parent} belongs to user {found.st_uid}, who can replace what is in it"
        if entry is not None and not here.is_ours(entry):
            return f"{os.path.join(parent, name)} was put there by user {entry.st_uid}"
    if os.path.lexists(path):
        return distrust_directory(path, here)
    # Where a mount gives all files one owner and mode, what will be made is as what is there.
    place = existing(path)
    return "" if filesystem_of(place).has_modes else distrust_directory(place, here)


def distrust_directory(path: str, here: _Here | None = None) -> str:
    """Explain why others could write to a directory that nobody else can replace.

    :returns: a clause for the user; empty if only this user, root and its group can.
    :raises OSError: when it cannot be inspected.
    """
    here = here or _Here(path)
    found = os.stat(path)
    if not stat.S_ISDIR(found.st_mode):
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), path)
    if not here.is_ours(found):
        return f"{path} belongs to user {found.st_uid}{here.distrust_of_mount(found)}"
    if _is_open(found):
        mode = f"{stat.S_IMODE(found.st_mode):04o}{here.distrust_of_mount(found)}"
        return f"anyone can write to {path} (mode {mode})"
    return ""


def is_exposed(path: str) -> bool:
    """Return True if somebody else has made a directory, or can write to it.

    On filesystems without owners or modes, always False: the mount decides who can write there.

    :raises OSError: when it cannot be inspected, or is not a directory.
    """
    here = _Here(path)
    return bool(distrust_directory(path, here)) and not here.distrust_of_mount(os.stat(path))


@dataclass(frozen=True)
class _Made:
    """Owner and mode that a file of ours gets on a filesystem, made so that only we can read it."""

    device: int
    owner: int
    keeps_modes: bool


class _Here:
    """Our identity on a filesystem: exports map users, and some mounts give all files one owner and mode."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._made: _Made | None = None
        self._is_known = False

    def is_ours(self, found: os.stat_result) -> bool:
        """Return True if a file is this user's or root's."""
        if found.st_uid in _trusted_users():
            return True
        made = self._probe()
        # A mount that gives all files one owner gives them to that user; an export only calls us by another number.
        is_mapped = made is not None and (made.device, made.owner) == (found.st_dev, found.st_uid)
        return made is not None and is_mapped and made.keeps_modes

    def distrust_of_mount(self, found: os.stat_result) -> str:
        """Say what to do if all files of that filesystem have one owner and mode; empty if each has its own."""
        made = self._probe()
        if made is None or made.device != found.st_dev or made.keeps_modes:
            return ""
        options = f"uid={os.geteuid()},umask=077"
        return f"; all files there have one owner and mode, which their mount says: mount it with {options}"

    def _probe(self) -> _Made | None:
        if not self._is_known:
            self._made, self._is_known = _make_probe(existing(self._path)), True
        return self._made


def _make_probe(directory: str) -> _Made | None:
    path = os.path.join(directory, f"{PROBE}{os.urandom(8).hex()}")
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except OSError:
        return None
    try:
        found = os.fstat(descriptor)  # by the descriptor: the name may be another's by now
        return _Made(found.st_dev, found.st_uid, keeps_modes(descriptor))
    finally:
        os.close(descriptor)
        with suppress(OSError):
            os.unlink(path)


def _lookups(path: str) -> Iterator[tuple[str, str]]:
    """Yield the directories that the kernel searches for a path, and the names; links are followed."""
    directory, names, links = "/", path.split("/")[::-1], 0
    while names:
        name = names.pop()
        if name in ("", "."):
            continue
        if name == "..":
            directory = os.path.dirname(directory)
            continue
        yield directory, name
        full = os.path.join(directory, name)
        found = _lstat(full)
        if found is None:
            return
        if stat.S_ISLNK(found.st_mode):
            links += 1
            if links > _MOST_LINKS:
                raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)
            target = os.readlink(full)
            directory = "/" if target.startswith("/") else directory
            names += target.split("/")[::-1]
        else:
            directory = full


def _lstat(path: str) -> os.stat_result | None:
    try:
        return os.lstat(path)
    except FileNotFoundError:
        return None


def _keeps(directory: os.stat_result, entry: os.stat_result | None) -> bool:
    """Return True if a directory that anyone can write to leaves an entry to its owner, and both are to be trusted."""
    is_sticky = bool(directory.st_mode & stat.S_ISVTX)
    return is_sticky and {directory.st_uid, *([entry.st_uid] if entry else [])} <= _trusted_users()


@cache
def _trusted_users() -> frozenset[int]:
    """Return this user and root; where root has no number here (user_namespaces(7)), the overflow user instead."""
    users = {0, os.geteuid()}
    with suppress(OSError, ValueError):
        with open("/proc/self/uid_map", encoding="ascii") as file:
            ranges = [[int(word) for word in line.split()] for line in file]
        if not any(first == 0 for first, _outside, _count in ranges):
            with open("/proc/sys/kernel/overflowuid", encoding="ascii") as file:
                users.add(int(file.read()))
    return frozenset(users)


def _is_open(found: os.stat_result) -> bool:
    return bool(found.st_mode & stat.S_IWOTH)
