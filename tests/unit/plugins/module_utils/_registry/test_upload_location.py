# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where the bytes of an upload go."""

from __future__ import annotations

import pytest

from ansible_collections.airgap.images.plugins.module_utils._base.errors import TransferError
from ansible_collections.airgap.images.plugins.module_utils._http.response import Response
from ansible_collections.airgap.images.plugins.module_utils._registry.push_requests import OpenUpload
from ansible_collections.airgap.images.plugins.module_utils._registry.upload_location import (
    received_bytes,
    upload_location,
    with_digest,
)

SECURE, PLAIN = "https://registry.example:5000", "http://registry.example:5000"


def opening(location: str, own: str = SECURE, url: str = "") -> Response:
    return Response(own, 202, {"location": location}, b"", url=url or f"{own}/v2/app/blobs/uploads/", asked=own)


@pytest.mark.parametrize(
    ("location", "own", "expected"),
    [
        ("/v2/app/blobs/uploads/1?_state=a%3D", SECURE, f"{SECURE}/v2/app/blobs/uploads/1?_state=a%3D"),
        ("1?_state=a%3D", SECURE, f"{SECURE}/v2/app/blobs/uploads/1?_state=a%3D"),
        (f"{SECURE}/v2/1", SECURE, f"{SECURE}/v2/1"),
        ("http://registry.example:5000/v2/1?s=t", SECURE, f"{SECURE}/v2/1?s=t"),
        ("http://registry.example/v2/1", SECURE, f"{SECURE}/v2/1"),
        ("https://registry.example:5000/v2/1", PLAIN, f"{PLAIN}/v2/1"),
        ("https://storage.example/1?signature=x", SECURE, "https://storage.example/1?signature=x"),
        ("/v2/1?a=b#c", SECURE, f"{SECURE}/v2/1?a=b"),
    ],
)
def test_a_location(location: str, own: str, expected: str) -> None:
    assert upload_location(opening(location, own), "registry.example") == expected


@pytest.mark.parametrize("location", ["", "ftp://registry.example/1", "http://[", "/v2/a b", "/v2/a\nb", "/v2/ä"])
def test_a_location_that_is_not_usable(location: str) -> None:
    with pytest.raises(TransferError, match="gave no usable Location") as raised:
        upload_location(opening(location), "registry.example")
    assert not location or location not in str(raised.value)


def test_no_bytes_go_to_another_host_without_tls() -> None:
    with pytest.raises(TransferError, match=r"to storage\.example without TLS") as raised:
        upload_location(opening("http://me:pw@storage.example/1?secret=x"), "registry.example")
    assert "secret" not in str(raised.value)
    assert "pw" not in str(raised.value)


@pytest.mark.parametrize(
    ("location", "expected"),
    [
        ("https://r/1", "https://r/1?digest=sha256%3A00"),
        ("https://r/1?_state=a%3D", "https://r/1?_state=a%3D&digest=sha256%3A00"),
    ],
)
def test_the_digest_is_added(location: str, expected: str) -> None:
    assert with_digest(location, "sha256:00") == expected


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("0-0", 0),
        ("0-99", 100),
        ("bytes=0-99", 100),
        ("", None),
        ("5-99", None),
        ("0--1", None),
        ("0-" + "9" * 30, None),
    ],
)
def test_how_far_an_upload_is(header: str, expected: int | None) -> None:
    assert received_bytes(Response(SECURE, 204, {"range": header}, b"")) == expected


def test_a_location_is_not_shown() -> None:
    assert "secret" not in repr(OpenUpload("https://registry.example/?secret"))
