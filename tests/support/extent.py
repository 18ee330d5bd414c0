# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests that have a short form in the test command, and run in full in ``tests/faults.sh``.

``@pytest.mark.pairwise`` is for tests with several parameters. Of all of these in a file, the test command runs as many
cases as it takes for each test to have each of its values, and for any two values of different parameters to meet in
one of the tests. ``@pytest.mark.each_value`` is for such tests where it is enough that each test has each of its
values, and ``@pytest.mark.spread`` where it is enough that each test is run once and each value is met in one of the
tests of the file. ``@pytest.mark.thorough`` is for a test or a case that the test command leaves out; with
``repeats=True``, for a test that repeats something as often as ``repetitions`` says, or that has fewer hosts or steps
unless ``is_full``. Of the first three, a test's own marker counts before that of its file. Tests with ``@given`` have
that last marker without being given it: their random examples are fewer in the test command. A ``conftest.py`` imports
the hooks below.

``@pytest.mark.both_ways`` is for tests of saves that are run a second time with ``skopeo_copy: always``, and with
``short=True``, in the test command too. What their fixtures save is saved anew if they ask for ``skopeo_copy``.

Unit tests run on a second Python and a second ``ansible-core`` too, to see what these change: of a test with many
cases, one shows that.
"""

from __future__ import annotations

import itertools
import os
from collections import Counter
from collections.abc import Hashable, Sequence
from typing import Any

import pytest

VARIABLE = "AIRGAP_EXTENT"
"""Environment variable: ``full`` runs everything, ``brief`` one case of each test."""

FULL = "full"

BRIEF = "brief"
"""Value for another Python or another ansible-core than those of the test command's gate ``unit``."""

CHOOSING = ("pairwise", "each_value", "spread")
"""Markers by which cases are chosen."""

MARKERS = (*CHOOSING, "thorough")
"""Of tests that ``tests/faults.sh`` runs in full."""

BOTH_WAYS = "both_ways"
"""Marker of tests whose second way of copying images is one of those."""

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


def spread(cases: Sequence[Sequence[Hashable]]) -> list[int]:
    """Choose cases that have each value that any case has, wherever it stands, each about as often. Pure.

    :param cases: The values of each case, the name of its test among them.
    :return: The places of the chosen cases, in order.
    """
    return _covering([set(case) for case in cases])


def _covering(cases: Sequence[set[Any]]) -> list[int]:
    missing: set[Any] = set().union(*cases)
    used: Counter[Any] = Counter()
    chosen = []

    def worth(number: int) -> tuple[int, int]:
        return len(missing & cases[number]), -sum(used[each] for each in cases[number])

    while missing:
        # The first of the best ones; of these, one whose values have been used least.
        best = max(range(len(cases)), key=worth)
        chosen.append(best)
        missing -= cases[best]
        used.update(cases[best])
    return sorted(chosen)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test in both ways of copying images."""
    marker = metafunc.definition.get_closest_marker(BOTH_WAYS)
    if marker is None:
        return
    marks = () if marker.kwargs.get("short") else (pytest.mark.thorough,)
    metafunc.fixturenames[:] = ["skopeo_copy", *(name for name in metafunc.fixturenames if name != "skopeo_copy")]
    metafunc.parametrize("skopeo_copy", ["auto", pytest.param("always", marks=marks)], indirect=True, scope="module")


def pytest_itemcollected(item: pytest.Item) -> None:
    """Mark a test with random examples as one that repeats something."""
    if getattr(getattr(item, "obj", None), "is_hypothesis_test", False):
        item.add_marker(pytest.mark.thorough(repeats=True))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what the test command has no time for."""
    if is_full():
        return
    if os.environ.get(VARIABLE) == BRIEF:
        items[:] = _one_of_each(items)
        return
    kept = [item for item in items if not _is_left_out(item)]
    groups: dict[tuple[str, str], list[pytest.Item]] = {}
    for item in kept:
        choosing = _choosing(item)
        if choosing and hasattr(item, "callspec"):
            among = _test(item) if choosing == "each_value" else str(item.path)
            groups.setdefault((choosing, among), []).append(item)
    choose = {"pairwise": pairwise, "each_value": each_value, "spread": spread}
    dropped: set[str] = set()
    for (choosing, _among), cases in groups.items():
        dropped |= {item.nodeid for item in _left(cases, choose[choosing](_names(cases)))}
    kept = [item for item in kept if item.nodeid not in dropped]
    config.stash[_LEFT_OUT] = config.stash.get(_LEFT_OUT, 0) + len(items) - len(kept)
    items[:] = kept


def pytest_report_collectionfinish(config: pytest.Config) -> str:
    """Say how many cases are left out."""
    count = config.stash.get(_LEFT_OUT, 0)
    return f"{count} more cases are run by tests/faults.sh" if count else ""


def _one_of_each(items: Sequence[pytest.Item]) -> list[pytest.Item]:
    """Return the first case of each test."""
    tests: dict[str, pytest.Item] = {}
    for item in items:
        if not _is_left_out(item):
            tests.setdefault(_test(item), item)
    return list(tests.values())


def _choosing(item: pytest.Item) -> str:
    """Return the marker by which cases of a test are chosen, its own before that of its file; '' without one."""
    return next((marker.name for marker in item.iter_markers() if marker.name in CHOOSING), "")


def _is_left_out(item: pytest.Item) -> bool:
    return not all(marker.kwargs.get("repeats") for marker in item.iter_markers("thorough"))


def _left(cases: Sequence[pytest.Item], chosen: Sequence[int]) -> list[pytest.Item]:
    return [case for number, case in enumerate(cases) if number not in chosen]


def _test(case: pytest.Item) -> str:
    return case.nodeid.partition("[")[0]


def _names(cases: Sequence[pytest.Item]) -> list[tuple[str, ...]]:
    """The test and the values of each case by their names; the public form, ``callspec.id``, cannot be taken apart."""
    return [(_test(case), *case.callspec._idlist) for case in cases]  # type: ignore[attr-defined]
