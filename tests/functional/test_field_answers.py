# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Registries that answer in manners of their own: HEAD, redirects, encodings, tokens."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from ansible_collections.airgap.images.tests.functional._field import (  # noqa: F401
    Batch,
    registry,
    served,
    site,
    store,
)
from ansible_collections.airgap.images.tests.functional._helpers import saved
from ansible_collections.airgap.images.tests.functional._hostile import HONEST, Site, refused
from ansible_collections.airgap.images.tests.support.certificates import Authority
from ansible_collections.airgap.images.tests.support.field_registry import (
    FieldRegistry,
    Manner,
    always,
    gives_token,
    labels,
    redirects,
    wants_token,
    when,
)
from ansible_collections.airgap.images.tests.support.hostile import Asked, Reply
from ansible_collections.airgap.images.tests.support.images import AMD64, ARM64, build_index
from ansible_collections.airgap.images.tests.support.samples import small

INDEX = build_index([small(3, platform=each) for each in (AMD64, ARM64)])


# -- HEAD


STATUSES = (400, 401, 403, 404, 405, 500, 503)


@pytest.fixture(scope="module")
def refusing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Batch]:
    """A repository for each status with which HEAD is refused, saved in one run."""
    with served(tmp_path_factory.mktemp("refusing")) as batch:
        for status in STATUSES:
            batch.registry.manners.append(when(f"/refused/{status}/", always(Reply(status)), method="HEAD"))
        batch.save(*(batch.registry.add(f"refused/{status}", INDEX) for status in STATUSES))
        yield batch


@pytest.mark.field(
    "head",
    given="HEAD refused with any status other than 429",
    happens="the request is repeated with GET, whose answer counts",
)
@pytest.mark.parametrize("status", STATUSES)
def test_head_is_a_hint(refusing: Batch, status: int) -> None:
    name = refusing.registry.reference(f"refused/{status}")
    assert refusing.archive.references[name] == INDEX.digest
    methods = {each.method for each in refusing.registry.asked(f"/refused/{status}/manifests/1")}
    assert methods == {"HEAD", "GET"}


def test_what_get_says_is_the_reason(site: Site, registry: FieldRegistry) -> None:
    name = registry.add("some/image", INDEX)
    told = json.dumps({"errors": [{"code": "DENIED", "message": "the licence has run out"}]}).encode()
    registry.manners += [
        when("/manifests/", always(Reply(404)), method="HEAD"),
        when("/manifests/", always(Reply(403, body=told)), method="GET"),
    ]
    assert "the licence has run out" in refused(site.save([name]), name)


@pytest.mark.field(
    "head",
    given="HEAD answered with 429",
    happens="the run waits; it does not send a GET, which would count towards the limit",
)
def test_a_limit_is_no_refusal(site: Site, registry: FieldRegistry) -> None:
    name = registry.add("some/image", INDEX)
    registry.manners.append(when("/manifests/1", always(Reply(429)), method="HEAD"))
    assert "429" in refused(site.save([name]), name)
    assert {each.method for each in registry.asked("/manifests/1")} == {"HEAD"}


# -- who has answered


BEHIND = {f"{what}/{status}": (what, status) for what in ("manifests", "blobs") for status in (401, 403, 404)}


@pytest.fixture(scope="module")
def redirected(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Batch, FieldRegistry]]:
    """A repository for each status of the storage behind the redirect of its manifest or of its blobs, in one run."""
    with served(tmp_path_factory.mktemp("redirected")) as batch, FieldRegistry() as store:
        names = []
        for number, (name, (what, status)) in enumerate(BEHIND.items()):
            page = Reply(status, body=b"<html>blocked: file sharing</html>")
            store.manners.append(when(f"/behind/{name}/", always(page)))
            batch.registry.manners.append(when(f"/behind/{name}/{what}/", redirects(store.url)))
            names.append(batch.registry.add(f"behind/{name}", small(20 + number)))
        batch.save(*names)
        yield batch, store


@pytest.mark.field(
    "blame",
    given="a redirect to storage that answers 401, 403 or 404",
    happens="the message names the storage, not the account; skopeo is not tried",
)
@pytest.mark.parametrize("name", BEHIND)
def test_the_host_that_refuses_is_named(redirected: tuple[Batch, FieldRegistry], name: str) -> None:
    batch, store = redirected
    reason = refused(batch.results[0], batch.registry.reference(f"behind/{name}"))
    assert store.host in reason and "Something on the way may block" in reason
    for wrong in ("the account may not", "Give username", "does not exist", "skopeo"):
        assert wrong not in reason
    asked = store.asked(f"/behind/{name}/")
    assert asked and not [each for each in asked if each.by_skopeo]


@pytest.mark.field(
    "blame",
    given="a blob that the registry refuses",
    happens="the message has the registry's reason first, then skopeo's",
)
def test_skopeo_does_not_have_the_only_word(site: Site, registry: FieldRegistry) -> None:
    name = registry.add("some/image", HONEST)
    told = json.dumps({"errors": [{"code": "DENIED", "message": "quarantined by the scanner"}]}).encode()
    registry.manners.append(when(HONEST.layers[-1].digest, always(Reply(403, body=told))))
    reason = refused(site.save([name]), name)
    assert reason.index("quarantined by the scanner") < reason.index("skopeo: ")


@pytest.mark.field(
    "blame", given="404 from a pull-through cache", happens="the message says that its upstream may not have answered"
)
def test_a_cache_that_has_no_answer(site: Site, registry: FieldRegistry) -> None:
    name = registry.reference("absent/image")
    assert "is a cache of another registry, that one may not have answered" in refused(site.save([name]), name)


# -- encodings


def packed(_asked: Asked, reply: Reply) -> Reply:
    """As a proxy that compresses whatever it is asked not to."""
    assert isinstance(reply.body, bytes)
    return Reply(reply.status, (*reply.headers, ("Content-Encoding", "gzip")), gzip.compress(reply.body))


ENCODINGS: dict[str, Manner] = {
    "called gzip": labels(("Content-Encoding", "gzip")),
    "called something": labels(("Content-Encoding", "aws-chunked")),
    "packed": packed,
}
ENCODED = {f"{what}/{number}": (what, kind) for what in ("manifests", "blobs") for number, kind in enumerate(ENCODINGS)}


@pytest.fixture(scope="module")
def encoded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Batch]:
    """A repository for each encoding of its manifest or of its blobs, in one run.

    skopeo gets plain answers: here it is the client's turn.
    """
    with served(tmp_path_factory.mktemp("encoded")) as batch:
        names = []
        for number, (name, (what, kind)) in enumerate(ENCODED.items()):
            batch.registry.manners.append(not_to_skopeo(when(f"/encoded/{name}/{what}/", ENCODINGS[kind])))
            names.append(batch.registry.add(f"encoded/{name}", small(30 + number)))
        batch.save(*names)
        yield batch


def not_to_skopeo(manner: Manner) -> Manner:
    return lambda asked, reply: reply if asked.by_skopeo else manner(asked, reply)


@pytest.mark.field(
    "encodings",
    given="an unrequested `Content-Encoding`, on bytes that are unchanged or actually compressed",
    happens="saved; the digest shows which of the two it is",
)
@pytest.mark.parametrize("name", ENCODED, ids=[f"{what}-{kind}" for what, kind in ENCODED.values()])
def test_bytes_and_digest_decide(encoded: Batch, name: str) -> None:
    image = small(30 + list(ENCODED).index(name))
    assert encoded.archive.references[encoded.registry.reference(f"encoded/{name}")] == image.digest


# -- tokens


@pytest.mark.field(
    "tokens",
    given="a registry with TLS that names a token service without TLS",
    happens=("only an anonymous token is requested; if there is a login, the service is refused and no password sent"),
)
@pytest.mark.parametrize("has_login", [True, False])
def test_a_token_service_without_tls(site: Site, tmp_path: Path, store: FieldRegistry, has_login: bool) -> None:
    """As Harbor behind a load balancer that ends TLS: the service is a redirect to where it is by https."""
    authority = Authority(tmp_path / "authority")
    with FieldRegistry(authority.server()) as registry:
        name = registry.add("some/image", INDEX)
        store.manners.append(redirects(registry.url, status=301))
        registry.manners += [gives_token("anybody"), wants_token("anybody", f"{store.url}/token")]
        login = [{"host": registry.host, "username": "user", "password": "pa55-of-the-user"}] if has_login else []
        result = site.save([name], registries=login, validate_certs=True, ca_path=authority.ca_path)
        if has_login:
            assert "without TLS" in refused(result, name)
            assert store.asked() == []
        else:
            assert saved(result).references == {name: INDEX.digest}
            assert {each.authorization for each in store.asked()} == {""}


@pytest.mark.field(
    "tokens",
    given="a refresh token, and a service that does not support POST",
    happens="the token is sent as the password, by the client and by skopeo",
)
@pytest.mark.parametrize("status", [*(pytest.param(status, marks=pytest.mark.thorough) for status in (401, 404)), 405])
def test_a_refresh_token_where_there_is_no_post(site: Site, registry: FieldRegistry, status: int) -> None:
    name = registry.add("some/image", INDEX)
    basic = "Basic PHRva2VuPjpyZWZyZXNoLTEyMw=="  # <token>:refresh-123
    registry.manners += [
        gives_token("theirs", accepted=[basic]),
        when("/token", always(Reply(status)), method="POST"),
        wants_token("theirs", f"{registry.url}/token"),
    ]
    login = site.root / "logs" / "login.json"
    login.write_text(json.dumps({"auths": {registry.host: {"identitytoken": "refresh-123"}}}), encoding="utf-8")
    assert saved(site.save([name], authfile=login)).references == {name: INDEX.digest}
    assert {each.method for each in registry.asked("/token") if each.by_skopeo} == {"GET"}
