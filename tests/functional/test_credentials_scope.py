# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each credential is seen by its own server alone: every request of every server is looked at, those of skopeo as well.

A password goes to its registry, and to the token service that this registry names; to one without TLS only where the
registry itself is spoken to without. A token goes to the registry that it is for. Nobody else sees either.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.airgap.images.tests.functional._helpers import check, command_lines
from ansible_collections.airgap.images.tests.functional._hostile import HONEST, Site, reasons, refused
from ansible_collections.airgap.images.tests.support.certificates import Authority
from ansible_collections.airgap.images.tests.support.hostile import Asked, Hostile, Reply
from ansible_collections.airgap.images.tests.support.module import Result, start_module

USER, PASSWORD = "reader", "pa55-of-the-reader"
BASIC = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
TOKEN = "t0ken-of-the-reader"
REFRESH = "refresh-of-the-reader"
THOROUGH = pytest.mark.thorough

SECRETS = (PASSWORD, BASIC[6:], TOKEN, REFRESH)


@dataclass
class Scene:
    """Servers that end with the test; ``site`` runs the module."""

    site: Site
    authority: Authority
    stack: ExitStack
    servers: list[Hostile] = field(default_factory=list)

    def server(self, *, tls: bool = True, scheme: str = "", realm: str = "") -> Hostile:
        """A registry with an image, which wants ``scheme`` (basic, bearer or nothing) at every request."""
        hostile = self.stack.enter_context(Hostile(self.authority.server() if tls else None))
        hostile.image("some/image", HONEST)
        if scheme:
            accepted = BASIC if scheme == "basic" else f"Bearer {TOKEN}"
            asks = 'Basic realm="x"' if scheme == "basic" else f'Bearer realm="{realm}",service="x"'
            hostile.rules.append(wants(accepted, asks))
        self.servers.append(hostile)
        return hostile

    def token_service(self, *, tls: bool = True) -> Hostile:
        """Gives everybody the token."""
        service = self.server(tls=tls)
        service.replies["/token"] = Reply(body=json.dumps({"token": TOKEN}).encode())
        return service

    def login(self, *servers: Hostile) -> dict[str, Any]:
        return {"registries": [{"host": each.host, "username": USER, "password": PASSWORD} for each in servers]}

    def identity(self, server: Hostile) -> dict[str, Any]:
        """A login file with a refresh token, as ``docker login`` leaves it for some registries."""
        path = self.site.root / "logs" / "login.json"
        auth = base64.b64encode(b"00000000-0000-0000-0000-000000000000:").decode()
        path.write_text(json.dumps({"auths": {server.host: {"auth": auth, "identitytoken": REFRESH}}}))
        return {"authfile": path}

    def save(self, servers: Sequence[Hostile], **params: Any) -> Result:
        trust = {"validate_certs": True, "ca_path": self.authority.ca_path}
        return self.site.save([each.reference("some/image") for each in servers], **{**trust, **params})


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    with ExitStack() as stack:
        yield Scene(Site(tmp_path / "site"), Authority(tmp_path / "authority"), stack)


def wants(accepted: str, asks: str) -> Any:
    def rule(asked: Asked) -> Reply | None:
        if not asked.path.startswith("/v2/") or asked.authorization == accepted:
            return None
        return Reply(401, headers=(("WWW-Authenticate", asks),))

    return rule


def redirect(part: str, target: str, *, skopeo: bool | None = None) -> Any:
    """Sends who asks for a path with ``part`` to the same path elsewhere, once it has shown who it is."""

    def rule(asked: Asked) -> Reply | None:
        if part not in asked.path or skopeo not in (None, asked.by_skopeo):
            return None
        return Reply(307, headers=(("Location", f"{target}{asked.path}"),))

    return rule


def secrets_seen(server: Hostile) -> list[str]:
    """Return the requests of a server that have a secret in them, wherever."""
    found = []
    for each in server.asked():
        told = "\n".join([each.path, *each.headers.values(), each.body.decode("latin-1")])
        found += [f"{each.method} {each.path}: {secret}" for secret in SECRETS if secret in told]
    return found


def assert_saved(scene: Scene, result: Result, *servers: Hostile) -> None:
    assert not result.failed and not reasons(result), reasons(result)
    names = {each.reference("some/image") for each in servers}
    assert check(scene.site.dest).references.keys() == names


@pytest.mark.each_value
@pytest.mark.parametrize(
    "part", [*(pytest.param(part, marks=THOROUGH) for part in ("/manifests/", "/blobs/")), "/some/"]
)
@pytest.mark.parametrize("scheme", ["basic", "bearer"])
def test_not_to_the_host_of_a_redirect(scene: Scene, scheme: str, part: str) -> None:
    """Another port of the same machine is another host, also for skopeo."""
    service = scene.token_service()
    store = scene.server()
    registry = scene.server(scheme=scheme, realm=f"{service.url}/token")
    registry.rules.append(redirect(part, store.url))
    assert_saved(scene, scene.save([registry], **scene.login(registry)), registry)
    assert store.asked(part), "nobody followed"
    assert {each.by_skopeo for each in store.asked("/blobs/" if part == "/blobs/" else part)} == {False, True}
    assert secrets_seen(store) == []


@pytest.mark.parametrize("scheme", ["basic", pytest.param("bearer", marks=THOROUGH)])
def test_not_back_again_after_a_redirect_elsewhere(scene: Scene, scheme: str) -> None:
    """Where the way leads back to the registry, it is the other host that has chosen what is asked for."""
    service = scene.token_service()
    registry = scene.server(scheme=scheme, realm=f"{service.url}/token")
    store = scene.server()
    registry.rules.append(redirect("/v2/some/image/manifests/", store.url, skopeo=False))
    store.rules.append(redirect("/v2/some/image/manifests/", f"{registry.url}/v2/chosen?x=", skopeo=False))
    result = scene.save([registry], **scene.login(registry))
    assert "unauthorized" in refused(result, registry.reference("some/image"))
    back = registry.asked("/v2/chosen")
    assert back and not [each for each in back if each.authorization]
    assert secrets_seen(store) == []


def test_a_host_behind_a_redirect_is_told_nothing_when_it_asks(scene: Scene) -> None:
    registry, store = scene.server(scheme="basic"), scene.server()
    asks = f'Basic realm="{store.url}/token",service="x"'
    store.rules.append(lambda asked: Reply(401, (("WWW-Authenticate", asks),)) if "/v2/" in asked.path else None)
    registry.rules.append(redirect("/manifests/", store.url))
    result = scene.save([registry], **scene.login(registry, store))
    assert store.host in refused(result, registry.reference("some/image"))
    assert store.asked() and not store.asked("/token") and secrets_seen(store) == []


@pytest.mark.field(
    "encodings",
    given="a redirect to another registry that requires its own token",
    happens=("an anonymous token is requested; no credential is sent there, not even one for that registry"),
)
def test_a_registry_behind_a_redirect_is_asked_as_by_anybody(scene: Scene) -> None:
    """Although there is a login for it: who redirects has chosen what is asked for there."""
    theirs = "anybodys-t0ken"
    registry, store = scene.server(scheme="basic"), scene.server()
    store.replies["/token"] = Reply(body=json.dumps({"token": theirs}).encode())
    store.rules.append(wants(f"Bearer {theirs}", f'Bearer realm="{store.url}/token",service="x"'))
    # skopeo, which cannot do so, fetches manifest and configuration.
    for layer in HONEST.layers:
        registry.rules.append(redirect(layer.digest, store.url))
    assert_saved(scene, scene.save([registry], **scene.login(registry, store)), registry)
    assert store.asked("/token") and secrets_seen(store) == []
    assert {each.authorization for each in store.asked()} == {"", f"Bearer {theirs}"}
    assert not [each for each in registry.asked() if theirs in str(each)]


@pytest.mark.each_value
@pytest.mark.parametrize("validate_certs", [True, False])
@pytest.mark.parametrize("kind", ["password", "refresh token"])
def test_not_to_a_token_service_without_tls(scene: Scene, kind: str, validate_certs: bool) -> None:
    service = scene.token_service(tls=False)
    registry = scene.server(scheme="bearer", realm=f"{service.url}/token")
    login = scene.login(registry) if kind == "password" else scene.identity(registry)
    result = scene.save([registry], validate_certs=validate_certs, **login)
    reason = refused(result, registry.reference("some/image"))
    assert "without TLS" in reason and service.host in reason
    assert service.asked() == []


@pytest.mark.each_value
@pytest.mark.parametrize("kind", ["password", "refresh token"])
@pytest.mark.parametrize("target", ["http", "https"])
def test_not_to_where_a_token_service_redirects(scene: Scene, kind: str, target: str) -> None:
    other = scene.token_service(tls=target == "https")
    service = scene.server()
    service.replies["/token"] = Reply(307, headers=(("Location", f"{other.url}/token"),))
    registry = scene.server(scheme="bearer", realm=f"{service.url}/token")
    login = scene.login(registry) if kind == "password" else scene.identity(registry)
    result = scene.save([registry], **login)
    assert secrets_seen(other) == []
    if kind == "refresh token" or target == "http":
        assert "redirects" in refused(result, registry.reference("some/image"))
        assert other.asked() == []


def test_a_token_service_of_another_host_is_believed_where_the_registry_has_tls(scene: Scene) -> None:
    """As Docker Hub does it. The password goes there and to no other place, the token to the registry alone."""
    service = scene.token_service()
    registry = scene.server(scheme="bearer", realm=f"{service.url}/token")
    assert_saved(scene, scene.save([registry], **scene.login(registry)), registry)
    assert {each.authorization for each in service.asked("/token")} == {BASIC}
    assert {each.authorization for each in registry.asked("/manifests/")} <= {"", f"Bearer {TOKEN}"}
    assert not [each for each in service.asked() if TOKEN in str(each)]


def test_a_refresh_token_goes_to_the_token_service_alone(scene: Scene) -> None:
    service = scene.token_service()
    registry = scene.server(scheme="bearer", realm=f"{service.url}/token")
    result = scene.save([registry], **scene.identity(registry))
    assert_saved(scene, result, registry)
    assert [each for each in service.asked("/token") if REFRESH.encode() in each.body]
    assert not [text for text in secrets_seen(registry) if REFRESH in text]


@pytest.mark.parametrize("scheme", ["basic", "bearer"])
def test_not_to_another_registry_of_the_list(scene: Scene, scheme: str) -> None:
    """The other one asks for the same, and names the same token service; for it nobody has a password."""
    service = scene.token_service()
    first, second = (scene.server(scheme=scheme, realm=f"{service.url}/token") for _number in range(2))
    open_to_all = scene.server()
    result = scene.save([first, second, open_to_all], **scene.login(first))
    others = [text for text in secrets_seen(second) if TOKEN not in text]
    assert others == [] and secrets_seen(open_to_all) == []
    if scheme == "basic":
        assert "unauthorized" in refused(result, second.reference("some/image"))
    anonymous = [each for each in service.asked("/token") if not each.authorization]
    assert len(anonymous) >= (scheme == "bearer")


def test_without_tls_only_where_that_is_allowed(scene: Scene) -> None:
    registry = scene.server(tls=False, scheme="basic")
    result = scene.save([registry], **scene.login(registry))
    assert refused(result, registry.reference("some/image"))
    assert secrets_seen(registry) == []


@pytest.mark.parametrize("target", ["http://169.254.169.254", pytest.param("http://metadata.invalid", marks=THOROUGH)])
def test_a_redirect_to_the_inside_of_a_network_carries_nothing(scene: Scene, target: str) -> None:
    """Nothing leaves this machine: what is not on loopback goes to a proxy, which takes it down."""
    registry = scene.server(tls=False, scheme="basic")
    proxy = scene.server(tls=False)
    registry.rules.append(redirect("/manifests/", target))
    env = {"http_proxy": proxy.url, "no_proxy": "127.0.0.1"}
    result = scene.save([registry], env=env, validate_certs=False, **scene.login(registry))
    assert refused(result, registry.reference("some/image"))
    assert [each for each in proxy.asked() if each.path.startswith(target)]
    assert secrets_seen(proxy) == []


@pytest.mark.parametrize(
    "target",
    ["http://169.254.169.254", *(pytest.param(each, marks=THOROUGH) for each in ("file://", "ftp://127.0.0.1"))],
)
def test_no_redirect_leads_from_https_to_anything_else(scene: Scene, target: str) -> None:
    registry = scene.server(scheme="basic")
    registry.rules.append(redirect("/manifests/", target))
    result = scene.save([registry], **scene.login(registry))
    assert "redirects from https" in refused(result, registry.reference("some/image"))


def test_the_login_file_of_skopeo_is_by_registry(scene: Scene) -> None:
    """The file for skopeo names each password's registry, and is gone with the run."""
    registry, other = scene.server(scheme="basic"), scene.server()
    seen: list[tuple[int, dict[str, Any]]] = []

    def look(asked: Asked) -> None:
        if not asked.by_skopeo or not asked.path.endswith(HONEST.digest):
            return
        for line in command_lines([running.pid, *running.children()]):
            found = re.search(r"--src-authfile (\S+)", line)
            if found:
                path = Path(found[1])
                seen.append((path.stat().st_mode & 0o777, json.loads(path.read_bytes())))

    registry.rules.append(look)
    trust = {"validate_certs": True, "ca_path": scene.authority.ca_path, **scene.login(registry)}
    images = [each.reference("some/image") for each in (registry, other)]
    with start_module(scene.site.params(images, **trust), env=scene.site.env) as running:
        result = running.wait(120)
    assert_saved(scene, result, registry, other)
    assert seen
    for mode, document in seen:
        assert mode == 0o600
        assert document["auths"] == {registry.host: {"auth": BASIC[6:]}}
    assert secrets_seen(other) == []
