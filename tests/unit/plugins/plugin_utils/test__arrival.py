# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An archive's files on the controller."""

from __future__ import annotations

import errno
import hashlib
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.airgap.images.plugins.module_utils._errors import LockFileError, SpaceError, StorageError
from ansible_collections.airgap.images.plugins.module_utils._lock import Lock
from ansible_collections.airgap.images.plugins.module_utils._parts import Part
from ansible_collections.airgap.images.plugins.plugin_utils import _arrival
from ansible_collections.airgap.images.plugins.plugin_utils._arrival import (
    Item,
    Place,
    ensure_space,
    is_sound,
    items_of,
    lacks_link,
    make_room,
    missing,
    older,
    publish,
    sha256_of,
)

NAME = "images.tar.gz"
SHA = "ef" * 32


def item(name: str, data: bytes = b"data") -> Item:
    return Item(f"/srv/{name}", name, len(data), hashlib.sha256(data).hexdigest())


def place_at(folder: Path) -> Place:
    return Place(str(folder), NAME)


def arrive(place: Place, arrived: Item, data: bytes = b"data") -> None:
    """Let a file stand in the hidden directory."""
    Path(make_room(place, arrived)).write_bytes(data)


def tree(folder: Path) -> dict[str, bytes | str | None]:
    """All that is below a directory: the bytes of files, the targets of links, ``None`` for directories."""
    found: dict[str, bytes | str | None] = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.is_symlink():
            found[name] = os.readlink(path)
        else:
            found[name] = None if path.is_dir() else path.read_bytes()
    return found


def test_names() -> None:
    place = Place("/media", NAME)
    assert place.incoming == "/media/.images.tar.gz.fetching"
    assert place.final(item("a/b")) == "/media/a/b"
    assert place.temporary(item("a/b")) == "/media/.images.tar.gz.fetching/a/b"


def test_the_files_of_an_archive() -> None:
    lock = Lock({"compress": "gzip"}, (), parts=(Part(f"{NAME}.part0", 5, SHA), Part(f"{NAME}.part1", 4, SHA)))
    assert items_of(lock, f"/srv/out/{NAME}") == [
        Item(f"/srv/out/{NAME}.part0", f"{NAME}.part0", 5, SHA),
        Item(f"/srv/out/{NAME}.part1", f"{NAME}.part1", 4, SHA),
    ]


def test_the_files_of_a_directory() -> None:
    lock = Lock({"compress": "dir"}, (), parts=(Part("index.json", 5, SHA), Part("share/sha256/ab", 4, SHA)))
    assert items_of(lock, "/srv/out/images") == [
        Item("/srv/out/images/index.json", "images/index.json", 5, SHA),
        Item("/srv/out/images/share/sha256/ab", "images/share/sha256/ab", 4, SHA),
    ]


@pytest.mark.parametrize(
    "name",
    [
        "other.tar.gz",
        f"{NAME}2",
        f"{NAME}.part",
        f"{NAME}.part0.bak",
        f"{NAME}.part-1",
        f"{NAME}.part0\n",
        f"{NAME}.part٣",
        f"{NAME}.lock.json",
        f"x/{NAME}",
        f"./{NAME}",
        f"{NAME}/x",
        "imagesXtar.gz",
        "",
        ".",
        "..",
    ],
)
def test_what_is_named_like_no_part_is_refused(name: str) -> None:
    with pytest.raises(LockFileError) as caught:
        items_of(Lock({"compress": "gzip"}, (), parts=(Part(name, 5, SHA),)), f"/srv/{NAME}")
    assert str(caught.value) == f"/srv/{NAME}.lock.json names {name!r}, which is no part of {NAME}"


@given(st.binary(max_size=40), st.binary(max_size=40))
def test_only_the_same_bytes_are_sound(tmp_path: Path, expected: bytes, found: bytes) -> None:
    path = tmp_path / "file"
    path.write_bytes(found)
    assert is_sound(str(path), item("file", expected)) is (found == expected)


def test_only_regular_files_are_sound(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"data")
    (tmp_path / "link").symlink_to("file")
    (tmp_path / "dangling").symlink_to("missing")
    (tmp_path / "directory").mkdir()
    os.mkfifo(tmp_path / "pipe")
    assert is_sound(str(tmp_path / "file"), item("x"))
    for name in ("link", "dangling", "directory", "pipe", "missing", "file/below"):
        assert not is_sound(str(tmp_path / name), item("x"))


def test_what_cannot_be_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_bytes(b"data")

    def refuse(path: str) -> str:
        raise PermissionError(errno.EACCES, "Permission denied", path)

    monkeypatch.setattr(_arrival, "sha256_of", refuse)
    with pytest.raises(StorageError, match=r"/file on the controller cannot be read or written: Permission denied$"):
        is_sound(str(tmp_path / "file"), item("x"))


def test_files_are_hashed_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_arrival, "_CHUNK", 3)
    (tmp_path / "file").write_bytes(b"0123456789")
    assert sha256_of(str(tmp_path / "file")) == hashlib.sha256(b"0123456789").hexdigest()


def test_what_is_missing(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"data")
    (tmp_path / "b").write_bytes(b"atad")
    assert missing(place_at(tmp_path), [item("a"), item("b"), item("c")]) == [item("b"), item("c")]
    assert missing(place_at(tmp_path / "new"), [item("a")]) == [item("a")]


OTHERS = [
    f"{NAME}2",
    f"2{NAME}",
    f"{NAME}.part0.bak",
    f"{NAME}.part",
    f"{NAME}.partx",
    f"{NAME}.notes",
    f"{NAME}.sha256",
    f"{NAME}.lock.json",
    "imagesXtar.gz.part0",
    "notes.txt",
]


def test_what_is_older(tmp_path: Path) -> None:
    parts = [NAME, f"{NAME}.part0", f"{NAME}.part1", f"{NAME}.part007", f"{NAME}.part12"]
    for name in [*parts, *OTHERS]:
        (tmp_path / name).touch()
    (tmp_path / f"{NAME}.part5").mkdir()
    (tmp_path / f"{NAME}.part6").symlink_to("notes.txt")
    (tmp_path / f"{NAME}.part7").symlink_to(tmp_path)
    found = older(place_at(tmp_path), [item(f"{NAME}.part0")])
    expected = [NAME, f"{NAME}.part1", f"{NAME}.part007", f"{NAME}.part12", f"{NAME}.part6"]
    assert found == sorted(str(tmp_path / name) for name in expected)


def test_nothing_is_older_where_nothing_is(tmp_path: Path) -> None:
    assert older(place_at(tmp_path / "new"), []) == []


def test_what_is_older_in_a_directory(tmp_path: Path) -> None:
    root = tmp_path / NAME
    (root / "share" / "sha256").mkdir(parents=True)
    (root / "blobs").symlink_to("share")
    for name in ("index.json", "share/sha256/ab", "share/sha256/cd", "share/blobs"):
        (root / name).touch()
    assert older(place_at(tmp_path), [item(f"{NAME}/index.json"), item(f"{NAME}/share/sha256/ab")]) == [
        str(root / "share" / "blobs"),
        str(root / "share" / "sha256" / "cd"),
    ]
    assert older(place_at(tmp_path), []) == sorted(
        str(root / name) for name in ("index.json", "share/blobs", "share/sha256/ab", "share/sha256/cd")
    ), "but for the link"


def test_the_link_of_a_layout_is_never_older(tmp_path: Path) -> None:
    (tmp_path / NAME).mkdir()
    (tmp_path / NAME / "blobs").symlink_to("share")
    assert older(place_at(tmp_path), []) == [], "also while nothing is in the layout"


def test_there_has_to_be_space(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_arrival, "free_bytes", lambda path: 6 * 1024**3)
    items = [Item("/srv/a", "a", 4 * 1024**3, SHA), Item("/srv/b", "b", 2 * 1024**3, SHA)]
    ensure_space(place_at(tmp_path), items)
    with pytest.raises(SpaceError) as caught:
        ensure_space(place_at(tmp_path), [*items, Item("/srv/c", "c", 1024**3, SHA)])
    assert str(caught.value) == (
        f"not enough space in {tmp_path} on the controller: 7.0 GiB are needed, 6.0 GiB are free. "
        "Free 1.0 GiB more, or choose another directory"
    )


def test_space_is_asked_where_the_directory_will_be(tmp_path: Path) -> None:
    ensure_space(place_at(tmp_path / "a" / "b"), [item("a")])


def test_room_for_a_file(tmp_path: Path) -> None:
    place = place_at(tmp_path / "new")
    assert make_room(place, item("a/b")) == f"{tmp_path}/new/.{NAME}.fetching/a/b"
    assert tree(tmp_path / "new") == {f".{NAME}.fetching": None, f".{NAME}.fetching/a": None}


def test_a_link_in_its_place_is_not_written_through(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(b"precious")
    place = place_at(tmp_path / "media")
    os.makedirs(place.incoming)
    os.symlink(victim, place.temporary(item("a")))
    arrive(place, item("a"))
    assert victim.read_bytes() == b"precious"
    assert not os.path.islink(place.temporary(item("a")))


def test_no_room_where_a_file_stands(tmp_path: Path) -> None:
    (tmp_path / "media").write_bytes(b"")
    with pytest.raises(StorageError, match=r"media.* on the controller cannot be read or written: Not a directory"):
        make_room(place_at(tmp_path / "media"), item("a"))


def test_no_room_where_a_directory_stands(tmp_path: Path) -> None:
    place = place_at(tmp_path)
    os.makedirs(place.temporary(item("a")))
    with pytest.raises(StorageError, match=r"fetching/a on the controller cannot be read or written: "):
        make_room(place, item("a"))


def test_what_has_arrived_gets_its_name(tmp_path: Path) -> None:
    place = place_at(tmp_path / "media")
    items = [item("a"), item("b/c")]
    for one in items:
        arrive(place, one)
    publish(place, items, [])
    assert tree(tmp_path / "media") == {"a": b"data", "b": None, "b/c": b"data"}


def test_what_is_there_stays(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"data")
    before = os.stat(tmp_path / "a")
    place = place_at(tmp_path)
    arrive(place, item("b"))
    publish(place, [item("a"), item("b")], [])
    assert os.stat(tmp_path / "a") == before
    assert tree(tmp_path) == {"a": b"data", "b": b"data"}


def test_what_is_outdated_goes(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        (tmp_path / name).write_bytes(b"precious")
    (tmp_path / "link").symlink_to("c")
    publish(place_at(tmp_path), [], [str(tmp_path / name) for name in ("a", "link", "gone")])
    assert tree(tmp_path) == {"b": b"precious", "c": b"precious"}


def test_it_goes_before_anything_comes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[str] = []
    unlink, replace = os.unlink, os.replace

    def unlinking(path: str, *, dir_fd: int | None = None) -> None:
        steps.append(f"- {os.path.basename(path)}")
        unlink(path, dir_fd=dir_fd)

    def replacing(source: str, target: str) -> None:
        steps.append(f"+ {os.path.basename(target)}")
        replace(source, target)

    place = place_at(tmp_path)
    items = [item(f"{NAME}.part0"), item(f"{NAME}.sha256"), item(f"{NAME}.lock.json")]
    for one in reversed(items):
        arrive(place, one)
    (tmp_path / "old").touch()
    monkeypatch.setattr(os, "unlink", unlinking)
    monkeypatch.setattr(os, "replace", replacing)
    publish(place, items, [str(tmp_path / "old")])
    assert steps[:4] == ["- old", f"+ {NAME}.part0", f"+ {NAME}.sha256", f"+ {NAME}.lock.json"], "the lock file last"


def test_a_link_at_a_final_name_is_replaced(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(b"precious")
    place = place_at(tmp_path / "media")
    arrive(place, item("a"))
    (tmp_path / "media" / "a").symlink_to(victim)
    publish(place, [item("a")], [])
    assert tree(tmp_path) == {"media": None, "media/a": b"data", "victim": b"precious"}


def test_a_layout_gets_its_link_and_loses_empty_directories(tmp_path: Path) -> None:
    place = place_at(tmp_path)
    arrive(place, item(f"{NAME}/share/sha256/ab"))
    (tmp_path / NAME / "share" / "sha256" / "old" / "older").mkdir(parents=True)
    (tmp_path / "other").mkdir()
    publish(place, [item(f"{NAME}/share/sha256/ab")], [])
    assert tree(tmp_path) == {
        NAME: None,
        f"{NAME}/blobs": "share",
        f"{NAME}/share": None,
        f"{NAME}/share/sha256": None,
        f"{NAME}/share/sha256/ab": b"data",
        "other": None,
    }
    publish(place, [item(f"{NAME}/share/sha256/ab")], [])
    assert os.readlink(tmp_path / NAME / "blobs") == "share"


@pytest.mark.parametrize("failing", ["replace", "fsync", "makedirs"])
def test_a_full_disk_is_reported_and_what_has_arrived_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    def fail(*arguments: object, **more: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    place = place_at(tmp_path)
    arrive(place, item("a"))
    monkeypatch.setattr(os, failing, fail)
    with pytest.raises(StorageError, match="on the controller cannot be read or written: No space left on device"):
        publish(place, [item("a")], [])
    assert tree(tmp_path) == {f".{NAME}.fetching": None, f".{NAME}.fetching/a": b"data"}


def test_an_outdated_path_that_is_a_directory_is_reported(tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    with pytest.raises(StorageError, match=r"/old on the controller cannot be read or written: "):
        publish(place_at(tmp_path), [], [str(tmp_path / "old")])


def test_whether_the_link_is_lacking(tmp_path: Path) -> None:
    place, layout = place_at(tmp_path), Lock({"compress": "dir"}, ())
    assert lacks_link(place, layout)
    (tmp_path / NAME).mkdir()
    assert lacks_link(place, layout)
    assert not lacks_link(place, Lock({"compress": "gzip"}, ()))
    (tmp_path / NAME / "blobs").symlink_to("share")
    assert not lacks_link(place, layout)
