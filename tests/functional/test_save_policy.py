# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which images may be saved: by whose policy, of which day, and from which repository."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.airgap.images.tests.functional._helpers import contents, saved, snapshot
from ansible_collections.airgap.images.tests.support.images import DOCKER_MANIFEST
from ansible_collections.airgap.images.tests.support.module import Result
from ansible_collections.airgap.images.tests.support.push import PushedImage, get_manifest, push, put_manifest
from ansible_collections.airgap.images.tests.support.registry import Registry
from ansible_collections.airgap.images.tests.support.samples import oci_index, small
from ansible_collections.airgap.images.tests.support.skopeo import push_schema1
from ansible_collections.airgap.images.tests.support.workbench import Workbench

ANYTHING: dict[str, Any] = {"default": [{"type": "insecureAcceptAnything"}]}
NOTHING: dict[str, Any] = {"default": [{"type": "reject"}]}
REJECTED = "the signature policy does not accept this image"
KEPT: dict[str, dict[str, Any]] = {"kept": {}, "not kept": {"keep_cache": False}, "pruned": {"prune_cache": True}}


@dataclass
class Host:
    """A host whose configuration of skopeo is that of its home."""

    bench: Workbench
    registry: Registry
    home: Path
    keys: Path

    def __post_init__(self) -> None:
        (self.configuration / "registries.d").mkdir(parents=True)

    @property
    def configuration(self) -> Path:
        return self.home / ".config" / "containers"

    def policy(self, document: dict[str, Any]) -> None:
        (self.configuration / "policy.json").write_text(json.dumps(document), encoding="utf-8")

    def policy_for(self, repository: str, *requirements: dict[str, Any]) -> None:
        """Anything may be saved, but from this repository only what fulfils the requirements."""
        scopes = {f"{self.registry.host}/{repository}": list(requirements)}
        self.policy({**ANYTHING, "transports": {"docker": scopes}})

    def save(self, *images: PushedImage | str, **options: Any) -> Result:
        self.registry.clear()
        return self.bench.save(list(images), **options)

    def layers_fetched(self, *images: PushedImage) -> set[str]:
        layers = {layer.digest for image in images for one in image.platforms for layer in one.layers}
        return layers & set(self.registry.blob_gets())

    # -- signatures

    def gpg(self, *arguments: str) -> bytes:
        environment = {**os.environ, "GNUPGHOME": str(self.keys)}
        done = subprocess.run(["gpg", "--batch", *arguments], env=environment, capture_output=True, check=True)
        return done.stdout

    def key(self, name: str) -> Path:
        """A new key; the path of its public half."""
        self.gpg("--passphrase", "", "--quick-gen-key", name, "ed25519", "sign", "never")
        path = self.home / f"{name}.gpg"
        path.write_bytes(self.gpg("--export", name))
        return path

    def sign(self, image: PushedImage, key: str, *, name: str = "") -> None:
        """Sign the platform images of an image, where ``registries.d`` looks for signatures.

        :param name: what is signed; by default, the image's own reference.
        """
        lookaside = self.home / "lookaside"
        where = {self.registry.host: {"lookaside": f"file://{lookaside}", "sigstore": f"file://{lookaside}"}}
        (self.configuration / "registries.d" / "here.yaml").write_text(json.dumps({"docker": where}), encoding="utf-8")
        repository = image.reference.partition("/")[2].rpartition(":")[0]
        for platform in image.platforms:
            manifest = self.home / "manifest"
            manifest.write_bytes(get_manifest(self.registry, repository, platform.digest)[0])
            folder = lookaside / f"{repository}@{platform.digest.replace(':', '=')}"
            folder.mkdir(parents=True, exist_ok=True)
            signed = name or f"{self.registry.host}/{repository}:1"
            command = ["skopeo", "standalone-sign", manifest, signed, key, "--output", folder / "signature-1"]
            subprocess.run(command, env={**os.environ, "GNUPGHOME": str(self.keys)}, capture_output=True, check=True)


@pytest.fixture
def host(bench: Workbench, registry: Registry, home: Path) -> Iterator[Host]:
    keys = Path(tempfile.mkdtemp(prefix="airgap-keys-", dir="/tmp"))  # the path of a socket in it may have 108 bytes
    host = Host(bench, registry, home, keys)
    host.policy(ANYTHING)
    try:
        yield host
    finally:
        subprocess.run(["gpgconf", "--homedir", host.keys, "--kill", "all"], check=True)
        shutil.rmtree(keys, ignore_errors=True)


@pytest.mark.parametrize(
    "options",
    [pytest.param(each, id=name, marks=() if name == "kept" else pytest.mark.thorough) for name, each in KEPT.items()],
)
def test_a_policy_that_became_stricter_is_noticed_by_the_next_run(host: Host, options: dict[str, Any]) -> None:
    image = push(host.registry, "some/app", "1", oci_index())
    saved(host.save(image, **options))
    before = snapshot(host.bench.dest.parent)
    host.policy({**ANYTHING, "transports": {}})
    again = host.save(image, **options)
    saved(again, changed=False)
    assert again["reason"] == "nothing changed; 2 platform images accepted anew"
    assert not host.layers_fetched(image)
    host.policy(NOTHING)
    for _again in range(2):
        refused = host.save(image, **options)
        assert refused.failed and not refused.changed
        assert REJECTED in refused["failed_images"][0]["reason"]
        assert not host.layers_fetched(image)
        assert snapshot(host.bench.dest.parent) == before
    host.policy(ANYTHING)
    back = host.save(image, **options)
    saved(back, changed=False)
    assert snapshot(host.bench.dest.parent) == before
    silent = host.save(image, **options)
    saved(silent, changed=False)
    assert silent["reason"] == "nothing changed"
    assert not host.registry.manifest_gets() and len(host.registry.manifest_heads()) == 1, "it asks no more than that"


@pytest.mark.thorough
def test_a_run_with_nothing_new_writes_nothing(host: Host) -> None:
    image = push(host.registry, "some/app", "1", oci_index())
    saved(host.save(image))
    before = snapshot(host.bench.dest.parent, host.bench.cache)
    saved(host.save(image), changed=False)
    assert snapshot(host.bench.dest.parent, host.bench.cache) == before


def test_every_kind_of_image_is_accepted_anew(host: Host) -> None:
    """Without its layers; Docker's schema 1 too, which is converted where it is copied."""
    images = [push(host.registry, "docker", "1", small(1, docker=True)), push(host.registry, "oci", "1", oci_index())]
    old = push_schema1(host.registry, images[0], "schema1", "1")
    saved(host.save(*images, old, keep_cache=False))
    host.policy({**ANYTHING, "transports": {}})
    result = host.save(*images, old, keep_cache=False)
    saved(result, changed=False)
    assert result["reason"] == "nothing changed; 4 platform images accepted anew"
    assert not host.layers_fetched(*images)
    assert [path.name for path in host.bench.cache.iterdir() if path.name.startswith(".run")] == []


def test_the_policy_gets_into_no_lock(host: Host) -> None:
    image = push(host.registry, "some/app", "1", small(1))
    saved(host.save(image))
    before = contents(host.bench.dest.parent)
    host.policy({**ANYTHING, "transports": {}})
    saved(host.save(image, force=True))
    assert contents(host.bench.dest.parent) == before


def test_a_blocked_registry_is_noticed(host: Host) -> None:
    """With the insecure policy as well."""
    image = push(host.registry, "some/app", "1", small(1))
    saved(host.save(image, insecure_policy=True))
    blocked = f'[[registry]]\nlocation = "{host.registry.host}"\nblocked = true\n'
    (host.configuration / "registries.conf").write_text(blocked, encoding="utf-8")
    result = host.save(image, insecure_policy=True)
    assert result.failed and "blocked" in result["failed_images"][0]["reason"]


@pytest.mark.parametrize("order", [("a/app", "b/app"), pytest.param(("b/app", "a/app"), marks=pytest.mark.thorough)])
@pytest.mark.parametrize("rejected", [pytest.param("a/app", marks=pytest.mark.thorough), "b/app"])
def test_each_repository_has_its_own_policy(host: Host, order: tuple[str, str], rejected: str) -> None:
    images = {name: push(host.registry, name, "1", oci_index()) for name in order}
    host.policy_for(rejected, {"type": "reject"})
    result = host.save(*images.values(), allow_partial=True)
    assert [one["reference"] for one in result["failed_images"]] == [images[rejected].reference]
    assert REJECTED in result["failed_images"][0]["reason"]
    (kept,) = set(order) - {rejected}
    assert list(saved(result).references) == [images[kept].reference]
    alone = host.save(images[rejected], dest=host.bench.directory / "other" / "images")
    assert alone.failed and REJECTED in alone["failed_images"][0]["reason"], "as it does by itself"


@pytest.mark.parametrize("order", [("a/app", "b/app"), pytest.param(("b/app", "a/app"), marks=pytest.mark.thorough)])
def test_a_lost_blob_comes_from_the_repository_that_has_it(
    bench: Workbench, host: Host, order: tuple[str, str]
) -> None:
    """The registry of one says 404 for a layer that both name."""
    other = bench.registry()
    image, same = push(host.registry, "a/app", "1", oci_index()), push(other, "b/app", "1", oci_index())
    lost = image.platforms[0].layers[-1].digest
    host.registry.blob_path(lost).unlink()
    given = {"a/app": image, "b/app": same}
    result = host.save(*(given[name] for name in order))
    archive = saved(result)
    assert list(archive.references) == [given[name].reference for name in order]
    assert lost in archive.blobs
    # The access log of the registry that has it tells who was asked.
    assert other.blob_gets()[lost] == 1


def test_a_signed_image_is_saved_and_its_signature_checked(host: Host) -> None:
    """skopeo refuses to copy signatures into a layout, so it is told to leave them out; it checks them first."""
    key = host.key("one@example.com")
    signed, unsigned = (push(host.registry, name, "1", small(seed)) for seed, name in enumerate(("signed", "unsigned")))
    host.sign(signed, "one@example.com")
    host.policy({"default": [{"type": "signedBy", "keyType": "GPGKeys", "keyPath": str(key)}]})
    saved(host.save(signed))
    refused = host.save(signed, unsigned)
    assert [one["reference"] for one in refused["failed_images"]] == [unsigned.reference]
    assert "signature was required" in refused["failed_images"][0]["reason"]


@pytest.mark.parametrize("signed", ["docker.io/team/app:1", ""], ids=["the name in the list", "that of the mirror"])
def test_signatures_of_a_mirror_are_for_the_name_in_the_list(host: Host, signed: str) -> None:
    """``registries.d`` says where the mirror has them."""
    key = host.key("one@example.com")
    image = push(host.registry, "hub/team/app", "1", small(1))
    host.sign(image, "one@example.com", name=signed)
    by_key = {"docker.io": [{"type": "signedBy", "keyType": "GPGKeys", "keyPath": str(key)}]}
    host.policy({**NOTHING, "transports": {"docker": by_key}})
    entry = {"host": "docker.io", "mirror": f"{host.registry.host}/hub"}
    result = host.save("docker.io/team/app:1", registries=[entry])
    if signed:
        saved(result)
    else:
        assert REJECTED in result["failed_images"][0]["reason"]


def test_another_key_under_the_same_path_is_noticed(host: Host) -> None:
    key, other = host.key("one@example.com"), host.key("two@example.com")
    image = push(host.registry, "some/app", "1", small(1))
    host.sign(image, "one@example.com")
    host.policy({"default": [{"type": "signedBy", "keyType": "GPGKeys", "keyPath": str(key)}]})
    saved(host.save(image))
    mine = key.read_bytes()
    shutil.copy(other, key)
    assert host.save(image).failed
    key.write_bytes(mine)
    saved(host.save(image), changed=False)


def test_a_digest_is_asked_of_the_repository_that_it_is_wanted_from(host: Host) -> None:
    """Although the cache has the index and all below it from another one."""
    first = push(host.registry, "some/app", "1", oci_index())
    saved(host.save(first))
    absent = f"{host.registry.host}/other/app@{first.digest}"
    for platform in first.platforms:  # its children are there, the index is not
        raw, media_type = get_manifest(host.registry, "some/app", platform.digest)
        assert media_type != DOCKER_MANIFEST
        for blob in (platform.config_digest, *(layer.digest for layer in platform.layers)):
            mount(host.registry, "other/app", blob, "some/app")
        put_manifest(host.registry, "other/app", platform.digest, raw, media_type)
    result = host.save(first, absent)
    assert [one["reference"] for one in result["failed_images"]] == [absent]
    assert "does not exist" in result["failed_images"][0]["reason"]


def mount(registry: Registry, repository: str, digest: str, source: str) -> None:
    """Have a repository hold a blob of another one."""
    url = f"{registry.url}/v2/{repository}/blobs/uploads/?mount={digest}&from={source}"
    with registry.session() as session:
        assert session.post(url).status_code == 201
