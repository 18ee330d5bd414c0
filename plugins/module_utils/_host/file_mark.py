# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Marks of files, which are equal as long as a file is not touched: device, inode, size, and both times."""

from __future__ import annotations

import os
import time

Mark = bytes

_COARSEST_NS = 2_000_000_000


def mark_of(found: os.stat_result) -> Mark:
    """Return the mark of a file: another one if anything was written to it, or another file has its name."""
    # As text, since a cache may have a hundred thousand of them, and five numbers take twice the memory.
    return b"%d:%d:%d:%d:%d" % (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)


def may_change_unseen(found: os.stat_result) -> bool:
    """Return True if a file is so new that another change could leave its times as they are.

    That can happen where a filesystem records times in steps of one or two seconds, as on USB sticks.
    """
    counts_seconds = found.st_mtime_ns % 1_000_000_000 == 0
    return counts_seconds and time.time_ns() - found.st_mtime_ns < _COARSEST_NS
