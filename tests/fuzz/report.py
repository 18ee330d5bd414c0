# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The figures of a run, as JSON and as a table for the documentation."""

from __future__ import annotations

import json
import platform
from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

from .campaign import Outcome
from .targets import TARGETS


def write(outcomes: Sequence[Outcome], kept: dict[str, int], folder: Path, *, seconds: float) -> None:
    """Write ``fuzz.json`` and ``fuzz.md``."""
    folder.mkdir(parents=True, exist_ok=True)
    document = {
        "command": "tests/fuzz.sh",
        "python": platform.python_version(),
        "atheris": version("atheris"),
        "executions": sum(outcome.executions for outcome in outcomes),
        "seconds": round(seconds, 1),
        "findings": sum(len(outcome.findings) for outcome in outcomes),
        "targets": [
            {**asdict(outcome), "per_second": per_second(outcome), "seeds_kept": kept.get(outcome.target, 0)}
            for outcome in outcomes
        ],
    }
    (folder / "fuzz.json").write_text(json.dumps(document, indent=2) + "\n", "utf-8")
    (folder / "fuzz.md").write_text(as_markdown(outcomes, kept), "utf-8")


def per_second(outcome: Outcome) -> int:
    """Executions per second, with the start of the process."""
    return round(outcome.executions / outcome.seconds) if outcome.seconds else 0


def as_markdown(outcomes: Sequence[Outcome], kept: dict[str, int]) -> str:
    """A page with a table, and in that a row for the sum."""
    lines = [
        "# Last full run of the fuzzer",
        "",
        "Written by `tests/fuzz.sh`; the same figures are in [fuzz.json](fuzz.json). Executions are counted by",
        "libFuzzer; edges are those of the engine's bytecode that were reached. `tests/fuzz/` has the targets and the",
        "properties that must hold. A finding is an input that breaks a property, takes 5 seconds, or needs 1 GB.",
        "",
        "| target | function | executions | seconds | per second | edges | corpus | seeds kept | findings |",
        "|---|---|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for outcome in outcomes:
        lines.append(
            f"| `{outcome.target}` | {TARGETS[outcome.target].about} | {outcome.executions:,} "
            f"| {outcome.seconds:.0f} | {per_second(outcome):,} | {outcome.edges} | {outcome.corpus} "
            f"| {kept.get(outcome.target, 0)} | {len(outcome.findings)} |"
        )
    executions, seconds = (sum(getattr(one, name) for one in outcomes) for name in ("executions", "seconds"))
    lines.append(
        f"| all | | {executions:,} | {seconds:.0f} | {round(executions / seconds) if seconds else 0:,} | | "
        f"{sum(one.corpus for one in outcomes)} | {sum(kept.values())} | {sum(len(one.findings) for one in outcomes)} |"
    )
    return "\n".join(lines) + "\n"
