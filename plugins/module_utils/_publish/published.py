# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The published archive, compared with the lock file beside it."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .._archive.lock import PARITY, Lock, links_in
from .._archive.lock_file import read_lock_pieces
from .._archive.names import checksum_pieces, lacking_links, path_of, stale_names
from .._archive.output import DIR, Output
from .._archive.parity import LEAST_PARTS, parity_names
from .._archive.parts import Part
from .._base.errors import LockFileError, OptionError
from .._host.attributes import Attributes
from .._host.disk_errors import refuse_lack_of_files
from .._host.files import is_content, open_regular, pieces_of
from .._host.filesystem import is_mount_point
from .._host.space import mount_points_among
from .._host.verified_files import VerifiedFiles
from .companions import inspect_companions
from .ready import has_directory_in_place, sha256_beside

if TYPE_CHECKING:
    from hashlib import _Hash as Hash

_NEW = "the archive is new"


@dataclass(frozen=True)
class PublishedArchive:
    """The files under the final names.

    :param lock: their record; ``None`` if there is none that can be read.
    :param damage: why the archive itself has to be made again; empty only if there is one and it is whole.
    :param untidy: what is wrong beside it: stale parts, or checksums or a report that do not match.
    :param lock_sha256: of the lock file, in hex digits; empty if there is none. Another run that writes the archive
        changes it.
    :param failures: digest of the failures that the report lists; empty if that is not known.
    :param unfit: names of parity files that are missing or damaged. That is untidy, too.
    """

    lock: Lock | None
    damage: str = ""
    untidy: tuple[str, ...] = ()
    lock_sha256: str = ""
    failures: str = ""
    unfit: tuple[str, ...] = ()

    @property
    def is_new(self) -> bool:
        """True if there is nothing under the final names."""
        return self.lock is None and self.damage == _NEW

    def tells_of(self, failures: str) -> bool:
        """Return True if the report lists exactly these failures, or does not know which it lists.

        :param failures: the digest of those of this run.
        """
        return self.failures in ("", failures)


class ReusableFiles:
    """The files of the published directory that were verified and have not been touched since.

    :param verified: knows which these are.
    :param attributes: those that files are to be given; a file without them is not reused, as it is still in place.
    """

    def __init__(self, output: Output, verified: VerifiedFiles, attributes: Attributes) -> None:
        self._output = output
        self._verified = verified
        self._attributes = attributes

    def path(self, name: str, sha256: str) -> str:
        """Return the path of a verified file with this content; empty if there is none."""
        if self._output.compress != DIR or self._output.force:
            return ""
        path = os.path.join(self._output.dest, name)
        return path if self._verified.known(path) == sha256 and not self._attributes.differ(path) else ""


def inspect(output: Output, verified: VerifiedFiles, *, verify: str) -> PublishedArchive:
    """Compare the files under the final names with the lock file beside them.

    :param verify: ``digest``: every part has the right sha256; ``size``: it has the right size.
    :raises OptionError: when something else than an archive is in the way.
    """
    _refuse_other_kind(output)
    hasher = hashlib.sha256()
    try:
        lock = read_lock_pieces(_hashed(_read_beside(output), hasher), path=output.lock_file)
    except LockFileError as error:
        return PublishedArchive(None, damage=str(error), lock_sha256=_sha256_beside(output))
    sha256 = hasher.hexdigest()
    stale = tuple(f"{name} is not part of the archive" for name in stale_names(output, lock.files))
    for part in lock.parts:
        damage = _damage(path_of(output, part), part, verified, verify)
        if damage:
            return PublishedArchive(lock, damage=f"{part.name} {damage}", untidy=stale, lock_sha256=sha256)
    lacking = lacking_links(output.dest, links_in(lock)) if output.compress == DIR else []
    if lacking:
        return PublishedArchive(lock, damage=f"its link {lacking[0]} is missing", lock_sha256=sha256)
    companions = inspect_companions(output, lock, sha256)
    unfit = {
        file.name: damage for file in lock.parity if (damage := _damage(path_of(output, file), file, verified, verify))
    }
    untidy = (
        *stale,
        *_untidy_parity(output, lock),
        *(f"{name} {damage}" for name, damage in unfit.items()),
        *_untidy_checksums(output, lock.parts),
        *companions.untidy,
    )
    return PublishedArchive(lock, untidy=untidy, lock_sha256=sha256, failures=companions.failures, unfit=tuple(unfit))


def is_rewritten(output: Output, lock_sha256: str) -> bool:
    """Return True if another run has written the archive since it was inspected.

    :param lock_sha256: of the lock file at that time; empty if none could be read.
    """
    return _sha256_beside(output) != lock_sha256


def _sha256_beside(output: Output) -> str:
    """Hash the lock file; empty if it cannot be read."""
    try:
        return sha256_beside(output)
    except OSError:
        return ""


def _hashed(pieces: Iterable[bytes], hasher: Hash) -> Iterator[bytes]:
    for piece in pieces:
        hasher.update(piece)
        yield piece


def _read_beside(output: Output) -> Iterator[bytes]:
    """Yield the lock file in pieces: its text takes as much memory as all that is read from it.

    :raises LockFileError: when there is none, or it cannot be read.
    """
    try:
        with open_regular(output.lock_file) as file:
            yield from pieces_of(file)
    except FileNotFoundError:
        is_there = os.path.lexists(output.dest) or stale_names(output, ())
        raise LockFileError(f"an archive is there, but no {output.lock_file}" if is_there else _NEW) from None
    except OSError as error:
        raise LockFileError(f"{output.lock_file} cannot be read: {error.strerror}") from error


def _refuse_other_kind(output: Output) -> None:
    for path in (output.lock_file, output.checksum_file, *output.companions, *_named_like_parts(output)):
        if os.path.isdir(path) and not os.path.islink(path):
            raise OptionError(
                f"dest: {path} is a directory where a file of the archive has to be; remove it, or name another dest"
            )
    names = (output.dest, output.lock_file, output.checksum_file, *output.companions, *_named_like_parts(output))
    for path in mount_points_among(names):
        raise OptionError(f"dest: {path} is a mount point and cannot be replaced; name a path below it")
    is_directory = os.path.isdir(output.dest)
    if is_mount_point(output.dest):
        raise OptionError(
            f"dest: {output.dest} is a mount point and cannot be replaced by an archive; name a path below it, or "
            "another one"
        )
    if output.compress != DIR and is_directory:
        raise OptionError(f"dest: {output.dest} is a directory; it must be the path of a file to be written")
    if output.compress == DIR and os.path.lexists(output.dest):
        if not is_directory or os.path.islink(output.dest):
            raise OptionError(f"dest: {output.dest} is not a directory, but compress=dir writes one")
        is_ours = os.path.exists(output.lock_file) or has_directory_in_place(output)
        if os.listdir(output.dest) and not is_ours:
            raise OptionError(
                f"dest: {output.dest} is a directory that this module did not make (no {output.lock_file}); "
                "name another, or remove it"
            )


def _named_like_parts(output: Output) -> list[str]:
    """List paths with the name of the archive or of a part of it, except for C(dest) itself."""
    names = (name for name in stale_names(output, ()) if name != output.name)
    return [os.path.join(output.directory, name) for name in names]


def _damage(path: str, part: Part, verified: VerifiedFiles, verify: str) -> str:
    try:
        found = os.lstat(path)
        if not stat.S_ISREG(found.st_mode):
            return "is not a regular file"
        if found.st_size != part.size:
            return f"has {found.st_size} bytes instead of {part.size}"
        if verify == "digest" and verified.sha256(path) != part.sha256:
            return "does not have the sha256 that was published"
    except FileNotFoundError:
        return "is missing"
    except OSError as error:
        refuse_lack_of_files(error, path)
        return f"cannot be read ({error.strerror})"
    return ""


def _untidy_parity(output: Output, lock: Lock) -> tuple[str, ...]:
    is_expected = lock.options.get(PARITY) and len(lock.parts) >= LEAST_PARTS
    expected = parity_names(output.name, len(lock.parts)) if is_expected else []
    if [file.name for file in lock.parity] == expected:
        return ()
    return ("the lock file does not name the parity files of the archive",)


def _untidy_checksums(output: Output, parts: Sequence[Part]) -> tuple[str, ...]:
    if is_content(output.checksum_file, checksum_pieces(output, parts)):
        return ()
    return (f"{os.path.basename(output.checksum_file)} does not match the parts",)
