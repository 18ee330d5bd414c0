# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From variables to the list on a host, with a host that is made up."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.airgap.images.plugins.module_utils._base.errors import ImagesError, OptionError
from ansible_collections.airgap.images.plugins.plugin_utils._lists.balancing import full
from ansible_collections.airgap.images.plugins.plugin_utils._set.record import Record, write_record
from ansible_collections.airgap.images.plugins.plugin_utils._stage.checks import Play
from ansible_collections.airgap.images.plugins.plugin_utils._stage.lists import shown_url
from ansible_collections.airgap.images.plugins.plugin_utils._stage.options import Options
from ansible_collections.airgap.images.plugins.plugin_utils._stage.pool import Pool
from ansible_collections.airgap.images.plugins.plugin_utils._stage.staging import Stager
from ansible_collections.airgap.images.plugins.plugin_utils._stage.target import Directory
from ansible_collections.airgap.images.tests.unit.plugins.plugin_utils._stage.test_stage_lock_file import RAW
from ansible_collections.airgap.images.tests.unit.plugins.plugin_utils._stage.test_stage_options import USUAL

ROOT, ME, OTHER = 0, 1000, 1001


@dataclass
class FakeTarget:
    """A host where ``login`` logs in and ``saver`` saves."""

    login: int = ME
    saver: int = ME
    closed_to: frozenset[int] = frozenset()
    is_check: bool = False
    name: str = "one"
    files: dict[str, bytes] = field(default_factory=dict)
    bytes: dict[str, int] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    written: dict[str, Any] = field(default_factory=dict)

    @property
    def becomes(self) -> bool:
        return self.login != self.saver

    def _directory(self, uid: int) -> Directory:
        return Directory(uid, exists=True, is_closed=uid in self.closed_to)

    def look(self, directory: str) -> Directory:
        self.asked.append("look")
        return self._directory(self.saver)

    def look_as_login(self, directory: str) -> Directory:
        self.asked.append("look as login")
        return self._directory(self.login)

    def read(self, paths: list[str], urls: list[Any]) -> tuple[list[bytes], list[bytes]]:
        self.asked.append("read")
        return [self.files[path] for path in paths], [self.files[shown_url(url)] for url in urls]

    def sizes(self, lines: list[str], access: dict[str, Any]) -> dict[str, dict[str, int]]:
        self.asked.append("sizes")
        assert access == {"jobs": 4}
        return {full(line): {line: self.bytes[line]} for line in lines if line in self.bytes}

    def write(self, arguments: dict[str, Any]) -> tuple[Directory, dict[str, Any]]:
        self.asked.append("write")
        seen = self._directory(self.saver)
        if not (arguments["must_be_open"] and seen.is_closed):
            self.written = arguments
        return seen, {"changed": True}


class FakeTicker:
    def __init__(self) -> None:
        self.lines: list[str] = []
        self.said: list[str] = []

    def warn(self, text: str) -> None:
        self.lines.append(text)

    def say(self, text: str) -> None:
        self.said.append(text)

    def renamed(self, who: str) -> FakeTicker:
        assert who == "the set"
        return self


class Ground:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ticker = FakeTicker()

    def stager(self, target: FakeTarget, play: Play | None = None, **changed: Any) -> Stager:
        return Stager(
            Options.of({**USUAL, **changed}),
            target,  # type: ignore[arg-type]
            self.ticker,  # type: ignore[arg-type]
            play or Play("one", ["one"], ["one"], ["one"]),
            self._find,
            Pool(str(self.folder / "pool"), "call"),
            lambda: {"jobs": 4},
        )

    def _find(self, name: str) -> str | None:
        path = self.folder / name
        return str(path) if path.exists() else None


@pytest.fixture
def ground(tmp_path: Path) -> Ground:
    return Ground(tmp_path)


def test_one_question_is_enough(ground: Ground) -> None:
    target = FakeTarget()
    result = ground.stager(target, images=["a/b:1", "a/b:1", "c/d:2"]).stage()
    assert target.asked == ["write"]
    assert target.written["text"] == "a/b:1\nc/d:2\n" and target.written["list_file"] == "/srv/out/lists/images.txt"
    assert result == {
        "changed": True,
        "count": 2,
        "share": [],
        "since": [],
        "from_lock": "",
        "origins": ["image_save_images, item 1", "image_save_images, item 3"],
        "shares_file": "",
        "is_other_user": False,
    }


def test_the_share_is_returned_in_check_mode(ground: Ground) -> None:
    assert ground.stager(FakeTarget(is_check=True)).stage()["share"] == ["a/b:1"]


def test_lists_in_the_order_of_the_variables(ground: Ground) -> None:
    """Lists of one name count, on the controller and on the host, and twice from one URL with other passwords."""
    (ground.folder / "x.txt").write_bytes("\ufeffa/list:1\r\n".encode("utf-16"))
    pod = "kind: Pod\napiVersion: v1\nspec: {containers: [{image: a/pod:1}, {image: x y}]}"
    (ground.folder / "m.yml").write_text(pod)
    target = FakeTarget(files={"x.txt": b"a/remote:1", "https://h/x": b"a/url:1"})
    urls = ["https://h/x?token=s3cret", {"url": "https://me:s3cret@h/x"}]
    result = ground.stager(
        target,
        images=["a/image:1"],
        list_files=["x.txt"],
        remote_list_files=["x.txt"],
        list_urls=urls,
        manifest_files=["m.yml"],
    ).stage()
    assert target.written["text"].split() == ["a/image:1", "a/list:1", "a/remote:1", "a/url:1", "a/pod:1"]
    assert target.asked == ["read", "write"]
    assert result["origins"] == ["image_save_images, item 1", "x.txt:1", "x.txt:1", "https://h/x:1", "m.yml:3"]
    (line,) = ground.ticker.lines
    assert line.startswith("m.yml, document 1, spec.containers[1].image: x y: ")


def test_lines_that_are_not_references_are_shown(ground: Ground) -> None:
    (ground.folder / "x.txt").write_text("a/b:1\nno reference\n")
    ground.stager(FakeTarget(), images=[], list_files=["x.txt"]).stage()
    assert [line.partition(": ")[0] for line in ground.ticker.lines] == ["x.txt:2"]


def test_a_list_that_cannot_be_read(ground: Ground) -> None:
    (ground.folder / "x").mkdir()
    with pytest.raises(OptionError, match=r"^image_save_list_files: cannot read .*/x on the controller: Is a dir"):
        ground.stager(FakeTarget(), list_files=["x"]).stage()


def test_an_empty_choice(ground: Ground) -> None:
    target = FakeTarget()
    with pytest.raises(OptionError, match="leave none of 1"):
        ground.stager(target, include=["nothing"]).stage()
    assert target.asked == []


def test_a_lock_file_needs_no_list(ground: Ground) -> None:
    target = FakeTarget()
    result = ground.stager(target, from_lock="/srv/a.lock.json", remote_list_files=["/gone"]).stage()
    assert target.asked == ["write"] and "list_file" not in target.written
    assert result["count"] == 0


@pytest.mark.parametrize(
    ("login", "saver", "is_other", "asked"),
    [
        (ME, ME, False, ["write"]),
        (ROOT, ROOT, True, ["write"]),
        (ME, ROOT, True, ["look as login", "write"]),
        (ME, OTHER, True, ["look as login", "write"]),
    ],
)
def test_who_logs_in_and_who_saves(ground: Ground, login: int, saver: int, is_other: bool, asked: list[str]) -> None:
    target = FakeTarget(login, saver)
    assert ground.stager(target).stage()["is_other_user"] is is_other
    assert target.asked == asked
    alone = FakeTarget(login, saver, frozenset({login}))
    ground.stager(alone, fetch=False).stage()
    assert alone.asked == ["write"] and alone.written, "nobody fetches"


@pytest.mark.parametrize("saver", [ME, ROOT])
def test_a_directory_that_is_closed(ground: Ground, saver: int) -> None:
    target = FakeTarget(ME, saver, frozenset({ME}))
    with pytest.raises(OptionError, match=r"^one: the user who logs in cannot enter /srv/out, "):
        ground.stager(target).stage()
    assert not target.written


@pytest.mark.parametrize("changed", [{"dest": "~/out/a"}, {"failed_list": "~/failed.txt"}])
def test_a_home(ground: Ground, changed: dict[str, str]) -> None:
    mine = FakeTarget()
    ground.stager(mine, **changed).stage()
    assert mine.written
    for target in (FakeTarget(ME, ROOT), FakeTarget(ROOT, ROOT)):
        with pytest.raises(OptionError, match="give an absolute path"):
            ground.stager(target, **changed).stage()
        assert not target.written
        ground.stager(target, **changed, fetch=False).stage()
        assert target.written


def _lines(target: FakeTarget) -> list[str]:
    lines: list[str] = target.written["text"].splitlines()
    return lines


def test_two_hosts_share_their_lists(ground: Ground) -> None:
    hosts = ["one", "two"]
    plays = {host: Play(host, hosts, hosts, hosts) for host in hosts}
    lists = {"one": [f"a/app-{number}:1" for number in range(9)], "two": ["no reference", "a/app-1:1", "a/more:1"]}
    targets = {host: FakeTarget(name=host) for host in hosts}
    stagers = {host: ground.stager(targets[host], plays[host], images=lists[host], distribute=True) for host in hosts}
    stagers["one"].read()
    with pytest.raises(ImagesError, match="two did not read any list"):
        stagers["one"].stage()
    stagers["two"].read()
    results = {host: stagers[host].stage() for host in hosts}
    for host in hosts:
        assert len(results[host]["origins"]) == results[host]["count"]
    origins = {line: origin for host in hosts for line, origin in zip(_lines(targets[host]), results[host]["origins"])}
    assert origins["a/app-1:1"] == "image_save_images, item 2" and origins["a/more:1"] == "image_save_images, item 3"
    lines = [line for target in targets.values() for line in target.written["text"].splitlines()]
    assert sorted(lines) == sorted({*lists["one"], *lists["two"]})
    assert sum(result["count"] for result in results.values()) == len(lines)
    assert len({result["shares_file"] for result in results.values()}) == 1
    assert len(ground.ticker.lines) == 1, "by the host that has the line"


def test_a_dead_host_and_one_that_is_left_out_are_told_once(ground: Ground) -> None:
    """By the first host, and the shares are those of the record."""
    media = ground.folder / "media"
    media.mkdir()
    lines = [f"a/app-{number}:1" for number in range(9)]
    repositories = {f"docker.io/a/app-{number}": ["one", "two", "four"][number % 3] for number in range(9)}
    record = Record(dict.fromkeys(("one", "two", "four"), ""), repositories)
    (media / "images.set.json").write_bytes(write_record(record))
    inventory = ["one", "two", "three", "four"]
    plays = {
        host: Play(host, ["one", "three"], ["one", "three"], inventory[:3], inventory) for host in ("one", "three")
    }
    stagers = {
        host: ground.stager(FakeTarget(name=host), plays[host], images=lines, distribute=True, fetch_dest=str(media))
        for host in plays
    }
    for stager in stagers.values():
        stager.read()
    assert {host: stager.stage()["count"] for host, stager in stagers.items()} == {"one": 3, "three": 0}
    dead, absent = ground.ticker.lines
    assert dead.startswith("two is unreachable or failed, and its share of 3 images is not saved") and "-e '" in dead
    assert absent == "four is not part of this run, and its share of 3 images is not given to other hosts"
    shares = {
        host: ground.stager(
            FakeTarget(name=host), plays[host], images=lines, distribute=True, fetch_dest=str(media), take_over=["two"]
        ).stage()["count"]
        for host in plays
    }
    assert sum(shares.values()) > 3, "the share of two has gone to hosts that are there, or to four"


def test_an_old_name_is_taken_over_where_the_work_is_shared(ground: Ground) -> None:
    target = FakeTarget()
    stager = ground.stager(target, distribute=True, fetch=False)
    stager.read()
    stager.stage()
    assert target.written["formerly"] == "/srv/out/images.tar.gz"
    assert target.written["archive"] == "/srv/out/images-one.tar.gz"


def test_a_lock_file_of_the_controller_is_staged(ground: Ground) -> None:
    (ground.folder / "a.json").write_bytes(RAW)
    target = FakeTarget()
    result = ground.stager(target, images=[], from_lock_file="a.json", exclude=["one"]).stage()
    assert target.written["list_file"] == result["from_lock"] == "/srv/out/lists/images.lock.json"
    assert "a.lan/two" in target.written["text"] and "a.lan/one" not in target.written["text"]
    assert (result["count"], result["share"]) == (1, [])
    assert result["origins"] == ["image_save_from_lock_file, item 2"]
    looked = ground.stager(FakeTarget(is_check=True), images=[], from_lock_file="a.json").stage()
    assert (looked["from_lock"], len(looked["share"])) == ("", 2) and "@sha256:" in looked["share"][0]
