# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The controls of a table in a report. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from .markup import Markup, element


def tools(table: str, statuses: Sequence[str], changes: Sequence[str], *, words: str) -> Markup:
    """Controls that do something only where the script runs, which shows them.

    :param table: name of the table that they are for.
    :param statuses: what its rows can be.
    :param changes: how they can differ from before.
    :param words: what can be searched for.
    """
    return element(
        "div",
        element(
            "label",
            f"Filter by {words}",
            element("input", type="search", autocomplete="off", spellcheck="false"),
            class_="wide",
        ),
        _choice("status", "Status", statuses),
        _choice("change", "Change", changes),
        element("button", "Whole digests", type="button", aria_pressed="false"),
        element("output", "", aria_live="polite"),
        class_="tools",
        data_for=table,
        hidden=True,
    )


def _choice(name: str, title: str, values: Sequence[str]) -> Markup:
    options = [element("option", "all", value=""), *(element("option", value, value=value) for value in values)]
    return element("label", title, element("select", *options, name=name))
