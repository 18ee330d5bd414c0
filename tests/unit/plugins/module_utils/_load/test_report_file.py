# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The file of the report of a load, as loads into a stand-in leave it."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.airgap.images.plugins.module_utils._base.errors import OptionError, StorageError
from ansible_collections.airgap.images.plugins.module_utils._report.load_report import state_of_page
from ansible_collections.airgap.images.tests.support.stand_in_registry import StandInRegistry
from ansible_collections.airgap.images.tests.unit.carried import carry
from ansible_collections.airgap.images.tests.unit.loading import load_into


def test_a_load_that_finds_everything_leaves_the_page_of_the_one_before(tmp_path: Path) -> None:
    carried, report = carry(tmp_path / "carried"), tmp_path / "load.html"
    with StandInRegistry() as registry:
        would = load_into(registry, carried.lock_file, check=True, report=str(report))
        assert would.changed and not report.exists()
        first = load_into(registry, carried.lock_file, report=str(report))
        assert first.changed and first.report == str(report)
        page = report.read_bytes()
        assert b"reg.lan/" in page and state_of_page(page)
        for check in (True, False):
            assert not load_into(registry, carried.lock_file, check=check, report=str(report)).changed
        assert report.read_bytes() == page
        other = load_into(registry, carried.lock_file, report=str(report), exclude=["reg.lan/a:1"])
        assert other.changed and report.read_bytes() != page, "it says what of the archives was not asked for"


def test_what_failed_is_in_it(tmp_path: Path) -> None:
    carried, report = carry(tmp_path / "carried"), tmp_path / "load.html"
    with StandInRegistry() as registry:
        params = {"images": ["reg.lan/a:1", "reg.lan/lost:1"], "report": str(report)}
        assert load_into(registry, carried.lock_file, **params).is_failure
        page = report.read_bytes()
        assert b"Partial" in page and b"does not have it" in page
        assert not load_into(registry, carried.lock_file, **params).changed, "the same has failed again"
        assert report.read_bytes() == page


def test_only_reports_of_loads_are_replaced(tmp_path: Path) -> None:
    carried, report = carry(tmp_path / "carried"), tmp_path / "load.html"
    report.write_text("<!DOCTYPE html>")
    with StandInRegistry() as registry:
        with pytest.raises(OptionError, match=f"report: {report} is a file that this module did not write"):
            load_into(registry, carried.lock_file, report=str(report))
        report.unlink()
        report.mkdir()
        with pytest.raises(StorageError, match=f"report: cannot read {report}"):
            load_into(registry, carried.lock_file, report=str(report))


def test_a_report_that_cannot_be_written_is_a_warning(tmp_path: Path) -> None:
    carried, report = carry(tmp_path / "carried"), tmp_path / "missing" / "load.html"
    with StandInRegistry() as registry:
        result = load_into(registry, carried.lock_file, report=str(report))
    assert not result.is_failure and result.changed
    assert [warning for warning in result.warnings if f"report: cannot write {report}" in warning]
