# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An archive that gets another name, with everything beside it: nothing is copied or downloaded."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace

from .._archive.lock import Lock
from .._archive.lock_file import read_lock, write_lock
from .._archive.names import is_part_name
from .._archive.output import BESIDE, CHECKSUM_SUFFIX, DIR, FACTS_SUFFIX, LOCK_SUFFIX
from .._archive.parity import is_parity_name
from .._base.errors import LockFileError
from .._host.files import open_regular, put_whole


def can_take_over(formerly: str, archive: str) -> bool:
    """Return True if there is an archive by the old name, and none by the new one, or only the old one's lock file.

    :param formerly: the old path.
    :param archive: the new path.
    """
    lock = _read(formerly)
    renamed = _renamed(lock, formerly, archive)
    if lock is None or renamed is None:
        return False
    is_moved = not any(os.path.lexists(old) for old, _new in _moves(lock, renamed, formerly, archive))
    return is_moved or not os.path.lexists(f"{archive}{LOCK_SUFFIX}")


def take_over(formerly: str, archive: str) -> None:
    """Rename an archive, see :func:`can_take_over`.

    The old lock file is removed last, so a run that was killed in between is completed by the next one. The report and
    the script name the files, so they are not taken over: the next save makes them again from the facts.

    :raises OSError: when that is not possible.
    """
    lock = _read(formerly)
    renamed = _renamed(lock, formerly, archive)
    if lock is None or renamed is None:
        return
    if not os.path.lexists(f"{archive}{LOCK_SUFFIX}"):
        for old, new in _moves(lock, renamed, formerly, archive):
            with suppress(FileNotFoundError):
                os.rename(old, new)
        put_whole(f"{archive}{CHECKSUM_SUFFIX}", _checksums(renamed, os.path.basename(archive)))
        put_whole(f"{archive}{LOCK_SUFFIX}", write_lock(renamed))
    for suffix in BESIDE.values():  # the lock file is the last
        with suppress(FileNotFoundError):
            os.unlink(f"{formerly}{suffix}")


def _moves(lock: Lock, renamed: Lock, formerly: str, archive: str) -> Iterator[tuple[str, str]]:
    """Yield the old and the new path of each file that is renamed."""
    yield f"{formerly}{FACTS_SUFFIX}", f"{archive}{FACTS_SUFFIX}"
    if lock.options.get("compress") == DIR:
        yield formerly, archive
        return
    old_folder, new_folder = os.path.dirname(formerly), os.path.dirname(archive)
    for old, new in zip(lock.files, renamed.files):
        yield os.path.join(old_folder, old.name), os.path.join(new_folder, new.name)


def _renamed(lock: Lock | None, formerly: str, archive: str) -> Lock | None:
    """Return a lock file with the new names of its parts; ``None`` if they are not those of such an archive.

    In a directory, names do not contain that of the archive.
    """
    old, new = os.path.basename(formerly), os.path.basename(archive)
    if lock is None or lock.options.get("compress") == DIR:
        return lock
    if not all(is_part_name(old, part.name) for part in lock.parts):
        return None
    if not all(is_parity_name(old, file.name) for file in lock.parity):
        return None
    parts, parity = (
        tuple(replace(file, name=f"{new}{file.name[len(old) :]}") for file in files)
        for files in (lock.parts, lock.parity)
    )
    return replace(lock, parts=parts, parity=parity)


def _read(archive: str) -> Lock | None:
    """Read the lock file beside an archive; ``None`` if there is none that can be used."""
    try:
        with open_regular(f"{archive}{LOCK_SUFFIX}") as file:
            return read_lock(file.read(), path=archive)
    except (OSError, LockFileError):
        return None


def _checksums(lock: Lock, name: str) -> bytes:
    """Write the checksums that ``sha256sum -c`` reads in the directory of the archive."""
    prefix = f"{name}/" if lock.options.get("compress") == DIR else ""
    return "".join(f"{part.sha256}  {prefix}{part.name}\n" for part in lock.parts).encode()
