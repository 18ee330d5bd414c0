# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The page ``docs/field.md``: manners of real registries and hosts, and what happens then, read off the tests.

A test that shows such a manner says so with ``@pytest.mark.field(KIND, given=..., happens=...)``, all of them plain
texts. ``python -m ansible_collections.airgap.images.tests.support.field_table`` writes the page anew.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

COLLECTION = Path(__file__).resolve().parents[2]
PAGE = COLLECTION / "docs" / "field.md"

KINDS = {
    "sizes": "Wrong sizes",
    "configuration": "The host's configuration of registries",
    "proxies": "Proxies as Go reads them",
    "extras": "Attestations, signatures and artefacts beside an image",
    "head": "HEAD",
    "blame": "Who has answered",
    "logins": "Login files",
    "tokens": "Token services",
    "formats": "Formats of other years",
    "encodings": "Encodings and redirects",
    "networks": "Proxies and networks of companies",
    "tls": "TLS",
    "open": "Registries that hide behind an open door",
    "hosts": "Hosts",
}

_HEAD = """<!--
Copyright (c) 2026, airgap.images contributors
GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
SPDX-License-Identifier: GPL-3.0-or-later
-->

# In the field

Registries, networks and hosts have manners that no specification knows. This page lists those that are known to occur,
and what a save does then. Each row is a test; the page is made from the tests by
`python -m ansible_collections.airgap.images.tests.support.field_table`, and a test compares it with them.
"""


@dataclass(frozen=True)
class Row:
    """One manner.

    :param test: file and name of the test that shows it.
    """

    kind: str
    given: str
    happens: str
    test: str


def rows(root: Path = COLLECTION) -> list[Row]:
    """Every manner that a test shows, in the order of files and lines.

    :raises ValueError: a mark is not made of plain texts, or names a kind that there is not.
    """
    found: list[Row] = []
    for path in sorted((root / "tests").glob("*/**/test_*.py")):
        text = path.read_text(encoding="utf-8")
        if "mark.field(" in text:
            found.extend(_rows_of(path.relative_to(root).as_posix(), ast.parse(text)))
    return found


def _rows_of(name: str, tree: ast.Module) -> Iterator[Row]:
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            for mark in map(_field_mark, node.decorator_list):
                if mark is not None:
                    yield _row(mark, f"{name}::{node.name}")


def _field_mark(decorator: ast.expr) -> ast.Call | None:
    if isinstance(decorator, ast.Call) and ast.unparse(decorator.func) == "pytest.mark.field":
        return decorator
    return None


def _row(mark: ast.Call, test: str) -> Row:
    named = {keyword.arg: ast.literal_eval(keyword.value) for keyword in mark.keywords}
    row = Row(kind=ast.literal_eval(mark.args[0]), given=named["given"], happens=named["happens"], test=test)
    if row.kind not in KINDS:
        raise ValueError(f"{test}: {row.kind!r} is none of the kinds in {Path(__file__).name}")
    return row


def page(found: list[Row]) -> str:
    """The page's text."""
    sections = [_HEAD]
    for kind, title in KINDS.items():
        lines = [f"| {row.given} | {row.happens} |" for row in found if row.kind == kind]
        if lines:
            sections.append("\n".join([f"## {title}\n", "| given | what happens |", "| --- | --- |", *lines]) + "\n")
    return "\n".join(sections)


if __name__ == "__main__":
    PAGE.write_text(page(rows()), encoding="utf-8")
