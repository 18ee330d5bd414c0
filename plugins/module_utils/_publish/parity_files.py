# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The parity files of an archive: which are wanted, how much room they take, and how they are written."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Collection, Sequence
from contextlib import ExitStack
from dataclasses import replace
from typing import NoReturn, Optional

from .._archive.lock import Lock
from .._archive.output import Output
from .._archive.parity import LEAST_PARTS, group_count, members_of, parity_names, xor
from .._archive.part_files import PartWriter, at_once
from .._archive.parts import Part, WrittenFile, most_parts
from .._base.errors import OptionError, StorageError
from .._base.size import format_bytes, handy_size
from .._base.stage import Stage
from .._base.stop import Check
from .._host.disk_errors import explained
from .._host.files import open_regular

_SYNCS_WAITING = 2
_Read = tuple[Optional[int], bytes]
"""The number of a part and what follows in it; ``None``: what follows in the parity file."""


def wanted_names(output: Output, parts: int) -> list[str]:
    """Name the parity files that an archive is to have; none, if it is in one part.

    :param parts: how many it has.
    """
    return parity_names(output.name, parts) if output.parity and parts >= LEAST_PARTS else []


def expected_bytes(output: Output, pieces: Sequence[int]) -> int:
    """Return how many bytes the parity files of a new archive have at most.

    :param pieces: as :func:`_archive.parts.most_parts` has them.
    """
    if not output.parity:
        return 0
    longest = max(pieces)
    return min(longest, output.part_size or longest) * group_count(most_parts(pieces, output.part_size))


def bytes_of(parts: Sequence[Part], names: Collection[str], archive: str) -> int:
    """Return the bytes of those parity files of an archive that are named."""
    sizes = (
        max(parts[number].size for number in members_of(group, len(parts)))
        for group, name in enumerate(parity_names(archive, len(parts)))
        if name in names
    )
    return sum(sizes)


def refuse_single_part(archive_bytes: int) -> NoReturn:
    """Refuse parity for an archive in one part: the parity file would be a copy of it.

    :param archive_bytes: the archive's size, or an upper estimate.
    :raises OptionError: says which size of parts would do.
    """
    raise OptionError(
        f"parity: at least {LEAST_PARTS} parts are needed, but all of the archive ({format_bytes(archive_bytes)}) fits "
        f"into one; set part_size to {handy_size(max(1, archive_bytes // LEAST_PARTS))} or less, or leave parity out"
    )


def make_parity(
    lock: Lock, paths: Sequence[str], folder: str, names: Collection[str], *, archive: str, check: Check
) -> tuple[Lock, dict[str, WrittenFile]]:
    """Write parity files, and record them. What is read of the parts is compared with the lock file on the way.

    :param lock: of the archive, with its parts; of its parity files, those that are not made now.
    :param paths: of the parts.
    :param folder: the directory to write to.
    :param names: of the parity files to be made.
    :param archive: its name.
    :param check: raises when the run is to end.
    :returns: the lock file to come, and the new files by name.
    :raises StorageError: when a part cannot be read or is damaged, or a file cannot be written.
    :raises SpaceError: when the filesystem is full.
    """
    written: dict[str, WrittenFile] = {}
    for group, name in enumerate(parity_names(archive, len(lock.parts))):
        if name in names:
            members = [(lock.parts[number], paths[number]) for number in members_of(group, len(lock.parts))]
            written[name] = _write(members, os.path.join(folder, name), check)
    files = {file.name: file for file in lock.parity}
    files.update({name: Part(name, file.size, file.sha256) for name, file in written.items()})
    order = parity_names(archive, len(lock.parts))
    return replace(lock, parity=tuple(files[name] for name in order)), written


def _write(members: Sequence[tuple[Part, str]], folder: str, check: Check) -> WrittenFile:
    """Write one parity file into a directory of its own, hashing on one thread what another one reads and adds up."""
    hashers = [hashlib.sha256() for _member in members]
    with ExitStack() as stack:
        try:
            os.mkdir(folder, 0o700)
            files = [stack.enter_context(open_regular(path)) for _part, path in members]
            syncing = stack.enter_context(Stage(at_once, check=check, waiting=_SYNCS_WAITING))
            writer = PartWriter(folder, None, syncing.put)
            try:
                with Stage(_taken(hashers, writer), check=check) as taking:
                    for piece in xor(files, seen=lambda number, data: taking.put((number, data))):
                        taking.put((None, piece))
                writer.finish()
            except BaseException:
                syncing.drop()
                syncing.wait()
                writer.files.abort()
                raise
        except OSError as error:
            raise explained("cannot read the parts of the archive to make parity files from them", error) from error
    for (part, path), hasher in zip(members, hashers):
        if hasher.hexdigest() != part.sha256:
            raise StorageError(
                f"{path} does not have the bytes that the lock file records; run again with verify=digest, which makes "
                "the archive again"
            )
    return writer.files.written[0]


def _taken(hashers: Sequence[hashlib._Hash], writer: PartWriter) -> Callable[[_Read], None]:
    def take(read: _Read) -> None:
        number, data = read
        if number is None:
            writer.write(data)
        else:
            hashers[number].update(data)

    return take
