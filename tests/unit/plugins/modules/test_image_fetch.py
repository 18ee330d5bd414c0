# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The host's half of image_fetch."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.airgap.images.plugins.module_utils._archive.bundle import BUNDLE
from ansible_collections.airgap.images.plugins.modules import image_fetch
from ansible_collections.airgap.images.tests.unit.fakes import module_arguments


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """A directory with a lock file, and small files below it."""
    folder = tmp_path / "out"
    (folder / "images").mkdir(parents=True)
    (folder / "images.lock.json").write_bytes(b"{}")
    for name in ("a", "b"):
        (folder / "images" / name).write_bytes(name.encode())
    return folder / "images"


def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], **given: Any) -> dict[str, Any]:
    """The result of the module."""
    with module_arguments(monkeypatch, dest="/nowhere", **given), pytest.raises(SystemExit):
        image_fetch.main()
    returned: dict[str, Any] = json.loads(capsys.readouterr().out)
    return returned


def test_files_beside_an_archive(
    archive: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    returned = run(monkeypatch, capsys, src=str(archive), failed_list=str(archive.parent / "failed.txt"))
    assert returned["found"]["lock_file"] == {"size": 2, "sha256": hashlib.sha256(b"{}").hexdigest()}
    assert returned["found"]["checksum_file"] is None
    assert returned["found"]["failed_list"] is None


def test_a_file_that_is_not_one(
    archive: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (archive.parent / "images.sha256").mkdir()
    returned = run(monkeypatch, capsys, src=str(archive))
    assert (returned["failed"], returned["unreadable"]) == (True, "checksum_file")


def test_small_files_are_collected(
    archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    files = [{"name": "images/a", "size": 1}, {"name": "images/b", "size": 2}]
    returned = run(monkeypatch, capsys, src=str(archive), bundle=files, _ansible_tmpdir=str(tmp_path))
    assert returned["left_out"] == ["images/b"]
    assert b"images/a\0" in (tmp_path / BUNDLE).read_bytes()
    assert sorted(path.name for path in archive.parent.iterdir()) == ["images", "images.lock.json"]


def test_some_space_is_left_to_others(
    archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(image_fetch, "free_bytes", lambda path: 64 * 1024 * 1024)
    files = [{"name": "images/a", "size": 1}]
    returned = run(monkeypatch, capsys, src=str(archive), bundle=files, _ansible_tmpdir=str(tmp_path))
    assert returned["failed"] is True
    assert returned["msg"] == f"cannot read or write {tmp_path}: No space left on device"
    assert not (tmp_path / BUNDLE).exists()
