# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole gzip run over a shaped link, beside the time that the link needs for the unique bytes alone."""

from __future__ import annotations

from .context import Bench
from .copying import Cold, module
from .figures import Figure, Series, cpu, series
from .link import LATENCY, RATE, shaped
from .process import MEGA
from .workload import blobs_of

GROUP = "link"


def measure(bench: Bench) -> list[Figure]:
    """The row of this group."""
    images = bench.linked
    unique = sum(blobs_of(images).values())
    runs: list[Cold] = []
    with shaped(bench.registry.port) as host:
        # Once: the link decides how long it takes, and it is long.
        runs.append(module(bench, images, source_registry=host))
    sent = series("", "MB", (each.sent / MEGA for each in runs)).median
    return [
        Figure(
            GROUP,
            "whole gzip run over a shaped link",
            series("whole gzip run, cold, jobs 10", "s", (each.wall for each in runs)),
            Series(f"unique bytes / {RATE // MEGA} MB/s", "s", (unique / RATE,)),
            1.08,
            notes=(
                f"{unique / MEGA:.0f} MB of unique blobs, {sent:.0f} MB sent, {LATENCY * 1000:.0f} ms before each "
                "connection; hangar v1.6.1 over such a link: 1.61 with 1 worker, 1.26 with 10, 1.64 with 20",
            ),
            cpu=cpu(each.cpu for each in runs),
        )
    ]
