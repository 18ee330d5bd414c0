"""The CPU seconds of each gate, as a run on one machine has measured them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from gates.versions import CHECKOUT

FILE = CHECKOUT / "tests" / "gates" / "seconds.json"


def read_seconds(file: Path = FILE) -> dict[str, float]:
    """Return the CPU seconds of each gate by its name."""
    found: dict[str, float] = json.loads(file.read_text("utf-8"))
    return found


def record_seconds(measured: Mapping[str, float], file: Path = FILE) -> None:
    """Replace the figures of the gates that were measured, and keep the others."""
    known = {**read_seconds(file), **{name: round(seconds, 1) for name, seconds in measured.items()}}
    file.write_text(json.dumps(known, indent=2, sort_keys=True) + "\n", "utf-8")
