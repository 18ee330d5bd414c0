# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The archive as a directory."""

from __future__ import annotations

import errno
import hashlib
import os
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.airgap.images.plugins.module_utils._archive import tree
from ansible_collections.airgap.images.plugins.module_utils._archive.tree import Standing, TreeWriter
from ansible_collections.airgap.images.plugins.module_utils._base.errors import (
    DamagedBlobError,
    SpaceError,
    StorageError,
)
from ansible_collections.airgap.images.plugins.module_utils._host.attributes import NoAttributes
from ansible_collections.airgap.images.plugins.module_utils._host.verified_files import VerifiedFiles
from ansible_collections.airgap.images.plugins.module_utils._publish.published import ReusableFiles
from ansible_collections.airgap.images.tests.unit.fakes import Nothing, describe, make_options, mark, names_below

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


def write(root: Path, source: str, *, standing: Standing | None = None, link: bool = True) -> TreeWriter:
    writer = TreeWriter(str(root), "cache", standing or Nothing(), link=link)
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
    assert [(file.name, file.size, file.sha256) for file in writer.written] == [
        ("index.json", 2, hashlib.sha256(b"{}").hexdigest()),
        ("share/sha256/x", len(DATA), hashlib.sha256(DATA).hexdigest()),
    ]


def test_blobs_are_linked(root: Path, source: str) -> None:
    write(root, source)
    assert (root / "share/sha256/x").samefile(source)


def test_blobs_are_copied_where_they_get_a_mode_of_their_own(root: Path, source: str) -> None:
    write(root, source, link=False)
    assert (root / "share/sha256/x").read_bytes() == DATA
    assert not (root / "share/sha256/x").samefile(source)


@pytest.mark.parametrize("number", [errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.EPERM])
def test_blobs_are_copied_on_filesystems_that_share_no_ranges(
    root: Path, source: str, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def refuse(*_arguments: int) -> int:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(tree.os, "copy_file_range", refuse)
    write(root, source, link=False)
    assert (root / "share/sha256/x").read_bytes() == DATA


def test_ranges_may_be_shared_piece_by_piece(root: Path, source: str, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.copy_file_range
    lengths: list[int] = []

    def some(read: int, written: int, count: int) -> int:
        lengths.append(count)
        return real(read, written, min(count, 1500))

    monkeypatch.setattr(tree.os, "copy_file_range", some)
    write(root, source, link=False)
    assert (root / "share/sha256/x").read_bytes() == DATA
    assert lengths == [4000, 2500, 1000]


def test_a_filesystem_that_gives_up_midway(root: Path, source: str, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.copy_file_range
    lengths: list[int] = []

    def once(read: int, written: int, count: int) -> int:
        lengths.append(count)
        if len(lengths) > 1:
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        return real(read, written, 1500)

    monkeypatch.setattr(tree.os, "copy_file_range", once)
    write(root, source, link=False)
    assert (root / "share/sha256/x").read_bytes() == DATA


def test_a_full_disk_is_told_when_copying(root: Path, source: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_arguments: int) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(tree.os, "copy_file_range", refuse)
    with pytest.raises(SpaceError, match="no space left to write the archive"):
        write(root, source, link=False)


@pytest.mark.parametrize("number", [errno.EXDEV, errno.EPERM, errno.EMLINK])
def test_blobs_are_copied_where_they_cannot_be_linked(
    root: Path, source: str, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def refuse(*_paths: str, follow_symlinks: bool) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(tree.os, "link", refuse)
    write(root, source)
    copied = root / "share/sha256/x"
    assert copied.read_bytes() == DATA
    assert not copied.samefile(source)


def test_other_errors_are_told(root: Path, source: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_paths: str, follow_symlinks: bool) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(tree.os, "link", refuse)
    with pytest.raises(StorageError, match=r"cannot write the archive .*Input/output error"):
        write(root, source)


def test_a_damaged_blob_does_not_get_in(root: Path, source: str) -> None:
    Path(source).write_bytes(DATA[:-1] + b"x")
    with pytest.raises(DamagedBlobError):
        write(root, source)
    assert not (root / "share/sha256/x").exists()


@pytest.mark.parametrize(("data", "enters"), [(DATA[:-1] + b"x", True), (DATA[:-1], False)], ids=["same size", "other"])
@pytest.mark.parametrize("link", [True, False])
def test_what_was_checked_is_not_read_again(root: Path, source: str, data: bytes, enters: bool, link: bool) -> None:
    """Seen by bytes of another hash, which are taken for what was checked."""
    Path(source).write_bytes(data)
    writer = TreeWriter(
        str(root), "cache", Nothing(), link=link, is_checked=lambda digest, _file: digest == BLOB.digest
    )
    writer.directory("cache")
    if enters:
        writer.blob("cache/x", source, BLOB)
        assert (root / "x").read_bytes() == data
    else:
        with pytest.raises(DamagedBlobError):
            writer.blob("cache/x", source, BLOB)


def test_nothing_is_overwritten(root: Path) -> None:
    writer = TreeWriter(str(root), "cache", Nothing(), link=True)
    writer.directory("cache")
    writer.document("cache/a", b"one")
    with pytest.raises(StorageError, match="File exists"):
        writer.document("cache/a", b"two")


# -- what stands already


class StandingTree:
    """A directory that stands, and the run that writes the next one."""

    def __init__(self, folder: Path, source: str) -> None:
        self.root = folder / "out/images"
        write(self.root, source, link=False)
        self._cache = folder / "cache"
        self._cache.mkdir()
        self._folder = folder
        self.memory = VerifiedFiles(str(self._cache))
        for path in (self.document, self.blob):
            self.memory.sha256(str(path))

    @property
    def document(self) -> Path:
        return self.root / "index.json"

    @property
    def blob(self) -> Path:
        return self.root / "share/sha256/x"

    def files(self, **options: Any) -> ReusableFiles:
        output = make_options(self._folder, **{"compress": "dir", **options}).output
        return ReusableFiles(output, self.memory, NoAttributes())


@pytest.fixture
def standing(tmp_path: Path, source: str) -> StandingTree:
    return StandingTree(tmp_path, source)


def test_what_stands_is_linked_and_not_read(root: Path, standing: StandingTree) -> None:
    writer = write(root, "/no/such/blob", standing=standing.files())
    assert (root / "share/sha256/x").samefile(standing.blob)
    assert (root / "index.json").samefile(standing.document)
    assert [(file.name, file.size, file.sha256) for file in writer.written] == [
        ("index.json", 2, hashlib.sha256(b"{}").hexdigest()),
        ("share/sha256/x", len(DATA), hashlib.sha256(DATA).hexdigest()),
    ]


def test_it_is_linked_also_where_files_get_a_mode_of_their_own(root: Path, standing: StandingTree) -> None:
    write(root, "/no/such/blob", standing=standing.files(), link=False)
    assert (root / "share/sha256/x").samefile(standing.blob)


def test_a_document_that_changed_is_written(root: Path, standing: StandingTree) -> None:
    before = mark(standing.document)
    writer = TreeWriter(str(root), "cache", standing.files(), link=True)
    writer.directory("cache")
    writer.document("cache/index.json", b"[]")
    assert (root / "index.json").read_bytes() == b"[]"
    assert standing.document.read_bytes() == b"{}"
    assert mark(standing.document) == before


def test_a_file_that_was_touched_is_made_anew(root: Path, source: str, standing: StandingTree) -> None:
    standing.blob.write_bytes(DATA[:-1] + b"x")
    os.utime(standing.document)
    write(root, source, standing=standing.files())
    assert (root / "share/sha256/x").read_bytes() == DATA
    assert (root / "share/sha256/x").samefile(source)
    assert not (root / "index.json").samefile(standing.document)


def test_a_file_that_is_gone_is_made_anew(root: Path, source: str, standing: StandingTree) -> None:
    standing.blob.unlink()
    write(root, source, standing=standing.files())
    assert (root / "share/sha256/x").samefile(source)


@pytest.mark.parametrize("options", [{"force": True}, {"compress": "none"}])
def test_force_and_other_forms_take_nothing_over(
    root: Path, source: str, standing: StandingTree, options: dict[str, Any]
) -> None:
    files = standing.files(**options)
    assert files.path("share/sha256/x", hashlib.sha256(DATA).hexdigest()) == ""
    write(root, source, standing=files)
    assert (root / "share/sha256/x").samefile(source)
    assert not (root / "index.json").samefile(standing.document)


def test_what_cannot_be_linked_is_made_anew(
    root: Path, source: str, standing: StandingTree, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.link

    def link(path: str, target: str, *, follow_symlinks: bool) -> None:
        if path.startswith(str(standing.root)):
            raise OSError(errno.EMLINK, os.strerror(errno.EMLINK))
        real(path, target, follow_symlinks=follow_symlinks)

    monkeypatch.setattr(tree.os, "link", link)
    write(root, source, standing=standing.files())
    assert (root / "share/sha256/x").samefile(source)
    assert (root / "index.json").read_bytes() == b"{}"
