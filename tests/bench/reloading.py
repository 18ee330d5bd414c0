# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Loads after the first: with nothing new, and with one tag moved; and the memory that many images take."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..support.registry import Registry
from .context import Bench
from .figures import Figure, Series, cpu, series
from .loading import load_params, saved, taken, target
from .process import LOAD, MEGA, ModuleRun, run_module
from .rerun import Again, begun, heads
from .storage import Stored
from .workload import PLATFORMS, blobs_of, small_index

GROUP = "load again"

_LIMIT = 90.0
_NEW_LAYER = 10 * MEGA
_MOVED = 1
"""Which reference's tag is moved."""


@dataclass(frozen=True)
class Round:
    """The runs that are compared in one round, and what did not hold."""

    start: Again
    heads: Again
    again: Again
    moved: float
    broken: tuple[str, ...]


def measure(bench: Bench) -> list[Figure]:
    """The rows of this group."""
    images = bench.tiny[: bench.sizes.list_sizes[1]]
    original = images[_MOVED]
    with bench.empty() as folder:
        archive = saved(bench, images, folder)
        with target(bench, folder) as registry:
            run_module(load_params(archive, registry), name=LOAD)
            rounds = [_round(bench, images, archive, registry, number) for number in range(bench.sizes.rounds)]
    bench.storage.put_tag(original.repository, original.tag, original.digest)
    return [*_rows(rounds, len(images)), _memory(bench)]


def _round(bench: Bench, images: Sequence[Stored], archive: Path, registry: Registry, number: int) -> Round:
    """Loads again, then moves a tag and loads that, then moves it back."""
    broken: list[str] = []
    start, asked = begun(LOAD), heads(registry, images)
    again, idle = _load(archive, registry)
    if again.data["changed"] or idle.blobs or idle.others:
        broken.append("a second run changed something")
    original = images[_MOVED]
    new = bench.storage.add(original.repository, original.tag, small_index(f"load-moved-{number}", _NEW_LAYER))
    with bench.empty() as folder:
        moved, sent = _load(saved(bench, [*images[:_MOVED], new, *images[_MOVED + 1 :]], folder), registry)
    # The base layer is that of all images.
    lacking = set(new.blobs) - set(blobs_of(images))
    if sorted(sent.blobs) != sorted(lacking):
        broken.append("other blobs were sent than those of the new image")
    _load(archive, registry)  # moves it back
    return Round(start, asked, Again(again.wall, again.cpu), moved.wall, tuple(broken))


@dataclass(frozen=True)
class _Seen:
    """The requests to a registry: blobs that were sent, and other requests than HEAD."""

    blobs: tuple[str, ...]
    others: int


def _load(archive: Path, registry: Registry) -> tuple[ModuleRun, _Seen]:
    registry.clear()
    done = run_module(load_params(archive, registry), name=LOAD)
    others = sum(1 for each in registry.requests() if each.method != "HEAD" and each.path != "/v2/")
    return done, _Seen(taken(registry), others)


def _rows(rounds: Sequence[Round], count: int) -> list[Figure]:
    start = series("", "s", (each.start.wall for each in rounds)).median
    start_cpu = series("", "s", (each.start.cpu for each in rounds)).median
    again = series("whole second run", "s", (each.again.wall for each in rounds))
    broken = tuple(sorted({what for each in rounds for what in each.broken}))
    return [
        Figure(
            GROUP,
            f"second load, {count} references",
            series("run less its start", "s", (each.again.wall - start for each in rounds)),
            series(f"HEAD of {count} tags, 8 connections", "s", (each.heads.wall for each in rounds)),
            1.50,
            broken,
            (f"the start, {start:.2f} s, is that of a module that refuses its arguments",),
            cpu((each.again.cpu - start_cpu for each in rounds), (each.heads.cpu for each in rounds)),
        ),
        Figure(
            GROUP,
            f"load, one of {count} tags moved",
            series("whole run", "s", (each.moved for each in rounds)),
            again,
            2.00,
            notes=(f"the new image has {2 * _NEW_LAYER / MEGA:.0f} MB",),
        ),
    ]


def _memory(bench: Bench) -> Figure:
    """The peak of the module's memory for many images."""
    many = bench.sizes.many[1]
    images = bench.tiny[: many // len(PLATFORMS)]
    with bench.empty() as folder:
        archive = saved(bench, images, folder)
        with target(bench, folder) as registry:
            peaks = [run_module(load_params(archive, registry), name=LOAD).peak / MEGA for _run in ("first", "second")]
    return Figure(
        GROUP,
        f"peak memory of a load, {many} platform images",
        Series("peak", "MB", (peaks[0],)),
        Series("the limit", "MB", (_LIMIT,)),
        1.00,
        notes=(f"{peaks[1]:.0f} MB in a second run",),
    )
