# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs after the first: with nothing new, and with one tag moved."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..support.registry import Registry
from .context import Bench
from .figures import Figure, cpu, series
from .process import MEGA, SAVE, BenchError, alternating, run, run_module, start_run
from .storage import Stored
from .workload import blobs_of, small_index

GROUP = "again"

_NEW_LAYER = 10 * MEGA
_MOVED = 1
"""Which reference's tag is moved."""


@dataclass(frozen=True)
class Again:
    """A run with nothing new: its seconds, those of CPU, and what it did though it should not have."""

    wall: float
    cpu: float = 0.0
    broken: tuple[str, ...] = ()


def measure(bench: Bench) -> list[Figure]:
    """The rows of this group."""
    return [_nothing_new(bench), _one_moved(bench)]


def _nothing_new(bench: Bench) -> Figure:
    images = bench.tiny[: bench.sizes.list_sizes[1]]
    cache = bench.tiny_cache
    with bench.empty() as folder:
        params = bench.params(images, folder, cache_dir=cache)
        bench.first_run(params)
        samples = alternating(
            min(bench.sizes.rounds, 2),
            {
                "start": begun,
                "heads": lambda: heads(bench.registry, images),
                "again": lambda: nothing_new(bench, params),
            },
        )
    start = series("", "s", (each.wall for each in samples["start"])).median
    start_cpu = series("", "s", (each.cpu for each in samples["start"])).median
    return Figure(
        GROUP,
        f"re-run, nothing new, {len(images)} references",
        series("run less its start", "s", (each.wall - start for each in samples["again"])),
        series(f"HEAD of {len(images)} manifests, 8 connections", "s", (each.wall for each in samples["heads"])),
        1.20,
        tuple(sorted({what for each in samples["again"] for what in each.broken})),
        (f"two platforms each; the start, {start:.2f} s, is that of a module that refuses its arguments",),
        cpu((each.cpu - start_cpu for each in samples["again"]), (each.cpu for each in samples["heads"])),
    )


def begun(name: str = SAVE) -> Again:
    """A run that ends when it could begin."""
    done = start_run(name)
    return Again(done.wall, done.cpu)


def heads(registry: Registry, images: Sequence[Stored]) -> Again:
    """A HEAD of each image's manifest in a registry."""
    paths = "\n".join(f"/v2/{each.repository}/manifests/{each.tag}" for each in images)
    name = "ansible_collections.airgap.images.tests.bench.heads"
    wall, seconds = run([sys.executable, "-m", name, registry.host], stdin=paths.encode("ascii")).stdout.split()
    return Again(float(wall), float(seconds))


def nothing_new(bench: Bench, params: Mapping[str, Any]) -> Again:
    """A run that has nothing to do, watched for requests other than HEAD and for anything that it writes."""
    roots = (Path(params["cache_dir"]), Path(params["dest"]).parent)
    before = _state(roots)
    bench.registry.clear()
    done = run_module(params)
    written = [path for path, state in _state(roots).items() if before.pop(path, None) != state] + list(before)
    gets = sum(1 for each in bench.registry.requests() if each.method == "GET" and (each.manifest or each.blob))
    broken = [f"{gets} GETs"] if gets else []
    broken += [f"{path.rpartition('/')[2]} was written" for path in written]
    broken += ["it says that something changed"] if done.data["changed"] else []
    return Again(done.wall, done.cpu, tuple(broken))


def _state(roots: Sequence[Path]) -> dict[str, tuple[int, ...]]:
    """Kind, inode, size and times of change of everything below these folders."""
    found: dict[str, tuple[int, ...]] = {}
    for root in roots:
        for path in (root, *root.rglob("*")):
            stat = path.lstat()
            found[str(path)] = (stat.st_mode, stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns)
    return found


def _one_moved(bench: Bench) -> Figure:
    """The time that the run takes longer than one with nothing new, for a long list and a short one."""
    original = bench.tiny[_MOVED]
    extra: dict[int, list[float]] = {size: [] for size in bench.sizes.list_sizes}
    work: dict[int, list[float]] = {size: [] for size in bench.sizes.list_sizes}
    broken: set[str] = set()
    with bench.empty() as folder:
        params = {size: _prepared(bench, folder / str(size), size) for size in bench.sizes.list_sizes}
        idle = {size: run_module(params[size]) for size in params}
        new = bench.storage.add(original.repository, original.tag, small_index("moved", _NEW_LAYER))
        for size in params:
            bench.registry.clear()
            done = run_module(params[size])
            if not done.data["changed"]:
                raise BenchError("the module does not see that a tag was moved")
            extra[size].append(done.wall - idle[size].wall)
            work[size].append(done.cpu - idle[size].cpu)
            broken |= _unexpected(bench, new)
        bench.storage.put_tag(original.repository, original.tag, original.digest)
    short, long = bench.sizes.list_sizes
    return Figure(
        GROUP,
        f"re-run, one of {long} tags moved, dir",
        series(f"run less one with nothing new, list of {long}", "s", extra[long]),
        series(f"the same, list of {short}", "s", extra[short]),
        1.50,
        tuple(sorted(broken)),
        (f"the new image has {sum(blobs_of([new]).values()) / MEGA:.0f} MB",),
        cpu(work[long], work[short]),
    )


def _prepared(bench: Bench, folder: Path, size: int) -> dict[str, Any]:
    """Parameters for a run after the first, with a cache of its own."""
    (folder / "out").mkdir(parents=True)
    images = bench.tiny[:size]
    bench.storage.fill_cache(images, folder / "cache")
    params = bench.params(images, folder, compress="dir")
    bench.first_run(params)
    return params


def _unexpected(bench: Bench, new: Stored) -> set[str]:
    """The bytes downloaded beside the blobs of the new image, each of which is to be sent once.

    One configuration is sent twice in any case, as ``skopeo copy`` copies its image as a witness.
    """
    sent = bench.registry.blob_gets()
    strange = {f"{digest} was downloaded" for digest in sent if digest not in new.blobs}
    twice = [digest for digest, count in sent.items() if count > 1]
    if len(twice) == 1 and sent[twice[0]] == 2 and new.blobs.get(twice[0], MEGA) < MEGA:
        twice = []
    return strange | {f"{digest} was sent {sent[digest]} times" for digest in twice}
