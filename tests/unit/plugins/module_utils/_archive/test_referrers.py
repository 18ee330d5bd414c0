# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which image each signature, SBOM and the like of an archive belongs to."""

from __future__ import annotations

import itertools

import pytest

from ansible_collections.airgap.images.plugins.module_utils._archive.lock import Lock, LockedImage, LockedPlatform
from ansible_collections.airgap.images.plugins.module_utils._archive.lock_file import read_lock, write_lock
from ansible_collections.airgap.images.plugins.module_utils._archive.referrers import (
    all_owners_of,
    images_only,
    kind_of_referrer,
    owners_of,
    referrers_by_image,
)
from ansible_collections.airgap.images.plugins.module_utils._base.errors import LockFileError
from ansible_collections.airgap.images.plugins.module_utils._oci.media_types import OCI_INDEX, OCI_MANIFEST
from ansible_collections.airgap.images.plugins.module_utils._oci.reference import parse_reference


def digest(number: int) -> str:
    return f"sha256:{number:064x}"


def image(name: str, number: int, *platforms: int, refers_to: int = 0, artifact_type: str = "") -> LockedImage:
    manifests = (LockedPlatform(digest(one), digest(one), OCI_MANIFEST, 1, None) for one in platforms or (number,))
    return LockedImage(
        parse_reference(name),
        digest(number),
        OCI_INDEX if platforms else OCI_MANIFEST,
        tuple(manifests),
        (),
        refers_to=digest(refers_to) if refers_to else "",
        artifact_type=artifact_type,
    )


APP, OTHER = image("reg.lan/app:1", 1, 2, 3), image("reg.lan/other:1", 1, 2, 3)
SIG = image(f"reg.lan/app:sha256-{1:064x}.sig", 4, refers_to=1, artifact_type="application/x")
SBOM = image(f"reg.lan/app@{digest(5)}", 5, 6, refers_to=3, artifact_type="application/spdx+json")
OF_SBOM = image(f"reg.lan/app@{digest(7)}", 7, refers_to=6)
LOST = image(f"reg.lan/app@{digest(8)}", 8, refers_to=9)
ALL = (APP, OTHER, SIG, SBOM, OF_SBOM, LOST)


def test_each_belongs_to_the_image_that_it_refers_to_in_the_end() -> None:
    """In any order, as the lock file of a set is sorted; and only in its own repository."""
    for images in itertools.permutations(ALL):
        found = owners_of(images)
        assert found == dict.fromkeys((one.reference for one in (SIG, SBOM, OF_SBOM)), APP.reference)
        assert [*found] == [one.reference for one in images if one.reference in found]
    assert referrers_by_image(ALL) == {APP.reference: [SIG, SBOM, OF_SBOM]}
    assert images_only(ALL) == [APP, OTHER]


def test_several_tags_may_have_the_same_referrers() -> None:
    again, platform = image("reg.lan/app:2", 1, 2, 3), image(f"reg.lan/app@{digest(3)}", 3)
    for images in itertools.permutations((APP, again, platform, SIG, OF_SBOM, SBOM)):
        found = all_owners_of(images)
        three = {APP.reference, again.reference, platform.reference}
        two = {APP.reference, again.reference}
        assert found == {SIG.reference: two, SBOM.reference: three, OF_SBOM.reference: three}
        assert [*found] == [one.reference for one in images if one.reference in found]
    assert all_owners_of((APP, LOST)) == {}


def test_a_circle_ends() -> None:
    one = image(f"reg.lan/app@{digest(10)}", 10, refers_to=11)
    two = image(f"reg.lan/app@{digest(11)}", 11, refers_to=10)
    assert owners_of((APP, one, two)) == {}


def test_the_kind_by_tag_or_type() -> None:
    assert [*map(kind_of_referrer, (SIG, SBOM, OF_SBOM))] == ["signature", "application/spdx+json", "artefact"]


def test_the_lock_file_says_what_refers_to_what() -> None:
    lock = Lock({"referrers": "auto"}, ALL)
    raw = write_lock(lock)
    assert read_lock(raw, path="x") == lock
    assert raw.count(b'"refers_to"') == 4 and raw.count(b'"artifact_type"') == 2


def test_what_it_refers_to_is_a_digest() -> None:
    raw = write_lock(Lock({}, (SIG,))).replace(f'"refers_to": "{digest(1)}"'.encode(), b'"refers_to": "latest"')
    with pytest.raises(LockFileError, match="'latest' is not a sha256 digest"):
        read_lock(raw, path="x")
