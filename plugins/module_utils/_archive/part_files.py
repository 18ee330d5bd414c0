# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The parts of an archive as files of a directory, on disk to the last byte."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from functools import partial
from typing import BinaryIO, Callable

from .._base.parallel import parallel_map
from .._base.stop import go_on
from .._host.files import not_for_others
from .cutter import Cutter
from .parts import WrittenFile, explain_write_error

_SYNC_EVERY = 64 * 1024 * 1024
_SYNC_FILES = 64  # at most so many whole files wait to be brought to disk
_SYNCS_AT_ONCE = 8  # one entry of the filesystem's journal is for all of them

Action = Callable[[], None]


def at_once(action: Action) -> None:
    """Run an action, as a stage of actions does."""
    action()


class PartFiles:
    """Writes parts into files of a directory that are named by their numbers.

    :param directory: exists and is empty.
    :param behind: runs actions in their order, perhaps on another thread, so that the disk can flush while more is
        written.
    :ivar written: the files; on disk to the last byte once :meth:`finish` was called and ``behind`` is done.
    """

    def __init__(self, directory: str, behind: Callable[[Action], None] = at_once) -> None:
        self._directory = directory
        self._behind = behind
        self._file: BinaryIO | None = None
        self._files: list[BinaryIO] = []
        self._whole: list[BinaryIO] = []
        self._unsynced = 0
        self.written: list[WrittenFile] = []

    def write(self, number: int, piece: memoryview) -> None:
        """Write the next bytes of a part.

        :raises SpaceError: when the filesystem is full.
        :raises StorageError: when it cannot be written otherwise.
        """
        try:
            file = self._opened(number)
            done = 0
            while done < len(piece):
                done += file.write(piece[done:]) or 0
        except OSError as error:
            raise explain_write_error(error, self._directory) from error
        self._unsynced += len(piece)
        if self._unsynced >= _SYNC_EVERY:
            self._sync()

    def end(self, number: int, size: int, sha256: str) -> None:
        """Close the file of a part, once it is on disk."""
        self.write(number, memoryview(b""))
        self.written.append(WrittenFile(self._path(number), size, sha256))
        self._whole.append(self._opened(number))
        self._file = None
        if len(self._whole) >= _SYNC_FILES:
            self._sync()

    def finish(self) -> None:
        """Have the rest brought to disk."""
        self._sync()

    def abort(self) -> None:
        """Close open files, and leave them to the owner of the directory; no action may still be running."""
        for file in self._files:
            file.close()

    def _opened(self, number: int) -> BinaryIO:
        if self._file is None:
            self._file = open(  # noqa: SIM115  # closed once it is on disk
                self._path(number), "xb", buffering=0, opener=not_for_others
            )
            self._files.append(self._file)
        return self._file

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

    def _path(self, number: int) -> str:
        return os.path.join(self._directory, str(number))


class PartsBehind:
    """Has another thread write the parts, while this one goes on with what follows.

    :param put: passes on an action to that thread, in order.
    """

    def __init__(self, files: PartFiles, put: Callable[[Action], None]) -> None:
        self._files = files
        self._put = put

    def write(self, number: int, piece: memoryview) -> None:
        self._put(partial(self._files.write, number, piece))

    def end(self, number: int, size: int, sha256: str) -> None:
        self._put(partial(self._files.end, number, size, sha256))


class PartWriter(Cutter):
    """Cuts a stream into files of a directory, all on the thread of the caller.

    :param directory: exists and is empty.
    :param part_size: bytes of each file at most; ``None``: one file.
    :param behind: runs actions that bring files to disk, in their order.
    """

    def __init__(self, directory: str, part_size: int | None, behind: Callable[[Action], None] = at_once) -> None:
        self.files = PartFiles(directory, behind)
        super().__init__(part_size, self.files)

    def finish(self) -> None:
        """End the last part, and have everything brought to disk."""
        super().finish()
        self.files.finish()


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
