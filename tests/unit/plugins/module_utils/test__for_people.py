# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What lies beside an archive for those who get it."""

from __future__ import annotations

import os
import tracemalloc
from pathlib import Path

import pytest

from ansible_collections.airgap.images.plugins.module_utils._for_people import (
    make_for_people,
    standing_facts,
    unfit_for_people,
)
from ansible_collections.airgap.images.plugins.module_utils._options import REPORT_SUFFIX, Output
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
