# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests that have a short form in the test command, and run in full in ``tests/faults.sh``.

``@pytest.mark.pairwise`` is for tests with several parameters. Of all of these in a file, the test command runs as many
cases as it takes for each test to have each of its values, and for any two values of different parameters to meet in
one of the tests. ``@pytest.mark.each_value`` is for such tests where it is enough that each test has each of its
values. ``@pytest.mark.thorough`` is for a test or a case that the test command leaves out; with
``repeats=True``, for a test that repeats something as often as ``repetitions`` says, or that has fewer hosts or steps
unless ``is_full``. A ``conftest.py`` imports the two hooks below.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Hashable, Sequence
from typing import Any

import pytest

VARIABLE = "AIRGAP_EXTENT"
"""Environment variable: ``full`` runs everything."""

FULL = "full"

MARKERS = ("pairwise", "each_value", "thorough")
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
    return _covering([set(itertools.combinations(case, 2)) for case in cases])


def each_value(cases: Sequence[Sequence[Hashable]]) -> list[int]:
    """Choose cases that have each value that any case has; the same ones each time. Pure.

    :param cases: The values of each case, one of each parameter in their order.
    :return: The places of the chosen cases, in order.
    """
    return _covering([set(enumerate(case)) for case in cases])


def _covering(cases: Sequence[set[Any]]) -> list[int]:
    missing: set[Any] = set().union(*cases)
    chosen = []
    while missing:
        # The first of the best ones.
        best = max(range(len(cases)), key=lambda number: len(missing & cases[number]))
        chosen.append(best)
        missing -= cases[best]
    return sorted(chosen)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what the test command has no time for."""
    if is_full():
        return
    kept = [item for item in items if all(marker.kwargs.get("repeats") for marker in item.iter_markers("thorough"))]
    pairs: dict[str, list[pytest.Item]] = {}
    values: dict[str, list[pytest.Item]] = {}
    for item in kept:
        if item.get_closest_marker("pairwise") and hasattr(item, "callspec"):
            pairs.setdefault(str(item.path), []).append(item)
        elif item.get_closest_marker("each_value") and hasattr(item, "callspec"):
            values.setdefault(_test(item), []).append(item)
    dropped = {item.nodeid for cases in pairs.values() for item in _left(cases, pairwise(_names(cases)))}
    dropped |= {item.nodeid for cases in values.values() for item in _left(cases, each_value(_names(cases)))}
    kept = [item for item in kept if item.nodeid not in dropped]
    config.stash[_LEFT_OUT] = config.stash.get(_LEFT_OUT, 0) + len(items) - len(kept)
    items[:] = kept


def pytest_report_collectionfinish(config: pytest.Config) -> str:
    """Say how many cases are left out."""
    count = config.stash.get(_LEFT_OUT, 0)
    return f"{count} more cases are run by tests/faults.sh" if count else ""


def _left(cases: Sequence[pytest.Item], chosen: Sequence[int]) -> list[pytest.Item]:
    return [case for number, case in enumerate(cases) if number not in chosen]


def _test(case: pytest.Item) -> str:
    return case.nodeid.partition("[")[0]


def _names(cases: Sequence[pytest.Item]) -> list[tuple[str, ...]]:
    """The test and the values of each case by their names; the public form, ``callspec.id``, cannot be taken apart."""
    return [(_test(case), *case.callspec._idlist) for case in cases]  # type: ignore[attr-defined]
