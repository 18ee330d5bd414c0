# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Parts that are there under other numbers."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ansible_collections.airgap.images.plugins.plugin_utils._fetch import place as place_module
from ansible_collections.airgap.images.plugins.plugin_utils._fetch.place import Item, Place
from ansible_collections.airgap.images.plugins.plugin_utils._fetch.renamed import (
    find_renamed,
    keep_arrived,
    take_over,
)
from ansible_collections.airgap.images.tests.unit.archives import (
    NAME,
    arrive,
    compared,
    item,
    place_at,
    publish_all,
    stale,
    tree,
)

PARTS = {f"{NAME}.part{number}": f"image {number}".encode() for number in range(6)}
SHIFTED = dict(zip(PARTS, [b"image 0", b"the new image", *list(PARTS.values())[1:5]]))
"""A new image came after the first one, and the last part is another."""
LAST = {f"{NAME}.part6": b"other documents"}
NEW = {**SHIFTED, **LAST}


@pytest.fixture
def place(tmp_path: Path) -> Place:
    for name, data in PARTS.items():
        (tmp_path / name).write_bytes(data)
    return place_at(tmp_path)


def items_of(files: dict[str, bytes]) -> list[Item]:
    return [item(name, data) for name, data in files.items()]


def bring(place: Place, files: dict[str, bytes]) -> list[str]:
    """Transfer what is wanted, and return its names."""
    coming = compared(place, *items_of(files)).coming
    for one in coming:
        arrive(place, one, files[one.name])
    return [one.name for one in coming]


def test_parts_that_only_have_another_number_do_not_come_again(place: Place, tmp_path: Path) -> None:
    old = {name: os.stat(tmp_path / name).st_ino for name in PARTS}
    found = compared(place, *items_of(NEW))
    assert [one.name for one in found.coming] == [f"{NAME}.part1", f"{NAME}.part6"]
    assert {one.name: os.path.basename(path) for one, path in found.renamed.items()} == {
        f"{NAME}.part{number + 1}": f"{NAME}.part{number}" for number in range(1, 5)
    }
    assert not found.stale
    assert tree(tmp_path) == PARTS, "nothing is renamed before everything is there"
    bring(place, NEW)
    publish_all(place, *items_of(NEW))
    assert tree(tmp_path) == NEW
    for number in range(1, 5):
        assert os.stat(tmp_path / f"{NAME}.part{number + 1}").st_ino == old[f"{NAME}.part{number}"]


def test_numbers_of_more_digits(place: Place, tmp_path: Path) -> None:
    wider = {name.replace("part", "part0"): data for name, data in PARTS.items()}
    assert not bring(place, wider)
    assert not stale(place, *items_of(wider)), "all are in use"
    publish_all(place, *items_of(wider))
    assert tree(tmp_path) == wider


def test_what_is_used_nowhere_goes(place: Place, tmp_path: Path) -> None:
    fewer = dict(zip(PARTS, [b"image 0", b"image 4"]))
    assert not bring(place, fewer)
    assert [os.path.basename(path) for path in stale(place, *items_of(fewer))] == [
        f"{NAME}.part{number}" for number in (2, 3, 5)
    ]
    publish_all(place, *items_of(fewer))
    assert tree(tmp_path) == fewer


MOVES = 4 + 6  # those with other numbers are set aside, and then all that is wanted gets its name


def kill_after(moved: int, place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Publish the new archive, and die after so many files were renamed."""
    left = iter(range(moved))
    replace = os.replace

    def kill(source: str, target: str) -> None:
        if next(left, None) is None:
            raise KeyboardInterrupt
        replace(source, target)

    bring(place, NEW)
    with monkeypatch.context() as patched:
        patched.setattr(os, "replace", kill)
        with pytest.raises(KeyboardInterrupt):
            publish_all(place, *items_of(NEW))


@pytest.mark.parametrize("moved", range(MOVES))
def test_a_run_that_is_killed_between_any_two_names_loses_nothing(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moved: int
) -> None:
    kill_after(moved, place, monkeypatch)
    assert {*NEW.values()} <= {data for data in tree(tmp_path).values() if isinstance(data, bytes)}
    assert not bring(place, NEW)
    publish_all(place, *items_of(NEW))
    assert tree(tmp_path) == NEW


@pytest.mark.parametrize("moved", [2, 6, 9])
def test_parts_of_a_killed_run_serve_what_is_wanted_then(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moved: int
) -> None:
    """The archive changes between the runs: what stands nowhere under its old number is still not transferred."""
    kill_after(moved, place, monkeypatch)
    names = [f"{NAME}.part{number}" for number in range(8)]
    newest = dict(
        zip(names, [b"image 4", b"image 0", b"one more", b"the new image", *list(PARTS.values())[1:4], b"end"])
    )
    keep_arrived(place, items_of(newest))
    assert bring(place, newest) == [f"{NAME}.part2", f"{NAME}.part7"]
    publish_all(place, *items_of(newest))
    assert tree(tmp_path) == newest


def test_only_files_of_a_wanted_size_are_read_and_each_once(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    sha256_of = place_module.sha256_of

    def note(path: str) -> str:
        read.append(os.path.basename(path))
        return sha256_of(path)

    monkeypatch.setattr(place_module, "sha256_of", note)
    paths = [place.final(one) for one in items_of(PARTS)]
    Path(paths[2]).write_bytes(b"longer than the others")
    wanted = [item(f"{NAME}.part9", b"image 3"), item(f"{NAME}.part8", b"image 9")]
    assert find_renamed(place, wanted, [*paths, f"{paths[0]}0"]) == {wanted[0]: paths[3]}
    assert read == [f"{NAME}.part{number}" for number in (0, 1, 3, 4, 5)]


def test_a_file_serves_one_part_and_a_content_comes_once(place: Place) -> None:
    twice = [item(f"{NAME}.part8", b"image 3"), item(f"{NAME}.part9", b"image 3")]
    found = compared(place, *twice)
    assert [one.name for one in found.renamed] == [f"{NAME}.part8"]
    assert found.coming == (twice[1],)


def test_links_are_not_followed(place: Place, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_bytes(b"image 9")
    (tmp_path / f"{NAME}.part5").unlink()
    (tmp_path / f"{NAME}.part5").symlink_to("elsewhere")
    wanted = item(f"{NAME}.part7", b"image 9")
    assert compared(place, wanted).coming == (wanted,)


def test_other_files_are_not_used(tmp_path: Path) -> None:
    for name in (f"{NAME}.part0.bak", "other.tar.gz.part0", f"{NAME}.sha256"):
        (tmp_path / name).write_bytes(b"image 1")
    wanted = item(f"{NAME}.part7", b"image 1")
    assert compared(place_at(tmp_path), wanted).coming == (wanted,)


def test_an_archive_of_another_name_may_have_other_numbers_too(tmp_path: Path) -> None:
    place = Place(str(tmp_path), "new.tar.gz")
    for name, data in PARTS.items():
        (tmp_path / name).write_bytes(data)
    (tmp_path / f"{NAME}.lock.json").touch()
    wanted = [item(name.replace(NAME, "new.tar.gz"), data) for name, data in SHIFTED.items()]
    left = take_over(place, wanted, NAME)
    assert [os.path.basename(path) for path in left] == [f"{NAME}.part5"]
    arrived = {name: data for name, data in tree(tmp_path).items() if name.startswith(".new.tar.gz.fetching/")}
    assert [*arrived.values()] == [data for data in SHIFTED.values() if data != b"the new image"]
    assert [one.name for one in compared(place, *wanted).coming] == ["new.tar.gz.part1"]
