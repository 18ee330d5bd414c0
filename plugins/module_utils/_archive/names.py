# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The names of the files of an archive, and which of them exist."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence

from .._host.filesystem import filesystem_of
from .._oci.layout import BLOBS
from .output import DIR, LOCK_SUFFIX, Output
from .parity import is_parity_name
from .parts import Part

_LINES = 1000
_PART = re.compile(r"\.part[0-9]{1,9}$")


def archive_name(path: str) -> str:
    """Return the name of an archive by its lock file, or else by its first part or directory."""
    name = os.path.basename(path)
    return name[: -len(LOCK_SUFFIX)] if name.endswith(LOCK_SUFFIX) else _PART.sub("", name)


def path_of(output: Output, part: Part) -> str:
    """Return the path of a part."""
    return os.path.join(output.dest if output.compress == DIR else output.directory, part.name)


def checksum_lines(output: Output, parts: Sequence[Part]) -> bytes:
    """Write the checksums that ``sha256sum -c`` reads in the directory of ``dest``."""
    return b"".join(checksum_pieces(output, parts))


def checksum_pieces(output: Output, parts: Sequence[Part]) -> Iterator[bytes]:
    """Yield the same in pieces, as a directory has as many lines as files."""
    prefix = f"{output.name}/" if output.compress == DIR else ""
    for start in range(0, len(parts), _LINES):
        some = parts[start : start + _LINES]
        yield "".join([f"{part.sha256}  {prefix}{part.name}\n" for part in some]).encode()


def stale_names(output: Output, files: Sequence[Part]) -> list[str]:
    """List files that readers of ``NAME``, ``NAME.part*`` or ``NAME.parity*`` would wrongly take for the archive's.

    :param files: of the archive: parts and parity files.
    """
    if output.compress == DIR:
        return []
    ours = {file.name for file in files}
    try:
        names = os.listdir(output.directory)
    except FileNotFoundError:
        return []
    return sorted(name for name in names if is_file_name(output.name, name) and name not in ours)


def is_file_name(archive: str, name: str) -> bool:
    """Return True if a file of this name would be taken for the archive, a part of it, or one of its parity files."""
    return is_part_name(archive, name) or is_parity_name(archive, name)


def is_part_name(archive: str, name: str) -> bool:
    """Return True if a file of this name would be taken for the archive, or for a part of it."""
    return re.fullmatch(rf"{re.escape(archive)}(\.part[0-9]+)?", name) is not None


def lacking_links(root: str, links: Mapping[str, str]) -> list[str]:
    """List the links of a C(compress=dir) directory that are missing, or point elsewhere.

    :param links: their targets by their names below ``root``.
    :returns: an empty list if the filesystem has no links.
    """
    lacking = [name for name, target in links.items() if not _is_link(os.path.join(root, name), target)]
    return [] if lacking and lacks_links(root) else lacking


def lacks_links(root: str) -> bool:
    """Return True if a directory has no links, or will have none, because its filesystem has none."""
    return not os.path.islink(os.path.join(root, BLOBS)) and not filesystem_of(root).has_symlinks


def _is_link(path: str, target: str) -> bool:
    try:
        return os.readlink(path) == target
    except OSError:
        return False


def part_names(name: str, count: int, *, split: bool, digits: int | None) -> list[str]:
    """Name the files of an archive.

    :param name: the archive's name.
    :param split: whether it is in parts; then even a single file is a part.
    :param digits: ``part_digits``; ``None``: as wide as the last number, so that ``cat NAME.part*`` is in order.
    """
    if not split:
        return [name]
    width = len(str(count - 1)) if digits is None else digits
    return [f"{name}.part{number:0{width}d}" for number in range(count)]
