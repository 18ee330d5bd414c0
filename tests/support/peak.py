# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Has a run write the most memory that it had, in KiB, to the file that ``AIRGAP_PEAK`` names, if it names one.

A fork server runs this before its first fork; what is registered here is done at the end of each fork.
"""

from __future__ import annotations

import atexit
import os
import re


def write_peak() -> None:
    """Writes what proc(5) calls VmHWM."""
    target = os.environ.get("AIRGAP_PEAK")
    if target:
        with open("/proc/self/status", encoding="utf-8") as status, open(target, "w", encoding="ascii") as file:
            file.write(re.findall(r"VmHWM:\s+(\d+) kB", status.read())[0])


atexit.register(write_peak)
