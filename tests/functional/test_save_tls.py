# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates, plain http, proxies and Docker Hub's names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ansible_collections.airgap.images.tests.functional._helpers import saved
from ansible_collections.airgap.images.tests.support.faults import Respond, Rule
from ansible_collections.airgap.images.tests.support.module import run_module
from ansible_collections.airgap.images.tests.support.proxy import Proxy
from ansible_collections.airgap.images.tests.support.push import push
from ansible_collections.airgap.images.tests.support.registry import Registry
from ansible_collections.airgap.images.tests.support.samples import oci_index, small
from ansible_collections.airgap.images.tests.support.workbench import USER, Source, Workbench


def test_plain_http_only_where_certificates_are_not_checked(source: Source, bench: Workbench) -> None:
    image = source["oci/gzip:1"]
    result = bench.save([image], validate_certs=True, retry_delay=30)
    assert result.failed
    assert "validate_certs" in result["failed_images"][0]["reason"]
    assert not source.registry.requests()
    params = bench.params([image], tls_verify=False)
    del params["validate_certs"]
    result = run_module(params)
    saved(result)


@pytest.mark.parametrize("way", ["ca_path", "certs.d", "unchecked"])
def test_a_registry_with_a_certificate_of_its_own_authority(bench: Workbench, home: Path, way: str) -> None:
    registry = bench.registry(tls=True)
    image = push(registry, "some/image", "1", oci_index())
    params: dict[str, Any] = {"validate_certs": way != "unchecked"}
    if way == "ca_path":
        params["ca_path"] = bench.authority.ca_path
    elif way == "certs.d":
        bench.authority.certs_dir(home / ".config" / "containers" / "certs.d" / registry.host)
    saved(bench.save([image], **params))


def test_an_unknown_authority_is_refused_with_advice(bench: Workbench) -> None:
    registry = bench.registry(tls=True)
    image = push(registry, "some/image", "1", small(1))
    result = bench.save([image], validate_certs=True, retry_delay=30)
    assert result.failed
    reason = result["failed_images"][0]["reason"]
    assert "certificate" in reason and "ca_path" in reason
    assert not registry.blob_gets() and not registry.manifest_gets()


def test_requests_ca_bundle_does_not_replace_ca_path(bench: Workbench) -> None:
    registry = bench.registry(tls=True)
    image = push(registry, "some/image", "1", small(1))
    other = bench.directory / "other.pem"
    other.write_bytes(b"")
    env = {"REQUESTS_CA_BUNDLE": str(other), "CURL_CA_BUNDLE": str(other)}
    saved(bench.save([image], validate_certs=True, ca_path=bench.authority.ca_path, env=env))


@pytest.mark.parametrize("way", ["options", "one file", "certs.d"])
def test_client_certificates(bench: Workbench, home: Path, way: str) -> None:
    registry = bench.registry(client_certificate=True)
    image = push(registry, "some/image", "1", small(1))
    pair = bench.authority.client()
    params: dict[str, Any] = {"validate_certs": True, "ca_path": bench.authority.ca_path}
    if way == "options":
        params.update(client_cert=pair.certificate, client_key=pair.key)
    elif way == "one file":
        both = bench.directory / "both.pem"
        both.write_bytes(pair.key.read_bytes() + pair.certificate.read_bytes())
        params.update(client_cert=both)
    else:
        bench.authority.certs_dir(home / ".config" / "containers" / "certs.d" / registry.host, pair)
        del params["ca_path"]
    saved(bench.save([image], **params))


def test_a_registry_that_wants_a_client_certificate_and_gets_none(bench: Workbench) -> None:
    registry = bench.registry(client_certificate=True)
    image = push(registry, "some/image", "1", small(1))
    result = bench.save([image], validate_certs=True, ca_path=bench.authority.ca_path, retries=1, retry_delay=0.01)
    assert result.failed
    assert "certificate" in result["failed_images"][0]["reason"]


@pytest.mark.parametrize(
    ("option", "content"),
    [("ca_path", None), ("client_cert", "no PEM\n"), ("signature_policy", None), ("signature_policy", "no JSON\n")],
)
def test_files_that_can_not_be_used_are_named(
    source: Source, bench: Workbench, option: str, content: str | None
) -> None:
    path = bench.directory / "file.pem"
    if content is not None:
        path.write_text(content, encoding="utf-8")
    params: dict[str, Any] = {option: path}
    result = bench.save([source["oci/gzip:1"]], retry_delay=0.01, **params)
    assert result.failed
    assert str(path) in result.msg


def forward(bench: Workbench, registry: Registry) -> Proxy:
    """A proxy as environments name it. It knows plain http only, so a try with https is refused first."""
    return bench.proxy(registry, Rule(Respond(501), method="CONNECT"))


def test_proxies_of_the_environment_are_used(bench: Workbench, registry: Registry) -> None:
    """The registry's name means nothing here; only through the proxy is it reached."""
    image = push(registry, "some/image", "1", small(1))
    proxy = forward(bench, registry)
    env = {"HTTP_PROXY": proxy.url, "HTTPS_PROXY": proxy.url}
    reference = "registry.example:5000/some/image:1"
    archive = saved(bench.save([reference], env=env))
    assert archive.references == {reference: image.digest}
    asked = [each.path for each in proxy.requests() if each.status == 200]
    assert asked and all(path.startswith("http://registry.example:5000/v2/") for path in asked)


def test_no_proxy_is_respected(bench: Workbench, source: Source) -> None:
    image = source["oci/gzip:1"]
    proxy = bench.proxy(bench.registry())
    env = {"http_proxy": proxy.url, "https_proxy": proxy.url, "no_proxy": "127.0.0.1"}
    saved(bench.save([image], env=env))
    assert not proxy.requests()


def test_docker_hub_is_asked_under_its_own_name(bench: Workbench, registry: Registry) -> None:
    """docker.io, index.docker.io and no registry at all are one; the host that answers is registry-1.docker.io."""
    image = push(registry, "library/app", "latest", small(1))
    other = push(registry, "team/tool", "2", small(2))
    proxy = forward(bench, registry)
    env = {"http_proxy": proxy.url, "https_proxy": proxy.url}
    result = bench.save(["app", "docker.io/library/app:latest", "index.docker.io/team/tool:2"], env=env)
    archive = saved(result)
    assert archive.references == {
        "docker.io/library/app:latest": image.digest,
        "docker.io/team/tool:2": other.digest,
    }
    assert result["stats"]["duplicates"] == 1
    hosts = {each.path.split("/")[2] for each in proxy.requests() if each.path.startswith("http://")}
    assert hosts == {"registry-1.docker.io"}


@pytest.mark.parametrize("host", ["docker.io", pytest.param("index.docker.io", marks=pytest.mark.thorough)])
def test_credentials_for_docker_hub_by_any_of_its_names(bench: Workbench, host: str) -> None:
    registry = bench.registry(basic=USER)
    push(registry, "library/app", "1", small(1))
    proxy = forward(bench, registry)
    login = {"host": host, "username": USER.username, "password": USER.password}
    env = {"http_proxy": proxy.url, "https_proxy": proxy.url}
    saved(bench.save(["app:1"], registries=[login], env=env))


@pytest.mark.parametrize(
    "way", ["signature_policy", "insecure_policy", pytest.param("home", marks=pytest.mark.thorough)]
)
def test_hangar_fault_13_signature_policies_are_obeyed(source: Source, bench: Workbench, home: Path, way: str) -> None:
    """A policy that rejects everything: obeyed as the system's and as an option, unless told otherwise."""
    reject = '{"default": [{"type": "reject"}]}'
    image = source["oci/gzip:1"]
    path = home / ".config" / "containers" / "policy.json" if way != "signature_policy" else home / "policy.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(reject, encoding="utf-8")
    params: dict[str, Any] = {way: path} if way == "signature_policy" else {way: True}
    if way == "home":
        params = {}
    result = bench.save([image], retry_delay=30, **params)
    assert result.failed is (way != "insecure_policy")
    if result.failed:
        assert "policy" in result["failed_images"][0]["reason"]
    else:
        saved(result)
