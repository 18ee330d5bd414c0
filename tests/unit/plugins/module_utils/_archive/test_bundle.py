# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Many small files as one."""

from __future__ import annotations

import errno
import os
import stat
import tarfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.airgap.images.plugins.module_utils._archive import bundle as bundle_module
from ansible_collections.airgap.images.plugins.module_utils._archive.bundle import (
    Member,
    header_of,
    length_of,
    padding_of,
    size_of,
    write_bundle,
)

NAMES = st.text(st.characters(exclude_characters="\0"), min_size=1, max_size=300)


def members_in(folder: Path, **contents: bytes) -> list[Member]:
    """Write files, and return what they are in a bundle."""
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    return [Member(name, len(content)) for name, content in contents.items()]


def read(path: Path) -> dict[str, bytes]:
    """The members that another reader finds in a bundle."""
    with tarfile.open(path) as tar:
        return {each.name: tar.extractfile(each).read() for each in tar.getmembers()}  # type: ignore[union-attr]


def test_a_bundle_is_a_tar_file(tmp_path: Path) -> None:
    members = members_in(tmp_path, a=b"first", b=b"", c=b"x" * 512, d=b"y" * 513)
    path = tmp_path / "bundle"
    assert write_bundle(str(path), str(tmp_path), members) == []
    assert read(path) == {"a": b"first", "b": b"", "c": b"x" * 512, "d": b"y" * 513}
    assert path.stat().st_size == size_of(members)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_names_of_any_length(tmp_path: Path) -> None:
    folder, name = "d" * 200, "n" * 200
    (tmp_path / folder).mkdir()
    (tmp_path / folder / name).write_bytes(b"long")
    member = Member(f"{folder}/{name}", 4)
    write_bundle(str(tmp_path / "bundle"), str(tmp_path), [member])
    assert read(tmp_path / "bundle") == {member.name: b"long"}
    assert (tmp_path / "bundle").stat().st_size == size_of([member])


@given(name=NAMES, size=st.integers(0, 2**40))
def test_the_length_is_known_in_advance(name: str, size: int) -> None:
    member = Member(name, size)
    assert length_of(member) == len(header_of(member)) + size + len(padding_of(member))
    assert length_of(member) % 512 == 0


def test_files_that_are_not_as_asked_for_are_left_out(tmp_path: Path) -> None:
    members = members_in(tmp_path, good=b"good", longer=b"longer", shorter=b"short", gone=b"gone", better=b"better")
    (tmp_path / "longer").write_bytes(b"longer than that")
    (tmp_path / "shorter").write_bytes(b"")
    (tmp_path / "gone").unlink()
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "fifo")
    members[1:1] = [Member("folder", 0), Member("fifo", 0)]
    left_out = write_bundle(str(tmp_path / "bundle"), str(tmp_path), members)
    assert left_out == ["folder", "fifo", "longer", "shorter", "gone"]
    assert read(tmp_path / "bundle") == {"good": b"good", "better": b"better"}


def test_a_bundle_that_cannot_be_written_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(member: Member) -> bytes:
        raise OSError(errno.ENOSPC, "No space left on device")

    members = members_in(tmp_path, a=b"first")
    monkeypatch.setattr(bundle_module, "padding_of", fail)
    with pytest.raises(OSError, match="No space left"):
        write_bundle(str(tmp_path / "bundle"), str(tmp_path), members)
    assert not (tmp_path / "bundle").exists()
    with pytest.raises(OSError, match="No such file"):
        write_bundle(str(tmp_path / "missing" / "bundle"), str(tmp_path), members)


def test_an_older_bundle_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "bundle").write_bytes(b"z" * 100_000)
    write_bundle(str(tmp_path / "bundle"), str(tmp_path), members_in(tmp_path, a=b"first"))
    assert read(tmp_path / "bundle") == {"a": b"first"}
