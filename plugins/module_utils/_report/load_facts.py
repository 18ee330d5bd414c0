# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The facts of the report of a load. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from .._base.json import Json, compact
from .failures import Failure, Invalid, failures_digest

LOADED, KEPT, FAILED = "loaded", "kept", "failed"
"""Outcomes of an image: the registry has it; its tag was left to another image; it failed."""

NEW, CHANGED, SAME = "new", "changed", "same"
"""Outcomes of its tag: it did not exist before; it named another image; it is as it was."""


@dataclass(frozen=True)
class LoadedImage:
    """One image of a load.

    :param reference: as the archive has it.
    :param target: its name in the registry; empty if no archive has it.
    :param digest: of what its tag names, or was to name.
    :param status: ``loaded``, ``kept`` or ``failed``.
    :param change: ``new``, ``changed`` or ``same``; empty if it failed.
    :param size: bytes of its platform images.
    :param before: the digest that its tag named before, if that was another one.
    :param reason: why it failed.
    """

    reference: str
    target: str
    digest: str
    status: str
    change: str = ""
    size: int = 0
    before: str = ""
    reason: str = ""


@dataclass(frozen=True)
class MovedBlobs:
    """The blobs that were moved in one way.

    :param blobs: how many.
    :param bytes: of them.
    """

    blobs: int = 0
    bytes: int = 0


@dataclass(frozen=True)
class LoadFacts:
    """Everything that the report of a load says.

    :param registry: the target, with its prefix.
    :param images: in the order of the archives or the list.
    :param invalid: lines of lists that are not valid references.
    :param left_out: number of images of the archives that were not asked for.
    :param pushed: the blobs that were sent.
    :param mounted: those that came from another repository of the registry.
    :param present: those that were there, as far as they were asked for.
    :param registries_yaml: settings for K3s and RKE2.
    :param hosts_toml: settings for containerd, by the source registry.
    :param system_default_registry: Rancher's setting; empty where it cannot be used.
    :param notes: sentences on what is unusual.
    :param confirmation: the line that confirms over the telephone that all arrived; empty if there is none.
    """

    registry: str
    images: tuple[LoadedImage, ...]
    invalid: tuple[Invalid, ...] = ()
    left_out: int = 0
    pushed: MovedBlobs = MovedBlobs()
    mounted: MovedBlobs = MovedBlobs()
    present: MovedBlobs = MovedBlobs()
    registries_yaml: str = ""
    hosts_toml: Mapping[str, str] = field(default_factory=dict)
    system_default_registry: str = ""
    notes: tuple[str, ...] = ()
    confirmation: str = ""

    @property
    def failed(self) -> tuple[LoadedImage, ...]:
        """The images that failed."""
        return tuple(one for one in self.images if one.status == FAILED)

    @property
    def lacking(self) -> int:
        """Number of images and lines that were asked for and that the registry does not have."""
        return len(self.failed) + len(self.invalid)

    def having(self, change: str) -> tuple[LoadedImage, ...]:
        """Return the images that the registry has, with this change of their tag."""
        return tuple(one for one in self.images if one.status == LOADED and one.change == change)

    @property
    def state(self) -> str:
        """Hex digits that are the same as long as the registry has the same of what was asked for.

        They do not depend on what is new, so a load that finds everything in place has those of the load before.
        """
        images: list[Json] = [[one.reference, one.target, one.digest, one.status] for one in self.images]
        failed = [Failure(one.reference, one.digest, one.reason) for one in self.failed]
        values: list[Json] = [self.registry, images, failures_digest(failed, self.invalid), self.left_out]
        values += [self.confirmation] if self.confirmation else []
        return hashlib.sha256(compact(values)).hexdigest()
