# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who is let in, how, and that no credential is seen on the way."""

from __future__ import annotations

import base64
import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.airgap.images.tests.functional._helpers import (
    below,
    check,
    command_lines,
    holds,
    saved,
)
from ansible_collections.airgap.images.tests.support.faults import Hold, Redirect, Respond, Rule
from ansible_collections.airgap.images.tests.support.module import Result
from ansible_collections.airgap.images.tests.support.push import push
from ansible_collections.airgap.images.tests.support.registry import Credentials, Registry
from ansible_collections.airgap.images.tests.support.samples import oci_index, small
from ansible_collections.airgap.images.tests.support.workbench import USER, Source, Workbench

ENCODED = base64.b64encode(f"{USER.username}:{USER.password}".encode()).decode()


def login_file(path: Path, host: str, user: Credentials = USER) -> Path:
    """A login file as ``skopeo login`` writes it."""
    auth = base64.b64encode(f"{user.username}:{user.password}".encode()).decode()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"auths": {host: {"auth": auth}}}), encoding="utf-8")
    return path


def by_options(bench: Workbench, registry: Registry) -> dict[str, Any]:
    return {"username": USER.username, "password": USER.password}


def by_environment(bench: Workbench, registry: Registry) -> dict[str, Any]:
    return {"env": {"SOURCE_USERNAME": USER.username, "SOURCE_PASSWORD": USER.password}}


def by_registries(bench: Workbench, registry: Registry) -> dict[str, Any]:
    other = {"host": "registry.example", "username": "somebody", "password": "else"}
    return {"registries": [other, {"host": registry.host, "username": USER.username, "password": USER.password}]}


def by_authfile(bench: Workbench, registry: Registry) -> dict[str, Any]:
    return {"authfile": login_file(bench.directory / "login.json", registry.host)}


def by_authfile_of_a_namespace(bench: Workbench, registry: Registry) -> dict[str, Any]:
    return {"authfile": login_file(bench.directory / "login.json", f"{registry.host}/some")}


def by_home(bench: Workbench, registry: Registry) -> dict[str, Any]:
    home = bench.directory / "somebody"
    login_file(home / ".docker" / "config.json", registry.host)
    return {"env": {"HOME": str(home)}}


def by_registry_auth_file(bench: Workbench, registry: Registry) -> dict[str, Any]:
    return {"env": {"REGISTRY_AUTH_FILE": str(login_file(bench.directory / "login.json", registry.host))}}


def by_registries_before_authfile(bench: Workbench, registry: Registry) -> dict[str, Any]:
    wrong = login_file(bench.directory / "login.json", registry.host, Credentials(USER.username, "wrong"))
    return {**by_registries(bench, registry), "authfile": wrong}


def docker_config(bench: Workbench, document: dict[str, Any], helper: str = "") -> dict[str, Any]:
    """A ``config.json`` of Docker's command line, and a store in PATH; the latter is a shell script."""
    folder = bench.directory / "docker"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(document), encoding="utf-8")
    program = folder / "docker-credential-teststore"
    program.write_text(f"#!/bin/sh\n{helper}\n", encoding="utf-8")
    program.chmod(0o755)
    return {"env": {"DOCKER_CONFIG": str(folder), "PATH": f"{folder}:{os.environ['PATH']}"}}


def store(known: str) -> str:
    """What the store does that knows the password of one registry, and of no other."""
    answer = json.dumps({"ServerURL": known, "Username": USER.username, "Secret": USER.password})
    none = "echo 'credentials not found in native keychain'; exit 1"
    return f"read -r name || :; if [ \"$name\" = '{known}' ]; then echo '{answer}'; else {none}; fi"


def by_a_store(bench: Workbench, registry: Registry) -> dict[str, Any]:
    document = {"auths": {registry.host: {}, "registry.example": {}}, "credsStore": "teststore"}
    return docker_config(bench, document, store(registry.host))


def by_a_store_that_knows_an_address(bench: Workbench, registry: Registry) -> dict[str, Any]:
    """skopeo, which would ask by the registry's name, is let in only by what we have asked for."""
    address = f"https://{registry.host}/v2/"
    return docker_config(bench, {"auths": {address: {}}, "credsStore": "teststore"}, store(address))


def by_a_store_of_one_registry(bench: Workbench, registry: Registry) -> dict[str, Any]:
    document = {"credHelpers": {registry.host: "teststore"}, "credsStore": "absent"}
    return docker_config(bench, document, store(registry.host))


def by_an_entry_that_is_not_encoded(bench: Workbench, registry: Registry) -> dict[str, Any]:
    entry = {"username": USER.username, "password": USER.password, "email": "nobody@registry.example"}
    return docker_config(bench, {"auths": {f"https://{registry.host}/v1/": entry}})


def by_an_entry_beside_a_broken_one(bench: Workbench, registry: Registry) -> dict[str, Any]:
    return docker_config(bench, {"auths": {registry.host: {"auth": ENCODED}, "registry.example": {"auth": "?"}}})


WAYS = [
    by_a_store_that_knows_an_address,
    by_an_entry_beside_a_broken_one,
    by_environment,
    by_authfile_of_a_namespace,
    by_home,
    by_registries_before_authfile,
]
MORE_WAYS = [
    by_a_store,
    by_a_store_of_one_registry,
    by_an_entry_that_is_not_encoded,
    by_registries,
    by_registry_auth_file,
]
"""Which are parts of the others."""

Way = Callable[[Workbench, Registry], dict[str, Any]]


def asking(bench: Workbench, kind: str) -> Registry:
    """A registry that asks for credentials."""
    return bench.registry(basic=USER) if kind == "basic" else bench.registry(tokens=bench.tokens())


@pytest.mark.field(
    "logins",
    given="`auth`, `username` and `password`, `credHelpers`, `credsStore`, URLs as keys",
    happens="used, and passed to skopeo too",
)
@pytest.mark.parametrize("way", [*WAYS, *(pytest.param(way, marks=pytest.mark.thorough) for way in MORE_WAYS)])
def test_credentials_for_a_registry_that_asks_for_basic(bench: Workbench, way: Way) -> None:
    registry = asking(bench, "basic")
    image = push(registry, "some/image", "1", small(1))
    saved(bench.save([image], **way(bench, registry)))
    assert {each.status for each in registry.requests()} == {200, 401}


@pytest.mark.parametrize("way", [by_options, pytest.param(by_authfile, marks=pytest.mark.thorough)])
def test_credentials_for_a_registry_that_asks_for_tokens(bench: Workbench, way: Way) -> None:
    tokens = bench.tokens()
    registry = bench.registry(tokens=tokens)
    first = push(registry, "some/image", "1", oci_index())
    second = push(registry, "some/other", "1", small(1))
    saved(bench.save([first, second], **way(bench, registry)))
    asked = tokens.requests()
    assert {each.user for each in asked} == {USER.username}
    scopes = {scope for each in asked for scope in each.scopes}
    assert scopes == {"repository:some/image:pull", "repository:some/other:pull"}


def test_hangar_fault_13_no_credentials_are_needed_for_public_images(bench: Workbench) -> None:
    tokens = bench.tokens(anonymous_pull=True)
    registry = bench.registry(tokens=tokens)
    image = push(registry, "some/image", "1", small(1))
    saved(bench.save([image]))
    assert {(each.user, each.status) for each in tokens.requests()} == {("", 200)}


def test_a_token_that_is_no_longer_good_is_replaced(bench: Workbench) -> None:
    """The HEAD was answered; the GET that follows is refused once, as when the token has expired between them."""
    tokens = bench.tokens()
    registry = bench.registry(tokens=tokens)
    image = push(registry, "some/image", "1", small(1))
    challenge = f'Bearer realm="{tokens.realm}",service="{tokens.service}",scope="repository:some/image:pull"'
    refused = Rule(Respond(401, {"WWW-Authenticate": challenge}), method="GET", path="/manifests/", times=1)
    proxy = bench.proxy(registry, refused)
    reference = f"{proxy.host}/{below(registry, image)}"
    saved(bench.save([reference], retries=0, **by_options(bench, registry)))
    assert refused.hits == 1
    assert {each.user for each in tokens.requests()} == {USER.username}


@pytest.mark.parametrize(
    ("kind", "password"),
    [pytest.param("basic", "wrong", marks=pytest.mark.thorough), ("bearer", "wrong"), ("bearer", None)],
)
def test_who_is_not_let_in_is_told_so_at_once(bench: Workbench, kind: str, password: str | None) -> None:
    registry = asking(bench, kind)
    image = push(registry, "some/image", "1", small(1))
    params: dict[str, Any] = {"username": USER.username, "password": password} if password else {}
    result = bench.save([image], retries=5, retry_delay=30, **params)
    assert result.failed and not result.changed
    reason = result["failed_images"][0]["reason"]
    assert registry.host in reason
    assert any(word in reason.lower() for word in ("password", "credentials", "username")), reason


def test_credentials_are_for_their_registry_only(bench: Workbench) -> None:
    """A registry that redirects to a store elsewhere does not give the password away, nor is it sent to others."""
    registry = bench.registry(basic=USER)
    image = push(registry, "some/image", "1", small(1))
    store = bench.proxy(registry, authorization=f"Basic {ENCODED}")
    proxy = bench.proxy(registry, Rule(Redirect(store.url), path="/blobs/"))
    login = {"host": proxy.host, "username": USER.username, "password": USER.password}
    saved(bench.save([f"{proxy.host}/{below(registry, image)}"], registries=[login]))
    assert store.requests() and proxy.requests()
    assert not [each for each in store.requests() if "authorization" in each.headers]


def test_username_without_password_is_refused(source: Source, bench: Workbench) -> None:
    result = bench.save([source["oci/gzip:1"]], username="somebody")
    assert result.failed and "password" in result.msg


def test_several_registries_with_one_username_is_refused_or_told(bench: Workbench) -> None:
    """The password goes to the registry that it is for, never to another one by chance."""
    first, second = bench.registry(), bench.registry()
    images = [push(each, "some/image", "1", small(1)) for each in (first, second)]
    result = bench.save(images, username=USER.username, password=USER.password)
    assert result.failed and "registries" in result.msg
    assert not first.requests() and not second.requests()


@pytest.mark.parametrize("content", [None, b"{broken"])
def test_a_login_file_that_can_not_be_read_is_named(source: Source, bench: Workbench, content: bytes | None) -> None:
    path = bench.directory / "login.json"
    if content is not None:
        path.write_bytes(content)
    result = bench.save([source["oci/gzip:1"]], authfile=path)
    assert result.failed and str(path) in result.msg


@pytest.mark.field(
    "logins",
    given="an entry that cannot be read",
    happens=("images of its registry fail, with a message that names entry and file; all others are saved"),
)
def test_a_broken_entry_of_the_registry_is_named(bench: Workbench, source: Source) -> None:
    """It harms the images of that registry alone."""
    registry = bench.registry(basic=USER)
    image, open_image = push(registry, "some/image", "1", small(1)), source["oci/gzip:1"]
    ways = docker_config(bench, {"auths": {registry.host: {"auth": "s3cret"}}})
    result = bench.save([image, open_image], allow_partial=True, **ways)
    (failed,) = result["failed_images"]
    assert failed["reference"] == image.reference
    assert f"the entry of {registry.host} in {bench.directory}/docker/config.json cannot be read" in failed["reason"]
    assert "s3cret" not in json.dumps(result.data)
    assert list(check(Path(result["dest"])).references) == [open_image.reference]


def assert_secret(result: Result, *folders: Path) -> None:
    """Neither the password nor its encoded form is in the result or in a file."""
    shown = json.dumps(result.data, ensure_ascii=False) + result.stderr
    for secret in (USER.password, ENCODED):
        assert secret not in shown
        for folder in folders:
            assert holds(folder, secret) == []


def test_no_credential_is_seen_while_it_runs_or_afterwards(
    bench: Workbench, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not in command lines, results, logs, the cache or what is left behind; the file for skopeo is private."""
    registry = bench.registry(tokens=bench.tokens())
    image = push(registry, "some/image", "1", small(1))
    hold, passed = Hold(), Hold()
    passed.release()
    path = f"/blobs/{image.platforms[0].config_digest}"
    # We ask for the configuration first, for the platform; then skopeo does.
    proxy = bench.proxy(registry, Rule(passed, path=path, times=1), Rule(hold, path=path))
    params = {"username": USER.username, "password": USER.password, "debug": True}
    log = bench.directory / "logs" / "run.log"
    log.parent.mkdir()
    scratch = bench.directory / "scratch"
    scratch.mkdir()
    monkeypatch.setenv("TMPDIR", str(scratch))
    running = bench.start([f"{proxy.host}/{below(registry, image)}"], log_file=log, **params)
    proxy.wait_for(lambda seen: any(each.action is hold for each in seen))
    processes = [running.pid, *running.children()]
    lines = command_lines(processes)
    assert any("skopeo" in line for line in lines)
    for secret in (USER.password, ENCODED):
        assert not [line for line in lines if secret in line]
    (authfile,) = {found[1] for line in lines if (found := re.search(r"authfile[ =](\S+)", line))}
    private = Path(authfile)
    assert private.stat().st_mode & 0o077 == 0
    hold.release()
    result = running.wait()
    saved(result)
    assert not private.exists() and not list(scratch.iterdir())
    assert_secret(result, bench.cache, bench.dest.parent, log.parent, home)


def test_no_credential_is_seen_when_it_fails(bench: Workbench) -> None:
    registry = bench.registry(basic=USER)
    image = push(registry, "some/image", "1", small(1))
    absent = image.reference.replace(":1", ":2")
    log = bench.directory / "logs" / "run.log"
    log.parent.mkdir()
    login = {"host": registry.host, "username": USER.username, "password": USER.password}
    result = bench.save([image.reference, f"{absent}x"], registries=[login], log_file=log, debug=True)
    assert result.failed
    assert_secret(result, bench.cache, bench.dest.parent, log.parent)
