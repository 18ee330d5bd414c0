# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ansible_collections.airgap.images.plugins.module_utils._archive.lock import Lock
from ansible_collections.airgap.images.plugins.module_utils._archive.lock_file import write_lock
from ansible_collections.airgap.images.plugins.module_utils._archive.parts import Part
from ansible_collections.airgap.images.plugins.plugin_utils._lists.merged_lock import merge
from ansible_collections.airgap.images.plugins.plugin_utils._set.changes import difference
from ansible_collections.airgap.images.tests.unit.plugins.module_utils._archive.test_lock_changes import image


def set_of(**references: str) -> bytes:
    """The lock file of hosts with an image each."""
    part = Part("images.tar.gz", 5, "ef" * 32)
    locks = {host: Lock({"compress": "gzip"}, (image(name),), parts=(part,)) for host, name in references.items()}
    return merge({f"{host}/images.tar.gz.lock.json": write_lock(lock) for host, lock in locks.items()})


BEFORE, AFTER = set_of(north="a:1", east="b:1"), set_of(north="a:1", west="b:1")


def test_images_and_files_that_differ_are_shown_with_their_hosts() -> None:
    shown = difference("/media/images.lock.json", BEFORE, AFTER)
    assert shown["before_header"] == shown["after_header"] == "/media/images.lock.json"
    for side, host in (("before", "east"), ("after", "west")):
        (moved, file) = shown[side].splitlines()
        assert moved.startswith("image docker.io/library/b:1: sha256:") and moved.endswith(f" on {host}")
        assert file == f"file {host}/images.tar.gz: 5 bytes, sha256:{'ef' * 32}"


def test_what_is_not_a_lock_file_has_no_lines() -> None:
    for before in (b"", b"{}", b"nonsense"):
        shown = difference("x", before, AFTER)
        assert shown["before"] == "" and len(shown["after"].splitlines()) == 4
