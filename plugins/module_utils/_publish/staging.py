# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From a staging directory to the final names: all of a new archive, or the old one untouched.

Everything is written and synced in ``.NAME.staging`` beside ``dest``. The moment its ``ready`` directory holds the lock
file, the new archive is decided: from there on it is only renamed into place, and a run that is killed in between is
completed by the next one.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from .._archive.file_table import FileTable
from .._archive.lock import Lock
from .._archive.lock_file import lock_pieces
from .._archive.names import checksum_pieces, part_names, path_of
from .._archive.output import Output
from .._archive.parts import Part, WrittenFile, explain_write_error
from .._base.errors import BusyError, StorageError
from .._base.stop import Check, go_on
from .._host.attributes import Attributes, give_alone
from .._host.disk_errors import explained
from .._host.files import (
    OF_ARCHIVES,
    make_directories,
    not_for_others,
    sync_directory,
)
from .._host.hold import Hold
from .._host.move import sync_filesystem
from .._host.trust import is_exposed
from .companions import make_companions
from .paths import final_paths, staging_path, tree_paths
from .published import is_rewritten
from .ready import changes_path, is_decided, kept_from_path, read_ready, roll_forward, sha256_beside

if TYPE_CHECKING:
    from .._report.facts import Facts

_LOCK = "lock"
NO_FILES: Mapping[str, WrittenFile] = {}


class Staging:
    """The directory where one archive is made. Only one run at a time holds it.

    :param attributes: those that files are given.
    :param check: called while waiting for another run; raises when this one is to end. A stop ends nothing else here:
        once an archive is about to be put in place, it is put there.
    """

    def __init__(self, output: Output, attributes: Attributes, check: Check = go_on) -> None:
        self._output = output
        self._attributes = attributes
        self._check = check
        self._root = staging_path(output)
        self._data = os.path.join(self._root, "data")
        self._ready = os.path.join(self._root, "ready")
        self._old = os.path.join(self._root, "old")
        self._changes = changes_path(self._ready)
        self._kept_from = kept_from_path(self._ready)

    @contextmanager
    def opened(self, lock_timeout: float) -> Iterator[Staging]:
        """Make the directory, hold it, complete or clear what a killed run left, and remove it at the end."""
        lock = os.path.join(self._root, _LOCK)
        try:
            self._make()
            with Hold(lock, what=f"dest {self._output.dest}", timeout=lock_timeout, check=self._check):
                self._make()  # where others can write, it may be another one by now
                try:
                    self._start_clean()
                    yield self
                finally:
                    self._clear_up()
        finally:
            # With FUSE, a file that was open has another name in there until it is closed.
            with suppress(OSError):
                os.rmdir(self._root)

    def _make(self) -> None:
        try:
            make_directories(self._output.directory, OF_ARCHIVES, above=OF_ARCHIVES)
            with suppress(FileExistsError):
                os.mkdir(self._root, 0o700)
            self._refuse_foreign()
        except OSError as error:
            raise explained(f"cannot write beside dest {self._output.dest}", error) from error

    def _clear_up(self) -> None:
        """Remove everything, except an archive that only has to be put in place.

        The file that is held goes last: from then on, the directory may be another run's.
        """
        if is_decided(self._output):
            return
        shutil.rmtree(self._ready, ignore_errors=True)
        if os.path.lexists(self._ready):
            return  # without what is beside it, it would pass for decided
        for path in (self._data, self._old, self._changes):
            shutil.rmtree(path, ignore_errors=True)
        for path in (self._new, self._record, self._kept_from):
            with suppress(OSError):
                os.unlink(path)
        with suppress(OSError):
            os.unlink(os.path.join(self._root, _LOCK))
            os.rmdir(self._root)

    @property
    def data(self) -> str:
        """The directory that the archive's files are written to; empty at first."""
        return self._data

    @property
    def _new(self) -> str:
        """The path of a small file while it is written; its name is no longer than others have to be."""
        return os.path.join(self._root, "new")

    @property
    def _record(self) -> str:
        """The path of the lock file while everything that it describes is written."""
        return os.path.join(self._root, "record")

    def clear(self) -> None:
        """Start again with an empty :attr:`data`."""
        try:
            _make_empty(self._data)
        except OSError as error:
            raise explain_write_error(error, self._root) from error

    def written(self) -> tuple[int, int]:
        """Return the bytes of the archive that are written so far, and the number of files; for tar files only."""
        try:
            sizes = [entry.stat().st_size for entry in os.scandir(self._data)]
        except OSError:  # it is cleared just now
            return 0, 0
        return sum(sizes), len(sizes)

    def try_attributes(self) -> None:
        """Find out if files can get the attributes asked for, before hours go into making them."""
        path = self._new
        try:
            with open(path, "xb", opener=not_for_others):
                pass
            self._attributes.give(path, self._output.lock_file)
            try:
                self._attributes.protect(path)
            finally:
                self._attributes.lift(path)
            os.unlink(path)
        except OSError as error:
            raise explain_write_error(error, self._root) from error

    def name_parts(self, written: Sequence[WrittenFile] | FileTable) -> Sequence[Part]:
        """Name the files, once their number is known; those of a directory have their names."""
        output = self._output
        if isinstance(written, FileTable):
            return written
        names = part_names(output.name, len(written), split=output.is_split, digits=output.part_digits)
        return [Part(name, file.size, file.sha256) for name, file in zip(names, written)]

    def publish(
        self,
        lock: Lock,
        written: Sequence[WrittenFile] | FileTable,
        facts: Facts | None,
        parity: Mapping[str, WrittenFile] = NO_FILES,
        new: Collection[str] | None = None,
    ) -> None:
        """Put the archive, its checksums, report, script and lock file in place.

        :param written: the files of a new archive; empty if its parts stay.
        :param facts: what the report says beyond the lock file.
        :param parity: the parity files that are new, by name.
        :param new: names of the files that are new, if the others stay in the published directory; ``None``: all are.
        :raises StorageError: the old archive is then as it was, or the next run completes the new one.
        """
        try:
            if isinstance(written, FileTable):
                self._make_tree_ready(new)
            else:
                self._make_parts_ready(lock, written, parity)
            if new is not None or not written:
                self._write_new(self._kept_from, [sha256_beside(self._output).encode()])
                sync_directory(self._root)
            self._make_record_ready(lock, facts)
            roll_forward(self._output, self._ready, lock)
            shutil.rmtree(self._old, ignore_errors=True)
        except OSError as error:
            raise explain_write_error(error, self._root) from error
        if self._output.has_attributes:
            for path in final_paths(self._output, lock):
                self._attributes.protect(path)

    def give(self, path: str, sha256: str) -> None:
        """Give a published file its attributes; a file with other names is first replaced by a copy.

        :param sha256: of its content, in hex digits; empty if that does not matter.
        :raises StorageError: when that cannot be done.
        """
        try:
            give_alone(self._attributes, path, by=self._new, sha256=sha256, check=self._check)
        except OSError as error:
            raise explained(f"cannot give {path} its attributes", error) from error

    def ensure_unchanged(self, lock_sha256: str) -> None:
        """Make sure that the archive is the one that was inspected before this directory was held.

        :param lock_sha256: of the lock file at that time; empty where there was none.
        :raises BusyError: when another run has written it since.
        """
        if is_rewritten(self._output, lock_sha256):
            raise BusyError(f"another run has written {self._output.dest} in the meantime; run again")

    def _refuse_foreign(self) -> None:
        """Refuse a staging directory that somebody else has put there, or may write to."""
        is_directory = stat.S_ISDIR(os.lstat(self._root).st_mode)
        if not is_directory or is_exposed(self._root):
            raise StorageError(
                f"{self._root} is not a directory that only this user can write to; remove it, then run again"
            )

    def publish_beside(self, lock: Lock, facts: Facts | None, parity: Mapping[str, WrittenFile] = NO_FILES) -> None:
        """Write the files beside published parts again, and remove stale parts; see :meth:`publish`."""
        self.publish(lock, [], facts, parity)

    def _start_clean(self) -> None:
        try:
            lock = read_ready(self._output)
            if lock is not None:
                roll_forward(self._output, self._ready, lock)
            for path in (self._ready, self._data, self._old):  # without what is beside it, one would pass for decided
                _make_empty(path)
            _remove(self._changes)
            for path in (self._new, self._record, self._kept_from):
                with suppress(FileNotFoundError):
                    os.unlink(path)
        except OSError as error:
            raise explain_write_error(error, self._root) from error

    def _make_tree_ready(self, new: Collection[str] | None) -> None:
        output, root = self._output, os.path.join(self._data, self._output.name)
        for path in tree_paths(root):
            give_alone(self._attributes, path, final=output.dest + path[len(root) :], by=self._new)
        sync_filesystem(root)
        os.rename(root, os.path.join(self._ready, output.name) if new is None else self._changes)

    def _make_parts_ready(self, lock: Lock, written: Sequence[WrittenFile], parity: Mapping[str, WrittenFile]) -> None:
        new = [*zip(lock.parts, written), *((one, parity[one.name]) for one in lock.parity if one.name in parity)]
        for part, file in new:
            self._attributes.give(file.path, path_of(self._output, part))
            os.rename(file.path, os.path.join(self._ready, part.name))

    def _make_record_ready(self, lock: Lock, facts: Facts | None) -> None:
        output = self._output
        lock_sha256 = self._write_new(self._record, lock_pieces(lock))
        self._write_new(self._new, checksum_pieces(output, lock.parts))
        self._put_ready(self._new, os.path.basename(output.checksum_file))
        for suffix, pieces in make_companions(output.name, lock, lock_sha256, facts):
            self._write(f"{output.name}{suffix}", pieces)
        sync_directory(self._ready)
        self._put_ready(self._record, os.path.basename(output.lock_file))
        sync_directory(self._ready)

    def _write(self, name: str, pieces: Iterable[bytes]) -> None:
        """Write a small file that appears in ``ready`` whole or not at all."""
        self._write_new(self._new, pieces)
        self._put_ready(self._new, name)

    def _write_new(self, path: str, pieces: Iterable[bytes]) -> str:
        """Write a file beside ``ready``, and return its sha256 in hex digits."""
        hasher = hashlib.sha256()
        with open(path, "wb", opener=not_for_others) as file:
            for piece in pieces:
                hasher.update(piece)
                file.write(piece)
            file.flush()
            os.fsync(file.fileno())
        return hasher.hexdigest()

    def _put_ready(self, path: str, name: str) -> None:
        self._attributes.give(path, os.path.join(self._output.directory, name))
        os.rename(path, os.path.join(self._ready, name))


def _make_empty(path: str) -> None:
    """Make an empty directory of our own, in place of whatever is there.

    :raises OSError: when that could not be removed.
    """
    _remove(path)
    os.mkdir(path, 0o700)


def _remove(path: str) -> None:
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path)
    elif os.path.lexists(path):
        os.unlink(path)
