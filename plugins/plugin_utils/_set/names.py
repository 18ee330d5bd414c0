# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The names of a set's files, and of the archives of its hosts. Pure."""

from __future__ import annotations

import os

from ansible_collections.airgap.images.plugins.module_utils._archive.output import (
    BESIDE,
    LOCK_SUFFIX,
    REPORT_SUFFIX,
    RESTORE_SUFFIX,
    with_suffix,
    with_word,
)

NAME = "images"
LOCK = f"{NAME}{LOCK_SUFFIX}"
REPORT = f"{NAME}{REPORT_SUFFIX}"
RESTORE = f"{NAME}{RESTORE_SUFFIX}"
INDEX = f"{NAME}.index.json"
LIST = f"{NAME}.list.json"
RECORD = f"{NAME}.set.json"

CARRIED = (REPORT, RESTORE, INDEX, LIST, LOCK)
"""The files that belong on every stick, in the order in which they are written: the lock file is the last."""


def archive_of(dest: str, compress: str, host: str) -> str:
    """Return the path of a host's archive when the work is shared: the host's name is before the suffix.

    :param dest: as the play gives it, with or without a suffix.
    :raises OptionError: when it does not end in a name.
    """
    folder, name = os.path.split(with_suffix(dest, compress))
    return os.path.join(folder, with_word(name, host, compress))


def files_of(archive: str) -> list[str]:
    """Return the paths of an archive and of the files beside it."""
    return [archive, *(f"{archive}{suffix}" for suffix in BESIDE.values())]
