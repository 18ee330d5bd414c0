# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the steps of a run share."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.airgap.images.plugins.module_utils._base.stop import Stop
from ansible_collections.airgap.images.plugins.module_utils._cache.cache import Cache
from ansible_collections.airgap.images.plugins.module_utils._host.attributes import NoAttributes
from ansible_collections.airgap.images.plugins.module_utils._host.log import Log
from ansible_collections.airgap.images.plugins.module_utils._save.run import Run
from ansible_collections.airgap.images.tests.unit.fakes import make_options


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(make_options(tmp_path), "system", Cache(str(tmp_path)), Log(debug=True), Stop(), NoAttributes())


def test_stages_are_timed(run: Run) -> None:
    with run.stage("one"), run.stage("two"):
        pass
    assert run.stats.seconds.keys() == {"one", "two"}
    assert all(seconds >= 0 for seconds in run.stats.seconds.values())
    assert [line.rsplit("] ", 1)[1].split(" after")[0] for line in run.log.lines] == [
        "stage one begins",
        "stage two begins",
        "stage two ended",
        "stage one ended",
    ]


def test_a_stage_that_is_repeated_counts_on(run: Run) -> None:
    run.stats.seconds["one"] = 100.0
    with run.stage("one"):
        pass
    assert run.stats.seconds["one"] >= 100.0


def test_a_stage_that_fails_is_timed_too(run: Run) -> None:
    with pytest.raises(ValueError, match="x"), run.stage("one"):
        raise ValueError("x")
    assert "one" in run.stats.seconds


def test_each_run_counts_for_itself(run: Run, tmp_path: Path) -> None:
    other = Run(run.options, run.policy, run.cache, run.log, run.stop, run.attributes)
    run.stats.images = 3
    assert other.stats.images == 0
