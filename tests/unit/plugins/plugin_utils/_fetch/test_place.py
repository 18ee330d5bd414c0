# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A directory of the controller."""

from __future__ import annotations

import errno
import hashlib
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.airgap.images.plugins.module_utils._base.errors import StorageError
from ansible_collections.airgap.images.plugins.plugin_utils._fetch import place as place_module
from ansible_collections.airgap.images.plugins.plugin_utils._fetch.place import Item, Place, explain

NAME = "images.tar.gz"


def item(name: str, data: bytes = b"data") -> Item:
    return Item(f"/srv/{name}", name, len(data), hashlib.sha256(data).hexdigest())


def place_at(folder: Path) -> Place:
    return Place(str(folder), NAME)


def test_names() -> None:
    place = Place("/media", NAME)
    assert place.root == "/media/images.tar.gz"
    assert place.incoming == "/media/.images.tar.gz.fetching"
    assert place.final(item("a/b")) == "/media/a/b"
    assert place.temporary(item("a/b")) == "/media/.images.tar.gz.fetching/a/b"


@given(st.binary(max_size=40), st.binary(max_size=40))
def test_only_the_same_bytes_are_held(tmp_path: Path, expected: bytes, found: bytes) -> None:
    path = tmp_path / "file"
    path.write_bytes(found)
    assert place_at(tmp_path).holds(str(path), item("file", expected)) is (found == expected)


def test_size_and_sha256_both_count(tmp_path: Path) -> None:
    place, path, right = place_at(tmp_path), str(tmp_path / "file"), item("file")
    (tmp_path / "file").write_bytes(b"data")
    assert place.holds(path, right)
    assert not place.holds(path, Item("/srv/file", "file", 5, right.sha256))
    assert not place.holds(path, Item("/srv/file", "file", 4, "ab" * 32))


def test_only_regular_files_are_held(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"data")
    (tmp_path / "link").symlink_to("file")
    (tmp_path / "dangling").symlink_to("missing")
    (tmp_path / "directory").mkdir()
    os.mkfifo(tmp_path / "pipe")
    place = place_at(tmp_path)
    assert place.holds(str(tmp_path / "file"), item("x"))
    for name in ("link", "dangling", "directory", "pipe", "missing", "file/below"):
        assert not place.holds(str(tmp_path / name), item("x"))


def test_nothing_is_held_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "elsewhere" / "below").mkdir(parents=True)
    (tmp_path / "elsewhere" / "below" / "file").write_bytes(b"data")
    (tmp_path / "media").mkdir()
    (tmp_path / "media" / "link").symlink_to(tmp_path / "elsewhere")
    place = place_at(tmp_path / "media")
    assert not place.holds(str(tmp_path / "media" / "link" / "below" / "file"), item("x"))


def test_the_directory_itself_may_be_a_link(tmp_path: Path) -> None:
    """It is the user who names it: ``/media/usb`` may point to the disk."""
    (tmp_path / "disk").mkdir()
    (tmp_path / "media").symlink_to("disk")
    (tmp_path / "disk" / "file").write_bytes(b"data")
    place = place_at(tmp_path / "media")
    assert place.holds(str(tmp_path / "media" / "file"), item("file"))
    place.make_folder(str(tmp_path / "media" / "a"))
    assert (tmp_path / "media").is_symlink()
    assert (tmp_path / "disk" / "a").is_dir()


def test_what_cannot_be_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_bytes(b"data")

    def refuse(path: str) -> str:
        raise PermissionError(errno.EACCES, "Permission denied", path)

    def fail(path: str) -> str:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(place_module, "sha256_of", refuse)
    with pytest.raises(StorageError) as caught:
        place_at(tmp_path).holds(str(tmp_path / "file"), item("x"))
    said = f"cannot read or write {tmp_path}/file on the controller: "
    assert str(caught.value).startswith(f"{said}Permission denied. Give this user the permission")
    monkeypatch.setattr(place_module, "sha256_of", fail)
    with pytest.raises(StorageError) as caught:
        place_at(tmp_path).holds(str(tmp_path / "file"), item("x"))
    assert str(caught.value).startswith(f"{said}Input/output error. Check the disk")


@pytest.mark.parametrize("below", ["", "a", "a/b", f".{NAME}.fetching/a"])
def test_a_folder_is_made(tmp_path: Path, below: str) -> None:
    folder = tmp_path / "new" / "media" / below
    for _again in range(2):
        place_at(tmp_path / "new" / "media").make_folder(str(folder))
        assert folder.is_dir()


@pytest.mark.parametrize("link", ["a", "a/b", "a/b/c"])
@pytest.mark.parametrize("target", ["elsewhere", "missing"])
def test_a_link_in_the_place_of_a_folder_is_replaced(tmp_path: Path, link: str, target: str) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "file").write_bytes(b"precious")
    media = tmp_path / "media"
    (media / link).parent.mkdir(parents=True)
    (media / link).symlink_to(tmp_path / target)
    place_at(media).make_folder(str(media / "a" / "b" / "c"))
    assert (media / link).is_dir()
    assert not (media / link).is_symlink()
    assert [path.name for path in (tmp_path / "elsewhere").iterdir()] == ["file"]
    assert not (tmp_path / "missing").exists()


@pytest.mark.parametrize("file", ["media", "media/a"])
def test_no_folder_where_a_file_stands(tmp_path: Path, file: str) -> None:
    (tmp_path / file).parent.mkdir(exist_ok=True)
    (tmp_path / file).write_bytes(b"precious")
    with pytest.raises(NotADirectoryError) as caught:
        place_at(tmp_path / "media").make_folder(str(tmp_path / "media" / "a" / "b"))
    assert caught.value.filename == str(tmp_path / file)
    assert (tmp_path / file).read_bytes() == b"precious"


ERRORS: dict[str, tuple[OSError, str, str]] = {
    "of a path": (
        OSError(errno.ENOSPC, "No space left", "/media/a"),
        "/media/a",
        "No space left. Free some space there ",
    ),
    "of two, the second in the way": (
        OSError(errno.EISDIR, "Is a directory", "/a", None, "/b"),
        "/b",
        "Is a directory. Remove the directory that is in the way, then run again",
    ),
    "of none": (OSError(errno.EIO, "Input/output error"), "/media", "Input/output error. Check the disk "),
    "without a number": (OSError("something odd"), "/media", "something odd. Correct that, then run again"),
}


@pytest.mark.parametrize(("error", "path", "said"), ERRORS.values(), ids=ERRORS)
def test_errors_name_the_path(error: OSError, path: str, said: str) -> None:
    assert str(explain(error, "/media")).startswith(f"cannot read or write {path} on the controller: {said}")
