# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An archive's files on the controller: which are wanted, and which are of another one."""

from __future__ import annotations

import errno
import os
import re
from pathlib import Path

import pytest

from ansible_collections.airgap.images.plugins.module_utils._archive.lock import Lock
from ansible_collections.airgap.images.plugins.module_utils._archive.parts import Part
from ansible_collections.airgap.images.plugins.module_utils._base.errors import LockFileError, OptionError, StorageError
from ansible_collections.airgap.images.plugins.plugin_utils._fetch.delivery import items_of, parity_items_of
from ansible_collections.airgap.images.plugins.plugin_utils._fetch.place import Item
from ansible_collections.airgap.images.tests.unit.archives import (
    ARCHIVE,
    FAILED,
    LAYOUT,
    NAME,
    SHA,
    arrive,
    compared,
    item,
    layout_at,
    place_at,
    stale,
)

# --- what an archive's files are called


def test_the_files_of_an_archive() -> None:
    lock = Lock({"compress": "gzip"}, (), parts=(Part(f"{NAME}.part0", 5, SHA), Part(f"{NAME}.part1", 4, SHA)))
    assert items_of(lock, f"/srv/out/{NAME}") == [
        Item(f"/srv/out/{NAME}.part0", f"{NAME}.part0", 5, SHA),
        Item(f"/srv/out/{NAME}.part1", f"{NAME}.part1", 4, SHA),
    ]


def parity_lock(*names: str, parts: int = 2) -> Lock:
    files = tuple(Part(f"{NAME}.part{number}", 5, SHA) for number in range(parts))
    return Lock({"compress": "gzip"}, (), parts=files, parity=tuple(Part(name, 5, SHA) for name in names))


def test_the_parity_files_of_an_archive() -> None:
    source = f"/srv/out/{NAME}"
    assert parity_items_of(parity_lock(), source) == []
    assert parity_items_of(parity_lock(f"{NAME}.parity"), source) == [
        Item(f"{source}.parity", f"{NAME}.parity", 5, SHA)
    ]
    two = (f"{NAME}.parity0", f"{NAME}.parity1")
    assert [one.name for one in parity_items_of(parity_lock(*two, parts=40), source)] == [*two]


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["../parity"], "'../parity'"),
        ([f"{NAME}.parity0"], f"'{NAME}.parity0'"),
        ([f"{NAME}.part9"], f"'{NAME}.part9'"),
        ([f"{NAME}.parity", f"{NAME}.parity"], f"'{NAME}.parity'"),
    ],
)
def test_parity_files_that_cannot_be_are_refused(names: list[str], said: str) -> None:
    with pytest.raises(LockFileError, match=f"lists {re.escape(said)}, which is not expected in {NAME}"):
        parity_items_of(parity_lock(*names), f"/srv/out/{NAME}")


def test_all_parity_files_have_to_be_there() -> None:
    with pytest.raises(LockFileError, match=rf"lists no {NAME}\.parity1, which"):
        parity_items_of(parity_lock(f"{NAME}.parity0", parts=40), f"/srv/out/{NAME}")


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
    parts = [NAME, f"{NAME}.part0", f"{NAME}.part1", f"{NAME}.part007", f"{NAME}.part12", f"{NAME}.parity3"]
    for name in [*parts, *OTHERS]:
        (tmp_path / name).touch()
    (tmp_path / f"{NAME}.part5").mkdir()
    (tmp_path / f"{NAME}.part6").symlink_to("notes.txt")
    (tmp_path / f"{NAME}.part7").symlink_to(tmp_path)
    found = stale(place_at(tmp_path), item(f"{NAME}.part0"))
    names = ("part1", "part007", "part12", "part6", "part7", "parity3")
    expected = [NAME, *(f"{NAME}.{name}" for name in names)]
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
    said = f"cannot read or write {path} on the controller: Permission denied. Give this user the permission, or "
    assert str(caught.value).startswith(said)


# --- what is nobody's archive


def test_a_directory_in_place_of_an_archive_is_refused(tmp_path: Path) -> None:
    (tmp_path / NAME).mkdir()
    with pytest.raises(OptionError) as caught:
        compared(place_at(tmp_path), item(f"{NAME}.part0"))
    assert str(caught.value) == (
        f"{tmp_path}/{NAME} on the controller is a directory, but the archive is a file; move it away"
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
        f"{tmp_path}/{NAME} on the controller is not a directory, but the archive is one; move it away"
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
        f"{tmp_path}/{NAME} on the controller was not fetched ({tmp_path}/{NAME}.lock.json not found); move it away"
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
        f"{tmp_path}/failed.txt on the controller is not a list of failed images; move it away"
    )
