# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whole loads of an archive in parts into an empty registry, beside unpacking and skopeo, and beside a bare client."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from ..support.images import OCI_INDEX
from ..support.registry import Registry
from .context import Bench
from .disk import Watch
from .figures import Figure, Series, cpu, series
from .process import LOAD, MEGA, BenchError, ModuleRun, alternating, run, run_module, shell
from .storage import Stored
from .workload import add_huge_images, add_images, blobs_of

GROUP = "load"
JOBS = (4, 10)

_HUGE_IMAGES = 10
_LIMIT = 90.0
_BY_HAND = (
    'cd "$1"; sha256sum -c --quiet images.tar.gz.sha256; cat images.tar.gz.part* | tar xz -C "$2"; '
    'xargs -P "$3" -n 2 skopeo --insecure-policy copy --quiet --all --preserve-digests --dest-tls-verify=false <"$4"'
)


@dataclass(frozen=True)
class Cold:
    """A load into an empty registry.

    :param wall: seconds.
    :param cpu: seconds of the client and its children.
    :param sent: the blobs that the registry has taken, as often as it has.
    :param disk: the most bytes that were written beside the parts.
    """

    wall: float
    cpu: float
    sent: tuple[str, ...] = ()
    disk: int = 0


def measure(bench: Bench) -> list[Figure]:
    """The rows of this group."""
    images = add_images(bench.storage, bench.sizes.loaded, 2 * bench.sizes.images, name="load")
    with bench.empty() as folder:
        archive = saved(bench, images, folder, part_size=str(sum(blobs_of(images).values()) // 8 + 1))
        shell('cat "$1"/images.tar.gz.part* | tar xz -C "$2"', archive, folder)
        samples = alternating(
            bench.sizes.rounds,
            {
                **{f"ours {jobs}": partial(ours, bench, archive, jobs) for jobs in JOBS},
                **{f"by hand {jobs}": partial(by_hand, bench, images, archive, jobs) for jobs in JOBS},
                **{f"bare {jobs}": partial(bare, bench, images, folder, jobs) for jobs in JOBS},
            },
        )
    rows = [row for jobs in JOBS for row in _rows(samples, images, jobs)]
    return [*rows, _disk(samples, images), _memory(bench)]


def saved(bench: Bench, images: Sequence[Stored], folder: Path, **params: Any) -> Path:
    """Saves an archive of images, and returns its folder."""
    run_module(bench.params(images, folder, dest=folder / "out/images.tar.gz", keep_cache=False, **params))
    return folder / "out"


@contextmanager
def target(bench: Bench, folder: Path) -> Iterator[Registry]:
    """An empty registry, while nothing waits to be written to the disk."""
    with Registry(folder / "target") as registry:
        run(["sync", "--file-system", bench.folder])
        registry.clear()
        yield registry


def load_params(archive: Path, registry: Registry, **params: Any) -> dict[str, Any]:
    """Parameters of the module."""
    return {"src": [archive], "registry": registry.host, "validate_certs": False, "jobs": 10, **params}


def taken(registry: Registry) -> tuple[str, ...]:
    """The digests of the blobs that were sent to a registry since the last ``clear``, as often as they were."""
    ends = [each for each in registry.requests() if each.method == "PUT" and "/blobs/uploads/" in each.path]
    return tuple(parse_qs(each.query)["digest"][0] for each in ends)


def ours(bench: Bench, archive: Path, jobs: int) -> Cold:
    """A run of the module."""
    with bench.empty() as folder, target(bench, folder) as registry:
        done, beside = watched(folder, load_params(archive, registry, jobs=jobs))
        return Cold(done.wall, done.cpu, taken(registry), beside)


def watched(folder: Path, params: Mapping[str, Any]) -> tuple[ModuleRun, int]:
    """A run of the module, and the most bytes that it had in its home and for temporary files."""
    home = folder / "home"
    home.mkdir()
    with Watch(home).looking() as watch:
        done = run_module(params, env={"HOME": str(home), "TMPDIR": str(home)}, name=LOAD)
    return done, watch.peak


def by_hand(bench: Bench, images: Sequence[Stored], archive: Path, jobs: int) -> Cold:
    """The lines of the README: check, unpack, and skopeo for each image, several at a time."""
    with bench.empty() as folder, target(bench, folder) as registry:
        words = folder / "words"
        words.write_text(
            "".join(
                f"oci:{folder}/saved-image-cache:{bench.registry.host}/{each.repository}:{each.tag}\n"
                f"docker://{registry.host}/{each.repository}:{each.tag}\n"
                for each in images
            ),
            encoding="ascii",
        )
        done = shell(_BY_HAND, archive, folder, str(jobs), words)
        return Cold(done.wall, done.cpu)


def bare(bench: Bench, images: Sequence[Stored], unpacked: Path, jobs: int) -> Cold:
    """A client that knows what to push, and neither asks nor compares anything."""
    described = [
        {
            "repository": each.repository,
            "tag": each.tag,
            "blobs": list(each.blobs),
            "manifests": [*each.platforms.items(), (each.digest, OCI_INDEX)],
        }
        for each in images
    ]
    name = "ansible_collections.airgap.images.tests.bench.bare_push"
    with bench.empty() as folder, target(bench, folder) as registry:
        command = [
            sys.executable,
            "-m",
            name,
            registry.host,
            str(unpacked / "saved-image-cache/share/sha256"),
            str(jobs),
        ]
        done = run(command, stdin=json.dumps(described).encode("ascii"))
        return Cold(done.wall, done.cpu, taken(registry))


def _rows(samples: Mapping[str, list[Cold]], images: Sequence[Stored], jobs: int) -> list[Figure]:
    unique = blobs_of(images)
    loads, hands, bares = (samples[f"{name} {jobs}"] for name in ("ours", "by hand", "bare"))
    for name, runs in (("ours", loads), ("bare", bares)):
        if any(set(each.sent) != set(unique) for each in runs):
            raise BenchError(f"{name}: the registry did not get the blobs that the images have")
    wall = series("module, gzip parts", "s", (each.wall for each in loads))
    by_skopeo = f"sha256sum, tar, xargs -P {jobs} over skopeo copy"
    used = [each.cpu for each in loads]
    sent = [sum(unique[digest] for digest in each.sent) / MEGA for each in loads]
    return [
        Figure(GROUP, f"load, jobs {jobs}", wall, series(by_skopeo, "s", (each.wall for each in hands)), 0.60),
        Figure(
            GROUP,
            f"CPU seconds of the load, jobs {jobs}",
            series("module, gzip parts", "CPU s", used),
            series(by_skopeo, "CPU s", (each.cpu for each in hands)),
            0.25,
        ),
        Figure(
            GROUP,
            f"load beside a bare client, jobs {jobs}",
            wall,
            series("http.client, out of a directory", "s", (each.wall for each in bares)),
            1.25,
            cpu=cpu(used, (each.cpu for each in bares)),
        ),
        Figure(
            GROUP,
            f"bytes loaded, jobs {jobs}",
            series("bytes of blobs sent", "MB", sent),
            Series("unique bytes of blobs", "MB", (sum(unique.values()) / MEGA,)),
            1.00,
        ),
    ]


def _disk(samples: Mapping[str, list[Cold]], images: Sequence[Stored]) -> Figure:
    most = [each.disk / MEGA for jobs in JOBS for each in samples[f"ours {jobs}"]]
    unique = Series("unique bytes of blobs", "MB", (sum(blobs_of(images).values()) / MEGA,))
    return Figure(GROUP, "disk use of a load beside the parts", series("peak", "MB", most), unique, 0.00)


def _memory(bench: Bench) -> Figure:
    """The peak of the module's memory for much and for less."""
    less, more = bench.sizes.huge
    peaks: dict[float, float] = {}
    for size in (less, more):
        images = add_huge_images(bench.storage, f"load-{size:g}", size, _HUGE_IMAGES)
        with bench.empty() as folder:
            archive = saved(bench, images, folder, part_size="4GB")
            with target(bench, folder) as registry:
                peaks[size] = run_module(load_params(archive, registry), name=LOAD).peak / MEGA
    broken = () if max(peaks.values()) <= _LIMIT else (f"more than {_LIMIT:g} MB",)
    return Figure(
        GROUP,
        f"peak memory of a load, {more:g} MB of blobs",
        Series(f"peak, {more:g} MB", "MB", (peaks[more],)),
        Series(f"the same, {less:g} MB", "MB", (peaks[less],)),
        1.25,
        broken,
    )
