# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Many small files as one file, so that they cost one transfer: written on the host, checked on the controller.

The file is a tar stream (POSIX.1-1988 ustar, with GNU's headers for long names). All of it except the contents is known
in advance. The controller asks for names and sizes that it has checked, makes the same headers as the host, and refuses
any other bytes.
"""

from __future__ import annotations

import os
import stat
import tarfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

BUNDLE = "small-files.tar"
"""The name of the file on the host."""

BLOCK = 512
END = bytes(2 * BLOCK)
"""The end of a tar stream."""


@dataclass(frozen=True)
class Member:
    """A file in a bundle.

    :param name: relative path with ``/``.
    :param size: bytes.
    """

    name: str
    size: int


def header_of(member: Member) -> bytes:
    """Return all bytes that precede a member's content."""
    info = tarfile.TarInfo(member.name)
    info.size, info.mode = member.size, 0o644
    return info.tobuf(tarfile.GNU_FORMAT, "utf-8", "surrogateescape")


def padding_of(member: Member) -> bytes:
    """Return the zeros that follow a member's content."""
    return bytes(-member.size % BLOCK)


def length_of(member: Member) -> int:
    """Return the bytes that a member takes in a bundle."""
    is_long = len(member.name.encode("utf-8", "surrogateescape")) > tarfile.LENGTH_NAME
    return (len(header_of(member)) if is_long else BLOCK) + member.size + len(padding_of(member))


def size_of(members: Iterable[Member]) -> int:
    """Return the size of a bundle in bytes."""
    return sum(length_of(member) for member in members) + len(END)


def write_bundle(path: str, folder: str, members: Sequence[Member]) -> list[str]:
    """Write those members of which the directory holds a readable file of that size.

    Each is read into memory, so they must be small.

    :param path: of the bundle; an existing file is overwritten.
    :returns: the names of members that were left out: not found, not readable, or of another size.
    :raises OSError: when the bundle cannot be written. It is removed in that case.
    """
    left_out = []
    try:
        with open(path, "wb", opener=_private) as bundle:
            for member in members:
                content = _content(os.path.join(folder, member.name), member.size)
                if content is None:
                    left_out.append(member.name)
                else:
                    bundle.writelines((header_of(member), content, padding_of(member)))
            bundle.write(END)
    except OSError:
        if os.path.lexists(path):
            os.unlink(path)
        raise
    return left_out


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _content(path: str, size: int) -> bytes | None:
    """Return a file's bytes, or ``None`` if it is not a regular file of that size that can be read."""
    try:
        # O_NONBLOCK: a FIFO is not waited for.
        with open(os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK), "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                return None
            content = file.read(size + 1)
    except OSError:
        return None
    return content if len(content) == size else None
