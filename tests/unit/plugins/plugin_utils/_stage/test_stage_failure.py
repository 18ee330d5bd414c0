# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One message for all hosts on which the save failed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ansible_collections.airgap.images.plugins.plugin_utils._stage.failure import (
    FailedHost,
    Told,
    failed_host,
    failure_of,
)

PATTERN = "reg.lan refused user 'robot' for {images}: unauthorized"


def cause(*numbers: int, pattern: str = PATTERN, kind: str = "refused") -> dict[str, Any]:
    return {
        "kind": kind,
        "pattern": pattern,
        "sentence": pattern.replace("{images}", f"reg.lan/a:{numbers[0]}"),
        "count": len(numbers),
        "references": [f"reg.lan/a:{number}" for number in numbers],
        "origins": [f"list.txt:{number}" for number in numbers],
    }


def result(*causes: dict[str, Any], total: int = 20, local: str = "", **more: Any) -> dict[str, Any]:
    failed = [{"reference": name} for one in causes for name in one["references"]]
    return {
        "failed": True,
        "msg": "the host's own words",
        "hint": "allow_partial=true saves the rest",
        "images": [{}] * total,
        "failed_images": failed,
        "invalid_lines": [],
        "causes": [*causes],
        "fetched": {"failed_list": local} if local else {},
        **more,
    }


def host(name: str, *causes: dict[str, Any], **more: Any) -> FailedHost:
    return failed_host(name, result(*causes, **more), dest=f"/srv/{name}/images.tar.gz", failed_list="")


def test_the_first_images_of_several_hosts_are_those_of_the_list() -> None:
    text = failure_of([host("one", cause(9, 12)), host("two", cause(2, 10))], check=False)
    assert "The first of them: reg.lan/a:2 [list.txt:2], reg.lan/a:9 [list.txt:9], reg.lan/a:10 [" in text


def test_one_host() -> None:
    assert failure_of([host("one", cause(*range(1, 21)), total=59, local="/media/one/failed.txt")], check=False) == (
        "20 of 59 images failed, so /srv/one/images.tar.gz was left as it was: reg.lan refused user 'robot' for 20 "
        "images: unauthorized. The first of them: reg.lan/a:1 [list.txt:1], reg.lan/a:2 [list.txt:2], "
        "reg.lan/a:3 [list.txt:3]. All of them, with reasons: /media/one/failed.txt. "
        "allow_partial=true saves the rest"
    )


def test_in_check_mode_no_list_is_named() -> None:
    text = failure_of([host("one", cause(1), local="/media/one/failed.txt")], check=True)
    assert text.startswith("1 of 20 images would fail, so /srv/one/images.tar.gz would be left as it is: ")
    assert "failed.txt" not in text


def test_hosts_that_share_a_cause_are_told_of_together() -> None:
    hosts = [
        host("one", cause(*range(1, 8)), local="/media/one/failed.txt"),
        host("two", cause(*range(8, 15))),
        host("three", cause(*range(15, 21))),
    ]
    text = failure_of(hosts, check=False)
    assert text.startswith(
        "images failed on 3 hosts (one: 7 of 20, two: 7 of 20, three: 6 of 20), whose archives were left as they "
        "were: reg.lan refused user 'robot' for 20 images: unauthorized. The first of them: "
    )
    assert text.count("unauthorized") == 1 and "/media/one/failed.txt" in text
    assert text.endswith(". allow_partial=true saves the rest")


def test_a_cause_that_not_all_share_names_its_hosts() -> None:
    missing = cause(30, pattern="{images} does not exist on reg.lan", kind="missing")
    text = failure_of([host("one", cause(1, 2), missing), host("two", cause(1, 2))], check=False)
    assert "(1) reg.lan refused user 'robot' for 2 images: unauthorized" in text
    assert "(2) one: reg.lan/a:30 does not exist on reg.lan" in text


def test_runs_that_failed_as_a_whole() -> None:
    whole = {"images": [], "failed_images": [], "hint": "", "msg": "no space"}
    hosts = [host("one", **whole), host("two", **whole), host("three", **{**whole, "msg": "no skopeo"})]
    assert failure_of(hosts[:1], check=False) == "no space"
    assert failure_of(hosts, check=False) == "one and two: no space; three: no skopeo"
    mixed = failure_of([hosts[0], host("four", cause(1))], check=False)
    assert mixed.startswith("one: no space; images failed on 1 host (four: 1 of 20), whose archives were left")
    assert "four: reg.lan refused user 'robot'" in mixed


HOSTILE: dict[str, Any] = {
    "no list": "x",
    "no mappings": ["x", 1, None],
    "no names": [{**cause(1), "references": []}],
    "other counts": [{**cause(1), "origins": []}],
    "no text": [{**cause(1), "pattern": 1}],
}


@pytest.mark.parametrize("causes", HOSTILE.values(), ids=HOSTILE)
def test_what_a_host_returns_need_not_be_a_cause(causes: Any) -> None:
    told = failed_host("one", {"causes": causes, "images": "x", "msg": "\x1b[31mwords"}, dest="/srv/a", failed_list="")
    assert failure_of([told], check=False) == "\\x1b[31mwords"


def test_what_a_host_returns_is_made_safe_to_show() -> None:
    evil = {**cause(1), "sentence": "\x1b[31mred\n", "references": ["\x1b"], "origins": ["\x1b"]}
    text = failure_of([host("one", evil, hint="\x1b")], check=False)
    assert "\x1b" not in text and "\n" not in text
    assert failed_host("one", {}, dest="/a", failed_list="").message == "the module ended without a result"


def test_each_host_is_told_of_once(tmp_path: Path) -> None:
    """In whatever order they come; a host that fails later tells of itself."""
    one, two, late = host("one", cause(1, 2)), host("two", cause(1, 2)), host("late", cause(3))
    told = Told(str(tmp_path / "call" / "told.json"))
    first = told.tell(two, lambda: [one], check=False)
    assert "one: 2 of 20" in first and "two: 2 of 20" in first
    assert told.tell(one, lambda: [two], check=False) == ("2 of 20 images failed as well; the message of two says why")
    assert told.tell(late, lambda: [one, two], check=False).startswith("1 of 20 images failed, so ")
    whole = host("whole", images=[], failed_images=[])
    again = Told(str(tmp_path / "other" / "told.json"))
    again.tell(one, lambda: [whole], check=False)
    assert again.tell(whole, lambda: [one], check=False) == "failed as well; the message of one says why"


def test_a_list_that_stays_on_the_host() -> None:
    told = failed_host("one", result(cause(1)), dest="/srv/a", failed_list="/srv/failed.txt")
    assert "Failed list: /srv/failed.txt on one" in failure_of([told], check=False)


def test_many_hosts_are_not_all_named() -> None:
    text = failure_of([host(f"h{number}", cause(1)) for number in range(12)], check=False)
    assert "h9: 1 of 20 and 2 more" in text and "h10" not in text
