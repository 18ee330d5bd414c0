# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An archive's files on the controller: which are there, which are missing, and how they get their final names."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

from ansible_collections.airgap.images.plugins.module_utils._errors import LockFileError, SpaceError, StorageError
from ansible_collections.airgap.images.plugins.module_utils._lock import Lock
from ansible_collections.airgap.images.plugins.module_utils._options import DIR
from ansible_collections.airgap.images.plugins.module_utils._size import format_size
from ansible_collections.airgap.images.plugins.module_utils._space import free_bytes

_CHUNK = 1024 * 1024


@dataclass(frozen=True)
class Item:
    """A file that is to be on the controller.

    :param source: its path on the host.
    :param name: its path below the directory on the controller.
    :param size: bytes.
    :param sha256: hex digits.
    """

    source: str
    name: str
    size: int
    sha256: str


@dataclass(frozen=True)
class Place:
    """Where the files of one archive lie on the controller.

    :param directory: absolute path; need not be there yet.
    :param archive: name of the archive.
    """

    directory: str
    archive: str

    @property
    def incoming(self) -> str:
        """Holds what is on its way; a run that was interrupted leaves it for the next one."""
        return os.path.join(self.directory, f".{self.archive}.fetching")

    def final(self, item: Item) -> str:
        return os.path.join(self.directory, item.name)

    def temporary(self, item: Item) -> str:
        return os.path.join(self.incoming, item.name)


def items_of(lock: Lock, source: str) -> list[Item]:
    """The files of an archive, as its lock file names them.

    :param source: path of the archive on the host.
    :raises LockFileError: when a part is named like no part of this archive: it could replace another file.
    """
    folder, archive = os.path.split(source)
    inside = lock.options.get("compress") == DIR
    items = []
    for part in lock.parts:
        name = f"{archive}/{part.name}" if inside else part.name
        if not inside and not _is_part(archive, part.name):
            raise LockFileError(f"{source}.lock.json names {part.name!r}, which is no part of {archive}")
        items.append(Item(os.path.join(folder, name), name, part.size, part.sha256))
    return items


def missing(place: Place, items: Iterable[Item]) -> list[Item]:
    """Those that do not stand under their final names with the right content."""
    return [item for item in items if not is_sound(place.final(item), item)]


def older(place: Place, items: Iterable[Item]) -> list[str]:
    """Paths of files that a reader would take for this archive, and that are none of it."""
    ours = {item.name for item in items}
    return sorted(os.path.join(place.directory, name) for name in _names_there(place) if name not in ours)


def is_sound(path: str, item: Item) -> bool:
    """Whether a regular file with the item's content is there.

    :raises StorageError: when it cannot be read.
    """
    try:
        if os.path.islink(path) or not os.path.isfile(path) or os.path.getsize(path) != item.size:
            return False
        return sha256_of(path) == item.sha256
    except OSError as error:
        raise _explain(error, path) from error


def sha256_of(path: str) -> str:
    """Hex digits."""
    hasher = hashlib.sha256()
    with open(path, "rb") as file:
        for chunk in iter(lambda: file.read(_CHUNK), b""):
            hasher.update(chunk)
    return hasher.hexdigest()


def ensure_space(place: Place, items: Iterable[Item]) -> None:
    """Refuse to begin what cannot end well.

    :param items: that are to be transferred.
    :raises SpaceError: says what is needed, what is free, and where.
    """
    needed, free = sum(item.size for item in items), free_bytes(place.directory)
    if needed > free:
        raise SpaceError(
            f"not enough space in {place.directory} on the controller: {format_size(needed)} are needed, "
            f"{format_size(free)} are free. Free {format_size(needed - free)} more, or choose another directory"
        )


def make_room(place: Place, item: Item) -> str:
    """Make the directory that the item arrives in.

    :returns: the path to write to.
    :raises StorageError: when it cannot be made.
    """
    path = place.temporary(item)
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with suppress(FileNotFoundError):
            os.unlink(path)  # of an interrupted run: it may be a link, or not ours to write to
    except OSError as error:
        raise _explain(error, path) from error
    return path


def publish(place: Place, items: Sequence[Item], outdated: Iterable[str]) -> None:
    """Give what has arrived its final names, in the order of the items, and remove what is of another archive.

    :param items: all of the archive; those that are in place already stay. The lock file is the last.
    :param outdated: paths to remove first.
    :raises StorageError: what has arrived stays for the next run.
    """
    path = place.directory
    try:
        os.makedirs(place.directory, exist_ok=True)
        for path in outdated:
            with suppress(FileNotFoundError):
                os.unlink(path)
        for item in items:
            path = place.final(item)
            if os.path.lexists(place.temporary(item)):
                _settle(place.temporary(item), path)
        if any(item.name.startswith(f"{place.archive}/") for item in items):
            path = os.path.join(place.directory, place.archive)
            _tidy_layout(path)
        shutil.rmtree(place.incoming, ignore_errors=True)
    except OSError as error:
        raise _explain(error, path) from error


def lacks_link(place: Place, lock: Lock) -> bool:
    """Whether the directory of ``compress: dir`` lacks the link that makes it an image layout."""
    link = os.path.join(place.directory, place.archive, "blobs")
    return lock.options.get("compress") == DIR and not os.path.islink(link)


def _settle(temporary: str, final: str) -> None:
    """Rename a file once its bytes are on disk, so that a power cut leaves none of it or all."""
    with open(temporary, "rb") as file:
        os.fsync(file.fileno())
    os.makedirs(os.path.dirname(final), exist_ok=True)
    os.replace(temporary, final)


def _tidy_layout(root: str) -> None:
    """Make the link of the layout, and remove directories that nothing is left in."""
    link = os.path.join(root, "blobs")
    if not os.path.islink(link):
        os.symlink("share", link)
    for folder, _folders, _files in os.walk(root, topdown=False):
        with suppress(OSError):
            os.rmdir(folder)


def _names_there(place: Place) -> Iterator[str]:
    root = os.path.join(place.directory, place.archive)
    if os.path.isdir(root):
        for folder, _folders, files in os.walk(root):
            for name in files:
                path = os.path.join(folder, name)
                if not (os.path.islink(path) and name == "blobs" and folder == root):
                    yield os.path.relpath(path, place.directory)
    with suppress(FileNotFoundError):
        for name in os.listdir(place.directory):
            if _is_part(place.archive, name) and not os.path.isdir(os.path.join(place.directory, name)):
                yield name


def _is_part(archive: str, name: str) -> bool:
    return re.fullmatch(rf"{re.escape(archive)}(\.part[0-9]+)?", name) is not None


def _explain(error: OSError, path: str) -> StorageError:
    return StorageError(f"{error.filename or path} on the controller cannot be read or written: {error.strerror}")
