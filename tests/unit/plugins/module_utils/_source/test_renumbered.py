# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Parts that were carried across when they had other numbers."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.airgap.images.plugins.module_utils._source.joined import PartFile
from ansible_collections.airgap.images.plugins.module_utils._source.renumbered import find_renumbered
from ansible_collections.airgap.images.tests.unit.carried import Carried, carry

SIZES = (10, 20, 30, 30, 40)
CASES: dict[str, tuple[dict[str, int], list[str]]] = {
    "all there": ({"p0": 10, "p1": 20, "p2": 30, "p3": 30, "p4": 40}, ["p0", "p1", "p2", "p3", "p4"]),
    "shifted": ({"p0": 10, "p1": 99, "p2": 20, "p3": 30, "p5": 40}, ["p0", "p2", "", "p3", "p5"]),
    "two parts of a size": ({"p7": 30, "p8": 30}, ["", "", "", "", ""]),
    "two files of a size": ({"p7": 20, "p8": 20}, ["", "", "", "", ""]),
    "one file in two places": ({"a/p7": 20, "b/p7": 20}, ["", "b/p7", "", "", ""]),
    "of other folders": ({"p0": 10, "b/p9": 40, "b/p1": 20}, ["p0", "b/p1", "", "", "b/p9"]),
    "one of two parts of a size": ({"p2": 30, "p9": 30}, ["", "", "p2", "", ""]),
    "no size of these": ({"p7": 1, "p8": 2}, ["", "", "", "", ""]),
}


@pytest.mark.parametrize(("there", "expected"), CASES.values(), ids=CASES)
def test_a_part_is_found_where_its_size_is_the_only_one(there: dict[str, int], expected: list[str]) -> None:
    own = [f"p{number}" if f"p{number}" in there else "" for number in range(len(SIZES))]
    starts = [sum(SIZES[:number]) for number in range(len(SIZES))]
    parts = [PartFile(f"p{n}", path, start, size, "") for n, (path, start, size) in enumerate(zip(own, starts, SIZES))]
    found = find_renumbered(parts, there)
    assert [(part.name, part.start, part.size) for part in found] == [(p.name, p.start, p.size) for p in parts]
    right = [part.path if there.get(part.path) == part.size else "" for part in found]
    assert right == expected


@pytest.fixture
def carried(tmp_path: Path) -> Carried:
    return carry(tmp_path, "gzip by image")


def test_an_archive_whose_numbers_have_shifted_is_read(carried: Carried) -> None:
    folder, name = carried.dest.parent, carried.dest.name
    for number in reversed(range(1, len(carried.parts))):
        carried.parts[number].rename(folder / f"{name}.part{number + 1}")
    (folder / f"{name}.part1").write_bytes(b"of an image that has left the list")
    archive = carried.open()
    assert not archive.missing_parts and not archive.verify()
    for digest, content in carried.blobs.items():
        with archive.open_blob(digest) as reader:
            assert reader.read() == content


def test_a_part_of_the_size_alone_is_no_part(carried: Carried) -> None:
    """What has the size of a part that is not there, but not its bytes, is called damaged by its own name."""
    folder, name = carried.dest.parent, carried.dest.name
    size = carried.parts[1].stat().st_size
    carried.parts[1].unlink()
    other = folder / f"{name}.part17"
    other.write_bytes(bytes(size))
    said = carried.open().verify()
    assert [str(damage) for damage in said.values()] == [
        f"{other} is damaged: it has another sha256 than recorded. Copy it again"
    ]
    assert [*said] == [f"{name}.part1"]
