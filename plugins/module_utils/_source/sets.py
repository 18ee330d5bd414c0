# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The lock file of a set, which leads to those of its hosts."""

from __future__ import annotations

import os
import re

from .._archive.output import LOCK_SUFFIX
from .._base.errors import LockFileError, printable, quoted
from .._base.json import JsonError, parse_object
from .errors import SourceError, cannot_read
from .small_file import read_small

MOST_VALUES = 4 * 1024 * 1024
"""Values in a lock file that is read."""

_HOST = re.compile(r"(?!\.{1,2}$)[^/\x00-\x1f\x7f]{1,255}")


def hosts_of_set(path: str) -> list[str]:
    """Return the hosts that the lock file of a set names; none for the lock file of an archive.

    :raises LockFileError: when it is not a lock file.
    """
    raw = read_small(path)
    if raw is None or b'"hosts"' not in raw:
        return []
    try:
        hosts = parse_object(raw, most=MOST_VALUES).texts("hosts")
    except JsonError as error:
        raise LockFileError(f"{path} is not a lock file: {printable(str(error))}") from error
    wrong = [host for host in hosts if not _HOST.fullmatch(host)]
    if wrong:
        raise LockFileError(f"{path} is not a lock file: {quoted(wrong[0], 100)} is not the name of a host")
    return [*hosts]


def locks_below(folder: str, of: str) -> list[str]:
    """Return the names of the lock files in the directory of a host.

    :param of: path of the lock file of the set.
    :raises SourceError: when it has none.
    """
    try:
        names = sorted(name for name in os.listdir(folder) if name.endswith(LOCK_SUFFIX))
    except FileNotFoundError:
        names = []
    except OSError as error:
        raise cannot_read(folder, error) from error
    if not names:
        raise SourceError(
            f"src: {of} is the lock file of a set, and {folder} has no lock file; copy that directory too"
        )
    return names
