# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The screens of a month of saves with three hosts, each, word for word.

The texts are in ``tests/data/month``. Where one differs, the test shows the difference, and the screen is in a file of
pytest's folder for the test: read it as a user would before it becomes the text.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from ansible_collections.airgap.images.tests.functional._month import (
    FAILING,
    ROBOT,
    STEPS,
    WRONG,
    Month,
    comparable,
)
from ansible_collections.airgap.images.tests.functional._role import assert_secret, assert_well, own_lines
from ansible_collections.airgap.images.tests.support.extent import is_full
from ansible_collections.airgap.images.tests.support.module import COLLECTION
from ansible_collections.airgap.images.tests.support.ssh_hosts import SshHosts

SHORT = [*STEPS][:3]
"""The plays of the test command, which take the month as far as a tag that moved; tests/faults.sh runs the whole."""

TEXTS = COLLECTION / "tests" / "data" / "month"
NOUNS = "image|file|host|line|cause|blob|part|registry|byte"
WRONG_NUMBERS = re.compile(rf"(?<![\d.:])(?:1 (?:{NOUNS})s\b|(?:0|[2-9]|\d\d+) (?:older )?(?:{NOUNS})\b)")
OTHER_UNITS = re.compile(r"\b\d+(?:\.\d+)? ?(?:[kMGT]B|KB|[KMGT])\b")


@pytest.fixture(scope="module")
def month(ssh_hosts: SshHosts, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Month]:
    """The month of this file; a step is taken when the first test asks for it or for a later one."""
    made = Month(ssh_hosts, tmp_path_factory.mktemp("month"))
    try:
        yield made
    finally:
        made.close()


@pytest.mark.parametrize(
    "step", [step if step in SHORT else pytest.param(step, marks=pytest.mark.thorough) for step in STEPS]
)
def test_the_screen_is_as_expected(month: Month, step: str, tmp_path: Path) -> None:
    result = month.result(step)
    shown = comparable(month.screen(step))
    (tmp_path / f"{step}.txt").write_text(shown, encoding="utf-8")
    expected = (TEXTS / f"{step}.txt").read_text(encoding="utf-8")
    difference = difflib.unified_diff(expected.splitlines(), shown.splitlines(), "expected", "shown", lineterm="")
    if shown != expected:
        pytest.fail("\n".join([f"{tmp_path}/{step}.txt", *difference]), pytrace=False)
    assert (result.rc != 0) is (step in FAILING)
    assert not result.stderr
    assert_secret(result, ROBOT.password, WRONG)


def test_each_text_is_that_of_a_step() -> None:
    assert {path.stem for path in TEXTS.iterdir()} == {*STEPS}


@pytest.mark.thorough
@pytest.mark.parametrize("step", FAILING)
def test_a_failure_fills_less_than_a_screen(month: Month, step: str) -> None:
    lines = own_lines(month.screen(step))
    assert len(lines) < 40, "\n".join(lines)


@pytest.mark.thorough(repeats=True)
def test_numbers_and_units_are_right(month: Month) -> None:
    text = "\n".join(month.screen(step) for step in (STEPS if is_full() else SHORT))
    assert not WRONG_NUMBERS.findall(text)
    assert not OTHER_UNITS.findall(text)
    for number in ("1 image ", "2 images ", " KiB") if is_full() else ("3 images ",):
        assert number in text


def test_a_save_with_nothing_new_says_little(month: Month) -> None:
    """With one host alone, whose archive is that of its share, and with the options that most people do not set."""
    month.result([*STEPS][-1] if is_full() else SHORT[-1])
    again, count = month.run_alone()
    assert_well(again)
    assert f"already holds {count} images: nothing changed" in again.stdout
    lines = again.stdout.splitlines()
    assert len([line for line in lines if line.startswith("TASK [")]) <= 12, again.stdout
    assert len(lines) <= 70, again.stdout
