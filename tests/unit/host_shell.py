# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The shell of a host that is this machine."""

from __future__ import annotations

import subprocess


def run_in_shell(command: str) -> str:
    """Run a command, with a greeting before its output and after it."""
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False)
    return f"Welcome to one\r\n{done.stdout}logout\r\n"
