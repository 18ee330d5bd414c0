# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The facts of a report as a file, and how it shows that the report is whole."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.airgap.images.plugins.module_utils._archive.lock_file import write_lock
from ansible_collections.airgap.images.plugins.module_utils._report import facts_file
from ansible_collections.airgap.images.plugins.module_utils._report.comparison import Changed, Comparison, Removed
from ansible_collections.airgap.images.plugins.module_utils._report.facts import Facts, Holding, Layer, Referrer
from ansible_collections.airgap.images.plugins.module_utils._report.facts_file import (
    VERSION,
    FactsFile,
    is_of_another_version,
    read_facts_file,
    write_facts_file,
)
from ansible_collections.airgap.images.plugins.module_utils._report.failures import Failure, Invalid
from ansible_collections.airgap.images.plugins.module_utils._report.report import render
from ansible_collections.airgap.images.tests.support.bundle import of_rancher
from ansible_collections.airgap.images.tests.support.report_check import report_fits, sha256

TEXT = st.text(max_size=12)
NUMBER = st.integers(min_value=0, max_value=2**63 - 1)
LAYERS = st.lists(st.builds(Layer, TEXT, NUMBER, NUMBER, NUMBER, TEXT), max_size=2).map(tuple)
TEXTS = st.lists(TEXT, max_size=2).map(tuple)
FACTS = st.builds(
    Facts,
    content=TEXT,
    before=st.none()
    | st.builds(
        Comparison,
        added=TEXTS,
        changed=st.lists(st.builds(Changed, TEXT, TEXT, TEXTS), max_size=2).map(tuple),
        removed=st.lists(st.builds(Removed, TEXT, TEXT, TEXTS, NUMBER), max_size=2).map(tuple),
        blobs=NUMBER,
        bytes=NUMBER,
    ),
    named=NUMBER,
    unique=NUMBER,
    layers=NUMBER,
    largest=LAYERS,
    shared=LAYERS,
    holdings=st.lists(st.builds(Holding, TEXT, NUMBER, NUMBER, NUMBER), max_size=2).map(tuple),
    failed=st.lists(st.builds(Failure, TEXT, TEXT, TEXT), max_size=2).map(tuple),
    invalid=st.lists(st.builds(Invalid, TEXT, TEXT, TEXT), max_size=2).map(tuple),
)
HEX = st.text(alphabet="0123456789abcdef", min_size=64, max_size=64)
SAMPLE = of_rancher(3)
RAW = SAMPLE.raw_lock
REPORT = render(SAMPLE.name, SAMPLE.lock, sha256(RAW), SAMPLE.facts)


def flipped(raw: bytes, place: int, bit: int) -> bytes:
    place %= len(raw)
    return raw[:place] + bytes([raw[place] ^ (1 << bit)]) + raw[place + 1 :]


def test_a_report_says_what_it_was_made_with() -> None:
    found = read_facts_file(REPORT.facts)
    assert found == FactsFile(sha256(RAW), sha256(REPORT.page), sha256(REPORT.table), SAMPLE.facts)
    assert report_fits(REPORT.page, REPORT.table, REPORT.facts, RAW)


@given(lock=HEX, page=HEX, table=HEX, facts=st.none() | FACTS)
def test_anything_is_read_as_it_was_written(lock: str, page: str, table: str, facts: Facts | None) -> None:
    content = FactsFile(lock, page, table, facts)
    raw = write_facts_file(content)
    assert read_facts_file(raw) == content
    assert not is_of_another_version(raw)


@given(place=st.integers(0, 200_000), bit=st.integers(0, 7))
def test_a_file_with_any_flipped_bit_says_nothing(place: int, bit: int) -> None:
    assert read_facts_file(flipped(REPORT.facts, place, bit)) is None


@given(place=st.integers(0, 200_000), bit=st.integers(0, 7))
def test_any_flipped_bit_of_the_report_is_noticed(place: int, bit: int) -> None:
    assert not report_fits(flipped(REPORT.page, place, bit), REPORT.table, REPORT.facts, RAW)
    assert not report_fits(REPORT.page, flipped(REPORT.table, place, bit), REPORT.facts, RAW)
    assert not report_fits(REPORT.page, REPORT.table, REPORT.facts, flipped(RAW, place, bit))


def resealed(change: dict[str, Any]) -> bytes:
    """The file with other members, and the right sha256 of them."""
    document = {**json.loads(REPORT.facts), **change}
    document.pop("sha256")
    rest = json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()
    return json.dumps({**document, "sha256": sha256(rest)}, indent=2, ensure_ascii=False).encode() + b"\n"


def facts_with(**change: Any) -> dict[str, Any]:
    return {"facts": {**json.loads(REPORT.facts)["facts"], **change}}


def test_members_with_the_right_sum_are_read() -> None:
    assert resealed({}) == REPORT.facts
    found = read_facts_file(resealed(facts_with(unique_bytes=7)))
    assert found is not None and found.facts == replace(SAMPLE.facts, unique=7)


def test_referrers_are_there_if_there_are_any() -> None:
    assert b"referrers" not in REPORT.facts
    signature = Referrer("reg.lan/a:sig", "reg.lan/a:1", "signature", f"sha256:{'a' * 64}", 7)
    content = read_facts_file(REPORT.facts)
    assert content is not None
    content = replace(content, facts=replace(SAMPLE.facts, referrers=(signature,)))
    assert read_facts_file(write_facts_file(content)) == content


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\xff" * 100,
        b"[]",
        b"{}",
        REPORT.facts[:-1],
        REPORT.facts + b"\n",
        REPORT.facts.replace(b"  ", b" "),
        REPORT.facts.replace(b'"unique_bytes": ', b'"unique_bytes": 1'),
        resealed(facts_with(unique_bytes="x")),
        resealed(facts_with(unique_bytes=-1)),
        resealed(facts_with(unique_bytes=2**63)),
        resealed(facts_with(unique_bytes=1.5)),
        resealed(facts_with(unique_bytes=True)),
        resealed(facts_with(unique_bytes=None)),
        resealed(facts_with(repositories=[[]])),
        resealed(facts_with(more=1)),
        resealed({"facts": []}),
        resealed({"more": 1}),
        resealed({"lock_sha256": 1}),
        resealed({"version": VERSION + 1}),
    ],
)
def test_what_this_release_would_not_write_says_nothing(raw: bytes) -> None:
    assert read_facts_file(raw) is None


@pytest.mark.parametrize(
    ("raw", "is_other"),
    [
        (resealed({"version": VERSION + 1}), True),
        (b'{"version": 0, "what": "else"}', True),
        (REPORT.facts, False),
        (resealed({"more": 1}), False),
        (b'{"version": "2"}', False),
        (b"{}", False),
        (b"", False),
    ],
)
def test_the_file_of_another_release_is_told_from_damage(raw: bytes, is_other: bool) -> None:
    assert is_of_another_version(raw) == is_other


def test_a_file_of_too_many_values_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(facts_file, "_MOST_VALUES", 10)
    assert read_facts_file(REPORT.facts) is None


def test_a_report_of_another_lock_file_does_not_fit() -> None:
    raw = write_lock(replace(SAMPLE.lock, options={}))
    assert not report_fits(REPORT.page, REPORT.table, REPORT.facts, raw)
    other = render(SAMPLE.name, SAMPLE.lock, sha256(raw), SAMPLE.facts)
    assert not report_fits(other.page, other.table, other.facts, RAW)
    assert report_fits(other.page, other.table, other.facts, raw)


def test_a_report_made_from_the_facts_of_another_is_the_same() -> None:
    found = read_facts_file(REPORT.facts)
    assert found is not None
    assert render(SAMPLE.name, SAMPLE.lock, sha256(RAW), found.facts) == REPORT


def test_reading_it_imports_nothing_that_writes_reports() -> None:
    """Every run reads it; only those that publish need the rest."""
    package = "ansible_collections.airgap.images.plugins.module_utils._report"
    code = f"import sys, {package}.facts_file; print([name for name in sys.modules if '_report.' in name])"
    command = [sys.executable, "-c", f"import sys; sys.path[:0] = {sys.path!r}; {code}"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    imported = {name.rpartition(".")[2] for name in json.loads(done.stdout.replace("'", '"'))}
    assert imported == {"comparison", "facts", "facts_file", "failures"}


def test_the_page_does_not_hold_the_facts() -> None:
    assert SAMPLE.facts.content.encode() not in REPORT.page
