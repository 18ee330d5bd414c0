# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An archive with a parity file, beside the same without it and ``sha256sum`` of its parts."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from .context import Bench
from .figures import Figure, cpu, series
from .process import MEGA, shell
from .workload import blobs_of

GROUP = "parity"

_PARTS = 11
_STAGES = ("copy_and_archive", "parity", "publish")
_SHA256SUM = 'cd "$1" && sha256sum --quiet -c *.sha256'


@dataclass(frozen=True)
class _Saved:
    """A run.

    :param stages: seconds of the stages that write the archive.
    :param sums: seconds of sha256sum of all parts.
    :param cpu: CPU seconds of the whole run.
    :param sums_cpu: those of sha256sum.
    """

    stages: float
    sums: float
    cpu: float
    sums_cpu: float


def measure(bench: Bench) -> list[Figure]:
    """The rows of this group. Nothing is left to fetch, so copy and archive is archive alone."""
    size = sum(blobs_of(bench.images).values())
    with bench.empty() as folder:
        bench.storage.fill_cache(bench.images, folder / "cache")
        _save(bench, folder / "cache", size, parity=False)  # makes the files of the cache that the others find there
        without, with_it = [], []
        for _round in range(bench.sizes.rounds):
            without.append(_save(bench, folder / "cache", size, parity=False))
            with_it.append(_save(bench, folder / "cache", size, parity=True))
    return [
        Figure(
            GROUP,
            "archive with parity",
            series("archive stage with a parity file", "s", (each.stages for each in with_it)),
            series(
                "1.25 times without it, and one sha256sum", "s", (1.25 * each.stages + each.sums for each in without)
            ),
            1.00,
            cpu=cpu((each.cpu for each in with_it), (each.cpu + each.sums_cpu for each in without)),
            notes=(f"some {_PARTS} parts, {size / MEGA:.0f} MB",),
        )
    ]


def _save(bench: Bench, cache: Path, size: int, *, parity: bool) -> _Saved:
    with bench.empty() as folder:
        params = bench.params(bench.images, folder, cache_dir=cache, compress="none")
        options = {"dest": folder / "out" / "images", "part_size": f"{size // _PARTS}B", "parity": parity}
        done = bench.first_run({**params, **options})
        sums = shell(_SHA256SUM, folder / "out")
        return _Saved(done.seconds(*_STAGES), sums.wall, done.cpu, sums.cpu)
