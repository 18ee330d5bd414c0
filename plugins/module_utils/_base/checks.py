# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Checks of single values of options. Pure."""

from __future__ import annotations

import os

from .errors import OptionError


def check_range(option: str, value: float, low: float, high: float) -> None:
    """Refuse a number that is out of range.

    :raises OptionError: names the accepted range.
    """
    if not low <= value <= high:
        raise OptionError(f"{option}: {value:g} is out of range; accepted are {low:g} to {high:g}")


def is_path(text: str) -> bool:
    """Return True if the system accepts a text as a path: it can be encoded, and has no zero byte."""
    try:
        return b"\0" not in os.fsencode(text)
    except UnicodeEncodeError:
        return False


def is_text(path: str) -> bool:
    """Return True if a path can be written into a document, because its bytes are UTF-8."""
    try:
        path.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
