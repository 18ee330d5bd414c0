# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Registries that skopeo does not get into: they ask for a login below ``/v2/`` only, or have an address for a name."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from ansible_collections.airgap.images.tests.functional._field import registry, site  # noqa: F401
from ansible_collections.airgap.images.tests.functional._helpers import saved
from ansible_collections.airgap.images.tests.functional._hostile import HONEST, Site, refused
from ansible_collections.airgap.images.tests.support.field_registry import FieldRegistry
from ansible_collections.airgap.images.tests.support.hostile import Asked, Reply

LOGIN = base64.b64encode(b"someone:secret-word").decode("ascii")
CHALLENGE = Reply(401, headers=(("WWW-Authenticate", 'Basic realm="field"'),))
ADDRESS = "[2001:db8::5]:5000"


@pytest.fixture
def policy(site: Site) -> str:
    """One that wants signatures, but from nowhere that is asked here."""
    path = site.root / "logs" / "policy.json"
    path.write_text(json.dumps({"default": [{"type": "reject"}]}), encoding="utf-8")
    return str(path)


def asks_below(asked: Asked, reply: Reply) -> Reply:
    """Lets anybody to ``/v2/``, and nobody further without a login."""
    if asked.path.rstrip("/") == "/v2":
        return Reply(body=b"{}")
    return reply if asked.authorization == f"Basic {LOGIN}" else CHALLENGE


def login(registry: FieldRegistry) -> dict[str, Any]:
    return {"registries": [{"host": registry.host, "username": "someone", "password": "secret-word"}]}


@pytest.mark.field(
    "open",
    given="200 at `/v2/` and 401 below it, with a login",
    happens=("saved without skopeo, which sends no login there, if the signature policy accepts anything"),
)
def test_a_login_below_an_open_door(site: Site, registry: FieldRegistry) -> None:
    name = registry.add("some/image", HONEST)
    registry.manners.append(asks_below)
    result = site.save([name], insecure_policy=True, **login(registry))
    assert saved(result).references == {name: HONEST.digest}
    assert not [each for each in registry.asked() if each.by_skopeo]
    assert len([each for each in registry.asked() if each.path.rstrip("/") == "/v2" and not each.authorization]) <= 3


@pytest.mark.field(
    "open",
    given="the same if the policy requires more",
    happens="refused before a layer is fetched, with a message that does not ask for a password",
)
def test_an_open_door_and_a_policy(site: Site, registry: FieldRegistry, policy: str) -> None:
    name = registry.add("some/image", HONEST)
    registry.manners.append(asks_below)
    reason = refused(site.save([name], signature_policy=policy, **login(registry)), name)
    assert "answers /v2/ to anybody" in reason and "username" not in reason
    assert not [each for each in registry.asked() if each.by_skopeo]
    for layer in HONEST.layers:
        assert not registry.asked(layer.digest)


def test_a_wrong_login_below_an_open_door(site: Site, registry: FieldRegistry) -> None:
    name = registry.add("some/image", HONEST)
    registry.manners.append(asks_below)
    assert "refused access" in refused(site.save([name], insecure_policy=True), name)


@pytest.mark.field(
    "open",
    given="an IPv6 address as registry, as in `[2001:db8::5]:5000/app:1`",
    happens=(
        "the same: saved without skopeo, which does not accept such an address, or refused before a layer is fetched"
    ),
)
def test_an_address_for_a_registry(site: Site, registry: FieldRegistry, policy: str) -> None:
    """Behind a proxy, so that the host needs no IPv6."""
    registry.add("some/image", HONEST)
    registry.rules.append(
        lambda asked: registry.replies.get(asked.path.partition(ADDRESS)[2]) if ADDRESS in asked.path else None
    )
    name = f"{ADDRESS}/some/image:1"
    env = {"HTTP_PROXY": registry.url, "HTTPS_PROXY": registry.url, "NO_PROXY": ""}
    reason = refused(site.save([name], env=env, signature_policy=policy), name)
    assert f"does not accept an address such as {ADDRESS}" in reason
    for layer in HONEST.layers:
        assert not registry.asked(layer.digest)
    result = site.save([name], env=env, insecure_policy=True)
    assert saved(result).references == {name: HONEST.digest}
    assert not [each for each in registry.asked() if each.by_skopeo]
