# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Finds archives, and the files of each, from the paths that the user gives."""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from .._archive.base_files import MOST_VALUES
from .._archive.lock import Lock
from .._archive.lock_file import read_lock
from .._archive.output import AT_IMAGE, BESIDE, CHECKSUM_SUFFIX, DIR, GZIP, LOCK_SUFFIX, NONE, ZSTD, compress_of
from .._archive.parity import PARITY_SUFFIX
from .._archive.parts import MAX_PARTS
from .._base.errors import LockFileError, quoted
from .._base.stop import Check, go_on
from .._host.files import open_regular
from .._oci.layout import ROOT, SAVED_IMAGES
from .errors import SourceError, cannot_read
from .joined import PartFile
from .places import find_file, size_of
from .renumbered import find_renumbered
from .sets import hosts_of_set, locks_below
from .small_file import read_small
from .tree import FOLDERS

_PART = re.compile(r"(.+)\.part([0-9]{1,9})")
_PARITY = re.compile(rf"(.+){re.escape(PARITY_SUFFIX)}[0-9]{{0,4}}")
_SUM = re.compile(r"([0-9a-f]{64}) [ *]([^/\x00-\x1f\x7f]+)")
_IN_TREE = re.compile(
    r"[0-9a-f]{64}/(oci-layout|index\.json)|share/sha256/[0-9a-f]{64}|index\.json|oci-layout|saved-images-list\.json"
)
_EXPECTED = "expected a lock file, an archive, its first part, or an unpacked directory"
_UNKNOWN = 1  # bytes of a part whose size nobody knows, which is never read


@dataclass(frozen=True)
class FoundArchive:
    """An archive whose files were found.

    :param path: names it for the user: of its lock file, its directory or its first part.
    :param lock: its lock file, if there is one.
    :param root: of the directory, if it is one; else empty.
    :param parts: its files in order. Without a lock file, a directory has none.
    :param compress: ``gzip``, ``zstd``, ``none`` or ``dir``.
    :param lock_sha256: hex digits of the sha256 of its lock file; empty without one.
    :param parity: its parity files in order, if its lock file names any.
    :param of_set: path of the lock file of the set that led to it; empty: none did.
    """

    path: str
    lock: Lock | None
    root: str
    parts: tuple[PartFile, ...]
    compress: str
    lock_sha256: str = ""
    parity: tuple[PartFile, ...] = ()
    of_set: str = ""


def find_archives(sources: Sequence[str], *, check: Check = go_on) -> list[FoundArchive]:
    """Find archives. Paths that belong to one archive become one, wherever its parts are.

    A directory may be empty, such as the mount point of a stick that is not there yet, if another path leads to an
    archive.

    :param sources: paths of lock files, archives, parts, unpacked directories, and directories that hold any of these.
    :param check: called while copies of a part are compared; raises when the run is to end.
    :raises SourceError: when a path is none of these, or does not exist.
    :raises LockFileError: when a lock file is not valid.
    :raises SourceGone: when a disk, stick or share does not answer.
    """
    trees: dict[str, None] = {}
    places: dict[str, dict[str, None]] = {}
    sets: dict[str, str] = {}
    for source in sources:
        root, named = _names_in(os.path.abspath(source))
        if root:
            trees[root] = None
        for one in named:
            places.setdefault(one.name, {})[one.folder] = None
            if one.of_set:
                sets[os.path.join(one.folder, f"{one.name}{LOCK_SUFFIX}")] = one.of_set
    if sources and not trees and not places:
        raise SourceError(f"src: {', '.join(sources)} does not contain an archive; {_EXPECTED}")
    streams = [found for name, folders in places.items() for found in _find(name, [*folders], check)]
    known = {found.root for found in streams}
    trees_alone = [_tree(root) for root in trees if root not in known]
    return [replace(found, of_set=sets.get(found.path, "")) for found in (*streams, *trees_alone)]


class _Named(NamedTuple):
    """The place of an archive: its folder and name, and the lock file of the set that led there, if one did."""

    folder: str
    name: str
    of_set: str = ""


def _names_in(path: str) -> tuple[str, list[_Named]]:
    """Return what a path means: the root of a tree; or archives."""
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError:
        raise SourceError(f"src: {path} does not exist; {_EXPECTED}") from None
    except OSError as error:
        raise cannot_read(path, error) from error
    if not stat.S_ISDIR(mode):
        return "", _names_of_file(path)
    root = _root_of_tree(path)
    if root:
        return root, []
    try:
        names = sorted(os.listdir(path))
    except OSError as error:
        raise cannot_read(path, error) from error
    locks = [name for name in names if name.endswith(LOCK_SUFFIX)]
    wanted = locks + [name for name in names if _name_of_file(name) or compress_of(name) != DIR]
    return "", [one for name in wanted for one in _names_of_file(os.path.join(path, name))]


def _names_of_file(path: str) -> list[_Named]:
    folder, name = os.path.split(path)
    archive = _name_of_file(name)
    if archive:
        return [_Named(folder, archive)]
    if name.endswith(LOCK_SUFFIX):
        hosts = hosts_of_set(path)
        if not hosts:
            return [_Named(folder, name[: -len(LOCK_SUFFIX)])]
        folders = [os.path.join(folder, host) for host in hosts]
        return [_Named(below, one[: -len(LOCK_SUFFIX)], path) for below in folders for one in locks_below(below, path)]
    for suffix in BESIDE.values():
        if name.endswith(suffix) and name != suffix:
            return [_Named(folder, name[: -len(suffix)])]
    if compress_of(name) == DIR:
        raise SourceError(f"src: {path} is not a file of an archive; {_EXPECTED}")
    return [_Named(folder, name)]


def _name_of_file(name: str) -> str:
    """Return the archive whose part or parity file has a name; empty if it is neither."""
    found = _PART.fullmatch(name) or _PARITY.fullmatch(name)
    return found[1] if found else ""


def _root_of_tree(path: str) -> str:
    for root in (path, os.path.join(path, ROOT)):
        has_blobs = any(os.path.isdir(os.path.join(root, folder)) for folder in FOLDERS)
        if has_blobs and any(os.path.isfile(os.path.join(root, name)) for name in ("index.json", SAVED_IMAGES)):
            return root
    return ""


def _find(name: str, folders: list[str], check: Check) -> list[FoundArchive]:
    """Find all archives of one name: one for each different lock file, or one without."""
    locks: dict[bytes, str] = {}
    for folder in folders:
        raw = read_small(os.path.join(folder, f"{name}{LOCK_SUFFIX}"))
        if raw is not None:
            locks.setdefault(raw, folder)
    if not locks:
        return [_without_lock(name, folders, check)]
    return [_with_lock(name, raw, [first, *folders], check) for raw, first in locks.items()]


def _with_lock(name: str, raw: bytes, folders: list[str], check: Check) -> FoundArchive:
    path = os.path.join(folders[0], f"{name}{LOCK_SUFFIX}")
    sha256 = hashlib.sha256(raw).hexdigest()
    lock = read_lock(raw, path=path, most=MOST_VALUES)
    names = [part.name for part in lock.parts]
    if not names or len({*names}) != len(names):
        raise LockFileError(f"{path} lists no parts, or one of them twice")
    if lock.options.get("compress") == DIR:
        root = next((root for folder in folders if os.path.isdir(root := os.path.join(folder, name))), "")
        if not root:
            raise SourceError(f"src: {path} belongs to a directory {name}, which is not beside it")
        return _tree_of(lock, root, path, sha256)
    wrong = [one for one in (*names, *(one.name for one in lock.parity)) if "/" in one]
    if wrong or len(names) > MAX_PARTS:
        raise LockFileError(f"{path} lists {quoted((wrong or names)[-1], 200)}, which is not a part of {name}")
    parts: list[PartFile] = []
    start = 0
    for part in lock.parts:
        path_of_part = find_file(part.name, folders, part.size, part.sha256, check=check)
        parts.append(PartFile(part.name, path_of_part, start, part.size, part.sha256))
        start += part.size
    if lock.options.get("part_at") == AT_IMAGE:
        parts = find_renumbered(parts, _sizes_of_parts(name, folders))
    if not any(part.path for part in parts):
        raise SourceError(f"src: {path} is there, but none of its parts; add the directory that holds them")
    parity = [
        PartFile(one.name, find_file(one.name, folders, one.size, one.sha256, check=check), 0, one.size, one.sha256)
        for one in lock.parity
    ]
    return FoundArchive(path, lock, "", tuple(parts), _format_of(parts[0], lock), sha256, tuple(parity))


def _without_lock(name: str, folders: list[str], check: Check) -> FoundArchive:
    sums = next((sums for folder in folders if (sums := _checksums(folder, name))), {})
    names = [*sums] or _part_names(name, folders)
    parts: list[PartFile] = []
    start = 0
    for one in names:
        path = find_file(one, folders, None, sums.get(one, ""), check=check)
        size = size_of(path) if path else _UNKNOWN
        parts.append(PartFile(one, path, start, _UNKNOWN if size is None else size, sums.get(one, "")))
        start = parts[-1].end
    if not any(part.path for part in parts):
        raise SourceError(f"src: nothing of the archive {name} is in {', '.join(folders)}; {_EXPECTED}")
    first = next(part for part in parts if part.path)
    return FoundArchive(first.path, None, "", tuple(parts), _format_of(parts[0], None))


def _tree(root: str) -> FoundArchive:
    """Return a directory, with its lock file if that is beside it."""
    lock_path = f"{root}{LOCK_SUFFIX}"
    raw = read_small(lock_path)
    if raw is not None:
        lock = read_lock(raw, path=lock_path, most=MOST_VALUES)
        if lock.options.get("compress") == DIR:
            return _tree_of(lock, root, lock_path, hashlib.sha256(raw).hexdigest())
    return FoundArchive(root, None, root, (), DIR)


def _tree_of(lock: Lock, root: str, path: str, sha256: str) -> FoundArchive:
    for part in lock.parts:
        if not _IN_TREE.fullmatch(part.name):
            raise LockFileError(f"{path} lists {quoted(part.name, 200)}, which is not a file of an archive")
    parts = [
        PartFile(part.name, find_file(part.name, [root], part.size), 0, part.size, part.sha256) for part in lock.parts
    ]
    return FoundArchive(path, lock, root, tuple(parts), DIR, sha256)


def _checksums(folder: str, name: str) -> dict[str, str]:
    """Return what ``NAME.sha256`` says of the archive's own files, in order."""
    raw = read_small(os.path.join(folder, f"{name}{CHECKSUM_SUFFIX}")) or b""
    lines = [_SUM.fullmatch(line) for line in raw.decode("utf-8", "replace").splitlines()]
    sums = {line[2]: line[1] for line in lines if line}
    return sums if all(one == name or _is_part_of(one, name) for one in sums) else {}


def _parts_in(folder: str, name: str) -> list[str]:
    try:
        return [one for one in os.listdir(folder) if _is_part_of(one, name)]
    except OSError as error:
        raise cannot_read(folder, error) from error


def _sizes_of_parts(name: str, folders: Iterable[str]) -> dict[str, int]:
    """Return the bytes of all parts of an archive's name, by path."""
    paths = [os.path.join(folder, one) for folder in folders for one in _parts_in(folder, name)]
    return {path: size for path in paths if (size := size_of(path)) is not None}


def _part_names(name: str, folders: Iterable[str]) -> list[str]:
    """Name the parts up to the last one that is there, or the archive in one piece."""
    numbers: dict[int, str] = {}
    for folder in folders:
        numbers.update({int(one[len(name) + 5 :]): one for one in _parts_in(folder, name)})
    last = max(numbers, default=-1)
    if last >= MAX_PARTS:
        raise SourceError(f"src: {numbers[last]} is not a part of an archive, which has at most {MAX_PARTS}")
    widths = {len(one) - len(name) - 5 for one in numbers.values()}
    width = widths.pop() if len(widths) == 1 else 1
    return [numbers.get(number, f"{name}.part{number:0{width}d}") for number in range(last + 1)] or [name]


def _is_part_of(name: str, archive: str) -> bool:
    found = _PART.fullmatch(name)
    return found is not None and found[1] == archive


def _format_of(first: PartFile, lock: Lock | None) -> str:
    """Return the format by the first bytes; by the lock file if the first part is not there."""
    if not first.path:
        said = lock.options.get("compress") if lock is not None else None
        return said if said in (GZIP, ZSTD, NONE) and isinstance(said, str) else compress_of(first.name)
    try:
        with open_regular(first.path) as file:
            start = file.read(512)
    except OSError as error:
        raise cannot_read(first.path, error) from error
    for magic, compress in ((b"\x1f\x8b", GZIP), (b"\x28\xb5\x2f\xfd", ZSTD)):
        if start.startswith(magic):
            return compress
    return NONE
