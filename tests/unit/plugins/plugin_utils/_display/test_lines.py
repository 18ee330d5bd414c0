# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.airgap.images.plugins.module_utils._base.json import JsonError, JsonObject
from ansible_collections.airgap.images.plugins.plugin_utils._display.lines import (
    fetch_line,
    format_duration,
    load_line,
    save_line,
    send_line,
    still_piece,
    verify_line,
)

MIB = 1024 * 1024


def progress(**members: Any) -> JsonObject:
    """A progress file in the midst of a run."""
    usual: dict[str, Any] = {
        "stage": "archive",
        "images": {"done": 12, "failed": 0, "of": 309},
        "bytes": {"done": 3 * MIB, "of": 41 * MIB},
        "rate": MIB,
        "seconds_left": 38,
        "copying": ["docker.io/rancher/rancher (linux/amd64)"],
        "archive": {"bytes": 2 * MIB, "of": 40 * MIB, "part": 1, "parts": 1},
    }
    return JsonObject({**usual, **members})


def saved(**members: Any) -> str:
    """The line of a progress file, as long as it is."""
    return str(save_line(progress(**members)))


def test_whole_line() -> None:
    assert saved() == (
        "12 of 309 images, 3.0 MiB of 41.0 MiB, 1.0 MiB/s, 38 s left; "
        "copying docker.io/rancher/rancher (linux/amd64); archive 2.0 MiB"
    )


def test_failures_parts_and_further_copies_are_told() -> None:
    line = saved(
        images={"done": 12, "failed": 2, "of": 309},
        copying=["a", "b", "c"],
        archive={"bytes": 7, "of": 9, "part": 3, "parts": 11},
    )
    assert "12 of 309 images, 2 failed, " in line
    assert line.endswith("; copying a and 2 more; archive 7 bytes, part 3")


def test_what_is_not_known_is_not_told() -> None:
    line = saved(rate=0, seconds_left=None, copying=[], archive={"bytes": 0, "of": 0, "part": 0, "parts": 1})
    assert line == "12 of 309 images, 3.0 MiB of 41.0 MiB"
    assert save_line(progress(stage="")) is None
    assert save_line(progress(images={"done": 0, "failed": 0, "of": 0}, archive={"part": 0})) is None
    assert saved(images={"done": 0, "failed": 1, "of": 1}).startswith("0 of 1 image, 1 failed, ")


def test_steps_around_the_copies_are_named() -> None:
    assert saved(stage="resolve") == "asking registries for digests and manifests (images: 309)"
    assert saved(stage="publish") == "putting the archive in place"


def loaded(**members: Any) -> str:
    """The line of the progress file of a load, as long as it is."""
    usual = {"stage": "push", "retries": 0, "copying": ["docker.io/rancher/rancher:v2.7.9", "b", "c"]}
    return str(load_line(progress(**{**usual, **members})))


def test_a_load_tells_what_is_pushed_and_tried_again() -> None:
    moved = "12 of 309 images, 3.0 MiB of 41.0 MiB, 1.0 MiB/s, 38 s left"
    line = f"{moved}; pushing docker.io/rancher/rancher:v2.7.9 and 2 more"
    assert loaded() == line
    assert loaded(retries=1) == f"{line}; 1 retry"
    assert loaded(retries=2) == f"{line}; 2 retries"
    assert loaded(images={"done": 1, "failed": 2, "of": 3}, copying=[]).startswith("1 of 3 images, 2 failed, ")


@pytest.mark.parametrize("stage", ["read", "verify", "ask", "projects", "compare"])
def test_the_steps_before_a_push_are_named(stage: str) -> None:
    assert loaded(stage=stage).endswith(" (images: 309)")
    assert load_line(progress(stage="", retries=0)) is None


def test_a_file_of_images_is_told_by_its_bytes() -> None:
    assert loaded(stage="write") == "writing the file, 3.0 MiB of 41.0 MiB, 1.0 MiB/s, 38 s left"


def test_a_verification_tells_what_is_read_and_how_much_is_wrong() -> None:
    usual: dict[str, Any] = {"images": {"done": 0, "failed": 0, "of": 0}, "copying": ["a.part00", "a.part01"]}
    said = str(verify_line(progress(**usual, stage="verify")))
    assert said.startswith("checking, ") and said.endswith("; reading a.part00 and 1 more")
    wrong = verify_line(progress(**{**usual, "images": {"done": 0, "failed": 2, "of": 0}, "stage": "repair"}))
    assert str(wrong).startswith("making lost parts again, 2 parts wrong, ")
    assert str(verify_line(progress(**usual, stage="images"))) == "finding the images that need what is lost"
    assert verify_line(progress(**usual, stage="")) is None


def test_a_retry_is_news() -> None:
    lines = [load_line(progress(stage="push", retries=number)) for number in (1, 1, 2)]
    news = [line.news for line in lines if line is not None]
    assert news[0] == news[1] != news[2]


def test_copying_to_a_host() -> None:
    line = send_line("a.part1", 2, 3, done=MIB, of=2 * MIB, rate=MIB, left=1)
    assert str(line) == "copying file 2 of 3 to the host, a.part1, 1.0 MiB of 2.0 MiB, 1.0 MiB/s, 1 s left"


def test_a_host_cannot_steer_the_terminal() -> None:
    assert "\x1b" not in saved(copying=["\x1b[2Jgone"])


FULL = {"images": {"done": 12, "failed": 2, "of": 309}, "archive": {"bytes": 7, "of": 9, "part": 3, "parts": 11}}


@pytest.mark.parametrize(
    ("columns", "line"),
    [
        (
            130,
            "12 of 309 images, 2 failed, 3.0 MiB of 41.0 MiB, 1.0 MiB/s, 38 s left; "
            "copying …her/rancher (linux/amd64); archive 7 bytes, part 3",
        ),
        (110, "12 of 309 images, 2 failed, 3.0 MiB of 41.0 MiB, 1.0 MiB/s, 38 s left; archive 7 bytes, part 3"),
        (80, "12 of 309 images, 2 failed, 3.0 MiB of 41.0 MiB, 1.0 MiB/s, 38 s left"),
        (60, "12 of 309 images, 2 failed, 3.0 MiB of 41.0 MiB, 38 s left"),
        (50, "12 of 309 images, 2 failed, 3.0 MiB of 41.0 MiB"),
        (30, "12 of 309 images, 2 failed"),
        (10, "12 of 309…"),
    ],
)
def test_what_matters_least_gives_way_first(columns: int, line: str) -> None:
    made = save_line(progress(**FULL))
    assert made is not None
    assert made.within(columns) == line


def test_only_what_moves_is_news() -> None:
    def news(**members: Any) -> object:
        line = save_line(progress(**members))
        return line and line.news

    assert news() == news(rate=7, seconds_left=9, copying=[])
    moved = [news(bytes={"done": 1, "of": 41 * MIB}), news(images={"done": 13, "failed": 0, "of": 309})]
    assert len({news(), *moved}) == 3
    assert news(stage="resolve") is None


@pytest.mark.parametrize("members", [{"images": 7}, {"rate": "fast"}, {"copying": [1]}, {"stage": 1}])
def test_what_is_no_progress_is_refused(members: dict[str, Any]) -> None:
    with pytest.raises(JsonError):
        save_line(progress(**members))


def test_fetching_line() -> None:
    line = fetch_line("images.tar.gz.part2", 3, 12, done=5 * MIB, of=20 * MIB, rate=MIB, left=15)
    assert str(line) == "fetching file 3 of 12, images.tar.gz.part2, 5.0 MiB of 20.0 MiB, 1.0 MiB/s, 15 s left"
    assert line.within(80) == "fetching file 3 of 12, ….tar.gz.part2, 5.0 MiB of 20.0 MiB, 1.0 MiB/s, 15 s left"
    assert line.within(70) == "fetching file 3 of 12, 5.0 MiB of 20.0 MiB, 1.0 MiB/s, 15 s left"
    assert "left" not in str(fetch_line("a", 1, 1, done=0, of=1, rate=0, left=None))


def test_standing_still_is_told() -> None:
    assert str(still_piece(300.4)) == "nothing has moved for 5 min"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (59, "59 s"),
        (60, "1 min"),
        (61, "2 min"),
        (3540, "59 min"),
        (3541, "1 h 00 min"),
        (7500, "2 h 05 min"),
    ],
)
def test_durations(seconds: int, text: str) -> None:
    assert format_duration(seconds) == text
