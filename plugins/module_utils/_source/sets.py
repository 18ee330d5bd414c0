# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The lock file of a set, which leads to those of its hosts."""

from __future__ import annotations

import os

from .._archive.base_files import hosts_of_set as hosts_named_in
from .._archive.output import LOCK_SUFFIX
from .errors import SourceError, cannot_read
from .small_file import read_small


def hosts_of_set(path: str) -> list[str]:
    """Return the hosts that the lock file of a set names; none for the lock file of an archive.

    :raises LockFileError: when it is not a lock file.
    """
    raw = read_small(path)
    if raw is None or b'"hosts"' not in raw:
        return []
    return [*hosts_named_in(raw, path=path)]


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
