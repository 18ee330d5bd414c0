# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A run's result as the module returns it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.airgap.images.plugins.module_utils._archive.lock import (
    Lock,
    LockedImage,
    LockedPlatform,
    LockedSkip,
)
from ansible_collections.airgap.images.plugins.module_utils._archive.parts import Part
from ansible_collections.airgap.images.plugins.module_utils._oci.image_list import ImageList, InvalidLine, Origin
from ansible_collections.airgap.images.plugins.module_utils._oci.media_types import OCI_INDEX, OCI_MANIFEST
from ansible_collections.airgap.images.plugins.module_utils._oci.reference import parse_reference
from ansible_collections.airgap.images.plugins.module_utils._save.result import Forecast, Result, Stats
from ansible_collections.airgap.images.plugins.module_utils._save.returned import as_returned, diff_of
from ansible_collections.airgap.images.tests.unit.fakes import ARM_V7, failed_image, listed, make_options

D1, D2, D3 = ("sha256:" + two * 32 for two in ("ab", "cd", "ef"))
SHA = "12" * 32
OUTPUT = make_options("/srv").output

SAVED = LockedImage(
    parse_reference("reg.lan/saved:1"),
    D1,
    OCI_INDEX,
    (LockedPlatform(D2, D2, OCI_MANIFEST, 7, ARM_V7), LockedPlatform(D3, D3, OCI_MANIFEST, 8, None)),
    ("a note",),
)
LOCK = Lock(
    {},
    (SAVED,),
    parts=(Part("images.tar.gz.part0", 9, SHA),),
    parity=(Part("images.tar.gz.parity", 9, SHA),),
)
BEFORE = Lock({}, (replace(SAVED, digest=D3),), parts=(Part("images.tar.gz", 3, SHA),))


def result(**more: Any) -> Result:
    values: dict[str, Any] = {
        "changed": True,
        "reason": "1 image added",
        "notes": ("the cache has no links",),
        "listed": ImageList(
            (listed("reg.lan/skipped", 1), listed("reg.lan/saved:1", 2), listed("reg.lan/failed", 3)),
            (InvalidLine(Origin("/l", 4), "A", "upper case"),),
            0,
        ),
        "failed": (failed_image(listed("reg.lan/failed", 3), "404", D3),),
        "skipped": (LockedSkip(parse_reference("reg.lan/skipped"), D2, "windows only"),),
        "stats": Stats(images=1, manifest_heads=3, manifest_gets=2, seconds={"plan": 0.5}),
        "lock": LOCK,
        "before": BEFORE,
        "allow_partial": True,
    }
    return Result(**{**values, **more})


def entry(reference: str, status: str, digest: str, reason: str = "") -> dict[str, Any]:
    return {
        "reference": reference,
        "status": status,
        "digest": digest,
        "reason": reason,
        "notes": [],
        "platforms": [],
        "referrers": [],
    }


def test_every_value() -> None:
    returned = as_returned(result(), OUTPUT, check=False)
    assert returned == {
        "changed": True,
        "reason": "1 image added",
        "msg": result().sentence("/srv/out/images.tar.gz", check=False),
        "dest": "/srv/out/images.tar.gz",
        "parts": [{"path": "/srv/out/images.tar.gz.part0", "size": 9, "sha256": SHA}],
        "part_count": 1,
        "parity_files": [{"path": "/srv/out/images.tar.gz.parity", "size": 9, "sha256": SHA}],
        "images": [
            entry("reg.lan/skipped:latest", "skipped", D2, "windows only"),
            {
                **entry("reg.lan/saved:1", "saved", D1),
                "notes": ["a note"],
                "platforms": [
                    {"platform": "linux/arm/v7", "digest": D2, "size": 7},
                    {"platform": "", "digest": D3, "size": 8},
                ],
            },
            entry("reg.lan/failed:latest", "failed", D3, "404"),
        ],
        "failed_images": [{"reference": "reg.lan/failed:latest", "origin": "images, item 3", "reason": "404"}],
        "succeeded": True,
        "hint": "",
        "causes": [
            {
                "kind": "transfer",
                "sentence": "images, item 3: reg.lan/failed:latest: 404",
                "pattern": "{images}: 404",
                "count": 1,
                "references": ["reg.lan/failed:latest"],
                "origins": ["images, item 3"],
            },
            {
                "kind": "line",
                "sentence": "/l:4: 'A' is not a valid reference: upper case",
                "pattern": "{images} are not valid references: upper case",
                "count": 1,
                "references": ["'A'"],
                "origins": ["/l:4"],
            },
        ],
        "skipped_images": [{"reference": "reg.lan/skipped:latest", "reason": "windows only"}],
        "invalid_lines": [{"origin": "/l:4", "line": "A", "reason": "upper case"}],
        "stats": {
            "images": 1,
            "referrers": 0,
            "platform_images": 0,
            "duplicates": 0,
            "blobs_downloaded": 0,
            "blobs_reused": 0,
            "blobs_repaired": 0,
            "bytes_downloaded": 0,
            "bytes_reused": 0,
            "bytes_archive": 0,
            "bytes_pruned": 0,
            "manifest_requests": {"HEAD": 3, "GET": 2},
            "seconds": {"plan": 0.5},
        },
        "lock_file": "/srv/out/images.tar.gz.lock.json",
        "checksum_file": "/srv/out/images.tar.gz.sha256",
        "report_file": "/srv/out/images.tar.gz.report.html",
        "table_file": "/srv/out/images.tar.gz.report.csv",
        "facts_file": "/srv/out/images.tar.gz.report.json",
        "restore_file": "/srv/out/images.tar.gz.restore.sh",
        "notes": ["the cache has no links"],
    }


def test_a_plan_is_returned_where_there_is_one() -> None:
    forecast = Forecast(1, 2, 3, 4, 5, 6, 7)
    assert as_returned(result(forecast=forecast), OUTPUT, check=True)["plan"] == {
        "images": 1,
        "platform_images": 2,
        "blobs": 3,
        "bytes": 4,
        "archive_bytes": 5,
        "cache_free": 6,
        "dest_free": 7,
    }


def test_after_a_failure_the_archive_before_is_returned() -> None:
    returned: Any = as_returned(result(is_published=False, allow_partial=False), OUTPUT, check=False)
    assert returned["parts"] == [{"path": "/srv/out/images.tar.gz", "size": 3, "sha256": SHA}]
    assert [image["status"] for image in returned["images"]] == ["skipped", "fetched", "failed"]
    assert returned["succeeded"] is False and "allow_partial=true saves" in returned["hint"]


def test_without_any_archive_there_are_no_parts() -> None:
    assert as_returned(result(is_published=False, before=None), OUTPUT, check=False)["parts"] == []
    assert as_returned(result(lock=None, before=None), OUTPUT, check=False)["parts"] == []


def test_files_of_a_directory_are_counted_only() -> None:
    output = make_options("/srv", compress="dir").output
    lock = replace(LOCK, parts=(Part("share/sha256/x", 1, SHA),))
    returned: Any = as_returned(result(lock=lock), output, check=False)
    assert (returned["parts"], returned["part_count"]) == ([], 1)


@pytest.mark.parametrize(("is_published", "digest"), [(True, D1), (False, D3)])
def test_the_difference(is_published: bool, digest: str) -> None:
    diff: Any = diff_of(result(is_published=is_published), OUTPUT)
    assert diff["before_header"] == diff["after_header"] == "/srv/out/images.tar.gz"
    assert diff["before"].splitlines()[0] == f"reg.lan/saved:1 {D3}"
    assert diff["after"].splitlines() == [
        f"reg.lan/saved:1 {digest}",
        f"  linux/arm/v7 {D2}",
        f"  artefact {D3}",
    ]


def test_the_difference_to_nothing() -> None:
    assert diff_of(result(before=None), OUTPUT)["before"] == ""
