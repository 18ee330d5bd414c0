# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Images as they were written in other years, and by other tools."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest

from ansible_collections.airgap.images.plugins.module_utils._base.errors import ManifestError
from ansible_collections.airgap.images.plugins.module_utils._cache.cache import Cache
from ansible_collections.airgap.images.plugins.module_utils._oci.descriptor import Descriptor
from ansible_collections.airgap.images.plugins.module_utils._oci.image import PlatformImage
from ansible_collections.airgap.images.plugins.module_utils._oci.manifest import Manifest, parse_manifest
from ansible_collections.airgap.images.plugins.module_utils._oci.platform import Platform as GoPlatform
from ansible_collections.airgap.images.plugins.module_utils._oci.reference import Repository
from ansible_collections.airgap.images.tests.functional._field import registry, site  # noqa: F401
from ansible_collections.airgap.images.tests.functional._helpers import outcomes, saved
from ansible_collections.airgap.images.tests.functional._hostile import Site, refused
from ansible_collections.airgap.images.tests.support.field_registry import FieldRegistry
from ansible_collections.airgap.images.tests.support.hostile import manifest_reply
from ansible_collections.airgap.images.tests.support.images import (
    AMD64,
    ARM64,
    DOCKER_CONFIG,
    OCI_MANIFEST,
    Entry,
    Image,
    Platform,
    build_artifact,
    build_index,
    encode,
)
from ansible_collections.airgap.images.tests.support.layers import sha256
from ansible_collections.airgap.images.tests.support.samples import attestation, small

OLD_TYPES = ["application/octet-stream", "application/json", "text/html", ""]


@pytest.mark.field(
    "formats",
    given=(
        "a Docker manifest whose configuration has the type `application/octet-stream`, "
        "`application/json`, `text/html`, or none"
    ),
    happens=(
        "treated as an image: its platform is read from the configuration, `arch` and `os` apply, and hangar finds it"
    ),
)
@pytest.mark.parametrize(
    "config_type", [OLD_TYPES[0], *(pytest.param(each, marks=pytest.mark.thorough) for each in OLD_TYPES[1:])]
)
def test_configurations_of_docker_1_10(site: Site, registry: FieldRegistry, config_type: str) -> None:
    wanted, other = small(3, docker=True), small(4, platform=Platform("linux", "s390x"), docker=True)
    images = [build_artifact(each.layers, each.config, config_type, docker=True) for each in (wanted, other)]
    names = [registry.add(f"old/{number}", each) for number, each in enumerate(images)]
    result = site.save(names)
    archive = saved(result)
    assert list(outcomes(result).values()) == ["saved", "skipped"]
    assert result["images"][0]["platforms"][0]["platform"] == "linux/amd64"
    [listed] = archive.document("saved-image-cache/saved-images-list.json")["List"]
    assert [each["Arch"] for each in listed["Images"]] == ["amd64"]
    assert archive.blob(images[0].digest)["config"]["mediaType"] == config_type


@pytest.mark.field(
    "formats",
    given="unusual platform names: `aarch64`, `x86_64`, `armhf`, variant `7`, upper case",
    happens=("selected as containerd interprets them, and kept as they are; hangar's list has the names used by Go"),
)
def test_platforms_as_people_write_them(site: Site, registry: FieldRegistry) -> None:
    written = [Platform("linux", "aarch64"), Platform("Linux", "x86_64"), Platform("linux", "armhf")]
    index = build_index([Entry(small(seed), each) for seed, each in enumerate(written, start=3)])
    name = registry.add("some/image", index)
    result = site.save([name], arch=["amd64", "arm64", "arm/7"])
    archive = saved(result)
    assert archive.references == {name: index.digest}
    [listed] = archive.document("saved-image-cache/saved-images-list.json")["List"]
    assert [(each["OS"], each["Arch"]) for each in listed["Images"]] == [
        ("linux", "arm64"),
        ("linux", "amd64"),
        ("linux", "arm"),
    ]
    assert not result["images"][0]["notes"]


# -- what skopeo cannot copy

ZSTD = "application/vnd.docker.image.rootfs.diff.tar.zstd"
OCI_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
ARTIFACT = "application/vnd.oci.artifact.manifest.v1+json"
ANYTHING = [{"type": "insecureAcceptAnything"}]
REJECT = [{"type": "reject"}]


def mixed(seed: int, layer_type: str, *, platform: Platform = AMD64) -> Image:
    """A Docker manifest with layers of another type."""
    plain = small(seed, platform=platform, docker=True)
    return build_artifact(
        plain.layers, plain.config, DOCKER_CONFIG, docker=True, platform=platform, layer_media_type=layer_type
    )


def with_policy(site: Site, policy: Mapping[str, object]) -> str:
    path = site.root / "logs" / "policy.json"
    path.write_text(json.dumps(policy), encoding="utf-8")
    return str(path)


@pytest.mark.field(
    "formats",
    given="a Docker manifest with OCI or zstd layer types, which skopeo cannot read",
    happens="saved byte for byte if the signature policy accepts anything from its repository",
)
@pytest.mark.parametrize("layer_type", [ZSTD, OCI_LAYER])
def test_docker_manifests_with_other_layers(site: Site, registry: FieldRegistry, layer_type: str) -> None:
    index = build_index([mixed(3, layer_type), mixed(3, layer_type, platform=ARM64)], docker=True)
    names = [registry.add("some/image", mixed(5, layer_type)), registry.add("some/list", index)]
    scopes = {registry.host: REJECT, f"{registry.host}/some": ANYTHING}
    policy = {"default": REJECT, "transports": {"docker": scopes}}
    result = site.save(names, signature_policy=with_policy(site, policy))
    archive = saved(result)
    assert list(outcomes(result).values()) == ["saved", "saved"]
    for image in (mixed(5, layer_type), *(entry.item for entry in index.entries)):
        assert archive.blobs[image.digest] == len(image.raw)
    assert not [each for each in registry.asked() if each.by_skopeo]
    again = site.save(names, signature_policy=with_policy(site, policy))
    assert not again.changed and not again.failed


@pytest.mark.field(
    "formats",
    given="the same if the policy requires more, or `registries.conf` names the registry",
    happens="refused before a layer is fetched; the message says what to do",
)
@pytest.mark.parametrize("hindrance", ["policy", "scope", "registries.conf"])
def test_what_skopeo_has_a_say_in_is_refused(site: Site, registry: FieldRegistry, hindrance: str) -> None:
    name = registry.add("some/image", mixed(3, ZSTD))
    env: dict[str, str | None] = {}
    policy: dict[str, object] = {"default": ANYTHING}
    if hindrance == "policy":
        policy = {"default": REJECT}
    elif hindrance == "scope":
        policy["transports"] = {"docker": {f"{registry.host}/some/image": REJECT}}
    else:
        conf = site.root / "logs" / "registries.conf"
        conf.write_text(f'[[registry]]\nlocation = "{registry.host}"\ninsecure = true\n', encoding="utf-8")
        env["CONTAINERS_REGISTRIES_CONF"] = str(conf)
    result = site.save([name], env=env, signature_policy=with_policy(site, policy))
    assert "oci-mediatypes=true" in refused(result, name)
    assert not [each for each in registry.asked("/blobs/") if mixed(3, ZSTD).layers[-1].digest in each.path]


@pytest.mark.field(
    "formats",
    given="an OCI artifact manifest, as pushed by oras 1.0",
    happens="saved byte for byte, under the same condition",
)
def test_an_artifact_manifest(site: Site, registry: FieldRegistry) -> None:
    data = b"what ever it is"
    about = {"mediaType": OCI_MANIFEST, "digest": small(3).digest, "size": len(small(3).raw)}
    blob = {"mediaType": "text/plain", "digest": registry.blob("some/thing", data), "size": len(data)}
    raw = encode({"mediaType": ARTIFACT, "artifactType": "text/plain", "blobs": [blob], "subject": about})
    registry.child("some/thing", raw, ARTIFACT)
    registry.replies["/v2/some/thing/manifests/1"] = manifest_reply(raw, ARTIFACT)
    name = f"{registry.host}/some/thing:1"
    archive = saved(site.save([name], insecure_policy=True))
    assert archive.blobs[sha256(raw)] == len(raw) and archive.blobs[sha256(data)] == len(data)
    assert "artifact manifests" in refused(
        site.save([name], signature_policy=with_policy(site, {"default": REJECT})), name
    )


def test_an_attestation_in_a_docker_list_is_an_extra(site: Site, registry: FieldRegistry) -> None:
    """As buildx pushes it without OCI types: skopeo reads neither list nor attestation in one go."""
    image = small(3, docker=True)
    plain = attestation(image)
    assert isinstance(plain.item, Image)
    proof = build_artifact(
        plain.item.layers,
        plain.item.config,
        DOCKER_CONFIG,
        docker=True,
        layer_media_type="application/vnd.in-toto+json",
    )
    index = build_index([image, Entry(proof, plain.platform, plain.annotations)], docker=True)
    name = registry.add("some/image", index)
    policy = {"default": ANYTHING, "transports": {"docker": {f"{registry.host}/some/image@{proof.digest}": REJECT}}}
    result = site.save([name], arch=["amd64"], signature_policy=with_policy(site, policy))
    saved(result)
    assert "skopeo cannot copy it" in result["images"][0]["notes"][0]
    whole = saved(site.save([name], arch=["amd64"], insecure_policy=True, force=True))
    assert whole.blobs[proof.digest] == len(proof.raw)


@pytest.mark.parametrize("docker", [False, True], ids=["oci", "docker"])
def test_the_layout_is_the_one_that_skopeo_gives(site: Site, registry: FieldRegistry, docker: bool) -> None:
    image = small(3, docker=docker)
    name = registry.add("some/image", image)
    saved(site.save([name]))
    assert [each for each in registry.asked() if each.by_skopeo]
    folder = site.cache / image.digest.partition(":")[2]
    by_skopeo = files_of(folder)
    configuration = (folder / "accepted").read_text(encoding="utf-8").partition(" ")[0]
    shutil.rmtree(folder)
    cache = Cache(str(site.cache), configuration)
    with cache.opened(0):
        content = parse_manifest(image.raw)
        assert isinstance(content, Manifest)
        descriptor = Descriptor(image.media_type, image.digest, len(image.raw), GoPlatform("linux", "amd64"))
        repository = Repository(registry.host, "some/image")
        wanted = PlatformImage(descriptor, repository, content, tuple(content.blobs()))
        stored = cache.folders.write(wanted)
        assert files_of(folder) == by_skopeo and stored == cache.folders.stored(wanted)
        cache.blobs.drop(image.layers[0].digest)
        with pytest.raises(ManifestError, match="is not in the cache"):
            cache.folders.write(wanted)
        Path(cache.blobs.path(sha256(image.config))).write_bytes(b"x")
        with pytest.raises(ManifestError, match="is damaged"):
            cache.folders.write(wanted)


def files_of(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Mode, and content or target, of everything in a folder, and of the folder."""
    found = {".": (folder.stat().st_mode, b"")}
    for path in folder.iterdir():
        content = os.readlink(path).encode() if path.is_symlink() else path.read_bytes()
        found[path.name] = (path.lstat().st_mode, content)
    return found
