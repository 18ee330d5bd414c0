# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The members of a set, the repositories of each, and the record that later runs follow."""

from __future__ import annotations

from collections import Counter

import pytest

from ansible_collections.airgap.images.plugins.module_utils._base.errors import OptionError
from ansible_collections.airgap.images.plugins.plugin_utils._lists.balancing import balance
from ansible_collections.airgap.images.plugins.plugin_utils._set.members import members_of, next_record, placed_by
from ansible_collections.airgap.images.plugins.plugin_utils._set.names import archive_of
from ansible_collections.airgap.images.plugins.plugin_utils._set.record import Record, read_record, write_record

HOSTS = ["north", "east", "south"]
LINES = [f"team/app-{number}:1" for number in range(12)]
ARCHIVES = {host: f"images-{host}.tar.gz" for host in HOSTS}


def after(record: Record, *play: str, inventory: list[str] | None = None, taken_over: tuple[str, ...] = ()) -> Record:
    """The record after a run with these hosts."""
    members = members_of(record, play=play, inventory=inventory or HOSTS, taken_over=taken_over)
    made = balance(LINES, members.all, sizes={}, placed=placed_by(record, members))
    return next_record(record, members, shares=made.shares, archives=ARCHIVES)


def test_the_record_is_read_as_it_was_written() -> None:
    record = Record({"b": "i-b.tar", "a": ""}, {"docker.io/x/y": "a"}, {"c": "i-c.tar"})
    raw = write_record(record)
    assert read_record(raw, path="x") == record
    assert raw == write_record(Record({"a": "", "b": "i-b.tar"}, {"docker.io/x/y": "a"}, {"c": "i-c.tar"}))


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"[]",
        b'{"version": 2}',
        b'{"version": 1, "hosts": {"../a": "x"}}',
        b'{"version": 1, "hosts": {"..": "x"}}',
        b'{"version": 1, "hosts": {"a": "../../etc"}}',
        b'{"version": 1, "left": {"a": "b/c"}}',
        b'{"version": 1, "hosts": {}, "repositories": {"x": "a"}}',
        b'{"version": 1, "hosts": ["a"]}',
        b'{"version": 1, "hosts": {}, "references": {"x:1": "a"}}',
        b'{"version": 1, "hosts": {}, "joining": ["a"]}',
    ],
)
def test_what_is_not_a_record(raw: bytes) -> None:
    with pytest.raises(OptionError, match=r"^/m/images.set.json is not the record of a set: .*share out all images"):
        read_record(raw, path="/m/images.set.json")


def test_only_what_is_needed_moves_when_hosts_join_or_leave() -> None:
    first = after(Record(), *HOSTS)
    assert {*first.archives} == {*HOSTS} and [*Counter(first.repositories.values()).values()] == [4, 4, 4]
    joined = after(first, *HOSTS, "west", inventory=[*HOSTS, "west"])
    moved = {key: host for key, host in joined.repositories.items() if first.repositories[key] != host}
    assert [*moved.values()] == ["west"] * 3 and "west" in joined.archives
    assert after(joined, *HOSTS, "west", inventory=[*HOSTS, "west"]) == joined
    left = after(first, "north", "east", inventory=["north", "east"])
    assert left.left == {"south": "images-south.tar.gz"} and {*left.archives} == {"north", "east"}
    for repository, host in first.repositories.items():
        assert left.repositories[repository] == host or host == "south"


def test_a_limit_moves_nothing() -> None:
    first = after(Record(), *HOSTS)
    members = members_of(first, play=["east"], inventory=HOSTS, taken_over=())
    assert (members.present, members.absent, members.left) == (("east",), ("north", "south"), {})
    assert after(first, "east") == first


def test_without_a_record_the_hosts_at_hand_are_the_set() -> None:
    members = members_of(Record(), play=["east"], inventory=HOSTS, taken_over=())
    assert (members.all, members.left) == (["east"], {})


def test_a_share_is_taken_over_for_good() -> None:
    first = after(Record(), *HOSTS)
    taken = after(first, *HOSTS, taken_over=("south",))
    assert "south" not in taken.archives and "south" not in taken.repositories.values()
    assert taken.left == {"south": "images-south.tar.gz"}
    assert {key: host for key, host in taken.repositories.items() if first.repositories[key] == host} == {
        key: host for key, host in first.repositories.items() if host != "south"
    }
    again = after(taken, "north", "east")
    assert again.repositories == taken.repositories, "the variable is not needed twice"
    back = after(taken, *HOSTS)
    moved = [host for repository, host in back.repositories.items() if taken.repositories[repository] != host]
    assert moved == ["south"] * 4 and back.left == {} and "south" in back.archives


def test_a_host_that_joins_waits_for_those_that_are_left_out() -> None:
    """Their archives would keep the images that move."""
    first = after(Record(), *HOSTS)
    inventory = [*HOSTS, "west"]
    limited = after(first, "west", inventory=inventory)
    assert limited.repositories == first.repositories and limited.joining == ("west",)
    assert b'"joining": [' in write_record(limited)
    assert read_record(write_record(limited), path="x") == limited
    whole = after(limited, *inventory, inventory=inventory)
    assert Counter(whole.repositories.values())["west"] == 3 and whole.joining == ()


def test_a_host_of_the_set_that_has_nothing_gets_nothing_of_the_others() -> None:
    """As earlier releases left some, who went by names alone."""
    record = Record(ARCHIVES, {f"docker.io/team/app-{number}": HOSTS[number % 2] for number in range(12)})
    assert after(record, *HOSTS).repositories == record.repositories


def test_the_images_of_a_split_repository_are_recorded() -> None:
    members = members_of(Record(), play=HOSTS, inventory=HOSTS, taken_over=())
    shares = {"north": ["team/app:1", "team/app:2"], "south": ["team/app:3"], "east": ["team/web:1"]}
    record = next_record(Record(), members, shares=shares, archives=ARCHIVES)
    assert record.repositories == {"docker.io/team/app": "north", "docker.io/team/web": "east"}
    assert record.references == {
        "docker.io/team/app:1": "north",
        "docker.io/team/app:2": "north",
        "docker.io/team/app:3": "south",
    }
    assert read_record(write_record(record), path="x") == record
    # In a run of fewer images it counts as split all the same.
    narrow = next_record(record, members, shares={"south": ["team/app:4"]}, archives=ARCHIVES)
    assert narrow.references == {**record.references, "docker.io/team/app:4": "south"}
    left = members_of(record, play=["north", "east"], inventory=["north", "east"], taken_over=())
    assert [*placed_by(record, left).lines] == ["docker.io/team/app:1", "docker.io/team/app:2"]


def test_hosts_that_nobody_knows() -> None:
    first = after(Record(), *HOSTS)
    with pytest.raises(OptionError, match=r"^image_save_take_over: 'suoth' is not a host .* are east, north, south$"):
        after(first, *HOSTS, taken_over=("suoth",))
    with pytest.raises(OptionError, match=r"^image_save_take_over: no host of the play remains"):
        after(first, "south", taken_over=("south",))


def test_repositories_that_are_not_in_the_list_keep_their_host() -> None:
    """A run that is narrowed by image_save_include must not lose the rest."""
    first = after(Record(), *HOSTS)
    members = members_of(first, play=HOSTS, inventory=HOSTS, taken_over=())
    narrow = next_record(first, members, shares={"north": ["team/app-0:1", "no reference"]}, archives=ARCHIVES)
    assert {*narrow.repositories} == {*first.repositories}
    assert narrow.repositories["docker.io/team/app-0"] == "north"


@pytest.mark.parametrize(
    ("dest", "compress", "expected"),
    [
        ("/srv/images", "gzip", "/srv/images-north.tar.gz"),
        ("/srv/images.tgz", "gzip", "/srv/images-north.tgz"),
        ("~/images.tar.zst", "zstd", "~/images-north.tar.zst"),
        ("/srv/v1.2", "none", "/srv/v1.2-north.tar"),
        ("/srv/images/", "dir", "/srv/images-north"),
    ],
)
def test_the_name_of_an_archive(dest: str, compress: str, expected: str) -> None:
    assert archive_of(dest, compress, "north") == expected
