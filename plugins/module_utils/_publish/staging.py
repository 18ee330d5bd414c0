# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From a staging directory to the final names: all of a new archive, or the old one untouched.

Everything is written and synced in ``.NAME.staging`` beside ``dest``. The moment its ``ready`` directory holds the lock
file, the new archive is decided: from there on it is only renamed into place, and a run that is killed in between is
completed by the next one.
"""

from __future__ import annotations

import errno
import os
import shutil
import stat
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from .._archive.lock import Lock
from .._archive.lock_file import read_lock, write_lock
from .._archive.names import checksum_lines, part_names, path_of, stale_names
from .._archive.output import DIR, Output
from .._archive.parts import Part, WrittenFile, explain_write_error
from .._base.errors import BusyError, LockFileError, StorageError
from .._base.stop import Check, go_on
from .._host.attributes import Attributes, give_alone
from .._host.disk_errors import explained, reason
from .._host.files import (
    OF_ARCHIVES,
    make_directories,
    not_for_others,
    open_regular,
    sync_directory,
)
from .._host.hold import Hold
from .._host.move import replace_directory, sync_filesystem
from .._host.trust import is_exposed
from .companions import make_companions
from .published import is_rewritten

if TYPE_CHECKING:
    from .._report.facts import Facts

_LOCK = "lock"
_NO_FILE = frozenset({errno.ENOENT, errno.ENOTDIR, errno.EINVAL, errno.ELOOP})


class Staging:
    """The place where one archive is made. Only one run at a time has it.

    :param attributes: what files are given beside their content.
    :param check: is asked while another run is waited for; raises when this one is to end. Nothing else here is ended
        by a stop: once an archive is about to be put in place, it is.
    """

    def __init__(self, output: Output, attributes: Attributes, check: Check = go_on) -> None:
        self._output = output
        self._attributes = attributes
        self._check = check
        self._root = staging_path(output)
        self._data = os.path.join(self._root, "data")
        self._ready = os.path.join(self._root, "ready")
        self._old = os.path.join(self._root, "old")

    @contextmanager
    def opened(self, lock_timeout: float) -> Iterator[Staging]:
        """Make the directory, hold it, complete or clear what a killed run left, and remove it at the end."""
        lock = os.path.join(self._root, _LOCK)
        try:
            self._make()
            with Hold(lock, what=f"dest {self._output.dest}", timeout=lock_timeout, check=self._check):
                self._make()  # where others may write, it may be another by now
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
        """Remove all but an archive that only has to be put in place.

        The lock file goes last: from then on, the directory may be another run's.
        """
        if is_decided(self._output):
            return
        for path in (self._data, self._ready, self._old):
            shutil.rmtree(path, ignore_errors=True)
        with suppress(OSError):
            os.unlink(self._new)
        with suppress(OSError):
            os.unlink(os.path.join(self._root, _LOCK))
            os.rmdir(self._root)

    @property
    def data(self) -> str:
        """Where the archive's files are written; empty at first."""
        return self._data

    @property
    def _new(self) -> str:
        """What is to become one small file, while it is written; its name is no longer than others need be."""
        return os.path.join(self._root, "new")

    def clear(self) -> None:
        """Start again with an empty :attr:`data`."""
        try:
            _make_empty(self._data)
        except OSError as error:
            raise explain_write_error(error, self._root) from error

    def written(self) -> tuple[int, int]:
        """Bytes of the archive that are written so far, and in how many files; for a tar file only."""
        try:
            sizes = [entry.stat().st_size for entry in os.scandir(self._data)]
        except OSError:  # it is cleared just now
            return 0, 0
        return sum(sizes), len(sizes)

    def try_attributes(self) -> None:
        """Find out whether files may get the attributes asked for, before hours go into making them."""
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

    def name_parts(self, written: Sequence[WrittenFile]) -> list[Part]:
        """Give the files their final names, once their number is known."""
        output = self._output
        if output.compress == DIR:
            root = os.path.join(self._data, output.name)
            return [Part(file.path[len(root) + 1 :], file.size, file.sha256) for file in written]
        names = part_names(output.name, len(written), split=output.part_size is not None, digits=output.part_digits)
        return [Part(name, file.size, file.sha256) for name, file in zip(names, written)]

    def publish(self, lock: Lock, written: Sequence[WrittenFile], facts: Facts | None) -> None:
        """Put the archive, its checksums, what is for people, and its lock file in place.

        :param facts: what the report says beyond the lock file.
        :raises StorageError: the old archive then stands as it was, or the next run completes the new one.
        """
        try:
            self._make_ready(lock, written, facts)
            roll_forward(self._output, self._ready, lock)
            shutil.rmtree(self._old, ignore_errors=True)
        except OSError as error:
            raise explain_write_error(error, self._root) from error
        for path in final_paths(self._output, lock):
            self._attributes.protect(path)

    def give(self, path: str, sha256: str) -> None:
        """Give a file that stands its attributes; one that has other names is exchanged for a copy of its own.

        :param sha256: what it holds, in hex digits; empty where that does not matter.
        :raises StorageError: when that cannot be done.
        """
        try:
            give_alone(self._attributes, path, by=self._new, sha256=sha256, check=self._check)
        except OSError as error:
            raise explained(f"cannot give {path} its attributes", error) from error

    def ensure_unchanged(self, raw_lock: bytes) -> None:
        """Make sure that the archive is the one that was looked at before this directory was held.

        :param raw_lock: the lock file's bytes at that time; empty where there was none.
        :raises BusyError: when another run has written it since.
        """
        if is_rewritten(self._output, raw_lock):
            raise BusyError(f"another run has written {self._output.dest} in the meantime; run again")

    def _refuse_foreign(self) -> None:
        """Refuse a staging directory that somebody else has put there, or may write to."""
        is_directory = stat.S_ISDIR(os.lstat(self._root).st_mode)
        if not is_directory or is_exposed(self._root):
            raise StorageError(
                f"{self._root} is not a directory that only this user can write to; remove it, then run again"
            )

    def publish_beside(self, lock: Lock, facts: Facts | None) -> None:
        """Write all that is beside them anew for parts that stand already, and remove stale ones."""
        self.publish(lock, [], facts)

    def _start_clean(self) -> None:
        try:
            lock = read_ready(self._output)
            if lock is not None:
                roll_forward(self._output, self._ready, lock)
            for path in (self._data, self._ready, self._old):
                _make_empty(path)
            with suppress(FileNotFoundError):
                os.unlink(self._new)
        except OSError as error:
            raise explain_write_error(error, self._root) from error

    def _make_ready(self, lock: Lock, written: Sequence[WrittenFile], facts: Facts | None) -> None:
        output = self._output
        if output.compress == DIR:
            root = os.path.join(self._data, output.name)
            if written:
                for path in tree_paths(root):
                    give_alone(self._attributes, path, final=output.dest + path[len(root) :], by=self._new)
                sync_filesystem(root)
                os.rename(root, os.path.join(self._ready, output.name))
        else:
            for part, file in zip(lock.parts, written):
                self._attributes.give(file.path, path_of(output, part))
                os.rename(file.path, os.path.join(self._ready, part.name))
        raw_lock = write_lock(lock)
        self._write(os.path.basename(output.checksum_file), checksum_lines(output, lock.parts))
        for suffix, raw in make_companions(output.name, lock, raw_lock, facts).items():
            self._write(f"{output.name}{suffix}", raw)
        sync_directory(self._ready)
        self._write(os.path.basename(output.lock_file), raw_lock)
        sync_directory(self._ready)

    def _write(self, name: str, raw: bytes) -> None:
        """A small file that appears in ``ready`` whole or not at all."""
        with open(self._new, "wb", opener=not_for_others) as file:
            file.write(raw)
            file.flush()
            os.fsync(file.fileno())
        self._attributes.give(self._new, os.path.join(self._output.directory, name))
        os.rename(self._new, os.path.join(self._ready, name))


def tree_paths(root: str) -> Iterator[str]:
    """A directory and everything below it, links aside."""
    for directory, _names, files in os.walk(root):
        yield directory
        yield from (os.path.join(directory, name) for name in sorted(files))


def final_paths(output: Output, lock: Lock) -> list[str]:
    """All that belongs to an archive under its final names; the lock file is the last."""
    parts = (path_of(output, part) for part in lock.parts)
    archive = tree_paths(output.dest) if output.compress == DIR else parts
    return [*archive, output.checksum_file, *output.companions, output.lock_file]


def beside_paths(output: Output, parts: Sequence[Part]) -> list[str]:
    """What is replaced or removed when all that is beside these parts is written anew, and where.

    :param parts: none: of a new archive, whose parts are new too.
    """
    stale = [os.path.join(output.directory, name) for name in stale_names(output, parts)]
    return [output.directory, *stale, output.checksum_file, *output.companions, output.lock_file]


def replaced_paths(output: Output) -> list[str]:
    """What a new archive takes the place of, and where."""
    tree = tree_paths(output.dest) if output.compress == DIR else ()
    return [*beside_paths(output, ()), *tree]


def staging_path(output: Output) -> str:
    """Where the staging directory of an archive is."""
    return os.path.join(output.directory, f".{output.name}.staging")


def is_decided(output: Output) -> bool:
    """Whether a killed run left a new archive that only has to be put in place."""
    try:
        return read_ready(output) is not None
    except OSError:
        return True  # it may be, and is not to be removed then


def is_damaged(output: Output) -> bool:
    """Whether a killed run left a new archive that is not as it was written, and so cannot be put in place."""
    path = os.path.join(staging_path(output), "ready", os.path.basename(output.lock_file))
    return os.path.lexists(path) and not is_decided(output)


def roll_forward(output: Output, ready: str, lock: Lock) -> None:
    """Put what is ready in place: stale files away, new ones in, the lock file last. May be repeated.

    :param lock: the content of the lock file that is ready.
    :raises StorageError: when a file cannot be renamed; what is left stays ready.
    """
    lock_name = os.path.basename(output.lock_file)
    changed = False
    try:
        for name in stale_names(output, lock.parts):
            os.unlink(os.path.join(output.directory, name))
            changed = True
        for name in sorted(set(os.listdir(ready)) - {lock_name}):
            _put(os.path.join(ready, name), os.path.join(output.directory, name))
            changed = True
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


def _make_empty(path: str) -> None:
    """An empty directory of our own, whatever stood there.

    :raises OSError: when that could not be removed.
    """
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path)
    elif os.path.lexists(path):
        os.unlink(path)
    os.mkdir(path, 0o700)


def _put(source: str, target: str) -> None:
    """Give what is ready its final name, in place of what has it."""
    if os.path.isdir(source):
        staging = os.path.dirname(os.path.dirname(source))
        data, old = os.path.join(staging, "data"), os.path.join(staging, "old")
        for path in (data, old):
            os.makedirs(path, 0o700, exist_ok=True)
        replace_directory(source, target, aside=old, spare=os.path.join(data, os.path.basename(source)))
    else:
        os.rename(source, target)


def read_ready(output: Output) -> Lock | None:
    """The lock file of a new archive that only has to be put in place.

    :returns: ``None`` where there is none, or where it or a file of the archive is not as it was written: that is not
        put in place of an archive that may be whole.
    :raises OSError: when that cannot be told.
    """
    ready = os.path.join(staging_path(output), "ready")
    path = os.path.join(ready, os.path.basename(output.lock_file))
    try:
        with open_regular(path) as file:
            lock = read_lock(file.read(), path=path)
        sizes = {part.name: part.size for part in lock.parts}
        with os.scandir(ready) as entries:
            is_sound = all(_is_as_written(entry, output, sizes) for entry in entries)
    except LockFileError:
        return None
    except OSError as error:
        if error.errno not in _NO_FILE:
            raise
        return None
    return lock if is_sound else None


def _is_as_written(entry: os.DirEntry[str], output: Output, sizes: Mapping[str, int]) -> bool:
    if entry.name in map(os.path.basename, (output.lock_file, output.checksum_file, *output.companions)):
        return entry.is_file(follow_symlinks=False)
    if output.compress == DIR:
        return entry.name == output.name and entry.is_dir(follow_symlinks=False)
    return entry.is_file(follow_symlinks=False) and entry.stat().st_size == sizes.get(entry.name)
