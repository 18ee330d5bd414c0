# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A registry over months, for the tests of bundles."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ansible_collections.airgap.images.tests.functional._helpers import saved
from ansible_collections.airgap.images.tests.support.archive import Archive
from ansible_collections.airgap.images.tests.support.images import (
    AMD64,
    ARM64,
    Image,
    Platform,
    build_image,
    build_index,
)
from ansible_collections.airgap.images.tests.support.layers import random_layer
from ansible_collections.airgap.images.tests.support.push import PushedImage, push
from ansible_collections.airgap.images.tests.support.registry import Registry
from ansible_collections.airgap.images.tests.support.samples import oci_index, small
from ansible_collections.airgap.images.tests.support.workbench import Workbench

BOTH: dict[str, Any] = {"arch": ["amd64", "arm64"]}


def lock_of(dest: Path) -> Path:
    """The lock file of an archive."""
    return Path(f"{dest}.lock.json")


def layers_of(image: PushedImage) -> set[str]:
    """The digests of the layers of an image's platforms that are saved."""
    return {layer.digest for one in image.platforms if one.arch in BOTH["arch"] for layer in one.layers}


class Months:
    """A registry over months: each has one image that stays, one whose tag moves, and one more new one."""

    def __init__(self, registry: Registry, bench: Workbench) -> None:
        self._registry = registry
        self._bench = bench
        self._stays = push(registry, "some/stays", "1", oci_index())

    def images(self, month: int) -> list[PushedImage]:
        """What the registry has from a month on, from 0."""
        index = build_index([_moving(month, one) for one in (AMD64, ARM64)])
        moves = push(self._registry, "some/moves", "latest", index)
        return [self._stays, moves, *(push(self._registry, "some/new", str(n), small(70 + n)) for n in range(month))]

    def dest(self, name: str) -> Path:
        """Where an archive is."""
        return self._bench.dest.with_name(name)

    def save(self, month: int, name: str, since: Sequence[str] = (), **params: Any) -> Archive:
        """Saves what there is in a month: a bundle, if archives are named that it is based on."""
        locks = [lock_of(self.dest(one)) for one in since]
        return saved(self._bench.save(self.images(month), dest=self.dest(name), since=locks, **BOTH, **params))


def _moving(month: int, platform: Platform) -> Image:
    return build_image([random_layer(900, 60_000), random_layer(910 + month, 8_000)], platform=platform)
