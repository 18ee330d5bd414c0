# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A request from the closed side, and the archive that it is for: read, and checked before anything begins.

What is made is put into a directory of its own beside the archive, ``NAME.requested``, so that the archive itself is
never touched. The directory is carried like another stick.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, replace

from .._archive.bases import BaseArchive, Bases, ReadDocument
from .._archive.compress import library_of
from .._archive.lock import WRITER, Lock
from .._archive.lock_file import read_lock
from .._archive.names import part_names
from .._archive.output import AT_IMAGE, AT_SIZE, DIR, FORMATS, PART_DIGITS, ZSTD, Output, check_level
from .._archive.parts import Part
from .._archive.request import REQUEST_SUFFIX, REQUESTED_SUFFIX, Request, read_request, requested_name
from .._archive.zstd_encoder import ZSTANDARD_ERROR
from .._base.errors import LockFileError, OptionError, quoted
from .._host.disk_errors import reason
from .._host.files import read_regular
from .options import Options

_LARGEST = 256 * 1024 * 1024


@dataclass(frozen=True)
class Asked:
    """A request, and the lock file of its archive.

    :param raw: bytes of the request.
    :param lock_path: where the lock file was found.
    :param raw_lock: its bytes.
    :param directory: absolute path of the directory for what is made.
    """

    request: Request
    raw: bytes
    lock: Lock
    lock_path: str
    raw_lock: bytes
    directory: str

    @property
    def output(self) -> Output:
        """The archive as it is made again, of which only the parts asked for are kept."""
        options, name = self.lock.options, self.request.archive
        return Output(
            dest=os.path.join(self.directory, name),
            compress=str(options.get("compress")),
            compress_level=_number(options.get("compress_level")),
            part_size=_number(options.get("part_size")),
            part_digits=_number(options.get("part_digits")),
            failed_list=None,
            allow_partial=False,
            force=False,
            part_at=AT_IMAGE if options.get("part_at") == AT_IMAGE else AT_SIZE,
            only_parts=frozenset(self.request.parts),
        )

    @property
    def bundle_output(self) -> Output:
        """The small bundle with the blobs that are asked for."""
        output = self.output
        dest = os.path.join(self.directory, requested_name(output.name, output.compress))
        return replace(output, dest=dest, only_parts=None)

    @property
    def request_file(self) -> str:
        """Path of a copy of the request, beside what was made for it."""
        return os.path.join(self.directory, f"{self.request.archive}{REQUEST_SUFFIX}")

    @property
    def parts(self) -> tuple[Part, ...]:
        """The parts that are asked for."""
        return tuple(self.lock.parts[number] for number in self.request.parts)

    def bases(self, document: ReadDocument) -> Bases:
        """Return the base of the small bundle: the archive, without what is asked for.

        :param document: as :class:`Bases` takes it.
        """
        archive = BaseArchive(self.request.archive, self.request.lock_sha256, self.lock)
        return Bases([archive], document, asked=self.request.digests)


def read_asked(path: str, options: Options) -> Asked:
    """Read a request, and find the lock file of its archive.

    :param options: of the run; C(dest) and C(from_lock) are where the lock file may be.
    :raises OptionError: when it cannot be answered, before anything begins: says why, and what to do.
    """
    try:
        raw = read_regular(path, _LARGEST)
        request = read_request(raw, path=path)
    except OSError as error:
        raise OptionError(f"request: cannot read {path} on the target: {reason(error)}") from error
    except LockFileError as error:
        raise OptionError(f"request: {error}") from error
    lock_path, raw_lock = _find_lock(request, options)
    try:
        lock = read_lock(raw_lock, path=lock_path)
    except LockFileError as error:
        raise OptionError(f"request: {error}") from error
    output = options.output
    directory = os.path.join(output.directory, f"{request.archive}{REQUESTED_SUFFIX}")
    asked = Asked(request, raw, lock, lock_path, raw_lock, directory)
    _refuse_strange(asked)
    _refuse_unknown(asked, path)
    if request.parts:
        _refuse_other_bytes(asked)
    return asked


def _find_lock(request: Request, options: Options) -> tuple[str, bytes]:
    """Find the lock file by its sha256: beside C(dest), or the one that C(from_lock) names."""
    paths = [options.output.lock_file]
    paths += [options.selection.from_lock] if options.selection.from_lock else []
    for path in paths:
        try:
            raw = read_regular(path, _LARGEST)
        except OSError:
            continue
        if hashlib.sha256(raw).hexdigest() == request.lock_sha256:
            return path, raw
    raise OptionError(
        f"request: it is for {quoted(request.archive, 100)} with a lock file whose sha256 is {request.lock_sha256}, "
        f"which is not that of {' or '.join(paths)}. Give a copy of that lock file in from_lock, or save a full "
        "archive and carry that"
    )


def _refuse_strange(asked: Asked) -> None:
    """Refuse a lock file that no archive of this name has: what it says becomes options and names of files."""
    output, lock = asked.output, asked.lock
    is_known = output.compress in FORMATS and (output.part_size is None or output.part_size > 0)
    try:
        check_level(output.compress_level, output.compress)
    except OptionError:
        is_known = False
    digits, names = output.part_digits, [part.name for part in lock.parts]
    if not is_known or not (digits is None or digits in PART_DIGITS):
        raise OptionError(f"request: the options in {asked.lock_path} are not those of an archive")
    expected = part_names(asked.request.archive, len(names), split=output.is_split, digits=digits)
    if output.compress != DIR and names != expected:
        raise OptionError(
            f"request: {asked.lock_path} does not name the parts of {asked.request.archive}, which the request is for; "
            "an archive and its files keep the name that they were saved with"
        )
    if output.compress == ZSTD and ZSTANDARD_ERROR is not None:
        raise OptionError(
            f"request: {asked.lock_path} is of an archive in zstd; install the Python library zstandard on this host"
        )


def _refuse_unknown(asked: Asked, path: str) -> None:
    """Refuse parts and blobs that the archive does not have."""
    lock, request = asked.lock, asked.request
    unknown = [f"part {number}" for number in request.parts if number >= len(lock.parts)]
    unknown += [digest for digest in request.digests if digest not in lock.blobs and digest not in lock.requires]
    if unknown:
        raise OptionError(f"request: {path} asks for {unknown[0]}, which {asked.lock_path} does not name")
    if request.parts and lock.options.get("compress") == DIR:
        raise OptionError(
            f"request: {path} asks for files of a directory, which are not made one by one. Copy {request.archive} "
            "again, or ask for the digests of its blobs"
        )


def _refuse_other_bytes(asked: Asked) -> None:
    """Refuse to begin where equal input would give other bytes than those of the parts."""
    lock = asked.lock
    library = library_of(str(lock.options.get("compress")))
    other = f"writer {lock.writer} instead of {WRITER}" if lock.writer != WRITER else ""
    if not other and lock.compressor != library:
        other = f"{lock.compressor} instead of {library}"
    if other:
        raise OptionError(
            f"request: {asked.lock_path} was made by {other}, which gives other bytes, so its parts cannot be made "
            "again here. Use the release and the host that made it, copy the parts from where the archive is kept, or "
            "save a full archive and carry that"
        )


def _number(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
