# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Texts that come again and again, kept once."""

from __future__ import annotations

from functools import lru_cache

_DIFFERENT = 4096


@lru_cache(maxsize=_DIFFERENT)
def shared(text: str) -> str:
    """Return a text that is equal, and the same object for equal ones, as long as there are few different ones.

    For media types, names of platforms and registries: of each, a list has a few, and names them once for each image.
    """
    return text
