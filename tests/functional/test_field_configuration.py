# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The host's configuration of registries: what skopeo would do is what happens, for manifests as for layers."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.airgap.images.tests.functional._helpers import (
    configure,
    contents,
    holds,
    outcomes,
    saved,
    snapshot,
    without_reports,
)
from ansible_collections.airgap.images.tests.support.certificates import Authority
from ansible_collections.airgap.images.tests.support.field_registry import FieldRegistry, always, when
from ansible_collections.airgap.images.tests.support.hostile import Reply
from ansible_collections.airgap.images.tests.support.images import AMD64, ARM64, UNKNOWN, build_image, build_index
from ansible_collections.airgap.images.tests.support.layers import random_layer
from ansible_collections.airgap.images.tests.support.module import Result
from ansible_collections.airgap.images.tests.support.push import push
from ansible_collections.airgap.images.tests.support.registry import Registry
from ansible_collections.airgap.images.tests.support.samples import attested, small
from ansible_collections.airgap.images.tests.support.skopeo import push_schema1
from ansible_collections.airgap.images.tests.support.workbench import USER, Source, Workbench

THOROUGH = pytest.mark.thorough

AWAY = "registry.corp.invalid"
"""A name that nobody has: what is asked for there is found by the configuration alone."""

NAMES = ("index:1", "plain:1", "zstd:1", "many-layers:1")
INDEX = build_index([small(3, platform=each) for each in (AMD64, ARM64)])
OTHER = build_index([small(4, platform=each) for each in (AMD64, ARM64)])


def mirror(*locations: str, prefix: str = AWAY, more: str = "", last: str = "") -> str:
    """A registry with mirrors; ``more`` is said of itself, ``last`` of the last mirror."""
    mirrors = "".join(f'[[registry.mirror]]\nlocation = "{each}"\ninsecure = true\n' for each in locations)
    return f'[[registry]]\nprefix = "{prefix}"\nlocation = "{prefix}"\n{more}{mirrors}{last}'


def moved(location: str, prefix: str = AWAY) -> str:
    """A registry that is elsewhere."""
    return f'[[registry]]\nprefix = "{prefix}"\nlocation = "{location}"\ninsecure = true\n'


def reason(result: Result, reference: str) -> str:
    """Why an image failed; nothing may have come of it."""
    (failed,) = [each for each in result["failed_images"] if each["reference"] == reference]
    return str(failed["reason"])


@pytest.fixture
def site(registry: Registry) -> Registry:
    """A registry of a company, with what it has of others below ``hub/``."""
    push(registry, "hub/team/app", "1", INDEX)
    registry.clear()
    return registry


@pytest.fixture
def closed(bench: Workbench) -> str:
    """An address where nobody listens."""
    registry = bench.registry()
    registry.stop()
    return registry.host


# -- where images come from


@pytest.mark.field(
    "configuration",
    given="an unreachable registry with a mirror in `registries.conf`",
    happens="both manifests and layers come from the mirror; this has no effect on the archive",
)
def test_what_only_a_mirror_has(source: Source, bench: Workbench, home: Path) -> None:
    """The same archive as from the mirror itself, to the byte; and nothing is done for it a second time."""
    references = [f"{AWAY}/{name}" for name in NAMES]
    hub = f"{source.registry.host}/oci"
    direct, by_mirror = bench.directory / "direct" / "images", bench.directory / "mirror" / "images"
    way: dict[str, Any] = {"compress": "dir", "source_registry": hub}
    saved(bench.save(references, dest=direct, cache_dir=bench.directory / "other", **way))
    configure(home, mirror(hub))
    source.registry.clear()
    way = {"compress": "dir", "dest": by_mirror}
    foreseen = bench.save(references, check=True, **way)
    assert foreseen.changed and not bench.cache.exists() and not list(by_mirror.parent.iterdir())
    done = bench.save(references, **way)
    saved(done)
    assert foreseen["plan"]["images"] == len(NAMES)
    assert (foreseen["plan"]["bytes"], foreseen["plan"]["blobs"]) == (
        done["stats"]["bytes_downloaded"],
        done["stats"]["blobs_downloaded"],
    )
    ours, theirs = (without_reports(contents(each.parent)) for each in (direct, by_mirror))
    assert {name: ours[name] for name in ours if "lock" not in name} == {
        name: theirs[name] for name in theirs if "lock" not in name
    }
    assert {each.user_agent.partition("/")[0] for each in source.registry.requests()} == {"skopeo"}
    before = snapshot(bench.cache, by_mirror.parent)
    for check in (True, False):
        source.registry.clear()
        again = bench.save(references, check=check, **way)
        saved(again, changed=False)
        assert source.registry.manifest_gets() == {f"oci/{name}": 1 for name in NAMES}
        assert again["stats"]["manifest_requests"] == {"HEAD": 0, "GET": len(NAMES)}
        assert not source.registry.blob_gets()
    assert snapshot(bench.cache, by_mirror.parent) == before


@pytest.mark.parametrize(
    "place",
    [
        pytest.param("home", marks=THOROUGH),
        "drop-in",
        "CONTAINERS_REGISTRIES_CONF",
        pytest.param("REGISTRIES_CONFIG_PATH", marks=THOROUGH),
    ],
)
def test_wherever_it_is_configured(site: Registry, bench: Workbench, home: Path, place: str) -> None:
    env: dict[str, str | None] = {}
    text = mirror(f"{site.host}/hub")
    if place == "home":
        configure(home, text)
    elif place == "drop-in":
        configure(home, text, name="registries.conf.d/50-site.conf")
    else:
        (bench.directory / "site.conf").write_text(text)
        env[place] = str(bench.directory / "site.conf")
    reference = f"{AWAY}/team/app:1"
    assert saved(bench.save([reference], env=env)).references == {reference: INDEX.digest}


@pytest.mark.field(
    "configuration",
    given="`CONTAINERS_REGISTRIES_CONF`",
    happens="is respected, although skopeo itself does not read it",
)
def test_a_variable_that_names_no_file(site: Registry, bench: Workbench) -> None:
    result = bench.save([f"{site.host}/hub/team/app:1"], env={"CONTAINERS_REGISTRIES_CONF": "/no/such.conf"})
    assert "/no/such.conf: no such file or directory; correct that file, or remove it" in result.msg
    assert not site.requests()


@pytest.mark.field(
    "configuration",
    given="a `location` that differs from the `prefix`",
    happens="the image is requested there, under the name that it has there",
)
def test_another_location(site: Registry, bench: Workbench, home: Path) -> None:
    configure(home, moved(f"{site.host}/hub/team", prefix=f"{AWAY}/some/where"))
    reference = f"{AWAY}/some/where/app:1"
    assert saved(bench.save([reference])).references == {reference: INDEX.digest}


@pytest.mark.field(
    "configuration", given="`*.domain` as prefix", happens="all hosts below it, with any port, are left to skopeo"
)
def test_all_hosts_below_a_domain(site: Registry, bench: Workbench, home: Path) -> None:
    configure(home, moved(f"{site.host}/hub", prefix="*.corp.invalid"))
    references = [f"{host}.corp.invalid/team/app:1" for host in ("a", "a.b")]
    assert saved(bench.save(references)).references == dict.fromkeys(references, INDEX.digest)
    ported = "a.corp.invalid:5000/team/app:1"  # skopeo makes `HOST/hub:5000/team/app` of it
    assert "rewriting reference: invalid reference format" in reason(bench.save([ported]), ported)


@pytest.mark.field(
    "configuration",
    given="`insecure = true` for a registry",
    happens="plain HTTP is used there, although certificates are verified otherwise",
)
def test_an_insecure_registry(site: Registry, bench: Workbench, home: Path) -> None:
    reference = f"{site.host}/hub/team/app:1"
    assert bench.save([reference], validate_certs=True, retries=0).failed
    configure(home, f'[[registry]]\nlocation = "{site.host}"\ninsecure = true\n')
    assert saved(bench.save([reference], validate_certs=True)).references == {reference: INDEX.digest}


BLOCKS = {
    "host": '[[registry]]\nlocation = "{host}"\nblocked = true\n',
    "path": '[[registry]]\nlocation = "{host}/hub"\nblocked = true\n',
    "domain": '[[registry]]\nprefix = "*.0.0.1"\nlocation = "127.0.0.1"\nblocked = true\n',
    "version 1": '[registries.block]\nregistries = ["{host}"]\n',
}


@pytest.mark.each_value
@pytest.mark.field(
    "configuration",
    given="`blocked = true`",
    happens="the registry is never contacted, not even with HEAD; the image fails with that reason",
)
@pytest.mark.parametrize("kind", BLOCKS)
@pytest.mark.parametrize("check", [True, False])
def test_a_blocked_registry_is_not_asked(site: Registry, bench: Workbench, home: Path, kind: str, check: bool) -> None:
    configure(home, BLOCKS[kind].format(host=site.host))
    reference = f"{site.host}/hub/team/app:1"
    result = bench.save([reference], check=check)
    assert result.failed
    assert " is blocked in " in reason(result, reference)
    assert "take it out of the list, or have registries.conf allow it" in reason(result, reference)
    assert not site.requests()


def test_what_was_saved_before_is_not_let_through_once_it_is_blocked(
    site: Registry, bench: Workbench, home: Path
) -> None:
    """All of it is in the cache, and its digest says all; skopeo is asked nevertheless, and nobody else."""
    reference = f"{site.host}/hub/team/app@{INDEX.digest}"
    saved(bench.save([reference]))
    configure(home, BLOCKS["host"].format(host=site.host))
    site.clear()
    result = bench.save([reference], dest=bench.directory / "out" / "second.tar.gz")
    assert " is blocked in " in reason(result, reference)
    assert not site.requests()


@pytest.mark.field(
    "configuration",
    given="a mirror of `docker.io`, and short names (`[aliases]`)",
    happens="a bare name means `docker.io/library` and comes from the mirror; aliases have no effect",
)
def test_a_bare_name_is_docker_hubs(registry: Registry, bench: Workbench, home: Path) -> None:
    push(registry, "hub/library/app", "1", INDEX)
    alias = f'short-name-mode = "permissive"\n[aliases]\n"app" = "{registry.host}/wrong/app"\n'
    configure(home, alias, name="registries.conf.d/10-names.conf")
    configure(home, moved(f"{registry.host}/hub", prefix="docker.io"))
    assert saved(bench.save(["app:1"])).references == {"docker.io/library/app:1": INDEX.digest}


# -- several mirrors


@pytest.mark.field(
    "configuration", given="several mirrors, the first of which is down", happens="the image comes from the next one"
)
def test_the_first_mirror_is_down(site: Registry, bench: Workbench, home: Path, closed: str) -> None:
    configure(home, mirror(f"{closed}/hub", f"{site.host}/hub"))
    reference = f"{AWAY}/team/app:1"
    assert saved(bench.save([reference], retries=0)).references == {reference: INDEX.digest}


def test_what_no_mirror_has_fails_and_says_what_each_said(
    site: Registry, bench: Workbench, home: Path, closed: str
) -> None:
    configure(home, mirror(f"{closed}/hub", f"{site.host}/hub"))
    there, missing = f"{AWAY}/team/app:1", f"{AWAY}/team/app:2"
    result = bench.save([there, missing], allow_partial=True, retries=1, retry_delay=0.01)
    assert outcomes(result) == {there: "saved", missing: "failed"}
    told = reason(result, missing)
    assert f"{closed}: connect: connection refused" in told
    assert f"reading manifest 2 in {site.host}/hub/team/app: manifest unknown" in told
    assert "no such host" in told and "it is not (or no longer) in the registry" in told


def test_a_mirror_in_trouble_is_asked_again(bench: Workbench, home: Path) -> None:
    with FieldRegistry() as registry:
        registry.add("hub/team/app", INDEX)
        registry.manners.append(when("/manifests/", always(Reply(503)), times=1))
        configure(home, mirror(f"{registry.host}/hub"))
        reference = f"{AWAY}/team/app:1"
        assert saved(bench.save([reference], retry_delay=0.01)).references == {reference: INDEX.digest}


@pytest.mark.parametrize("document", ["manifests", "blobs"])
def test_a_mirror_that_gives_something_else(bench: Workbench, home: Path, document: str) -> None:
    """By digest, of a manifest as of a configuration."""
    image = small(1)
    with FieldRegistry() as registry:
        registry.add("hub/team/app", image)
        registry.manners.append(when(f"/{document}/sha256:", always(Reply(200, body=b'{"schemaVersion": 2}'))))
        configure(home, mirror(f"{registry.host}/hub"))
        reference = f"{AWAY}/team/app{'@' + image.digest if document == 'manifests' else ':1'}"
        result = bench.save([reference], retries=0)
        told = reason(result, reference)
    assert "came with other bytes than its digest names" in told or "does not match" in told, told
    assert not bench.dest.exists()


@pytest.mark.field(
    "configuration",
    given="mirrors for digests only (`mirror-by-digest-only`, `pull-from-mirror`)",
    happens="tags are resolved by the registry itself; everything else comes from the mirror",
)
@pytest.mark.parametrize(
    "way", ["mirror-by-digest-only = true\n", pytest.param('pull-from-mirror = "digest-only"\n', marks=THOROUGH)]
)
def test_a_mirror_for_digests_only(site: Registry, bench: Workbench, home: Path, way: str) -> None:
    registry = bench.registry()
    image = push(registry, "hub/team/app", "1", OTHER)
    push(site, "hub/team/app", "2", OTHER)  # what is its tag 1 is another image
    place = {"more": way} if way.startswith("mirror") else {"last": way}
    text = mirror(site.host, prefix=registry.host, **place)
    configure(home, text.replace("location", "insecure = true\nlocation", 1))
    registry.clear()
    site.clear()
    assert saved(bench.save([image])).references == {image.reference: OTHER.digest}
    assert registry.manifest_gets() == {"hub/team/app:1": 1} and not registry.blob_gets()
    assert not [each for each in site.requests() if each.manifest.endswith(":1")]
    assert set(site.blob_gets()) == {blob for each in image.platforms for blob in each.blobs} - {
        each.digest for each in image.platforms
    }


def test_an_attestation_that_a_mirror_lacks(bench: Workbench, home: Path) -> None:
    """As of a registry that our own client asks: the image is saved, and says so."""
    index = attested()
    with FieldRegistry() as registry:
        registry.add("hub/team/app", index)
        lacking = [entry.item.digest for entry in index.entries if entry.platform == UNKNOWN]
        registry.manners += [when(digest, always(Reply(404))) for digest in lacking]
        configure(home, mirror(f"{registry.host}/hub"))
        reference = f"{AWAY}/team/app:1"
        result = bench.save([reference], retries=0)
        archive = saved(result)
    (image,) = result["images"]
    assert lacking and image["status"] == "saved" and "attestation" in " ".join(image["notes"]), image
    assert list(archive.references) == [reference]


# -- who is let in


@pytest.fixture
def locked(bench: Workbench) -> Iterator[Registry]:
    """A mirror that wants a login."""
    registry = bench.registry(basic=USER)
    push(registry, "hub/team/app", "1", INDEX)
    push(registry, "hub/team/one", "1", small(1))
    registry.clear()
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
    before = {path for place in places for path in Path(place).glob(".airgap-images-*")}
    foreseen = bench.save(references, check=True, **params)
    assert foreseen.changed, foreseen.msg
    result = bench.save(references, **params)
    assert set(saved(result).references) == set(references)
    assert {path for place in places for path in Path(place).glob(".airgap-images-*")} <= before
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
def test_the_certificate_of_a_mirror(bench: Workbench, home: Path, given: str) -> None:
    registry = bench.registry(tls=True)
    push(registry, "hub/team/app", "1", INDEX)
    configure(home, mirror(f"{registry.host}/hub").replace("insecure = true\n", ""))
    reference, params = f"{AWAY}/team/app:1", {"validate_certs": True, "retries": 0}
    assert "give the registry's authority with ca_path" in reason(bench.save([reference], **params), reference)
    if given == "ca_path":
        params["ca_path"] = bench.authority.ca_path
    else:
        folder = home / ".config" / "containers" / "certs.d" / registry.host
        folder.mkdir(parents=True)
        (folder / "ca.crt").write_bytes(bench.authority.ca_path.read_bytes())
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


# -- beside it


def test_other_registries_are_asked_as_ever(source: Source, site: Registry, bench: Workbench, home: Path) -> None:
    """By our own client, with HEAD."""
    configure(home, mirror(f"{site.host}/hub"))
    image, other = source["oci/plain:1"], f"{AWAY}/team/app:1"
    saved(bench.save([image, other]))
    source.registry.clear()
    site.clear()
    again = bench.save([image, other])
    saved(again, changed=False)
    (asked,) = [each for each in source.registry.requests() if each.manifest]
    assert (asked.method, asked.user_agent.partition("/")[0]) == ("HEAD", "airgap.images")
    assert again["stats"]["manifest_requests"] == {"HEAD": 1, "GET": 1}
    assert {each.user_agent.partition("/")[0] for each in site.requests()} == {"skopeo"}


def test_old_images_over_one_layer(site: Registry, bench: Workbench, home: Path) -> None:
    """Docker schema 1: nobody tells how large a layer is; one that is there already is used all the same."""
    base = random_layer(1, 40_000)
    names = []
    for number in (2, 3):
        image = push(site, f"hub/new/app{number}", "1", build_image([base, random_layer(number, 20_000)], docker=True))
        push_schema1(site, image, f"hub/old/app{number}", "1")
        names.append(f"{AWAY}/old/app{number}:1")
    configure(home, mirror(f"{site.host}/hub"))
    saved(bench.save(names[:1]))
    site.clear()
    assert set(saved(bench.save(names)).references) == set(names)
    assert site.blob_gets()[base.digest] == 0
    site.clear()
    saved(bench.save(names, check=True), changed=False)
