# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What lies beside an archive for those who get it."""

from __future__ import annotations

import hashlib
import os
import re
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from ansible_collections.airgap.images.plugins.module_utils._archive.lock import WRITER, write_lock
from ansible_collections.airgap.images.plugins.module_utils._archive.output import (
    REPORT_SUFFIX,
    RESTORE_SUFFIX,
    Output,
)
from ansible_collections.airgap.images.plugins.module_utils._publish.beside import (
    make_for_people,
    standing_facts,
    standing_failures,
    unfit_for_people,
)
from ansible_collections.airgap.images.tests.support.bundle import bundle
from ansible_collections.airgap.images.tests.unit.fakes import make_options

SUFFIXES = (".report.html", ".report.csv", ".restore.sh")


@pytest.fixture
def output(tmp_path: Path) -> Output:
    """Where all three files lie, as they should be."""
    output = make_options(tmp_path).output
    os.makedirs(output.directory, exist_ok=True)
    sample = bundle(output.name, ["a", "b"])
    for suffix, raw in make_for_people(output.name, sample.lock, sample.raw_lock, sample.facts).items():
        Path(f"{output.dest}{suffix}").write_bytes(raw)
    return output


def test_what_was_written_fits_and_is_known(output: Output) -> None:
    sample = bundle(output.name, ["a", "b"])
    assert unfit_for_people(output, sample.lock, sample.raw_lock) == ()
    assert standing_facts(output, sample.lock) == sample.facts


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_file_that_is_far_too_large_is_not_read(output: Output, suffix: str) -> None:
    """It may be sparse, and then is larger than the memory."""
    sample = bundle(output.name, ["a", "b"])
    os.truncate(f"{output.dest}{suffix}", 1024**4)
    tracemalloc.start()
    try:
        wrong = unfit_for_people(output, sample.lock, sample.raw_lock)
        facts = standing_facts(output, sample.lock)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    unfit = ".restore.sh" if suffix == ".restore.sh" else ".report.html"
    assert wrong == (f"{output.name}{unfit} does not fit the lock file",)
    assert facts == (None if suffix == REPORT_SUFFIX else sample.facts)
    assert peak < 64 * 1024 * 1024


# -- of other releases


def resealed(script: bytes) -> bytes:
    """A script with other words, sealed as it would be by the release that has them."""
    blank = re.sub(rb"# Seal: [0-9a-f]{64}\n", b"# Seal: " + b"0" * 64 + b"\n", script)
    return blank.replace(b"0" * 64, hashlib.sha256(blank).hexdigest().encode(), 1)


def first_seal(page: bytes) -> bytes:
    """A page as the first releases sealed it: not with what failed."""
    blank = re.sub(rb"page:[0-9a-f]{64} failures:[0-9a-f]{64}", b"page:" + b"0" * 64, page)
    return blank.replace(b"page:" + b"0" * 64, b"page:" + hashlib.sha256(blank).hexdigest().encode(), 1)


def later_seal(page: bytes) -> bytes:
    blank = re.sub(rb"page:[0-9a-f]{64} (failures:[0-9a-f]{64})", b"page:" + b"0" * 64 + rb" \1 more:abc", page)
    return blank.replace(b"page:" + b"0" * 64, b"page:" + hashlib.sha256(blank).hexdigest().encode(), 1)


def other_words(script: bytes) -> bytes:
    assert b"writing to disk" in script
    return script.replace(b"writing to disk", b"bringing it to disk")


def without_seal(script: bytes) -> bytes:
    return re.sub(rb"# Seal: [0-9a-f]{64}\n", b"", script)


RENEWED = "report and script written anew, as another release made them"
Change = Callable[[bytes], bytes]
UPGRADES: dict[str, tuple[dict[str, Change], str]] = {
    "a script with other words": (
        {RESTORE_SUFFIX: lambda script: resealed(other_words(script))},
        RENEWED,
    ),
    "a script of the first releases": (
        {RESTORE_SUFFIX: lambda script: without_seal(other_words(script))},
        RENEWED,
    ),
    "a report of the first releases": ({REPORT_SUFFIX: first_seal}, RENEWED),
    "a report of a later release": ({REPORT_SUFFIX: later_seal}, RENEWED),
    "both": (
        {REPORT_SUFFIX: first_seal, RESTORE_SUFFIX: without_seal},
        RENEWED,
    ),
    "a script that was changed": ({RESTORE_SUFFIX: other_words}, "images.tar.gz.restore.sh does not fit the lock file"),
    "a report of the first releases that was changed": (
        {REPORT_SUFFIX: lambda page: first_seal(page).replace(b"<body", b"<bodY")},
        "images.tar.gz.report.html does not fit the lock file",
    ),
}


@pytest.mark.field(
    "hosts",
    given="an upgrade: report and script of another release, which belong to the archive and are undamaged",
    happens="report and script written anew, and that is what is said; the archive stays as it is",
)
@pytest.mark.parametrize("what", UPGRADES)
def test_an_upgrade_is_told_from_damage(output: Output, what: str) -> None:
    sample = bundle(output.name, ["a", "b"])
    changes, told = UPGRADES[what]
    for suffix, change in changes.items():
        path = Path(f"{output.dest}{suffix}")
        before = path.read_bytes()
        path.write_bytes(change(before))
        assert path.read_bytes() != before
    assert unfit_for_people(output, sample.lock, sample.raw_lock) == (told,)


def test_the_facts_in_a_report_of_the_first_releases_are_kept(output: Output) -> None:
    sample = bundle(output.name, ["a", "b"])
    page = Path(output.report_file)
    page.write_bytes(first_seal(page.read_bytes()))
    assert standing_facts(output, sample.lock) == sample.facts
    assert standing_failures(output) == "", "it does not say which failures it knows"


def test_an_archive_of_an_earlier_writer_keeps_its_script_and_gets_a_report(output: Output) -> None:
    sample = bundle(output.name, ["a", "b"])
    lock = replace(sample.lock, writer=WRITER - 1)
    raw = write_lock(lock)
    for suffix, content in make_for_people(output.name, lock, raw, sample.facts).items():
        change = {REPORT_SUFFIX: first_seal, RESTORE_SUFFIX: lambda script: without_seal(other_words(script))}
        Path(f"{output.dest}{suffix}").write_bytes(change.get(suffix, bytes)(content))
    assert unfit_for_people(output, lock, raw) == ("report and script written anew, as an earlier release made them",)
