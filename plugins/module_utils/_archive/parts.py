# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The files that an archive is cut into, written and hashed in one pass."""

from __future__ import annotations

import errno
import hashlib
import math
import os
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import BinaryIO, Callable

from .._base.buffers import Data
from .._base.errors import OptionError, SpaceError, StorageError
from .._base.parallel import parallel_map
from .._base.size import exact_size, format_bytes, format_size, handy_size
from .._base.stop import go_on
from .._host.disk_errors import explained, remedy
from .._host.files import not_for_others

MAX_PARTS = 10_000
_SYNC_EVERY = 64 * 1024 * 1024
_SYNC_FILES = 64  # at most so many whole files wait to be brought to disk
_SYNCS_AT_ONCE = 8  # one entry of the filesystem's journal is for all of them


@dataclass(frozen=True)
class Part:
    """One file of a published archive.

    :param name: its name beside ``dest``; for ``dir`` its path below it.
    :param size: bytes.
    :param sha256: hex digits.
    """

    name: str
    size: int
    sha256: str


@dataclass(frozen=True)
class WrittenFile:
    """A file in the staging directory, on disk to the last byte."""

    path: str
    size: int
    sha256: str


def at_once(action: Callable[[], None]) -> None:
    """Run an action, as a stage of actions does."""
    action()


class PartWriter:
    """Cuts a stream into files ``0``, ``1``, … of a directory: at exact byte counts, and where it is told to.

    :param directory: exists and is empty.
    :param part_size: bytes of each file at most; ``None``: it is not cut for its size.
    :param behind: runs actions in their order, perhaps on another thread, so that the disk can flush while more is
        written.
    :param only: numbers of the files that are kept; the others are not written at all. ``None``: all are.
    :ivar written: the files that are kept; on disk to the last byte once ``behind`` has run everything.
    """

    def __init__(
        self,
        directory: str,
        part_size: int | None,
        behind: Callable[[Callable[[], None]], None] = at_once,
        only: Collection[int] | None = None,
    ) -> None:
        self._directory = directory
        self._part_size = part_size
        self._behind = behind
        self._file: BinaryIO | None = None
        self._files: list[BinaryIO] = []
        self._whole: list[BinaryIO] = []
        self._hasher = hashlib.sha256()
        self._size = 0
        self._unsynced = 0
        self._only = only
        self._number = 0
        self.written: list[WrittenFile] = []

    def write(self, data: Data) -> None:
        """Write on, over as many files as it takes.

        :raises SpaceError: when the filesystem is full.
        :raises StorageError: when it cannot be written otherwise.
        """
        view = memoryview(data)
        while len(view):
            room = len(view) if self._part_size is None else self._part_size - self._size
            if room == 0:
                self._close()
                continue
            self._write_here(view[:room])
            view = view[room:]

    def end_file(self) -> None:
        """Begin another file with the next byte."""
        self._close()

    def finish(self) -> None:
        """Close the last file."""
        if self._file is not None or not self._number:
            self._write_here(memoryview(b""))
            self._close()
        self._sync()

    def abort(self) -> None:
        """Close open files, and leave them to the owner of the directory; no action may still be running."""
        for file in self._files:
            file.close()

    def _write_here(self, view: memoryview) -> None:
        if self._only is not None and self._number not in self._only:
            self._size += len(view)
            return
        try:
            if self._file is None:
                self._file = open(  # noqa: SIM115  # closed by _close
                    self._path(), "xb", buffering=0, opener=not_for_others
                )
                self._files.append(self._file)
                self._hasher = hashlib.sha256()
                self._size = 0
            self._hasher.update(view)
            done = 0
            while done < len(view):
                done += self._file.write(view[done:]) or 0
            self._size += len(view)
            self._unsynced += len(view)
        except OSError as error:
            raise explain_write_error(error, self._directory) from error
        if self._unsynced >= _SYNC_EVERY:
            self._sync()

    def _close(self) -> None:
        if self._file is not None:
            self._whole.append(self._file)
            self.written.append(WrittenFile(self._path(), self._size, self._hasher.hexdigest()))
            self._file = None
            if len(self._whole) >= _SYNC_FILES:
                self._sync()
        elif not self._size:
            return
        self._number += 1
        self._size = 0

    def _sync(self) -> None:
        """Have all that was written brought to disk, and whole files closed."""
        whole, self._whole = self._whole, []
        files = whole if self._file is None else [*whole, self._file]

        def sync() -> None:
            try:
                _fsync(files)
                for file in whole:
                    file.close()
            except OSError as error:
                raise explain_write_error(error, self._directory) from error

        self._unsynced = 0
        self._behind(sync)

    def _path(self) -> str:
        return os.path.join(self._directory, str(self._number))


def _fsync(files: Sequence[BinaryIO]) -> None:
    """Wait until files are on disk.

    :raises OSError: when the disk did not accept one of them.
    """
    parallel_map(
        lambda file: os.fsync(file.fileno()),
        files,
        workers=_SYNCS_AT_ONCE,
        timeout=math.inf,
        late=lambda _file: None,
        check=go_on,
    )


def most_parts(pieces: Sequence[int], part_size: int | None) -> int:
    """Return how many parts an archive has at most.

    :param pieces: upper estimates of its bytes between two places where a part ends in any case.
    """
    return sum(1 if part_size is None else -(-size // part_size) for size in pieces if size)


def check_part_count(pieces: Sequence[int], part_size: int | None) -> None:
    """Refuse what would give an absurd number of files.

    :param pieces: as :func:`most_parts` has them.
    :raises OptionError: names the least size of a part, unless there are too many pieces.
    """
    count, least_count = most_parts(pieces, part_size), most_parts(pieces, None)
    if count <= MAX_PARTS:
        return
    if part_size is None or least_count > MAX_PARTS:
        raise OptionError(
            f"part_at: at least {least_count} parts would be needed, as each image begins one; at most {MAX_PARTS} are "
            f"accepted. Leave part_at out, or save the list as several archives"
        )
    room = MAX_PARTS + 1 - least_count  # a piece has one part that is not full, and others that are
    least = exact_size(-(-sum(pieces) // room))
    raise OptionError(
        f"part_size: {part_size} bytes would make up to {count} parts; at most {MAX_PARTS} are accepted, so give at "
        f"least {least}"
    )


def check_part_fits(pieces: Sequence[int], part_size: int | None, largest: int, place: str) -> None:
    """Refuse files that are too large for the filesystem: FAT32 takes 4 GiB less one byte.

    :param pieces: as :func:`most_parts` has them.
    :param largest: bytes that a file may have there.
    :raises OptionError: names a size that fits.
    """
    longest = max(pieces) if part_size is None else min(part_size, max(pieces))
    if longest > largest:
        whole = "the archive" if len(pieces) == 1 else "a part with one image"
        what = whole if part_size is None else f"a part of {exact_size(part_size)}"
        raise OptionError(
            f"part_size: {what} may have up to {format_bytes(longest)}, and a file in {place} may have "
            f"{format_bytes(largest)} at most; set part_size to {handy_size(largest)}, or choose a directory on "
            "another filesystem"
        )


def explain_write_error(error: OSError, place: str) -> StorageError | SpaceError:
    """Make the error for a write that failed: why, and what to do."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        free = ""
        try:
            found = os.statvfs(place)
            free = f": {format_size(found.f_bavail * found.f_frsize)} and {found.f_favail} files are free"
        except OSError:
            pass
        what = "no space left" if error.errno == errno.ENOSPC else "the quota leaves no space"
        return SpaceError(f"{what} to write the archive in {os.path.dirname(place)}{free}. {remedy(error)}")
    return explained(f"cannot write the archive in {os.path.dirname(place)}", error)
