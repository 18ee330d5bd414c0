# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs a command whose standard error is a terminal: ``python -m … FILE COMMAND…``; FILE gets what it shows there."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from contextlib import suppress


def main() -> int:
    """Copies until the last process that has the terminal is gone, and ends as the command did."""
    shown, command = sys.argv[1], sys.argv[2:]
    master, terminal = pty.openpty()
    process = subprocess.Popen(command, stderr=terminal)
    os.close(terminal)
    # Linux answers with EIO when nobody has the other end any more.
    with open(shown, "ab", buffering=0) as file, suppress(OSError):
        while data := os.read(master, 4096):
            file.write(data)
    return process.wait()


if __name__ == "__main__":
    sys.exit(main())
