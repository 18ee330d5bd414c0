# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ansible_collections.airgap.images.plugins.module_utils._archive.lock import (
    Lock,
    LockedImage,
    LockedPlatform,
    LockedSkip,
)
from ansible_collections.airgap.images.plugins.module_utils._archive.lock_changes import (
    changed_only,
    file_line,
    record_lines,
)
from ansible_collections.airgap.images.plugins.module_utils._oci.media_types import OCI_INDEX, OCI_MANIFEST
from ansible_collections.airgap.images.plugins.module_utils._oci.reference import parse_reference
from ansible_collections.airgap.images.tests.unit.fakes import AMD64

DIGEST, OTHER = "sha256:" + "ab" * 32, "sha256:" + "cd" * 32


def image(reference: str, digest: str = DIGEST) -> LockedImage:
    platforms = [LockedPlatform(OTHER, OTHER, OCI_MANIFEST, 1, one) for one in (AMD64, None)]
    return LockedImage(parse_reference(reference), digest, OCI_INDEX, tuple(platforms), ())


def test_each_reference_has_a_line() -> None:
    skip = LockedSkip(parse_reference("c/d:1"), "", "for\x1b windows")
    lock = Lock({}, (image("a/b:1"),), (skip,), ("docker.io/e/f:1",))
    assert record_lines(lock) == [
        f"image docker.io/a/b:1: {DIGEST} (linux/amd64, artefact)",
        "skipped docker.io/c/d:1: for\\x1b windows",
        "failed docker.io/e/f:1",
    ]
    assert record_lines(lock, {"docker.io/a/b:1": "north"})[0].endswith("(linux/amd64, artefact) on north")
    assert record_lines(None) == []


def test_a_file_has_its_size_and_checksum() -> None:
    assert file_line("a.part0", 5, "ef" * 32) == f"file a.part0: 5 bytes, sha256:{'ef' * 32}"


def test_only_what_differs_is_shown() -> None:
    before = record_lines(Lock({}, (image("a/b:1"), image("c/d:1"), image("gone:1"))))
    after = record_lines(Lock({}, (image("new:1"), image("a/b:1"), image("c/d:1", OTHER))))
    shown = changed_only(before, after)
    assert [line.split(": ")[0] for line in shown["before"].splitlines()] == [
        "image docker.io/c/d:1",
        "image docker.io/library/gone:1",
    ]
    assert [line.split(": ")[0] for line in shown["after"].splitlines()] == [
        "image docker.io/library/new:1",
        "image docker.io/c/d:1",
    ]
    assert changed_only(before, before) == {"before": "", "after": ""}
