# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""As much as a month's list has, over a link of limited bandwidth, beside the time that the link alone needs."""

from __future__ import annotations

from .context import Bench
from .figures import Figure, Series, cpu, series
from .link import RATE, shaped
from .process import MEGA, BenchError, run_module
from .workload import add_huge_images, blobs_of

GROUP = "haul"

_IMAGE = 200
"""Megabytes of an image, which has one layer."""

_PARTS = 10


def measure(bench: Bench) -> list[Figure]:
    """The row of this group, of one run. Without a cache that is kept, so the disk has to hold the archive alone."""
    megabytes = bench.sizes.haul
    images = add_huge_images(bench.storage, "haul", megabytes, max(1, round(megabytes / _IMAGE)))
    size = sum(blobs_of(images).values())
    with shaped(bench.registry.port) as host, bench.empty() as folder:
        options = {"source_registry": host, "keep_cache": False, "part_size": f"{size // _PARTS + 1}B"}
        params = bench.params(images, folder, **options)
        done = run_module(params)
        if done.data["stats"]["bytes_downloaded"] < size:
            raise BenchError("a save with nothing in the cache has downloaded less than the images have")
    link = size / RATE
    rest = f"{done.wall - link:.0f} s are not the link's; the module had {done.peak / MEGA:.0f} MB of memory at most"
    return [
        Figure(
            GROUP,
            f"{megabytes / 1000:g} GB over a link of {RATE // MEGA} MB/s",
            series(f"cold gzip run, {_PARTS} parts, jobs 10", "s", (done.wall,)),
            Series("bytes of the blobs, by the link alone", "s", (link,)),
            1.05,
            notes=(f"{len(images)} images; {rest}",),
            cpu=cpu((done.cpu,)),
        )
    ]
