# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The hidden directory that files arrive in."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ansible_collections.airgap.images.plugins.module_utils._base.errors import StorageError
from ansible_collections.airgap.images.plugins.plugin_utils._fetch.incoming import clear_way
from ansible_collections.airgap.images.tests.unit.archives import NAME, arrive, item, place_at, tree


def test_room_for_a_file(tmp_path: Path) -> None:
    place = place_at(tmp_path / "new")
    assert clear_way(place, item("a/b")) == f"{tmp_path}/new/.{NAME}.fetching/a/b"
    assert tree(tmp_path / "new") == {f".{NAME}.fetching": None, f".{NAME}.fetching/a": None}


def test_what_an_interrupted_run_has_left_makes_room(tmp_path: Path) -> None:
    place = place_at(tmp_path)
    arrive(place, item("a"), b"da")
    assert not os.path.exists(clear_way(place, item("a")))


def test_a_link_in_its_place_is_not_written_through(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(b"precious")
    place = place_at(tmp_path / "media")
    os.makedirs(place.incoming)
    os.symlink(victim, place.temporary(item("a")))
    arrive(place, item("a"))
    assert victim.read_bytes() == b"precious"
    assert not os.path.islink(place.temporary(item("a")))


def test_a_link_in_place_of_the_hidden_directory_is_not_written_through(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "a").write_bytes(b"precious")
    place = place_at(tmp_path / "media")
    os.mkdir(place.directory)
    os.symlink("../elsewhere", place.incoming)
    arrive(place, item("a"))
    assert tree(tmp_path / "elsewhere") == {"a": b"precious"}
    assert tree(tmp_path / "media") == {f".{NAME}.fetching": None, f".{NAME}.fetching/a": b"data"}


def test_no_room_where_a_file_stands(tmp_path: Path) -> None:
    (tmp_path / "media").write_bytes(b"")
    with pytest.raises(StorageError, match=r"^cannot read or write .*media on the controller: Not a directory"):
        clear_way(place_at(tmp_path / "media"), item("a"))


def test_no_room_where_a_directory_stands(tmp_path: Path) -> None:
    place = place_at(tmp_path)
    os.makedirs(place.temporary(item("a")))
    with pytest.raises(StorageError, match=r"^cannot read or write .*fetching/a on the controller: "):
        clear_way(place, item("a"))
