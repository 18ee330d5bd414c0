# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Projects of Harbor are created where images need them, by a stand-in that speaks Harbor's documented answers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.airgap.images.plugins.module_utils._base.errors import Interrupted, OptionError
from ansible_collections.airgap.images.plugins.module_utils._base.stop import Stop
from ansible_collections.airgap.images.plugins.module_utils._host.log import Log
from ansible_collections.airgap.images.plugins.module_utils._oci.descriptor import digest_of
from ansible_collections.airgap.images.tests.support.pushing import manifest_of
from ansible_collections.airgap.images.tests.support.stand_in_answers import DOCUMENTED, error
from ansible_collections.airgap.images.tests.support.stand_in_harbor import (
    ADMIN,
    PROJECT_ROBOT,
    ROBOT,
    StandInHarbor,
)
from ansible_collections.airgap.images.tests.support.stand_in_registry import StandInRegistry
from ansible_collections.airgap.images.tests.unit.loading import actions_of, load_into, write_layout

CONFIG, LAYER = b"{}", b"layer" * 1000
MANIFEST, OTHER = manifest_of(CONFIG, LAYER), manifest_of(CONFIG, LAYER, annotations={"a": "b"})
NEW, THERE = "team/app:1", "library/web:1"


@pytest.fixture
def harbor() -> Iterator[StandInHarbor]:
    with StandInHarbor() as served:
        yield served


@pytest.fixture
def src(tmp_path: Path) -> Path:
    """An image for a project that does not exist, and one for a project that does."""
    named = {"registry.example/team/app:1": MANIFEST, "docker.io/library/web:1": OTHER}
    return write_layout(tmp_path / "layout", named, CONFIG, LAYER)


def login(user: tuple[str, str] = ADMIN) -> dict[str, Any]:
    return {"username": user[0], "password": user[1], "create_projects": True}


def asked_api(harbor: StandInRegistry) -> list[str]:
    return [f"{each.method} {each.query} {each.status}" for each in harbor.requests() if each.kind == "api"]


@pytest.mark.parametrize("asks_for_basic", [True, False])
@pytest.mark.parametrize("user", [ADMIN, ROBOT], ids=["administrator", "robot"])
def test_a_project_that_does_not_exist_is_created(src: Path, user: tuple[str, str], asks_for_basic: bool) -> None:
    with StandInHarbor(asks_for_basic=asks_for_basic) as harbor:
        result = load_into(harbor, src, **login(user))
        assert actions_of(result) == {NEW: "pushed", THERE: "pushed"}, result.failed
        assert result.projects_created == ("team",)
        assert harbor.projects["team"] == {"project_name": "team", "metadata": {"public": "false"}}
        assert harbor.store.tags == {("team/app", "1"): digest_of(MANIFEST), ("library/web", "1"): digest_of(OTHER)}
        again = load_into(harbor, src, **login(user))
        assert not again.changed
        assert again.projects_created == ()


def test_nothing_is_asked_about_a_new_project(harbor: StandInHarbor, src: Path) -> None:
    load_into(harbor, src, **login())
    tags = [f"{each.method} {each.path}" for each in harbor.requests() if each.kind == "manifest"]
    assert tags.index("PUT /v2/team/app/manifests/1") > 0
    asked = [each for each in harbor.requests() if each.method == "HEAD" and each.path.startswith("/v2/team/app/")]
    # Only after a manifest was put, and just before the tag is written.
    assert {each.path.rpartition("/")[2].partition(":")[0] for each in asked} == {"1", "sha256"}


def test_settings_of_new_projects(harbor: StandInHarbor, src: Path) -> None:
    load_into(harbor, src, **login(), project_public=True, project_quota="2G")
    asked = {"project_name": "team", "metadata": {"public": "true"}, "storage_limit": 2 * 1024**3}
    assert harbor.projects == {"library": {}, "team": asked}


def test_one_project_for_all(harbor: StandInHarbor, src: Path) -> None:
    result = load_into(harbor, src, path="/site/mirror", **login())
    assert result.projects_created == ("site",)
    assert asked_api(harbor) == ["HEAD project_name=site 404", "GET  200", "POST  201"]


@pytest.mark.parametrize("user", [ADMIN, ROBOT], ids=["administrator", "robot"])
def test_check_mode_creates_nothing_and_foresees_all(harbor: StandInHarbor, src: Path, user: tuple[str, str]) -> None:
    result = load_into(harbor, src, check=True, **login(user))
    assert result.projects_created == ("team",)
    assert result.changed
    assert actions_of(result) == {NEW: "pushed", THERE: "pushed"}
    assert {each.method for each in harbor.requests()} <= {"HEAD", "GET"}
    assert [*harbor.projects] == ["library"]
    done = load_into(harbor, src, **login(user))
    assert (done.stats.blobs_pushed, done.stats.bytes_pushed) == (result.stats.blobs_pushed, result.stats.bytes_pushed)


def test_who_may_not_create_a_project_is_told(harbor: StandInHarbor, src: Path) -> None:
    harbor.answer("POST", "api", error(403, "FORBIDDEN", "Only system admin can create project"))
    result = load_into(harbor, src, **login())
    assert actions_of(result) == {NEW: "failed", THERE: "pushed"}
    assert "did not let user 'admin' create the project team (FORBIDDEN: Only system admin" in result.failed[0].reason
    assert not [each for each in harbor.requests() if each.path.startswith("/v2/team/")]


def test_a_robot_of_a_project_can_push_there(harbor: StandInHarbor, tmp_path: Path) -> None:
    src = write_layout(tmp_path / "one", {"docker.io/library/web:1": OTHER}, CONFIG, LAYER)
    log = Log(debug=True)
    result = load_into(harbor, src, log=log, **login(PROJECT_ROBOT))
    assert actions_of(result) == {THERE: "pushed"}
    assert any("It may exist: going on" in line for line in log.lines)
    assert PROJECT_ROBOT[1] not in str(log.lines)


def test_a_project_that_another_creates_at_the_same_time(harbor: StandInHarbor, src: Path) -> None:
    harbor.answer("POST", "api", error(409, "CONFLICT", "The project named team already exists"))
    harbor.answer("HEAD", "api", error(404, "NOT_FOUND", "project team not found"), times=1)
    harbor.projects["team"] = {}
    result = load_into(harbor, src, **login())
    assert actions_of(result) == {NEW: "pushed", THERE: "pushed"}
    assert result.projects_created == ()


def test_a_harbor_that_is_not_well_is_asked_again(harbor: StandInHarbor, src: Path) -> None:
    harbor.answer("POST", "api", error(500, "UNKNOWN", "internal server error"), times=1)
    result = load_into(harbor, src, **login())
    assert result.projects_created == ("team",)
    assert [line for line in asked_api(harbor) if line.startswith("POST")] == ["POST  500", "POST  201"]


def test_a_wrong_password(harbor: StandInHarbor, src: Path) -> None:
    result = load_into(harbor, src, username="admin", password="not-the-one", create_projects=True)
    assert [one.reason for one in result.failed] == [
        f"{harbor.host} refused user 'admin' for project {name} of {harbor.host}: unauthorized. The password may be "
        "wrong"
        for name in ("team", "library")
    ]


def test_no_login(harbor: StandInHarbor, src: Path) -> None:
    result = load_into(harbor, src, create_projects=True)
    assert "Give username and password" in result.failed[0].reason


def test_a_registry_that_is_no_harbor(src: Path) -> None:
    with StandInRegistry() as registry, pytest.raises(OptionError, match="does not have Harbor's interface") as raised:
        load_into(registry, src, create_projects=True)
    assert not raised.value.changed
    assert asked_api(registry) == [f"HEAD project_name={name} 404" for name in ("team",)] + ["GET  404"]


def test_a_name_without_a_project_is_refused_before_any_request(harbor: StandInHarbor, tmp_path: Path) -> None:
    src = write_layout(tmp_path / "one", {"registry.example/app:1": MANIFEST}, CONFIG, LAYER)
    with pytest.raises(OptionError, match="/app: a repository in Harbor has a project"):
        load_into(harbor, src, **login())
    assert harbor.requests() == []
    assert actions_of(load_into(harbor, src, path="/library", **login())) == {"library/app:1": "pushed"}


def test_settings_without_create_projects(harbor: StandInHarbor, src: Path) -> None:
    for settings in ({"project_public": True}, {"project_quota": "2G"}):
        with pytest.raises(OptionError, match="have no effect without create_projects=true"):
            load_into(harbor, src, **settings)


def test_a_missing_project_is_named_without_create_projects(harbor: StandInHarbor, src: Path) -> None:
    """The other project is loaded, though Harbor asks for another scheme after it has refused a token."""
    result = load_into(harbor, src, username=ADMIN[0], password=ADMIN[1])
    assert actions_of(result) == {NEW: "failed", THERE: "pushed"}
    assert "the project does not exist" in result.failed[0].reason


def test_a_run_that_is_stopped_between_two_projects_says_that_it_changed_something(
    harbor: StandInHarbor, tmp_path: Path
) -> None:
    named = {f"registry.example/{project}/app:1": MANIFEST for project in ("one", "two")}
    src = write_layout(tmp_path / "layout", named, CONFIG, LAYER)
    stop = Stop()
    harbor.on_project = lambda _name: stop.request("enough")
    with pytest.raises(Interrupted) as raised:
        load_into(harbor, src, stop=stop, **login())
    assert raised.value.changed
    assert [*harbor.projects] == ["library", "one"]


@pytest.mark.parametrize("answer", ["Harbor, quota", "Harbor, read-only"])
def test_what_happens_after_a_project_was_created_counts_as_a_change(
    harbor: StandInHarbor, src: Path, answer: str
) -> None:
    harbor.answer("POST", "start", DOCUMENTED[answer])
    result = load_into(harbor, src, **login())
    assert {*actions_of(result).values()} == {"failed"}
    assert result.changed
    assert result.projects_created == ("team",)
