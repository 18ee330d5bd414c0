# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Measured figures, each beside its reference and the bound on their ratio. Pure."""

from __future__ import annotations

import statistics
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Series:
    """The samples of one quantity, in the order in which they were taken.

    :param what: the quantity in a few words, as the table names it.
    :param unit: s, MB, ms, …; empty for mere counts.
    """

    what: str
    unit: str
    samples: tuple[float, ...]

    @property
    def median(self) -> float:
        """The middle sample, or the mean of the middle two."""
        return statistics.median(self.samples)


@dataclass(frozen=True)
class Cpu:
    """CPU seconds that go with a row of the table; None where the reference is not a program that was run."""

    ours: Series
    reference: Series | None


@dataclass(frozen=True)
class Figure:
    """A row of the table.

    :param bound: what ``ratio`` may reach; None where nothing is asserted.
    :param cpu: of a row about time: on few cores, time is what the CPU takes.
    :param broken: what else had to hold in this measurement and did not.
    :param notes: sizes and side results that belong to the row.
    """

    group: str
    name: str
    ours: Series
    reference: Series
    bound: float | None
    broken: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    cpu: Cpu | None = None

    @property
    def ratio(self) -> float:
        """The median of ours in terms of the median of the reference, to the two digits that the table shows."""
        reference = self.reference.median
        if reference == 0:
            return 0.0 if self.ours.median == 0 else float("inf")
        return round(self.ours.median / reference, 2)

    @property
    def reached(self) -> bool:
        """True if everything that is asserted of this row holds."""
        return not self.broken and (self.bound is None or self.ratio <= self.bound)


def series(what: str, unit: str, samples: Iterable[float]) -> Series:
    """A series of anything that gives numbers.

    :raises ValueError: it gives none
    """
    taken = tuple(float(each) for each in samples)
    if not taken:
        raise ValueError(f"{what} was not measured")
    return Series(what, unit, taken)


def cpu(ours: Iterable[float], reference: Iterable[float] | None = None) -> Cpu:
    """CPU seconds of our runs, and of those of the reference.

    :raises ValueError: there are none
    """
    what = "CPU seconds"
    return Cpu(series(what, "CPU s", ours), None if reference is None else series(what, "CPU s", reference))
