# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tags of what refers to an image, and lists of it: entries are added, and nothing that others have written is lost."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ansible_collections.airgap.images.plugins.module_utils._base.errors import ManifestError
from ansible_collections.airgap.images.plugins.module_utils._oci.descriptor import Descriptor
from ansible_collections.airgap.images.plugins.module_utils._oci.limits import MAX_CHILDREN
from ansible_collections.airgap.images.plugins.module_utils._oci.media_types import (
    DOCKER_LIST,
    OCI_INDEX,
    OCI_MANIFEST,
)
from ansible_collections.airgap.images.plugins.module_utils._oci.referrer import (
    digests_in_list,
    list_of_referrers,
    referrer_entry,
    subject_of_list,
    subject_of_tag,
    with_referrers,
)

HEX = "ab" * 32
DIGEST = f"sha256:{HEX}"


def digest(number: int) -> str:
    return f"sha256:{number:064x}"


def listing(*entries: dict[str, Any], **more: Any) -> bytes:
    return json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries, **more}).encode()


def entry(number: int, **more: Any) -> dict[str, Any]:
    return {"mediaType": OCI_MANIFEST, "digest": digest(number), "size": number, **more}


@pytest.mark.parametrize(
    ("tag", "of_tag", "of_list"),
    [
        (f"sha256-{HEX}", DIGEST, DIGEST),
        (f"sha256-{HEX}.sig", DIGEST, ""),
        (f"sha256-{HEX}.att", DIGEST, ""),
        (f"sha256-{HEX}.sbom", DIGEST, ""),
        (f"sha256-{HEX}.other", "", ""),
        (f"sha256-{HEX[1:]}", "", ""),
        (f"sha256-{HEX.upper()}", "", ""),
        (f"x-sha256-{HEX}.sig", "", ""),
        (f"sha512-{HEX}", "", ""),
        ("1.2", "", ""),
    ],
)
def test_what_a_tag_refers_to(tag: str, of_tag: str, of_list: str) -> None:
    assert (subject_of_tag(tag), subject_of_list(tag)) == (of_tag, of_list)


@pytest.mark.parametrize(
    ("document", "kind"),
    [
        ({"artifactType": "x/sbom", "config": {"mediaType": "x/empty"}}, "x/sbom"),
        ({"config": {"mediaType": "x/config"}}, "x/config"),
        ({"manifests": [], "artifactType": "x/index"}, "x/index"),
    ],
)
def test_the_entry_of_a_manifest(document: dict[str, Any], kind: str) -> None:
    """distribution-spec: artifactType, or else the type of the configuration; and the annotations."""
    raw = json.dumps({**document, "annotations": {"b": "2", "a": "1"}}).encode()
    found = json.loads(referrer_entry(raw, Descriptor(OCI_MANIFEST, DIGEST, 7)))
    about = {"artifactType": kind, "annotations": {"a": "1", "b": "2"}}
    assert found == {"mediaType": OCI_MANIFEST, "digest": DIGEST, "size": 7, **about}


def test_a_manifest_that_cannot_have_an_entry() -> None:
    for raw in (b"[]", b"{", b'{"annotations": {"a": 1}}', b'{"config": 1}'):
        with pytest.raises(ManifestError, match="not readable"):
            referrer_entry(raw, Descriptor(OCI_MANIFEST, DIGEST, 7))


def test_entries_are_added_behind_those_of_others() -> None:
    """Members that are not known here stay as they are."""
    theirs = listing(entry(1, data="e30=", unknown={"a": [1]}), annotations={"of": "others"}, unknown=True)
    added = list_of_referrers([json.dumps(one).encode() for one in (entry(1), entry(2))])
    merged = with_referrers(theirs, added)
    expected = {**json.loads(theirs), "manifests": [entry(1, data="e30=", unknown={"a": [1]}), entry(2)]}
    assert json.loads(merged) == expected
    assert digests_in_list(merged) == {digest(1), digest(2)}
    assert with_referrers(merged, added) is merged


def test_equal_lists_have_equal_bytes() -> None:
    entries = [json.dumps(entry(number)).encode() for number in (1, 2)]
    assert list_of_referrers(entries) == with_referrers(list_of_referrers(entries[:1]), list_of_referrers(entries[1:]))


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"<html>", "not readable"),
        (b"[]", "not readable"),
        (b'{"manifests": {}}', "not readable"),
        (b'{"manifests": [{"digest": 1}]}', "not readable"),
        (b'{"config": {}}', "is not an OCI index"),
        (json.dumps({"mediaType": DOCKER_LIST, "manifests": []}).encode(), "is not an OCI index"),
    ],
)
def test_what_is_no_list_is_never_replaced(raw: bytes, words: str) -> None:
    with pytest.raises(ManifestError, match=words):
        with_referrers(raw, listing(entry(1)))
    with pytest.raises(ManifestError, match=words):
        digests_in_list(raw)


def test_a_list_is_bounded() -> None:
    full = listing(*map(entry, range(MAX_CHILDREN)))
    assert with_referrers(full, listing(entry(0))) == full
    with pytest.raises(ManifestError, match=f"more than {MAX_CHILDREN} entries"):
        with_referrers(full, listing(entry(MAX_CHILDREN)))
