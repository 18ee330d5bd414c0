# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The treemap of a report, measured."""

from __future__ import annotations

import math
import re
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.airgap.images.plugins.module_utils._report.facts import Facts, Holding
from ansible_collections.airgap.images.plugins.module_utils._report.map import HEIGHT, WIDTH, _wrapped, treemap
from ansible_collections.airgap.images.tests.support.bundle import bundle, of_rancher

RECT = re.compile(r'<rect(?: class="(\w+)")? x="([\d.]+)" y="([\d.]+)" width="([\d.]+)" height="([\d.]+)">')
TILE = re.compile(r"<g><title>(.*?)</title>(.*?)</g>")
PLAIN = bundle("x.tar", ["a", "reg.lan/team/b"]).facts


def tiles(facts: Facts) -> list[tuple[str, list[tuple[str, float]]]]:
    """The subject of each tile, and class and area of its rectangles."""
    found = []
    for about, inner in TILE.findall(treemap(facts)):
        boxes = RECT.findall(inner)
        found.append((about, [(kind, float(width) * float(height)) for kind, _x, _y, width, height in boxes]))
    return found


def test_areas_are_the_bytes_of_repositories_and_what_is_new_of_them() -> None:
    facts = of_rancher(120).facts
    whole = sum(one.bytes for one in facts.holdings)
    drawn = tiles(facts)
    assert len(drawn) == len(facts.holdings)
    for holding, (about, boxes) in zip(facts.holdings, drawn):
        assert about.startswith(f"{holding.name}: {holding.bytes:,} bytes")
        scale = WIDTH * HEIGHT / whole
        assert math.isclose(boxes[0][1], holding.bytes * scale, rel_tol=0.01, abs_tol=4)
        new = sum(area for kind, area in boxes[1:] if kind == "new")
        assert math.isclose(new, holding.new * scale, rel_tol=0.01, abs_tol=4)


def test_specks_are_one_tile() -> None:
    holdings = tuple(Holding(f"reg.lan/{number:03d}", 1000 - number, 0, 1) for number in range(400))
    drawn = tiles(replace(PLAIN, holdings=holdings))
    assert len(drawn) == 150
    assert any(about.startswith("251 more: ") for about, _boxes in drawn)


def test_repositories_that_hold_nothing_of_their_own_are_left_out() -> None:
    holdings = (Holding("reg.lan/a", 10, 0, 1), Holding("reg.lan/b", 0, 0, 1))
    ((about, _boxes),) = tiles(replace(PLAIN, holdings=holdings))
    assert about == "reg.lan/a: 10 bytes, 100 %, 1 reference"


def test_without_a_comparison_colours_are_groups() -> None:
    holdings = tuple(Holding(f"reg{number}.lan/team/app", 10, 0, 1) for number in range(7))
    page = treemap(replace(PLAIN, holdings=holdings))
    assert re.findall(r'class="(g\d)"', page).count("g1") == 2  # tile and legend
    assert "reg0.lan/team" in page and "others" in page


@given(st.text(alphabet="abcdefgh-_.", min_size=1, max_size=40), st.integers(5, 20), st.integers(1, 5))
def test_labels_have_room(name: str, letters: int, lines: int) -> None:
    wrapped = _wrapped(name, letters, lines)
    assert len(wrapped) <= lines
    assert all(len(line) <= letters for line in wrapped)
    if wrapped and "…" not in "".join(wrapped):
        assert "".join(wrapped) == name
