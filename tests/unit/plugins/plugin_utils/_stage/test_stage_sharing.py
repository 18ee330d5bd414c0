# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Shares of a set: which sizes count, what is said, and what is recorded."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.airgap.images.plugins.module_utils._base.errors import StorageError
from ansible_collections.airgap.images.plugins.plugin_utils._lists.balance_items import Blobs
from ansible_collections.airgap.images.plugins.plugin_utils._lists.balancing import full
from ansible_collections.airgap.images.plugins.plugin_utils._lists.sharing import share_out
from ansible_collections.airgap.images.plugins.plugin_utils._set.members import Members
from ansible_collections.airgap.images.plugins.plugin_utils._set.record import Record
from ansible_collections.airgap.images.plugins.plugin_utils._set.shelf import Shelf
from ansible_collections.airgap.images.plugins.plugin_utils._stage.sharing import Sharer
from ansible_collections.airgap.images.tests.unit.plugins.plugin_utils._stage.test_stage_lock_file import RAW

HOSTS = ("north", "south")
LINES = [f"team/app-{number}:1" for number in range(6)]
SIZES = {line: 100 if number else 500 for number, line in enumerate(LINES)}


@dataclass
class Registries:
    """What a host says of the sizes of images, and what it was asked."""

    sizes: Mapping[str, int] = field(default_factory=lambda: SIZES)
    error: str = ""
    asked: list[str] = field(default_factory=list)

    def ask(self, lines: Sequence[str]) -> dict[str, Blobs]:
        self.asked += lines
        if self.error:
            raise StorageError(self.error)
        return {full(line): {line: self.sizes[line]} for line in lines if line in self.sizes}


class Told:
    def __init__(self) -> None:
        self.said: list[str] = []
        self.warned: list[str] = []

    def say(self, text: str) -> None:
        self.said.append(text)

    def warn(self, text: str) -> None:
        self.warned.append(text)


class Ground:
    """A directory of a set on the controller."""

    def __init__(self, media: Path) -> None:
        self.media = media
        self.told = Told()

    def sharer(self, registries: Registries | None, *hosts: str, **changed: Any) -> Sharer:
        given: dict[str, Any] = {
            "media": str(self.media),
            "record": Shelf(str(self.media)).record(),
            "members": Members(hosts or HOSTS, (), {}),
            "locks": [],
            "ask": registries.ask if registries else None,
            "is_check": False,
            "ticker": self.told,
        }
        return Sharer(**{**given, **changed})

    def lock(self, sizes: Mapping[str, int], name: str = "images.lock.json", *, real: int | None = None) -> None:
        """Write the lock file of the set.

        :param real: bytes of all blobs; ``None``: the images share none.
        """
        document = json.loads(RAW)
        platform = document["images"][0]["platforms"][0]
        document["images"] = [
            {
                **document["images"][0],
                "reference": full(line),
                "platforms": [{**platform, "size": size, "digest": f"sha256:{sum(line.encode()):064}"}],
            }
            for line, size in sizes.items()
        ]
        document["blobs"] = {f"sha256:{1:064}": sum(sizes.values()) if real is None else real}
        path = self.media / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(document))


@pytest.fixture
def ground(tmp_path: Path) -> Ground:
    return Ground(tmp_path / "media")


def test_a_first_run_asks_once_and_records_the_shares_at_once(ground: Ground) -> None:
    registries = Registries()
    shares = ground.sharer(registries).share_out(LINES)
    assert registries.asked == LINES
    assert shares == {"north": LINES[:1], "south": LINES[1:]}
    record = Shelf(str(ground.media)).record()
    assert record.repositories == {
        full(line).rpartition(":")[0]: host for host, lines in shares.items() for line in lines
    }
    assert ground.told.said == [
        "asking for the sizes of 6 images, so that all hosts get about the same number of bytes"
    ]
    again = Registries(error="must not be asked")
    assert ground.sharer(again).share_out(LINES[::-1]) == {"north": LINES[:1], "south": LINES[:0:-1]}
    assert again.asked == [] and ground.told.warned == []


def test_nothing_is_written_in_check_mode(ground: Ground) -> None:
    assert ground.sharer(Registries(), is_check=True).share_out(LINES)["north"] == LINES[:1]
    assert not ground.media.exists()


def test_sizes_of_the_lock_file_are_not_asked_for(ground: Ground) -> None:
    ground.lock({line: SIZES[line] for line in LINES})
    assert ground.sharer(Registries(error="must not be asked")).share_out(LINES)["north"] == LINES[:1]
    assert ground.told.said == []


def test_after_a_run_that_failed_the_lock_files_of_the_hosts_have_sizes(ground: Ground) -> None:
    ground.lock({line: SIZES[line] for line in LINES[:3]}, "north/a.lock.json")
    ground.lock({line: SIZES[line] for line in LINES[3:]}, "south/b.lock.json")
    record = Record({"north": "a"}, left={"south": "b"})
    sharer = ground.sharer(Registries(error="must not be asked"), record=record)
    assert sharer.share_out(LINES)["north"] == LINES[:1] and ground.told.said == []


def test_a_lock_file_that_takes_the_place_of_lists_has_sizes(ground: Ground, tmp_path: Path) -> None:
    other = Ground(tmp_path / "other")
    other.lock({line: SIZES[line] for line in LINES})
    raw = (other.media / "images.lock.json").read_bytes()
    shares = ground.sharer(Registries(error="must not be asked"), locks=[raw]).share_out(LINES)
    assert shares["north"] == LINES[:1]


def test_only_what_is_not_known_is_asked_for(ground: Ground) -> None:
    ground.sharer(Registries()).share_out(LINES)
    ground.lock({line: SIZES[line] for line in LINES})
    one = Registries(error="must not be asked")
    more = [*LINES, "team/new-1:1"]
    assert "team/new-1:1" in ground.sharer(one, is_check=True).share_out(more)["north"], "a single one needs no size"
    two = Registries({"team/new-1:1": 100, "team/new-2:1": 700})
    shares = ground.sharer(two).share_out([*more, "team/new-2:1"])
    assert two.asked == ["team/new-1:1", "team/new-2:1"]
    assert {host: {*lines} - {*LINES} for host, lines in shares.items()} == {
        "north": {"team/new-2:1"},
        "south": {"team/new-1:1"},
    }


def test_where_nobody_answers_numbers_decide_and_that_is_said(ground: Ground) -> None:
    shares = ground.sharer(Registries(error="no route to registry.lan")).share_out(LINES)
    assert [len(lines) for lines in shares.values()] == [3, 3]
    assert ground.told.warned == [
        "the sizes of 6 images could not be found out, so all hosts get about the same number of images: no route to "
        "registry.lan"
    ]
    ground.lock({LINES[0]: 500})
    ground.sharer(Registries(error="no route"), record=Record()).share_out(LINES)
    assert ground.told.warned[1:] == [
        "the sizes of 5 images could not be found out, so they count as large as the others: no route"
    ]


def test_numbers_decide_on_request(ground: Ground) -> None:
    ground.lock({line: SIZES[line] for line in LINES})
    assert [len(lines) for lines in ground.sharer(None).share_out(LINES).values()] == [3, 3]
    assert ground.told.said == ground.told.warned == []


def test_a_single_host_needs_no_sizes(ground: Ground) -> None:
    registries = Registries()
    assert ground.sharer(registries, "north").share_out(LINES) == {"north": LINES} and not registries.asked


def test_without_a_record_another_image_moves_no_other(ground: Ground) -> None:
    registries = Registries()
    assert ground.sharer(registries, media="").share_out(LINES) == share_out(LINES, HOSTS)
    assert not registries.asked and not ground.media.exists()


def test_a_host_that_joins_and_a_share_that_is_too_large_are_named(ground: Ground) -> None:
    repositories = {full(line).rpartition(":")[0]: "north" for line in LINES}
    record = Record(dict.fromkeys(HOSTS, ""), repositories)
    assert ground.sharer(Registries(), record=record).share_out(LINES) == {"north": LINES, "south": []}
    assert ground.told.said == ground.told.warned == [], "nothing is known of the sizes"
    ground.sharer(None, record=record).share_out(LINES)
    assert ground.told.warned == [
        "the share of north (6 images) is 2.0 times the mean of all hosts (3 images), because images stay on the host "
        f"that has them; remove {ground.media}/images.set.json to share everything out again"
    ]
    shares = ground.sharer(Registries(), *HOSTS, "west", record=record).share_out(LINES)
    assert shares["south"] == [] and shares["west"] == LINES[3:]
    assert ground.told.said[-1] == "west joins the set, and 3 images move there or are new"
    assert "the share of north (" in ground.told.warned[-1]


def test_platforms_that_share_layers_count_with_the_bytes_of_the_archive(ground: Ground) -> None:
    """As in the first run, which counts each blob once. The sum of the platforms of south is larger."""
    shares = ground.sharer(Registries()).share_out(LINES)
    ground.lock({line: SIZES[line] for line in shares["north"]}, "north/a.lock.json")
    ground.lock({line: 3 * SIZES[line] for line in shares["south"]}, "south/a.lock.json", real=500)
    ground.lock({line: (1 if line in shares["north"] else 3) * SIZES[line] for line in LINES}, real=1000)
    record = replace(Shelf(str(ground.media)).record(), archives=dict.fromkeys(HOSTS, "a"))
    assert ground.sharer(Registries(error="must not be asked"), record=record).share_out(LINES) == shares
    assert ground.told.warned == []
    new = Registries({"team/new-1:1": 60, "team/new-2:1": 40})
    more = ground.sharer(new, record=record).share_out([*LINES, *new.sizes])
    assert [{*more[host]} & {*new.sizes} for host in HOSTS] == [{"team/new-1:1"}, {"team/new-2:1"}]


def test_archives_that_are_even_are_no_reason_for_a_line(ground: Ground) -> None:
    """What a lock file of other archives says of images does not count against what the hosts have."""
    repositories = {full(line).rpartition(":")[0]: "north" if number else "south" for number, line in enumerate(LINES)}
    record = Record(dict.fromkeys(HOSTS, "a"), repositories)
    for host, real in zip(HOSTS, (500, 450)):
        held = [line for line in LINES if repositories[full(line).rpartition(":")[0]] == host]
        ground.lock(dict.fromkeys(held, 100), f"{host}/a.lock.json", real=real)
    other = Ground(ground.media.parent / "other")
    other.lock(dict.fromkeys(LINES, 100))
    locks = [(other.media / "images.lock.json").read_bytes()]
    sharer = ground.sharer(Registries(error="must not be asked"), record=record, locks=locks)
    sharer.share_out(LINES)
    assert ground.told.warned == []
    ground.lock(dict.fromkeys(LINES[:1], 100), "south/a.lock.json", real=100)
    sharer.share_out(LINES)
    assert len(ground.told.warned) == 1 and "the share of north (" in ground.told.warned[0]
