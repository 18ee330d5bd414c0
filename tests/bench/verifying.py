# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Verifying an archive in eleven parts, and making one of them again, beside ``sha256sum`` of all parts."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from .context import Bench
from .figures import Figure, series
from .loading import saved
from .process import MEGA, BenchError, ModuleRun, Run, alternating, run_module, shell
from .workload import blobs_of

GROUP = "verify"

_VERIFY = "image_verify"
_PARTS = 11


def measure(bench: Bench) -> list[Figure]:
    """The rows of this group. All parts are in the page cache for all variants."""
    size = sum(blobs_of(bench.images).values())
    with bench.empty() as folder:
        bench.storage.fill_cache(bench.images, folder / "cache")
        archive = saved(bench, bench.images, folder, part_size=f"{size // _PARTS}B", parity=True)
        variants: dict[str, Callable[[], Run | ModuleRun]] = {
            "sha256sum": lambda: shell('cat "$1"/*.sha256 | (cd "$1" && sha256sum --quiet -c -)', archive),
            "verify": partial(_verify, archive),
            "repair": partial(_repair, archive),
        }
        samples = alternating(bench.sizes.rounds, variants)
    notes = (f"some {_PARTS} parts, {size / MEGA:.0f} MB",)
    rows = (("verify", "image_verify", 1.00), ("repair", "image_verify, repair", 1.50))
    return [
        Figure(
            GROUP,
            f"{name} ({unit})",
            series(what, unit, (getattr(each, kind) for each in samples[name])),
            series("sha256sum of all parts", unit, (getattr(each, kind) for each in samples["sha256sum"])),
            bound,
            notes=notes,
        )
        for name, what, bound in rows
        for unit, kind in (("s", "wall"), ("CPU s", "cpu"))
    ]


def _verify(archive: Path, *, repair: bool = False) -> ModuleRun:
    done = run_module({"src": [archive], "repair": repair}, name=_VERIFY)
    if done.data["stats"]["parts"] < _PARTS - 1 or done.data["stats"]["parts_bad"]:
        raise BenchError("the module does not find the parts whole that are")
    return done


def _repair(archive: Path) -> ModuleRun:
    """Makes a part again of which one byte is another."""
    path = sorted(archive.glob("*.part*"))[_PARTS // 2]
    with path.open("r+b") as file:
        first = file.read(1)
        file.seek(0)
        file.write(bytes([first[0] ^ 1]))
    done = _verify(archive, repair=True)
    if done.data["repaired"] != [str(path)]:
        raise BenchError("the module has not made the part again")
    return done
