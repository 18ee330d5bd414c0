# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests that the test command runs in a short form, here with all their cases; see ``tests/support/extent.py``."""

from __future__ import annotations

import functools
import os
import random
import re
import subprocess
import sys
from pathlib import Path

from ..support.extent import BOTH_WAYS, FULL, MARKERS, VARIABLE
from ..support.module import COLLECTION, ROOT
from .ground import Ground
from .trial import COMPLETED, Scale, Trial, require

GROUP = "tests"

_MARKED = re.compile(rf"pytest\.mark\.({'|'.join((*MARKERS, BOTH_WAYS))})\b|^@given\(", re.MULTILINE)
_HARD_LIMIT = 3600.0


def trials(scale: Scale) -> list[Trial]:
    """Return a trial for each file with such tests; none in the short form, which is the test command's."""
    if not scale.tests:
        return []
    return [
        Trial(GROUP, f"all cases of {path.stem.removeprefix('test_')}", number, functools.partial(_run, path=path))
        for number, path in enumerate(files())
    ]


def files() -> list[Path]:
    """Return the files that have a marked test, or one with random examples."""
    tests = COLLECTION / "tests"
    return [path for path in sorted(tests.rglob("test_*.py")) if _MARKED.search(path.read_text("utf-8"))]


def _run(ground: Ground, _chance: random.Random, *, path: Path) -> str:
    scratch = ground.new_folder()
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-m", " or ".join(MARKERS), str(path)],
        cwd=COLLECTION,
        env={**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(scratch), VARIABLE: FULL},
        capture_output=True,
        text=True,
        timeout=_HARD_LIMIT,
        check=False,
    )
    require(done.returncode == 0, f"{path.name}: {done.stdout[-6000:]}{done.stderr[-1000:]}")
    return COMPLETED
