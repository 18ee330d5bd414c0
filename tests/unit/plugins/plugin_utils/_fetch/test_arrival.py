# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An archive's files on the controller."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from collections.abc import Sequence
from pathlib import Path

import pytest

from ansible_collections.airgap.images.plugins.module_utils._archive.lock import Lock
from ansible_collections.airgap.images.plugins.module_utils._archive.parts import Part
from ansible_collections.airgap.images.plugins.module_utils._base.errors import (
    LockFileError,
    OptionError,
    SpaceError,
    StorageError,
)
from ansible_collections.airgap.images.plugins.plugin_utils._fetch import arrival
from ansible_collections.airgap.images.plugins.plugin_utils._fetch.arrival import (
    Delivery,
    clear_way,
    compare,
    discard_arrived,
    ensure_space,
    items_of,
    publish,
)
from ansible_collections.airgap.images.plugins.plugin_utils._fetch.place import Item, Place
from ansible_collections.airgap.images.plugins.plugin_utils._hosts.bounds import LARGEST_RECORD

NAME = "images.tar.gz"
SHA = "ef" * 32
FAILED = b"# airgap.images: what could not be saved, with the reasons\n# 404\nnginx\n"
ARCHIVE, LAYOUT = Lock({"compress": "gzip"}, ()), Lock({"compress": "dir"}, ())


def item(name: str, data: bytes = b"data") -> Item:
    return Item(f"/srv/{name}", name, len(data), hashlib.sha256(data).hexdigest())


def place_at(folder: Path) -> Place:
    return Place(str(folder), NAME)


def arrive(place: Place, arrived: Item, data: bytes = b"data") -> None:
    """Let a file stand in the hidden directory."""
    Path(clear_way(place, arrived)).write_bytes(data)


def compared(place: Place, *items: Item, lock: Lock | None = ARCHIVE, failed_list: str | None = None) -> Delivery:
    return compare(place, items, lock=lock, failed_list=failed_list)


def stale(place: Place, *items: Item, lock: Lock | None = ARCHIVE) -> list[str]:
    return list(compared(place, *items, lock=lock).stale)


def publish_all(place: Place, *items: Item, lock: Lock | None = ARCHIVE, outdated: Sequence[str] = ()) -> None:
    publish(compared(place, *items, lock=lock), outdated)


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


def layout_at(folder: Path, *names: str) -> Path:
    """A directory of C(compress=dir) that was fetched, with these files of one content."""
    (folder / NAME).mkdir(parents=True)
    for name in names:
        (folder / NAME / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / NAME / name).write_bytes(b"data")
    (folder / NAME / "blobs").symlink_to("share")
    (folder / f"{NAME}.lock.json").touch()
    return folder / NAME


# --- what an archive's files are called


def test_the_files_of_an_archive() -> None:
    lock = Lock({"compress": "gzip"}, (), parts=(Part(f"{NAME}.part0", 5, SHA), Part(f"{NAME}.part1", 4, SHA)))
    assert items_of(lock, f"/srv/out/{NAME}") == [
        Item(f"/srv/out/{NAME}.part0", f"{NAME}.part0", 5, SHA),
        Item(f"/srv/out/{NAME}.part1", f"{NAME}.part1", 4, SHA),
    ]


def test_the_files_of_a_directory() -> None:
    lock = Lock({"compress": "dir"}, (), parts=(Part("index.json", 5, SHA), Part(f"share/sha256/{SHA}", 4, SHA)))
    assert items_of(lock, "/srv/out/images") == [
        Item("/srv/out/images/index.json", "images/index.json", 5, SHA),
        Item(f"/srv/out/images/share/sha256/{SHA}", f"images/share/sha256/{SHA}", 4, SHA),
    ]


@pytest.mark.parametrize(
    ("lock", "source"),
    [
        (Lock({"compress": "gzip"}, (), parts=(Part("other.tar.gz", 5, SHA),)), f"/srv/{NAME}"),
        (Lock({"compress": "dir"}, (), parts=(Part("../other", 5, SHA),)), "/srv/images"),
        (Lock({"compress": "dir"}, ()), f"/srv/{NAME}"),
    ],
)
def test_an_archive_that_cannot_be_is_refused(lock: Lock, source: str) -> None:
    """See test_host_names.py for all the others."""
    with pytest.raises(LockFileError, match=rf"^{source}\.lock\.json "):
        items_of(lock, source)


# --- what is wanted


def test_what_is_wanted(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"data")
    (tmp_path / "b").write_bytes(b"atad")
    found = compared(place_at(tmp_path), item("a"), item("b"), item("c"))
    assert found.items == (item("a"), item("b"), item("c"))
    assert found.wanted == found.coming == (item("b"), item("c"))
    assert found.is_change
    assert compared(place_at(tmp_path / "new"), item("a")).wanted == (item("a"),)


def test_what_has_arrived_is_not_transferred_again(tmp_path: Path) -> None:
    place = place_at(tmp_path)
    arrive(place, item("a"))
    arrive(place, item("b"), b"atad")
    arrive(place, item("c"))
    (tmp_path / "c").write_bytes(b"data")
    found = compared(place, item("a"), item("b"), item("c"))
    assert found.wanted == (item("a"), item("b"))
    assert found.coming == (item("b"),)


def test_no_change(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"data")
    assert not compared(place_at(tmp_path), item("a")).is_change
    (tmp_path / f"{NAME}.part7").touch()
    found = compared(place_at(tmp_path), item("a"))
    assert (found.is_change, found.wanted, found.stale) == (True, (), (str(tmp_path / f"{NAME}.part7"),))
    assert not compared(place_at(tmp_path), item("a"), lock=None).is_change, "no archive is looked at"


# --- what is of another archive


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
    found = stale(place_at(tmp_path), item(f"{NAME}.part0"))
    expected = [NAME, f"{NAME}.part1", f"{NAME}.part007", f"{NAME}.part12", f"{NAME}.part6", f"{NAME}.part7"]
    assert found == sorted(str(tmp_path / name) for name in expected)


def test_nothing_is_older_where_nothing_is(tmp_path: Path) -> None:
    assert stale(place_at(tmp_path / "new")) == []
    assert stale(place_at(tmp_path / "new"), lock=LAYOUT) == []


def test_what_is_older_in_a_directory(tmp_path: Path) -> None:
    root = layout_at(tmp_path, "index.json", "share/sha256/ab", "share/sha256/cd", "share/blobs")
    items = [item(f"{NAME}/index.json"), item(f"{NAME}/share/sha256/ab")]
    assert stale(place_at(tmp_path), *items, lock=LAYOUT) == [
        str(root / "share" / "blobs"),
        str(root / "share" / "sha256" / "cd"),
    ]
    assert stale(place_at(tmp_path), lock=LAYOUT) == sorted(
        str(root / name) for name in ("index.json", "share/blobs", "share/sha256/ab", "share/sha256/cd")
    ), "but for the link"


def test_the_link_of_a_layout_is_never_older(tmp_path: Path) -> None:
    layout_at(tmp_path)
    assert stale(place_at(tmp_path), lock=LAYOUT) == [], "also while nothing is in the layout"


def test_links_to_directories_are_older(tmp_path: Path) -> None:
    root = layout_at(tmp_path, "index.json")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "file").touch()
    (root / "share").symlink_to("../elsewhere")
    assert stale(place_at(tmp_path), item(f"{NAME}/index.json"), lock=LAYOUT) == [str(root / "share")]


def test_a_link_to_elsewhere_is_not_that_of_a_layout(tmp_path: Path) -> None:
    root = layout_at(tmp_path, "index.json", "other/x")
    (root / "blobs").unlink()
    (root / "blobs").symlink_to("other")
    items = [item(f"{NAME}/index.json"), item(f"{NAME}/other/x")]
    found = compared(place_at(tmp_path), *items, lock=LAYOUT)
    assert (found.lacks_link, found.stale) == (True, (str(root / "blobs"),))


def test_whether_the_link_is_lacking(tmp_path: Path) -> None:
    place = place_at(tmp_path)
    assert compared(place, lock=LAYOUT).lacks_link
    (tmp_path / NAME).mkdir()
    found = compared(place, lock=LAYOUT)
    assert (found.lacks_link, found.is_change) == (True, True)
    (tmp_path / NAME / "blobs").symlink_to("share")
    assert not compared(place, lock=LAYOUT).is_change
    assert found.is_change, "it was compared once"


def test_only_a_layout_lacks_a_link(tmp_path: Path) -> None:
    for lock in (ARCHIVE, None):
        assert not compared(place_at(tmp_path), lock=lock).lacks_link


@pytest.mark.parametrize(("name", "lock"), [("listdir", ARCHIVE), ("scandir", LAYOUT)])
def test_a_directory_that_cannot_be_listed_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, lock: Lock
) -> None:
    def refuse(path: str) -> list[str]:
        raise PermissionError(errno.EACCES, "Permission denied", path)

    place = place_at(tmp_path)
    if lock is LAYOUT:
        layout_at(tmp_path, "index.json")
    monkeypatch.setattr(os, name, refuse)
    with pytest.raises(StorageError) as caught:
        compared(place, item("x"), lock=lock)
    path = place.root if lock is LAYOUT else place.directory
    said = f"{path} on the controller cannot be read or written: Permission denied. Give this user the permission, or "
    assert str(caught.value).startswith(said)


# --- what is nobody's archive


def test_a_directory_in_place_of_an_archive_is_refused(tmp_path: Path) -> None:
    (tmp_path / NAME).mkdir()
    with pytest.raises(OptionError) as caught:
        compared(place_at(tmp_path), item(f"{NAME}.part0"))
    assert str(caught.value) == (
        f"{tmp_path}/{NAME} on the controller is a directory, but the archive is none; move it away"
    )
    assert compared(place_at(tmp_path), item("failed.txt"), lock=None).is_change, "no archive is looked at"


@pytest.mark.parametrize("kind", ["file", "link to a directory", "dangling link"])
def test_something_else_in_place_of_a_directory_is_refused(tmp_path: Path, kind: str) -> None:
    layout_at(tmp_path / "elsewhere")
    if kind == "file":
        (tmp_path / NAME).touch()
    else:
        (tmp_path / NAME).symlink_to(f"elsewhere/{NAME}" if kind == "link to a directory" else "missing")
    (tmp_path / f"{NAME}.lock.json").touch()
    with pytest.raises(OptionError) as caught:
        compared(place_at(tmp_path), item(f"{NAME}/index.json"), lock=LAYOUT)
    assert str(caught.value) == (
        f"{tmp_path}/{NAME} on the controller is no directory, but the archive is one; move it away"
    )


@pytest.mark.parametrize("arrived", [False, True])
@pytest.mark.parametrize("name", ["notes.txt", "index.json", "blobs/sha256/ab"])
def test_a_directory_that_was_not_fetched_is_refused(tmp_path: Path, name: str, arrived: bool) -> None:
    place, new = place_at(tmp_path), item(f"{NAME}/index.json")
    if arrived:
        arrive(place, new)
    (tmp_path / NAME / name).parent.mkdir(parents=True)
    (tmp_path / NAME / name).write_bytes(b"precious")
    with pytest.raises(OptionError) as caught:
        compared(place, new, lock=LAYOUT)
    assert str(caught.value) == (
        f"{tmp_path}/{NAME} on the controller was not fetched (there is no {tmp_path}/{NAME}.lock.json); move it away"
    )


def test_a_directory_with_nothing_in_it_is_taken(tmp_path: Path) -> None:
    (tmp_path / NAME / "share").mkdir(parents=True)
    assert compared(place_at(tmp_path), item(f"{NAME}/index.json"), lock=LAYOUT).is_change


def test_a_directory_that_was_not_yet_published_as_a_whole_is_completed(tmp_path: Path) -> None:
    items = [item(f"{NAME}/index.json"), item(f"{NAME}/share/sha256/ab")]
    (tmp_path / NAME).mkdir()
    (tmp_path / NAME / "index.json").write_bytes(b"data")
    assert compared(place_at(tmp_path), *items, lock=LAYOUT).wanted == (items[1],)


# --- the list of what failed


def test_a_list_of_what_failed_goes_with_the_one_on_the_host(tmp_path: Path) -> None:
    place, path = place_at(tmp_path), tmp_path / "failed.txt"
    assert compared(place, failed_list="failed.txt").stale == ()
    path.write_bytes(FAILED)
    for lock in (ARCHIVE, None):
        assert compared(place, lock=lock, failed_list="failed.txt").stale == (str(path),)
    assert compared(place, item("failed.txt", FAILED), failed_list="failed.txt").stale == ()
    assert compared(place).stale == (), "nobody asked for one"
    path.write_bytes(b"nginx\n")
    assert compared(place, failed_list="failed.txt").stale == ()


@pytest.mark.parametrize("content", [FAILED, b"", None])
def test_a_list_of_what_failed_is_replaced(tmp_path: Path, content: bytes | None) -> None:
    if content is None:
        (tmp_path / "failed.txt").symlink_to("missing")
    else:
        (tmp_path / "failed.txt").write_bytes(content)
    new = item("failed.txt", FAILED * 2)
    assert compared(place_at(tmp_path), new, failed_list="failed.txt").wanted == (new,)


def test_a_users_own_list_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "failed.txt").write_bytes(b"nginx\n")
    with pytest.raises(OptionError) as caught:
        compared(place_at(tmp_path), item("failed.txt", FAILED), failed_list="failed.txt")
    assert str(caught.value) == (
        f"{tmp_path}/failed.txt on the controller is no list of what failed, and would be replaced; move it away"
    )


# --- room


def test_there_has_to_be_space(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrival, "free_bytes", lambda path: 6 * 1024**3)
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
    monkeypatch.setattr(arrival, "free_bytes", lambda path: free[0])
    items = [item("a"), item("b"), item("c")]
    with pytest.raises(SpaceError):
        ensure_space(place_at(tmp_path), items)
    free[0] += 1
    ensure_space(place_at(tmp_path), items)


def test_space_is_needed_only_for_what_is_coming(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = place_at(tmp_path)
    arrive(place, item("a"))
    (tmp_path / "b").write_bytes(b"data")
    monkeypatch.setattr(arrival, "free_bytes", lambda path: 0)
    ensure_space(place, compared(place, item("a"), item("b")).coming)


def test_space_is_asked_where_the_directory_will_be(tmp_path: Path) -> None:
    ensure_space(place_at(tmp_path / "a" / "b"), [item("a")])


def test_space_that_cannot_be_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: str) -> os.statvfs_result:
        raise PermissionError(errno.EACCES, "Permission denied", path)

    monkeypatch.setattr(os, "statvfs", refuse)
    with pytest.raises(
        StorageError, match=r"^/.* on the controller cannot be read or written: Permission denied\. Give "
    ):
        ensure_space(place_at(tmp_path), [item("a")])


def test_room_for_a_file(tmp_path: Path) -> None:
    place = place_at(tmp_path / "new")
    assert clear_way(place, item("a/b")) == f"{tmp_path}/new/.{NAME}.fetching/a/b"
    assert tree(tmp_path / "new") == {f".{NAME}.fetching": None, f".{NAME}.fetching/a": None}


def test_what_an_interrupted_run_has_left_makes_room(tmp_path: Path) -> None:
    place = place_at(tmp_path)
    arrive(place, item("a"), b"da")
    assert not os.path.exists(clear_way(place, item("a")))


def test_a_link_in_its_place_is_not_written_through(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(b"precious")
    place = place_at(tmp_path / "media")
    os.makedirs(place.incoming)
    os.symlink(victim, place.temporary(item("a")))
    arrive(place, item("a"))
    assert victim.read_bytes() == b"precious"
    assert not os.path.islink(place.temporary(item("a")))


def test_a_link_in_place_of_the_hidden_directory_is_not_written_through(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "a").write_bytes(b"precious")
    place = place_at(tmp_path / "media")
    os.mkdir(place.directory)
    os.symlink("../elsewhere", place.incoming)
    arrive(place, item("a"))
    assert tree(tmp_path / "elsewhere") == {"a": b"precious"}
    assert tree(tmp_path / "media") == {f".{NAME}.fetching": None, f".{NAME}.fetching/a": b"data"}


def test_no_room_where_a_file_stands(tmp_path: Path) -> None:
    (tmp_path / "media").write_bytes(b"")
    with pytest.raises(StorageError, match=r"media on the controller cannot be read or written: Not a directory"):
        clear_way(place_at(tmp_path / "media"), item("a"))


def test_no_room_where_a_directory_stands(tmp_path: Path) -> None:
    place = place_at(tmp_path)
    os.makedirs(place.temporary(item("a")))
    with pytest.raises(StorageError, match=r"fetching/a on the controller cannot be read or written: "):
        clear_way(place, item("a"))


# --- final names


def test_what_has_arrived_gets_its_name(tmp_path: Path) -> None:
    place = place_at(tmp_path / "media")
    items = [item("a"), item("b/c")]
    for one in items:
        arrive(place, one)
    publish_all(place, *items)
    assert tree(tmp_path / "media") == {"a": b"data", "b": None, "b/c": b"data"}


def test_what_is_there_stays(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"data")
    before = os.stat(tmp_path / "a")
    place = place_at(tmp_path)
    arrive(place, item("b"))
    publish_all(place, item("a"), item("b"))
    after = os.stat(tmp_path / "a")
    assert (after.st_ino, after.st_mtime_ns, after.st_ctime_ns) == (
        before.st_ino,
        before.st_mtime_ns,
        before.st_ctime_ns,
    )
    assert tree(tmp_path) == {"a": b"data", "b": b"data"}


def test_what_has_arrived_and_is_of_no_use_goes(tmp_path: Path) -> None:
    place = place_at(tmp_path)
    (tmp_path / "a").write_bytes(b"data")
    arrive(place, item("a"), b"of another archive")
    arrive(place, item("b"))
    arrive(place, item("c"))
    publish_all(place, item("a"), item("b"))
    assert tree(tmp_path) == {"a": b"data", "b": b"data"}, "what is right is never replaced"
    arrive(place, item("c"))
    discard_arrived(place)
    discard_arrived(place)
    assert tree(tmp_path) == {"a": b"data", "b": b"data"}


def test_what_is_outdated_goes(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        (tmp_path / name).write_bytes(b"precious")
    (tmp_path / "link").symlink_to("c")
    publish_all(place_at(tmp_path), outdated=[str(tmp_path / name) for name in ("a", "link", "gone")])
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
    for name in ("old", f"{NAME}.part7"):
        (tmp_path / name).touch()
    monkeypatch.setattr(os, "unlink", unlinking)
    monkeypatch.setattr(os, "replace", replacing)
    publish_all(place, *items, outdated=[str(tmp_path / "old")])
    assert steps[:2] == ["- old", f"- {NAME}.part7"]
    assert steps[2:5] == [f"+ {NAME}.part0", f"+ {NAME}.sha256", f"+ {NAME}.lock.json"], "the lock file last"


def test_bytes_are_on_disk_before_they_get_their_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[str] = []
    replace = os.replace

    def replacing(source: str, target: str) -> None:
        steps.append(f"rename {os.path.basename(target)}")
        replace(source, target)

    def syncing(descriptor: int) -> None:
        steps.append(f"sync {os.path.basename(os.readlink(f'/proc/self/fd/{descriptor}'))}")

    place = place_at(tmp_path / "media")
    arrive(place, item("a"))
    monkeypatch.setattr(os, "replace", replacing)
    monkeypatch.setattr(os, "fsync", syncing)
    publish_all(place, item("a"))
    assert steps == ["sync a", "rename a", "sync media"]


def test_a_link_at_a_final_name_is_replaced(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(b"precious")
    place = place_at(tmp_path / "media")
    arrive(place, item("a"))
    (tmp_path / "media" / "a").symlink_to(victim)
    publish_all(place, item("a"))
    assert tree(tmp_path) == {"media": None, "media/a": b"data", "victim": b"precious"}


def test_a_layout_gets_its_link_and_loses_empty_directories(tmp_path: Path) -> None:
    place = place_at(tmp_path)
    arrive(place, item(f"{NAME}/share/sha256/ab"))
    (tmp_path / NAME / "share" / "sha256" / "old" / "older").mkdir(parents=True)
    (tmp_path / "other").mkdir()
    expected = {
        NAME: None,
        f"{NAME}/blobs": "share",
        f"{NAME}/share": None,
        f"{NAME}/share/sha256": None,
        f"{NAME}/share/sha256/ab": b"data",
        "other": None,
    }
    for _again in range(2):
        publish_all(place, item(f"{NAME}/share/sha256/ab"), lock=LAYOUT)
        assert tree(tmp_path) == expected


def test_each_folder_of_a_layout_gets_its_link(tmp_path: Path) -> None:
    folder, gone = "ab" * 32, "cd" * 32
    lock = Lock({"compress": "dir"}, (), parts=(Part(f"{folder}/index.json", 4, SHA),))
    root = layout_at(tmp_path, f"{gone}/index.json")
    (root / gone / "blobs").symlink_to("../share")
    place, one = place_at(tmp_path), item(f"{NAME}/{folder}/index.json")
    arrive(place, one)
    assert compared(place, one, lock=lock).lacks_link
    publish_all(place, one, lock=lock)
    expected = {"blobs": "share", folder: None, f"{folder}/index.json": b"data", f"{folder}/blobs": "../share"}
    assert tree(root) == expected, "the folder of the archive before is gone with its link"
    assert not compared(place, one, lock=lock).is_change


def test_an_archive_gets_no_link(tmp_path: Path) -> None:
    place = place_at(tmp_path)
    arrive(place, item(NAME))
    publish_all(place, item(NAME))
    assert tree(tmp_path) == {NAME: b"data"}


@pytest.mark.parametrize("target", ["../elsewhere", "index.json", "missing"])
def test_another_link_of_a_layout_is_replaced(tmp_path: Path, target: str) -> None:
    root = layout_at(tmp_path, "index.json")
    (root / "blobs").unlink()
    (root / "blobs").symlink_to(target)
    publish_all(place_at(tmp_path), item(f"{NAME}/index.json"), lock=LAYOUT)
    assert tree(root) == {"blobs": "share", "index.json": b"data"}


def test_links_in_a_layout_are_not_written_through(tmp_path: Path) -> None:
    root = layout_at(tmp_path / "media", "index.json")
    (tmp_path / "elsewhere").mkdir()
    (root / "share").symlink_to(tmp_path / "elsewhere")
    place, items = place_at(tmp_path / "media"), [item(f"{NAME}/index.json"), item(f"{NAME}/share/ab")]
    arrive(place, items[1])
    publish_all(place, *items, lock=LAYOUT)
    assert tree(tmp_path / "elsewhere") == {}
    assert tree(root) == {"blobs": "share", "index.json": b"data", "share": None, "share/ab": b"data"}


@pytest.mark.parametrize("failing", ["replace", "fsync", "mkdir"])
def test_a_full_disk_is_reported_and_what_has_arrived_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    def fail(*arguments: object, **more: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    place = place_at(tmp_path)
    arrive(place, item("a"))
    delivery = compared(place, item("a"))
    monkeypatch.setattr(os, failing, fail)
    with pytest.raises(StorageError) as caught:
        publish(delivery, [])
    said = f"{tmp_path} on the controller cannot be read or written: No space left on device. Free some space there"
    assert str(caught.value).startswith(said)
    assert tree(tmp_path) == {f".{NAME}.fetching": None, f".{NAME}.fetching/a": b"data"}


def test_what_has_arrived_is_for_nobody_else_to_write(tmp_path: Path) -> None:
    """Whatever umask, or default ACL in its place, whoever brought it had."""
    place = place_at(tmp_path)
    arrive(place, item("a"))
    Path(place.temporary(item("a"))).chmod(0o666)
    delivery = compared(place, item("a"))
    publish(delivery, [])
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o644


def test_an_outdated_path_that_is_a_directory_is_reported(tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    with pytest.raises(StorageError, match=r"/old on the controller cannot be read or written: "):
        publish_all(place_at(tmp_path), outdated=[str(tmp_path / "old")])
