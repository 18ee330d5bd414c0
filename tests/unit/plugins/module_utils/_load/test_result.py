# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The sentences at the end of a load, its values, and what diff mode shows."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import pytest
import yaml

from ansible_collections.airgap.images.plugins.module_utils._base.errors import TransferError
from ansible_collections.airgap.images.plugins.module_utils._load.cluster_files import cluster_files
from ansible_collections.airgap.images.plugins.module_utils._load.lacking import LackingBlob
from ansible_collections.airgap.images.plugins.module_utils._load.naming import target_of
from ansible_collections.airgap.images.plugins.module_utils._load.receipts import KeptReceipt
from ansible_collections.airgap.images.plugins.module_utils._load.result import (
    FAILED,
    KEPT,
    PRESENT,
    PUSHED,
    TAGGED,
    Loaded,
    Result,
    Stats,
)
from ansible_collections.airgap.images.plugins.module_utils._load.returned import as_returned, diff_of
from ansible_collections.airgap.images.plugins.module_utils._oci.image import FailedImage
from ansible_collections.airgap.images.plugins.module_utils._oci.image_list import ImageList, InvalidLine, Origin
from ansible_collections.airgap.images.plugins.modules.image_load import RETURN
from ansible_collections.airgap.images.tests.unit.fakes import listed
from ansible_collections.airgap.images.tests.unit.load_scene import load_options

OPTIONS = load_options(registry="reg.lan")
NEW, OLD = f"sha256:{'a' * 64}", f"sha256:{'b' * 64}"


def one(name: str, action: str, before: str = "", reason: str = "") -> Loaded:
    image = listed(f"quay.io/{name}:1")
    error = TransferError(reason, heals=False) if reason else None
    return Loaded(image, target_of(image.reference, OPTIONS.naming), NEW, action, before, error)


def ended(*images: Loaded, invalid: int = 0, **more: Any) -> Result:
    failed = [FailedImage(each.listed, each.error, each.digest) for each in images if each.error is not None]
    lines = tuple(InvalidLine(Origin("/l", number), ":::", "why") for number in range(1, invalid + 1))
    usual: dict[str, Any] = {
        "registry": "reg.lan",
        "changed": any(each.action in (PUSHED, TAGGED) for each in images),
        "images": images,
        "failed": tuple(failed),
        "listed": ImageList(tuple(each.listed for each in images), lines, 0),
        "left_out": 0,
        "stats": Stats(bytes_pushed=2048, blobs_pushed=2),
        "cluster": cluster_files([each.reference.name for each in images], OPTIONS.naming),
    }
    return Result(**{**usual, **more})


SENTENCES: dict[str, tuple[Result, bool, str]] = {
    "pushed": (
        ended(one("a", PUSHED), one("b", PRESENT)),
        False,
        "loaded 2 images into reg.lan (1 pushed): 2.0 KiB in 2 blobs",
    ),
    "would be pushed": (
        ended(one("a", PUSHED), one("b", TAGGED, OLD)),
        True,
        "would load 2 images into reg.lan (1 pushed, 1 tagged, 1 tag moved): 2.0 KiB in 2 blobs",
    ),
    "there": (ended(one("a", PRESENT, NEW)), False, "reg.lan already has 1 image"),
    "repaired": (
        ended(one("a", PUSHED, NEW)),
        False,
        "loaded 1 image into reg.lan (1 pushed): 2.0 KiB in 2 blobs",
    ),
    "kept": (
        ended(one("a", PRESENT, NEW), one("b", KEPT, OLD), one("c", KEPT, OLD)),
        False,
        "reg.lan already has 1 image (2 tags left as found)",
    ),
    "all kept": (ended(one("b", KEPT, OLD)), False, "nothing to load into reg.lan (1 tag left as found)"),
    "none": (ended(), False, "nothing to load into reg.lan"),
    "failed": (
        ended(one("a", FAILED, reason="no quota"), one("b", PUSHED)),
        False,
        "1 of 2 images was not loaded: images, item 1: quay.io/a:1: no quota. loaded 1 other image into reg.lan "
        "(1 pushed): 2.0 KiB in 2 blobs",
    ),
    "all failed": (
        ended(one("a", FAILED, reason="no quota")),
        True,
        "1 of 1 image would not be loaded: images, item 1: quay.io/a:1: no quota",
    ),
}


@pytest.mark.parametrize("name", SENTENCES)
def test_sentences(name: str) -> None:
    result, check, expected = SENTENCES[name]
    assert result.sentence(check=check) == expected


def test_a_line_that_is_not_valid_is_a_failure() -> None:
    result = ended(one("a", PRESENT, NEW), invalid=1)
    assert result.is_failure
    assert "1 of 2" in result.sentence(check=False)
    assert [line["line"] for line in as_returned(result, OPTIONS)["invalid_lines"]] == [":::"]  # type: ignore[union-attr,call-overload,index]


def test_all_that_is_returned_is_documented() -> None:
    documented = {*yaml.safe_load(RETURN)} - {"log", "diff", "dest", "size"}
    lacking = LackingBlob(NEW, 1, ("quay.io/a:1",), "a.tar", ("a.tar.part0",), cast(Any, None))
    receipt = KeptReceipt("/srv/r", ("a.tar.lock.json",), is_complete=False, confirmation="")
    result = ended(one("a", FAILED, reason="no"), one("b", TAGGED, OLD), invalid=1)
    returned = as_returned(replace(result, lacking=(lacking,), receipts=(receipt.as_json(),)), OPTIONS)
    assert {*returned} - {"changed"} == documented
    for name, value in yaml.safe_load(RETURN).items():
        inner = {*value.get("contains", ())}
        found = returned.get(name)
        item = found[0] if isinstance(found, list) and found else found
        if inner:
            assert isinstance(item, dict), name
            assert {*item} == inner, name


def test_what_is_returned_of_an_image() -> None:
    first, second = as_returned(ended(one("a", FAILED, reason="no"), one("b", TAGGED, OLD)), OPTIONS)["images"]  # type: ignore[misc]
    assert first == {
        "reference": "quay.io/a:1",
        "target": "reg.lan/a:1",
        "digest": NEW,
        "action": "failed",
        "reason": "no",
    }
    assert second["action"] == "tagged"


def test_diff_shows_the_tags_that_differ() -> None:
    images = (one("new", PUSHED), one("moved", TAGGED, OLD), one("there", PRESENT, NEW), one("kept", KEPT, OLD))
    shown = diff_of(ended(*images, one("failed", FAILED, OLD, reason="no"), one("repaired", PUSHED, NEW)))
    assert shown == {
        "before_header": "reg.lan",
        "after_header": "reg.lan",
        "before": f"reg.lan/moved:1 {OLD}\n",
        "after": f"reg.lan/new:1 {NEW}\nreg.lan/moved:1 {NEW}\n",
    }


def test_an_image_that_no_archive_has_has_no_target() -> None:
    absent = Loaded(listed("quay.io/a:1"), None, "", FAILED, error=TransferError("absent", heals=False))
    (image,) = as_returned(ended(absent), OPTIONS)["images"]  # type: ignore[misc]
    assert (image["target"], image["digest"], image["action"]) == ("", "", "failed")
