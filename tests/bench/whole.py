# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whole cold saves, beside the same with an earlier commit: time, CPU and requests.

That commit was measured beside hangar 1.6.1 with ten workers, which is not in the package indexes: 0.83 of hangar's
wall time and 0.75 of its CPU time for gzip, 0.42 and 0.45 for zstd, 0.83 and 0.65 for directories.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from ..support.module import ROOT
from .context import Bench
from .figures import Figure, Series, series
from .hosts import earlier
from .process import BenchError, alternating, run, run_module
from .storage import Stored

GROUP = "whole"

EARLIER = "b6a6e80"
_FORMATS = ("gzip", "zstd", "dir")
_ALLOWED = 0.60
_WITNESS = 3
"""Manifests that ``skopeo copy`` may ask for when it copies the first image of a registry."""


@dataclass(frozen=True)
class Whole:
    """A save with nothing in the cache.

    :param wall: seconds.
    :param cpu: seconds, with those of skopeo.
    :param gets: manifests and indexes that the registry has sent.
    :param sums: sha256 of the archive's files by name.
    """

    wall: float
    cpu: float
    gets: int
    sums: tuple[tuple[str, str], ...]


def measure(bench: Bench) -> list[Figure]:
    """The rows of this group."""
    roots = {"ours": ROOT, "theirs": earlier(bench, EARLIER)}
    images = bench.whole
    samples = alternating(
        bench.sizes.rounds,
        {
            f"{compress} {name}": partial(_save, bench, root, images, compress)
            for compress in _FORMATS
            for name, root in roots.items()
        }
        | {"least": partial(_bare, bench, images)},
    )
    rows = [row for compress in _FORMATS for row in _rows(compress, samples)]
    return [*rows, _least(samples["gzip ours"], samples["least"]), _requests(images, samples)]


def _save(bench: Bench, root: Path, images: Sequence[Stored], compress: str) -> Whole:
    with bench.empty() as folder:
        done = run_module(bench.params(images, folder, compress=compress), env={"PYTHONPATH": str(root)})
        gets = sum(1 for each in bench.registry.requests() if each.method == "GET" and each.manifest)
        if not done.data["changed"]:
            raise BenchError("a save with nothing in the cache has changed nothing")
        return Whole(done.wall, done.cpu, gets, done.parts)


def _bare(bench: Bench, images: Sequence[Stored]) -> Whole:
    """What each byte takes in any case: received, hashed, written, read, in stored blocks, hashed, written."""
    blobs = {digest: image.repository for image in images for digest in image.blobs}
    lines = "".join(f"{repository} {digest}\n" for digest, repository in blobs.items())
    name = "ansible_collections.airgap.images.tests.bench.bare_save"
    with bench.empty() as folder:
        done = run([sys.executable, "-m", name, bench.registry.host, folder, "10"], stdin=lines.encode("ascii"))
    return Whole(done.wall, done.cpu, 0, ())


def _least(ours: Sequence[Whole], least: Sequence[Whole]) -> Figure:
    return Figure(
        GROUP,
        "CPU seconds of the whole run, gzip, beside the least",
        series("whole gzip run, cold, jobs 10", "CPU s", (each.cpu for each in ours)),
        series("the same steps for each byte and nothing else", "CPU s", (each.cpu for each in least)),
        None,
    )


def _rows(compress: str, samples: dict[str, list[Whole]]) -> list[Figure]:
    ours, theirs = samples[f"{compress} ours"], samples[f"{compress} theirs"]
    # Other members may have been added since, but never other blobs or another form of them.
    if len({each.sums for each in ours}) != 1:
        raise BenchError(f"{compress}: the same images gave different archives")
    what, before = f"whole {compress} run, cold, jobs 10", f"the same in {EARLIER}"
    return [
        Figure(
            GROUP,
            f"whole run, {compress}",
            series(what, "s", (each.wall for each in ours)),
            series(before, "s", (each.wall for each in theirs)),
            _ALLOWED,
        ),
        Figure(
            GROUP,
            f"CPU seconds of the whole run, {compress}",
            series(what, "CPU s", (each.cpu for each in ours)),
            series(before, "CPU s", (each.cpu for each in theirs)),
            _ALLOWED,
        ),
    ]


def _requests(images: Sequence[Stored], samples: dict[str, list[Whole]]) -> Figure:
    needed = {digest for image in images for digest in image.manifests}
    theirs = max(each.gets for each in samples["gzip theirs"])
    return Figure(
        GROUP,
        "GETs of manifests",
        series("GETs, gzip", "", (each.gets for each in samples["gzip ours"])),
        Series(f"manifests and indexes, and {_WITNESS} for a witness", "", (len(needed) + _WITNESS,)),
        1.00,
        notes=(f"{theirs} in {EARLIER}",),
    )
