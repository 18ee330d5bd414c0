# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Archives on their way to the controller, from a host that is a folder of the test."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import stat
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ansible.errors import AnsibleActionFail, AnsibleError

from ansible_collections.airgap.images.plugins.action import image_fetch
from ansible_collections.airgap.images.plugins.action.image_fetch import ActionModule
from ansible_collections.airgap.images.plugins.module_utils._archive.lock_file import read_lock, write_lock
from ansible_collections.airgap.images.plugins.module_utils._archive.output import COMPANIONS
from ansible_collections.airgap.images.plugins.module_utils._host import verified_files
from ansible_collections.airgap.images.plugins.module_utils._host.hold import Hold
from ansible_collections.airgap.images.plugins.plugin_utils._fetch import fetch, place, receive, room
from ansible_collections.airgap.images.plugins.plugin_utils._hosts.bounds import LARGEST_RECORD
from ansible_collections.airgap.images.tests.unit.fetch_scene import (
    FAILED,
    FOLDER,
    HIDDEN,
    LAYOUT,
    LINKS,
    LOCK,
    NAME,
    NULL,
    PARTS,
    SUMS,
    Fault,
    Scene,
    blob_of,
    damage,
    lose_connection,
    part_of,
    snapshot,
    stop,
)
from ansible_collections.airgap.images.tests.unit.host_shell import run_in_shell


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scene:
    made = Scene(tmp_path, monkeypatch)
    made.save(PARTS)
    return made


def test_an_archive_is_fetched(scene: Scene) -> None:
    result = scene.fetch()
    media = str(scene.media)
    assert scene.names() == sorted([*PARTS, LOCK, SUMS])
    assert {name: scene.path(name).read_bytes() for name in PARTS} == PARTS
    assert scene.path(LOCK).read_bytes() == (scene.host / LOCK).read_bytes()
    assert scene.path(SUMS).read_bytes() == (scene.host / SUMS).read_bytes()
    assert result["changed"] is True
    assert result["dest"] == media
    assert result["parts"] == [
        {"path": f"{media}/{name}", "size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        for name, data in PARTS.items()
    ]
    assert result["checksum_file"] == f"{media}/{SUMS}"
    assert result["lock_file"] == f"{media}/{LOCK}"
    assert result["failed_list"] is None
    assert result["files"] == [f"{media}/{name}" for name in [*PARTS, SUMS, LOCK]]
    assert set(PARTS) <= set(result["transferred"])
    assert result["removed"] == []
    assert f"fetched from build1 to {media}" in result["msg"]
    assert "diff" not in result


def test_a_second_time_transfers_nothing(scene: Scene) -> None:
    scene.fetch()
    before = snapshot(scene.media)
    result = scene.fetch()
    assert (result["changed"], result["transferred"], scene.connection.fetched) == (False, [], [])
    assert result["msg"] == f"nothing new to fetch from build1 to {scene.media}"
    assert snapshot(scene.media) == before


def test_the_shell_can_say_what_is_there(scene: Scene) -> None:
    """Python is not started on the host for that."""
    scene.says = run_in_shell
    first = scene.fetch()
    assert first["changed"] is True and scene.names() == sorted([*PARTS, LOCK, SUMS])
    assert scene.fetch()["changed"] is False
    assert SUMS not in scene.looked and LOCK not in scene.looked
    scene.says = None
    scene.looked.clear()
    assert scene.fetch()["changed"] is False
    assert LOCK in scene.looked


def test_a_list_of_failed_images_costs_no_module_if_there_is_one(scene: Scene) -> None:
    scene.says = run_in_shell
    path = failed_list(scene)
    fetched = scene.fetch(failed_list=path)
    assert os.path.basename(fetched["failed_list"]) == os.path.basename(path)
    assert LOCK not in scene.looked
    os.unlink(path)
    assert scene.fetch(failed_list=path)["failed_list"] is None
    assert LOCK in scene.looked, "the directory of the list may be closed"


@pytest.mark.parametrize("name", [LOCK, SUMS])
def test_what_is_not_plainly_there_is_left_to_the_module(scene: Scene, name: str) -> None:
    scene.says = run_in_shell
    (scene.host / name).unlink()
    assert f"{name} not found" in scene.refused()
    assert (LOCK in scene.looked) is (name == LOCK)
    scene.looked.clear()
    (scene.host / name).mkdir()
    scene.refused()
    assert SUMS in scene.looked


@pytest.mark.parametrize("line", ["", "none", "1 x", "-1 {sum}", "1 {sum} - -", "{sum} 1", "closed"])
def test_a_shell_that_says_anything_else_is_not_believed(scene: Scene, line: str) -> None:
    said = f"{line.format(sum='0' * 64)}\n" * 6
    scene.says = lambda command: said.join([command.split()[3].rstrip(";")] * 2)
    assert scene.fetch()["changed"] is True
    assert LOCK in scene.looked and SUMS in scene.looked


def test_only_what_is_different_is_transferred(scene: Scene) -> None:
    scene.fetch()
    scene.save({**PARTS, f"{NAME}.part1": b"other"})
    result = scene.fetch()
    assert result["changed"] is True
    assert sorted(scene.connection.fetched) == sorted([f"{NAME}.part1", LOCK, SUMS])
    assert scene.path(f"{NAME}.part1").read_bytes() == b"other"


def test_parts_whose_numbers_shift_are_renamed(scene: Scene) -> None:
    numbered = {f"{NAME}.part{number}": f"image {number}".encode() for number in range(4)}
    scene.save(numbered)
    scene.fetch()
    before = {path.read_bytes(): path.stat().st_ino for path in scene.media.iterdir()}
    first, *rest = numbered.values()
    shifted = {f"{NAME}.part{number}": data for number, data in enumerate([first, b"a new image", *rest])}
    scene.save(shifted)
    scene.connection.fetched.clear()
    foreseen, result = scene.fetch(check=True), scene.fetch()
    assert sorted(result["transferred"]) == sorted([f"{NAME}.part1", LOCK, SUMS])
    assert scene.connection.fetched.count(f"{NAME}.part1") == 1 and f"{NAME}.part2" not in scene.connection.fetched
    assert result["renamed"] == foreseen["renamed"] == [f"{NAME}.part{number}" for number in (2, 3, 4)]
    assert result["removed"] == []
    assert result["msg"].endswith(f" to {scene.media}, 3 files renamed")
    assert foreseen["msg"].endswith(f" to {scene.media}, 3 files would be renamed")
    assert scene.names() == sorted([*shifted, LOCK, SUMS])
    assert {name: scene.path(name).read_bytes() for name in shifted} == shifted
    assert all(scene.path(f"{NAME}.part{n}").stat().st_ino == before[shifted[f"{NAME}.part{n}"]] for n in (2, 3, 4))


@pytest.mark.parametrize("name", [*PARTS, LOCK, SUMS])
def test_what_is_lacking_or_damaged_is_fetched_again(scene: Scene, name: str) -> None:
    scene.fetch()
    good = scene.path(name).read_bytes()
    for bad in (None, b"", b"x" * len(good)):
        scene.path(name).unlink()
        if bad is not None:
            scene.put(name, bad)
        assert scene.fetch()["changed"] is True
        assert scene.connection.fetched == [name]
        assert scene.path(name).read_bytes() == good
        assert scene.names() == sorted([*PARTS, LOCK, SUMS])


def test_nothing_gets_its_name_before_everything_is_verified(scene: Scene) -> None:
    def look() -> None:
        assert scene.visible() == []

    scene.connection.on_fetch = look
    scene.connection.faults = {f"{NAME}.part2": [damage] * 4}
    scene.refused()
    look()
    scene.connection.faults = {f"{NAME}.part2": [damage]}
    scene.fetch()
    assert scene.names() == sorted([*PARTS, LOCK, SUMS])


def test_an_old_archive_stays_whole_until_then(scene: Scene) -> None:
    scene.fetch()
    before = {name: scene.path(name).read_bytes() for name in scene.names()}
    scene.save({NAME: b"one file instead"})

    def look() -> None:
        assert {name: scene.path(name).read_bytes() for name in scene.visible()} == before

    scene.connection.on_fetch = look
    scene.connection.faults = {NAME: [damage] * 4}
    scene.refused()
    look()
    assert scene.fetch()["removed"] == [str(scene.path(name)) for name in sorted(PARTS)]
    assert scene.names() == sorted([NAME, LOCK, SUMS])


def test_an_interrupted_run_is_continued(scene: Scene) -> None:
    scene.connection.faults = {f"{NAME}.part1": [stop]}
    with pytest.raises(KeyboardInterrupt):
        scene.fetch()
    assert scene.connection.fetched == [LOCK, f"{NAME}.part0", f"{NAME}.part1"]
    scene.path(f"{HIDDEN}/{NAME}.part1").write_bytes(b"sec")
    result = scene.fetch()
    assert scene.connection.fetched == [f"{NAME}.part1", f"{NAME}.part2", SUMS]
    assert f"{NAME}.part0" not in result["transferred"]
    assert {name: scene.path(name).read_bytes() for name in PARTS} == PARTS
    assert scene.names() == sorted([*PARTS, LOCK, SUMS])


def test_what_an_interrupted_run_left_is_not_trusted(scene: Scene) -> None:
    scene.put(f"{HIDDEN}/{LOCK}", b"{}")
    scene.put(f"{HIDDEN}/{NAME}.part0", b"fir5t")
    scene.put(f"{HIDDEN}/{NAME}.part1", b"second")
    scene.put(f"{HIDDEN}/{NAME}.part9", b"of another archive")
    scene.fetch()
    assert sorted(scene.connection.fetched) == sorted([LOCK, f"{NAME}.part0", f"{NAME}.part2", SUMS])
    assert {name: scene.path(name).read_bytes() for name in PARTS} == PARTS
    assert scene.names() == sorted([*PARTS, LOCK, SUMS])


def test_everything_was_there_but_for_the_names(scene: Scene) -> None:
    for name in [*PARTS, LOCK, SUMS]:
        scene.put(f"{HIDDEN}/{name}", (scene.host / name).read_bytes())
    result = scene.fetch()
    assert (result["changed"], result["transferred"], scene.connection.fetched) == (True, [], [])
    assert scene.names() == sorted([*PARTS, LOCK, SUMS])


def test_what_an_interrupted_run_left_never_replaces_what_is_right(scene: Scene) -> None:
    """Archive A is there; the fetch of B stops after its first part; then the host has A2, whose first part is A's."""
    scene.fetch()
    scene.save({**PARTS, f"{NAME}.part0": b"of B"})
    scene.connection.faults = {SUMS: [stop]}
    with pytest.raises(KeyboardInterrupt):
        scene.fetch()
    assert scene.path(f"{HIDDEN}/{NAME}.part0").read_bytes() == b"of B"
    scene.save({**PARTS, f"{NAME}.part2": b"of A2"})
    scene.fetch()
    assert scene.path(f"{NAME}.part0").read_bytes() == b"first"


def test_a_hidden_link_never_replaces_what_is_right(scene: Scene, tmp_path: Path) -> None:
    (tmp_path / "evil").write_bytes(b"evil")
    scene.fetch()
    scene.path(f"{NAME}.part2").unlink()
    scene.path(HIDDEN).mkdir()
    scene.path(f"{HIDDEN}/{NAME}.part0").symlink_to(tmp_path / "evil")
    scene.fetch()
    assert scene.path(f"{NAME}.part0").read_bytes() == b"first"


def test_what_an_interrupted_run_left_goes_when_nothing_is_to_be_done(scene: Scene) -> None:
    """It may be gigabytes, and no later run has a use for it."""
    scene.fetch()
    scene.put(f"{HIDDEN}/{NAME}.part0", b"of B")
    assert scene.fetch()["changed"] is False
    assert scene.names() == sorted([*PARTS, LOCK, SUMS])


def fill_disk_after(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let so many files get their final names, and then none."""
    replace = os.replace
    left = [None] * number

    def fail(source: str, target: str) -> None:
        if not left:
            raise OSError(errno.ENOSPC, "No space left on device", source)
        left.pop()
        replace(source, target)

    monkeypatch.setattr(os, "replace", fail)


@pytest.mark.parametrize("number", range(5))
def test_publishing_that_was_interrupted_is_completed(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    fill_disk_after(number, monkeypatch)
    assert "on the controller: No space left on device" in scene.refused()
    assert scene.visible() == [*PARTS, SUMS][:number], "the lock file is the last"
    monkeypatch.undo()
    result = scene.fetch()
    assert (result["changed"], result["transferred"], scene.connection.fetched) == (True, [], [])
    assert scene.names() == sorted([*PARTS, LOCK, SUMS])


@pytest.mark.parametrize(("fault", "resets"), [(damage, 0), (lose_connection, 2)])
def test_a_transfer_is_tried_again(scene: Scene, fault: Fault, resets: int) -> None:
    scene.connection.faults = {f"{NAME}.part1": [fault] * 2}
    scene.fetch(retries=2, retry_delay=3)
    assert scene.connection.fetched.count(f"{NAME}.part1") == 3
    assert scene.waits == [3, 6]
    assert scene.connection.resets == resets
    assert scene.path(f"{NAME}.part1").read_bytes() == b"second"
    assert len(scene.warnings) == 2
    assert f"{scene.host}/{NAME}.part1 on build1: " in scene.warnings[0]
    assert "; trying again in 3 seconds" in scene.warnings[0]


def test_a_wait_has_an_end(scene: Scene) -> None:
    scene.connection.faults = {f"{NAME}.part1": [damage] * 8}
    scene.fetch(retries=8)
    assert scene.waits == [2, 4, 8, 16, 32, 60, 60, 60]


def no_space(path: str) -> None:
    raise OSError(errno.ENOSPC, "No space left on device", path)


def half_written(path: str) -> None:
    os.truncate(path, 1)
    no_space(path)


REASONS: dict[str, tuple[Fault, str]] = {
    "other bytes": (damage, f"what arrived does not have the sha256 {hashlib.sha256(b'second').hexdigest()}"),
    "no connection": (lose_connection, "Connection reset by peer"),
    # ssh (piped), docker and others open the file themselves.
    "a connection that cannot write": (no_space, "[Errno 28] No space left on device: "),
}


@pytest.mark.parametrize("retries", [0, 1, 3])
@pytest.mark.parametrize(("fault", "said"), REASONS.values(), ids=REASONS)
def test_a_transfer_that_never_succeeds(scene: Scene, fault: Fault, said: str, retries: int) -> None:
    scene.connection.faults = {f"{NAME}.part1": [fault] * 9}
    message = scene.refused(retries=retries)
    assert message.startswith(f"cannot fetch {scene.host}/{NAME}.part1 from build1: {said}")
    assert message.endswith("Files that have arrived are kept; run again")
    assert scene.connection.fetched.count(f"{NAME}.part1") == retries + 1
    assert scene.visible() == []


def test_a_connection_that_cannot_be_reset(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise AnsibleError("no such socket")

    monkeypatch.setattr(scene.connection, "reset", fail)
    scene.connection.faults = {LOCK: [lose_connection]}
    assert scene.fetch()["changed"] is True


def test_a_connection_without_a_reset(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scene.connection, "reset", None)
    scene.connection.faults = {LOCK: [lose_connection]}
    assert scene.fetch()["changed"] is True


OTHERS = [
    f"{NAME}2",
    f"{NAME}.part0.bak",
    f"{NAME}.part",
    f"{NAME}.notes",
    f"{NAME}.part7/file",
    "other.tar.gz",
    "other.tar.gz.part0",
    ".hidden",
    ".other.tar.gz.fetching/other.tar.gz",
    "folder/file",
]


def test_older_parts_are_removed_and_nothing_else(scene: Scene) -> None:
    old = [NAME, f"{NAME}.part3", f"{NAME}.part12", f"{NAME}.part00"]
    for name in [*old, *OTHERS]:
        scene.put(name)
    before = {name: mark for name, mark in snapshot(scene.media).items() if not name.endswith(tuple(old))}
    result = scene.fetch()
    assert result["removed"] == sorted(str(scene.path(name)) for name in old)
    assert result["msg"].endswith(", 4 older files removed")
    after = snapshot(scene.media)
    assert {name: after.get(name) for name in before} == before
    assert len(after) == len(before) + len([*PARTS, LOCK, SUMS])


def test_older_parts_alone_are_a_change(scene: Scene) -> None:
    scene.fetch()
    scene.put(f"{NAME}.part3")
    result = scene.fetch()
    assert (result["changed"], result["transferred"]) == (True, [])
    assert scene.names() == sorted([*PARTS, LOCK, SUMS])


BAD_NAMES = ["../x", "/etc/passwd", "other.tar.gz", f"x/../{NAME}", f"{NAME}2", "", f"{NAME}.lock.json", "notes.txt"]


@pytest.mark.parametrize("name", BAD_NAMES)
def test_a_lock_file_that_names_another_file_is_refused(scene: Scene, name: str) -> None:
    scene.put("other.tar.gz")
    scene.put("notes.txt")
    scene.put("../x")
    before = snapshot(scene.media.parent)
    scene.write_records([part_of(f"{NAME}.part0", b"first"), part_of(name, b"evil")])
    assert f"{scene.host}/{LOCK} " in scene.refused()
    assert scene.connection.fetched == [LOCK]
    after = {path: mark[0::4] for path, mark in snapshot(scene.media.parent).items() if HIDDEN not in path}
    assert after == {path: mark[0::4] for path, mark in before.items()}
    assert scene.visible() == ["notes.txt", "other.tar.gz"]


@pytest.mark.parametrize("name", ["../x", "/etc/passwd", "share/../../x"])
def test_a_lock_file_of_a_directory_that_names_another_file_is_refused(scene: Scene, name: str) -> None:
    scene.put("../x")
    scene.write_records([part_of(name, b"evil")], compress="dir")
    assert "is not a valid part name" in scene.refused()
    assert scene.visible() == []
    assert scene.path("../x").read_bytes() == b"precious"


def test_a_part_that_is_named_twice_is_refused(scene: Scene) -> None:
    scene.write_records([part_of(NAME, b"one"), part_of(NAME, b"two")])
    assert f"{LOCK} " in scene.refused()
    assert scene.connection.fetched == [LOCK]


@pytest.mark.parametrize("raw", [b"", b"{}", b'{"version": 2}'])
def test_what_is_no_lock_file_is_named(scene: Scene, raw: bytes) -> None:
    (scene.host / LOCK).write_bytes(raw)
    assert scene.refused().startswith(f"{scene.host}/{LOCK} is ")


@pytest.mark.parametrize("name", [f"{NAME}.part1", LOCK])
@pytest.mark.parametrize("hidden", ["", f"{HIDDEN}/"])
def test_planted_links_are_replaced(scene: Scene, tmp_path: Path, name: str, hidden: str) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(b"precious")
    planted = scene.path(f"{hidden}{name}")
    planted.parent.mkdir(parents=True)
    planted.symlink_to(victim)
    scene.fetch()
    assert victim.read_bytes() == b"precious"
    assert scene.path(name).read_bytes() == (scene.host / name).read_bytes()
    assert not any(path.is_symlink() for path in scene.media.rglob("*"))


def test_a_link_to_the_right_bytes_is_replaced_too(scene: Scene, tmp_path: Path) -> None:
    (tmp_path / "same").write_bytes(b"first")
    scene.fetch()
    scene.path(f"{NAME}.part0").unlink()
    scene.path(f"{NAME}.part0").symlink_to(tmp_path / "same")
    assert scene.fetch()["changed"] is True
    assert not scene.path(f"{NAME}.part0").is_symlink()


def test_there_has_to_be_space(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "free_bytes", lambda path: 3)
    message = scene.refused()
    assert message.startswith(f"not enough space for {scene.media} on the controller: ")
    assert scene.connection.fetched == []
    assert not scene.media.exists()


def test_there_has_to_be_space_for_all_parts(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """The lock file came before they were known."""
    monkeypatch.setattr(room, "free_bytes", lambda path: LARGEST_RECORD)
    message = scene.refused()
    assert message.startswith(f"not enough space for {scene.media} on the controller: ")
    assert scene.connection.fetched == [LOCK], "no part was begun"
    assert not list(scene.media.iterdir()), "a hidden directory is left"


def test_what_has_arrived_before_stays_when_there_is_no_space_for_the_rest(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    arrived = scene.put(f"{HIDDEN}/{NAME}.part0", b"first")
    monkeypatch.setattr(room, "free_bytes", lambda path: 3)
    assert "not enough space" in scene.refused()
    assert arrived.read_bytes() == b"first"


def test_a_disk_that_fills_up_is_told_apart_from_one_that_was_too_small(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There was room for all; in the middle of the second part, something else has taken it."""
    scene.connection.faults[f"{NAME}.part1"] = [half_written] * 4
    free = iter([2 * LARGEST_RECORD] * 2)
    monkeypatch.setattr(room, "free_bytes", lambda path: next(free, 0))
    message = scene.refused()
    assert message.startswith(f"no space left in {scene.media} on the controller for {NAME}.part1 (6 bytes): ")
    assert "Free some space and run again" in message and "No space left on device" in message
    assert scene.path(f"{HIDDEN}/{NAME}.part0").read_bytes() == b"first"
    assert scene.visible() == []


def test_space_is_needed_only_for_what_is_missing(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    scene.fetch()
    scene.path(f"{NAME}.part0").unlink()
    monkeypatch.setattr(room, "free_bytes", lambda path: LARGEST_RECORD)
    assert scene.fetch()["changed"] is True


def test_space_is_needed_for_all_that_a_host_may_send(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is cut off at 64 MiB, of which the host has announced five bytes."""
    scene.fetch()
    scene.path(f"{NAME}.part0").unlink()
    monkeypatch.setattr(room, "free_bytes", lambda path: LARGEST_RECORD - 1)
    assert "not enough space" in scene.refused()
    assert scene.connection.fetched == []


def nothing_there(scene: Scene) -> None:
    pass


def all_there(scene: Scene) -> None:
    scene.fetch()


def part_damaged(scene: Scene) -> None:
    scene.fetch()
    scene.put(f"{NAME}.part0", b"x")


def lock_lacking(scene: Scene) -> None:
    scene.fetch()
    scene.path(LOCK).unlink()


def older_there(scene: Scene) -> None:
    scene.fetch()
    scene.put(f"{NAME}.part3")


def half_arrived(scene: Scene) -> None:
    scene.put(f"{HIDDEN}/{NAME}.part0", b"first")
    scene.put(f"{HIDDEN}/{NAME}.part1", b"x")


def all_arrived(scene: Scene) -> None:
    for name in [*PARTS, LOCK, SUMS]:
        scene.put(f"{HIDDEN}/{name}", (scene.host / name).read_bytes())


def new_archive(scene: Scene) -> None:
    scene.fetch()
    scene.save({NAME: b"one file instead"})


def shifted(scene: Scene) -> None:
    scene.fetch()
    scene.save(dict(zip(PARTS, reversed(PARTS.values()))))


SITUATIONS = [
    *(nothing_there, all_there, part_damaged, lock_lacking, older_there, half_arrived, all_arrived, new_archive),
    shifted,
]


@pytest.mark.parametrize("situation", SITUATIONS)
def test_check_mode_touches_nothing_and_tells_the_same(
    scene: Scene, tmp_path: Path, situation: Callable[[Scene], None]
) -> None:
    situation(scene)
    outdated = str(tmp_path / "set.lock.json")
    Path(outdated).write_text("{}")
    before = snapshot(tmp_path)
    told = scene.fetch(check=True, outdated=[outdated])
    assert snapshot(tmp_path) == before
    done = scene.fetch(outdated=[outdated])
    assert told["changed"] is done["changed"] is (situation is not all_there)
    assert sorted(done["transferred"]) == sorted(scene.connection.fetched)
    for key in (
        "dest",
        "parts",
        "files",
        "transferred",
        "renamed",
        "removed",
        "lock_file",
        "checksum_file",
        "failed_list",
    ):
        assert told[key] == done[key]
    verb = "would be fetched" if told["transferred"] else "nothing new to fetch"
    assert f"{verb} from build1 to " in told["msg"]
    assert ("older file" in told["msg"]) is bool(told["removed"])
    assert scene.fetch(check=True)["changed"] is False


def test_check_mode_needs_space_for_the_lock_file_only(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    def free(path: str) -> int:
        assert not path.startswith(str(scene.media)), "nothing will be written there"
        return LARGEST_RECORD

    monkeypatch.setattr(room, "free_bytes", free)
    assert scene.fetch(check=True)["changed"] is True


def test_a_directory_is_fetched(scene: Scene) -> None:
    scene.save(LAYOUT, name="images", compress="dir")
    result = scene.fetch(src=str(scene.host / "images"))
    folders = ["images", f"images/{FOLDER}", "images/share", "images/share/sha256"]
    files = [f"images/{name}" for name in LAYOUT]
    assert scene.names() == sorted([*folders, *LINKS, *files, "images.sha256", "images.lock.json"])
    assert [os.readlink(scene.path(link)) for link in LINKS] == ["share", "../share"]
    assert (scene.path(f"images/{FOLDER}/blobs") / "sha256").is_dir()
    assert {name: scene.path(f"images/{name}").read_bytes() for name in LAYOUT} == LAYOUT
    assert (result["parts"], result["part_count"]) == ([], len(LAYOUT))
    assert result["files"][:2] == [str(scene.path("images")), str(scene.path("images.sha256"))]
    assert scene.fetch(src=str(scene.host / "images"))["changed"] is False


def test_a_newer_directory_leaves_nothing_of_the_older(scene: Scene) -> None:
    old = {"ef" * 32 + "/index.json": b"{}", blob_of(b"old"): b"old"}
    scene.save({**LAYOUT, **old}, name="images", compress="dir")
    scene.fetch(src=str(scene.host / "images"))
    scene.put("images2/file")
    scene.save({**LAYOUT, blob_of(b"new"): b"new"}, name="images", compress="dir")
    result = scene.fetch(src=str(scene.host / "images"))
    gone = [*old, "ef" * 32 + "/blobs"]
    assert result["removed"] == sorted(str(scene.path(f"images/{name}")) for name in gone)
    folders = ["images", f"images/{FOLDER}", "images/share", "images/share/sha256", "images2"]
    files = [*(f"images/{name}" for name in (*LAYOUT, blob_of(b"new"))), "images2/file"]
    assert scene.names() == sorted([*folders, *LINKS, *files, "images.sha256", "images.lock.json"])


@pytest.mark.parametrize("link", LINKS)
def test_a_directory_that_lacks_a_link_gets_it(scene: Scene, link: str) -> None:
    scene.save(LAYOUT, name="images", compress="dir")
    scene.fetch(src=str(scene.host / "images"))
    target = os.readlink(scene.path(link))
    scene.path(link).unlink()
    assert scene.fetch(src=str(scene.host / "images"), check=True)["changed"] is True
    assert scene.fetch(src=str(scene.host / "images"))["changed"] is True
    assert os.readlink(scene.path(link)) == target
    assert scene.fetch(src=str(scene.host / "images"))["changed"] is False


@pytest.mark.parametrize("link", LINKS)
@pytest.mark.parametrize("target", ["../elsewhere", "index.json", "missing"])
def test_a_blobs_link_to_elsewhere_is_replaced(scene: Scene, target: str, link: str) -> None:
    scene.save(LAYOUT, name="images", compress="dir")
    scene.fetch(src=str(scene.host / "images"))
    before = os.readlink(scene.path(link))
    scene.path(link).unlink()
    scene.path(link).symlink_to(target)
    assert scene.fetch(src=str(scene.host / "images"))["changed"] is True
    assert os.readlink(scene.path(link)) == before


def test_a_blobs_directory_of_an_older_layout_makes_way(scene: Scene) -> None:
    scene.save(LAYOUT, name="images", compress="dir")
    scene.put("images/blobs/sha256/ab", b"ab")
    scene.put("images.lock.json", b"{}")
    scene.fetch(src=str(scene.host / "images"))
    assert os.readlink(scene.path("images/blobs")) == "share"


def test_a_directory_named_like_an_archive_that_is_a_file_is_left_alone(scene: Scene) -> None:
    scene.put(f"{NAME}/file")
    scene.put(f"{NAME}/folder/file")
    assert scene.refused().startswith(f"{scene.media}/{NAME} on the controller is a directory")
    assert scene.path(f"{NAME}/file").read_bytes() == b"precious"
    assert scene.path(f"{NAME}/folder/file").read_bytes() == b"precious"


def test_a_foreign_directory_is_not_emptied_for_a_layout(scene: Scene) -> None:
    """The module refuses this on the host: "is a directory that this module did not make"."""
    scene.save(LAYOUT, name="images", compress="dir")
    scene.put("images/notes.txt")
    for _again in range(2):
        assert "images on the controller was not fetched" in scene.refused(src=str(scene.host / "images"))
        assert scene.path("images/notes.txt").read_bytes() == b"precious"


@pytest.mark.parametrize("number", range(8))
def test_publishing_a_layout_that_was_interrupted_is_completed(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    scene.save(LAYOUT, name="images", compress="dir")
    fill_disk_after(number, monkeypatch)
    scene.refused(src=str(scene.host / "images"))
    monkeypatch.undo()
    assert scene.fetch(src=str(scene.host / "images"))["transferred"] == []
    assert {name: scene.path(f"images/{name}").read_bytes() for name in LAYOUT} == LAYOUT


def test_a_linked_directory_is_not_emptied(scene: Scene, tmp_path: Path) -> None:
    scene.save(LAYOUT, name="images", compress="dir")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "notes.txt").write_bytes(b"precious")
    scene.media.mkdir(parents=True)
    scene.path("images").symlink_to(tmp_path / "elsewhere")
    before = snapshot(tmp_path / "elsewhere")
    scene.refused(src=str(scene.host / "images"))
    assert snapshot(tmp_path / "elsewhere") == before


def test_a_linked_directory_inside_a_layout_is_not_written_through(scene: Scene, tmp_path: Path) -> None:
    scene.save(LAYOUT, name="images", compress="dir")
    scene.fetch(src=str(scene.host / "images"))
    (tmp_path / "elsewhere").mkdir()
    shutil.rmtree(scene.path("images/share"))
    scene.path("images/share").symlink_to(tmp_path / "elsewhere")
    scene.fetch(src=str(scene.host / "images"))
    assert list((tmp_path / "elsewhere").iterdir()) == []
    assert {name: scene.path(f"images/{name}").read_bytes() for name in LAYOUT} == LAYOUT


def test_a_link_at_the_hidden_directory_is_not_followed(scene: Scene, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / LOCK).write_bytes(b"precious")
    scene.media.mkdir(parents=True)
    scene.path(HIDDEN).symlink_to(tmp_path / "elsewhere")
    scene.fetch()
    assert {path.name: path.read_bytes() for path in (tmp_path / "elsewhere").iterdir()} == {LOCK: b"precious"}
    assert scene.names() == sorted([*PARTS, LOCK, SUMS])


def test_outdated_files_go_only_when_something_is_published(scene: Scene, tmp_path: Path) -> None:
    record = tmp_path / "media" / "images.lock.json"
    scene.fetch()
    record.write_text("{}")
    assert scene.fetch(outdated=[str(record)])["changed"] is False
    assert record.exists()
    scene.save({NAME: b"new"})
    scene.connection.faults = {NAME: [damage] * 4}
    scene.refused(outdated=[str(record)])
    assert record.exists()
    scene.fetch(outdated=[str(record), str(tmp_path / "gone")])
    assert not record.exists()


def failed_list(scene: Scene, text: str = FAILED) -> str:
    (scene.host / "failed.txt").write_text(text)
    return str(scene.host / "failed.txt")


def test_the_list_of_what_failed_comes_too(scene: Scene) -> None:
    result = scene.fetch(failed_list=failed_list(scene))
    assert scene.path("failed.txt").read_text() == FAILED
    assert result["failed_list"] == str(scene.path("failed.txt"))
    assert result["files"][-1] == result["failed_list"]
    assert scene.fetch(failed_list=str(scene.host / "failed.txt"))["changed"] is False


def test_it_goes_when_it_is_gone_on_the_host(scene: Scene) -> None:
    path = failed_list(scene)
    scene.fetch(failed_list=path)
    os.unlink(path)
    for check in (True, False):
        result = scene.fetch(failed_list=path, check=check)
        assert (result["changed"], result["removed"]) == (True, [str(scene.path("failed.txt"))])
        assert result["failed_list"] is None
        assert scene.path("failed.txt").exists() is check
    assert scene.fetch(failed_list=path)["changed"] is False


def test_a_list_of_the_users_own_stays(scene: Scene) -> None:
    scene.fetch()
    scene.put("failed.txt", "nginx\n")
    assert scene.fetch(failed_list=str(scene.host / "failed.txt"))["changed"] is False
    assert scene.path("failed.txt").read_text() == "nginx\n"


def test_a_list_of_the_users_own_is_not_replaced(scene: Scene) -> None:
    """On the host the module refuses to replace a file that it did not write."""
    scene.put("failed.txt", "nginx\n")
    message = scene.refused(failed_list=failed_list(scene))
    assert message.startswith(f"{scene.path('failed.txt')} on the controller is not a list of failed images")
    assert scene.path("failed.txt").read_text() == "nginx\n"


def test_a_list_alone(scene: Scene) -> None:
    scene.put(f"{NAME}.part9")
    result = scene.fetch(src=None, failed_list=failed_list(scene))
    assert scene.names() == ["failed.txt", f"{NAME}.part9"], "no archive is looked at"
    assert set(scene.looked) == {"failed.txt"}
    assert (result["parts"], result["lock_file"], result["checksum_file"]) == ([], None, None)
    assert (result["removed"], result["files"]) == ([], [str(scene.path("failed.txt"))])
    os.unlink(scene.host / "failed.txt")
    assert scene.fetch(src=None, failed_list=str(scene.host / "failed.txt"))["changed"] is True
    assert scene.names() == [f"{NAME}.part9"]


def test_no_list_and_none_there(scene: Scene) -> None:
    assert scene.fetch(src=None, failed_list=str(scene.host / "failed.txt"))["changed"] is False
    assert not scene.media.exists()


def test_a_list_that_cannot_be_told_from_others(scene: Scene) -> None:
    scene.path("failed.txt").mkdir(parents=True)
    assert "failed.txt cannot be read: " in scene.refused(src=None, failed_list=str(scene.host / "failed.txt"))


@pytest.mark.parametrize(("name", "said"), [(LOCK, LOCK), (SUMS, SUMS)])
def test_there_has_to_be_an_archive(scene: Scene, name: str, said: str) -> None:
    (scene.host / name).unlink()
    assert scene.refused() == f"src: {scene.host}/{said} not found on build1; save the archive first"
    assert not scene.media.exists()


def test_a_part_that_is_gone_is_named(scene: Scene) -> None:
    (scene.host / f"{NAME}.part0").unlink()
    assert scene.refused() == f"{scene.host}/{NAME}.part0 no longer exists on build1; save the archive again"


@pytest.mark.parametrize("name", [LOCK, f"{NAME}.part0"])
def test_a_file_that_the_login_user_cannot_read_is_named(scene: Scene, name: str) -> None:
    (scene.host / name).chmod(0o600)
    message = scene.refused()
    assert message.startswith(f"the login user cannot read {scene.host}/{name} on build1")
    assert "image_save_mode: '0644'" in message


def test_a_directory_where_a_file_should_be_is_named(scene: Scene) -> None:
    (scene.host / LOCK).unlink()
    (scene.host / LOCK).mkdir()
    assert f"the login user cannot read {scene.host}/{LOCK} on build1" in scene.refused()


def test_a_host_that_cannot_be_asked(scene: Scene) -> None:
    file = scene.host / "file"
    file.touch()
    said = f"cannot inspect build1: {file}/x.sha256 cannot be read: Not a directory"
    assert scene.refused(src=f"{file}/x") == said


@pytest.mark.parametrize("check", [False, True])
def test_a_file_in_place_of_the_directory(scene: Scene, check: bool) -> None:
    """Since 2.19 ansible-core puts the messages of all causes behind one another (C(raise ... from error))."""
    scene.media.parent.mkdir()
    scene.media.touch()
    said = f"cannot read or write {scene.media} on the controller: Not a directory. Remove what is in the way, or "
    assert scene.refused(check=check) == f"{said}choose another directory, then run again"
    assert scene.media.is_file()


def test_a_directory_in_place_of_a_file(scene: Scene) -> None:
    scene.path(f"{NAME}.part1").mkdir(parents=True)
    message = scene.refused()
    # Not the hidden file that should have taken its place, with which nothing is wrong.
    assert message.startswith(f"cannot read or write {scene.media}/{NAME}.part1 on the controller: ")
    assert scene.path(f"{NAME}.part1").is_dir()
    scene.path(f"{NAME}.part1").rmdir()
    scene.fetch()
    assert scene.names() == sorted([*PARTS, LOCK, SUMS]), "the next run completes it"


def test_dest_is_absolute_or_at_home(scene: Scene, home: Path) -> None:
    assert scene.refused(dest="media") == "dest: 'media' must be an absolute path, or begin with '~'"
    assert scene.fetch(dest="~/media/../media/")["dest"] == str(home / "media")
    assert (home / "media" / LOCK).exists()


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"src": None}, "src, failed_list"),
        ({"dest": None}, "dest"),
        ({"retries": "often"}, "retries"),
        ({"source": "/srv"}, "source"),
    ],
)
def test_arguments_are_checked(scene: Scene, changed: dict[str, Any], said: str) -> None:
    with pytest.raises(AnsibleActionFail, match=said):
        scene.fetch(**changed)
    assert scene.looked == []


@pytest.mark.parametrize(("option", "value"), [("retries", -1), ("retries", 101), ("retry_delay", -0.5)])
def test_numbers_have_a_range(scene: Scene, option: str, value: float) -> None:
    assert scene.refused(**{option: value}).startswith(f"{option}: {value} is out of range; accepted are 0 to ")
    assert scene.looked == []


def asked(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """The requests to the host's module from now on; it takes C(~) for the folder of the host."""
    calls: list[dict[str, Any]] = []
    real = scene._execute_module

    def ask(module_name: str, module_args: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        calls.append(module_args)
        paths = {name: each for name, each in module_args.items() if isinstance(each, str)}
        there = {name: path.replace("~", str(scene.host)) for name, path in paths.items()}
        return real(module_name, {**module_args, **there}, task_vars)

    monkeypatch.setattr(scene, "_execute_module", ask)
    return calls


@pytest.mark.parametrize("transport", ["ssh", "local"])
def test_a_home_in_src_is_never_told_by_the_host(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, home: Path, transport: str
) -> None:
    """The module gets it as it is typed; a transfer over ssh begins there, and here it is known."""
    calls = asked(scene, monkeypatch)
    (scene.host / "out").mkdir()
    scene.connection.transport = transport
    scene.connection.options = {"ssh_transfer_method": "sftp", "control_path_dir": "/x/plain"}
    wanted: list[str] = []
    fetch_file = scene.connection.fetch_file

    def from_home(source: str, path: str) -> None:
        wanted.append(source)
        fetch_file(str(scene.host / os.path.basename(source)), path)

    monkeypatch.setattr(scene.connection, "fetch_file", from_home)
    result = scene.fetch(src=f"~//out/../{NAME}")
    assert [call.get("src", call.get("path")) for call in calls] == [f"~//out/../{NAME}", f"~//out/../{NAME}.part0"]
    start = "./out/.." if transport == "ssh" else f"{home}//out/.."
    assert wanted == [f"{start}/{name}" for name in [LOCK, *PARTS, SUMS]]
    assert result["files"] == [str(scene.path(name)) for name in [*PARTS, SUMS, LOCK]]


def test_a_home_that_only_the_host_knows_is_refused(scene: Scene) -> None:
    scene.connection.transport = "docker"
    said = "src: the connection plugin docker cannot resolve '~' on build1; give an absolute path"
    assert scene.refused(src=f"~/{NAME}") == said
    assert scene.looked == []


@pytest.mark.parametrize(
    ("changed", "option"),
    [
        ({"src": "/srv/it's.tar"}, "src"),
        ({"src": "/srv/a\nb.tar"}, "src"),
        ({"src": "srv/a.tar"}, "src"),
        ({"failed_list": '/srv/"a".txt'}, "failed_list"),
        ({"dest": "/media/back\\slash"}, "dest"),
        ({"dest": f"/{'d' * 200}" * 10}, "dest"),
    ],
)
def test_paths_that_no_transfer_can_carry_are_refused_at_once(
    scene: Scene, changed: dict[str, Any], option: str
) -> None:
    for check in (True, False):
        message = scene.refused(**changed, check=check)
        assert message.startswith(f"{option}: ") and "\n" not in message
    assert scene.looked == []


def grow(path: str) -> None:
    with open(path, "ab", buffering=0) as file:
        while True:
            file.write(b"x" * 300)


@pytest.mark.parametrize("name", [LOCK, f"{NAME}.part1", SUMS])
def test_a_transfer_is_cut_off(scene: Scene, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Whatever size was announced; and what would send it again is not asked again."""
    monkeypatch.setattr(place, "LARGEST_RECORD", 5000)
    sizes: list[int] = []

    def flood(path: str) -> None:
        try:
            grow(path)
        finally:
            sizes.append(os.path.getsize(path))

    scene.connection.faults = {name: [flood] * 9}
    message = scene.refused(retries=3)
    assert message.startswith(f"build1 sent more than 4.9 KiB for {scene.host}/{name}, ")
    assert sizes == [5001]
    assert scene.connection.fetched.count(name) == 1
    assert not [path for path in scene.media.parent.rglob(name) if path.is_file()]
    assert scene.visible() == []


def test_a_large_part_is_cut_off_behind_its_own_size(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(place, "LARGEST_RECORD", 5000)
    scene.save({NAME: b"y" * 9000})
    assert scene.fetch()["changed"] is True
    scene.save({NAME: b"z" * 9000})
    scene.connection.faults = {NAME: [grow]}
    assert scene.refused().startswith(f"build1 sent more than 8.8 KiB for {scene.host}/{NAME}, ")
    assert scene.path(NAME).read_bytes() == b"y" * 9000


def test_records_that_are_too_large_are_not_asked_for(scene: Scene) -> None:
    with (scene.host / SUMS).open("ab") as file:
        file.truncate(LARGEST_RECORD + 1)
    assert scene.refused().startswith(f"{scene.host}/{SUMS} on build1 has 64.0 MiB; ")
    assert scene.connection.fetched == []


def test_a_lock_file_of_many_small_values_is_refused(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """They would take many times their bytes in memory."""
    monkeypatch.setattr(receive, "MOST_VALUES", 100)
    (scene.host / LOCK).write_text(json.dumps({"version": 1, "more": [[]] * 100}))
    assert scene.refused() == f"{scene.host}/{LOCK} is not a lock file: it holds more than 100 values"


def test_no_special_modes_are_taken_over(scene: Scene) -> None:
    scene.connection.faults = {f"{NAME}.part0": [lambda path: os.chmod(path, stat.S_ISUID | stat.S_ISGID | 0o700)]}
    scene.fetch()
    assert stat.S_IMODE(scene.path(f"{NAME}.part0").stat().st_mode) == 0o700


@pytest.mark.parametrize(
    "answer",
    [
        {"failed": True, "msg": "\x1b[2J\u202e" + "x" * 5000},
        {"failed": True, "msg": ["a", {"b": 1}]},
        {"unreadable": "/etc/\x1b[2J"},
        {"unreadable": {"a": 1}},
        {"found": ["a"]},
        {"found": {"lock_file": ["a"]}},
        {"found": {"lock_file": 7, "checksum_file": None}},
        {"stat": []},
        {"stat": {"exists": True, "isreg": True}},
        {"stat": {}},
        {"stat": "x"},
        {},
    ],
)
def test_whatever_a_host_answers_is_told_in_a_sentence(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, answer: dict[str, Any]
) -> None:
    real = scene._execute_module

    def lie(module_name: str, module_args: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        said = real(module_name, module_args, task_vars)
        return answer if ("stat" in said) is ("stat" in answer) else said

    monkeypatch.setattr(scene, "_execute_module", lie)
    message = scene.refused()
    assert "\x1b" not in message and "\u202e" not in message and len(message) < 1000
    assert scene.visible() == []


def test_the_host_does_not_hash_a_part_to_see_that_it_is_there(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = asked(scene, monkeypatch)
    scene.fetch()
    assert [sorted(call) for call in calls] == [["dest", "src"], ["follow", "get_checksum", "path"]]
    assert not calls[1]["get_checksum"]
    assert calls[1]["path"].endswith(f"{NAME}.part0")


def test_report_and_script_come_too(scene: Scene) -> None:
    names = [f"{NAME}{suffix}" for suffix in COMPANIONS]
    for name in names:
        (scene.host / name).write_text(f"{name} of this archive", encoding="utf-8")
    result = scene.fetch()
    assert scene.names() == sorted([*PARTS, LOCK, SUMS, *names])
    assert {name: scene.path(name).read_bytes() for name in names} == {
        name: (scene.host / name).read_bytes() for name in names
    }
    fetched = [result[name] for name in ("report_file", "table_file", "facts_file", "restore_file")]
    assert fetched == [f"{scene.media}/{name}" for name in names]
    assert result["files"][-1] == f"{scene.media}/{LOCK}"
    assert scene.fetch()["changed"] is False

    (scene.host / names[0]).write_text("another one", encoding="utf-8")
    assert scene.fetch()["transferred"] == [names[0]]
    assert scene.path(names[0]).read_text(encoding="utf-8") == "another one"


@pytest.mark.parametrize(
    "lie",
    [
        {"size": -1},
        {"size": True},
        {"size": "7"},
        {"sha256": "ab"},
        {"sha256": "٣" * 64},
        {"sha256": f"{'ab' * 32}\n"},
        {"sha256": None},
    ],
)
def test_a_host_does_not_choose_what_is_written_here(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, lie: dict[str, object]
) -> None:
    """The names of files on the controller are those that were asked for."""
    other = scene.put("other.restore.sh")
    (scene.host / f"{NAME}.restore.sh").write_text("of this archive", encoding="utf-8")
    real = scene._execute_module

    def answer(module_name: str, module_args: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        said = real(module_name, module_args, task_vars)
        if "found" in said:
            said["found"]["restore_file"].update(lie)
        return said

    monkeypatch.setattr(scene, "_execute_module", answer)
    assert "unexpected answer from build1" in scene.refused()
    assert other.read_bytes() == b"precious"
    assert scene.names() == ["other.restore.sh"]


def test_more_than_was_asked_for_is_passed_over(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """In whatever order the answer is."""
    real = scene._execute_module

    def answer(module_name: str, module_args: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        said = real(module_name, module_args, task_vars)
        if "found" in said:
            more = {"evil": {"path": "/etc/passwd", "size": 1, "sha256": "ab" * 32}}
            said["found"] = {**more, **dict(reversed(said["found"].items())), "worse": None}
        return said

    monkeypatch.setattr(scene, "_execute_module", answer)
    assert not scene.fetch().get("failed")
    assert scene.names() == sorted([*PARTS, LOCK, SUMS])


def test_a_report_of_another_archive_does_not_stay(scene: Scene) -> None:
    """The host has none, so the one that is there tells of something else."""
    untrue = scene.put(f"{NAME}.report.html")
    mine = scene.put("notes.report.html")
    assert scene.fetch()["removed"] == [str(untrue)]
    assert not untrue.exists()
    assert mine.exists()


def test_only_what_changes_is_shown(scene: Scene) -> None:
    scene.fetch()
    scene.save({f"{NAME}.part0": b"first", f"{NAME}.part1": b"other"})
    for check in (True, False):
        shown = scene.fetch(check=check, diff=True)["diff"]
        assert shown["before_header"] == shown["after_header"] == str(scene.media)
        lines = {side: [line.split(": ")[0] for line in shown[side].splitlines()] for side in ("before", "after")}
        assert lines["before"] == [f"file {name}" for name in (f"{NAME}.part1", SUMS, LOCK, f"{NAME}.part2")]
        assert lines["after"] == [f"file {name}" for name in (f"{NAME}.part1", SUMS, LOCK)]
        assert f"file {NAME}.part1: 5 bytes, sha256:{hashlib.sha256(b'other').hexdigest()}\n" in shown["after"]
        assert f"file {NAME}.part1: " in shown["before"], "the lock file before knows its checksum"
    same = scene.fetch(diff=True)["diff"]
    assert same["before"] == same["after"] == ""


def test_images_that_change_are_shown(scene: Scene) -> None:
    def write(*references: str) -> None:
        path = scene.host / LOCK
        lock = read_lock(path.read_bytes(), path=str(path))
        path.write_bytes(write_lock(replace(lock, failed=references)))

    write("a:1", "b:1")
    shown = scene.fetch(diff=True)["diff"]
    assert shown["before"] == "" and "failed a:1\nfailed b:1\nfile " in shown["after"]
    write("b:1", "c:1")
    shown = scene.fetch(diff=True)["diff"]
    assert shown["before"].startswith("failed a:1\nfile ") and shown["after"].startswith("failed c:1\nfile ")
    scene.media.joinpath(LOCK).write_text("no lock file")
    shown = scene.fetch(diff=True)["diff"]
    assert (shown["before"], "failed b:1\n" in shown["after"]) == (f"file {LOCK}\n", True)


def test_the_temporary_directory_of_the_host_is_removed(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    removed: list[object] = []
    monkeypatch.setattr(ActionModule, "_remove_tmp_path", lambda action, path: removed.append(path))
    scene.connection._shell.tmpdir = "/var/ansible-1"
    scene.fetch()
    (scene.host / LOCK).write_text("{}")
    scene.refused()
    assert removed == ["/var/ansible-1"] * 2


def test_lock_files_are_read_as_the_module_writes_them(scene: Scene) -> None:
    document = json.loads((scene.host / LOCK).read_bytes())
    assert [part["name"] for part in document["parts"]] == list(PARTS), "the scene is true"


def test_files_that_were_not_touched_are_not_read_again(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    scene.fetch()
    scene.fetch()
    read: list[str] = []

    def count(path: str, **_check: object) -> str:
        read.append(os.path.basename(path))
        return hashlib.sha256(Path(path).read_bytes()).hexdigest()

    monkeypatch.setattr(verified_files, "sha256_of", count)
    assert scene.fetch()["changed"] is False
    assert read == []

    path = scene.path(f"{NAME}.part1")
    times = os.stat(path).st_mtime_ns
    path.write_bytes(b"sEcond")
    os.utime(path, ns=(times, times))
    assert scene.fetch()["transferred"] == [path.name]
    assert path.read_bytes() == b"second"


def test_check_mode_remembers_nothing(scene: Scene, tmp_path: Path) -> None:
    scene.fetch(check=True)
    assert not (tmp_path / "ansible" / "airgap-images").exists()


def test_an_archive_is_not_fetched_to_where_it_is(scene: Scene) -> None:
    scene.connection.transport = "local"
    scene.media = scene.host
    before = snapshot(scene.host)
    assert "nothing to fetch" in scene.refused(dest=str(scene.host))
    assert snapshot(scene.host) == before


def test_sftp_then_scp_and_never_piped(scene: Scene) -> None:
    scene.connection.transport = "ssh"
    options = scene.connection.options = {"ssh_transfer_method": "smart", "control_path_dir": "/x/plain"}
    tried: list[object] = []
    fetch_file = scene.connection.fetch_file

    def by_scp_only(source: str, path: str) -> None:
        tried.append(options["ssh_transfer_method"])
        if tried[-1] == "sftp":
            raise AnsibleError("subsystem request failed")
        fetch_file(source, path)

    scene.connection.fetch_file = by_scp_only
    assert scene.fetch(retries=0)["changed"] is True
    assert set(tried) == {"sftp", "scp"}
    assert scene.visible() == sorted([*PARTS, LOCK, SUMS])


def test_another_run_to_the_same_place_is_waited_for(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half of a file of one run must not get its final name from the other."""
    second: list[str] = []

    def come_second() -> None:
        scene.connection.on_fetch = lambda: None
        second.append(scene.refused())

    scene.connection.on_fetch = come_second
    monkeypatch.setattr(fetch, "_WAITS_FOR_OTHERS", 0.0)
    result = scene.fetch()
    assert result["changed"] is True and "failed" not in result
    assert f"{scene.media / NAME} on the controller is in use by another run (process {os.getpid()}" in second[0]
    assert "give each host a directory of its own" in second[0]
    assert {name: scene.path(name).read_bytes() for name in PARTS} == PARTS


def test_what_another_run_brought_meanwhile_is_not_fetched_again(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    real_enter = Hold.__enter__

    def other_comes_first(lock: Hold) -> Hold:
        monkeypatch.setattr(Hold, "__enter__", real_enter)
        assert scene.fetch()["changed"] is True
        return real_enter(lock)

    monkeypatch.setattr(Hold, "__enter__", other_comes_first)
    result = scene.fetch()
    assert result["changed"] is False and result["transferred"] == []


OPTIONAL = [name for name, option in image_fetch.ARGUMENTS.items() if not option.get("required") and name != "src"]


@pytest.mark.parametrize("value", ["", NULL], ids=["empty", "null"])
@pytest.mark.parametrize("name", OPTIONAL)
def test_an_option_without_a_value_is_none(scene: Scene, name: str, value: object) -> None:
    scene.save({NAME: b"data"})
    expected = scene.fetch(check=True)
    assert scene.fetch(check=True, **{name: value}) == expected
    assert "failed" not in expected


@pytest.mark.parametrize("value", ["", NULL], ids=["empty", "null"])
def test_what_is_needed_must_have_a_value(scene: Scene, value: object) -> None:
    with pytest.raises(AnsibleActionFail, match="missing required arguments: dest"):
        scene.fetch(dest=value)
    with pytest.raises(AnsibleActionFail, match="one of the following is required: src, failed_list"):
        scene.fetch(src=value, failed_list=value)
    scene.save({NAME: b"data"})
    (scene.host / "failed.txt").write_text(FAILED)
    assert scene.fetch(src=value, failed_list=str(scene.host / "failed.txt"))["transferred"] == ["failed.txt"]


def test_an_archive_that_had_another_name_is_renamed_not_transferred(scene: Scene) -> None:
    scene.fetch()
    for name in COMPANIONS:
        scene.path(f"{NAME}{name}").write_text("old")
    scene.path("mine.txt").write_text("mine")
    new = {name.replace("images", "images-build1", 1): data for name, data in PARTS.items()}
    scene.save(new, name="images-build1.tar.gz")
    scene.connection.fetched.clear()
    result = scene.fetch(src=str(scene.host / "images-build1.tar.gz"), formerly=NAME)
    assert not {*new} & {*scene.connection.fetched} and result["changed"]
    kept = ["images-build1.tar.gz.lock.json", "images-build1.tar.gz.sha256", "mine.txt"]
    assert scene.names() == sorted([*new, *kept])
    assert {name: scene.path(name).read_bytes() for name in new} == new
    assert not scene.fetch(src=str(scene.host / "images-build1.tar.gz"), formerly=NAME)["changed"]


def test_what_another_name_has_of_another_content_is_replaced(scene: Scene) -> None:
    scene.fetch()
    new = {name.replace("images", "images-build1", 1): b"other" + data for name, data in PARTS.items()}
    scene.save(new, name="images-build1.tar.gz")
    scene.fetch(src=str(scene.host / "images-build1.tar.gz"), formerly=NAME)
    assert {name: scene.path(name).read_bytes() for name in new} == new
    assert not [name for name in scene.names() if name.startswith("images.")]


def test_a_directory_that_had_another_name(scene: Scene) -> None:
    scene.save(LAYOUT, name="images", compress="dir")
    scene.fetch(src=str(scene.host / "images"))
    scene.save(LAYOUT, name="images-build1", compress="dir")
    scene.connection.fetched.clear()
    scene.fetch(src=str(scene.host / "images-build1"), formerly="images")
    assert len(scene.connection.fetched) == 2, "lock file and checksums"
    assert not scene.path("images").exists() and scene.path("images-build1/index.json").exists()


@pytest.mark.parametrize("formerly", ["../other", "/etc/passwd", "..", "a/b"])
def test_another_name_is_not_a_path(scene: Scene, formerly: str) -> None:
    result = scene.fetch(formerly=formerly)
    assert result["failed"] and result["msg"].startswith("formerly: ")
