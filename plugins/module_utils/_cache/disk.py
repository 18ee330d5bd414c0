# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reading and removing single files of the cache, with errors that say what was being done."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from .._host.disk_errors import explained
from .._host.files import read_regular

HEX = re.compile(r"^[0-9a-f]{64}$")
"""Names of blobs, and of the folders of platform images."""

FILE_MODE = 0o644
LARGEST_DOCUMENT = 16 * 1024 * 1024


@contextmanager
def explaining(what: str) -> Iterator[None]:
    """Raise a full or broken disk as an error for the user.

    :param what: what cannot be done, such as ``cannot write to cache_dir /srv/cache``.
    :raises StorageError: instead of an ``OSError`` in the block; SpaceError where the disk is full.
    """
    try:
        yield
    except OSError as error:
        raise explained(what, error) from error


def remove(path: str) -> bool:
    """Remove a file, a link or a directory with all it holds.

    :returns: whether there was anything.
    """
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path)
        return True
    with suppress(FileNotFoundError):
        os.unlink(path)
        return True
    return False


def read_small(path: str) -> bytes:
    """Return the first bytes of a regular file, enough for any document; none if it cannot be read."""
    try:
        return read_regular(path, LARGEST_DOCUMENT)
    except OSError:
        return b""
