# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The end of a shared run: what is written on the controller, and what is said of hosts that are missing."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.airgap.images.plugins.module_utils._archive.lock_file import write_lock
from ansible_collections.airgap.images.plugins.module_utils._base.errors import LockFileError, OptionError
from ansible_collections.airgap.images.plugins.plugin_utils._set import notices
from ansible_collections.airgap.images.plugins.plugin_utils._set.closing import Closing, Ending
from ansible_collections.airgap.images.plugins.plugin_utils._set.members import Members
from ansible_collections.airgap.images.plugins.plugin_utils._set.names import CARRIED
from ansible_collections.airgap.images.plugins.plugin_utils._set.planned import planned_by
from ansible_collections.airgap.images.tests.unit.plugins.plugin_utils._set.test_set_files import IMAGES, locks

SHARES = {host: [str(image.reference) for image in images] for host, images in IMAGES.items()}


class FakeTicker:
    def __init__(self) -> None:
        self.said: list[str] = []
        self.warned: list[str] = []
        self.details: list[str] = []

    def say(self, text: str) -> None:
        self.said.append(text)

    def warn(self, text: str) -> None:
        self.warned.append(text)

    def detail(self, text: str) -> None:
        self.details.append(text)


class Ground:
    """A controller with the archives of north and south."""

    def __init__(self, media: Path) -> None:
        self.media = media
        self.ticker = FakeTicker()
        for host, lock in locks(IMAGES).items():
            (media / host).mkdir(parents=True)
            for suffix in (".lock.json", ".sha256", ".report.html"):
                (media / host / f"images-{host}.tar.gz{suffix}").write_bytes(write_lock(lock))
            (media / host / f"images-{host}.tar.gz").write_text("12345")

    def close(
        self,
        *,
        is_check: bool = False,
        removes: bool = False,
        is_current: bool = True,
        is_diff: bool = False,
        **more: Any,
    ) -> dict[str, Any]:
        """Close a run in which all is well, but for what is given."""
        self.ticker.said.clear()
        self.ticker.warned.clear()
        hosts = ["north", "south"]
        usual: dict[str, Any] = {
            "play": hosts,
            "inventory": hosts,
            "taken_over": [],
            "archives": {host: f"images-{host}.tar.gz" for host in more.get("play", hosts)},
            "done": more.get("play", hosts),
            "failed": [],
            "sharing": more.get("play", hosts),
            "lines": [line for lines in SHARES.values() for line in lines],
            "shares": SHARES,
        }
        closing = Closing(str(self.media), self.ticker, removes, is_check, is_current, is_diff)  # type: ignore[arg-type]
        return closing.run(Ending(**{**usual, **more}))

    def files(self) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in self.media.iterdir() if path.is_file()}

    def record(self) -> dict[str, Any]:
        record: dict[str, Any] = json.loads((self.media / "images.set.json").read_bytes())
        return record


@pytest.fixture
def ground(tmp_path: Path) -> Ground:
    return Ground(tmp_path / "media")


def test_one_line_and_the_files_of_the_set(ground: Ground) -> None:
    result = ground.close()
    assert result["changed"] and not result.get("failed")
    assert {*ground.files()} == {*CARRIED, "images.set.json"}
    line = f"4 images of 2 hosts in 2 files (10 bytes) in {ground.media}; report: {ground.media}/images.report.html; "
    assert ground.ticker.said == [f"{line}to restore: sh {ground.media}/images.restore.sh TARGET_DIR"]
    assert result["files"] == [str(ground.media / name) for name in CARRIED]
    assert ground.record()["hosts"] == {host: f"images-{host}.tar.gz" for host in SHARES}
    assert ground.record()["repositories"] == {
        "a.lan/one": "north",
        "a.lan/chart": "north",
        "b.lan/two": "south",
        "b.lan/three": "south",
    }


def test_again_nothing_changes_and_nothing_is_written(ground: Ground) -> None:
    ground.close()
    before = {path: path.stat().st_mtime_ns for path in ground.media.iterdir()}
    for is_check in (True, False):
        assert not ground.close(is_check=is_check)["changed"]
    assert {path: path.stat().st_mtime_ns for path in ground.media.iterdir()} == before


def test_check_mode_writes_nothing(ground: Ground) -> None:
    assert ground.close(is_check=True)["changed"] and not ground.files()
    assert not ground.close(is_check=True, is_current=False)["changed"] and not ground.ticker.said


def test_check_mode_adds_up_what_hosts_foresee(ground: Ground) -> None:
    """One has its archive already, a directory, of which no files are listed. What hosts say may be anything."""
    plan = {"blobs": 3, "bytes": 2048, "archive_bytes": 4096}
    north, south = {"images": [1, 2], "plan": plan}, {"images": [1], "parts": [], "stats": {"bytes_archive": 1024}}
    odd = {"images": "many", "plan": {"blobs": True, "bytes": -5, "archive_bytes": 1.5}, "stats": 7}
    planned = planned_by([north, south, {}, odd])
    result = ground.close(is_check=True, is_current=False, planned=planned)
    line = f"would be 3 images of 4 hosts (up to 5.0 KiB) in {ground.media}. To download: 3 blobs, 2.0 KiB"
    assert (ground.ticker.said, result["msg"], result["changed"]) == ([line], f"the set: {line}", True)
    assert not ground.close(is_check=True, is_current=False, planned=planned_by([south]))["changed"]
    assert not ground.files()


def test_a_dead_host_is_named_with_its_share_and_one_variable(ground: Ground) -> None:
    result = ground.close(done=["north"], sharing=["north"])
    assert result["failed"] and ground.ticker.details == [
        f"not saved by south in this run: {line}" for line in SHARES["south"]
    ]
    assert result["msg"] == (
        "south was unreachable or failed, and its share of 2 images is missing from the set "
        f"({', '.join(SHARES['south'])}). Run again when this host is back, or have the other hosts take over: "
        "-e '{image_save_take_over: [south]}'"
    )
    assert not ground.ticker.said and {*ground.files()} == {"images.set.json"}


@pytest.mark.parametrize(
    ("hosts", "shown"),
    [
        (["south"], "'{image_save_take_over: [south]}'"),
        (["web-1.lan", "db_2"], "'{image_save_take_over: [web-1.lan, db_2]}'"),
        (["no", "::1", "0x1f", "it's"], """'{image_save_take_over: ["no", "::1", "0x1f", "it'"'"'s"]}'"""),
    ],
)
def test_the_variable_is_read_as_the_names_of_the_hosts(hosts: list[str], shown: str) -> None:
    told = notices.notice_of_dead(hosts, {host: ["a:1"] for host in hosts})
    argument = told.partition(" -e ")[2]
    assert argument == shown
    (text,) = shlex.split(argument)
    assert yaml.safe_load(text) == {"image_save_take_over": hosts}


def test_a_host_that_has_failed_is_not_offered_to_the_others(ground: Ground) -> None:
    result = ground.close(done=["north"], sharing=["north"], failed=["south"])
    assert result["failed"] and "take over" not in result["msg"]
    share = f"2 images ({', '.join(SHARES['south'])})"
    assert f"because south failed. It was to save {share}; its message says why" in result["msg"]


def test_a_limit_leaves_the_set_as_it_is_and_names_what_is_left_out(ground: Ground) -> None:
    ground.close()
    before = ground.files()
    result = ground.close(play=["north"], inventory=["north", "south"])
    assert not result["changed"] and ground.files() == before and len(ground.ticker.said) == 1
    more = {**SHARES, "south": [*SHARES["south"], "b.lan/two:2", "no reference"]}
    lines = [line for each in more.values() for line in each]
    result = ground.close(play=["north"], inventory=["north", "south"], shares=more, lines=lines)
    assert not result.get("failed") and result["missing"] == {"south": ["b.lan/two:2"]}
    assert ground.ticker.warned == [
        "incomplete without south, not part of this run: 1 image of the list not in the archives of earlier runs "
        "(b.lan/two:2). Run again without --limit"
    ]
    assert ground.record()["hosts"] == {host: f"images-{host}.tar.gz" for host in SHARES}


def test_present_hosts_have_to_cover_their_shares(ground: Ground) -> None:
    with pytest.raises(LockFileError, match=r"1 image of the list not found in any host's archive: a.lan/new:1"):
        ground.close(lines=["a.lan/new:1"], shares={**SHARES, "north": [*SHARES["north"], "a.lan/new:1"]})


def test_orphans_are_named_and_removed_on_request(ground: Ground) -> None:
    ground.close()
    (ground.media / "south" / "mine.txt").write_text("mine")
    everything = [line for lines in SHARES.values() for line in lines]
    gone = {"play": ["north"], "inventory": ["north"], "lines": SHARES["north"], "shares": {"north": SHARES["north"]}}
    result = ground.close(**gone)
    (told,) = ground.ticker.warned
    assert told.startswith(f"the archive of south in {ground.media}/south is no longer part of the set; ")
    assert ground.record()["left"] == {"south": "images-south.tar.gz"} and len(everything) == 4
    assert not result.get("failed") and (ground.media / "south" / "images-south.tar.gz").exists()
    assert ground.close(**gone, removes=True, is_check=True)["changed"]
    assert (ground.media / "south" / "images-south.tar.gz").exists()
    assert ground.close(**gone, removes=True)["changed"]
    assert [path.name for path in (ground.media / "south").iterdir()] == ["mine.txt"]
    assert ground.record()["left"] == {} and not ground.ticker.warned
    assert not ground.close(**gone, removes=True)["changed"]


def test_a_host_without_images_any_more(ground: Ground) -> None:
    ground.close()
    shares = {"north": SHARES["north"], "south": []}
    ground.close(shares=shares, lines=SHARES["north"], sharing=["north"], removes=True)
    assert not (ground.media / "south").exists()
    assert ground.record()["hosts"]["south"], "it is still a host of the set"


def test_without_shares_nothing_is_an_orphan(ground: Ground) -> None:
    """As with --tags: the list was not read, or nothing was fetched."""
    ground.close()
    record = ground.record()
    ground.close(shares={}, lines=[], sharing=[], removes=True)
    assert (ground.media / "south" / "images-south.tar.gz").exists() and ground.record() == record


def test_a_link_is_no_directory_of_a_host(ground: Ground, tmp_path: Path) -> None:
    ground.close()
    (ground.media / "south").rename(tmp_path / "elsewhere")
    (ground.media / "south").symlink_to(tmp_path / "elsewhere")
    ground.close(play=["north"], inventory=["north"], lines=[], shares={"north": SHARES["north"]}, removes=True)
    assert (tmp_path / "elsewhere" / "images-south.tar.gz").exists()


def test_a_broken_record_is_not_replaced(ground: Ground) -> None:
    (ground.media / "images.set.json").write_text("{}")
    with pytest.raises(OptionError, match="is not the record of a set"):
        ground.close()


def test_the_difference_has_only_images_that_differ(ground: Ground) -> None:
    ground.close()
    lock = json.loads((ground.media / "images.lock.json").read_bytes())
    lock["images"] = lock["images"][1:]
    (ground.media / "images.lock.json").write_text(json.dumps(lock))
    difference = ground.close(is_diff=True)["diff"]
    assert difference["before"] == "" and difference["after"].count("\n") == 1
    assert difference["after"].startswith("image a.lan/chart:1: sha256:")


def test_without_fetching_only_the_hosts_are_checked() -> None:
    closing = Closing("", FakeTicker(), False, False, True, False)  # type: ignore[arg-type]
    usual: dict[str, Any] = {"inventory": [], "taken_over": [], "archives": {}, "failed": [], "sharing": []}
    assert not closing.run(Ending(play=["a"], done=["a"], lines=[], shares={}, **usual)).get("failed")
    assert closing.run(Ending(play=["a", "b"], done=["a"], lines=["x"], shares={"b": ["x"]}, **usual))["failed"]


def test_what_is_said_at_the_start() -> None:
    members = Members(("north", "east"), ("south",), {})
    told = notices.at_the_start(members, ["north"], {"east": ["a"], "south": ["b", "c"]})
    assert told == [
        "east is unreachable or failed, and its share of 1 image is not saved in this run. To have the other hosts "
        "take over: -e '{image_save_take_over: [east]}'",
        "south is not part of this run, and its share of 2 images is not given to other hosts",
    ]
    assert notices.at_the_start(Members(("north",), (), {}), ["north"], {}) == []
