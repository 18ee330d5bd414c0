# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A new archive that is ready: from the moment its lock file is there, it only has to be put in place.

A run that was killed in between leaves it, and the next one puts it in place.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Mapping

from .._archive.lock import Lock, links_in
from .._archive.lock_file import read_lock_pieces
from .._archive.names import lacking_links, stale_names
from .._archive.output import DIR, Output
from .._base.errors import LockFileError, StorageError
from .._host.disk_errors import reason
from .._host.files import open_regular, pieces_of, sha256_of_open, sync_directory
from .._host.move import replace_directory
from .changes import put_changes, remove_others
from .paths import staging_path

_NO_FILE = frozenset({errno.ENOENT, errno.ENOTDIR, errno.EINVAL, errno.ELOOP})


def is_decided(output: Output) -> bool:
    """Return True if a killed run has left a new archive that only has to be put in place."""
    try:
        return read_ready(output) is not None
    except OSError:
        return True  # it may have, and then it must not be removed


def has_directory_in_place(output: Output) -> bool:
    """Return True if a killed run has put its new directory in place, and its lock file not yet.

    An archive whose files stay has its lock file all the time.
    """
    ready = os.path.join(staging_path(output), "ready")
    is_moved = not os.path.lexists(os.path.join(ready, output.name))
    return is_moved and is_decided(output) and not os.path.lexists(kept_from_path(ready))


def is_damaged(output: Output) -> bool:
    """Return True if a killed run has left a new archive that was damaged since, and cannot be put in place."""
    path = os.path.join(staging_path(output), "ready", os.path.basename(output.lock_file))
    return os.path.lexists(path) and not is_decided(output)


def changes_path(ready: str) -> str:
    """Return the path of the directory beside a ready archive with what is new in a directory that stays in place."""
    return os.path.join(os.path.dirname(ready), "changes")


def kept_from_path(ready: str) -> str:
    """Return the path of the file beside a ready archive that has the sha256 of another archive's lock file.

    It is there only if files of that other archive stay, as the new one has them as well.
    """
    return os.path.join(os.path.dirname(ready), "kept-from")


def sha256_beside(output: Output) -> str:
    """Hash the lock file of the published archive; empty if there is none.

    :raises OSError: when it cannot be read.
    """
    try:
        with open_regular(output.lock_file) as file:
            return sha256_of_open(file)
    except OSError as error:
        if error.errno not in _NO_FILE:
            raise
        return ""


def roll_forward(output: Output, ready: str, lock: Lock) -> None:
    """Put a ready archive in place: stale files out, new ones in, the lock file last. Can be repeated.

    :param lock: the content of the lock file that is ready.
    :raises StorageError: when a file cannot be renamed; what is left stays ready.
    """
    lock_name, changes = os.path.basename(output.lock_file), changes_path(ready)
    changed = False
    try:
        for name in stale_names(output, lock.files):
            os.unlink(os.path.join(output.directory, name))
            changed = True
        if os.path.isdir(changes):
            changed = True
            put_changes(changes, output.dest)
        for name in sorted(set(os.listdir(ready)) - {lock_name}):
            _put(os.path.join(ready, name), os.path.join(output.directory, name))
            changed = True
        if os.path.isdir(changes):
            remove_others(output.dest, lock)
        sync_directory(output.directory)  # the lock file must not be there before what it describes
        os.rename(os.path.join(ready, lock_name), output.lock_file)
        sync_directory(output.directory)
    except OSError as error:
        failure = StorageError(
            f"cannot put the new archive in place at {output.dest}: {reason(error)}. It is complete in {ready}; "
            "the next run continues from there"
        )
        failure.changed = changed
        raise failure from error


def _put(source: str, target: str) -> None:
    """Give a ready file or directory its final name, in place of what is there."""
    if os.path.isdir(source):
        staging = os.path.dirname(os.path.dirname(source))
        data, old = os.path.join(staging, "data"), os.path.join(staging, "old")
        for path in (data, old):
            os.makedirs(path, 0o700, exist_ok=True)
        replace_directory(source, target, aside=old, spare=os.path.join(data, os.path.basename(source)))
    else:
        os.rename(source, target)


def read_ready(output: Output) -> Lock | None:
    """Read the lock file of a new archive that only has to be put in place.

    :returns: ``None`` if there is none, if it or a file of the archive is not as it was written, or if files that were
        to stay are not there any more: it must not replace an archive that may be whole.
    :raises OSError: when that cannot be found out.
    """
    ready = os.path.join(staging_path(output), "ready")
    path = os.path.join(ready, os.path.basename(output.lock_file))
    try:
        with open_regular(path) as file:
            lock = read_lock_pieces(pieces_of(file), path=path)
        sizes = {file.name: file.size for file in lock.files}
        with os.scandir(ready) as entries:
            is_sound = all(_is_as_written(entry, output, sizes) for entry in entries)
        is_sound = is_sound and _has_what_stays(output, ready, lock)
    except LockFileError:
        return None
    except OSError as error:
        if error.errno not in _NO_FILE:
            raise
        return None
    return lock if is_sound else None


def _has_what_stays(output: Output, ready: str, lock: Lock) -> bool:
    """Return True if the published archive is the one whose files stay, and has those that are not new.

    Somebody may have put another directory or a backup there since, which must not be turned into half an archive.
    """
    changes = changes_path(ready)
    try:
        with open_regular(kept_from_path(ready)) as file:
            kept_from = file.read().decode("ascii", "replace")
    except FileNotFoundError:
        return not os.path.lexists(changes)
    if sha256_beside(output) != kept_from:
        return False
    is_directory = output.compress == DIR
    published = output.dest if is_directory else output.directory
    if not all(any(_has(folder, part.name, part.size) for folder in (changes, published)) for part in lock.parts):
        return False
    links = links_in(lock) if is_directory else {}
    old = {name: target for name, target in links.items() if not os.path.lexists(os.path.join(changes, name))}
    return not lacking_links(published, old)


def _has(folder: str, name: str, size: int) -> bool:
    try:
        found = os.lstat(os.path.join(folder, name))
    except OSError as error:
        if error.errno not in _NO_FILE:
            raise
        return False
    return stat.S_ISREG(found.st_mode) and found.st_size == size


def _is_as_written(entry: os.DirEntry[str], output: Output, sizes: Mapping[str, int]) -> bool:
    if entry.name in map(os.path.basename, (output.lock_file, output.checksum_file, *output.companions)):
        return entry.is_file(follow_symlinks=False)
    if output.compress == DIR:
        return entry.name == output.name and entry.is_dir(follow_symlinks=False)
    return entry.is_file(follow_symlinks=False) and entry.stat().st_size == sizes.get(entry.name)
