# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The cost of an image where there are many: nothing is downloaded, as the cache was filled beforehand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from .context import Bench
from .figures import Figure, series
from .process import alternating, module_start, run_module

GROUP = "growth"


@dataclass(frozen=True)
class Cost:
    """Milliseconds for each reference."""

    plan: float
    archive: float
    again: float


_QUANTITIES: dict[str, tuple[str, Callable[[Cost], float]]] = {
    "plan": ("plan", lambda cost: cost.plan),
    "archive bookkeeping": ("archive and publish", lambda cost: cost.archive),
    "re-run": ("re-run less its start", lambda cost: cost.again),
}


def measure(bench: Bench) -> list[Figure]:
    """The rows of this group: the most references against the fewest. It is long, so two rounds have to do."""
    rounds = min(bench.sizes.rounds, 2)
    sizes = bench.sizes.references
    start = series("", "s", (module_start() for _round in range(rounds))).median
    samples = alternating(rounds, {str(size): partial(_cost, bench, size, start) for size in sizes})
    rows: list[Figure] = []
    for name, (what, quantity) in _QUANTITIES.items():
        taken = {size: series(f"{what}, {size}", "ms", map(quantity, samples[str(size)])) for size in sizes}
        between = ", ".join(f"{taken[size].median:.2f} ms at {size}" for size in sizes)
        most, fewest = taken[sizes[-1]], taken[sizes[0]]
        note = f"each reference of two platforms costs {between}"
        rows.append(Figure(GROUP, f"{name} per image, {sizes[-1]}", most, fewest, 1.20, notes=(note,)))
    return rows


def _cost(bench: Bench, size: int, start: float) -> Cost:
    with bench.empty() as folder:
        params = bench.params(bench.tiny[:size], folder, cache_dir=bench.tiny_cache, compress="none")
        first = bench.first_run(params)
        again = run_module(params)
    each = 1000 / size
    archive = first.seconds("copy_and_archive", "publish")
    return Cost(first.seconds("plan") * each, archive * each, (again.wall - start) * each)
