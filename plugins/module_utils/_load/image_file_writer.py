# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Writes a file of images from archives, and finds out whether it is there already."""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import BinaryIO, Callable

from .._base.buffers import Data
from .._base.errors import BusyError
from .._base.stop import Check
from .._host.disk_errors import explained
from .._host.files import open_regular, sync_directory, temporary_of
from .._oci.image import hex_of
from .._source.archive import Archive
from .._source.blob_reader import BlobReader
from .._source.errors import DamagedPart, MissingBlob, MissingPart, SourceError, SourceGone, WrongLock, WrongOffset
from .contents import LoadImage
from .image_file import ImageFile, Member

_PIECE = 1024 * 1024


def is_there(path: str, file: ImageFile, *, thoroughly: bool, check: Check) -> bool:
    """Return True if a path holds the file.

    :param thoroughly: hash its blobs too; else size, names and documents are compared, which name all blobs.
    :param check: called before each blob; raises when the run is to end.
    :raises StorageError: when it cannot be read.
    """
    try:
        with open_regular(path) as found:
            descriptor = found.fileno()
            return (
                os.fstat(descriptor).st_size == file.size
                and all(_is_begun(descriptor, member) for member in file.members)
                and (not thoroughly or all(_is_whole(found, one, check) for one in file.members if one.digest))
            )
    except FileNotFoundError:
        return False
    except OSError as error:
        raise explained(f"dest: cannot read {path}", error) from error


def _is_begun(descriptor: int, member: Member) -> bool:
    """Return True if a member is where it belongs; of a blob, only its name and size are looked at."""
    expected = member.header + member.raw
    return os.pread(descriptor, len(expected), member.position) == expected


def _is_whole(found: BinaryIO, member: Member, check: Check) -> bool:
    """Return True if the bytes of a blob are those that its digest names."""
    hasher = hashlib.sha256()
    found.seek(member.start)
    left = member.size
    while left:
        check()
        data = found.read(min(left, _PIECE))
        if not data:
            return False
        hasher.update(data)
        left -= len(data)
    return hasher.hexdigest() == hex_of(member.digest)


class FileWriter:
    """Writes a file. It has its name only when it is whole.

    :param manifests: which of the blobs are manifests or indexes, each with an image that has it.
    :param on_written: is told of the bytes of each piece of a blob that was written.
    :param check: called before each piece; raises when the run is to end.
    """

    def __init__(
        self,
        file: ImageFile,
        archives: Sequence[Archive],
        manifests: Mapping[str, LoadImage],
        *,
        on_written: Callable[[int], None],
        check: Check,
    ) -> None:
        self._file = file
        self._archives = archives
        self._manifests = manifests
        self._on_written = on_written
        self._check = check
        self._left = file.blobs()

    def write(self, path: str) -> dict[str, SourceError]:
        """Write the file, and put it in place if all blobs could be read.

        :returns: why blobs could not be read, by digest.
        :raises BusyError: when another run writes the same file.
        :raises StorageError: when it cannot be written.
        :raises SourceGone: when the disk, stick or share with the archive does not answer any more.
        """
        try:
            with _temporary(path) as descriptor:
                failures = self._fill(descriptor)
                if not failures:
                    os.fsync(descriptor)
                    os.replace(temporary_of(path), path)
            if not failures:
                sync_directory(os.path.dirname(path))
        except OSError as error:
            raise explained(f"dest: cannot write {path}", error) from error
        return failures

    def _fill(self, descriptor: int) -> dict[str, SourceError]:
        os.ftruncate(descriptor, 0)
        os.ftruncate(descriptor, self._file.size)
        for member in self._file.members:
            _write(descriptor, member.header + member.raw, member.position)
        failures: dict[str, SourceError] = {}
        for digest, image in self._manifests.items():
            member = self._left.pop(digest)
            try:
                _write(descriptor, image.document(digest), member.start)
            except SourceGone:
                raise
            except SourceError as error:
                failures[digest] = error
        for archive in self._archives:
            if not archive.has_offsets:
                self._fill_in_stream_order(descriptor, archive)
        for digest, member in self._left.items():
            why = self._fill_blob(descriptor, member)
            if why is not None:
                failures[digest] = why
        return failures

    def _fill_in_stream_order(self, descriptor: int, archive: Archive) -> None:
        """Copy what an archive has that can only be read in one pass. What fails is tried again, blob by blob."""
        wanted = [digest for digest in self._left if archive.has(digest)]
        with suppress(DamagedPart, MissingPart, MissingBlob, WrongLock):
            for digest, source in archive.in_stream_order(wanted):
                self._copy(descriptor, source, self._left[digest])
                del self._left[digest]

    def _fill_blob(self, descriptor: int, member: Member) -> SourceError | None:
        """Copy a blob from the first archive where it is whole; returns why there is none."""
        failures: list[SourceError] = []
        for archive in [one for one in self._archives if one.has(member.digest)] or self._archives[:1]:
            try:
                self._copy_from(descriptor, archive, member)
            except SourceGone:
                raise
            except SourceError as error:
                failures.append(error)
            else:
                return None
        return failures[0]

    def _copy_from(self, descriptor: int, archive: Archive, member: Member) -> None:
        """Copy a blob; from its start again where it was found elsewhere than the lock file says."""
        with archive.open_blob(member.digest) as source:
            try:
                self._copy(descriptor, source, member)
            except WrongOffset:
                source.seek(0)
                self._copy(descriptor, source, member)

    def _copy(self, descriptor: int, source: BlobReader, member: Member) -> None:
        """Copy a blob, which the reader compares with its digest.

        :raises WrongLock: when its size is not what its manifest says.
        """
        if source.size != member.size:
            raise WrongLock(
                f"{member.digest} has {source.size} bytes, and its manifest says {member.size}; save the archive again"
            )
        position = member.start
        while data := source.read1(_PIECE):
            self._check()
            _write(descriptor, data, position)
            position += len(data)
            self._on_written(len(data))


@contextmanager
def _temporary(path: str) -> Iterator[int]:
    """Open the file that holds new content, for this run alone. It is removed after the block, unless it was renamed.

    :raises BusyError: when another run has it open.
    """
    temporary = temporary_of(path)
    descriptor = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
    try:
        if not _take(descriptor, temporary):
            raise BusyError(f"dest: another run writes {path}. Let it end, then run again")
        try:
            yield descriptor
        finally:
            with suppress(OSError):
                if os.path.samestat(os.lstat(temporary), os.fstat(descriptor)):
                    os.unlink(temporary)
    finally:
        os.close(descriptor)


def _take(descriptor: int, path: str) -> bool:
    """Lock an open file; returns whether it is this run's alone now, and still has its name."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return os.path.samestat(os.lstat(path), os.fstat(descriptor))
    except (BlockingIOError, FileNotFoundError):
        return False


def _write(descriptor: int, data: Data, position: int) -> None:
    """Write all of some bytes."""
    view = memoryview(data)
    while view:
        count = os.pwrite(descriptor, view, position)
        position += count
        view = view[count:]
