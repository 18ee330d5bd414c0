# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from ansible_collections.airgap.images.plugins.module_utils._archive.lock import Lock
from ansible_collections.airgap.images.plugins.module_utils._archive.lock_file import write_lock
from ansible_collections.airgap.images.plugins.module_utils._archive.parts import Part
from ansible_collections.airgap.images.plugins.module_utils._base.errors import StorageError
from ansible_collections.airgap.images.plugins.plugin_utils._lists.merged_lock import merge
from ansible_collections.airgap.images.plugins.plugin_utils._stage.record import difference, write_record
from ansible_collections.airgap.images.tests.unit.plugins.module_utils._archive.test_lock_changes import image


def set_of(**references: str) -> bytes:
    """The record of hosts with an image each."""
    part = Part("images.tar.gz", 5, "ef" * 32)
    locks = {host: Lock({"compress": "gzip"}, (image(name),), parts=(part,)) for host, name in references.items()}
    return merge({f"{host}/images.tar.gz.lock.json": write_lock(lock) for host, lock in locks.items()})


BEFORE, AFTER = set_of(north="a:1", east="b:1"), set_of(north="a:1", west="b:1")


def test_images_and_files_that_differ_are_shown_with_their_hosts() -> None:
    shown = difference("/media/images.lock.json", BEFORE, AFTER)
    assert shown["before_header"] == shown["after_header"] == "/media/images.lock.json"
    for side, host in (("before", "east"), ("after", "west")):
        (moved, file) = shown[side].splitlines()
        assert moved.startswith("image docker.io/library/b:1: sha256:") and moved.endswith(f" on {host}")
        assert file == f"file {host}/images.tar.gz: 5 bytes, sha256:{'ef' * 32}"


def test_what_is_not_a_record_has_no_lines() -> None:
    for before in (None, b"", b"{}", b"nonsense"):
        shown = difference("x", before, AFTER)
        assert shown["before"] == "" and len(shown["after"].splitlines()) == 4


def test_a_record_is_written_once(tmp_path: Path) -> None:
    path = tmp_path / "images.lock.json"
    assert write_record(str(path), BEFORE, before=None, is_check=True)["changed"] and not path.exists()
    assert write_record(str(path), BEFORE, before=None, is_check=False)["changed"]
    assert path.read_bytes() == BEFORE and stat.S_IMODE(path.stat().st_mode) == 0o644
    path.chmod(0o600)
    assert not write_record(str(path), BEFORE, before=BEFORE, is_check=False)["changed"]
    done = write_record(str(path), AFTER, before=None, is_check=False)
    assert done["changed"] and len(done["diff"]["before"].splitlines()) == 2
    assert path.read_bytes() == AFTER and stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [each.name for each in tmp_path.iterdir()] == ["images.lock.json"]


def test_a_folder_in_the_way_is_named(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=f"cannot read or write {tmp_path} on the controller: Is a directory"):
        write_record(str(tmp_path), AFTER, before=None, is_check=False)
