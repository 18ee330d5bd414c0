# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Surprising names and digests are reported."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ansible_collections.airgap.images.plugins.module_utils._oci.descriptor import digest_of
from ansible_collections.airgap.images.tests.support.pushing import index_of, manifest_of
from ansible_collections.airgap.images.tests.support.stand_in_registry import StandInRegistry
from ansible_collections.airgap.images.tests.unit.loading import load_into, write_layout

CONFIG = b"{}"
ONE, TWO, SIGNATURE = (manifest_of(CONFIG, annotations={"a": name}) for name in ("one", "two", "signature"))
NAME = "registry.example/team/app"


@pytest.fixture
def registry() -> Iterator[StandInRegistry]:
    with StandInRegistry() as served:
        yield served


def signature_of(raw: bytes) -> str:
    return f"{NAME}:{digest_of(raw).replace(':', '-')}.sig"


def test_a_signature_of_an_index_that_was_not_saved_as_a_whole(registry: StandInRegistry, tmp_path: Path) -> None:
    whole = index_of(ONE, TWO)
    src = write_layout(tmp_path / "some", {f"{NAME}:1": whole, signature_of(whole): SIGNATURE}, ONE, CONFIG)
    (note,) = load_into(registry, src).notes
    assert note.startswith(f"1 tag, such as {registry.host}/team/app:sha256-")
    assert "Save all of them, or load with index=source" in note


@pytest.mark.parametrize("others", [(ONE, TWO), (ONE,)], ids=["whole index", "one platform"])
def test_signatures_of_what_keeps_its_digest(
    registry: StandInRegistry, tmp_path: Path, others: tuple[bytes, ...]
) -> None:
    """Also of a single platform image of an index that gets another digest."""
    index = index_of(ONE, TWO)
    signed = index if len(others) == 2 else ONE
    src = write_layout(tmp_path / "all", {f"{NAME}:1": index, signature_of(signed): SIGNATURE}, *others, CONFIG)
    assert load_into(registry, src).notes == ()


def test_tags_that_differ_in_case_only(registry: StandInRegistry, tmp_path: Path) -> None:
    src = write_layout(tmp_path / "case", {f"{NAME}:v1": ONE, f"{NAME}:V1": TWO, f"{NAME}:w": ONE}, CONFIG)
    (note,) = load_into(registry, src).notes
    assert f"{registry.host}/team/app:v1 and {registry.host}/team/app:V1, differ in case only" in note
    same = write_layout(tmp_path / "same", {f"{NAME}:v1": ONE, f"{NAME}:V1": ONE}, CONFIG)
    assert load_into(registry, same).notes == ()
