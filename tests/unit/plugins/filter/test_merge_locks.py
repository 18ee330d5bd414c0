# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter that merges lock files: what a playbook gives and gets."""

from __future__ import annotations

import json

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.airgap.images.plugins.filter.merge_locks import FilterModule, merge_locks
from ansible_collections.airgap.images.plugins.module_utils._lock import Lock, LockedSkip, read_lock, write_lock
from ansible_collections.airgap.images.plugins.module_utils._reference import parse_reference


def text(reference: str, reason: str = "why") -> str:
    """A lock file with one reference."""
    return write_lock(Lock({}, (), skipped=(LockedSkip(parse_reference(reference), "", reason),))).decode()


def test_it_is_offered() -> None:
    assert FilterModule().filters() == {"merge_locks": merge_locks}


def test_what_it_returns() -> None:
    merged = merge_locks({"one": text("a", "für später"), "two": text("b")}, images=["b", "a"])
    assert [skip.reason for skip in read_lock(merged.encode(), path="x").skipped] == ["für später", "why"]
    assert json.loads(merged)["hosts"] == ["one", "two"]


def test_errors_name_the_filter() -> None:
    with pytest.raises(AnsibleFilterError, match="merge_locks: the lock file of one is no lock file"):
        merge_locks({"one": "no JSON"})
    with pytest.raises(AnsibleFilterError, match="merge_locks: 1 images of the list are in no host's archive"):
        merge_locks({"one": text("a")}, ["b"])
