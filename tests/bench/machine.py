# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The machine that the figures were measured on."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path


def describe(folder: Path) -> dict[str, str]:
    """The machine in words, by what each is about.

    :param folder: where the measurements write.
    """
    kilobytes = _first(r"^MemTotal:\s+(\d+) kB$", "/proc/meminfo")
    return {
        "date": datetime.now(timezone.utc).strftime("%Y-%m-%d"),
        "processor": _first(r"^model name\s*:\s*(.+)$", "/proc/cpuinfo") or platform.machine(),
        "cores": str(len(os.sched_getaffinity(0))),
        "memory": f"{int(kilobytes) * 1024 / 1e9:.1f} GB",
        "filesystem": _told(["findmnt", "--noheadings", "--output", "FSTYPE", "--target", str(folder)]),
        "kernel": f"{platform.system()} {platform.release()}",
        "distribution": platform.freedesktop_os_release().get("PRETTY_NAME", "unknown"),
        "Python": platform.python_version(),
        "skopeo": _told(["skopeo", "--version"]).removeprefix("skopeo version "),
        "docker-registry": _told(["docker-registry", "--version"]).split()[-1],
    }


def _first(pattern: str, path: str) -> str:
    found = re.search(pattern, Path(path).read_text(encoding="utf-8"), re.MULTILINE)
    return found[1] if found else ""


def _told(command: Sequence[str]) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
