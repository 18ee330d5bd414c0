# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files that were hashed and not touched since are not read again."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from pathlib import Path
from typing import Any, Callable

import pytest

from ansible_collections.airgap.images.plugins.module_utils._host.verified_files import VerifiedFiles
from ansible_collections.airgap.images.tests.unit.fakes import mark


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


class Counted:
    """How many files were read for their sha256."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.hashed = 0
        real = hashlib.sha256

        def counted(data: bytes = b"") -> Any:
            self.hashed += not data
            return real(data)

        monkeypatch.setattr(hashlib, "sha256", counted)


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> Counted:
    return Counted(monkeypatch)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.write_bytes(b"abc")
    return path


def test_a_file_is_read_once(tmp_path: Path, file: Path, counted: Counted) -> None:
    memory = VerifiedFiles(str(tmp_path))
    assert memory.sha256(str(file)) == memory.sha256(str(file)) == sha256(b"abc")
    assert counted.hashed == 1
    memory.save()
    assert VerifiedFiles(str(tmp_path)).sha256(str(file)) == sha256(b"abc")
    assert counted.hashed == 1


TOUCHES: dict[str, Callable[[Path], object]] = {
    "rewritten in the same size": lambda path: path.write_bytes(b"abd"),
    "replaced": lambda path: (path.with_suffix(".new").write_bytes(b"abd"), path.with_suffix(".new").replace(path)),
    "touched": lambda path: os.utime(path, ns=(1, 1)),
    "its time put back": lambda path: (
        path.write_bytes(b"abd"),
        os.utime(path, ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns - 1)),
    ),
    "its mode changed": lambda path: path.chmod(0o600),
}


@pytest.mark.parametrize("touch", TOUCHES.values(), ids=TOUCHES)
def test_a_file_that_was_touched_is_read_again(
    tmp_path: Path, file: Path, touch: Callable[[Path], object], counted: Counted
) -> None:
    # An earlier time than any clock of a filesystem gives now, so that the test need not wait for a tick of it.
    os.utime(file, ns=(0, 0))
    memory = VerifiedFiles(str(tmp_path))
    memory.sha256(str(file))
    file_before = file.read_bytes()
    touch(file)
    memory.sha256(str(file))
    assert counted.hashed == 2
    if file.read_bytes() != file_before:
        assert memory.sha256(str(file)) == sha256(b"abd")


def test_what_was_learned_is_not_read(tmp_path: Path, file: Path, counted: Counted) -> None:
    memory = VerifiedFiles(str(tmp_path))
    memory.learn(str(file), "ab" * 32)
    assert memory.sha256(str(file)) == "ab" * 32
    assert memory.known(str(file)) == "ab" * 32
    assert counted.hashed == 0
    file.write_bytes(b"more than before")
    assert memory.known(str(file)) == ""
    file.unlink()
    assert memory.known(str(file)) == ""


def test_files_that_are_gone_are_forgotten(tmp_path: Path, file: Path) -> None:
    memory = VerifiedFiles(str(tmp_path))
    memory.sha256(str(file))
    memory.save()
    assert list(json.loads((tmp_path / "verified.json").read_text())) == [str(file)]
    file.unlink()
    other = tmp_path / "other"
    other.write_bytes(b"abc")
    memory = VerifiedFiles(str(tmp_path))
    memory.sha256(str(other))
    memory.save()
    assert list(json.loads((tmp_path / "verified.json").read_text())) == [str(other)]


def test_what_lies_below_a_file_is_gone_too(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "file").write_bytes(b"abc")
    memory = VerifiedFiles(str(tmp_path))
    memory.sha256(str(folder / "file"))
    shutil.rmtree(folder)
    folder.write_bytes(b"in its place")
    assert memory.known(str(folder / "file")) == ""


def test_a_memory_that_did_not_change_is_not_written(tmp_path: Path, file: Path) -> None:
    memory = VerifiedFiles(str(tmp_path))
    memory.save()
    assert not (tmp_path / "verified.json").exists()
    memory.sha256(str(file))
    memory.save()
    before = mark(tmp_path / "verified.json")
    memory = VerifiedFiles(str(tmp_path))
    memory.sha256(str(file))
    memory.save()
    assert mark(tmp_path / "verified.json") == before


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b'{"a": 1}', b'{"file": "x"}'])
def test_a_memory_that_cannot_be_read_costs_time_only(tmp_path: Path, file: Path, raw: bytes) -> None:
    (tmp_path / "verified.json").write_bytes(raw)
    assert VerifiedFiles(str(tmp_path)).sha256(str(file)) == sha256(b"abc")


def test_a_directory_in_place_of_the_memory_is_replaced(tmp_path: Path, file: Path) -> None:
    (tmp_path / "verified.json" / "below").mkdir(parents=True)
    memory = VerifiedFiles(str(tmp_path))
    memory.sha256(str(file))
    memory.save()
    assert VerifiedFiles(str(tmp_path)).known(str(file)) == sha256(b"abc")


def test_a_memory_that_cannot_be_written_costs_time_only(tmp_path: Path, file: Path) -> None:
    memory = VerifiedFiles(str(tmp_path / "missing"))
    memory.sha256(str(file))
    memory.save()


def test_a_planted_link_does_not_take_the_memory_elsewhere(tmp_path: Path, file: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(b"untouched")
    for name in ("verified.json", "verified.json.new", ".run-verified"):
        (tmp_path / name).symlink_to(victim)
    memory = VerifiedFiles(str(tmp_path))
    memory.sha256(str(file))
    memory.save()
    assert victim.read_bytes() == b"untouched"
    assert VerifiedFiles(str(tmp_path)).known(str(file)) == sha256(b"abc")
