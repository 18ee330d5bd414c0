# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of jobs, and which of them a later run removes."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from ansible_collections.airgap.images.plugins.module_utils._host.files import temporary_of
from ansible_collections.airgap.images.plugins.module_utils._host.job_files import (
    CLAIM,
    KEPT,
    LIMIT,
    RESULT,
    files_of,
    job_name,
    remove_files,
    sweep,
)

NOW = 1_800_000_000.0
NAME = job_name("0123456789abcdef" * 2)


def write(path: Path, age: float) -> None:
    """Write a file that was written so many seconds before ``NOW``."""
    path.write_text("x", "utf-8")
    os.utime(path, (NOW - age, NOW - age))


def names_in(place: Path) -> set[str]:
    return {path.name for path in place.iterdir()}


def test_all_files_of_a_run_are_removed(tmp_path: Path) -> None:
    for path in files_of(str(tmp_path / NAME)):
        write(Path(path), 0)
    assert len(names_in(tmp_path)) == 6
    remove_files(str(tmp_path / NAME))
    remove_files(str(tmp_path / NAME))
    assert not names_in(tmp_path)


@pytest.mark.parametrize(
    ("ages", "is_removed"),
    [
        ({"": KEPT + 1, CLAIM: KEPT + 9, RESULT: KEPT + 1}, True),
        ({"": KEPT + 1, CLAIM: KEPT + 9, RESULT: KEPT - 1}, False),
        ({CLAIM: LIMIT + KEPT + 1}, True),
        ({CLAIM: LIMIT + KEPT - 1}, False),
        ({"": 1, CLAIM: LIMIT + KEPT + 1}, False),
        ({"": LIMIT + KEPT + 1}, True),
    ],
)
def test_only_runs_that_have_ended_are_swept(tmp_path: Path, ages: dict[str, float], is_removed: bool) -> None:
    """Without a result, that is certain once they would have been killed."""
    temporary = Path(temporary_of(str(tmp_path / NAME)))
    write(temporary, LIMIT + KEPT + 1)
    for suffix, age in ages.items():
        write(tmp_path / (NAME + suffix), age)
    sweep(str(tmp_path), now=NOW)
    assert names_in(tmp_path) == (set() if is_removed else {temporary.name, *(NAME + suffix for suffix in ages)})


def test_files_of_others_are_not_swept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither are links, what is behind them, and directories."""
    old = LIMIT + KEPT + 1
    behind = tmp_path / "behind"
    behind.mkdir()
    write(behind / (NAME + RESULT), old)
    place = tmp_path / "jobs"
    place.mkdir()
    for name in ("j1.2", f"{NAME}.mine", f"x{NAME}", "airgap-images-list.json", f"{NAME}{RESULT}~"):
        write(place / name, old)
    (place / (NAME + RESULT)).symlink_to(behind / (NAME + RESULT))
    os.utime(place / (NAME + RESULT), (0, 0), follow_symlinks=False)
    (place / job_name("f" * 32)).mkdir()
    os.utime(place / job_name("f" * 32), (0, 0))
    before = names_in(place)
    sweep(str(place), now=NOW)
    assert names_in(place) == before and names_in(behind) == {NAME + RESULT}
    write(place / (NAME + CLAIM), old)
    with monkeypatch.context() as patch:
        patch.setattr(os, "geteuid", lambda: os.getuid() + 1)
        sweep(str(place), now=NOW)
    assert names_in(place) == {*before, NAME + CLAIM}


def test_what_cannot_be_swept_is_left(tmp_path: Path) -> None:
    write(tmp_path / (NAME + RESULT), KEPT + 1)
    (tmp_path / NAME).mkdir()
    sweep(str(tmp_path), now=NOW)
    assert names_in(tmp_path) == {NAME}
    sweep(str(tmp_path / "none"), now=NOW)


def test_a_name_has_no_meaning_to_a_shell() -> None:
    assert re.fullmatch(r"[a-z0-9.-]+", NAME)
