# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The archive that stands beside its lock file: is it still what the lock file says?"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import stat
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from ._attributes import Attributes
from ._errors import LockFileError, OptionError
from ._filesystem import filesystem_of, is_mount_point
from ._for_people import standing_failures, unfit_for_people
from ._image import PlatformImage
from ._json import Json, JsonError, compact, parse_object
from ._layout import BLOBS
from ._lock import Lock, links_in, read_lock
from ._options import DIR, Output
from ._parts import Part
from ._space import mount_points_among
from ._stop import Check, go_on
from ._storage import refuse_lack_of_files
from ._trusted import open_regular, put_whole

_MEMORY = "verified.json"
_FAILED = "failed: "  # the other names in the memory are absolute paths
_CHUNK = 1024 * 1024
_COARSEST_NS = 2_000_000_000


@dataclass(frozen=True)
class Published:
    """What stands under the final names.

    :param lock: the record of it; ``None`` where there is none that can be read.
    :param damage: why the archive itself has to be made again; empty only when there is one and it is whole.
    :param untidy: what stands beside it and is wrong: stale parts, checksums or a report that do not fit.
    :param raw_lock: the lock file's bytes; another run that writes the archive changes them.
    :param failures: digest over what the report says of failures; empty where that is not known.
    """

    lock: Lock | None
    damage: str = ""
    untidy: tuple[str, ...] = ()
    raw_lock: bytes = b""
    failures: str = ""

    def tells_of(self, failures: str) -> bool:
        """Whether the report names just these failures, as far as it knows any.

        :param failures: the digest over those of this run.
        """
        return self.failures in ("", failures)


class Memory:
    """Remembers which files were hashed and have not been touched since, so that they need not be read again.

    A file counts as untouched while inode, size, and times of change of content and inode are the same. Where the
    filesystem does not write down the latter, as on USB sticks, nothing is remembered, and all is read again.

    It also remembers why images could not be copied, so that check mode can say what a run will most likely meet again.

    :param root: the cache directory, which holds the memory.
    :param check: is asked while a file is read; raises when the run is to end.
    """

    def __init__(self, root: str, check: Check = go_on) -> None:
        self._check = check
        self._path = os.path.join(root, _MEMORY)
        self._known = self._read()
        self._before = dict(self._known)

    def sha256(self, path: str) -> str:
        """The file's sha256, read only where it is not known."""
        mark = _mark(os.lstat(path))  # as it is before it is read: a later change must not pass for the one read
        known = self._recall(path, mark)
        if known:
            return known
        sha256 = sha256_of(path, check=self._check)
        self._take_down(path, mark, sha256)
        return sha256

    def known(self, path: str) -> str:
        """The file's sha256 if it was read before and not touched since; else empty."""
        try:
            return self._recall(path, _mark(os.lstat(path))) if path in self._known else ""
        except OSError:
            return ""

    def learn(self, path: str, sha256: str) -> None:
        """Take down that a file has this sha256 as it stands now."""
        self._take_down(path, _mark(os.lstat(path)), sha256)

    def failure(self, image: PlatformImage) -> str:
        """Why an image could not be copied the last time; empty where it could, or that was not tried."""
        return self._known.get(_name_of(image), "")

    def note_copy(self, image: PlatformImage, reason: str) -> None:
        """Take down how a copy ended.

        :param reason: why it failed, without secrets; empty: it did not.
        """
        self._known.pop(_name_of(image), None)
        if reason:
            self._known[_name_of(image)] = reason

    def _take_down(self, path: str, mark: str, sha256: str) -> None:
        self._known[path] = f"{mark} {sha256}"
        if _may_change_unseen(os.lstat(path)) or not filesystem_of(path).tells_changes:
            del self._known[path]

    def save(self) -> None:
        """Write the memory if it changed. To lose it costs time only."""
        if self._known == self._before:
            return
        known: dict[str, Json] = {
            name: told
            for name, told in sorted(self._known.items())
            if name.startswith(_FAILED) or os.path.lexists(name)
        }
        with suppress(OSError):
            if os.path.isdir(self._path) and not os.path.islink(self._path):
                shutil.rmtree(self._path)  # the name is ours, in a directory of ours
            # Where a run is killed now, this name has the next one clear it away. Another may save its own meanwhile.
            name = f".run-verified-{os.urandom(8).hex()}"
            put_whole(self._path, compact(known), by=os.path.join(os.path.dirname(self._path), name))

    def _read(self) -> dict[str, str]:
        try:
            with open_regular(self._path) as file:
                document = parse_object(file.read())
            return {name: document.text(name) for name in document.names()}
        except (OSError, JsonError):
            return {}

    def _recall(self, path: str, mark: str) -> str:
        known_mark, _blank, sha256 = self._known.get(path, "").rpartition(" ")
        return sha256 if known_mark == mark else ""


def _name_of(image: PlatformImage) -> str:
    return f"{_FAILED}{image.key}"


def _mark(found: os.stat_result) -> str:
    return f"{found.st_dev}:{found.st_ino}:{found.st_size}:{found.st_mtime_ns}:{found.st_ctime_ns}"


def _may_change_unseen(found: os.stat_result) -> bool:
    """Whether a file is so new that another change could leave its times as they are.

    That is so where a filesystem counts in whole seconds, or in two of them, as those of USB sticks do.
    """
    counts_seconds = found.st_mtime_ns % 1_000_000_000 == 0
    return counts_seconds and time.time_ns() - found.st_mtime_ns < _COARSEST_NS


class StandingFiles:
    """The files of the directory that stands, as far as they were verified and not touched since.

    :param memory: knows which these are.
    :param attributes: what files are to be given; one that lacks them is not taken over, as it still stands.
    """

    def __init__(self, output: Output, memory: Memory, attributes: Attributes) -> None:
        self._output = output
        self._memory = memory
        self._attributes = attributes

    def path(self, name: str, sha256: str) -> str:
        """Where it has a file with this content, known to be so; empty where it has none."""
        if self._output.compress != DIR or self._output.force:
            return ""
        path = os.path.join(self._output.dest, name)
        return path if self._memory.known(path) == sha256 and not self._attributes.differ(path) else ""


def sha256_of(path: str, check: Check = go_on) -> str:
    """A file's sha256 in hex digits.

    :param check: is asked between its pieces; raises when the run is to end.
    """
    hasher = hashlib.sha256()
    with open(path, "rb") as file:
        for chunk in iter(lambda: file.read(_CHUNK), b""):
            check()
            hasher.update(chunk)
    return hasher.hexdigest()


def inspect(output: Output, memory: Memory, *, verify: str) -> Published:
    """Compare what stands under the final names with the lock file beside it.

    :param verify: ``digest``: every part has the right sha256; ``size``: it has the right size.
    :raises OptionError: when something stands in the way that is no archive.
    """
    _refuse_other_kind(output)
    raw = b""
    try:
        raw = _read_beside(output)
        lock = read_lock(raw, path=output.lock_file)
    except LockFileError as error:
        return Published(None, damage=str(error), raw_lock=raw)
    stale = tuple(f"{name} is no part of the archive" for name in stale_names(output, lock.parts))
    for part in lock.parts:
        damage = _damage(path_of(output, part), part, memory, verify)
        if damage:
            return Published(lock, damage=f"{part.name} {damage}", untidy=stale, raw_lock=raw)
    lacking = lacking_links(output.dest, links_in(lock)) if output.compress == DIR else []
    if lacking:
        return Published(lock, damage=f"its link {lacking[0]} is missing", raw_lock=raw)
    untidy = (*stale, *_untidy_checksums(output, lock.parts), *unfit_for_people(output, lock, raw))
    return Published(lock, untidy=untidy, raw_lock=raw, failures=standing_failures(output))


def is_rewritten(output: Output, raw_lock: bytes) -> bool:
    """Whether another run has written the archive since it was looked at.

    :param raw_lock: the lock file's bytes at that time; empty where none could be read.
    """
    try:
        return _read_beside(output) != raw_lock
    except LockFileError:
        return bool(raw_lock)


def path_of(output: Output, part: Part) -> str:
    """Where a part stands."""
    return os.path.join(output.dest if output.compress == DIR else output.directory, part.name)


def checksum_lines(output: Output, parts: Sequence[Part]) -> bytes:
    """What ``sha256sum -c`` reads, run in the directory of ``dest``."""
    prefix = f"{output.name}/" if output.compress == DIR else ""
    return "".join(f"{part.sha256}  {prefix}{part.name}\n" for part in parts).encode()


def stale_names(output: Output, parts: Sequence[Part]) -> list[str]:
    """Files that ``cat NAME.part*`` or a reader of ``NAME`` would take for the archive, and that are none of it."""
    if output.compress == DIR:
        return []
    ours = {part.name for part in parts}
    try:
        names = os.listdir(output.directory)
    except FileNotFoundError:
        return []
    return sorted(name for name in names if is_part_name(output.name, name) and name not in ours)


def is_part_name(archive: str, name: str) -> bool:
    """Whether a file of this name would be taken for the archive, or for a part of it."""
    return re.fullmatch(rf"{re.escape(archive)}(\.part[0-9]+)?", name) is not None


def _read_beside(output: Output) -> bytes:
    try:
        with open_regular(output.lock_file) as file:
            return file.read()
    except FileNotFoundError:
        is_there = os.path.lexists(output.dest) or stale_names(output, ())
        raise LockFileError(
            f"an archive is there, but no {output.lock_file}" if is_there else "there was no archive"
        ) from None
    except OSError as error:
        raise LockFileError(f"{output.lock_file} cannot be read: {error.strerror}") from error


def _refuse_other_kind(output: Output) -> None:
    for path in (output.lock_file, output.checksum_file, *output.for_people, *_named_like_parts(output)):
        if os.path.isdir(path) and not os.path.islink(path):
            raise OptionError(
                f"dest: {path} is a directory, and stands where a file of the archive is to be; remove it, or name "
                "another dest"
            )
    names = (output.dest, output.lock_file, output.checksum_file, *output.for_people, *_named_like_parts(output))
    for path in mount_points_among(names):
        raise OptionError(
            f"dest: {path} is a mount point, and cannot be exchanged for what is new; name a path below it"
        )
    is_directory = os.path.isdir(output.dest)
    if is_mount_point(output.dest):
        raise OptionError(
            f"dest: {output.dest} is a mount point, which no archive can take the place of; name a path below it, or "
            "another one"
        )
    if output.compress != DIR and is_directory:
        raise OptionError(f"dest: {output.dest} is a directory; it must be the path of a file to be written")
    if output.compress == DIR and os.path.lexists(output.dest):
        if not is_directory or os.path.islink(output.dest):
            raise OptionError(f"dest: {output.dest} is no directory, but compress=dir writes one")
        if os.listdir(output.dest) and not os.path.exists(output.lock_file):
            raise OptionError(
                f"dest: {output.dest} is a directory that this module did not make (no {output.lock_file}); "
                "name another, or remove it"
            )


def _named_like_parts(output: Output) -> list[str]:
    """What has the name of the archive or of a part of it, C(dest) itself aside."""
    names = (name for name in stale_names(output, ()) if name != output.name)
    return [os.path.join(output.directory, name) for name in names]


def lacking_links(root: str, links: Mapping[str, str]) -> list[str]:
    """Those links of a directory of C(compress=dir) that are not there, or point to somewhere else.

    :param links: their targets by their names below ``root``.
    :returns: none where there are no links on the filesystem.
    """
    lacking = [name for name, target in links.items() if not _is_link(os.path.join(root, name), target)]
    return [] if lacking and lacks_links(root) else lacking


def lacks_links(root: str) -> bool:
    """Whether a directory has no links, or will have none, because there are none on its filesystem."""
    return not os.path.islink(os.path.join(root, BLOBS)) and not filesystem_of(root).has_symlinks


def _is_link(path: str, target: str) -> bool:
    try:
        return os.readlink(path) == target
    except OSError:
        return False


def _damage(path: str, part: Part, memory: Memory, verify: str) -> str:
    try:
        found = os.lstat(path)
        if not stat.S_ISREG(found.st_mode):
            return "is no regular file"
        if found.st_size != part.size:
            return f"has {found.st_size} bytes instead of {part.size}"
        if verify == "digest" and memory.sha256(path) != part.sha256:
            return "has another sha256 than was published"
    except FileNotFoundError:
        return "is missing"
    except OSError as error:
        refuse_lack_of_files(error, path)
        return f"cannot be read ({error.strerror})"
    return ""


def _untidy_checksums(output: Output, parts: Sequence[Part]) -> tuple[str, ...]:
    try:
        with open_regular(output.checksum_file) as file:
            if file.read() == checksum_lines(output, parts):
                return ()
    except OSError:
        pass
    return (f"{os.path.basename(output.checksum_file)} does not fit the parts",)
