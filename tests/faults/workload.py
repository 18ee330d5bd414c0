# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The images that trials save: all kinds, or the few of the short form."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Workload:
    """The images of a ground, by their names in its registry.

    :param images: on the list of each site, in its order.
    :param earlier: how many of them an archive has that is there before a run.
    :param sets: a few of them each, for trials that do not need all.
    :param variants: how many forms of archives a trial chooses from, where it chooses.
    :param empty: how often there is no archive before a run, where that is left to chance.
    """

    images: tuple[str, ...]
    earlier: int
    sets: tuple[tuple[str, ...], ...]
    variants: int
    empty: float

    @property
    def all(self) -> int:
        """How many images there are."""
        return len(self.images)


FULL = Workload(
    images=(
        "library/base:1",
        "library/next:2",
        "team/plain:3",
        "team/single:4",
        "team/many:5",
        "charts/app:6",
        "team/last:7",
    ),
    earlier=5,
    sets=(
        ("library/base:1", "team/single:4", "charts/app:6"),
        ("library/next:2", "team/many:5", "team/plain:3"),
    ),
    variants=20,
    empty=0.3,
)

FEW = Workload(
    images=("library/base:1", "charts/app:6", "team/single:4"),
    earlier=2,
    sets=(("library/base:1", "charts/app:6", "team/single:4"),),
    variants=2,
    empty=0.0,
)
"""An index of two platforms, a Helm chart, and an image in Docker's format: one of each way to be fetched."""
