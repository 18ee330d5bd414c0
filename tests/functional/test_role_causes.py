# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Failures as the role shows them: each cause once, for all hosts together, and all images where there is room."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ansible_collections.airgap.images.tests.functional._role import ROLE, Site, assert_secret, on, own_lines
from ansible_collections.airgap.images.tests.support.playbook import PlaybookResult
from ansible_collections.airgap.images.tests.support.registry import Credentials
from ansible_collections.airgap.images.tests.support.workbench import Source, Workbench

ROBOT = Credentials("robot", "r1ght-p4ssword")
WRONG = "wr0ng-p4ssword"
COUNT = 20
PLAY = [{"name": "Save", "hosts": "all", "gather_facts": False, "roles": [{"role": ROLE}]}]


def shown(result: PlaybookResult, folder: Path) -> list[str]:
    """Return the lines of a run that are not Ansible's own.

    :param folder: the folder of the test, which counts as one whose path is as short as a user's.
    """
    return own_lines(f"{result.stdout}\n{result.stderr}".replace(str(folder), "/srv/work"))


class Closed:
    """A registry whose token server refuses the password of ``robot``, and a list of 24 lines with 20 of its images."""

    def __init__(self, bench: Workbench, source: Source, folder: Path) -> None:
        self.host = bench.registry(tokens=bench.tokens(users=(ROBOT,))).host
        self.refused = [f"{self.host}/team/app-{number}:1" for number in range(1, COUNT + 1)]
        self.good = source["oci/gzip:1"].reference
        self.missing = f"{source.registry.host}/team/missing:1"
        self.path = folder / "team.txt"
        lines = ["# our images", self.good, *self.refused, "", "docker pull nothing", self.missing]
        self.path.write_text("\n".join(lines), encoding="utf-8")

    def variables(self, site: Site, **more: Any) -> dict[str, Any]:
        login = {"host": self.host, "username": ROBOT.username, "password": WRONG}
        failed_list = "{{ work }}/out/failed.txt"
        return site.variables(list_files=[str(self.path)], registries=[login], failed_list=failed_list, **more)


@pytest.fixture
def closed(bench: Workbench, source: Source, workdir: Path) -> Closed:
    return Closed(bench, source, workdir)


def test_one_wrong_password_is_told_once(closed: Closed, site: Site) -> None:
    """For two hosts, of which each saves the whole list."""
    result = site.run(site.inventory("one", "two"), closed.variables(site), plays=PLAY)
    assert result.rc == 2
    assert_secret(result, WRONG)
    text = f"{result.stdout}\n{result.stderr}"
    sentence = f"{closed.host} refused user 'robot' for {COUNT} images: unauthorized"
    failed = [each for each in result.tasks if each.status == "failed"]
    assert {each.host for each in failed} == {"one", "two"} and len(failed) == 2
    messages = [str(each.data["msg"]) for each in failed]
    assert [sentence in message for message in messages].count(True) == 1
    told = next(message for message in messages if sentence in message)
    assert "22 of 23" in told and told.count("unauthorized") == 1 and "The first of them: " in told
    assert f"{closed.refused[0]} [{closed.path}:3]" in told and closed.refused[5] not in told
    assert f"{closed.path}:25: " in told and f"{closed.path}:24: 'docker pull nothing' is not a valid" in told
    for host in ("one", "two"):
        assert str(site.media / host / "failed.txt") in told
    assert "Give username" not in text and "give username" not in text
    assert text.count(sentence) == 1, "newer releases of Ansible show it in an error of their own as well"
    lines = shown(result, closed.path.parent)
    assert len(lines) < 40, "\n".join(lines)


def test_all_of_them_are_where_there_is_room(closed: Closed, site: Site) -> None:
    """In the result, in the failed list, in the log, and with -v; with the lines of the list that the user has."""
    log = "{{ work }}/out/log.txt"
    result = site.run(site.inventory("one"), closed.variables(site, log_file=log), plays=PLAY, options=["-v"])
    (saved,) = [each for each in on(result, "one") if each.task.endswith("Save the images")]
    data = saved.data
    assert [each["reference"] for each in data["failed_images"]] == [*closed.refused, closed.missing]
    origins = [f"{closed.path}:{number}" for number in (*range(3, 3 + COUNT), 25)]
    assert [each["origin"] for each in data["failed_images"]] == origins
    assert data["invalid_lines"][0]["origin"] == f"{closed.path}:24"
    counts = {cause["kind"]: cause["count"] for cause in data["causes"]}
    assert counts == {"refused": COUNT, "missing": 1, "line": 1}
    assert data["causes"][0]["references"] == closed.refused and data["causes"][0]["origins"] == origins[:-1]
    failed = (site.media / "one" / "failed.txt").read_text("utf-8")
    logged = site.on_host("one", "out/log.txt").read_text("utf-8")
    for reference, origin in zip([*closed.refused, closed.missing], origins):
        assert f"# {origin}: " in failed and f"\n{reference}\n" in failed
        assert f"{origin}: {reference} failed: " in logged and reference in result.stdout
    assert f"# {closed.path}:24: " in failed


def test_check_mode_names_the_same_lines(closed: Closed, site: Site) -> None:
    result = site.run(site.inventory("one"), closed.variables(site), plays=PLAY, options=["--check"])
    (failed,) = [each for each in on(result, "one") if each.status == "failed"]
    message = str(failed.data["msg"])
    assert "22 of 23 images would fail, so " in message and f"for {COUNT} images: unauthorized" in message
    assert f"{closed.refused[0]} [{closed.path}:3]" in message and f"{closed.path}:24: " in message
    assert len(shown(result, closed.path.parent)) < 40


@pytest.mark.thorough
def test_items_of_a_variable_are_counted(source: Source, site: Site) -> None:
    """The test command sees the same in ``test_role_failures.py``."""
    missing = f"{source.registry.host}/team/missing:1"
    images = [source["oci/gzip:1"].reference, missing]
    result = site.run(site.inventory("one"), site.variables(images=images), plays=PLAY)
    (failed,) = [each for each in on(result, "one") if each.status == "failed"]
    assert f"image_save_images, item 2: {missing} does not exist on" in str(failed.data["msg"])
