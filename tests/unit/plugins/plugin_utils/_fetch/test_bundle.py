# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Small files together: which they are. What comes of bundles is in test_image_fetch_bundle.py."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.airgap.images.plugins.module_utils._archive.bundle import size_of, write_bundle
from ansible_collections.airgap.images.plugins.plugin_utils._fetch.bundle import (
    FEW,
    LARGEST,
    SMALL,
    bundles_of,
    member_of,
    recover,
)
from ansible_collections.airgap.images.plugins.plugin_utils._fetch.place import Item

SHA = "ab" * 32


def item(number: int, size: int, source: str = "") -> Item:
    name = f"images/{number}"
    return Item(source or f"/srv/{name}", name, size, SHA)


def sizes(*items: Item) -> list[list[int]]:
    return [[each.size for each in bundle] for bundle in bundles_of(items, "/srv")]


def test_a_few_files_are_not_worth_a_bundle() -> None:
    few = [item(number, 10) for number in range(FEW - 1)]
    assert sizes(*few) == []
    assert sizes(*few, item(99, SMALL)) == [], "a large one does not count"
    assert sizes(*few, item(99, SMALL - 1)) == [[10] * (FEW - 1) + [SMALL - 1]]


def test_large_files_are_not_bundled() -> None:
    items = [item(number, SMALL if number % 2 else number) for number in range(2 * FEW)]
    assert sizes(*items) == [list(range(0, 2 * FEW, 2))]
    assert sizes(*(item(number, SMALL) for number in range(FEW))) == []


def test_files_that_are_elsewhere_are_not_bundled() -> None:
    """The list of failed images can be in another directory than the archive."""
    items = [item(number, 10) for number in range(FEW)]
    assert sizes(item(99, 1, "/home/failed.txt"), *items) == [[10] * FEW]


@given(st.lists(st.integers(0, SMALL - 1), min_size=FEW, max_size=300))
def test_no_bundle_is_too_large_and_nothing_is_left_out(given: list[int]) -> None:
    items = [item(number, size) for number, size in enumerate(given)]
    found = list(bundles_of(items, "/srv"))
    assert [each for bundle in found for each in bundle] == items
    for bundle in found:
        assert bundle
        assert size_of(map(member_of, bundle)) <= LARGEST
    for bundle, following in zip(found, found[1:]):
        assert size_of(map(member_of, [*bundle, following[0]])) > LARGEST, "as few bundles as possible"


@pytest.mark.parametrize("archive", ["images", "n" * 200, "n" * 250])
def test_what_a_broken_bundle_has_is_recovered(tmp_path: Path, archive: str) -> None:
    """Names of any length: the header of a long one has several blocks."""
    contents = {f"{archive}/{number}": bytes([number]) * 600 for number in range(4)}
    items = [Item("", name, 600, hashlib.sha256(content).hexdigest()) for name, content in contents.items()]
    (tmp_path / archive).mkdir()
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    assert write_bundle(str(tmp_path / "bundle"), str(tmp_path), [member_of(each) for each in items]) == []
    raw = (tmp_path / "bundle").read_bytes()
    last = raw.rindex(contents[items[-1].name])
    for length, whole in {len(raw): 4, last + 599: 3, last: 3, last - 100: 3, last - 512: 3, 100: 0, 0: 0}.items():
        (tmp_path / f"first-{length}").mkdir()

        def target(each: Item, length: int = length) -> str:
            return str(tmp_path / f"first-{length}" / each.name.rpartition("/")[2])

        assert recover(io.BytesIO(raw[:length]), items[::-1], target=target) == items[:whole]
        arrived = sorted(path.name for path in (tmp_path / f"first-{length}").iterdir())
        assert arrived == [str(number) for number in range(whole)]
