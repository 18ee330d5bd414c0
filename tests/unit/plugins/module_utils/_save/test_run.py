# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs, and the time of their stages."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from ansible_collections.airgap.images.plugins.module_utils._cache.cache import Cache
from ansible_collections.airgap.images.plugins.module_utils._host.log import Log
from ansible_collections.airgap.images.plugins.module_utils._oci.image_list import InvalidLine, Origin
from ansible_collections.airgap.images.plugins.module_utils._save.run import Run
from ansible_collections.airgap.images.tests.unit.fakes import failed_image, listed, make_options, make_run


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return make_run(make_options(tmp_path), Cache(str(tmp_path)), Log(debug=True))


def test_stages_are_timed(run: Run) -> None:
    with run.stages.stage("one"), run.stages.stage("two"):
        pass
    assert run.stages.seconds.keys() == {"one", "two"}
    assert all(seconds >= 0 for seconds in run.stages.seconds.values())
    assert [line.rsplit("] ", 1)[1].split(" after")[0] for line in run.log.lines] == [
        "stage one begins",
        "stage two begins",
        "stage two ended",
        "stage one ended",
    ]


def test_a_stage_that_is_repeated_counts_on(run: Run) -> None:
    run.stages.seconds["one"] = 100.0
    with run.stages.stage("one"):
        pass
    assert run.stages.seconds["one"] >= 100.0


def test_a_stage_that_fails_is_timed_too(run: Run) -> None:
    with pytest.raises(ValueError, match="x"), run.stages.stage("one"):
        raise ValueError("x")
    assert "one" in run.stages.seconds


def test_those_who_watch_are_told_of_each_cause_once(run: Run) -> None:
    told: list[tuple[str, str]] = []
    run.log.told = lambda kind, text: told.append((kind, text))
    for number, reason in enumerate(("404", "404", "500"), start=1):
        run.tell_failed(failed_image(listed(f"a-{number}", number), reason))
    for number in (1, 2):
        run.tell_invalid(InvalidLine(Origin("x.txt", number), "A B", "it contains whitespace"))
    assert [kind for kind, _text in told] == ["error", "repeated", "error", "error", "repeated"]
    assert told[0][1] == "images, item 1: docker.io/library/a-1:latest failed: 404"
    assert told[3][1] == "x.txt:1: A B: it contains whitespace"
    assert all(" ERROR [" in line for line in run.log.lines) and len(run.log.lines) == 5
    assert run.progress.as_json()["images"] == {"done": 0, "failed": 3, "of": 0}


def test_lines_that_were_told_when_lists_were_merged_are_not_told_again(run: Run) -> None:
    told: list[str] = []
    run.log.told = lambda kind, text: told.append(kind)
    merged = replace(run.options.selection, origins=(Origin("x.txt", 1),))
    replace(run, options=replace(run.options, selection=merged)).tell_invalid(
        InvalidLine(Origin("x.txt", 1), "A", "why")
    )
    assert told == ["repeated"]


def test_each_run_counts_for_itself(run: Run, tmp_path: Path) -> None:
    other = make_run(run.options, run.cache, run.log)
    run.stages.seconds["one"] = 3.0
    assert other.stages.seconds == {}
