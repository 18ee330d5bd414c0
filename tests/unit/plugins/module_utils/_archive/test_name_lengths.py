# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How long names may be."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.airgap.images.plugins.module_utils._archive.name_lengths import refuse_long_names
from ansible_collections.airgap.images.plugins.module_utils._base.errors import OptionError
from ansible_collections.airgap.images.plugins.module_utils._save.options import Options
from ansible_collections.airgap.images.tests.unit.fakes import make_options


def refuse(options: Options) -> None:
    refuse_long_names(options.output, options.work.cache_dir)


@pytest.mark.parametrize("letter", ["a", "é", "漢"])
@pytest.mark.parametrize("params", [{}, {"part_size": "1G", "part_digits": 9}, {"compress": "dir"}], ids=str)
def test_the_name_that_is_said_to_fit_does(tmp_path: Path, letter: str, params: dict[str, Any]) -> None:
    (tmp_path / "out").mkdir()
    suffix = "" if params.get("compress") == "dir" else ".tar.gz"
    with pytest.raises(OptionError, match=r"^dest: the name is too long by \d+: there would be ") as caught:
        refuse(make_options(dest=str(tmp_path / "out" / f"{letter * 300}{suffix}"), **params))
    told = re.search(r"choose one of up to (\d+)$", str(caught.value))
    assert told is not None
    room = int(told.group(1)) - len(suffix)
    fits = letter * (room // len(letter.encode()))
    longest = max((f".{fits}{suffix}.staging", f"{fits}{suffix}.report.html", f"{fits}{suffix}.part000000000"), key=len)
    if "part_size" not in params:
        longest = f"{fits}{suffix}.report.html"
    (tmp_path / "out" / longest).touch()
    refuse(make_options(dest=str(tmp_path / "out" / f"{fits}{suffix}"), **params))
    with pytest.raises(OptionError, match="the name is too long by"):
        refuse(make_options(dest=str(tmp_path / "out" / f"{fits}{letter}{suffix}"), **params))


@pytest.mark.parametrize("option", ["dest", "cache_dir"])
def test_a_path_that_is_too_deep(tmp_path: Path, option: str) -> None:
    deep = str(tmp_path) + "/directory" * 405
    with pytest.raises(OptionError, match=rf"^{option}: its path is too long by \d+ bytes") as caught:
        refuse(make_options(tmp_path, **{option: f"{deep}/a"}))
    told = re.search(r"up to (\d+)$", str(caught.value))
    assert told is not None and 3500 < int(told.group(1)) < len(deep)
