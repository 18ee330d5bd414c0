# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The page ``docs/field.md``: how real registries and hosts behave, and what a save does then, as the tests show it.

A test of such a case is marked with ``@pytest.mark.field(KIND, given=..., happens=...)``, with plain texts.
``python -m ansible_collections.airgap.images.tests.support.field_table`` generates the page.
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
    "configuration": "The host's registries.conf",
    "proxies": "Proxy variables as interpreted by Go",
    "extras": "Attestations, signatures and artefacts of an image",
    "head": "HEAD",
    "blame": "Which server has answered",
    "logins": "Login files",
    "tokens": "Token services",
    "formats": "Old and unusual formats",
    "encodings": "Encodings and redirects",
    "networks": "Corporate proxies and networks",
    "tls": "TLS",
    "open": "Registries with an open `/v2/`",
    "hosts": "Hosts",
}

_HEAD = """<!--
Copyright (c) 2026, airgap.images contributors
GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
SPDX-License-Identifier: GPL-3.0-or-later
-->

# In the field

Registries, networks and hosts behave in ways that no specification describes. This page lists known cases, and what a
save does in each of them. Every row is a test. `python -m ansible_collections.airgap.images.tests.support.field_table`
generates the page from the tests, and a test checks that it is up to date.
"""


@dataclass(frozen=True)
class Row:
    """One case.

    :param test: file and name of the test that shows it.
    """

    kind: str
    given: str
    happens: str
    test: str


def rows(root: Path = COLLECTION) -> list[Row]:
    """Return the cases of all tests, in the order of files and lines.

    :raises ValueError: a mark has arguments other than plain texts, or an unknown kind.
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
        raise ValueError(f"{test}: {row.kind!r} is not one of the kinds in {Path(__file__).name}")
    return row


def page(found: list[Row]) -> str:
    """Return the text of the page."""
    sections = [_HEAD]
    for kind, title in KINDS.items():
        lines = [f"| {row.given} | {row.happens} |" for row in found if row.kind == kind]
        if lines:
            sections.append("\n".join([f"## {title}\n", "| case | result |", "| --- | --- |", *lines]) + "\n")
    return "\n".join(sections)


if __name__ == "__main__":
    PAGE.write_text(page(rows()), encoding="utf-8")
