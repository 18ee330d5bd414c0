# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The names of files about single archives, where one path was given for all. Pure."""

from __future__ import annotations

import os

_DIGITS = 12


def beside(path: str, lock_sha256: str) -> str:
    """Return the path for another archive than the newest one: the given one with the start of a lock file's sha256."""
    start, ending = os.path.splitext(path)
    return f"{start}-{lock_sha256[:_DIGITS]}{ending}"
