# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The variables of the role image_verify, and the files by which hosts ask for lost parts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ansible_collections.airgap.images.plugins.module_utils._archive.request import Request, read_request
from ansible_collections.airgap.images.plugins.module_utils._base.errors import OptionError, StorageError
from ansible_collections.airgap.images.plugins.plugin_utils._carry.verification import (
    Verification,
    check_verification,
    write_requests,
)
from ansible_collections.airgap.images.tests.unit.carried import carry

USUAL: dict[str, Any] = {"src": ["/media/usb"], "controller_src": [], "request_file": "", "poll": "5"}
SAID: dict[str, Any] = {
    "archive": "a.tar.gz",
    "lock_sha256": 64 * "a",
    "parts": [3],
    "digests": [],
    "is_directory": False,
}


def check(**changed: Any) -> None:
    check_verification(Verification.of({**USUAL, **changed}))


def test_what_most_plays_need_is_enough() -> None:
    check()
    check(src=[], controller_src=["~/media", "/media/usb"], request_file="~/out/")


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"src": []}, "set one or the other"),
        ({"controller_src": ["/media/usb"]}, "set one or the other"),
        ({"src": "/media/usb"}, "image_verify_src: expected a list"),
        ({"src": [], "controller_src": "/media/usb"}, "image_verify_controller_src: expected a list"),
        ({"src": [], "controller_src": ["media"]}, "image_verify_controller_src: expected an absolute path"),
        ({"request_file": "out/"}, "image_verify_request_file: expected an absolute path"),
        ({"poll": 0}, "image_verify_poll: expected the seconds"),
    ],
)
def test_what_cannot_work_is_refused(changed: dict[str, Any], words: str) -> None:
    with pytest.raises(OptionError, match=words):
        check(**changed)


def test_one_request_file_for_several_archives_on_the_controller_is_refused(tmp_path: Path) -> None:
    """Before any part is read; archives that are not found are left to the module."""
    one, two = carry(tmp_path / "1"), carry(tmp_path / "2", "zstd in parts")
    for part in (*one.parts, *two.parts):
        part.chmod(0)
    sources = [str(each.lock_file) for each in (one, two)]
    with pytest.raises(OptionError, match=r"request_file: .*a.json can ask for one archive only, and there are 2"):
        check(src=[], controller_src=sources, request_file=str(tmp_path / "a.json"))
    check(src=[], controller_src=sources[:1], request_file=str(tmp_path / "a.json"))
    check(src=[], controller_src=sources, request_file=f"{tmp_path}/out/")
    check(src=[], controller_src=[str(tmp_path / "no")], request_file=str(tmp_path / "a.json"))


def test_what_several_hosts_lack_is_put_together(tmp_path: Path) -> None:
    said = [SAID, {**SAID, "parts": []}, {**SAID, "parts": [1, 3]}]
    path = tmp_path / "out" / "a.tar.gz.request.json"
    assert write_requests(f"{path.parent}/", said, check=True) == ([str(path)], True) and not path.exists()
    assert write_requests(f"{path.parent}/", said, check=False) == ([str(path)], True)
    assert read_request(path.read_bytes(), path="") == Request("a.tar.gz", 64 * "a", (1, 3))
    assert write_requests(f"{path.parent}/", said, check=False) == ([str(path)], False)
    assert write_requests(f"{path.parent}/", [{**SAID, "parts": []}], check=False) == ([], True)
    assert not path.exists()


@pytest.mark.parametrize(
    "said",
    [
        "a.tar.gz",
        {},
        {**SAID, "archive": "../../etc/cron.d/evil"},
        {**SAID, "archive": ".."},
        {**SAID, "archive": "a\nb"},
        {**SAID, "lock_sha256": "/etc/passwd"},
        {**SAID, "parts": [-1]},
        {**SAID, "parts": ["1"]},
        {**SAID, "digests": ["evil"]},
    ],
)
def test_answers_that_make_no_sense_are_not_used(said: object, tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="a host asks for something that is not part of an archive"):
        write_requests(f"{tmp_path}/", [SAID, said], check=False)
    assert [*tmp_path.iterdir()] == []
