# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Refusals before the first byte."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from ansible_collections.airgap.images.plugins.module_utils._base.errors import SpaceError, StorageError
from ansible_collections.airgap.images.plugins.plugin_utils._fetch import room
from ansible_collections.airgap.images.plugins.plugin_utils._fetch.place import Item
from ansible_collections.airgap.images.plugins.plugin_utils._fetch.room import ensure_space
from ansible_collections.airgap.images.plugins.plugin_utils._hosts.bounds import LARGEST_RECORD
from ansible_collections.airgap.images.tests.unit.archives import SHA, arrive, compared, item, place_at


def test_there_has_to_be_space(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "free_bytes", lambda path: 6 * 1024**3)
    items = [Item("/srv/a", "a", 4 * 1024**3, SHA), Item("/srv/b", "b", 2 * 1024**3, SHA)]
    ensure_space(place_at(tmp_path), items)
    with pytest.raises(SpaceError) as caught:
        ensure_space(place_at(tmp_path), [*items, Item("/srv/c", "c", 1024**3, SHA)])
    assert str(caught.value) == (
        f"not enough space for {tmp_path} on the controller: 7.0 GiB are needed, 6.0 GiB are free. "
        "Free 1.0 GiB more, or choose another directory"
    )


def test_a_host_may_send_more_than_it_announces_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Then it is cut off, and the run ends."""
    free = [LARGEST_RECORD + 8 - 1]
    monkeypatch.setattr(room, "free_bytes", lambda path: free[0])
    items = [item("a"), item("b"), item("c")]
    with pytest.raises(SpaceError):
        ensure_space(place_at(tmp_path), items)
    free[0] += 1
    ensure_space(place_at(tmp_path), items)


def test_space_is_needed_only_for_what_is_coming(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = place_at(tmp_path)
    arrive(place, item("a"))
    (tmp_path / "b").write_bytes(b"data")
    monkeypatch.setattr(room, "free_bytes", lambda path: 0)
    ensure_space(place, compared(place, item("a"), item("b")).coming)


def test_space_is_asked_where_the_directory_will_be(tmp_path: Path) -> None:
    ensure_space(place_at(tmp_path / "a" / "b"), [item("a")])


def test_space_that_cannot_be_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: str) -> os.statvfs_result:
        raise PermissionError(errno.EACCES, "Permission denied", path)

    monkeypatch.setattr(os, "statvfs", refuse)
    with pytest.raises(StorageError, match=r"^cannot read or write /.* on the controller: Permission denied\. Give "):
        ensure_space(place_at(tmp_path), [item("a")])
