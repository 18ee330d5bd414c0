# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kinds of damage to a file."""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

_YEAR_NS = 365 * 24 * 3600 * 10**9


@dataclass(frozen=True)
class Kind:
    """One kind of damage.

    :param name: in a few words.
    :param apply: does it to a file.
    :param keeps_size: whether it can be seen only by who reads the bytes.
    """

    name: str
    apply: Callable[[Path, random.Random], None]
    keeps_size: bool = False


def bit_flip(path: Path, chance: random.Random) -> None:
    """One bit is another. The file may be linked elsewhere, which is not to be damaged."""
    content = bytearray(path.read_bytes())
    content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
    replace(path, bytes(content))


def bit_flip_of_same_age(path: Path, chance: random.Random) -> None:
    """One bit is another, and the file is as old and as large as before: a bad disk, or a clock that went back."""
    found = path.stat()
    content = bytearray(path.read_bytes())
    content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
    with path.open("r+b") as file:
        file.write(content)
    os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns))


def bit_flip_from_the_future(path: Path, chance: random.Random) -> None:
    """The same, written when the clock was a year ahead."""
    bit_flip(path, chance)
    stamp = path.stat().st_mtime_ns + _YEAR_NS
    os.utime(path, ns=(stamp, stamp))


def truncated(path: Path, chance: random.Random) -> None:
    """Its end is missing."""
    replace(path, path.read_bytes()[: chance.randrange(1, max(2, path.stat().st_size))])


def empty(path: Path, chance: random.Random) -> None:
    """It has no bytes."""
    replace(path, b"")


def longer(path: Path, chance: random.Random) -> None:
    """It has more bytes."""
    replace(path, path.read_bytes() + chance.randbytes(chance.randrange(1, 5000)))


def missing(path: Path, chance: random.Random) -> None:
    """It is not there."""
    path.unlink()


def link(path: Path, chance: random.Random) -> None:
    """A symbolic link to something else, or to nothing."""
    path.unlink()
    path.symlink_to(chance.choice((os.devnull, "/nonexistent/target")))


def fifo(path: Path, chance: random.Random) -> None:
    """A named pipe that nobody writes to: reading it never ends."""
    path.unlink()
    os.mkfifo(path)


def directory(path: Path, chance: random.Random) -> None:
    """An empty directory, or one with a file."""
    path.unlink()
    path.mkdir()
    if chance.random() < 0.5:
        (path / "file").write_bytes(b"x")


def fifo_at(path: Path) -> None:
    """A named pipe where nothing is."""
    os.mkfifo(path)


def directory_at(path: Path) -> None:
    """A directory with a file where nothing is."""
    path.mkdir()
    (path / "file").write_bytes(b"x")


def replace(path: Path, content: bytes) -> None:
    """Writes a file anew; its other names keep the old bytes."""
    mode = path.stat().st_mode
    path.unlink()
    path.write_bytes(content)
    path.chmod(mode)


def remove(path: Path) -> None:
    """Removes whatever stands there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


SEEN_BY_DIGEST = (
    Kind("one bit", bit_flip, keeps_size=True),
    Kind("one bit, of the same age", bit_flip_of_same_age, keeps_size=True),
    Kind("one bit, from the future", bit_flip_from_the_future, keeps_size=True),
)
SEEN_BY_SIZE = (
    Kind("truncated", truncated),
    Kind("empty", empty),
    Kind("longer", longer),
    Kind("missing", missing),
    Kind("a link", link),
    Kind("a FIFO", fifo),
)
KINDS = (*SEEN_BY_DIGEST, *SEEN_BY_SIZE)
"""Everything but a directory in place of the file, which is nobody's to remove."""

DIRECTORY = Kind("a directory", directory)

TEXTS = (b"{", b"null", b"[]", b"{}", b'"text"', b"\0" * 100, b"\xff\xfe", b'{"version": 1}', b'{"manifests": [{}]}')
"""Texts that are not documents of ours."""
