# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The files on the controller that are copied to a host."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from ansible_collections.airgap.images.plugins.module_utils._base.errors import OptionError
from ansible_collections.airgap.images.plugins.module_utils._source.errors import SourceError
from ansible_collections.airgap.images.plugins.plugin_utils._carry.cargo import Cargo, cargo_of
from ansible_collections.airgap.images.tests.unit.carried import carry

DIRECTORY = "/srv/in"


def names(cargo: Cargo) -> set[str]:
    return {item.name for item in cargo.items}


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture(scope="module")
def stick(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an archive in parts."""
    return carry(tmp_path_factory.mktemp("stick")).dest.parent


def test_lock_file_and_parts_are_copied_the_small_ones_first(stick: Path) -> None:
    (lock,) = stick.glob("*.lock.json")
    parts = {path.name for path in stick.glob("*.part*")}
    cargo = cargo_of([str(stick)], DIRECTORY)
    assert names(cargo) == {lock.name, *parts} and len(parts) > 2
    assert cargo.sources == (lock.name,)
    assert [item.size for item in cargo.items] == sorted(item.size for item in cargo.items)
    for item in cargo.items:
        assert item.size == Path(item.path).stat().st_size
        assert item.sha256 == digest(Path(item.path))


def test_check_mode_says_what_would_be_copied(stick: Path, tmp_path: Path) -> None:
    """How many images there are is only known if all archives have lock files."""
    cargo = cargo_of([str(stick)], DIRECTORY)
    coming = [item for item in cargo.items if item.size == 100_000]
    told = cargo.foreseen(coming[:2], DIRECTORY)
    assert told == (
        "would copy 2 files (195.3 KiB) to /srv/in, of 1 archive with 3 images. What would be loaded of that can be "
        "determined once the files are there"
    )
    without = carry(tmp_path)
    without.strip_lock()
    told = cargo_of([str(without.parts[0])], DIRECTORY).foreseen(coming[:1], DIRECTORY)
    assert "to /srv/in, of 1 archive. What" in told


def test_parts_that_are_not_there_yet_are_left_out(tmp_path: Path) -> None:
    carried = carry(tmp_path)
    carried.parts[1].unlink()
    assert names(cargo_of([str(carried.lock_file)], DIRECTORY)) == {
        carried.lock_file.name,
        *(part.name for number, part in enumerate(carried.parts) if number != 1),
    }


def test_without_a_lock_file_parts_are_hashed(tmp_path: Path) -> None:
    carried = carry(tmp_path)
    carried.strip_lock()
    cargo = cargo_of([str(carried.parts[0])], DIRECTORY)
    assert cargo.sources == (carried.parts[0].name,)
    assert {item.name: item.sha256 for item in cargo.items} == {part.name: digest(part) for part in carried.parts}


def test_two_archives_of_one_name_are_refused(tmp_path: Path) -> None:
    first = carry(tmp_path / "a")
    second = carry(tmp_path / "b", "gzip level 6", part_size="100KB")
    with pytest.raises(OptionError, match="are different files of one name"):
        cargo_of([str(first.lock_file), str(second.lock_file)], DIRECTORY)


def test_a_directory_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="is an unpacked directory"):
        cargo_of([str(carry(tmp_path, "dir").dest)], DIRECTORY)


def test_what_is_no_archive_is_named_with_the_variable(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="image_load_controller_src, on the controller: "):
        cargo_of([str(tmp_path)], DIRECTORY)
