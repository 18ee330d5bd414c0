# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Logins: the ways to give credentials, to whom they go, and that none is seen on the way."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.airgap.images.tests.functional._helpers import (
    below,
    check,
    command_lines,
    for_skopeo,
    holds,
    saved,
)
from ansible_collections.airgap.images.tests.functional._login import (
    ENCODED,
    MORE_WAYS,
    WAYS,
    Way,
    by_authfile,
    by_options,
    docker_config,
)
from ansible_collections.airgap.images.tests.support.faults import Hold, Redirect, Respond, Rule
from ansible_collections.airgap.images.tests.support.module import Result
from ansible_collections.airgap.images.tests.support.push import push
from ansible_collections.airgap.images.tests.support.registry import Registry
from ansible_collections.airgap.images.tests.support.samples import oci_index, small
from ansible_collections.airgap.images.tests.support.workbench import USER, Source, Workbench


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
    hold = Hold()
    proxy = bench.proxy(registry, for_skopeo(image, hold))
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
