# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The means of every group of measurements: a registry, the images in it, sizes, and empty folders."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from ..support.module import COLLECTION
from ..support.registry import Registry
from . import workload
from .process import BenchError, ModuleRun, run, run_module
from .storage import Storage, Stored


@dataclass(frozen=True)
class Sizes:
    """How much is measured. Megabytes are 1,000,000 bytes.

    :param megabytes: unique blobs of the main workload.
    :param linked: megabytes of unique blobs that go over the shaped link: enough that start and end do not count.
    :param images: references in it, of two platform images each.
    :param references: of tiny images: growth is measured at each of these, from the first to the last.
    :param grown: references with nine blobs each, which an empty cache fetches: a short list and a very long one.
    :param list_sizes: references for the re-runs: a short list and a long one.
    :param huge: megabytes of blobs for the peak of memory, less and more.
    :param many: platform images for the peak of memory, fewer and more.
    :param hosts: hosts that share a list, fewer and more.
    :param staged: references in that list.
    :param small_files: small files of one archive that is fetched.
    :param requests: HEADs of manifests that each HTTP stack sends, and ten times as many as GETs.
    :param blob: megabytes of the blob that each HTTP stack downloads.
    :param loaded: megabytes of unique blobs that are loaded into a registry, in ``images`` references.
    :param whole: megabytes of unique blobs that whole runs save, and that are archived.
    :param haul: megabytes that go over the shaped link as a month's list does; sparse in the registry.
    """

    rounds: int = 3
    megabytes: float = 360.0
    images: int = 8
    linked: float = 900.0
    references: tuple[int, ...] = (100, 300, 700, 2000)
    grown: tuple[int, int] = (100, 10_000)
    list_sizes: tuple[int, int] = (100, 711)
    huge: tuple[float, float] = (100.0, 800.0)
    many: tuple[int, int] = (100, 2000)
    hosts: tuple[int, int] = (5, 50)
    staged: int = 700
    small_files: int = 500
    requests: int = 3000
    blob: float = 500.0
    loaded: float = 1700.0
    whole: float = 1644.0
    haul: float = 40_000.0


SHORT = Sizes(
    rounds=1,
    megabytes=2.0,
    images=2,
    linked=4.0,
    references=(2, 3),
    grown=(2, 3),
    list_sizes=(2, 3),
    huge=(1.0, 2.0),
    many=(2, 4),
    hosts=(1, 2),
    staged=3,
    small_files=20,
    requests=10,
    blob=2.0,
    loaded=2.0,
    whole=2.0,
    haul=4.0,
)
"""Enough to see that the harness is right, and nothing else."""


_WHOLE = 42


class Bench:
    """A folder, a registry in it, and its images, which are made when they are first asked for."""

    def __init__(self, folder: Path, registry: Registry, sizes: Sizes, checkout: Path = COLLECTION) -> None:
        self.folder = folder
        self.registry = registry
        self.sizes = sizes
        self.checkout = checkout
        self.storage = Storage(registry.storage)

    @cached_property
    def images(self) -> list[Stored]:
        """The main workload."""
        say(f"making {self.sizes.images} references, {self.sizes.megabytes:g} MB")
        return workload.add_images(self.storage, self.sizes.megabytes, self.sizes.images)

    @cached_property
    def whole(self) -> list[Stored]:
        """The workload of whole runs, and of the archive stage: what users of large lists meet."""
        references = min(_WHOLE, 4 * self.sizes.images)
        say(f"making {references} references, {self.sizes.whole:g} MB")
        return workload.add_images(self.storage, self.sizes.whole, references, name="whole")

    @cached_property
    def linked(self) -> list[Stored]:
        """Three times as many, for the link."""
        say(f"making {3 * self.sizes.images} references, {self.sizes.linked:g} MB")
        return workload.add_images(self.storage, self.sizes.linked, 3 * self.sizes.images, name="link")

    @cached_property
    def tiny(self) -> list[Stored]:
        """Many tiny images, as many as any group needs."""
        count = max(self.sizes.references[-1], self.sizes.list_sizes[1], self.sizes.many[1] // len(workload.PLATFORMS))
        say(f"making {count} references of tiny images")
        return workload.add_tiny_images(self.storage, count)

    @cached_property
    def tiny_cache(self) -> Path:
        """A cache of the module that holds all tiny images."""
        cache = self.folder / "tiny-cache"
        self.storage.fill_cache(self.tiny, cache)
        return cache

    def params(self, images: Sequence[Stored], folder: Path, **params: Any) -> dict[str, Any]:
        """Parameters of the module: destination and cache below ``folder``; ``params`` come on top."""
        return {
            "images": [f"{self.registry.host}/{each.repository}:{each.tag}" for each in images],
            "dest": folder / "out" / "images",
            "cache_dir": folder / "cache",
            "validate_certs": False,
            "insecure_policy": True,
            "jobs": 10,
            **params,
        }

    def first_run(self, params: Mapping[str, Any]) -> ModuleRun:
        """A run whose cache was filled beforehand.

        :raises BenchError: it found something missing there all the same
        """
        done = run_module(params)
        if done.data["stats"]["blobs_downloaded"]:
            raise BenchError("the module does not find in its cache what was put there")
        return done

    @contextmanager
    def empty(self) -> Iterator[Path]:
        """An empty folder with an empty ``out`` in it, while nothing waits to be written to the disk."""
        folder = Path(tempfile.mkdtemp(prefix="run-", dir=self.folder))
        try:
            (folder / "out").mkdir()
            run(["sync", "--file-system", self.folder])
            self.registry.clear()
            yield folder
        finally:
            shutil.rmtree(folder)


def say(text: str) -> None:
    """Tells whoever waits what is going on."""
    print(text, file=sys.stderr, flush=True)
