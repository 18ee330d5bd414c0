# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The files that an archive is cut into: what is recorded of them, and how many there may be."""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from dataclasses import dataclass

from .._base.errors import OptionError, SpaceError, StorageError
from .._base.size import exact_size, format_bytes, format_size, handy_size
from .._base.slots import slotted
from .._host.disk_errors import explained, remedy

MAX_PARTS = 10_000


@slotted
@dataclass(frozen=True)
class Part:
    """One file of a published archive.

    :param name: its name beside ``dest``; for ``dir`` its path below it.
    :param size: bytes.
    :param sha256: hex digits.
    """

    name: str
    size: int
    sha256: str


@slotted
@dataclass(frozen=True)
class WrittenFile:
    """A file in the staging directory, on disk to the last byte."""

    path: str
    size: int
    sha256: str


def most_parts(pieces: Sequence[int], part_size: int | None) -> int:
    """Return how many parts an archive has at most.

    :param pieces: upper estimates of its bytes between two places where a part ends in any case.
    """
    return sum(1 if part_size is None else -(-size // part_size) for size in pieces if size)


def check_part_count(pieces: Sequence[int], part_size: int | None) -> None:
    """Refuse what would give an absurd number of files.

    :param pieces: as :func:`most_parts` has them.
    :raises OptionError: names the least size of a part, unless there are too many pieces.
    """
    count, least_count = most_parts(pieces, part_size), most_parts(pieces, None)
    if count <= MAX_PARTS:
        return
    if part_size is None or least_count > MAX_PARTS:
        raise OptionError(
            f"part_at: at least {least_count} parts would be needed, as each image begins one; at most {MAX_PARTS} are "
            f"accepted. Leave part_at out, or save the list as several archives"
        )
    room = MAX_PARTS + 1 - least_count  # a piece has one part that is not full, and others that are
    least = exact_size(-(-sum(pieces) // room))
    raise OptionError(
        f"part_size: {part_size} bytes would make up to {count} parts; at most {MAX_PARTS} are accepted, so give at "
        f"least {least}"
    )


def check_part_fits(pieces: Sequence[int], part_size: int | None, largest: int, place: str) -> None:
    """Refuse files that are too large for the filesystem: FAT32 takes 4 GiB less one byte.

    :param pieces: as :func:`most_parts` has them.
    :param largest: bytes that a file may have there.
    :raises OptionError: names a size that fits.
    """
    longest = max(pieces) if part_size is None else min(part_size, max(pieces))
    if longest > largest:
        whole = "the archive" if len(pieces) == 1 else "a part with one image"
        what = whole if part_size is None else f"a part of {exact_size(part_size)}"
        raise OptionError(
            f"part_size: {what} may have up to {format_bytes(longest)}, and a file in {place} may have "
            f"{format_bytes(largest)} at most; set part_size to {handy_size(largest)}, or choose a directory on "
            "another filesystem"
        )


def explain_write_error(error: OSError, place: str) -> StorageError | SpaceError:
    """Make the error for a write that failed: why, and what to do."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        free = ""
        try:
            found = os.statvfs(place)
            free = f": {format_size(found.f_bavail * found.f_frsize)} and {found.f_favail} files are free"
        except OSError:
            pass
        what = "no space left" if error.errno == errno.ENOSPC else "the quota leaves no space"
        return SpaceError(f"{what} to write the archive in {os.path.dirname(place)}{free}. {remedy(error)}")
    return explained(f"cannot write the archive in {os.path.dirname(place)}", error)
