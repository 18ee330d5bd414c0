# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where trials take place: a registry with images, what a quiet run makes of them, and a fresh site for each trial."""

from __future__ import annotations

import itertools
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..support.images import AMD64, ARM64, Image, Index, build_index
from ..support.layers import PLAIN
from ..support.push import PushedImage, push
from ..support.registry import Credentials, Registry
from ..support.samples import chart, many_layers, small
from .site import Quiet, Site
from .tracer import Call
from .workload import Workload

USER = Credentials("fault-bench-user", "s3cr3t-of-the-fault-bench")
"""Whom the registry lets in; found on no disk and in no output afterwards."""

NAMED = "registry.example"
"""The registry that references name. They are fetched from elsewhere, so that ports do not get into archives."""


PATIENT = {"stall_timeout": 60}
"""For runs that nothing is done to: what seems to stall is a busy machine."""


class Ground:
    """The registry, images and finished runs that the trials of one process share.

    :ivar load: which images there are.
    :ivar images: what a site's list names, by the name there.
    :ivar more: what some trials have pushed besides.
    :ivar calls: the system calls of runs that nothing strikes.
    :ivar ended: what runs of other kinds than a plain save leave.
    """

    def __init__(self, folder: Path, registry: Registry, load: Workload) -> None:
        self.folder = folder
        self.registry = registry
        self.load = load
        self.images = _push_images(registry, load.images)
        self.more: dict[str, PushedImage] = {}
        self.calls: dict[tuple[str, bool], list[Call]] = {}
        self._earlier: dict[tuple[int, tuple[tuple[str, Any], ...], str], Path] = {}
        self.ended: dict[str, Quiet] = {}
        self._quiet: dict[str, Quiet] = {}
        self._numbers = itertools.count(1)

    @classmethod
    @contextmanager
    def made(cls, folder: Path, load: Workload) -> Iterator[Ground]:
        """A ground in an empty folder; its registry ends with it."""
        with Registry(folder / "registry", basic=USER) as registry:
            yield cls(folder, registry, load)

    @property
    def references(self) -> list[str]:
        """The images as a list names them, in its order."""
        return list(self.images)

    @property
    def layer_bytes(self) -> int:
        """The size of all their layers."""
        platforms = (one for image in self.images.values() for one in image.platforms)
        return sum({layer.digest: layer.size for one in platforms for layer in one.layers}.values())

    def new_folder(self) -> Path:
        """An empty folder; gone with the ground's."""
        folder = self.folder / f"folder-{next(self._numbers)}"
        folder.mkdir()
        return folder

    @contextmanager
    def site(self, *, like: Path | None = None) -> Iterator[Site]:
        """An empty folder to run the module in, gone afterwards.

        :param like: the folder of a site whose files it begins with.
        """
        folder = self.folder / f"site-{next(self._numbers)}"
        folder.mkdir()
        if like is not None:
            for name in ("out", "cache"):
                shutil.copytree(like / name, folder / name, symlinks=True)
        try:
            with Site(folder, self.registry, USER, self.references) as site:
                yield site
        finally:
            shutil.rmtree(folder)

    def quiet(self, **params: Any) -> Quiet:
        """The result of a run with these parameters on an empty site."""
        params = {name: value for name, value in params.items() if (name, value) != ("keep_cache", True)}  # the default
        key = repr(sorted(params.items()))
        if key not in self._quiet:
            with self.site() as site:
                started = time.monotonic()
                result = site.run(**{**PATIENT, **params})
                seconds = time.monotonic() - started
                assert result.changed and not result.failed, f"a quiet run failed: {result.data}"
                self._quiet[key] = Quiet(site.published(), site.names(), seconds)
        return self._quiet[key]

    def earlier(self, images: int, params: tuple[tuple[str, Any], ...], *, name: str = "") -> Path:
        """The folder of a site with an archive of the first so many images; it is not to be written to.

        :param name: the archive's, where it is not that of all sites.
        """
        key = (images, params, name)
        if key not in self._earlier:
            self._earlier[key] = self._save_earlier(images, params, name=name)
        return self._earlier[key]

    def _save_earlier(self, images: int, params: tuple[tuple[str, Any], ...], *, name: str) -> Path:
        folder = self.folder / f"earlier-{next(self._numbers)}"
        folder.mkdir()
        with Site(folder, self.registry, USER, self.references[:images]) as site:
            result = site.run(**{"dest": site.out / (name or site.dest.name), **PATIENT, **dict(params)})
            assert result.changed and not result.failed, f"a quiet run failed: {result.data}"
        return folder


def _push_images(registry: Registry, names: Sequence[str]) -> dict[str, PushedImage]:
    """Push images, by the name in the list. All of them are nine of several kinds, with common layers, and 700 kB."""
    kinds: dict[str, Callable[[], Image | Index]] = {
        "library/base:1": lambda: build_index([small(201, platform=each, size=60_000) for each in (AMD64, ARM64)]),
        "library/next:2": lambda: build_index(
            [small(202, platform=each, docker=True) for each in (AMD64, ARM64)], docker=True
        ),
        "team/plain:3": lambda: small(203, compression=PLAIN, size=90_000),
        "team/single:4": lambda: small(204, docker=True, size=120_000),
        "team/many:5": lambda: many_layers(8, seed=7000),
        "charts/app:6": chart,
        "team/last:7": lambda: small(205, size=150_000),
    }
    images: dict[str, PushedImage] = {}
    for name in names:
        repository, _colon, tag = name.rpartition(":")
        images[f"{NAMED}/{name}"] = push(registry, repository, tag, kinds[name]())
    return images


def private_temporary_files(folder: Path) -> None:
    """Has this process, and those it starts, keep temporary files in ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    os.environ["TMPDIR"] = str(folder)
    tempfile.tempdir = str(folder)
