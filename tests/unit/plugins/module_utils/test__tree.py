# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The archive as a directory."""

from __future__ import annotations

import errno
import hashlib
import os
from pathlib import Path

import pytest

from ansible_collections.airgap.images.plugins.module_utils import _tree
from ansible_collections.airgap.images.plugins.module_utils._errors import DamagedBlobError, StorageError
from ansible_collections.airgap.images.plugins.module_utils._tree import TreeWriter
from ansible_collections.airgap.images.tests.unit.fakes import describe, names_below

DATA = b"blob" * 1000
BLOB = describe(DATA)


@pytest.fixture
def source(tmp_path: Path) -> str:
    path = tmp_path / "source"
    path.write_bytes(DATA)
    return str(path)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "tree"


def write(root: Path, source: str, *, link: bool = True) -> TreeWriter:
    writer = TreeWriter(str(root), "cache", link=link)
    writer.directory("cache")
    writer.directory("cache/share/sha256")
    writer.document("cache/index.json", b"{}")
    writer.blob("cache/share/sha256/x", source, BLOB)
    writer.link("cache/blobs", "share")
    writer.finish()
    return writer


def test_members_lie_below_the_root(root: Path, source: str) -> None:
    writer = write(root, source)
    assert names_below(root) == ["blobs", "index.json", "share", "share/sha256", "share/sha256/x"]
    assert (root / "index.json").read_bytes() == b"{}"
    assert os.readlink(root / "blobs") == "share"
    assert [(file.path, file.size, file.sha256) for file in writer.written] == [
        (str(root / "index.json"), 2, hashlib.sha256(b"{}").hexdigest()),
        (str(root / "share/sha256/x"), len(DATA), hashlib.sha256(DATA).hexdigest()),
    ]


def test_blobs_are_linked(root: Path, source: str) -> None:
    write(root, source)
    assert (root / "share/sha256/x").samefile(source)


def test_blobs_are_copied_where_they_get_a_mode_of_their_own(root: Path, source: str) -> None:
    write(root, source, link=False)
    assert (root / "share/sha256/x").read_bytes() == DATA
    assert not (root / "share/sha256/x").samefile(source)


@pytest.mark.parametrize("number", [errno.EXDEV, errno.EPERM, errno.EMLINK])
def test_blobs_are_copied_where_they_cannot_be_linked(
    root: Path, source: str, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def refuse(*_paths: str, follow_symlinks: bool) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(_tree.os, "link", refuse)
    write(root, source)
    copied = root / "share/sha256/x"
    assert copied.read_bytes() == DATA
    assert not copied.samefile(source)


def test_other_errors_are_told(root: Path, source: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_paths: str, follow_symlinks: bool) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(_tree.os, "link", refuse)
    with pytest.raises(StorageError, match=r"cannot write the archive .*Input/output error"):
        write(root, source)


def test_a_damaged_blob_does_not_get_in(root: Path, source: str) -> None:
    Path(source).write_bytes(DATA[:-1] + b"x")
    with pytest.raises(DamagedBlobError):
        write(root, source)
    assert not (root / "share/sha256/x").exists()


def test_nothing_is_overwritten(root: Path) -> None:
    writer = TreeWriter(str(root), "cache", link=True)
    writer.directory("cache")
    writer.document("cache/a", b"one")
    with pytest.raises(StorageError, match="File exists"):
        writer.document("cache/a", b"two")
