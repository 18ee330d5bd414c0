# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Lock files and receipts that make the base of a bundle: told apart, and put together. Pure."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

from .._base.errors import LockFileError, printable, quoted
from .._base.json import JsonError, parse_object
from .bases import BaseArchive
from .lock_file import read_lock
from .output import LOCK_SUFFIX
from .receipt import Receipt, confirmed_by, parse

MOST_VALUES = 4 * 1024 * 1024
"""Values in a lock file that is read."""

LARGEST = 64 * 1024 * 1024
"""Bytes of a lock file or a receipt that is read."""

_MOST_COMBINED = 12
_HOST = re.compile(r"(?!\.{1,2}$)[^/\x00-\x1f\x7f]{1,255}")


@dataclass(frozen=True)
class GivenFile:
    """A file that the user gives, or one that the lock file of a set stands for.

    :param path: ends in the name of the file.
    """

    path: str
    raw: bytes

    @property
    def sha256(self) -> str:
        """Hex digits of the sha256 of its bytes."""
        return hashlib.sha256(self.raw).hexdigest()


def hosts_of_set(raw: bytes, *, path: str) -> tuple[str, ...]:
    """Return the hosts whose archives the lock file of a set names; none for any other file.

    :param path: of the file, for the error.
    :raises LockFileError: when a name is not that of a host, or the file is nothing like a lock file.
    """
    if raw.startswith(b"{") and not _may_have(raw, b"hosts"):
        return ()  # whatever else is wrong with it is found when it is read as the lock file of an archive
    try:
        hosts = parse_object(raw, most=MOST_VALUES).texts("hosts")
    except JsonError as error:
        raise LockFileError(f"{path} is not a lock file or a receipt: {printable(str(error))}") from error
    wrong = [host for host in hosts if not _HOST.fullmatch(host)]
    if wrong:
        raise LockFileError(f"{path} is not a lock file: {quoted(wrong[0], 100)} is not the name of a host")
    return hosts


def is_receipt(raw: bytes) -> bool:
    """Return True if a file is a receipt, or at least not a lock file."""
    if not _may_have(raw, b"locks"):
        return False
    try:
        return "locks" in parse_object(raw, most=MOST_VALUES)
    except JsonError:
        return False


def _may_have(raw: bytes, key: bytes) -> bool:
    """Return False if a document certainly has no such key, without parsing it: lock files have megabytes."""
    return b'"%s"' % key in raw or b"\\u" in raw


def archives_of(files: Iterable[GivenFile]) -> list[BaseArchive]:
    """Put lock files and the receipts that speak of them together.

    :raises LockFileError: when a file is neither, a receipt speaks of none of the lock files, or a bundle rests on
        other bytes than a lock file of that name has.
    """
    locks: dict[str, BaseArchive] = {}
    receipts: list[tuple[str, Receipt]] = []
    for file in files:
        if is_receipt(file.raw):
            receipts.append((file.path, _read_receipt(file)))
        else:
            # Of one file under several names, the first of them counts, in whatever order they were given.
            one = _read_lock(file)
            locks[file.sha256] = min(one, locks.get(file.sha256, one), key=lambda archive: archive.name)
    for path, receipt in receipts:
        _refuse_unknown(path, receipt, locks)
    archives = [
        replace(one, receipts=tuple(receipt for _path, receipt in receipts if _speaks_of(receipt, one)))
        for one in locks.values()
    ]
    _refuse_broken_chain(archives)
    return archives


def with_confirmations(archives: Sequence[BaseArchive], texts: Iterable[str]) -> list[BaseArchive]:
    """Count archives as arrived that lines read out over the telephone confirm.

    :raises LockFileError: when a line confirms none of the archives.
    """
    confirmed = [*archives]
    for text in texts:
        found = next(filter(None, (confirmed_by(text, names) for names in _loaded_together(archives))), None)
        if found is None:
            raise LockFileError(
                f"{quoted(text, 100)} confirms none of the lock files that were given; have it read out again, or "
                "give the lock files of all archives that were loaded together"
            )
        confirmed = [_with_receipt(one, found) if _speaks_of(found, one) else one for one in confirmed]
    return confirmed


def _loaded_together(archives: Sequence[BaseArchive]) -> Iterator[list[tuple[str, str]]]:
    """Yield the lock files that one receipt may name, with their sha256: any of few, or one or all of many."""
    names = [(f"{one.name}{LOCK_SUFFIX}", one.lock_sha256) for one in archives]
    counts = range(1, len(names) + 1) if len(names) <= _MOST_COMBINED else (1, len(names))
    for count in counts:
        yield from map(list, combinations(names, count))


def _with_receipt(archive: BaseArchive, receipt: Receipt) -> BaseArchive:
    return replace(archive, receipts=(*archive.receipts, receipt))


def _read_lock(file: GivenFile) -> BaseArchive:
    name = os.path.basename(file.path)
    if not name.endswith(LOCK_SUFFIX) or name == LOCK_SUFFIX or name != printable(name):
        raise LockFileError(f"{file.path} must be called NAME{LOCK_SUFFIX}, as beside its archive NAME")
    lock = read_lock(file.raw, path=file.path, most=MOST_VALUES)
    if not lock.images:
        raise LockFileError(f"{file.path} names no image")
    return BaseArchive(name[: -len(LOCK_SUFFIX)], file.sha256, lock)


def _read_receipt(file: GivenFile) -> Receipt:
    try:
        return parse(file.raw)
    except LockFileError as error:
        raise LockFileError(f"{file.path}: {error}") from error


def _speaks_of(receipt: Receipt, archive: BaseArchive) -> bool:
    return any(sha256 == archive.lock_sha256 for _name, sha256 in receipt.lock_sha256)


def _refuse_unknown(path: str, receipt: Receipt, locks: dict[str, BaseArchive]) -> None:
    """Refuse a receipt of archives whose lock files are not there: their content is not known."""
    unknown = [(name, sha256) for name, sha256 in receipt.lock_sha256 if sha256 not in locks]
    if unknown and len(unknown) == len(receipt.lock_sha256):
        name, sha256 = unknown[0]
        raise LockFileError(
            f"{path} is the receipt of {quoted(name, 300)} with the sha256 {printable(sha256, 64)}, and that lock file "
            "was not given; add its path"
        )


def _refuse_broken_chain(archives: Sequence[BaseArchive]) -> None:
    """Refuse a bundle whose base was given with other bytes than those that it rests on."""
    given = {(one.name, one.lock_sha256) for one in archives}
    for bundle in archives:
        # The archives of a set's hosts often have one name.
        right = {bundle.lock_sha256, *(base.lock_sha256 for base in bundle.lock.base)}
        for base in bundle.lock.base:
            others = [one.lock_sha256 for one in archives if one.name == base.name and one.lock_sha256 not in right]
            if others and base.key not in given:
                raise LockFileError(
                    f"{bundle.name} rests on {base.name} with a lock file of the sha256 {base.lock_sha256}, and the "
                    f"one that was given has {others[0]}; give the lock file of that archive"
                )
