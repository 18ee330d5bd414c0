# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A lock file of the controller in place of all lists."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ansible_collections.airgap.images.plugins.module_utils._archive.lock_file import read_lock, write_lock
from ansible_collections.airgap.images.plugins.module_utils._base.errors import OptionError
from ansible_collections.airgap.images.plugins.plugin_utils._stage import lock_file
from ansible_collections.airgap.images.plugins.plugin_utils._stage.lock_file import (
    pinned,
    read_lock_file,
    references_of,
    staged_lock,
)
from ansible_collections.airgap.images.tests.support.bundle import lock_of, saved_image

BY_DIGEST = f"a.lan/two@sha256:{'ab' * 32}"
LOCK = lock_of([saved_image("a.lan/one:1"), saved_image(BY_DIGEST)], "x")
RAW = write_lock(LOCK)


def test_a_share_of_it_is_staged() -> None:
    assert references_of(RAW) == ["a.lan/one:1", BY_DIGEST]
    staged = read_lock(staged_lock(RAW, [BY_DIGEST]).encode(), path="x")
    assert staged.images == LOCK.images[1:] and staged.options == LOCK.options
    assert not staged.parts and not staged.blobs


def test_members_of_a_set_are_no_obstacle() -> None:
    document = json.loads(RAW)
    for image in document["images"]:
        image["host"] = "north"
    staged = staged_lock(json.dumps(document).encode(), ["a.lan/one:1"])
    assert [str(image.reference) for image in read_lock(staged.encode(), path="x").images] == ["a.lan/one:1"]


def test_check_mode_names_digests() -> None:
    assert pinned(RAW, ["a.lan/one:1", BY_DIGEST]) == [f"a.lan/one:1@{LOCK.images[0].digest}", BY_DIGEST]
    assert pinned(RAW, []) == []


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"{}", "is not a lock file"),
        (write_lock(lock_of([], "x")), "names no image"),
    ],
)
def test_what_cannot_be_used(tmp_path: Path, raw: bytes, said: str) -> None:
    path = tmp_path / "a.lock.json"
    path.write_bytes(raw)
    with pytest.raises(OptionError, match=f"^image_save_from_lock_file: .*{said}"):
        read_lock_file("a.lock.json", lambda _path: str(path))


def test_what_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(OptionError, match=r"^image_save_from_lock_file: file 'x' not found on the controller"):
        read_lock_file("x", lambda _path: None)
    with pytest.raises(OptionError, match=r"^image_save_from_lock_file: cannot read .* on the controller: Is a dir"):
        read_lock_file("x", lambda _path: str(tmp_path))
    monkeypatch.setattr(lock_file, "LARGEST_RECORD", 10)
    (tmp_path / "large").write_bytes(RAW)
    with pytest.raises(OptionError, match=r"^image_save_from_lock_file: .* has more than 10"):
        read_lock_file("x", lambda _path: str(tmp_path / "large"))
