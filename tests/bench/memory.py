# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The peak of the module's own memory: over bytes, and over images."""

from __future__ import annotations

from collections.abc import Sequence

from .context import Bench
from .figures import Figure, Series, series
from .process import MEGA, alternating, run_module
from .storage import Stored
from .workload import PLATFORMS, add_huge_images

GROUP = "memory"

_HUGE_IMAGES = 10
_LIMIT = 120.0


def measure(bench: Bench) -> list[Figure]:
    """The rows of this group."""
    less, more = bench.sizes.huge
    huge = {each: add_huge_images(bench.storage, f"of-{each:g}", each, _HUGE_IMAGES) for each in (less, more)}
    fewer, many = bench.sizes.many
    samples = alternating(
        1,  # it is the same each time, but for a few hundred kB
        {
            "less": lambda: _cold(bench, huge[less]),
            "more": lambda: _cold(bench, huge[more]),
            "fewer": lambda: _warm(bench, fewer),
            "many": lambda: _warm(bench, many),
        },
    )
    few = _series("", samples["fewer"])
    return [
        Figure(
            GROUP,
            f"peak memory, {more:g} MB of blobs",
            _series(f"peak, cold gzip run, {more:g} MB", samples["more"]),
            _series(f"the same, {less:g} MB", samples["less"]),
            1.25,
            notes=(f"{_HUGE_IMAGES} images of one layer each; layers are zeros behind the magic number of gzip",),
        ),
        Figure(
            GROUP,
            f"peak memory, {many} platform images",
            _series(f"peak, {many} platform images", samples["many"]),
            Series("the limit", "MB", (_LIMIT,)),
            1.00,
            notes=(f"{few.median:.0f} MB with {fewer}; all of them in the cache already",),
        ),
    ]


def _series(what: str, peaks: Sequence[int]) -> Series:
    return series(what, "MB", (peak / MEGA for peak in peaks))


def _cold(bench: Bench, images: Sequence[Stored]) -> int:
    with bench.empty() as folder:
        return run_module(bench.params(images, folder)).peak


def _warm(bench: Bench, platform_images: int) -> int:
    images = bench.tiny[: platform_images // len(PLATFORMS)]
    with bench.empty() as folder:
        return bench.first_run(bench.params(images, folder, cache_dir=bench.tiny_cache)).peak
