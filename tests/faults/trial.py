# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A trial: one fault, made once, on a fresh site; and what is told of it."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .workload import FEW, FULL, Workload

if TYPE_CHECKING:
    from .ground import Ground

HEALED = "healed"
"""The run got over it by itself, and the archive is the same, byte for byte, as that of a quiet run."""

FAILED = "failed clearly"
"""It said what failed, why, and what to do; the rest was saved, and the next quiet run fetched what was missing."""

COMPLETED = "completed"
"""The run ended; what stood before still did, or could be completed, and the next run made all as a quiet one does."""

REFUSED = "refused"
"""It said why before it changed anything."""

REPAIRED = "repaired"
"""The damage was found, told, and mended; the archive is the same, byte for byte."""

UNSEEN = "not looked for"
"""Damage that these options do not look for, as documented, was not found."""

MISSED = "too late"
"""The run had ended before the fault could be made; it does not count."""

VIOLATED = "violated"
"""Something that must hold did not."""

OUTCOMES = (HEALED, FAILED, COMPLETED, REFUSED, REPAIRED, UNSEEN, MISSED, VIOLATED)


def first_hit(outcomes: Iterable[str]) -> str:
    """The first outcome of some tries that counts; the others are not made."""
    return next((outcome for outcome in outcomes if outcome != MISSED), MISSED)


class Violation(Exception):
    """Something that must hold did not; says what, and where it can be seen."""


def require(holds: object, otherwise: str) -> None:
    """:raises Violation: it does not hold"""
    if not holds:
        raise Violation(otherwise)


@dataclass(frozen=True)
class Scale:
    """How much is tried.

    :param times: how often each fault of the network, of a disk, and each damage is made.
    :param kills: runs that are killed or ended.
    :param loads: loads that are killed or ended, or whose registry fails.
    :param repairs: parts that are lost, and runs that are killed while they write such things.
    :param signals: that strike a process which does what the module does.
    :param in_process: of these in one process.
    :param module_signals: that strike the module.
    :param tiny_layers: of each image that it saves meanwhile.
    :param steps: of the walk over options.
    :param tests: the tests that the test command has in a short form run in full.
    :param load: the images that are saved.
    """

    times: int = 5
    kills: int = 240
    loads: int = 320
    repairs: int = 176
    signals: int = 10_000
    in_process: int = 100
    module_signals: int = 500
    tiny_layers: int = 60
    steps: int = 500
    tests: bool = True
    load: Workload = FULL


SHORT = Scale(
    times=1,
    kills=7,
    loads=6,
    repairs=3,
    signals=32,
    in_process=8,
    module_signals=2,
    tiny_layers=8,
    steps=2,
    tests=False,
    load=FEW,
)
"""The short form, which the test command has time for."""


@dataclass(frozen=True)
class Trial:
    """One fault to be made.

    :param group: what kind of fault.
    :param fault: the row of the table that it counts in.
    :param number: tells apart the trials of a group, and together with the seed decides all that is random in one.
    :param run: makes it on a ground and tells the outcome; raises :class:`Violation`.
    """

    group: str
    fault: str
    number: int
    run: Callable[[Ground, random.Random], str]

    @property
    def name(self) -> str:
        """How it is asked for on the command line."""
        return f"{self.group}:{self.number}"

    def chance(self, seed: int) -> random.Random:
        """The randomness of this trial: the same for the same seed."""
        return random.Random(f"{seed}/{self.name}")  # noqa: S311  # no secret hangs on it


@dataclass(frozen=True)
class Outcome:
    """The result of a trial.

    :param told: for a violation, what did not hold.
    """

    group: str
    fault: str
    number: int
    outcome: str
    seconds: float
    told: str = ""


@dataclass(frozen=True)
class Report:
    """A whole run.

    :param machine: what it ran on, in words.
    :param seconds: wall time.
    """

    seed: int
    machine: Mapping[str, str]
    seconds: float
    outcomes: list[Outcome] = field(default_factory=list)

    @property
    def violations(self) -> list[Outcome]:
        """The trials in which something did not hold."""
        return [each for each in self.outcomes if each.outcome == VIOLATED]
