# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fixtures themselves: a test that trusts them must be able to."""

from __future__ import annotations

import json
import os
import platform
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import requests

from ansible_collections.airgap.images.tests.support import access_log
from ansible_collections.airgap.images.tests.support.images import DOCKER_SCHEMA1, MANIFEST_TYPES
from ansible_collections.airgap.images.tests.support.layers import GZIP, PLAIN, ZSTD, hello_program, sha256
from ansible_collections.airgap.images.tests.support.module import wait_for_end
from ansible_collections.airgap.images.tests.support.push import (
    delete_manifest,
    get_manifest,
    push,
    tag_again,
)
from ansible_collections.airgap.images.tests.support.registry import Registry, RegistryError
from ansible_collections.airgap.images.tests.support.samples import SAMPLES, big, small, small_real_images
from ansible_collections.airgap.images.tests.support.skopeo import copy, push_schema1
from ansible_collections.airgap.images.tests.support.workbench import USER, Source, Workbench

UNPACK = {GZIP: ["gzip", "-dc"], ZSTD: ["zstd", "-dcq"], PLAIN: ["cat"]}


def test_a_registry_that_is_started_again_keeps_port_and_content(registry: Registry) -> None:
    image = push(registry, "some/image", "1", small(1))
    port = registry.port
    registry.stop()
    with pytest.raises(requests.ConnectionError):
        requests.get(f"{registry.url}/v2/", timeout=10)
    registry.start()
    assert registry.port == port
    assert get_manifest(registry, "some/image", "1") == (image.raw, image.media_type)


def test_a_registry_dies_with_the_process_that_started_it(workdir: Path) -> None:
    script = (
        "import os, pathlib, signal\n"
        "from ansible_collections.airgap.images.tests.support.registry import Registry\n"
        f"registry = Registry(pathlib.Path({str(workdir)!r}))\n"
        "registry.start()\n"
        "print(registry.pid, flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    wait_for_end([int(done.stdout)])


def test_a_registry_that_can_not_start_says_why(workdir: Path, registry: Registry) -> None:
    second = Registry(workdir / "second")
    second.port = registry.port
    with pytest.raises(RegistryError, match="address already in use"):
        second.start()


@pytest.mark.parametrize(
    ("line", "blob", "manifest"),
    [
        ('"GET /v2/a/b/blobs/sha256:0a HTTP/1.1" 200 12 "" "x"', "sha256:0a", ""),
        ('"GET /v2/a/b/manifests/1.0 HTTP/1.1" 200 12 "" "x"', "", "a/b:1.0"),
        ('"HEAD /v2/a/b/manifests/sha256:0a HTTP/1.1" 200 12 "" "x"', "", "a/b@sha256:0a"),
        ('"POST /v2/a/b/blobs/uploads/ HTTP/1.1" 202 0 "" "x"', "", ""),
        ('"GET /v2/?a=b HTTP/2.0" 200 - "" "x \\"y\\""', "", ""),
    ],
)
def test_a_line_of_the_access_log(line: str, blob: str, manifest: str) -> None:
    request = access_log.parse_line(f"127.0.0.1 - - [22/Nov/2026:05:18:12 +0000] {line}")
    assert (request.blob, request.manifest) == (blob, manifest)


def test_a_line_that_is_not_of_the_access_log() -> None:
    with pytest.raises(ValueError, match="not a line"):
        access_log.parse_line("time=now level=info")


def test_every_request_is_in_the_log_at_once(registry: Registry) -> None:
    image = push(registry, "some/image", "1", big(1, [4_000_000]))
    (layer,) = image.platforms[0].layers
    registry.clear()
    assert not registry.requests()
    for count in range(1, 20):
        answer = requests.get(f"{registry.url}/v2/some/image/blobs/{layer.digest}", timeout=30)
        assert sha256(answer.content) == layer.digest
        assert registry.blob_gets() == {layer.digest: count}
    accept = {"Accept": ", ".join(MANIFEST_TYPES)}
    requests.head(f"{registry.url}/v2/some/image/manifests/1", headers=accept, timeout=30)
    requests.get(f"{registry.url}/v2/some/image/manifests/{image.digest}", headers=accept, timeout=30)
    requests.get(f"{registry.url}/v2/some/image/manifests/absent", headers=accept, timeout=30)
    assert registry.manifest_heads() == {"some/image:1": 1}
    assert registry.manifest_gets() == {f"some/image@{image.digest}": 1}
    assert registry.requests()[-1].status == 404


@pytest.mark.parametrize("name", list(SAMPLES))
def test_a_sample_is_what_it_says(name: str, source: Source) -> None:
    pushed = source[name]
    raw, media_type = get_manifest(source.registry, pushed.repository, pushed.tag)
    assert (sha256(raw), media_type) == (pushed.digest, pushed.media_type)
    assert raw == SAMPLES[name]().raw, "not the same bytes when built again"
    for image in pushed.platforms:
        manifest, media_type = get_manifest(source.registry, pushed.repository, image.digest)
        assert (sha256(manifest), len(manifest), media_type) == (image.digest, image.size, image.media_type)
        for blob in (image.config_digest, *(layer.digest for layer in image.layers)):
            path = source.registry.blob_path(blob)
            absent = "foreign" in str(manifest) and not path.exists()
            assert absent or sha256(path.read_bytes()) == blob


@pytest.mark.parametrize("name", ["oci/gzip:1", "oci/zstd:1", "oci/plain:1", "docker/single:1"])
def test_the_layers_are_tars_and_the_config_knows_their_digests(name: str, source: Source, workdir: Path) -> None:
    (image,) = source[name].platforms
    config = json.loads(source.registry.blob_path(image.config_digest).read_bytes())
    for layer, diff_id in zip(image.layers, config["rootfs"]["diff_ids"]):
        compression = next((each for each in (GZIP, ZSTD) if layer.media_type.endswith(each)), PLAIN)
        path = source.registry.blob_path(layer.digest)
        plain = subprocess.run([*UNPACK[compression], path], capture_output=True, check=True).stdout
        assert sha256(plain) == diff_id
        subprocess.run(["tar", "-x", "-C", workdir], input=plain, check=True)
    assert len([path for path in workdir.rglob("*") if path.is_file()]) == 3


def test_skopeo_reads_what_was_pushed(source: Source, workdir: Path) -> None:
    for name in ("oci/index:1", "oci/attested:1", "charts/app:1.2.3", "a/b/c/d:1.0"):
        folder = workdir / name.replace("/", "-").replace(":", "-")
        copy(f"docker://{source[name].by_digest}", f"oci:{folder}", "--all", src=source.registry)
        (entry,) = json.loads((folder / "index.json").read_bytes())["manifests"]
        assert entry["digest"] == source[name].digest


def test_schema_1_is_signed_anew_for_each_request(registry: Registry, workdir: Path) -> None:
    reference = push_schema1(registry, push(registry, "new/image", "1", small(1, docker=True)), "old/image", "1")
    first, media_type = get_manifest(registry, "old/image", "1")
    second, _media_type = get_manifest(registry, "old/image", "1")
    assert media_type == DOCKER_SCHEMA1
    assert first != second
    assert json.loads(first)["fsLayers"] == json.loads(second)["fsLayers"]
    copy(f"docker://{reference}", f"oci:{workdir}/old", src=registry)


def test_small_real_images(registry: Registry, workdir: Path) -> None:
    images = small_real_images(registry)
    assert len(images) == 6
    assert {each.arch for image in images for each in image.platforms} == {"amd64", "arm64"}
    assert {image.media_type for image in images} <= set(MANIFEST_TYPES)
    shared = [layer.digest for image in images for each in image.platforms for layer in each.layers]
    assert len(set(shared)) < len(shared)
    assert 2_000_000 < sum(path.stat().st_size for path in registry.storage.rglob("data")) < 8_000_000


@pytest.mark.parametrize("architecture", ["amd64", "arm64"])
def test_the_program_in_the_real_images_runs(architecture: str, workdir: Path) -> None:
    program = workdir / "hello"
    program.write_bytes(hello_program(architecture, "hellö"))
    program.chmod(0o755)
    if {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine()) != architecture:
        assert program.read_bytes()[:4] == b"\x7fELF"
        return
    done = subprocess.run([program], capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (0, "hellö\n".encode())


def test_tags_and_deleted_manifests(registry: Registry) -> None:
    image = push(registry, "some/image", "1", small(1))
    again = tag_again(registry, image, "2")
    assert again.reference == f"{registry.host}/some/image:2"
    assert get_manifest(registry, "some/image", "2")[0] == image.raw
    delete_manifest(registry, "some/image", image.digest)
    with pytest.raises(RegistryError, match="404"):
        get_manifest(registry, "some/image", "1")


def test_basic_authentication(bench: Workbench, workdir: Path) -> None:
    registry = bench.registry(basic=USER)
    image = push(registry, "some/image", "1", small(1))
    assert requests.get(f"{registry.url}/v2/", timeout=30).headers["WWW-Authenticate"].startswith("Basic ")
    with pytest.raises(RegistryError, match="unauthorized"):
        copy(f"docker://{image.reference}", f"oci:{workdir}/a", "--src-tls-verify=false")
    copy(f"docker://{image.reference}", f"oci:{workdir}/b", src=registry)
    assert registry.blob_gets().total() == 4


def test_bearer_authentication(bench: Workbench, workdir: Path) -> None:
    tokens = bench.tokens()
    registry = bench.registry(tokens=tokens)
    image = push(registry, "some/image", "1", small(1))
    assert not tokens.requests(), "the fixtures' own requests are not in the record"
    copy(f"docker://{image.reference}", f"oci:{workdir}/a", src=registry)
    (request,) = tokens.requests()
    assert request.scopes == ("repository:some/image:pull",)
    assert (request.user, request.service, request.status) == (USER.username, tokens.service, 200)
    with pytest.raises(RegistryError, match="unauthorized"):
        copy(f"docker://{image.reference}", f"oci:{workdir}/b", "--src-tls-verify=false")
    tokens.anonymous_pull = True
    copy(f"docker://{image.reference}", f"oci:{workdir}/c", "--src-tls-verify=false")
    assert [each.status for each in tokens.requests()] == [200, 401, 200]


def test_tokens_that_have_expired(bench: Workbench) -> None:
    tokens = bench.tokens(anonymous_pull=True)
    registry = bench.registry(tokens=tokens)
    image = push(registry, "some/image", "1", small(1))
    tokens.issue_expired(1)
    url = f"{registry.url}/v2/some/image/blobs/{image.platforms[0].config_digest}"
    statuses: list[int] = []
    for _try in range(2):
        query = {"service": tokens.service, "scope": "repository:some/image:pull"}
        token = requests.get(tokens.realm, params=query, timeout=30).json()["token"]
        statuses.append(requests.get(url, headers={"Authorization": f"Bearer {token}"}, timeout=30).status_code)
    assert statuses == [401, 200]


@pytest.mark.parametrize("client_certificate", [False, True])
def test_tls(bench: Workbench, workdir: Path, client_certificate: bool) -> None:
    registry = bench.registry(tls=True, client_certificate=client_certificate)
    image = push(registry, "some/image", "1", small(1))
    with pytest.raises(RegistryError, match="x509"):
        copy(f"docker://{image.reference}", f"oci:{workdir}/a")
    certs = bench.authority.certs_dir(workdir / "certs")
    anonymous = requests.Session()
    anonymous.trust_env = False
    anonymous.verify = os.fspath(certs / "ca.crt")
    if client_certificate:
        with pytest.raises(requests.ConnectionError):
            anonymous.get(f"{registry.url}/v2/", timeout=30)
    else:
        assert anonymous.get(f"{registry.url}/v2/", timeout=30).status_code == 200
    copy(f"docker://{image.reference}", f"oci:{workdir}/b", src=registry)
