# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Becomes a module, and writes at its end how much memory it has had: ``launcher.py MODULE FILE``.

Not ``ru_maxrss``: after a fork that shares memory until exec it begins with what the parent had.
"""

from __future__ import annotations

import re
import runpy
import sys
from pathlib import Path


def peak() -> int:
    """The most bytes that this process has had resident (VmHWM in proc(5))."""
    found = re.search(r"^VmHWM:\s+(\d+) kB$", Path("/proc/self/status").read_text(encoding="ascii"), re.MULTILINE)
    assert found is not None
    return int(found[1]) * 1024


def main() -> None:
    """Runs the module; it leaves by SystemExit."""
    told, name = Path(sys.argv.pop()), sys.argv.pop()
    try:
        runpy.run_module(
            f"ansible_collections.airgap.images.plugins.modules.{name}", run_name="__main__", alter_sys=True
        )
    finally:
        told.write_text(str(peak()), encoding="ascii")


if __name__ == "__main__":
    main()
