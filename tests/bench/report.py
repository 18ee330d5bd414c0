# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The figures as a table for a terminal, as JSON, and as Markdown. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from .figures import Cpu, Figure, Series


@dataclass(frozen=True)
class Report:
    """A whole run of the benchmark.

    :param machine: what it was measured on, in words.
    :param sizes: how much was measured, as the options of the run.
    :param seconds: wall time of each group of figures, the making of its images included.
    """

    machine: Mapping[str, str]
    sizes: Mapping[str, object]
    seconds: Mapping[str, float]
    figures: Sequence[Figure]

    @property
    def missed(self) -> list[Figure]:
        """The figures that do not reach what they must."""
        return [figure for figure in self.figures if not figure.reached]


def as_json(report: Report) -> str:
    """Everything, samples included."""
    figures = [
        {
            **asdict(figure),
            "ours": _series(figure.ours),
            "reference": _series(figure.reference),
            "cpu": _cpu(figure.cpu),
            "ratio": figure.ratio,
            "reached": figure.reached,
        }
        for figure in report.figures
    ]
    document = {
        "machine": dict(report.machine),
        "sizes": dict(report.sizes),
        "seconds": {group: round(seconds, 1) for group, seconds in report.seconds.items()},
        "figures": figures,
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _series(one: Series) -> dict[str, object]:
    return {
        "what": one.what,
        "unit": one.unit,
        "median": round(one.median, 4),
        "samples": [round(sample, 4) for sample in one.samples],
    }


def _cpu(one: Cpu | None) -> dict[str, object] | None:
    if one is None:
        return None
    return {"ours": _series(one.ours), "reference": None if one.reference is None else _series(one.reference)}


def as_text(report: Report) -> str:
    """A table for a terminal."""
    rows = [
        (figure.name, *_amounts(figure), _ratio(figure), bound(figure), verdict(figure)) for figure in report.figures
    ]
    titles = ("figure", "ours", "reference", "ratio", "at most", "")
    widths = [max(len(row[column]) for row in [titles, *rows]) for column in range(len(titles))]
    lines = [_line(row, widths) for row in [titles, *rows]]
    broken = [f"{figure.name}: {what}" for figure in report.figures for what in figure.broken]
    return "\n".join([lines[0], "-" * len(lines[0]), *lines[1:], *broken]) + "\n"


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    """The first column to the left, numbers to the right."""
    cells = [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
    return "  ".join(cells).rstrip()


def as_markdown(report: Report) -> str:
    """A page: the table, the machine, and how to repeat it."""
    reached = sum(1 for figure in report.figures if figure.reached and figure.bound is not None)
    asserted = sum(1 for figure in report.figures if figure.bound is not None)
    lines = [
        "# Results of the benchmark",
        "",
        "Written by `tests/bench.sh`; do not edit. Medians of alternating runs, each next to its reference of the same",
        f"run. {reached} of {asserted} figures are within their bounds.",
        "",
        "![Each ratio relative to its bound](plot.svg)",
        "",
        "| figure | ours | reference | ratio | at most | |",
        "|---|---|---|---|---|---|",
        *(_markdown_row(figure) for figure in report.figures),
        "",
        "## Notes",
        "",
        *(f"- {figure.name}: {text}." for figure in report.figures for text in (*figure.notes, *figure.broken)),
        "",
        "## Machine",
        "",
        "| | |",
        "|---|---|",
        *(f"| {name} | {text} |" for name, text in report.machine.items()),
        "",
        "## Sizes",
        "",
        "| | |",
        "|---|---|",
        *(f"| {name} | {_plain(value)} |" for name, value in report.sizes.items()),
        "",
        "## Repeat",
        "",
        "```console",
        "$ tests/bench.sh",
        "```",
        "",
        f"It took {sum(report.seconds.values()) / 60:.1f} minutes here: "
        + ", ".join(f"{group} {seconds:.0f} s" for group, seconds in report.seconds.items())
        + ".",
    ]
    return "\n".join(lines) + "\n"


def _markdown_row(figure: Figure) -> str:
    ours, reference = _amounts(figure)
    cells = (
        figure.name,
        f"{figure.ours.what}: {ours}",
        f"{figure.reference.what}: {reference}",
        _ratio(figure),
        bound(figure),
        verdict(figure),
    )
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _amounts(figure: Figure) -> tuple[str, str]:
    """What both sides took, each with its CPU seconds."""
    used = figure.cpu or Cpu(figure.ours, None)
    ours = amount(figure.ours) if figure.cpu is None else f"{amount(figure.ours)}, {amount(used.ours)}"
    reference = amount(figure.reference)
    return ours, reference if used.reference is None else f"{reference}, {amount(used.reference)}"


def amount(one: Series) -> str:
    """The median with three significant digits, and the unit."""
    value = one.median
    digits = 0 if abs(value) >= 100 or value == int(value) else 1 if abs(value) >= 10 else 2
    return f"{value:.{digits}f} {one.unit}".rstrip()


def _ratio(figure: Figure) -> str:
    return f"{figure.ratio:.2f}"


def bound(figure: Figure) -> str:
    """The highest ratio that is allowed."""
    return "-" if figure.bound is None else f"{figure.bound:.2f}"


def verdict(figure: Figure) -> str:
    """A word for the last column."""
    if not figure.reached:
        return "MISSED"
    return "" if figure.bound is None else "reached"


def _plain(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)
