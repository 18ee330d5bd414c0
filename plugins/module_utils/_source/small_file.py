# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads files beside and in an archive that fit into memory."""

from __future__ import annotations

from .._base.errors import LockFileError
from .._host.files import open_regular
from .contents import MAX_LIST_BYTES
from .errors import cannot_read


def read_small(path: str) -> bytes | None:
    """Read a lock file, checksums or a list; ``None`` if there is no such file.

    :raises LockFileError: when it is too large.
    """
    try:
        with open_regular(path) as file:
            raw = file.read(MAX_LIST_BYTES + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise cannot_read(path, error) from error
    if len(raw) > MAX_LIST_BYTES:
        raise LockFileError(f"{path} has more than {MAX_LIST_BYTES} bytes, which is not expected of such a file")
    return raw
