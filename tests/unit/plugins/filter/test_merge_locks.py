# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter that merges lock files: what a playbook gives and gets."""

from __future__ import annotations

import json

import pytest
from ansible.errors import AnsibleFilterError
from ansible.release import __version__ as core_version
from ansible.utils.unsafe_proxy import AnsibleUnsafe

from ansible_collections.airgap.images.plugins.filter.merge_locks import FilterModule, merge_locks
from ansible_collections.airgap.images.plugins.module_utils._archive.lock import Lock, LockedSkip
from ansible_collections.airgap.images.plugins.module_utils._archive.lock_file import read_lock, write_lock
from ansible_collections.airgap.images.plugins.module_utils._oci.reference import parse_reference

CORE = tuple(int(number) for number in core_version.split(".")[:2])
ONE, TWO = "one/images.tar.gz.lock.json", "two/images.tar.gz.lock.json"


def text(reference: str, reason: str = "why") -> str:
    """A lock file with one reference."""
    return write_lock(
        Lock({"compress": "gzip"}, (), skipped=(LockedSkip(parse_reference(reference), "", reason),))
    ).decode()


def test_it_is_offered() -> None:
    assert FilterModule().filters() == {"merge_locks": merge_locks}


def test_what_it_returns() -> None:
    merged = merge_locks({ONE: text("a", "für später"), TWO: text("b")}, images=["b", "a"])
    assert [skip.reason for skip in read_lock(merged.encode(), path="x").skipped] == ["für später", "why"]
    assert json.loads(merged)["hosts"] == ["one", "two"]


def test_errors_name_the_filter() -> None:
    for content in ("no JSON", "\ud800"):
        with pytest.raises(AnsibleFilterError, match=f"merge_locks: {ONE} is not a lock file"):
            merge_locks({ONE: content})
    with pytest.raises(AnsibleFilterError, match="merge_locks: 1 image of the list not found in any host's archive"):
        merge_locks({ONE: text("a")}, ["b"])


def test_what_a_lock_file_says_is_never_taken_for_a_template() -> None:
    reason = "{{ lookup('pipe', 'id') }}"
    found = merge_locks({ONE: text("a", reason)})
    assert reason in found
    assert CORE >= (2, 19) or isinstance(found, AnsibleUnsafe), "later ones evaluate only what is marked as trusted"
