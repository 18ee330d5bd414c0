# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The peak of the module's own memory: over bytes, and over images."""

from __future__ import annotations

from collections.abc import Sequence

from .context import Bench
from .figures import Figure, Series, series
from .process import MEGA, run_module
from .workload import PLATFORMS, add_huge_images

GROUP = "memory"

_HUGE_IMAGES = 10
_LIMIT = 120.0


def measure(bench: Bench) -> list[Figure]:
    """The rows of this group. A peak is no time: once is enough where it takes gigabytes."""
    less, more = bench.sizes.huge
    peaks = [_cold(bench, each) for each in (less, more)]
    fewer, many = bench.sizes.many
    few_peaks = [_warm(bench, fewer) for _round in range(bench.sizes.rounds)]
    many_peaks = [_warm(bench, many) for _round in range(bench.sizes.rounds)]
    return [
        Figure(
            GROUP,
            f"peak memory, {more / 1000:g} GB of blobs",
            _series(f"peak, cold gzip run, {more:g} MB", peaks[1:]),
            _series(f"the same, {less:g} MB", peaks[:1]),
            1.10,
            notes=(f"{_HUGE_IMAGES} images of one layer each; layers are zeros behind the magic number of gzip",),
        ),
        Figure(
            GROUP,
            f"peak memory, {many} platform images",
            _series(f"peak, {many} platform images", many_peaks),
            Series("the limit", "MB", (_LIMIT,)),
            1.00,
            notes=(f"{_series('', few_peaks).median:.0f} MB with {fewer}; all of them in the cache already",),
        ),
    ]


def _series(what: str, peaks: Sequence[int]) -> Series:
    return series(what, "MB", (peak / MEGA for peak in peaks))


def _cold(bench: Bench, megabytes: float) -> int:
    images = add_huge_images(bench.storage, f"of-{megabytes:g}", megabytes, _HUGE_IMAGES)
    with bench.empty() as folder:
        return run_module(bench.params(images, folder)).peak


def _warm(bench: Bench, platform_images: int) -> int:
    images = bench.tiny[: platform_images // len(PLATFORMS)]
    with bench.empty() as folder:
        return bench.first_run(bench.params(images, folder, cache_dir=bench.tiny_cache)).peak
