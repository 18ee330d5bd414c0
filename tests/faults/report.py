# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Outcomes as a table for a terminal, as JSON, and as Markdown. Pure."""

from __future__ import annotations

import json
import textwrap
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict

from .trial import OUTCOMES, Report


def as_json(report: Report) -> str:
    """Counts, and every violation in full."""
    document = {
        "seed": report.seed,
        "machine": dict(report.machine),
        "seconds": round(report.seconds, 1),
        "trials": len(report.outcomes),
        "faults": [
            {"group": group, "fault": fault, **{name: count for name, count in zip(OUTCOMES, counts) if count}}
            for group, fault, counts in rows(report)
        ],
        "violations": [asdict(each) for each in report.violations],
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def rows(report: Report) -> list[tuple[str, str, list[int]]]:
    """Group, fault and how often each outcome came, in the order of the trials."""
    counts: dict[tuple[str, str], Counter[str]] = {}
    for each in report.outcomes:
        counts.setdefault((each.group, each.fault), Counter())[each.outcome] += 1
    return [(group, fault, [count[name] for name in OUTCOMES]) for (group, fault), count in counts.items()]


def as_text(report: Report) -> str:
    """A table for a terminal, and what did not hold."""
    shown, table = _shown(report)
    titles = ["", *shown]
    widths = [max(len(row[column]) for row in [titles, *table]) for column in range(len(titles))]
    lines = [
        "  ".join([row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:]))])
        for row in [titles, *table]
    ]
    told = [f"{each.group}:{each.number} {each.fault}: {each.told}" for each in report.violations]
    return "\n".join([*lines, *told]) + "\n"


def as_markdown(report: Report) -> str:
    """The table, and what it was made with."""
    shown, table = _shown(report)
    lines = [f"| fault | {' | '.join(shown)} |", f"|---|{'---:|' * len(shown)}"]
    lines += [f"| {' | '.join(row)} |" for row in table]
    machine = ", ".join(f"{name} {text}" for name, text in report.machine.items())
    made = f"{len(report.outcomes)} trials with seed {report.seed} in {report.seconds / 60:.0f} minutes on {machine}."
    return "\n".join([*textwrap.wrap(made, 120, break_on_hyphens=False), "", *lines]) + "\n"


def in_page(page: str, table: str, *, group: str = "") -> str:
    """The page with the table between its two marks.

    :param group: of trials, for the table of a run with that group only.
    :raises ValueError: the page does not have them
    """
    command = f"tests/faults.sh --only {group}" if group else "tests/faults.sh"
    first, last = f"<!-- table of {command}: begin -->", f"<!-- table of {command}: end -->"
    before, begin, rest = page.partition(first)
    _old, end, after = rest.partition(last)
    if not begin or not end:
        raise ValueError(f"the page lacks {first} or {last}")
    return f"{before}{begin}\n\n{table}\n{end}{after}"


def _shown(report: Report) -> tuple[list[str], list[list[str]]]:
    """The outcomes that came at all, and a row of text for each fault; the last row adds up."""
    found = rows(report)
    total = [sum(counts[column] for _group, _fault, counts in found) for column in range(len(OUTCOMES))]
    kept = [column for column in range(len(OUTCOMES)) if total[column] or OUTCOMES[column] == "violated"]
    body = [[f"{group}: {fault}", *_cells(counts, kept)] for group, fault, counts in found]
    return [OUTCOMES[column] for column in kept], [*body, ["all", *_cells(total, kept)]]


def _cells(counts: Sequence[int], kept: Sequence[int]) -> list[str]:
    return [str(counts[column] or "") for column in kept]
