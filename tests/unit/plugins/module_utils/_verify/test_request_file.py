# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from ansible_collections.airgap.images.plugins.module_utils._archive.request import Request, read_request, write_request
from ansible_collections.airgap.images.plugins.module_utils._base.errors import OptionError
from ansible_collections.airgap.images.plugins.module_utils._oci.image import hex_of
from ansible_collections.airgap.images.plugins.module_utils._verify.result import ASKABLE
from ansible_collections.airgap.images.tests.unit.carried import carry, change
from ansible_collections.airgap.images.tests.unit.verify_scene import verified


def test_it_asks_for_what_is_lost_and_is_removed_when_nothing_is(tmp_path: Path) -> None:
    carried = carry(tmp_path)
    path = tmp_path / "asked" / "a.request.json"
    for number in (4, 1):
        change(carried.parts[number], 3)
    foreseen = verified(carried.lock_file, request_file=str(path), check=True)
    assert foreseen.changed and foreseen.request_files == (str(path),) and not path.exists()
    result = verified(carried.lock_file, request_file=str(path))
    assert result.changed and f"carry {path} out" in result.sentence(check=False)
    found = result.verdicts[0].archive.found
    assert read_request(path.read_bytes(), path="") == Request(carried.dest.name, found.lock_sha256, (1, 4))
    assert not verified(carried.lock_file, request_file=str(path)).changed
    for number in (4, 1):
        change(carried.parts[number], 3)
    assert verified(carried.lock_file, request_file=str(path), check=True).changed and path.exists()
    result = verified(carried.lock_file, request_file=str(path))
    assert result.changed and not result.request_files and not path.exists()
    assert not verified(carried.lock_file, request_file=str(path)).changed


def test_what_else_is_asked_for_stays(tmp_path: Path) -> None:
    """A load asks for blobs that the registry lost, in a file of the same name."""
    carried = carry(tmp_path)
    path = tmp_path / "asked" / f"{carried.dest.name}.request.json"
    path.parent.mkdir()
    lock_sha256 = verified(carried.lock_file).verdicts[0].archive.found.lock_sha256
    lost = Request(carried.dest.name, lock_sha256, digests=("sha256:" + 64 * "a",))
    path.write_bytes(write_request(lost))
    result = verified(carried.lock_file, request_file=f"{path.parent}/")
    assert not result.changed and result.request_files == (str(path),)
    change(carried.parts[2], 3)
    assert verified(carried.lock_file, request_file=f"{path.parent}/").changed
    assert read_request(path.read_bytes(), path="") == replace(lost, parts=(2,))
    change(carried.parts[2], 3)
    assert verified(carried.lock_file, request_file=str(path.parent)).changed
    assert read_request(path.read_bytes(), path="") == lost


def test_that_of_another_archive_is_left_until_something_is_lost(tmp_path: Path) -> None:
    carried = carry(tmp_path)
    path = tmp_path / "a.request.json"
    other = write_request(Request("old.tar.gz", 64 * "b", (3,)))
    path.write_bytes(other)
    assert not verified(carried.lock_file, request_file=str(path)).changed and path.read_bytes() == other
    change(carried.parts[2], 3)
    assert verified(carried.lock_file, request_file=str(path)).changed
    assert read_request(path.read_bytes(), path="").archive == carried.dest.name


def test_the_next_step_is_named(tmp_path: Path) -> None:
    """The option of image_save that takes the file; without a file, the option that writes one."""
    carried, path = carry(tmp_path), tmp_path / "a.request.json"
    change(carried.parts[0], 3)
    told = verified(carried.lock_file, request_file=str(path)).sentence(check=False)
    way = f"or carry {path} out and name it in the option request of image_save, which makes exactly these files"
    assert told.endswith(f"Copy what is lost across again, {way}") and "with request_file" not in told
    assert verified(carried.lock_file).sentence(check=False).endswith(ASKABLE)


def test_several_archives_need_a_directory(tmp_path: Path) -> None:
    one, two = carry(tmp_path / "1"), carry(tmp_path / "2", "zstd in parts")
    file, folder = tmp_path / "a.request.json", tmp_path / "out"
    change(one.parts[0], 3)
    change(two.parts[0], 3)
    with pytest.raises(OptionError, match="can ask for one archive only"):
        verified(one.lock_file, two.lock_file, request_file=str(file))
    result = verified(one.lock_file, two.lock_file, request_file=f"{folder}/")
    assert {*result.request_files} == {f"{folder}/{each.dest.name}.request.json" for each in (one, two)}
    for each in (one, two):
        change(each.parts[0], 3)
    verified(one.lock_file, two.lock_file, request_file=f"{folder}/")
    assert [*folder.iterdir()] == []


def test_archives_of_one_name_have_files_of_their_own(tmp_path: Path) -> None:
    one, two = carry(tmp_path / "1"), carry(tmp_path / "2", part_size="200KB")
    assert one.dest.name == two.dest.name
    for each in (one, two):
        change(each.parts[0], 3)
    result = verified(one.lock_file, two.lock_file, request_file=f"{tmp_path}/out/")
    assert len({*result.request_files}) == 2 and all(one.dest.name in path for path in result.request_files)


def test_blobs_of_a_directory_are_asked_for_by_digest(tmp_path: Path) -> None:
    """Its other files are not made one by one: a request with them would be refused, and what it asks for not made."""
    carried = carry(tmp_path, "dir")
    digest = max(carried.blobs, key=lambda each: len(carried.blobs[each]))
    (carried.dest / "share/sha256" / hex_of(digest)).unlink()
    change(carried.dest / "index.json", 3)
    path = tmp_path / "a.request.json"
    told = verified(carried.lock_file, request_file=str(path)).sentence(check=False)
    request = read_request(path.read_bytes(), path="")
    assert (request.parts, request.digests) == ((), (digest,))
    assert told.endswith(
        ". index.json cannot be asked for; copy the files of the directory that are not in share across again"
    )
    (carried.dest / "share/sha256" / hex_of(digest)).write_bytes(carried.blobs[digest])
    told = verified(carried.lock_file, request_file=str(path)).sentence(check=False)
    assert told.endswith("Copy what is lost across again, or save the archive again") and not path.exists()
    change(carried.dest / "index.json", 3)
    assert not verified(carried.lock_file, request_file=str(path)).is_failure
