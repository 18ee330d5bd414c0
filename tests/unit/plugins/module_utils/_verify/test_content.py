# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.airgap.images.plugins.module_utils._oci.image import hex_of
from ansible_collections.airgap.images.tests.unit.carried import carry, change
from ansible_collections.airgap.images.tests.unit.verify_scene import states, touched, verified


@pytest.mark.parametrize("form", ["gzip", "gzip in parts", "zstd in parts", "none in parts", "gzip level 6"])
def test_an_archive_without_checksums_is_read_through(form: str, tmp_path: Path) -> None:
    carried = carry(tmp_path, form)
    carried.strip_lock()
    result = verified(carried.dest.parent)
    assert not result.is_failure and "has neither a lock file nor checksums" in result.notes()[0]
    assert result.size == sum(len(raw) for raw in carried.blobs.values())
    middle = carried.parts[len(carried.parts) // 2]
    change(middle, middle.stat().st_size // 2)
    result = verified(carried.dest.parent)
    assert result.is_failure and {*states(result).values()} == {"unchecked"}
    assert f"{carried.dest.name}: " in result.sentence(check=False)


def test_a_part_is_missing_in_the_middle(tmp_path: Path) -> None:
    carried = carry(tmp_path)
    carried.strip_lock()
    carried.parts[3].unlink()
    result = verified(carried.dest.parent)
    assert result.is_failure and states(result)[carried.parts[3].name] == "missing"


def test_a_directory_without_a_lock_file(tmp_path: Path) -> None:
    """Its blobs are named after their content, and its images say what they need."""
    carried = carry(tmp_path, "dir")
    carried.strip_lock()
    result = verified(carried.dest)
    assert not result.is_failure and result.size == sum(len(raw) for raw in carried.blobs.values())
    layers = sorted(carried.blobs, key=lambda digest: len(carried.blobs[digest]))
    path = carried.dest / "share" / "sha256" / hex_of(layers[-1])
    change(path, 5)
    result = verified(carried.dest)
    assert result.is_failure and states(result) == {f"share/sha256/{path.name}": "damaged"}
    assert touched(result) == {"a:1": []}
    path.unlink()
    result = verified(carried.dest)
    assert result.is_failure and touched(result) == {"a:1": []}
    assert "lacks something that its images need" in result.sentence(check=False)
