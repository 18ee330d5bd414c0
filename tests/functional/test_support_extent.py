# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests that the test command leaves to the fault bench are run there."""

from __future__ import annotations

import ast
import itertools
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from ansible_collections.airgap.images.tests.faults import in_full
from ansible_collections.airgap.images.tests.faults.trial import SHORT, Scale
from ansible_collections.airgap.images.tests.support.extent import (
    BOTH_WAYS,
    FULL,
    MARKERS,
    VARIABLE,
    each_value,
    pairwise,
    spread,
)
from ansible_collections.airgap.images.tests.support.module import COLLECTION, ROOT

Case = tuple[tuple[int, int], ...]


def pairs(cases: list[Case]) -> set[object]:
    return {pair for case in cases for pair in itertools.combinations(case, 2)}


@pytest.mark.parametrize("sizes", [(2, 3), (4, 4, 4), (2, 3, 5, 2), (7, 1, 3)])
def test_all_pairs_are_kept(sizes: tuple[int, ...]) -> None:
    cases = [tuple(enumerate(case)) for case in itertools.product(*(range(size) for size in sizes))]
    chosen = [cases[number] for number in pairwise(cases)]
    assert pairs(chosen) == pairs(cases)
    second, largest = sorted(sizes)[-2:]
    assert largest * second <= len(chosen) <= largest * second * 1.5
    assert pairwise(cases) == pairwise(cases)


@pytest.mark.parametrize("sizes", [(2, 3), (4, 4, 4), (7, 1, 3)])
def test_each_value_is_kept(sizes: tuple[int, ...]) -> None:
    cases = list(itertools.product(*(range(size) for size in sizes)))
    chosen = [cases[number] for number in each_value(cases)]
    assert len(chosen) == max(sizes)
    assert all({case[place] for case in chosen} == set(range(size)) for place, size in enumerate(sizes))


def test_values_are_spread_over_tests() -> None:
    """Each test and each value is kept, and no value has much more than its share."""
    letters, numbers = ("a", "b", "c"), ("1", "2", "3", "4")
    cases = [("one", *case) for case in itertools.product(letters, numbers)]
    cases += [(test, letter) for test in ("two", "three", "four", "five", "six", "seven") for letter in letters]
    chosen = [cases[number] for number in spread(cases)]
    assert {value for case in chosen for value in case} == {value for case in cases for value in case}
    assert len(chosen) == len(numbers) + 6
    assert all(2 <= sum(letter in case for case in chosen) <= 5 for letter in letters)


def test_a_single_value_is_in_no_pair() -> None:
    assert pairwise([("one",), ("two",)]) == []


CASES = """
import pytest
from {package}.extent import repetitions

mark = pytest.mark
pytestmark = mark.pairwise
LETTERS = pytest.mark.parametrize("letter", ["a", "b", "c"])
NUMBERS = pytest.mark.parametrize("number", [1, 2, 3])

@LETTERS
@NUMBERS
def test_one(letter, number): pass

@LETTERS
@NUMBERS
def test_two(letter, number): pass

@LETTERS
@NUMBERS
def test_three(letter, number): pass

@NUMBERS
def test_four(number): pass

@pytest.mark.parametrize("case", [1, pytest.param(2, marks=mark.thorough)])
def test_five(case): pass

@mark.thorough(repeats=True)
@pytest.mark.parametrize("case", [1, pytest.param(2, marks=mark.thorough)])
def test_six(case): assert repetitions(2, 9) == {times}

@mark.each_value
@LETTERS
@NUMBERS
def test_seven(letter, number): pass

@mark.spread
@LETTERS
def test_eight(letter): pass

@mark.spread
@LETTERS
def test_nine(letter): pass
"""
HOOKS = "from {package}.extent import pytest_collection_modifyitems, pytest_report_collectionfinish\n"


@pytest.mark.parametrize(
    ("extent", "times", "passed", "left"), [("", 2, 21, 28), pytest.param(FULL, 9, 49, 0, marks=pytest.mark.thorough)]
)
def test_what_is_left_out_is_said(tmp_path: Path, extent: str, times: int, passed: int, left: int) -> None:
    """Each of three tests has each letter and each number, and each letter meets each number in one of them."""
    package = "ansible_collections.airgap.images.tests.support"
    (tmp_path / "conftest.py").write_text(HOOKS.format(package=package), "utf-8")
    (tmp_path / "test_it.py").write_text(CASES.format(package=package, times=times), "utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", str(tmp_path)],
        env={**os.environ, "PYTHONPATH": str(ROOT), VARIABLE: extent},
        capture_output=True,
        text=True,
        check=False,
    )
    assert f"= {passed} passed" in done.stdout, done.stdout
    said = re.findall(r"^(\d+) more cases are run by tests/faults\.sh$", done.stdout, re.MULTILINE)
    assert said == ([str(left)] if left else [])


def is_marked(path: Path) -> bool:
    """Read as Python, where the bench looks for words."""
    text = path.read_text("utf-8")
    markers = (*MARKERS, BOTH_WAYS)
    if not any(name in text for name in (*markers, "given")):
        return False
    nodes = list(ast.walk(ast.parse(text)))
    found = {ast.unparse(node) for node in nodes if isinstance(node, ast.Attribute)}
    decorators = [each for node in nodes if isinstance(node, ast.FunctionDef) for each in node.decorator_list]
    examples = any(isinstance(each, ast.Call) and ast.unparse(each.func) == "given" for each in decorators)
    return examples or bool(found & {f"pytest.mark.{name}" for name in markers})


def test_each_marked_file_is_run_in_full_by_the_bench() -> None:
    expected = {path for path in (COLLECTION / "tests").rglob("test_*.py") if is_marked(path)}
    assert set(in_full.files()) == expected
    assert len(in_full.trials(Scale())) == len(expected)
    assert in_full.trials(SHORT) == [], "the test command has the short form in other gates"
