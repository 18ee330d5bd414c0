# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""docs/field.md is what the marks of the tests say."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.airgap.images.tests.support.field_table import PAGE, Row, page, rows

MARKED = """
import pytest

@pytest.mark.field("head", given="HEAD is refused", happens="GET is asked")
@pytest.mark.field("tls", given="a clock is late", happens="the message says so")
def test_a(): ...

def test_b(): ...
"""


def write_test(root: Path, text: str) -> Path:
    folder = root / "tests" / "functional"
    folder.mkdir(parents=True)
    (folder / "test_some.py").write_text(text, encoding="utf-8")
    return root


def test_the_page_is_made_from_the_tests() -> None:
    command = "python -m ansible_collections.airgap.images.tests.support.field_table"
    assert PAGE.read_text(encoding="utf-8") == page(rows()), f"generate it again: {command}"


def test_marks_are_read(tmp_path: Path) -> None:
    found = rows(write_test(tmp_path, MARKED))
    test = "tests/functional/test_some.py::test_a"
    assert found == [
        Row("head", "HEAD is refused", "GET is asked", test),
        Row("tls", "a clock is late", "the message says so", test),
    ]
    assert "## HEAD\n\n| case | result |\n| --- | --- |\n| HEAD is refused | GET is asked |\n" in page(found)


def test_a_kind_that_there_is_not_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"test_some\.py::test_a: 'heads' is not one of the kinds"):
        rows(write_test(tmp_path, MARKED.replace('"head"', '"heads"')))
