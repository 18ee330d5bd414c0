# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fuzzes parsers, each in a fork of this process, which has instrumented the code once for all of them.

    python -m … JOBS

``JOBS`` is how many run at a time. Standard input is a JSON list of runs: ``target``, ``options``, and the file ``log``
for what libFuzzer says. As soon as one has ended, a JSON object with ``target``, ``status`` and ``seconds`` is printed
on a line of its own.
"""

from __future__ import annotations

import json
import os
import sys
import time
from typing import Any

from .one import fuzz


def main() -> None:
    """Start all runs in their order, and wait for their end."""
    jobs, runs = int(sys.argv[1]), json.load(sys.stdin)
    begun: dict[int, tuple[str, float]] = {}
    for run in runs:
        if len(begun) == jobs:
            _await_one(begun)
        begun[_begin(run)] = (run["target"], time.monotonic())
    while begun:
        _await_one(begun)


def _begin(run: dict[str, Any]) -> int:
    """Fork a process that does one run; returns its number."""
    sys.stdout.flush()
    process = os.fork()
    if process:
        return process
    log = os.open(run["log"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    for stream in (1, 2):
        os.dup2(log, stream)
    # As the interpreter ends, libFuzzer writes down the input that has raised something.
    fuzz(run["target"], run["options"])
    sys.exit("libFuzzer has not ended the process")


def _await_one(begun: dict[int, tuple[str, float]]) -> None:
    process, status = os.wait()
    target, since = begun.pop(process)
    seconds = time.monotonic() - since
    print(json.dumps({"target": target, "status": os.waitstatus_to_exitcode(status), "seconds": seconds}), flush=True)


if __name__ == "__main__":
    main()
