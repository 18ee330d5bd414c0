# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The report of an archive: what crosses the gap, for whoever decides whether it may. Pure.

The same lock file and facts give the same bytes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from typing import Callable

from .._archive.lock import Lock
from .._archive.output import TABLE_SUFFIX
from .facts import Facts
from .facts_file import FactsFile, write_facts_file
from .images import images, missing, news
from .layers_and_parts import layers, parts, repositories, restore
from .made_with import options
from .markup import LINE_END, Markup, element, spread
from .overview import overview
from .pieces import Subject
from .table import table as make_table
from .template import page_pieces


@dataclass(frozen=True)
class Report:
    """The files of a report.

    :param page: HTML, for people.
    :param table: CSV, for spreadsheets.
    :param facts: JSON, for the next run: what it needs to write the report again, and to see that the others are whole.
    """

    page: bytes
    table: bytes
    facts: bytes


def render(name: str, lock: Lock, lock_sha256: str, facts: Facts | None) -> Report:
    """Write a report.

    :param name: the archive's name, such as ``rancher.tar.gz``.
    :param lock_sha256: of the lock file, in hex digits.
    :param facts: ``None``: not known any more; so are those about another archive.
    """
    known = facts if facts is not None and facts.is_about(lock) else None
    subject = Subject(name, lock, known, lock_sha256)
    written = BytesIO()  # which gives its bytes without a copy
    written.writelines(
        piece.encode("utf-8") for piece in page_pieces(title=f"{name}: what is in it", body=_body(subject))
    )
    page = written.getvalue()
    table = make_table(lock, known)
    facts_file = FactsFile(lock=subject.lock_sha256, page=_sha256(page), table=_sha256(table), facts=known)
    return Report(page, table, write_facts_file(facts_file))


def _sha256(raw: bytes) -> str:
    return hashlib.sha256(raw).hexdigest()


def _body(subject: Subject) -> Iterator[Markup]:
    """Write the page section by section, as those of a large archive are large."""
    yield element(
        "header",
        element("p", "Container images to carry across an air gap", class_="eyebrow"),
        element("h1", subject.name),
        overview(subject),
        _contents(subject),
    )
    yield LINE_END
    yield from spread("main", _details(subject), id="details", tabindex=-1)
    yield LINE_END
    yield element("footer", _imprint(subject))


def _details(subject: Subject) -> Iterator[Markup]:
    """Write the sections; if something is missing, that comes first."""
    sections: list[Callable[[Subject], Markup | Iterator[Markup]]]
    sections = [news, images, repositories, layers, parts, restore, options]
    sections.insert(0 if subject.missing else 2, missing)
    yield LINE_END
    for section in sections:
        made = section(subject)
        yield from [made] if isinstance(made, Markup) else made
        yield LINE_END


def _contents(subject: Subject) -> Markup:
    links = [
        ("new", "What is new"),
        ("images", "Images"),
        ("missing", "Failed, skipped, warned"),
        ("bytes", "Repositories"),
        ("layers", "Layers"),
        ("parts", "Checksums"),
        ("restore", "Check and unpack"),
        ("options", "Options"),
    ]
    if subject.missing:
        links.insert(0, links.pop(2))
    items = [element("li", element("a", title, href=f"#{name}")) for name, title in links]
    return element("nav", element("ul", *items), aria_label="On this page")


def _imprint(subject: Subject) -> Markup:
    return element(
        "p",
        "Written together with the archive by airgap.images. All figures come from ",
        element("code", subject.lock_file),
        "; ",
        element("code", f"{subject.name}{TABLE_SUFFIX}"),
        " has the images as a table.",
    )
