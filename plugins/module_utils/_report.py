# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The report of an archive: what crosses the gap, for those who decide whether it may. Pure.

The same lock file and facts give the same bytes.
"""

from __future__ import annotations

from dataclasses import dataclass

from ._facts import Facts, facts_json
from ._lock import Lock
from ._markup import element, json_text, text
from ._report_seal import blank_seal, sealed
from ._report_table import table as make_table


@dataclass(frozen=True)
class Report:
    """The two files of a report.

    :param page: HTML, for people.
    :param table: CSV, for spreadsheets.
    """

    page: bytes
    table: bytes


def render(name: str, lock: Lock, raw_lock: bytes, facts: Facts | None) -> Report:
    """Write the report.

    :param name: the archive's name, such as ``rancher.tar.gz``.
    :param raw_lock: the lock file's bytes.
    :param facts: ``None``: not known any more; so are those about another archive.
    """
    known = facts if facts is not None and facts.is_about(lock) else None
    table = make_table(lock, known)
    rows = [element("tr", element("td", str(image.reference)), element("td", image.digest)) for image in lock.images]
    page = (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">{blank_seal(raw_lock, table)}'
        f"<title>{text(name)}</title></head><body><h1>{text(name)}</h1>{element('table', *rows)}"
        f'<script type="application/json" id="facts">{json_text(facts_json(known)) if known else ""}</script>'
        "</body></html>\n"
    )
    return Report(sealed(page.encode("utf-8")), table)
