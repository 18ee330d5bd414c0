# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Requests about projects, and what each answer means. How a load uses them is in ``_load/test_projects.py``."""

from __future__ import annotations

import base64
from collections.abc import Iterator

import pytest

from ansible_collections.airgap.images.plugins.module_utils._base.errors import OptionError, Refused, TransferError
from ansible_collections.airgap.images.plugins.module_utils._base.stop import Stop
from ansible_collections.airgap.images.plugins.module_utils._http.trust_store import TrustStore
from ansible_collections.airgap.images.plugins.module_utils._registry.access import Access, Login
from ansible_collections.airgap.images.plugins.module_utils._registry.credentials import Credentials
from ansible_collections.airgap.images.plugins.module_utils._registry.endpoints import Endpoints
from ansible_collections.airgap.images.plugins.module_utils._registry.harbor import Harbor, NewProject
from ansible_collections.airgap.images.plugins.module_utils._registry.retry import RetryPolicy
from ansible_collections.airgap.images.tests.support.stand_in_answers import Answer, error
from ansible_collections.airgap.images.tests.support.stand_in_harbor import ADMIN, StandInHarbor
from ansible_collections.airgap.images.tests.support.stand_in_registry import StandInRegistry


@pytest.fixture
def stand_in() -> Iterator[StandInHarbor]:
    with StandInHarbor() as served:
        yield served


def harbor_at(stand_in: StandInRegistry, *, retries: int = 2) -> Harbor:
    logins = (Login(stand_in.host, *ADMIN),)
    access = Access(None, None, logins, None, validate_certs=False, ca_path=None, client_cert=None, client_key=None)
    endpoints = Endpoints(access, Credentials(logins, ()), TrustStore(access, {}), read_timeout=30, connections=2)
    endpoint = endpoints.of(stand_in.host)
    policy = RetryPolicy(retries, 0.001)
    return Harbor(stand_in.host, endpoint, policy, stop=Stop(), on_retry=lambda _text: None)


def asked(stand_in: StandInRegistry) -> list[str]:
    return [each.line for each in stand_in.requests() if each.kind != "base"]


def test_the_login_itself_is_sent(stand_in: StandInHarbor) -> None:
    assert harbor_at(stand_in).has("library")
    (request,) = [each for each in stand_in.requests() if each.kind == "api"]
    assert request.path == "/api/v2.0/projects"
    assert base64.b64decode(request.headers["authorization"].partition(" ")[2]).decode() == ":".join(ADMIN)


def test_what_a_name_cannot_do_to_the_address(stand_in: StandInHarbor) -> None:
    harbor_at(stand_in).has("a&b=c#d/../e")
    assert [each.query for each in stand_in.requests() if each.method == "HEAD"] == [
        "project_name=a%26b%3Dc%23d%2F..%2Fe"
    ]


def test_whether_it_is_a_harbor_is_asked_once(stand_in: StandInHarbor) -> None:
    harbor = harbor_at(stand_in)
    assert [harbor.has(name) for name in ("one", "two", "library")] == [False, False, True]
    assert asked(stand_in) == ["HEAD api 404", "GET api 200", "HEAD api 404", "HEAD api 200"]
    assert harbor.heads == 3


@pytest.mark.parametrize("answer", [Answer(404), Answer(401), Answer(200, b"<html>Welcome</html>")])
def test_a_page_for_people_is_no_harbor(stand_in: StandInHarbor, answer: Answer) -> None:
    stand_in.answer("GET", "api", answer)
    with pytest.raises(OptionError, match=rf"it answered {answer.status} at /api/v2\.0"):
        harbor_at(stand_in).has("team")


@pytest.mark.parametrize("status", [404, 405])
def test_what_knows_no_projects_creates_none(stand_in: StandInHarbor, status: int) -> None:
    stand_in.answer("POST", "api", Answer(status))
    with pytest.raises(OptionError, match=f"it answered {status}"):
        harbor_at(stand_in).create("team", NewProject())


def test_a_project_that_exists(stand_in: StandInHarbor) -> None:
    assert not harbor_at(stand_in).create("library", NewProject())
    assert stand_in.projects == {"library": {}}


def test_a_project_whose_creation_was_not_answered(stand_in: StandInHarbor) -> None:
    """The first try has created it, though Harbor says 500, and 409 to the next."""
    stand_in.projects["team"] = {}
    stand_in.answer("POST", "api", error(500, "UNKNOWN", "internal server error"), times=1)
    assert harbor_at(stand_in).create("team", NewProject())


@pytest.mark.parametrize("status", [429, 500, 502, 503])
def test_what_heals_is_tried_again(stand_in: StandInHarbor, status: int) -> None:
    stand_in.answer("HEAD", "api", Answer(status), times=2)
    assert harbor_at(stand_in).has("library")
    stand_in.answer("HEAD", "api", Answer(status))
    with pytest.raises(TransferError, match=r"tried 3 times"):
        harbor_at(stand_in).has("library")


@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        (error(401, "UNAUTHORIZED", "unauthorized"), Refused, "refused user 'admin' for project team of"),
        (error(403, "FORBIDDEN", "no"), Refused, "did not let user 'admin' create the project team (FORBIDDEN: no)"),
        (error(400, "BAD_REQUEST", "project name is illegal"), TransferError, "(BAD_REQUEST: project name is illegal)"),
        (Answer(400, b"<html>"), TransferError, "answered 400 for project team of"),
    ],
)
def test_what_does_not_heal_is_told(
    stand_in: StandInHarbor, answer: Answer, kind: type[TransferError], words: str
) -> None:
    stand_in.answer("POST", "api", answer)
    with pytest.raises(TransferError) as raised:
        harbor_at(stand_in).create("team", NewProject())
    assert type(raised.value) is kind
    assert words in str(raised.value)
    assert asked(stand_in) == [f"POST api {answer.status}"]


def test_the_login_goes_to_no_other_host(stand_in: StandInHarbor) -> None:
    with StandInRegistry() as other:
        there = {"Location": f"{other.url}/api/v2.0/projects"}
        stand_in.answer("HEAD", "api", Answer(307, b"", there))
        stand_in.answer("POST", "api", Answer(307, b"", there))
        harbor = harbor_at(stand_in)
        with pytest.raises(TransferError, match="redirects"):
            harbor.has("team")
        with pytest.raises(TransferError, match="redirects a request with a body"):
            harbor.create("team", NewProject())
        assert [each for each in other.requests() if "authorization" in each.headers] == []
        assert [each.method for each in other.requests()] == ["HEAD"]
