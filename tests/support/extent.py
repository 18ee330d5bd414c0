# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests that have a short form in the test command, and run in full in ``tests/faults.sh``.

``@pytest.mark.pairwise`` is for tests with several parameters. Of all of these in a file, the test command runs as many
cases as it takes for each test to have each of its values, and for any two values of different parameters to meet in
one of the tests. ``@pytest.mark.thorough`` is for a test or a case that the test command leaves out; with
``repeats=True``, for a test that repeats something as often as ``repetitions`` says. A ``conftest.py`` imports the two
hooks below.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Hashable, Sequence
from pathlib import Path

import pytest

VARIABLE = "AIRGAP_EXTENT"
"""Environment variable: ``full`` runs everything."""

FULL = "full"

MARKERS = ("pairwise", "thorough")
"""Of tests that ``tests/faults.sh`` runs in full."""

_LEFT_OUT = pytest.StashKey[int]()


def is_full() -> bool:
    """Return True if everything is to be run."""
    return os.environ.get(VARIABLE) == FULL


def repetitions(short: int, full: int) -> int:
    """Return how often to repeat something: ``short`` in the test command, else ``full``."""
    return full if is_full() else short


def pairwise(cases: Sequence[Sequence[Hashable]]) -> list[int]:
    """Choose cases that have all pairs of values that any case has; the same ones each time. Pure.

    :param cases: The values of each case.
    :return: The places of the chosen cases, in order.
    """
    pairs = [set(itertools.combinations(case, 2)) for case in cases]
    missing: set[object] = set().union(*pairs)
    chosen = []
    while missing:
        # The first of the best ones.
        best = max(range(len(cases)), key=lambda number: len(missing & pairs[number]))
        chosen.append(best)
        missing -= pairs[best]
    return sorted(chosen)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what the test command has no time for."""
    if is_full():
        return
    kept = [item for item in items if not item.get_closest_marker("thorough") or _repeats(item)]
    files: dict[Path, list[pytest.Item]] = {}
    for item in kept:
        if item.get_closest_marker("pairwise") and hasattr(item, "callspec"):
            files.setdefault(item.path, []).append(item)
    dropped = {item.nodeid for cases in files.values() for item in _not_needed(cases)}
    kept = [item for item in kept if item.nodeid not in dropped]
    config.stash[_LEFT_OUT] = config.stash.get(_LEFT_OUT, 0) + len(items) - len(kept)
    items[:] = kept


def pytest_report_collectionfinish(config: pytest.Config) -> str:
    """Say how many cases are left out."""
    count = config.stash.get(_LEFT_OUT, 0)
    return f"{count} more cases are run by tests/faults.sh" if count else ""


def _repeats(item: pytest.Item) -> bool:
    marker = item.get_closest_marker("thorough")
    return marker is not None and bool(marker.kwargs.get("repeats"))


def _not_needed(cases: Sequence[pytest.Item]) -> list[pytest.Item]:
    needed = set(pairwise([(case.nodeid.partition("[")[0], *_values(case)) for case in cases]))
    return [case for number, case in enumerate(cases) if number not in needed]


def _values(case: pytest.Item) -> list[str]:
    """The name of a case by its parameters; the public form, ``callspec.id``, cannot be taken apart."""
    found: list[str] = case.callspec._idlist  # type: ignore[attr-defined]
    return found
