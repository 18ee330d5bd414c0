# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is new in a directory (``compress: dir``) is put among the files that stay; what is left over is removed.

Others may be able to write to the directory. So directories are opened without following links, and names are only used
within them.
"""

from __future__ import annotations

import errno
import os
import shutil
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from itertools import chain

from .._archive.lock import Lock, links_in
from .._host.attributes import copy_alone
from .._host.files import temporary_of


def put_changes(changes: str, target: str) -> None:
    """Move everything below a directory to the same places below another. Can be repeated until it succeeds.

    In each directory, files come last: ``index.json`` names what is in the directories beside it, so that there is no
    moment in which it names something that is not there.

    :raises OSError: when something cannot be moved.
    """
    with _opened(changes) as source, _opened(target) as destination:
        _move_all(source, destination)


def remove_others(target: str, lock: Lock) -> None:
    """Remove everything below a directory that an archive does not have.

    :param lock: of the archive.
    :raises OSError: when something cannot be removed.
    """
    expected = _names_by_directory(chain((part.name for part in lock.parts), links_in(lock)))
    with _opened(target) as descriptor:
        _remove_others(descriptor, "", expected)


def _names_by_directory(paths: Iterable[str]) -> dict[str, set[str]]:
    """Return the names in each directory, by its path; that of the root is empty."""
    found: dict[str, set[str]] = {"": set()}
    for path in paths:
        while path:
            directory, _slash, name = path.rpartition("/")
            is_known = directory in found
            found.setdefault(directory, set()).add(name)
            path = "" if is_known else directory
    return found


def _move_all(source: int, target: int) -> None:
    with os.scandir(source) as entries:
        found = [(not entry.is_dir(follow_symlinks=False), entry.name) for entry in entries]
    for is_file, name in sorted(found):
        there = _kind(name, target)
        if not is_file and there == stat.S_IFDIR:
            with _opened(name, source) as below, _opened(name, target) as below_target:
                _move_all(below, below_target)
            continue
        if there and (not is_file or there == stat.S_IFDIR):  # the kernel only replaces a file by a file
            _remove(name, target)
        _move(name, source, target)
    if found:
        os.fsync(target)


def _move(name: str, source: int, target: int) -> None:
    """Rename a file, link or directory; where the kernel cannot do that, copy it.

    With project quotas, nothing can be renamed into a directory of another project (rename(2), EXDEV).
    """
    try:
        os.rename(name, name, src_dir_fd=source, dst_dir_fd=target)
        return
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
    kind = _kind(name, source)
    temporary = os.path.basename(temporary_of(name))
    if kind == stat.S_IFDIR:
        os.mkdir(name, stat.S_IMODE(os.stat(name, dir_fd=source).st_mode), dir_fd=target)
        with _opened(name, source) as below, _opened(name, target) as below_target:
            _move_all(below, below_target)
        return
    if kind == stat.S_IFLNK:
        with suppress(FileNotFoundError):
            os.unlink(temporary, dir_fd=target)
        os.symlink(os.readlink(name, dir_fd=source), temporary, dir_fd=target)
    else:
        copy_alone(_path(name, source), _path(temporary, target))
    os.rename(temporary, name, src_dir_fd=target, dst_dir_fd=target)


def _remove_others(descriptor: int, folder: str, expected: dict[str, set[str]]) -> None:
    names = expected[folder]
    with os.scandir(descriptor) as entries:
        found = [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries]
    for name, is_directory in found:
        below = f"{folder}/{name}" if folder else name
        if name not in names:
            _remove(name, descriptor)
        elif is_directory and below in expected:
            with _opened(name, descriptor) as inner:
                _remove_others(inner, below, expected)


def _remove(name: str, directory: int) -> None:
    if _kind(name, directory) == stat.S_IFDIR:
        shutil.rmtree(_path(name, directory))
    else:
        os.unlink(name, dir_fd=directory)


def _kind(name: str, directory: int) -> int:
    """Return the kind of file that has a name, as ``st_mode`` has it; 0 if there is none."""
    try:
        return stat.S_IFMT(os.stat(name, dir_fd=directory, follow_symlinks=False).st_mode)
    except FileNotFoundError:
        return 0


def _path(name: str, directory: int) -> str:
    """Return the path of a name in an open directory, whatever the directory's own name is by now."""
    return f"/proc/self/fd/{directory}/{name}"


@contextmanager
def _opened(name: str, directory: int | None = None) -> Iterator[int]:
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(name, flags, dir_fd=directory)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
