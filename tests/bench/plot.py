# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The figures as a plot: each ratio in terms of its bound, so that one line is the limit of all. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from .figures import Figure
from .report import bound

_ROW, _LEFT, _WIDTH, _RIGHT, _TOP = 24, 290, 420, 130, 48
_MOST = 1.6
"""Bars longer than that are cut off; the number beside them says what it is."""

_STYLE = """
  text { font: 13px system-ui, sans-serif; fill: #1f2328; }
  .small { font-size: 11px; fill: #59636e; }
  .reached { fill: #2f7d4f; }
  .missed { fill: #c2352b; }
  .limit { stroke: #1f2328; stroke-width: 1.5; stroke-dasharray: 4 3; }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3; }
    .small { fill: #9198a1; }
    .reached { fill: #4fae78; }
    .missed { fill: #f0675c; }
    .limit { stroke: #e6edf3; }
  }
"""


def as_svg(figures: Sequence[Figure]) -> str:
    """A bar for each figure that has a bound; the background is left to the page."""
    shown = [figure for figure in figures if figure.bound]
    height = _TOP + _ROW * len(shown) + 12
    width = _LEFT + _WIDTH + _RIGHT
    limit = _LEFT + _WIDTH / _MOST
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" '
        'aria-label="Each ratio relative to its bound">',
        f"<style>{_STYLE}</style>",
        f'<text x="{_LEFT}" y="18" class="small">ratio as a share of its limit</text>',
        f'<text x="{limit:.0f}" y="{_TOP - 12}" text-anchor="middle" class="small">limit</text>',
    ]
    for number, figure in enumerate(shown):
        lines += _bar(figure, _TOP + _ROW * number)
    lines += [f'<line x1="{limit:.0f}" x2="{limit:.0f}" y1="{_TOP - 6}" y2="{height - 8}" class="limit"/>', "</svg>"]
    return "\n".join(lines) + "\n"


def _bar(figure: Figure, top: int) -> list[str]:
    assert figure.bound
    share = figure.ratio / figure.bound
    length = max(2.0, min(share, _MOST) / _MOST * _WIDTH)
    middle = top + 15
    kind = "reached" if figure.reached else "missed"
    return [
        f'<text x="{_LEFT - 10}" y="{middle}" text-anchor="end">{escape(figure.name)}</text>',
        f'<rect x="{_LEFT}" y="{top + 4}" width="{length:.1f}" height="{_ROW - 8}" rx="2" class="{kind}"/>',
        f'<text x="{_LEFT + _WIDTH + 10}" y="{middle}" class="small">{figure.ratio:.2f} of {bound(figure)}</text>',
    ]
