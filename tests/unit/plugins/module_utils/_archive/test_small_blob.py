# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Small blobs, which are read at once."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from ansible_collections.airgap.images.plugins.module_utils._archive.small_blob import SMALL, read_checked
from ansible_collections.airgap.images.plugins.module_utils._base.errors import DamagedBlobError
from ansible_collections.airgap.images.tests.unit.fakes import DAMAGED_BLOBS, describe


@pytest.mark.parametrize("size", [0, 1, 9, SMALL])
def test_a_sound_blob_is_read_whole(tmp_path: Path, size: int) -> None:
    data = os.urandom(size)
    (tmp_path / "blob").write_bytes(data)
    assert read_checked(str(tmp_path / "blob"), describe(data)) == data


@pytest.mark.parametrize(("data", "said"), DAMAGED_BLOBS.values(), ids=DAMAGED_BLOBS)
def test_damage_is_noticed_and_the_mode_is_left(tmp_path: Path, data: bytes, said: str) -> None:
    path, blob = tmp_path / "blob", describe(b"123456789")
    path.write_bytes(data)
    path.chmod(0o4755)
    with pytest.raises(DamagedBlobError) as caught:
        read_checked(str(path), blob)
    assert caught.value.digest == blob.digest
    assert str(caught.value).endswith(said)
    assert stat.S_IMODE(path.stat().st_mode) == 0o4755


@pytest.mark.parametrize("kind", ["missing", "directory", "link", "pipe"])
def test_anything_but_a_file_is_damaged(tmp_path: Path, kind: str) -> None:
    place, data = tmp_path / "place", b"data"
    if kind == "directory":
        place.mkdir()
    elif kind == "link":
        (tmp_path / "blob").write_bytes(data)
        place.symlink_to(tmp_path / "blob")
    elif kind == "pipe":
        os.mkfifo(place)
    with pytest.raises(DamagedBlobError):
        read_checked(str(place), describe(data))


@pytest.mark.parametrize(("mode", "becomes"), [(0o600, 0o600), (0o664, 0o664), (0o666, 0o644), (0o4755, 0o644)])
def test_a_mode_that_would_do_harm_is_taken_away(tmp_path: Path, mode: int, becomes: int) -> None:
    path = tmp_path / "blob"
    path.write_bytes(b"blob")
    path.chmod(mode)
    read_checked(str(path), describe(b"blob"))
    assert stat.S_IMODE(path.stat().st_mode) == becomes


def test_no_file_is_left_open(tmp_path: Path) -> None:
    path = tmp_path / "blob"
    path.write_bytes(b"blob")
    read_checked(str(path), describe(b"blob"))
    with pytest.raises(DamagedBlobError):
        read_checked(str(path), describe(b"glob"))
    open_files = [os.readlink(each) for each in Path("/proc/self/fd").iterdir() if each.is_symlink()]
    assert str(path) not in open_files
