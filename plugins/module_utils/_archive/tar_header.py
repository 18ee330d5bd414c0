# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Headers of the members of a tar. Pure.

An archive has three or four for each platform image. :mod:`tarfile` takes ten times as long for each, so it is left to
the few that need its spelling of long names and large sizes.
"""

from __future__ import annotations

import tarfile

_MTIME = 315532800  # 1980-01-01: tar warns of older files, and zip knows none
_BLOCK = 512
_NAME = 100
_LARGEST = 8 * 1024**3 - 1  # of the octal digits that there is room for
_OWNER = b"0000000\0" * 2
_TIME = b"%011o\0" % _MTIME
_NO_CHECKSUM = b" " * 8
_MAGIC = b"ustar  \0"


def header_of(name: str, kind: bytes, mode: int, *, size: int = 0, target: str = "") -> bytes:
    """Return the header of a member: of one block, unless its name is longer than 100 bytes."""
    if size > _LARGEST or max(len(name), len(target)) > _NAME or not (name.isascii() and target.isascii()):
        return _header_by_library(name, kind, mode, size=size, target=target)
    before = b"%s%07o\0%s%011o\0%s" % (name.encode("ascii").ljust(_NAME, b"\0"), mode, _OWNER, size, _TIME)
    after = kind + target.encode("ascii").ljust(_NAME, b"\0") + _MAGIC
    checksum = b"%06o\0 " % (sum(before) + sum(_NO_CHECKSUM) + sum(after))
    return (before + checksum + after).ljust(_BLOCK, b"\0")


def _header_by_library(name: str, kind: bytes, mode: int, *, size: int, target: str) -> bytes:
    info = tarfile.TarInfo(name)
    info.type, info.mode, info.size, info.linkname, info.mtime = kind, mode, size, target, _MTIME
    return info.tobuf(tarfile.GNU_FORMAT)
