# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Mirrors that want a login or have a certificate of their own, and the proxy on the way to them."""

from __future__ import annotations

import base64
import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.airgap.images.tests.functional._helpers import (
    configure,
    holds,
    saved,
)
from ansible_collections.airgap.images.tests.functional._mirrors import (
    AWAY,
    INDEX,
    mirror,
    reason,
)
from ansible_collections.airgap.images.tests.support.certificates import Authority
from ansible_collections.airgap.images.tests.support.field_registry import FieldRegistry, always
from ansible_collections.airgap.images.tests.support.hostile import Reply
from ansible_collections.airgap.images.tests.support.push import push
from ansible_collections.airgap.images.tests.support.registry import Registry, Tls
from ansible_collections.airgap.images.tests.support.samples import small
from ansible_collections.airgap.images.tests.support.workbench import USER, Workbench

THOROUGH = pytest.mark.thorough


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """A mirror that wants a login."""
    with Registry(tmp_path_factory.mktemp("locked"), basic=USER) as registry:
        push(registry, "hub/team/app", "1", INDEX)
        push(registry, "hub/team/one", "1", small(1))
        yield registry


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """The authority that has signed the certificate of ``encrypted``."""
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def encrypted(authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """A mirror with TLS."""
    with Registry(tmp_path_factory.mktemp("encrypted"), tls=Tls(authority)) as registry:
        push(registry, "hub/team/app", "1", INDEX)
        yield registry


def by_options(bench: Workbench, host: str) -> dict[str, Any]:
    return {"registries": [{"host": host, "username": USER.username, "password": USER.password}]}


def by_authfile(bench: Workbench, host: str) -> dict[str, Any]:
    entry = {"auth": base64.b64encode(f"{USER.username}:{USER.password}".encode()).decode()}
    (bench.directory / "auth.json").write_text(json.dumps({"auths": {host: entry}}))
    return {"authfile": bench.directory / "auth.json"}


def by_names_that_are_not_encoded(bench: Workbench, host: str) -> dict[str, Any]:
    entry = {"username": USER.username, "password": USER.password}
    (bench.directory / "auth.json").write_text(json.dumps({"auths": {f"https://{host}/v1/": entry}}))
    return {"authfile": bench.directory / "auth.json"}


def by_a_store(bench: Workbench, host: str) -> dict[str, Any]:
    """Docker's, which skopeo does not read."""
    programs = bench.directory / "programs"
    programs.mkdir()
    answer = json.dumps({"Username": USER.username, "Secret": USER.password}, ensure_ascii=False)
    program = programs / "docker-credential-site"
    unknown = "{ echo 'credentials not found in native keychain'; exit 1; }"
    program.write_text(f"#!/bin/sh\nread name\n[ \"$name\" = '{host}' ] || {unknown}\ncat <<'END'\n{answer}\nEND\n")
    program.chmod(0o700)
    (bench.directory / "config.json").write_text(json.dumps({"auths": {host: {}}, "credsStore": "site"}))
    return {"authfile": bench.directory / "config.json", "programs": programs}


@pytest.mark.field(
    "configuration", given="a mirror that requires a login", happens="the login for its host is used, from any source"
)
@pytest.mark.parametrize(
    "way",
    [
        by_options,
        pytest.param(by_authfile, marks=THOROUGH),
        pytest.param(by_names_that_are_not_encoded, marks=THOROUGH),
        by_a_store,
    ],
)
def test_the_login_of_a_mirror(
    locked: Registry, bench: Workbench, home: Path, monkeypatch: pytest.MonkeyPatch, way: Any
) -> None:
    """In check mode too; and it is nowhere afterwards."""
    configure(home, mirror(f"{locked.host}/hub"))
    params = way(bench, locked.host)
    programs = params.pop("programs", None)
    if programs is not None:
        monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    references = [f"{AWAY}/team/app:1", f"{AWAY}/team/one:1"]
    assert reason(bench.save(references[:1], check=True, retries=0), references[0]).count("skopeo login") == 0
    places = ("/run", "/dev/shm", "/tmp", "/var/tmp")  # noqa: S108
    # Other runs on this machine have directories of their own there.
    own = hashlib.sha256(os.fsencode(os.path.realpath(bench.cache))).hexdigest()[:16]
    foreseen = bench.save(references, check=True, **params)
    assert foreseen.changed, foreseen.msg
    result = bench.save(references, **params)
    assert set(saved(result).references) == set(references)
    assert [path for place in places for path in Path(place).glob(f".airgap-images-{own}-*")] == []
    assert USER.password not in json.dumps([foreseen.data, result.data], ensure_ascii=False)
    assert not holds(bench.cache, USER.password) and not list(bench.cache.rglob("auth.json"))


def test_who_has_no_login_is_told_so(locked: Registry, bench: Workbench, home: Path) -> None:
    configure(home, mirror(f"{locked.host}/hub"))
    reference = f"{AWAY}/team/app:1"
    told = reason(bench.save([reference], retries=0), reference)
    assert "give username and password, registries or authfile" in told and locked.host in told


@pytest.mark.parametrize(
    "given", ["ca_path", pytest.param("certs.d", marks=THOROUGH), "certs.d beside another ca_path"]
)
def test_the_certificate_of_a_mirror(
    encrypted: Registry, authority: Authority, bench: Workbench, home: Path, given: str
) -> None:
    configure(home, mirror(f"{encrypted.host}/hub").replace("insecure = true\n", ""))
    reference, params = f"{AWAY}/team/app:1", {"validate_certs": True, "retries": 0}
    assert "give the registry's authority with ca_path" in reason(bench.save([reference], **params), reference)
    if given == "ca_path":
        params["ca_path"] = authority.ca_path
    else:
        folder = home / ".config" / "containers" / "certs.d" / encrypted.host
        folder.mkdir(parents=True)
        (folder / "ca.crt").write_bytes(authority.ca_path.read_bytes())
    if given.endswith("another ca_path"):
        params["ca_path"] = Authority(bench.directory / "other").ca_path
    assert saved(bench.save([reference], **params)).references == {reference: INDEX.digest}


def test_a_proxy_on_the_way_to_a_mirror_is_sent_a_wrong_password_once(bench: Workbench, home: Path) -> None:
    """Once for each way that skopeo tries, however many images there are."""
    configure(home, mirror("mirror.corp.invalid/hub").replace("insecure = true\n", ""))
    counts = []
    with FieldRegistry() as proxy:
        # Go tells the words of the status alone.
        head = b'HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm="x"\r\n'
        proxy.manners.append(always(Reply(raw=lambda: [head, b"Content-Length: 0\r\nConnection: close\r\n\r\n"])))
        address = f"http://somebody:wrong-pa55@{proxy.host}"
        env: dict[str, str | None] = {"http_proxy": address, "https_proxy": address}
        for count in (1, 6):
            before = len(proxy.asked())
            names = [f"{AWAY}/team/app:{number}" for number in range(count)]
            result = bench.save(names, env=env, validate_certs=True)
            assert len(result["failed_images"]) == count
            told = reason(result, names[-1])
            assert "correct user and password in the address of the proxy" in told, told
            assert "wrong-pa55" not in str(result["failed_images"])
            counts.append(len(proxy.asked()) - before)
    assert counts[0] == counts[1] > 0
