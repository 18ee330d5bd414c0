# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ansible_collections.airgap.images.plugins.module_utils._source.joined import PartFile
from ansible_collections.airgap.images.plugins.module_utils._verify.reading import queues_of


@pytest.mark.parametrize(
    ("told", "together"),
    [
        ({}, False),
        ({"queue/rotational": "0\n", "removable": "0\n"}, False),
        ({"queue/rotational": "1\n"}, True),
        ({"removable": "1\n"}, True),
        ({"../queue/rotational": "1\n"}, True),
    ],
)
def test_a_disk_that_seeks_or_can_be_removed_is_read_by_one_thread(
    told: dict[str, str], together: bool, tmp_path: Path
) -> None:
    parts = []
    for number in range(3):
        (tmp_path / str(number)).write_bytes(b"x")
        parts.append(PartFile(str(number), str(tmp_path / str(number)), number, 1, ""))
    device = os.stat(tmp_path).st_dev
    disk = tmp_path / "block" / "sdx" / "sdx1"
    disk.mkdir(parents=True)
    (tmp_path / "dev").mkdir()
    os.symlink(disk, tmp_path / "dev" / f"{os.major(device)}:{os.minor(device)}")
    for name, text in told.items():
        path = Path(os.path.normpath(disk / name))
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="ascii")
    queues = queues_of(parts, devices=str(tmp_path / "dev"))
    assert queues == ([parts] if together else [[part] for part in parts])
