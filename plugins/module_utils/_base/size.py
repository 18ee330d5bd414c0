# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads and writes sizes in bytes, and counts. Pure."""

from __future__ import annotations

import re
from decimal import Decimal

from .errors import OptionError, quoted

# Ignoring the case of more than ASCII would take the Kelvin sign for a K.
_SIZE = re.compile(r"([0-9]+(?:\.[0-9]+)?|\.[0-9]+)[ \t]*(?:([KMGT])(I?B)?|B)?", re.IGNORECASE | re.ASCII)
_EXPONENT = {"K": 1, "M": 2, "G": 3, "T": 4}
_LARGEST = 2**63 - 1

ACCEPTED = (
    "a whole number of bytes, or a number with K, M, G or T (powers of 1024; KiB, MiB, GiB, TiB mean the same, "
    "KB, MB, GB, TB are powers of 1000), such as 2G, 700M or 4.7GB"
)


def parse_size(text: str, *, option: str) -> int:
    """Read a size in bytes, with the units of GNU ``split``: ``K`` = ``KiB`` = 1024, ``KB`` = 1000, and so on.

    :param text: what the user wrote; fractions are allowed before a unit and rounded down to a whole byte.
    :param option: the option's name, for the error.
    :raises OptionError: when the text is not a size, or is less than one byte.
    """
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise OptionError(f"{option}: {quoted(text, 100)} is not a size. Accepted: {ACCEPTED}.")
    number, unit, suffix = match.groups()
    if unit is None and "." in number:
        raise OptionError(f"{option}: {quoted(text, 100)} is a fraction of a byte. Accepted: {ACCEPTED}.")
    base = 1000 if (suffix or "").upper() == "B" else 1024
    exponent = _EXPONENT[unit.upper()] if unit else 0
    size = int(Decimal(number) * base**exponent) if len(number) <= 30 else _LARGEST + 1
    if not 1 <= size <= _LARGEST:
        raise OptionError(
            f"{option}: {quoted(text, 100)} must be at least 1 byte and below 8 EiB. Accepted: {ACCEPTED}."
        )
    return size


def format_size(size: int) -> str:
    """Return a number of bytes to be shown: ``1.4 GiB``; below 1024, the exact number: ``17 bytes``."""
    if abs(size) < 1024:
        return format_count(size, "byte")
    value = float(size)
    for unit in ("KiB", "MiB", "GiB"):
        value /= 1024
        if abs(value) < 1024:
            return f"{value:.1f} {unit}"
    return f"{value / 1024:.1f} TiB"


def format_count(number: int, noun: str) -> str:
    """Return a count with its noun: ``1 file``, ``2 files``."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def exact_size(size: int) -> str:
    """Return a number of bytes as :func:`parse_size` reads it, exactly: ``2G``, ``1500``."""
    for unit in ("T", "G", "M", "K"):
        factor = 1024 ** _EXPONENT[unit]
        if size and size % factor == 0:
            return f"{size // factor}{unit}"
    return str(size)


def format_bytes(size: int) -> str:
    """Return an exact number of bytes to be shown: ``4294967295 bytes (4.0 GiB)``."""
    return format_size(size) if size < 1024 else f"{size} bytes ({format_size(size)})"


def handy_size(most: int) -> str:
    """Return the largest round size within a limit, as :func:`parse_size` reads it: ``4095M``, ``976K``, ``12``.

    It is in powers of 1024, as all sizes that are shown.
    """
    for factor, unit in ((1024**2, "M"), (1024, "K")):
        if most >= factor:
            return f"{most // factor}{unit}"
    return str(most)
