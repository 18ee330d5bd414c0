# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs a command whose standard error is a terminal: ``python -m … COLUMNS FILE COMMAND…``.

FILE gets what it shows there; 0 columns: their number is not known.
"""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios
from contextlib import suppress


def main() -> int:
    """Copies until the last process that has the terminal is gone, and ends as the command did."""
    columns, shown, command = int(sys.argv[1]), sys.argv[2], sys.argv[3:]
    master, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    process = subprocess.Popen(command, stderr=terminal)
    os.close(terminal)
    # Linux answers with EIO when nobody has the other end any more.
    with open(shown, "ab", buffering=0) as file, suppress(OSError):
        while data := os.read(master, 4096):
            file.write(data)
    return process.wait()


if __name__ == "__main__":
    sys.exit(main())
