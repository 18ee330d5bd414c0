# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ten thousand references with ninety thousand blobs: time for each beside a short list, and the peak of memory."""

from __future__ import annotations

import urllib.request
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from .context import Bench
from .figures import Figure, Series, series
from .fixture_registry import many, name_of
from .process import MEGA, BenchError, ModuleRun, Run, run_module, start_run

GROUP = "growth10k"

_FORMATS = ("gzip", "dir")
_STEPS = ("first save", "re-run", "one tag moved")
_LONGER = 1.10
_HALF = {
    ("gzip", "first save"): 263 / 2,
    ("gzip", "re-run"): 127 / 2,
    ("gzip", "one tag moved"): 338 / 2,
    ("dir", "first save"): 527 / 2,
    ("dir", "one tag moved"): 667 / 2,
}
"""Half of the megabytes that these runs took with 10,000 references when that was first measured."""


@dataclass(frozen=True)
class _Sample:
    """The runs with one list, by step."""

    size: int
    runs: dict[str, ModuleRun]

    def each(self, step: str, start: float, quantity: str) -> float:
        """Milliseconds for each reference, of wall or CPU time."""
        taken: float = getattr(self.runs[step], quantity)
        return (taken - start) * 1000 / self.size


def measure(bench: Bench) -> list[Figure]:
    """The rows of this group, of one round."""
    start = start_run()
    rows: list[Figure] = []
    with many(bench.sizes.grown[-1]) as host:
        for compress in _FORMATS:
            short, long = (_runs(bench, host, size, compress) for size in bench.sizes.grown)
            rows += _rows(compress, short, long, start)
    return rows


def _rows(compress: str, short: _Sample, long: _Sample, start: Run) -> Iterable[Figure]:
    for step in _STEPS:
        name = f"{step}, {long.size} references, {compress}"
        note = f"whole: {long.runs[step].wall:.1f} s, {long.runs[step].cpu:.1f} CPU s"
        for quantity, unit in (("cpu", "CPU ms"), ("wall", "ms")):
            ours = long.each(step, getattr(start, quantity), quantity)
            theirs = short.each(step, getattr(start, quantity), quantity)
            yield Figure(
                GROUP,
                f"{name}: {'CPU' if quantity == 'cpu' else 'time'} for each",
                series("the run less its start, by references", unit, [ours]),
                series(f"the same, {short.size} references", unit, [theirs]),
                _LONGER,
                notes=(note,),
            )
        if (compress, step) in _HALF:
            yield Figure(
                GROUP,
                f"{name}: peak memory",
                series("peak of the module's own memory", "MB", [long.runs[step].peak / MEGA]),
                Series("half of what it first was", "MB", (_HALF[compress, step],)),
                1.00,
                notes=(f"{short.runs[step].peak / MEGA:.0f} MB with {short.size} references",),
            )


def _runs(bench: Bench, host: str, size: int, compress: str) -> _Sample:
    """Saves with an empty cache, and twice again."""
    with bench.empty() as folder:
        params: dict[str, Any] = {
            **bench.params((), folder, compress=compress),
            "images": [f"{host}/{name_of(number)}" for number in range(size)],
        }
        first, again = run_module(params), run_module(params)
        _move(host)
        moved = run_module(params)
        _move(host)
    changed = [each.data["changed"] for each in (first, again, moved)]
    if changed != [True, False, True]:
        raise BenchError(f"a save, a save of the same and one with a moved tag have changed: {changed}")
    return _Sample(size, dict(zip(_STEPS, (first, again, moved))))


def _move(host: str) -> None:
    """Makes the first tag name its other image."""
    with urllib.request.urlopen(urllib.request.Request(f"http://{host}/moved", method="PUT")):  # loopback
        pass
