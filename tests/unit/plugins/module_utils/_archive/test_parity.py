# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Parity files: their names, the parts that belong to each, and a lost part made again."""

from __future__ import annotations

import hashlib
from functools import reduce
from io import BytesIO

import pytest

from ansible_collections.airgap.images.plugins.module_utils._archive import parity
from ansible_collections.airgap.images.plugins.module_utils._archive.parity import (
    group_count,
    is_parity_name,
    members_of,
    parity_names,
    rebuild,
    xor,
)
from ansible_collections.airgap.images.plugins.module_utils._archive.parts import Part


def _part(content: bytes, name: str = "a.part1") -> Part:
    return Part(name, len(content), hashlib.sha256(content).hexdigest())


def _files(contents: list[bytes]) -> list[BytesIO]:
    return [BytesIO(content) for content in contents]


def _content(size: int, seed: int) -> bytes:
    return hashlib.shake_128(str(seed).encode()).digest(size)


def _plainly(contents: list[bytes]) -> bytes:
    length = max(map(len, contents))
    padded = (content.ljust(length, b"\0") for content in contents)
    return reduce(lambda one, other: bytes(a ^ b for a, b in zip(one, other)), padded)


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parity, "_PIECE", 16)
    monkeypatch.setattr(parity, "_PIECES", 3)
    monkeypatch.setattr(parity, "_WINDOW", 48)


@pytest.mark.parametrize(
    ("parts", "names"),
    [
        (2, ["a.tar.parity"]),
        (19, ["a.tar.parity"]),
        (20, ["a.tar.parity0"]),
        (39, ["a.tar.parity0"]),
        (40, ["a.tar.parity0", "a.tar.parity1"]),
        (10_000, [f"a.tar.parity{number}" for number in range(500)]),
    ],
)
def test_names(parts: int, names: list[str]) -> None:
    assert parity_names("a.tar", parts) == names
    assert group_count(parts) == len(names)
    assert all(is_parity_name("a.tar", name) for name in names)


@pytest.mark.parametrize("name", ["a.tar.part0", "a.tar.parity.tmp", "xa.tar.parity", "aXtar.parity", "a.tar.parity-1"])
def test_other_names_are_not_those_of_parity_files(name: str) -> None:
    assert not is_parity_name("a.tar", name)


@pytest.mark.parametrize("parts", [2, 19, 20, 39, 40, 61, 200])
def test_each_part_belongs_to_one_parity_file(parts: int) -> None:
    groups = [members_of(group, parts) for group in range(group_count(parts))]
    assert sorted(part for group in groups for part in group) == [*range(parts)]
    assert all(part in groups[part % group_count(parts)] for part in range(parts))
    assert parts < 20 or all(20 <= len(group) < 40 for group in groups)


@pytest.mark.parametrize("sizes", [[48, 48, 10], [100, 37, 144], [1, 0], [96, 96], [47, 200, 3, 49]])
def test_any_one_file_is_made_again_from_the_others(sizes: list[int]) -> None:
    contents = [_content(size, number) for number, size in enumerate(sizes)]
    contents.append(b"".join(xor(_files(contents))))
    assert contents[-1] == _plainly(contents[:-1])
    for lost, content in enumerate(contents):
        made: list[bytes] = []
        others = _files([one for number, one in enumerate(contents) if number != lost])
        assert rebuild(_part(content), others, made.append)
        assert b"".join(made) == content


def test_a_part_made_from_damaged_files_is_refused() -> None:
    contents = [b"first part", b"second", b"third"]
    whole = b"".join(xor(_files(contents)))
    damaged = [b"fIrst part", b"third", whole]
    assert not rebuild(_part(b"second"), _files(damaged), bytearray().extend)
    assert not rebuild(_part(b"first part"), _files([b"second", b"third", whole[:5]]), bytearray().extend)


def test_everything_that_is_read_can_be_hashed() -> None:
    contents = [_content(size, size) for size in (100, 48, 7)]
    seen = [bytearray() for _content in contents]
    for _piece in xor(_files(contents), seen=lambda number, data: seen[number].extend(data)):
        pass
    assert [bytes(one) for one in seen] == contents
