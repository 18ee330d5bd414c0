# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The images that a cache records as accepted."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from ansible_collections.airgap.images.plugins.module_utils._cache.cache import Cache
from ansible_collections.airgap.images.plugins.module_utils._oci.reference import Repository
from ansible_collections.airgap.images.tests.unit.fakes import (
    Sample,
    names_below,
)

SAMPLE = Sample(b"one", b"two")


FIRST, SECOND = "ab" * 32, "cd" * 32


def test_what_was_let_through_is_noted_by_configuration_and_repository(root: Path) -> None:
    before, after = Cache(str(root), FIRST), Cache(str(root), SECOND)
    elsewhere = replace(SAMPLE.image, repository=Repository("other.lan", "app"))
    with before.opened(0):
        SAMPLE.put(before)
    assert (before.acceptances.has(SAMPLE.image), before.acceptances.has(elsewhere)) == (True, False)
    assert not after.acceptances.has(SAMPLE.image)
    assert after.folders.stored(elsewhere) is not None, "the blobs are the same wherever they came from"
    with after.opened(0):
        after.acceptances.record(elsewhere)
    assert (after.acceptances.has(elsewhere), after.acceptances.has(SAMPLE.image)) == (True, False)
    assert before.acceptances.has(SAMPLE.image), "what was noted stays so"


def test_a_mirror_is_noted_with_the_name_that_was_accepted(root: Path) -> None:
    """The policy for another name, or for the mirror's own, may be another one."""
    cache = Cache(str(root), FIRST)
    names = ("", "docker.io/team/app", "quay.io/team/app")
    images = [replace(SAMPLE.image, repository=Repository("mirror.lan", "hub/app", name)) for name in names]
    with cache.opened(0):
        SAMPLE.put(cache)
        cache.acceptances.record(images[1])
        assert [cache.acceptances.has(image) for image in images] == [False, True, False]
        assert [cache.folders.is_from_elsewhere(image) for image in images] == [True, False, True]


def test_what_an_earlier_release_noted_counts_for_nothing(root: Path) -> None:
    """It noted a name of the policy, which stayed the same when its content changed."""
    cache = Cache(str(root), FIRST)
    with cache.opened(0):
        folder = root / SAMPLE.put(cache).source.folder
        (folder / "accepted").write_text(f"system {SAMPLE.image.repository}\n")
        assert not cache.acceptances.has(SAMPLE.image)
        cache.acceptances.record(SAMPLE.image)
    assert (folder / "accepted").read_text() == f"{FIRST} {SAMPLE.image.repository}\n"


def test_nothing_is_noted_beside_what_is_not_there(root: Path) -> None:
    cache = Cache(str(root), FIRST)
    with cache.opened(0):
        before = names_below(root)
        cache.acceptances.record(SAMPLE.image)
        assert names_below(root) == before
