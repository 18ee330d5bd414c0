# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The archive stage beside tar, gzip and zstd. The cache is complete, and in the page cache for all of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .context import Bench
from .figures import Cpu, Figure, Series, cpu, series
from .process import MEGA, alternating, shell
from .workload import blobs_of

GROUP = "archive"

_FORMATS = ("gzip", "zstd", "none")
_SCRIPTS = {
    "tar": 'tar cf "$2" -C "$1" . && sync --file-system "$2"',
    "tar | gzip -6": 'tar cf - -C "$1" . | gzip -6 >"$2"',
    "tar | zstd -3 -T0": 'tar cf - -C "$1" . | zstd -q -3 -T0 >"$2"',
}


@dataclass(frozen=True)
class Archived:
    """How long it took in seconds, CPU seconds of all of the run, and how many bytes came out."""

    wall: float
    cpu: float
    size: int


def measure(bench: Bench) -> list[Figure]:
    """The rows of this group. gzip at level 6 is so slow that it has only some of the images to do."""
    images = bench.whole
    few = images[: max(1, len(images) // 24)]
    with bench.empty() as folder:
        whole, part = folder / "whole", folder / "part"
        bench.storage.fill_cache(images, whole)
        bench.storage.fill_cache(few, part)

        def ours(compress: str) -> Callable[[], Archived]:
            return lambda: _ours(bench, bench.params(images, folder, cache_dir=whole, compress=compress))

        variants: dict[str, Callable[[], Archived]] = {
            **{each: ours(each) for each in _FORMATS},
            "tar": lambda: _theirs(bench, "tar", whole),
            "tar | zstd -3 -T0": lambda: _theirs(bench, "tar | zstd -3 -T0", whole),
            "gzip of some": lambda: _ours(bench, bench.params(few, folder, cache_dir=part)),
            "tar | gzip -6": lambda: _theirs(bench, "tar | gzip -6", part),
        }
        # The first run of all makes the files of the cache that tar has to find there too.
        for each in ("none", "gzip of some"):
            variants[each]()
        samples = alternating(bench.sizes.rounds, variants)
    sizes = {name: f"{sum(blobs_of(each).values()) / MEGA:.0f} MB" for name, each in (("all", images), ("few", few))}
    return _rows(samples, sizes)


def _ours(bench: Bench, params: Mapping[str, Any]) -> Archived:
    """The module's archive stage; nothing may be left to fetch, so copy and archive is archive alone."""
    with bench.empty() as folder:
        done = bench.first_run({**params, "dest": folder / "out" / "images"})
        seconds = done.seconds("copy_and_archive", "publish")
        return Archived(seconds, done.cpu, done.data["stats"]["bytes_archive"])


def _theirs(bench: Bench, name: str, cache: Path) -> Archived:
    with bench.empty() as folder:
        out = folder / "reference"
        done = shell(_SCRIPTS[name], cache, out)
        return Archived(done.wall, done.cpu, out.stat().st_size)


def _rows(samples: Mapping[str, list[Archived]], sizes: Mapping[str, str]) -> list[Figure]:
    def walls(name: str, what: str) -> Series:
        return series(what, "s", (each.wall for each in samples[name]))

    stage = "archive stage"
    tar = walls("tar", "tar, then sync -f")
    notes = (f"{sizes['all']} of blobs; the CPU seconds are those of the whole run",)

    def cpus(ours: str, theirs: str) -> Cpu:
        return cpu((each.cpu for each in samples[ours]), (each.cpu for each in samples[theirs]))

    zstd, gzip = "tar | zstd -3 -T0", "tar | gzip -6"
    return [
        *(
            Figure(GROUP, f"archive, {each}", walls(each, stage), tar, 1.20, notes=notes, cpu=cpus(each, "tar"))
            for each in _FORMATS
        ),
        Figure(
            GROUP,
            "archive, zstd, by its own tool",
            walls("zstd", stage),
            walls(zstd, zstd),
            1.00,
            cpu=cpus("zstd", zstd),
        ),
        Figure(
            GROUP,
            "archive, gzip, by its own tool",
            walls("gzip of some", stage),
            walls(gzip, gzip),
            0.10,
            notes=(f"{sizes['few']} of blobs",),
            cpu=cpus("gzip of some", gzip),
        ),
        Figure(
            GROUP,
            "size, gzip",
            series("archive", "MB", (each.size / MEGA for each in samples["gzip of some"])),
            series(gzip, "MB", (each.size / MEGA for each in samples[gzip])),
            1.01,
        ),
    ]
