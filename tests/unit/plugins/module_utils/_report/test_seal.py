# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a report is undamaged and belongs to a lock file."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.airgap.images.plugins.module_utils._archive.lock import write_lock
from ansible_collections.airgap.images.plugins.module_utils._report import facts
from ansible_collections.airgap.images.plugins.module_utils._report.facts import facts_of
from ansible_collections.airgap.images.plugins.module_utils._report.report import Report, render
from ansible_collections.airgap.images.plugins.module_utils._report.seal import (
    NO_FAILURES,
    failures_digest,
    failures_of,
    fits,
    sealed,
)
from ansible_collections.airgap.images.tests.support.bundle import of_rancher

SAMPLE = of_rancher(3)
RAW = SAMPLE.raw_lock
REPORT = render(SAMPLE.name, SAMPLE.lock, RAW, SAMPLE.facts)


def flipped(raw: bytes, place: int, bit: int) -> bytes:
    place %= len(raw)
    return raw[:place] + bytes([raw[place] ^ (1 << bit)]) + raw[place + 1 :]


def test_a_fresh_report_fits() -> None:
    assert fits(REPORT.page, REPORT.table, RAW)


@given(place=st.integers(0, 200_000), bit=st.integers(0, 7))
def test_any_flipped_bit_is_noticed(place: int, bit: int) -> None:
    assert not fits(flipped(REPORT.page, place, bit), REPORT.table, RAW)
    assert not fits(REPORT.page, flipped(REPORT.table, place, bit), RAW)
    assert not fits(REPORT.page, REPORT.table, flipped(RAW, place, bit))


def test_every_flipped_byte_of_the_head_is_noticed() -> None:
    for place in range(1200):
        assert not fits(flipped(REPORT.page, place, 0), REPORT.table, RAW), place


@pytest.mark.parametrize("page", [b"", REPORT.page[:-1], REPORT.page + b"\n", REPORT.page * 2, b"\x00" * 5000])
def test_pages_that_are_cut_or_lengthened_do_not_fit(page: bytes) -> None:
    assert not fits(page, REPORT.table, RAW)


def test_a_report_of_another_lock_file_does_not_fit() -> None:
    raw = write_lock(replace(SAMPLE.lock, options={}))
    assert not fits(REPORT.page, REPORT.table, raw)
    other = render(SAMPLE.name, SAMPLE.lock, raw, SAMPLE.facts)
    assert not fits(other.page, other.table, RAW)
    assert fits(other.page, other.table, raw)


def test_the_facts_of_a_page_are_those_that_it_was_made_with() -> None:
    assert facts_of(REPORT.page) == SAMPLE.facts


def test_a_page_that_was_made_from_the_facts_of_another_is_the_same() -> None:
    assert render(SAMPLE.name, SAMPLE.lock, RAW, facts_of(REPORT.page)) == REPORT


def damaged(report: Report, old: bytes, new: bytes) -> bytes:
    """A page with other content and a right sha256 of itself."""
    assert old in report.page
    page = report.page.replace(old, new)
    return sealed(re.sub(rb" page:[0-9a-f]{64}", b" page:" + b"0" * 64, page, count=1))


@given(place=st.integers(0, 200_000), bit=st.integers(0, 7))
def test_a_page_that_is_not_as_it_was_written_tells_nothing(place: int, bit: int) -> None:
    assert facts_of(flipped(REPORT.page, place, bit)) is None


def test_facts_that_somebody_has_edited_are_none() -> None:
    assert facts_of(REPORT.page.replace(b'"unique":', b'"unique":1')) is None


def test_facts_of_too_many_values_are_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(facts, "_MOST_VALUES", 10)
    assert facts_of(REPORT.page) is None


@pytest.mark.parametrize(
    "page",
    [
        b"",
        b"\xff" * 100,
        render(SAMPLE.name, SAMPLE.lock, RAW, None).page,
        damaged(REPORT, b'id="facts">{', b'id="facts">['),
        damaged(REPORT, b'"unique":', b'"unique":"x'),
        damaged(REPORT, b'"named":', b'"named":-'),
        damaged(REPORT, b'"holdings":[', b'"holdings":[[],'),
    ],
    ids=["empty", "binary", "none known", "no object", "no JSON", "negative", "other type"],
)
def test_facts_that_cannot_be_read_are_none(page: bytes) -> None:
    assert facts_of(page) is None


def digest(reason: str = "a", line: str = "b") -> str:
    return failures_digest([("reg.lan/x:1", reason)], [("list:1", line, "c")])


def test_failures_that_are_told_otherwise_have_another_digest() -> None:
    assert (
        len({digest(), digest("unauthorized"), digest(line="B"), failures_digest([("x", "a")], []), NO_FAILURES}) == 5
    )
    pairs = [("x", "a"), ("y", "b")]
    assert failures_digest(pairs, []) == failures_digest(pairs[::-1], [])


def test_what_differs_from_try_to_try_does_not_count() -> None:
    first = "read tcp 127.0.0.1:43210->127.0.0.1:5000: reset by peer, after 2.1 s; request id 5c1f"
    second = "read tcp 127.0.0.1:50001->127.0.0.1:5000: reset by peer, after 3 s; request id a07b"
    assert digest(first) == digest(second) != digest(first.replace("reset", "closed"))


def test_a_page_tells_which_failures_it_names() -> None:
    assert failures_of(REPORT.page) == SAMPLE.facts.failures
    assert failures_of(REPORT.page[:1000]) == SAMPLE.facts.failures
    whole = replace(SAMPLE.facts, failed=(), invalid=())
    assert failures_of(render(SAMPLE.name, SAMPLE.lock, RAW, whole).page) == NO_FAILURES
    assert failures_of(render(SAMPLE.name, SAMPLE.lock, RAW, None).page) == failures_of(b"") == ""


def test_what_has_no_seal_cannot_be_sealed() -> None:
    with pytest.raises(ValueError, match="no seal"):
        sealed(b"<!DOCTYPE html>")


def test_a_look_at_the_seal_imports_nothing_that_writes_reports() -> None:
    room = "ansible_collections.airgap.images.plugins.module_utils._report.seal"
    code = f"import sys, {room}; print([name for name in sys.modules if '_report.' in name])"
    command = [sys.executable, "-c", f"import sys; sys.path[:0] = {sys.path!r}; {code}"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str([room])
