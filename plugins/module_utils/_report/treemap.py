# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A squarified treemap: areas in proportion to values, rectangles as square as they can be. Pure.

Bruls, Huizing, van Wijk, "Squarified Treemaps" (2000).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Rect:
    """A rectangle, by its upper left corner."""

    x: float
    y: float
    width: float
    height: float

    @property
    def area(self) -> float:
        """Width times height."""
        return self.width * self.height


def squarify(values: Sequence[int], within: Rect) -> list[Rect]:
    """Divide a rectangle.

    :param values: positive, the largest first.
    :returns: one rectangle for each value, in the same order; together they fill ``within``.
    """
    if not values:
        return []
    scale = within.area / sum(values)
    areas = [value * scale for value in values]
    placed: list[Rect] = []
    while len(placed) < len(areas):
        rest = areas[len(placed) :]
        count = _row_length(rest, min(within.width, within.height))
        is_last = count == len(rest)
        row, within = _lay_out(rest[:count], within, fills=is_last)
        placed += row
    return placed


def _row_length(areas: Sequence[float], side: float) -> int:
    """Count the areas to put along a side, before the worst of them gets longer."""
    total, worst = areas[0], _worst(areas[0], areas[0], areas[0], side)
    for count in range(1, len(areas)):
        total += areas[count]
        longer = _worst(areas[0], areas[count], total, side)
        if longer > worst:
            return count
        worst = longer
    return len(areas)


def _worst(largest: float, smallest: float, total: float, side: float) -> float:
    """The ratio of the sides of the longest rectangle of a row."""
    thickness = total / side
    if thickness <= 0 or smallest <= 0:
        return float("inf")
    return max(largest / thickness**2, thickness**2 / smallest)


def _lay_out(areas: Sequence[float], within: Rect, *, fills: bool) -> tuple[list[Rect], Rect]:
    """Put a row along the shorter side.

    :param fills: whether nothing comes after it, so that rounding may not leave a gap.
    :returns: its rectangles, and what is left of the space.
    """
    upright = within.width >= within.height
    side = within.height if upright else within.width
    depth = within.width if upright else within.height
    total = sum(areas)
    thickness = depth if fills else min(depth, total / side)
    placed: list[Rect] = []
    offset = 0.0
    for number, area in enumerate(areas):
        is_last = number == len(areas) - 1
        length = side - offset if is_last else min(side - offset, side * area / total)
        if upright:
            placed.append(Rect(within.x, within.y + offset, thickness, length))
        else:
            placed.append(Rect(within.x + offset, within.y, length, thickness))
        offset += length
    if upright:
        return placed, Rect(within.x + thickness, within.y, depth - thickness, within.height)
    return placed, Rect(within.x, within.y + thickness, within.width, depth - thickness)
