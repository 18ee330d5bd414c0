# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A bundle of one new image among many, beside a run with nothing new, and that image on its own."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .context import Bench
from .figures import Figure, cpu, series
from .process import MEGA, BenchError, ModuleRun, alternating, module_start, run_module
from .storage import Stored
from .workload import blobs_of, small_index

GROUP = "bundle"

_NEW_LAYER = 10 * MEGA
_TIMES = 2.0


@dataclass(frozen=True)
class _Taken:
    """The seconds of a run, and the bytes of its archive."""

    wall: float
    cpu: float
    size: int = 0


def measure(bench: Bench) -> list[Figure]:
    """The rows of this group."""
    images = bench.tiny[: bench.sizes.list_sizes[1]]
    new = bench.storage.add("tiny/new", "v1", small_index("new", _NEW_LAYER))
    with bench.empty() as folder:
        whole = bench.params(images, folder, cache_dir=folder / "cache", dest=folder / "out/images")
        bench.storage.fill_cache(images, folder / "cache")
        lock_file = bench.first_run(whole).data["lock_file"]
        samples = alternating(
            bench.sizes.rounds,
            {
                "again": lambda: _of(run_module(whole)),
                "alone": lambda: _alone(bench, new),
                "bundle": lambda: _bundle(bench, [*images, new], folder, new, since=[lock_file]),
            },
        )
    start = module_start()
    again, alone = (series("", "s", (each.wall for each in samples[name])).median for name in ("again", "alone"))
    busy = [series("", "s", (each.cpu for each in samples[name])).median for name in ("again", "alone")]
    return [
        Figure(
            GROUP,
            f"bundle of one new image among {len(images)}",
            series("cold save of the bundle", "s", (each.wall for each in samples["bundle"])),
            series("2 runs with nothing new, and the image alone", "s", (_TIMES * again + max(0.0, alone - start),)),
            1.00,
            cpu=cpu(each.cpu for each in samples["bundle"]),
            notes=(
                f"nothing new: {again:.2f} s; the image alone, less the start: {alone - start:.2f} s",
                f"CPU seconds: nothing new {busy[0]:.2f}; the image alone, with the start {busy[1]:.2f}",
                f"{sum(blobs_of([new]).values()) / MEGA:.0f} MB are new, the bundle has "
                f"{samples['bundle'][0].size / MEGA:.1f} MB, most of it manifests and configurations of all images",
            ),
        )
    ]


def _of(done: ModuleRun) -> _Taken:
    return _Taken(done.wall, done.cpu, done.data["stats"]["bytes_archive"])


def _alone(bench: Bench, new: Stored) -> _Taken:
    with bench.empty() as folder:
        return _of(run_module(bench.params([new], folder)))


def _bundle(bench: Bench, images: list[Stored], folder: Path, new: Stored, **params: Any) -> _Taken:
    """Save a bundle with a cache that lacks the new image."""
    for digest in (*new.manifests, *new.blobs):
        (folder / "cache/share/sha256" / digest.removeprefix("sha256:")).unlink(missing_ok=True)
    with bench.empty() as place:
        done = run_module(bench.params(images, place, cache_dir=folder / "cache", **params))
    if not done.data["changed"] or not done.data["bundle"]["left_out"]:
        raise BenchError(f"that is not a bundle: {done.data['msg']}")
    return _of(done)
