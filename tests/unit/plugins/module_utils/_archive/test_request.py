# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
from typing import Any

import pytest

from ansible_collections.airgap.images.plugins.module_utils._archive.request import (
    Request,
    read_request,
    write_request,
)
from ansible_collections.airgap.images.plugins.module_utils._base.errors import LockFileError

SHA = "ab" * 32
DIGEST = f"sha256:{SHA}"


def test_a_request_is_read_as_it_was_written() -> None:
    request = Request("images.tar.gz", SHA, parts=(1, 12), digests=(DIGEST,))
    raw = write_request(request)
    assert read_request(raw, path="x") == request
    assert json.loads(raw) == {
        "version": 1,
        "archive": "images.tar.gz",
        "lock_sha256": SHA,
        "parts": [1, 12],
        "digests": [DIGEST],
    }


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "a later version": ({"version": 2}, "version 2 is not supported; expected 1"),
    "a name that leads away": ({"archive": "../x"}, "'../x' is not the name of an archive"),
    "a name of two lines": ({"archive": "a\nb"}, "is not the name of an archive"),
    "a lock that is none": ({"lock_sha256": "x"}, "lock_sha256 is not 64 hex digits"),
    "a part that no archive has": ({"parts": [10_000]}, "'10000' is neither the number of a part nor a digest"),
    "a digest that is none": ({"digests": ["x"]}, "'x' is neither the number of a part nor a digest"),
    "nothing": ({"parts": [], "digests": []}, "it asks for nothing"),
}


@pytest.mark.parametrize(("members", "reason"), REFUSED.values(), ids=REFUSED)
def test_what_is_no_request_is_refused(members: dict[str, Any], reason: str) -> None:
    whole = {"version": 1, "archive": "a", "lock_sha256": SHA, "parts": [0], "digests": [], **members}
    with pytest.raises(LockFileError) as caught:
        read_request(json.dumps(whole).encode(), path="/srv/a.request.json")
    assert str(caught.value).startswith("/srv/a.request.json is not a request: ")
    assert reason in str(caught.value)
