# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The files about a load that are fetched: never others than those that were asked for, whatever a host says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.common.parameters import remove_values

from ansible_collections.airgap.images.plugins.module_utils._archive.request import Request, write_request
from ansible_collections.airgap.images.plugins.module_utils._base.errors import OptionError
from ansible_collections.airgap.images.plugins.plugin_utils._carry.copies import (
    Told,
    copies_of,
    remove_obsolete,
    with_copies,
)

LOCK, OTHER = 64 * "a", 64 * "b"
USUAL: dict[str, Any] = {
    "receipt": "/srv/r.json",
    "request_file": "/srv/out/",
    "password": "",
    "receipts": [],
    "request_files": [],
    "fulfilled": [],
    "msg": "done",
}


def told(**changed: Any) -> Told:
    return Told.of({**USUAL, **changed})


def receipts(*paths: str, **changed: Any) -> list[str]:
    """What is fetched where a host says that these are the receipts."""
    found, _requests = copies_of(told(receipts=[{"path": path} for path in paths], **changed), "/play/one")
    assert [one.dest for one in found] == [f"/play/one/{one.src.rpartition('/')[2]}" for one in found]
    return [one.src for one in found]


def requests(*paths: str, **changed: Any) -> list[str]:
    """What is fetched where a host says that these are the requests."""
    _receipts, found = copies_of(told(request_files=paths, **changed), "/play/one")
    return [one.src for one in found]


def test_files_are_fetched_from_where_they_were_asked_for() -> None:
    both = ["/srv/r.json", "/srv/r-0123456789ab.json"]
    assert receipts(*both) == both
    assert requests("/srv/out/a.tar.gz.request.json") == ["/srv/out/a.tar.gz.request.json"]
    assert requests("/srv/out/a.request.json", request_file="/srv/out") == ["/srv/out/a.request.json"]
    assert requests(*both, request_file="/srv/r.json") == both
    assert receipts() == requests() == requests(request_file="") == []


@pytest.mark.parametrize(
    "path", ["/srv/r-0123456789ag.json", "/srv/r.json.py", "/etc/shadow", "/srv/out/../../site.yml", "/x/srv/r.json"]
)
def test_a_host_may_only_have_fetched_what_was_asked_for(path: str) -> None:
    """Names of files on the controller would be those that it likes."""
    with pytest.raises(OptionError, match=r"it is not where image_load_receipt has it, /srv/r\.json; give"):
        receipts("/srv/r.json", path)
    with pytest.raises(OptionError, match="it is not where image_load_request_file has it, /srv/out/; give"):
        requests(path)
    with pytest.raises(OptionError, match="which is empty"):
        receipts(path, receipt="")


@pytest.mark.parametrize("path", ["/srv/out/x/a.request.json", "/srv/a.request.json", "/srv/out/.request.json/x"])
def test_requests_are_in_the_directory_itself(path: str) -> None:
    with pytest.raises(OptionError, match="image_load_request_file"):
        requests(path)


def test_what_is_in_a_home_directory_of_the_host_is_fetched() -> None:
    """The host says the full path, which the controller does not know."""
    assert receipts("/root/r.json", "/root/r-0123456789ab.json", receipt="~/r.json") == [
        "~/r.json",
        "~/r-0123456789ab.json",
    ]
    assert requests("/home/build/out/a.request.json", request_file="~build/out/") == ["~build/out/a.request.json"]
    with pytest.raises(OptionError):
        requests("/home/build/a.request.json", request_file="~build/out/")


@pytest.mark.parametrize("password", ["example", "srv", "json", "a", "/srv/r.json"])
def test_a_password_that_is_part_of_a_path_is_no_obstacle(password: str) -> None:
    """Ansible hides it in all that a module returns."""
    paths = ["/srv/example.com/r.json", "/srv/example.com/r-0123456789ab.json"]
    asked = ["/srv/example.com/example.tar.gz.request.json"]
    hidden, hidden_requests = remove_values(paths, [password]), remove_values(asked, [password])
    assert hidden_requests != asked or password == "/srv/r.json"
    assert receipts(*hidden, receipt=paths[0], password=password) == paths
    assert requests(*hidden_requests, request_file="/srv/example.com/", password=password) == asked


def test_a_password_that_the_controller_does_not_know() -> None:
    hidden = remove_values(["/srv/example.com/r.json"], ["example"])
    with pytest.raises(OptionError, match="as Ansible hides the password in it; choose paths for image_load_receipt"):
        receipts(*hidden, receipt="/srv/example.com/r.json")


@pytest.mark.parametrize("wrong", [None, "a", {"path": "x"}, ["a"], [None]])
def test_what_is_not_a_list_of_receipts_is_none(wrong: object) -> None:
    assert told(receipts=wrong).receipts == []


def put(path: Path, lock_sha256: str) -> Path:
    path.write_bytes(write_request(Request("a", lock_sha256, (1,))))
    return path


@pytest.mark.parametrize("request_file", ["/srv/out/", "/srv/a.request.json"])
@pytest.mark.parametrize("is_check", [False, True])
def test_requests_of_archives_that_lack_nothing_are_removed(request_file: str, is_check: bool, tmp_path: Path) -> None:
    """And nothing else is: not those of other archives, nor other files."""
    old = put(tmp_path / "a.request.json", LOCK)
    other = put(tmp_path / "a-0123456789ab.request.json", OTHER)
    mine = tmp_path / "b.request.json"
    mine.write_text("mine", "utf-8")
    named = put(tmp_path / "mine.json", LOCK)
    said = told(request_file=request_file, fulfilled=[LOCK])
    assert remove_obsolete(said, str(tmp_path), [], check=is_check) == [str(old)]
    assert {*tmp_path.iterdir()} == {other, mine, named, *([old] if is_check else [])}
    assert remove_obsolete(said, str(tmp_path), [], check=is_check) == ([str(old)] if is_check else [])


def test_requests_stay_as_long_as_something_is_missing(tmp_path: Path) -> None:
    put(tmp_path / "a.request.json", LOCK)
    for said in (told(), told(fulfilled=[OTHER]), told(fulfilled=[LOCK], request_file="")):
        assert remove_obsolete(said, str(tmp_path), [], check=False) == []
    again = told(fulfilled=[LOCK], request_files=["/srv/out/a.request.json"])
    _receipts, kept = copies_of(again, str(tmp_path))
    assert remove_obsolete(again, str(tmp_path), kept, check=False) == []
    assert remove_obsolete(told(fulfilled=[LOCK]), str(tmp_path / "none"), [], check=False) == []


def test_the_message_names_the_copies() -> None:
    said = told(request_files=["/srv/out/a.request.json", "/srv/out/a.request.json.request.json"])
    _receipts, found = copies_of(said, "/play/srv/out")
    msg = "carry /srv/out/a.request.json and /srv/out/a.request.json.request.json out"
    assert with_copies(msg, found) == (
        "carry /play/srv/out/a.request.json (on the controller) and "
        "/play/srv/out/a.request.json.request.json (on the controller) out"
    )
    assert with_copies(msg, []) == msg
