# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The files beside an archive for those who get it."""

from __future__ import annotations

import hashlib
import os
import re
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from ansible_collections.airgap.images.plugins.module_utils._archive.lock import WRITER, Lock
from ansible_collections.airgap.images.plugins.module_utils._archive.lock_file import write_lock
from ansible_collections.airgap.images.plugins.module_utils._archive.output import (
    FACTS_SUFFIX,
    Output,
)
from ansible_collections.airgap.images.plugins.module_utils._publish.companions import (
    Companions,
    inspect_companions,
    make_companions,
    published_facts,
)
from ansible_collections.airgap.images.tests.support.bundle import bundle
from ansible_collections.airgap.images.tests.unit.fakes import make_options

SUFFIXES = (".report.html", ".report.csv", ".report.json", ".restore.sh")


def untidy(output: Output, lock: Lock, lock_sha256: str) -> tuple[str, ...]:
    return inspect_companions(output, lock, lock_sha256).untidy


@pytest.fixture
def output(tmp_path: Path) -> Output:
    """Where all these files are as they should be."""
    output = make_options(tmp_path).output
    os.makedirs(output.directory, exist_ok=True)
    sample = bundle(output.name, ["a", "b"])
    for suffix, pieces in make_companions(output.name, sample.lock, sample.lock_sha256, sample.facts):
        Path(f"{output.dest}{suffix}").write_bytes(b"".join(pieces))
    return output


def test_what_was_written_fits_and_is_known(output: Output) -> None:
    sample = bundle(output.name, ["a", "b"])
    found = inspect_companions(output, sample.lock, sample.lock_sha256)
    assert found == Companions(untidy=(), failures=sample.facts.failures)
    assert published_facts(output, sample.lock) == sample.facts


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_file_that_is_far_too_large_is_not_read(output: Output, suffix: str) -> None:
    """It may be sparse, and then is larger than the memory."""
    sample = bundle(output.name, ["a", "b"])
    os.truncate(f"{output.dest}{suffix}", 1024**4)
    tracemalloc.start()
    try:
        wrong = untidy(output, sample.lock, sample.lock_sha256)
        facts = published_facts(output, sample.lock)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert wrong == (f"{output.name}{suffix} does not match the lock file",)
    assert facts == (None if suffix == FACTS_SUFFIX else sample.facts)
    assert peak < 64 * 1024 * 1024


# -- of other releases


def resealed(script: bytes) -> bytes:
    """A script with other words, sealed as it would be by the release that has them."""
    blank = re.sub(rb"# Seal: [0-9a-f]{64}\n", b"# Seal: " + b"0" * 64 + b"\n", script)
    return blank.replace(b"0" * 64, hashlib.sha256(blank).hexdigest().encode(), 1)


def sealed(page: bytes) -> bytes:
    """A page as earlier releases wrote it: with a seal of its own, and the facts in it."""
    return page.replace(
        b"<meta http-equiv", b'<meta name="seal" content="lock:012 table:345 page:678">\n<meta http-equiv', 1
    )


def of_earlier_release(output: Output) -> None:
    page = Path(output.report_file)
    page.write_bytes(sealed(page.read_bytes()))
    Path(output.facts_file).unlink()


def of_later_release(output: Output) -> None:
    path = Path(output.facts_file)
    path.write_bytes(path.read_bytes().replace(b'"version": 1,', b'"version": 2,'))


def without_page(output: Output) -> None:
    of_earlier_release(output)
    Path(output.report_file).unlink()


def other_words(script: bytes) -> bytes:
    assert b"writing to disk" in script
    return script.replace(b"writing to disk", b"bringing it to disk")


def without_seal(script: bytes) -> bytes:
    return re.sub(rb"# Seal: [0-9a-f]{64}\n", b"", script)


def with_script(change: Callable[[bytes], bytes]) -> Callable[[Output], None]:
    def apply(output: Output) -> None:
        path = Path(output.restore_file)
        path.write_bytes(change(path.read_bytes()))

    return apply


def both(output: Output) -> None:
    of_earlier_release(output)
    with_script(without_seal)(output)


RENEWED = "report and script renewed, as another release made them"
UPGRADES: dict[str, tuple[Callable[[Output], None], str]] = {
    "a script with other words": (with_script(lambda script: resealed(other_words(script))), RENEWED),
    "a script of the first releases": (with_script(lambda script: without_seal(other_words(script))), RENEWED),
    "a report of an earlier release": (of_earlier_release, RENEWED),
    "a report of a later release": (of_later_release, RENEWED),
    "both": (both, RENEWED),
    "a script that was changed": (with_script(other_words), "images.tar.gz.restore.sh does not match the lock file"),
    "a report of an earlier release without its page": (
        without_page,
        "images.tar.gz.report.json does not match the lock file",
    ),
}


@pytest.mark.field(
    "hosts",
    given="an upgrade, with an undamaged report and script of another release",
    happens="report and script are written again, which the result says; the archive stays as it is",
)
@pytest.mark.parametrize("what", UPGRADES)
def test_an_upgrade_is_told_from_damage(output: Output, what: str) -> None:
    sample = bundle(output.name, ["a", "b"])
    change, told = UPGRADES[what]
    change(output)
    assert untidy(output, sample.lock, sample.lock_sha256) == (told,)


def test_what_another_release_knows_is_not_read(output: Output) -> None:
    sample = bundle(output.name, ["a", "b"])
    of_later_release(output)
    assert published_facts(output, sample.lock) is None
    assert inspect_companions(output, sample.lock, sample.lock_sha256).failures == ""


def test_an_archive_of_an_earlier_writer_keeps_its_script_and_gets_a_report(output: Output) -> None:
    sample = bundle(output.name, ["a", "b"])
    lock = replace(sample.lock, writer=WRITER - 1)
    lock_sha256 = hashlib.sha256(write_lock(lock)).hexdigest()
    for suffix, pieces in make_companions(output.name, lock, lock_sha256, sample.facts):
        Path(f"{output.dest}{suffix}").write_bytes(b"".join(pieces))
    of_earlier_release(output)
    with_script(lambda script: without_seal(other_words(script)))(output)
    assert untidy(output, lock, lock_sha256) == ("report and script renewed, as an earlier release made them",)


def test_facts_of_another_archive_are_not_used(output: Output) -> None:
    sample, other = bundle(output.name, ["a", "b"]), bundle(output.name, ["a"])
    assert published_facts(output, other.lock) is None
    wrong = untidy(output, other.lock, other.lock_sha256)
    assert wrong[0] == f"{output.name}.report.json does not match the lock file"
    Path(output.report_file).write_bytes(b"another page")
    assert published_facts(output, sample.lock) == sample.facts, "the page does not count for them"
