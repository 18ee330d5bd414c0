# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Finds a file in the folders that may have it. Of several copies, the one with the right bytes counts."""

from __future__ import annotations

import os
from collections.abc import Iterable

from .._base.stop import Check, go_on
from .._host.files import sha256_of
from .errors import cannot_read


def find_file(name: str, folders: Iterable[str], size: int | None, sha256: str = "", *, check: Check = go_on) -> str:
    """Find a file. Copies are read only where several have the right size, as one part may have 40 GB.

    A part that was damaged on its way keeps its size, and is carried once more in another folder.

    :param size: bytes that it must have; ``None``: not known.
    :param sha256: hex digits that it must have; empty: not known.
    :param check: called while a copy is read; raises when the run is to end.
    :returns: its path: of several copies, the first that has the right sha256, else the right size; empty if it is
        nowhere.
    :raises SourceGone: when a disk, stick or share does not answer.
    """
    sizes = {path: found for folder in folders if (found := size_of(path := os.path.join(folder, name))) is not None}
    copies = [path for path, found in sizes.items() if found == size] or [*sizes]
    if sha256 and len(copies) > 1:
        right = (path for path in copies if _has_sha256(path, sha256, check))
        return next(right, copies[0])
    return copies[0] if copies else ""


def size_of(path: str) -> int | None:
    """Return the bytes of a file; ``None`` if it does not exist.

    :raises SourceGone: when a disk, stick or share does not answer.
    """
    try:
        return os.stat(path).st_size
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise cannot_read(path, error) from error


def _has_sha256(path: str, sha256: str, check: Check) -> bool:
    try:
        return sha256_of(path, check=check) == sha256
    except OSError:  # as a stick with a bad block, where another may have a copy
        return False
