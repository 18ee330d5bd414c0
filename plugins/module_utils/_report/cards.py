# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The answers at the top of a report, in which form they are shown. Pure."""

from __future__ import annotations

from .markup import Markup, Piece, element

DONE = "M4 12.5l5.5 5.5L20 6.5"
ALERT = "M12 3.5L2.5 20.5h19zM12 10v4.5M12 17.6v.1"


def bar(part: int, whole: int) -> Markup:
    """Draw a part of a whole; the figures beside it say the same."""
    width = 1000 * part // whole if whole else 0
    return element(
        "svg",
        element("rect", class_="bar-all", width=1000, height=8),
        element("rect", class_="bar-part", width=max(width, 4 if part else 0), height=8),
        class_="bar",
        viewBox="0 0 1000 8",
        preserveAspectRatio="none",
        aria_hidden="true",
    )


def icon(path: str) -> Markup:
    """A sign beside words that say the same.

    :param path: :data:`DONE` or :data:`ALERT`.
    """
    return element("svg", element("path", d=path), class_="icon", viewBox="0 0 24 24", aria_hidden="true")


def card(name: str, question: str, *children: Piece) -> Markup:
    """One of the answers at the top, with its question."""
    heading = element("h2", question, id=f"{name}-question")
    return element("section", heading, *children, id=name, class_="card", aria_labelledby=f"{name}-question")


def rows(*pairs: tuple[str, Piece]) -> Markup:
    """Figures with their names; those without a value are left out."""
    shown = [(name, value) for name, value in pairs if value]
    return element(
        "dl", *(element("div", element("dt", name), element("dd", value)) for name, value in shown), class_="rows"
    )
