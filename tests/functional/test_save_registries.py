# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Registries that differ: each with its own certificates and login, or with a mirror in its place."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.airgap.images.tests.functional._helpers import configure, contents, saved
from ansible_collections.airgap.images.tests.support.images import AMD64, ARM64, build_index
from ansible_collections.airgap.images.tests.support.push import push
from ansible_collections.airgap.images.tests.support.registry import Registry
from ansible_collections.airgap.images.tests.support.samples import oci_index, small
from ansible_collections.airgap.images.tests.support.workbench import USER, Workbench

INDEX = build_index([small(3, platform=each) for each in (AMD64, ARM64)])
ANYTHING, REJECT = [{"type": "insecureAcceptAnything"}], [{"type": "reject"}]
REJECTED = "the signature policy does not accept this image"
NGINX, APP = "docker.io/library/nginx:1", "docker.io/team/app:2"


def hub_at(registry: Registry) -> dict[str, Any]:
    """Docker Hub comes from below ``hub/`` of a registry."""
    return {"host": "docker.io", "mirror": f"{registry.host}/hub"}


def fill(registry: Registry) -> Registry:
    """Push what a mirror has of Docker Hub."""
    push(registry, "hub/library/nginx", "1", INDEX)
    push(registry, "hub/team/app", "2", small(5))
    registry.clear()
    return registry


def policy(path: Path, **scopes: list[dict[str, str]]) -> Path:
    """A signature policy that rejects everything but what is from these scopes."""
    path.write_text(json.dumps({"default": REJECT, "transports": {"docker": scopes}}), encoding="utf-8")
    return path


# -- certificates


def test_a_plain_registry_beside_one_with_tls(bench: Workbench) -> None:
    """Only one of the two is not verified; both clients, ours and skopeo, hold to that."""
    plain, tls = bench.registry(), bench.registry(tls=True)
    images = [push(plain, "a/app", "1", oci_index()), push(tls, "b/app", "1", small(1))]
    own = {"host": plain.host, "validate_certs": False}
    trust = {"validate_certs": True, "ca_path": bench.authority.ca_path}
    archive = saved(bench.save(images, registries=[own], **trust))
    assert list(archive.references) == [image.reference for image in images]
    agents = {each.user_agent.partition("/")[0] for each in plain.requests()}
    assert "skopeo" in agents and len(agents) == 2
    without = bench.save(images, registries=[own], validate_certs=True, dest=bench.dest.parent / "other", retries=0)
    assert [each["reference"] for each in without["failed_images"]] == [images[1].reference]
    assert "certificate" in without["failed_images"][0]["reason"]


def test_each_registry_has_its_own_authority_and_client_certificate(bench: Workbench) -> None:
    closed, plain = bench.registry(client_certificate=True), bench.registry()
    images = [push(closed, "a/app", "1", small(1)), push(plain, "b/app", "1", small(2))]
    pair = bench.authority.client()
    registries = [
        {
            "host": closed.host,
            "validate_certs": True,
            "ca_path": bench.authority.ca_path,
            "client_cert": pair.certificate,
            "client_key": pair.key,
        }
    ]
    saved(bench.save(images, registries=registries))


# -- mirrors


@pytest.mark.field(
    "configuration",
    given="`mirror` in an entry of `registries`, and another mirror in `registries.conf`",
    happens="the mirror of the entry is used, with its own login and certificates, and `registries.conf` is not",
)
@pytest.mark.parametrize("place", ["registries.conf", "registries.conf.d/site.conf", ""])
def test_docker_hub_comes_from_a_mirror(bench: Workbench, home: Path, place: str) -> None:
    """Names and lock file are those of the list; other registries are asked themselves."""
    mirror, other = fill(bench.registry()), bench.registry()
    theirs = push(other, "their/app", "1", small(7))
    if place:
        configure(home, '[[registry]]\nprefix = "docker.io"\nlocation = "nowhere.invalid"\n', name=place)
    result = bench.save(["nginx:1", APP, theirs], registries=[hub_at(mirror)])
    archive = saved(result)
    assert list(archive.references) == [NGINX, APP, theirs.reference]
    assert archive.references[NGINX] == INDEX.digest
    assert {image["reference"] for image in archive.lock["images"]} == {NGINX, APP, theirs.reference}
    assert mirror.host not in json.dumps(archive.lock)
    agents = {each.user_agent.partition("/")[0] for each in mirror.requests()}
    assert "skopeo" in agents and len(agents) == 2, "layers come by our own client"
    mirror.clear()
    again = bench.save(["nginx:1", APP, theirs], registries=[hub_at(mirror)])
    saved(again, changed=False)
    assert len(mirror.manifest_heads()) == 2 and not mirror.manifest_gets() and not mirror.blob_gets()


def test_the_archive_is_the_same_wherever_it_comes_from(bench: Workbench) -> None:
    """To the byte, its lock file included."""
    mirror = fill(bench.registry())
    ways: list[dict[str, Any]] = [
        {"registries": [hub_at(mirror)]},
        {"source_registry": f"{mirror.host}/hub", "registries": [{"host": "docker.io", "mirror": "nowhere.invalid"}]},
    ]
    found = []
    for number, way in enumerate(ways):
        dest = bench.directory / f"out-{number}" / "images.tar.gz"
        saved(bench.save([NGINX, APP], dest=dest, cache_dir=bench.directory / f"cache-{number}", **way))
        found.append(contents(dest.parent))
    assert found[0] == found[1]


@pytest.mark.parametrize("check", [True, False])
def test_what_the_mirror_lacks_is_not_asked_of_the_registry(bench: Workbench, check: bool) -> None:
    mirror = fill(bench.registry())
    result = bench.save(["docker.io/team/absent:1"], registries=[hub_at(mirror)], check=check)
    (failed,) = result["failed_images"]
    assert failed["reference"] == "docker.io/team/absent:1"
    assert f"{mirror.host}/hub/team/absent:1 does not exist on {mirror.host}" in failed["reason"]


def test_a_mirror_with_a_login_of_its_own(bench: Workbench) -> None:
    """And with certificates of its own; docker.io's login is not for it."""
    mirror = fill(bench.registry(basic=USER, tls=True))
    login = {
        "host": mirror.host,
        "username": USER.username,
        "password": USER.password,
        "ca_path": bench.authority.ca_path,
    }
    saved(bench.save([NGINX, APP], registries=[hub_at(mirror), login], validate_certs=True))
    del login["username"], login["password"]
    refused = bench.save([NGINX], registries=[hub_at(mirror), login], validate_certs=True, dest=bench.directory / "x")
    (failed,) = refused["failed_images"]
    assert f"{mirror.host} refused access" in failed["reason"]


@pytest.mark.parametrize("accepts", ["docker.io", "mirror"])
def test_the_policy_is_that_of_the_name_in_the_list(bench: Workbench, accepts: str) -> None:
    mirror = fill(bench.registry())
    scope = mirror.host if accepts == "mirror" else accepts
    path = policy(bench.directory / "policy.json", **{scope: ANYTHING})
    result = bench.save([NGINX, APP], registries=[hub_at(mirror)], signature_policy=path)
    if accepts == "docker.io":
        saved(result)
    else:
        assert [each["reference"] for each in result["failed_images"]] == [NGINX, APP]
        assert all(REJECTED in each["reason"] for each in result["failed_images"])


def test_one_repository_under_two_names_has_two_policies(bench: Workbench) -> None:
    """The mirror's own name is in the list as well."""
    mirror = fill(bench.registry())
    path = policy(bench.directory / "policy.json", **{mirror.host: ANYTHING})
    own = f"{mirror.host}/hub/library/nginx:1"
    result = bench.save([own, NGINX], registries=[hub_at(mirror)], signature_policy=path, allow_partial=True)
    assert list(saved(result).references) == [own]
    assert [each["reference"] for each in result["failed_images"]] == [NGINX]
    alone = bench.save([NGINX], registries=[hub_at(mirror)], signature_policy=path, dest=bench.directory / "x")
    assert alone.failed and REJECTED in alone["failed_images"][0]["reason"]


def test_a_lock_file_is_saved_from_a_mirror(bench: Workbench) -> None:
    mirror = fill(bench.registry())
    first = bench.save([NGINX], registries=[hub_at(mirror)])
    saved(first)
    again = bench.save(
        [], from_lock=first["lock_file"], registries=[hub_at(mirror)], dest=bench.directory / "again" / "images.tar.gz"
    )
    assert saved(again).references == {NGINX: INDEX.digest}


# -- what contradicts itself


REFUSED: dict[str, tuple[list[dict[str, Any]], str]] = {
    "two entries": ([{"host": "docker.io"}, {"host": "index.docker.io"}], "two entries are for docker.io"),
    "a mirror with a scheme": ([{"host": "docker.io", "mirror": "https://m.lan"}], "write the host alone"),
    "a key alone": ([{"host": "docker.io", "client_key": "/k"}], "client_key requires client_cert in the same entry"),
    "a file that is missing": ([{"host": "quay.io", "ca_path": "/missing.pem"}], "registries, quay.io: cannot read"),
    "a login beside a mirror": (
        [{"host": "docker.io", "mirror": "m.lan", "username": "reader", "password": "s3cret"}],
        "username, password would have no effect",
    ),
}


@pytest.mark.parametrize(("registries", "said"), REFUSED.values(), ids=REFUSED)
def test_contradictions_are_refused_before_the_first_request(
    bench: Workbench, registry: Registry, registries: list[dict[str, Any]], said: str
) -> None:
    image = push(registry, "some/image", "1", small(1))
    registry.clear()
    result = bench.save([image], registries=registries)
    assert result.failed and said in result.msg
    assert not registry.requests() and not bench.cache.exists()


def test_a_drop_in_that_skopeo_puts_first_is_named(bench: Workbench, home: Path) -> None:
    mirror = fill(bench.registry())
    text = '[[registry]]\nprefix = "docker.io/library/nginx"\nlocation = "nowhere.invalid/nginx"\n'
    configure(home, text, name="registries.conf.d/site.conf")
    result = bench.save([NGINX], registries=[hub_at(mirror)])
    assert result.failed
    assert "skopeo would not take docker.io/library/nginx from the mirror" in result.msg
    assert not mirror.requests()
