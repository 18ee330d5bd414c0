# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Archives that paths lead to: archives in one place or several, sets, directories, and what is none of these."""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.airgap.images.plugins.module_utils._archive.parts import Part
from ansible_collections.airgap.images.plugins.module_utils._base.errors import LockFileError
from ansible_collections.airgap.images.plugins.module_utils._base.stop import Stop
from ansible_collections.airgap.images.plugins.module_utils._host.log import Log
from ansible_collections.airgap.images.plugins.module_utils._source.archive import Archive, open_archives
from ansible_collections.airgap.images.plugins.module_utils._source.errors import DamagedPart, SourceError, SourceGone
from ansible_collections.airgap.images.plugins.module_utils._source.find import find_archives
from ansible_collections.airgap.images.tests.unit.carried import Carried, carry


@pytest.fixture(scope="module")
def split(tmp_path_factory: pytest.TempPathFactory) -> Carried:
    return carry(tmp_path_factory.mktemp("carried"), "gzip in parts")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Carried:
    return carry(tmp_path_factory.mktemp("carried"), "zstd")


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Carried:
    return carry(tmp_path_factory.mktemp("carried"), "dir")


def all_of(*sources: Path | str) -> list[Archive]:
    return open_archives([str(source) for source in sources], stop=Stop(), log=Log(debug=True))


def is_whole(archive: Archive, carried: Carried) -> bool:
    """Return True if an archive has all of its blobs, and they come out right."""
    for digest, content in carried.blobs.items():
        with archive.open_blob(digest) as reader:
            if reader.read() != content:
                return False
    return True


def moved(carried: Carried, place: Path) -> Carried:
    """A copy elsewhere."""
    shutil.copytree(carried.dest.parent, place, symlinks=True)
    return replace(carried, dest=place / carried.dest.name)


@pytest.mark.parametrize("suffix", [".lock.json", ".part00", ".part07", ".sha256", ".restore.sh"])
def test_any_file_of_an_archive_leads_to_it(split: Carried, tmp_path: Path, suffix: str) -> None:
    carried = moved(split, tmp_path / "copy")
    path = Path(f"{carried.dest}{suffix}")
    path.touch()
    [archive] = all_of(path)
    assert archive.lock == carried.lock and archive.path == str(carried.lock_file)
    assert is_whole(archive, carried)


def test_an_archive_in_one_piece_and_a_directory(whole: Carried, tree: Carried) -> None:
    for carried in (whole, tree):
        for source in (carried.dest, carried.lock_file):
            [archive] = all_of(source)
            assert archive.lock == carried.lock and is_whole(archive, carried)


def test_a_directory_that_holds_archives(split: Carried, whole: Carried, tree: Carried, tmp_path: Path) -> None:
    stick = tmp_path / "stick"
    for carried in (split, whole, tree):
        shutil.copytree(carried.dest.parent, stick, symlinks=True, dirs_exist_ok=True)
    found = {archive.path: archive for archive in all_of(stick)}
    assert set(found) == {str(stick / carried.lock_file.name) for carried in (split, whole, tree)}
    for carried in (split, whole, tree):
        assert is_whole(found[str(stick / carried.lock_file.name)], carried)
    assert len(all_of(stick, stick, stick / tree.dest.name, stick / split.parts[0].name)) == 3


def test_parts_in_several_directories(split: Carried, tmp_path: Path) -> None:
    """The lock file is on all sticks, as people copy it; each part is on one."""
    sticks = [tmp_path / name for name in ("one", "two", "three")]
    for number, stick in enumerate(sticks):
        stick.mkdir()
        shutil.copy(split.lock_file, stick)
        for part in split.parts[number::3]:
            shutil.copy(part, stick)
    for sources in (sticks, [stick / split.lock_file.name for stick in sticks]):
        [archive] = all_of(*sources)
        assert not archive.missing_parts and is_whole(archive, split)
    (tmp_path / "empty").mkdir()
    [archive] = all_of(sticks[0], tmp_path / "empty", sticks[1])
    assert archive.missing_parts == tuple(part.name for part in split.parts[2::3])
    for stick in sticks[1:]:
        (stick / split.lock_file.name).unlink()
    [archive] = all_of(sticks[0], *(stick / split.parts[number].name for number, stick in enumerate(sticks)))
    assert is_whole(archive, split)


def test_of_two_files_of_a_name_that_of_the_right_size_counts(split: Carried, tmp_path: Path) -> None:
    first, second = moved(split, tmp_path / "1"), moved(split, tmp_path / "2")
    os.truncate(first.parts[2], 10)
    [archive] = all_of(first.lock_file, second.dest.parent)
    assert is_whole(archive, split)


@pytest.mark.parametrize("has_lock", [True, False])
def test_of_two_files_of_a_name_and_size_the_one_with_the_right_bytes_counts(
    split: Carried, tmp_path: Path, has_lock: bool
) -> None:
    """Parts that were damaged on their way, and made once more, in whatever order the directories are named."""
    damaged, again = moved(split, tmp_path / "stick"), tmp_path / "images.tar.gz.requested"
    again.mkdir()
    shutil.copy(split.parts[2], again)
    size = damaged.parts[2].stat().st_size
    damaged.parts[2].write_bytes(b"\0" * size)
    if not has_lock:
        damaged.lock_file.unlink()
    for sources in ((damaged.dest.parent, again), (again, damaged.dest.parent)):
        [found] = find_archives([str(source) for source in sources])
        assert found.parts[2].path == str(again / split.parts[2].name)
    (again / split.parts[2].name).write_bytes(b"\1" * size)
    [found] = find_archives([str(damaged.dest.parent), str(again)])
    assert found.parts[2].path == str(damaged.parts[2])


def test_two_archives_of_one_name_stay_two(split: Carried, tmp_path: Path) -> None:
    first, second = moved(split, tmp_path / "1"), moved(split, tmp_path / "2")
    second.write_lock(failed=("reg.lan/x:1",))
    os.truncate(second.parts[2], 10)
    one, two = all_of(first.dest.parent, second.dest.parent)
    assert (one.path, two.path) == (str(first.lock_file), str(second.lock_file))
    assert is_whole(one, first)
    assert two.lock.failed


def test_the_lock_file_of_a_set(split: Carried, tree: Carried, tmp_path: Path) -> None:
    north, south = moved(split, tmp_path / "north"), moved(tree, tmp_path / "south")
    record = tmp_path / "images.lock.json"
    document = json.loads(north.lock_file.read_bytes())
    parts = [{"name": f"north/{part.name}", "size": part.size, "sha256": part.sha256} for part in north.lock.parts]
    record.write_text(json.dumps({**document, "parts": parts, "hosts": ["north", "south"]}))
    one, two = all_of(record)
    assert is_whole(one, north) and is_whole(two, south)
    for host in ("../north", "", "..", "a/b", "a\nb"):
        record.write_text(json.dumps({**document, "hosts": [host]}))
        with pytest.raises(LockFileError, match="is not the name of a host"):
            all_of(record)
    record.write_text(json.dumps({**document, "hosts": ["west"]}))
    with pytest.raises(SourceError, match=f"{tmp_path}/west has no lock file; copy that directory too"):
        all_of(record)


def test_an_unpacked_archive(split: Carried, tmp_path: Path) -> None:
    archive = tmp_path / "all.tar.gz"
    archive.write_bytes(b"".join(part.read_bytes() for part in split.parts))
    shutil.unpack_archive(archive, tmp_path / "out", filter="tar")
    for source in (tmp_path / "out", tmp_path / "out" / "saved-image-cache"):
        [found] = all_of(source)
        assert found.images == split.lock.images and is_whole(found, split)
        assert found.verify() == {} and found.has_offsets


def test_checksums_alone_find_damage(split: Carried, tmp_path: Path) -> None:
    carried = moved(split, tmp_path / "copy")
    carried.lock_file.unlink()
    [archive] = all_of(carried.parts[0])
    assert archive.verify() == {} and archive.images == carried.lock.images
    with carried.parts[4].open("ab") as file:
        file.write(b"x")
    with pytest.raises(DamagedPart, match=f"{carried.parts[4]} is damaged: it has another sha256"):
        all_of(carried.parts[5])


NONE: dict[str, tuple[Callable[[Path], Any], str]] = {
    "nothing": (lambda _place: None, "does not exist"),
    "an empty directory": (lambda place: place.mkdir(), "does not contain an archive"),
    "a file of another kind": (lambda place: place.write_bytes(b"x"), "is not a file of an archive"),
}


@pytest.mark.parametrize(("make", "said"), NONE.values(), ids=NONE)
def test_what_is_no_archive(tmp_path: Path, make: Callable[[Path], Any], said: str) -> None:
    place = tmp_path / "place"
    make(place)
    with pytest.raises(SourceError, match=f"src: {place} {said}; expected a lock file"):
        all_of(place)


def test_a_lock_file_alone(split: Carried, tree: Carried, tmp_path: Path) -> None:
    shutil.copy(split.lock_file, tmp_path)
    with pytest.raises(SourceError, match="but none of its parts"):
        all_of(tmp_path)
    (tmp_path / split.lock_file.name).unlink()
    shutil.copy(tree.lock_file, tmp_path)
    with pytest.raises(SourceError, match="belongs to a directory images, which is not beside it"):
        all_of(tmp_path / tree.lock_file.name)
    Path(tmp_path / "lost.tar.gz.sha256").write_text(f"{64 * 'a'}  lost.tar.gz\n")
    with pytest.raises(SourceError, match="nothing of the archive lost"):
        all_of(tmp_path / "lost.tar.gz.sha256")


@pytest.mark.parametrize("name", ["sub/part", "sub/../../x"])
def test_a_lock_file_that_names_other_files(split: Carried, tmp_path: Path, name: str) -> None:
    carried = moved(split, tmp_path / "copy")
    carried.write_lock(parts=(replace(carried.lock.parts[0], name=name),))
    with pytest.raises(LockFileError, match=r"which is not a part of|is not a valid part name"):
        all_of(carried.lock_file)


def test_a_lock_file_that_makes_no_sense(split: Carried, tree: Carried, tmp_path: Path) -> None:
    carried = moved(split, tmp_path / "copy")
    for parts in ((), (carried.lock.parts[0],) * 2):
        carried.write_lock(parts=parts)
        with pytest.raises(LockFileError, match="lists no parts, or one of them twice"):
            all_of(carried.lock_file)
    folder = moved(tree, tmp_path / "tree")
    folder.write_lock(parts=(Part("share/passwd", 1, 64 * "a"),))
    with pytest.raises(LockFileError, match="'share/passwd', which is not a file of an archive"):
        all_of(folder.lock_file)
    carried.lock_file.write_bytes(b" " * (64 * 1024 * 1024 + 1))
    with pytest.raises(LockFileError, match="which is not expected of such a file"):
        all_of(carried.lock_file)


def test_too_many_parts(tmp_path: Path) -> None:
    (tmp_path / "a.tar.part999999999").touch()
    with pytest.raises(SourceError, match="is not a part of an archive, which has at most 10000"):
        all_of(tmp_path)


def test_a_stick_that_does_not_answer(split: Carried, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_arguments: Any, **_more: Any) -> Any:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "stat", fail)
    with pytest.raises(SourceGone, match="cannot be read any more"):
        all_of(split.lock_file)
