# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The output of a program, which goes to a file in memory."""

from __future__ import annotations

import os
from typing import BinaryIO

MOST_SAID = 64 * 1024 * 1024
_LAST_SAID = 64 * 1024


def says_too_much(output: BinaryIO) -> bool:
    """Return True if there is more output than skopeo ever writes."""
    return size_of(output) > MOST_SAID


def size_of(file: BinaryIO) -> int:
    """Return the bytes of an open file."""
    return os.fstat(file.fileno()).st_size


def last_lines(output: BinaryIO) -> str:
    """Return the end of the output, in whole lines."""
    output.seek(max(0, os.fstat(output.fileno()).st_size - _LAST_SAID))
    if output.tell():
        output.readline()  # half a line could hold half a secret
    return output.read().decode("utf-8", "replace")
