# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From the hidden directory to the final names."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest

from ansible_collections.airgap.images.plugins.module_utils._archive.lock import Lock
from ansible_collections.airgap.images.plugins.module_utils._archive.parts import Part
from ansible_collections.airgap.images.plugins.module_utils._base.errors import StorageError
from ansible_collections.airgap.images.plugins.plugin_utils._fetch import publish as publish_module
from ansible_collections.airgap.images.plugins.plugin_utils._fetch.incoming import discard_arrived
from ansible_collections.airgap.images.plugins.plugin_utils._fetch.publish import publish
from ansible_collections.airgap.images.tests.unit.archives import (
    LAYOUT,
    NAME,
    SHA,
    arrive,
    compared,
    item,
    layout_at,
    place_at,
    publish_all,
    tree,
)


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


def test_a_directory_is_on_disk_before_its_lock_file_gets_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its many files, and its many directories, at once."""
    steps: list[str] = []
    replace = os.replace

    def replacing(source: str, target: str) -> None:
        steps.append(f"rename {os.path.basename(target)}")
        replace(source, target)

    place = place_at(tmp_path / "media")
    items = [item(f"{NAME}/index.json"), item(f"{NAME}/share/sha256/ab"), item(f"{NAME}.lock.json")]
    for one in items:
        arrive(place, one)
    monkeypatch.setattr(os, "replace", replacing)
    monkeypatch.setattr(publish_module, "sync_filesystem", lambda path: steps.append("sync all"))
    monkeypatch.setattr(publish_module, "sync_directory", lambda path: steps.append(f"sync {os.path.basename(path)}"))
    publish_all(place, *items, lock=LAYOUT)
    expected = ["sync all", "rename index.json", "rename ab", "sync all", f"rename {NAME}.lock.json", "sync media"]
    assert steps == expected


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
    said = f"cannot read or write {tmp_path} on the controller: No space left on device. Free some space there"
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
    with pytest.raises(StorageError, match=r"^cannot read or write .*/old on the controller: "):
        publish_all(place_at(tmp_path), outdated=[str(tmp_path / "old")])
