# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The treemap."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.airgap.images.plugins.module_utils._report.treemap import Rect, squarify

VALUES = st.lists(st.integers(min_value=1, max_value=2**50), min_size=1, max_size=60).map(
    lambda values: sorted(values, reverse=True)
)
SPACE = st.builds(
    Rect,
    x=st.integers(0, 50),
    y=st.integers(0, 50),
    width=st.integers(1, 2000),
    height=st.integers(1, 2000),
)


@given(VALUES, SPACE)
def test_areas_are_in_proportion(values: list[int], space: Rect) -> None:
    for value, rect in zip(values, squarify(values, space)):
        assert math.isclose(rect.area, space.area * value / sum(values), rel_tol=1e-6, abs_tol=1e-6 * space.area)


@given(VALUES, SPACE)
def test_all_are_inside(values: list[int], space: Rect) -> None:
    near = 1e-9 * (space.width + space.height)
    rects = squarify(values, space)
    assert len(rects) == len(values)
    for rect in rects:
        assert rect.width >= 0 and rect.height >= 0
        assert rect.x >= space.x - near and rect.x + rect.width <= space.x + space.width + near
        assert rect.y >= space.y - near and rect.y + rect.height <= space.y + space.height + near


@given(VALUES, SPACE)
def test_none_overlap(values: list[int], space: Rect) -> None:
    rects = squarify(values, space)
    for number, one in enumerate(rects):
        for other in rects[:number]:
            wide = min(one.x + one.width, other.x + other.width) - max(one.x, other.x)
            high = min(one.y + one.height, other.y + other.height) - max(one.y, other.y)
            assert wide <= 1e-9 * space.width + 1e-9 or high <= 1e-9 * space.height + 1e-9


def test_nothing_is_divided_into_nothing() -> None:
    assert squarify([], Rect(0, 0, 10, 10)) == []


def test_rectangles_are_as_square_as_in_the_paper() -> None:
    rects = squarify([6, 6, 4, 3, 2, 2, 1], Rect(0, 0, 6, 4))
    assert [(round(rect.width, 2), round(rect.height, 2)) for rect in rects[:3]] == [(3, 2), (3, 2), (1.71, 2.33)]


@pytest.mark.parametrize("count", [4, 100])
def test_equal_values_in_a_square_stay_square(count: int) -> None:
    for rect in squarify([1] * count, Rect(0, 0, 100, 100)):
        assert 0.5 <= rect.width / rect.height <= 2
