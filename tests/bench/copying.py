# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Cold runs: the copy stage beside bare skopeo, and whole runs beside each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from .context import Bench
from .figures import Figure, Series, cpu, series
from .process import MEGA, BenchError, alternating, run, run_module
from .storage import Stored
from .workload import blobs_of

GROUP = "copy"
JOBS = (4, 10)


@dataclass(frozen=True)
class Cold:
    """One run with nothing in the cache. Times in seconds, sizes in bytes.

    :param copy: of the copy stage; for bare skopeo this is all of it.
    :param sent: bytes of blobs that left the registry.
    :param twice: blobs that left it more than once.
    :param shared: names of the files in the shared directory of blobs.
    :param parts: the archive's files with their sha256.
    """

    wall: float
    copy: float
    resolve: float
    cpu: float
    sent: int
    twice: int
    shared: frozenset[str]
    parts: tuple[tuple[str, str], ...] = ()


def measure(bench: Bench) -> list[Figure]:
    """The rows of this group."""
    images = bench.images
    samples = alternating(
        bench.sizes.rounds,
        {
            **{f"bare {jobs}": partial(bare, bench, images, jobs) for jobs in JOBS},
            **{f"dir {jobs}": partial(module, bench, images, jobs=jobs, compress="dir") for jobs in JOBS},
            f"alone {JOBS[-1]}": partial(alone, bench, images, JOBS[-1]),
            "gzip": partial(module, bench, images),
            "split": partial(module, bench, images, part_size=str(_part_size(images))),
        },
    )
    unique = sum(blobs_of(images).values())
    ensure_same(images, samples)
    rows: list[Figure] = []
    for jobs in JOBS:
        rows += _copy_rows(samples, jobs, unique)
    return [*rows, *_whole_rows(samples)]


def bare(bench: Bench, images: Sequence[Stored], jobs: int) -> Cold:
    """``xargs -P`` over ``skopeo copy`` with the flags that the module gives it, and a shared directory of blobs."""
    digests = {digest: image.repository for image in images for digest in image.platforms}
    with bench.empty() as folder:
        words = [
            f"docker://{bench.registry.host}/{repository}@{digest}\noci:{folder}/{digest.removeprefix('sha256:')}\n"
            for digest, repository in digests.items()
        ]
        skopeo: list[str | Path] = [
            "skopeo",
            "--insecure-policy",
            "copy",
            "--quiet",
            "--remove-signatures",
            "--dest-shared-blob-dir",
            folder / "share",
        ]
        skopeo += ["--preserve-digests", "--src-tls-verify=false"]
        done = run(["xargs", "-P", str(jobs), "-n", "2", *skopeo], stdin="".join(words).encode("ascii"))
        sent, twice = _sent(bench, images)
        return Cold(done.wall, done.wall, 0.0, done.cpu, sent, twice, _names(folder / "share"))


def module(bench: Bench, images: Sequence[Stored], *, env: dict[str, str | None] | None = None, **params: Any) -> Cold:
    """A run of the module into an empty folder."""
    with bench.empty() as folder:
        done = run_module(bench.params(images, folder, **params), env=env)
        sent, twice = _sent(bench, images)
        copy, resolve = done.seconds("copy_and_archive"), done.seconds("resolve")
        return Cold(done.wall, copy, resolve, done.cpu, sent, twice, _names(folder / "cache/share"), done.parts)


def alone(bench: Bench, images: Sequence[Stored], jobs: int) -> Cold:
    """The same where registries.conf says something about the registry, which leaves every transfer to skopeo."""
    conf = bench.folder / "registries.conf"
    conf.write_text(f'[[registry]]\nlocation = "{bench.registry.host}"\ninsecure = true\n', encoding="ascii")
    return module(bench, images, env={"CONTAINERS_REGISTRIES_CONF": str(conf)}, jobs=jobs, compress="dir")


def _part_size(images: Sequence[Stored]) -> int:
    """Bytes of a part, so that there are about eight."""
    return sum(blobs_of(images).values()) // 8 + 1


def _sent(bench: Bench, images: Sequence[Stored]) -> tuple[int, int]:
    """Bytes of blobs that the registry has sent, and how many blobs it has sent more than once.

    One configuration is sent twice in any case, as ``skopeo copy`` copies its image as a witness; the second time does
    not count.
    """
    requests = [each for each in bench.registry.requests() if each.method == "GET" and each.blob and each.size]
    twice = {digest for digest, count in bench.registry.blob_gets().items() if count > 1}
    sizes = {digest: image.blobs[digest] for image in images for digest in image.configurations}
    witness = twice & sizes.keys() if len(twice & sizes.keys()) == 1 else set()
    return sum(each.size for each in requests) - sum(sizes[digest] for digest in witness), len(twice - witness)


def _names(share: Path) -> frozenset[str]:
    return frozenset(path.name for path in (share / "sha256").iterdir())


def ensure_same(images: Sequence[Stored], samples: dict[str, list[Cold]]) -> None:
    """Whoever copies, and however often, the same blobs and the same archive have to result.

    :raises BenchError: it is not so, so that nothing here can be compared
    """
    needed = {digest.removeprefix("sha256:") for image in images for digest in (*image.platforms, *image.blobs)}
    indexes = {digest.removeprefix("sha256:") for image in images for digest in image.manifests}
    for name, runs in samples.items():
        for one in runs:
            if not needed <= one.shared <= needed | indexes:
                raise BenchError(f"{name}: the shared directory holds other blobs than the images have")
    for names in (("dir", "alone"), ("gzip",), ("split",)):
        archives = {one.parts for name, runs in samples.items() if name.split()[0] in names for one in runs}
        if len(archives) != 1:
            raise BenchError(f"{' and '.join(names)}: the same images gave {len(archives)} different archives")


def _copy_rows(samples: dict[str, list[Cold]], jobs: int, unique: int) -> list[Figure]:
    bare_runs, ours, skopeo = samples[f"bare {jobs}"], samples[f"dir {jobs}"], samples.get(f"alone {jobs}", [])
    what = f"xargs -P {jobs}, bare skopeo copy"
    wall = series(what, "s", (each.wall for each in bare_runs))
    blobs = Series("unique bytes of blobs", "MB", (unique / MEGA,))
    reference_sent = series("", "MB", (each.sent / MEGA for each in bare_runs)).median
    duplicates = f"bare skopeo makes the registry send {reference_sent * MEGA / unique:.2f} times the unique bytes"
    resolving = f"resolving took {series('', 's', (each.resolve for each in ours)).median:.2f} s before that"
    rows = [
        Figure(
            GROUP,
            f"copy stage, jobs {jobs}",
            series("copy stage, dir", "s", (each.copy for each in ours)),
            wall,
            0.60,
            notes=(resolving,),
            cpu=cpu((each.cpu for each in ours), (each.cpu for each in bare_runs)),
        ),
        Figure(
            GROUP,
            f"bytes, jobs {jobs}",
            series("bytes of blobs sent", "MB", (each.sent / MEGA for each in ours)),
            blobs,
            1.00,
            _twice(ours),
            (duplicates,),
        ),
    ]
    if skopeo:
        stage = series("copy stage, dir", "s", (each.copy for each in skopeo))
        sent = series("bytes of blobs sent", "MB", (each.sent / MEGA for each in skopeo))
        spent = cpu((each.cpu for each in skopeo), (each.cpu for each in bare_runs))
        rows.append(Figure(GROUP, f"copy stage, skopeo alone, jobs {jobs}", stage, wall, None, cpu=spent))
        rows.append(Figure(GROUP, f"bytes, skopeo alone, jobs {jobs}", sent, blobs, 1.00, _twice(skopeo)))
    return rows


def _twice(runs: Sequence[Cold]) -> tuple[str, ...]:
    most = max(each.twice for each in runs)
    return (f"{most} blobs were sent more than once",) if most else ()


def _whole_rows(samples: dict[str, list[Cold]]) -> list[Figure]:
    gzip, split, plain = samples["gzip"], samples["split"], samples[f"dir {JOBS[-1]}"]
    walls = {name: series(name, "s", (each.wall for each in samples[name])) for name in ("gzip", "split")}
    directory = "whole dir run"
    return [
        Figure(
            GROUP,
            "archive overlapped with copy",
            series("whole gzip run, cold", "s", (each.wall for each in gzip)),
            series(directory, "s", (each.wall for each in plain)),
            1.10,
        ),
        Figure(GROUP, "splitting", series("the same in 8 parts", "s", walls["split"].samples), walls["gzip"], 1.03),
        Figure(
            GROUP,
            "CPU seconds of the gzip run",
            series("whole gzip run, cold", "CPU s", (each.cpu for each in gzip)),
            series(directory, "CPU s", (each.cpu for each in plain)),
            1.35,
        ),
        Figure(
            GROUP,
            "CPU seconds of the split run",
            series("the same in 8 parts", "CPU s", (each.cpu for each in split)),
            series("unsplit", "CPU s", (each.cpu for each in gzip)),
            None,
        ),
    ]
