# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The report as a table."""

from __future__ import annotations

import csv
import io
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.airgap.images.plugins.module_utils._archive.lock import Lock
from ansible_collections.airgap.images.plugins.module_utils._report.facts import Facts, Invalid
from ansible_collections.airgap.images.plugins.module_utils._report.table import COLUMNS, table
from ansible_collections.airgap.images.tests.support.bundle import bundle, lock_of, of_rancher, saved_image

SAMPLE = of_rancher(300)


def read(raw: bytes) -> list[dict[str, str]]:
    rows = list(csv.reader(io.StringIO(raw.decode("utf-8"), newline=""), strict=True))
    assert tuple(rows[0]) == COLUMNS
    assert {len(row) for row in rows} == {len(COLUMNS)}
    return [dict(zip(COLUMNS, row)) for row in rows[1:]]


def rows_of(lock: Lock, facts: Facts | None, status: str) -> list[dict[str, str]]:
    return [row for row in read(table(lock, facts)) if row["status"] == status]


def test_each_platform_image_has_a_row_with_the_locks_figures() -> None:
    rows = rows_of(SAMPLE.lock, SAMPLE.facts, "saved")
    expected = [
        (str(image.reference), image.digest, one.digest, str(one.size), one.media_type, str(one.platform))
        for image in SAMPLE.lock.images
        for one in image.platforms
    ]
    names = ("reference", "digest", "manifest_digest", "size", "media_type", "platform")
    assert [tuple(row[name] for name in names) for row in rows] == expected


def test_changes_are_those_of_the_comparison() -> None:
    told = {row["reference"]: row["change"] for row in rows_of(SAMPLE.lock, SAMPLE.facts, "saved")}
    before = SAMPLE.facts.before
    assert before is not None and before.added and before.changed
    assert {name for name, change in told.items() if change == "new"} == set(before.added)
    assert {name for name, change in told.items() if change == "changed"} == {one.reference for one in before.changed}
    assert set(told.values()) == {"new", "changed", "same"}


def test_what_is_not_saved_has_a_row_with_its_reason() -> None:
    skipped = rows_of(SAMPLE.lock, SAMPLE.facts, "skipped")
    assert [(row["reference"], row["digest"], row["reason"]) for row in skipped] == [
        (str(skip.reference), skip.digest, skip.reason) for skip in SAMPLE.lock.skipped
    ]
    failed = rows_of(SAMPLE.lock, SAMPLE.facts, "failed")
    assert [row["reference"] for row in failed] == list(SAMPLE.lock.failed)
    assert all("503" in row["reason"] for row in failed)
    invalid = rows_of(SAMPLE.lock, SAMPLE.facts, "invalid")
    assert [row["reference"] for row in invalid] == [line.text for line in SAMPLE.invalid]
    assert invalid[0]["reason"].startswith("rancher-images.txt:212: ")
    removed = rows_of(SAMPLE.lock, SAMPLE.facts, "removed")
    before = SAMPLE.facts.before
    assert before is not None
    assert [row["reference"] for row in removed] == [one.reference for one in before.removed] != []


def test_a_reference_that_failed_this_time_has_one_row() -> None:
    kept, lost = saved_image("reg.lan/a:1"), saved_image("reg.lan/b:1")
    lock = replace(lock_of([kept], "x.tar"), failed=("reg.lan/b:1",))
    sample = replace(bundle("x.tar", []), lock=lock, images=(kept,), before=lock_of([kept, lost], "x.tar"))
    rows = read(table(lock, sample.facts))
    found = [(row["status"], row["change"]) for row in rows if row["reference"] == "reg.lan/b:1"]
    assert found == [("failed", "removed")]


def test_what_is_not_known_is_left_empty() -> None:
    rows = read(table(SAMPLE.lock, None))
    assert {row["change"] for row in rows} == {""}
    assert {row["status"] for row in rows} == {"saved", "skipped", "failed"}


def test_everything_of_a_first_archive_is_new() -> None:
    sample = bundle("x.tar", ["a", "b"])
    assert {row["change"] for row in read(table(sample.lock, sample.facts))} == {"new"}


@pytest.mark.parametrize(
    "text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "  =1", "\uff1d1+1", '=HYPERLINK("http://x","y")']
)
def test_no_cell_is_a_formula(text: str) -> None:
    facts = replace(bundle("x.tar", ["a"]).facts, invalid=(Invalid("list:1", text, text),))
    row = rows_of(bundle("x.tar", ["a"]).lock, facts, "invalid")[0]
    assert row["reference"].lstrip()[0] in "'\\"
    assert row["reason"].startswith("list:1")


@pytest.mark.parametrize("text", ['x;=HYPERLINK("http://x","y")', "x; =1", 'x;"=1', "x|@SUM(A1)", "x;;+1", "x;\uff1d1"])
@pytest.mark.parametrize("delimiter", [";", "|"])
def test_no_piece_of_a_cell_is_a_formula(text: str, delimiter: str) -> None:
    """Where commas part no cells, a spreadsheet splits at semicolons."""
    sample = bundle("x.tar", ["a"])
    raw = table(sample.lock, replace(sample.facts, invalid=(Invalid("list:1", text, text),)))
    assert raw.decode("utf-8").count("'") == 2, "once in the line, once in the reason"
    for row in csv.reader(io.StringIO(raw.decode("utf-8"), newline=""), delimiter=delimiter):
        for cell in row:
            assert not cell.lstrip(' "').startswith(("=", "+", "-", "@", "\uff1d"))


def test_a_reason_with_a_semicolon_stays_as_it_is() -> None:
    sample = bundle("x.tar", ["a"])
    raw = table(sample.lock, replace(sample.facts, invalid=(Invalid("list:1", "x", "a; b; c-d = e"),)))
    assert b",list:1: a; b; c-d = e,,\r\n" in raw


@given(st.text() | st.text(alphabet='=+-@\t\r\n",;|\x00 a'))
def test_any_text_stays_in_its_cell(text: str) -> None:
    sample = bundle("x.tar", ["a"])
    raw = table(sample.lock, replace(sample.facts, invalid=(Invalid(text, text, text),)))
    rows = [row for row in read(raw) if row["status"] == "invalid"]
    assert len(rows) == 1
    for cell in rows[0].values():
        assert not cell.lstrip().startswith(("=", "+", "-", "@", "\t", "\r"))
    for row in csv.reader(io.StringIO(raw.decode("utf-8"), newline=""), delimiter=";"):
        assert not [cell for cell in row if cell.lstrip().startswith(("=", "+", "-", "@"))]
    assert raw.endswith(b"\r\n") and raw.count(b"\n") == raw.count(b"\r\n") == len(read(raw)) + 1


def test_what_refers_to_an_image_names_it() -> None:
    image, other, *_rest = SAMPLE.lock.images
    referrer = replace(other, reference=replace(image.reference, tag="sig"), refers_to=image.platforms[0].digest)
    lock = replace(SAMPLE.lock, images=(image, referrer))
    rows = rows_of(lock, None, "saved")
    told = {(row["reference"], row["image"], row["refers_to"]) for row in rows}
    assert told == {
        (str(image.reference), "", ""),
        (str(referrer.reference), str(image.reference), image.platforms[0].digest),
    }
