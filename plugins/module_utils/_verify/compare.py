# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Compares files with their sizes and checksums: all sizes first, then the content, each file once."""

from __future__ import annotations

import errno
import hashlib
import math
import os
import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import BinaryIO

from .._base.parallel import parallel_map
from .._base.stop import Stop
from .._host.files import open_regular
from .._host.log import Log
from .._host.progress import Progress
from .._source.errors import SourceError, cannot_read
from .._source.joined import PartFile
from .reading import queues_of, workers
from .state import DAMAGED, MISSING, OK, Checked

_CHUNK = 1024 * 1024
_SHOWN = 12
_UNREADABLE = frozenset({errno.EIO, errno.EBADMSG, errno.EUCLEAN})


class Counter:
    """Counts bytes, from several threads.

    :ivar value: how many there were.
    """

    def __init__(self) -> None:
        self._mutex = threading.Lock()
        self.value = 0

    def add(self, size: int) -> None:
        """Count more."""
        with self._mutex:
            self.value += size


@dataclass(frozen=True)
class Reading:
    """What reading files needs.

    :param counter: of bytes that were read.
    """

    stop: Stop
    log: Log
    progress: Progress
    counter: Counter


def compare_files(parts: Sequence[PartFile], reading: Reading) -> dict[PartFile, Checked]:
    """Compare files with what is recorded of them.

    :param parts: those without a sha256 are only looked for.
    :raises SourceGone: when a disk, stick or share does not answer any more.
    :raises SourceError: when a file cannot be read, for another reason than damage.
    """
    found = {part: _look_at(part) for part in parts}
    for checked in found.values():
        _tell(checked, reading)
    # A file of another part's size may be that part, under a name that it has had in another month.
    sizes = {part.size for part in parts}
    to_read = [
        part
        for part, checked in found.items()
        if part.sha256 and (checked.is_ok or (checked.state == DAMAGED and checked.found_size in sizes))
    ]
    reading.progress.bytes += sum(found[part].found_size or 0 for part in to_read)

    def read_all(queue: list[PartFile]) -> list[Checked]:
        return [_read(found[part], reading) for part in queue]

    # A file takes as long as it takes; a disk that hangs is left when the run is asked to end.
    results = parallel_map(
        read_all,
        queues_of(to_read),
        workers=workers(),
        timeout=math.inf,
        late=lambda _queue: [],
        check=reading.stop.check,
    )
    found.update({checked.part: checked for queue in results for checked in queue})
    return found


def mark_of(found: os.stat_result) -> str:
    """Return a text that differs when a file was changed or replaced."""
    return f"{found.st_dev}:{found.st_ino}:{found.st_size}:{found.st_mtime_ns}:{found.st_ctime_ns}"


def _look_at(part: PartFile) -> Checked:
    """Compare the size of a file."""
    if not part.path:
        return Checked(part, MISSING, _explain_missing(part))
    try:
        found = os.stat(part.path)
    except FileNotFoundError as error:
        if not os.path.isdir(os.path.dirname(os.path.dirname(part.path))):
            raise cannot_read(part.path, error) from error
        return Checked(part, MISSING, _explain_missing(part))
    except OSError as error:
        raise cannot_read(part.path, error) from error
    if part.sha256 and found.st_size != part.size:
        return Checked(part, DAMAGED, _explain_size(part, found.st_size), found.st_size, mark=mark_of(found))
    return Checked(part, OK, found_size=found.st_size, mark=mark_of(found))


def _read(checked: Checked, reading: Reading) -> Checked:
    """Compare the content of a file, or find out what it is if its size is wrong."""
    part = checked.part
    try:
        with open_regular(part.path) as file, reading.progress.working_on(part.name):
            mark = mark_of(os.fstat(file.fileno()))
            sha256 = _sha256_of(file, reading)
    except OSError as error:
        if error.errno not in _UNREADABLE or _is_gone(part.path):
            raise cannot_read(part.path, error) from error
        result = Checked(part, DAMAGED, _explain_unreadable(part, error), checked.found_size, mark=checked.mark)
    else:
        if not checked.is_ok:
            return replace(checked, found_sha256=sha256, mark=mark)
        if sha256 == part.sha256:
            return Checked(part, OK, "", checked.found_size, sha256, mark)
        result = Checked(part, DAMAGED, _explain_sha256(part, sha256), checked.found_size, sha256, mark)
    _tell(result, reading)
    return result


def _explain_missing(part: PartFile) -> str:
    return f"{part.name} is missing"


def _explain_size(part: PartFile, found: int) -> str:
    return f"{part.name} is damaged: it has {found} bytes instead of {part.size}"


def _explain_sha256(part: PartFile, found: str) -> str:
    return f"{part.name} is damaged: its sha256 begins with {found[:_SHOWN]} instead of {part.sha256[:_SHOWN]}"


def _explain_unreadable(part: PartFile, error: OSError) -> str:
    return f"{part.name} is damaged: it cannot be read ({error.strerror})"


def _sha256_of(file: BinaryIO, reading: Reading) -> str:
    hasher = hashlib.sha256()
    buffer = bytearray(_CHUNK)
    while size := file.readinto(buffer):  # type: ignore[attr-defined]
        reading.stop.check()
        hasher.update(memoryview(buffer)[:size])
        reading.counter.add(size)
    return hasher.hexdigest()


def _is_gone(path: str) -> bool:
    """Return True if not only a part of a file cannot be read, but nothing beside it either."""
    try:
        os.listdir(os.path.dirname(path))
        with open_regular(path) as file:
            file.read(1)
    except (OSError, SourceError):
        return True
    return False


def _tell(checked: Checked, reading: Reading) -> None:
    if not checked.is_ok:
        reading.log.error(checked.reason)
        reading.progress.image_failed()
