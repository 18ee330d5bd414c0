# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From references to platform images."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.airgap.images.plugins.module_utils._base.errors import (
    ConnectionRefused,
    Missing,
    Refused,
    TransferError,
    WrongBytes,
    printable,
)
from ansible_collections.airgap.images.plugins.module_utils._base.secrets import Secrets
from ansible_collections.airgap.images.plugins.module_utils._cache.cache import Cache
from ansible_collections.airgap.images.plugins.module_utils._host.log import Log
from ansible_collections.airgap.images.plugins.module_utils._oci.descriptor import Descriptor, digest_of
from ansible_collections.airgap.images.plugins.module_utils._oci.image import (
    FailedImage,
    Resolution,
    ResolvedImage,
    SkippedImage,
)
from ansible_collections.airgap.images.plugins.module_utils._oci.limits import MAX_MANIFEST_BYTES
from ansible_collections.airgap.images.plugins.module_utils._oci.media_types import (
    DOCKER_LIST,
    DOCKER_SCHEMA1_SIGNED,
    OCI_INDEX,
    OCI_MANIFEST,
)
from ansible_collections.airgap.images.plugins.module_utils._oci.platform import Platform
from ansible_collections.airgap.images.plugins.module_utils._oci.reference import (
    Repository,
    SourceRegistry,
    pulled_from,
)
from ansible_collections.airgap.images.plugins.module_utils._oci.schema1 import Schema1
from ansible_collections.airgap.images.plugins.module_utils._registry.failures import Failures
from ansible_collections.airgap.images.plugins.module_utils._save import index_reader
from ansible_collections.airgap.images.plugins.module_utils._save.choose import choose
from ansible_collections.airgap.images.plugins.module_utils._save.image_set import Pin, RequestedImage
from ansible_collections.airgap.images.plugins.module_utils._save.resolve import Resolver
from ansible_collections.airgap.images.tests.support import images as built
from ansible_collections.airgap.images.tests.support import layers
from ansible_collections.airgap.images.tests.unit.fakes import (
    AMD64,
    ARM64,
    ARM_V7,
    UNKNOWN,
    WINDOWS,
    FakeRegistries,
    listed,
    make_options,
    requested,
    write_folder,
)

LAYER = layers.files_layer({"etc/one": b"1"})


def image(platform: built.Platform = built.AMD64, **more: Any) -> built.Image:
    return built.build_image([LAYER], platform=platform, **more)


def attestation(of: built.Image) -> built.Entry:
    proof = built.build_artifact([LAYER], of.raw, "application/vnd.in-toto+json")
    annotations = {
        "vnd.docker.reference.type": "attestation-manifest",
        "vnd.docker.reference.digest": of.digest,
    }
    return built.Entry(proof, built.UNKNOWN, annotations)


LINUX, ARM, V7 = image(), image(built.ARM64), image(built.ARM_V7)
WINDOWS_IMAGE = image(built.WINDOWS_2019)
CHART = built.build_artifact([LAYER], b"{}", "application/vnd.cncf.helm.config.v1+json")


@pytest.fixture
def registries() -> FakeRegistries:
    return FakeRegistries()


@pytest.fixture
def cache(tmp_path: Path) -> Iterator[Cache]:
    cache = Cache(str(tmp_path / "cache"))
    with cache.opened(0):
        yield cache


class Asker:
    """Resolves one reference, or several, as the engine does."""

    def __init__(self, registries: FakeRegistries, cache: Cache) -> None:
        self.registries = registries
        self.cache = cache
        self.fetched: dict[str, int] = {}

    def all(
        self,
        *references: str,
        pins: dict[int, Pin] | None = None,
        source: SourceRegistry | None = None,
        keep: bool = True,
        **options: Any,
    ) -> list[Resolution]:
        selection = make_options(**options).selection
        client: Any = self.registries
        failures = Failures(Secrets(), self.registries.outages)
        resolver = Resolver(client, self.cache, Log(debug=True), selection, failures, keep=keep, timeout=60)
        images = [listed(one, number) for number, one in enumerate(references, start=1)]
        found = resolver.look_up(
            [RequestedImage(one, pulled_from(one.reference, source), (pins or {}).get(one.number)) for one in images]
        )
        resolutions = resolver.resolve(found)
        self.fetched = resolver.fetched
        return resolutions

    def one(self, reference: str = "reg.lan/app:1", **more: Any) -> Any:
        [resolution] = self.all(reference, **more)
        return resolution


@pytest.fixture
def asker(registries: FakeRegistries, cache: Cache) -> Asker:
    return Asker(registries, cache)


def push(asker: Asker, *entries: built.Image | built.Entry, docker: bool = False) -> built.Index:
    index = built.build_index(entries, docker=docker)
    asker.registries.push("reg.lan/app:1", index)
    return index


def digests(resolution: ResolvedImage) -> list[str]:
    return [platform.digest for platform in resolution.children]


def platforms(resolution: ResolvedImage) -> list[tuple[str, str]]:
    return [(one.digest, str(one.descriptor.platform)) for one in resolution.children]


@pytest.mark.parametrize("docker", [False, True], ids=["OCI", "Docker"])
def test_an_index_gives_the_platforms_that_are_wanted(asker: Asker, docker: bool) -> None:
    index = push(asker, LINUX, ARM, V7, WINDOWS_IMAGE, docker=docker)
    resolution = asker.one(arch=["amd64", "arm/v7"], os=["linux"])
    assert digests(resolution) == [LINUX.digest, V7.digest]
    assert resolution.digest == index.digest
    assert resolution.index == index.raw
    assert resolution.media_type == (DOCKER_LIST if docker else OCI_INDEX)
    assert resolution.is_whole is False
    assert resolution.notes == ()
    assert [platform.descriptor.platform for platform in resolution.children] == [AMD64, ARM_V7]
    assert [blob.digest for blob in resolution.children[0].blobs] == [digest_of(LINUX.config), LAYER.digest]
    assert str(resolution.children[0].repository) == "reg.lan/app"


def test_an_index_that_is_wanted_whole(asker: Asker) -> None:
    push(asker, LINUX, ARM)
    assert asker.one().is_whole is True


def test_a_manifest_has_no_index(asker: Asker) -> None:
    asker.registries.push("reg.lan/app:1", LINUX)
    resolution = asker.one()
    assert digests(resolution) == [resolution.digest] == [LINUX.digest]
    assert resolution.index is None
    assert resolution.is_whole is True
    assert resolution.children[0].descriptor == Descriptor(OCI_MANIFEST, LINUX.digest, len(LINUX.raw), AMD64)


def test_windows_images_are_told_apart_by_version(asker: Asker) -> None:
    newer = image(built.WINDOWS_2022)
    push(asker, WINDOWS_IMAGE, newer)
    assert digests(asker.one(arch=["amd64"])) == [WINDOWS_IMAGE.digest, newer.digest]


@pytest.mark.parametrize(("fails", "kind"), [(False, SkippedImage), (True, FailedImage)])
def test_an_image_without_a_wanted_platform(asker: Asker, fails: bool, kind: type) -> None:
    index = push(asker, WINDOWS_IMAGE, attestation(WINDOWS_IMAGE))
    for reference, digest in (("reg.lan/app:1", index.digest), ("reg.lan/single:1", WINDOWS_IMAGE.digest)):
        asker.registries.push("reg.lan/single:1", WINDOWS_IMAGE)
        resolution = asker.one(reference, os=["linux"], fail_on_missing_platform=fails)
        assert resolution.__class__ is kind
        assert resolution.digest == digest
        assert resolution.reason == (
            "none of the wanted platforms (amd64, arm64 on linux); the image has windows/amd64 (10.0.17763.5329)"
        )


def test_what_an_image_has_is_shown_safely(asker: Asker) -> None:
    push(asker, built.Entry(LINUX, built.Platform("li\nnux\x1b[31m", "amd64")))
    resolution = asker.one()
    assert isinstance(resolution, FailedImage)
    assert printable(resolution.reason, 10_000) == resolution.reason


def test_architectures_that_an_image_lacks_are_noted(asker: Asker) -> None:
    push(asker, LINUX, V7)
    resolution = asker.one(arch=["amd64", "arm64", "s390x"])
    assert resolution.notes == ("not available for arm64, s390x",)


@pytest.mark.parametrize("docker", [False, True])
def test_images_that_hangar_does_not_load_are_noted(asker: Asker, docker: bool) -> None:
    """Those with layers in zstd; artefacts have none of its platforms, and are said nothing of."""
    layer = layers.text_layer(1, 1000, compression=layers.ZSTD)
    zstd = built.build_image([LAYER, layer], platform=built.ARM64, docker=docker)
    chart = built.build_artifact([layer], b"{}", "application/vnd.x+json", layer_media_type="application/x.tar+zstd")
    push(asker, LINUX, zstd, built.Entry(chart))
    resolution = asker.one(arch=["amd64", "arm64"])
    assert resolution.notes == ("hangar 1.6 does not load linux/arm64, which has layers in zstd; skopeo does",)
    assert asker.one(arch=["amd64"]).notes == ()


@pytest.mark.parametrize(
    ("docker", "arch", "why"),
    [
        (False, ["amd64"], "not all of its platforms are saved"),
        (True, ["amd64", "arm64"], "a Docker manifest list becomes an index"),
        (False, ["amd64", "arm64"], None),
    ],
)
def test_a_pin_that_does_not_work_on_the_other_side_is_noted(
    asker: Asker, docker: bool, arch: list[str], why: str | None
) -> None:
    index = push(asker, LINUX, ARM, docker=docker)
    for reference in (f"reg.lan/app@{index.digest}", f"reg.lan/app:1@{index.digest}"):
        notes = asker.one(reference, arch=arch).notes
        expected = f"{index.digest} cannot be pulled from where the archive is loaded, because {why}; pin the digest of"
        assert [note.startswith(expected) for note in notes] == ([True] if why else [])
    assert asker.one(arch=arch).notes == (), "a tag pins nothing"
    assert asker.one(f"reg.lan/app@{LINUX.digest}", arch=["amd64"]).notes == ()


def test_attestations_follow_their_image(asker: Asker) -> None:
    of_linux, of_arm = attestation(LINUX), attestation(ARM)
    push(asker, LINUX, ARM, of_linux, of_arm)
    resolution = asker.one(arch=["arm64"])
    assert digests(resolution) == [ARM.digest, of_arm.item.digest]
    assert resolution.notes == ()


def test_artefacts_belong_to_the_tag(asker: Asker) -> None:
    push(asker, LINUX, ARM, built.Entry(CHART), built.Entry(CHART, built.UNKNOWN))
    resolution = asker.one(arch=["amd64"])
    assert digests(resolution) == [LINUX.digest, CHART.digest, CHART.digest], "without platform, and an unknown one"
    assert resolution.is_whole is False


def test_artefacts_alone_are_saved(asker: Asker) -> None:
    asker.registries.push("reg.lan/chart:1", CHART)
    resolution = asker.one("reg.lan/chart:1")
    assert digests(resolution) == [CHART.digest]
    assert resolution.children[0].descriptor.platform is None
    push(asker, built.Entry(CHART))
    assert digests(asker.one()) == [CHART.digest]


def test_a_signature_has_the_configuration_of_an_image_but_no_platform(asker: Asker) -> None:
    config = b'{"architecture":"","os":"","rootfs":{"type":"layers","diff_ids":[]}}'
    signature = built.build_artifact([LAYER], config, built.OCI_CONFIG)
    asker.registries.push("reg.lan/app:sha256-ab.sig", signature)
    resolution = asker.one("reg.lan/app:sha256-ab.sig")
    assert isinstance(resolution, ResolvedImage)
    assert resolution.children[0].descriptor.platform is None


def test_an_entry_without_platform_is_looked_into(asker: Asker) -> None:
    push(asker, built.Entry(LINUX), built.Entry(ARM), built.Entry(WINDOWS_IMAGE))
    resolution = asker.one(arch=["arm64"])
    assert digests(resolution) == [ARM.digest]
    assert resolution.children[0].descriptor.platform == ARM64


EMPTY_PLATFORMS: list[dict[str, str]] = [{}, {"os": "", "architecture": ""}, {"os": "linux"}, {"architecture": "arm64"}]


@pytest.mark.parametrize("platform", EMPTY_PLATFORMS)
def test_an_entry_with_an_empty_platform_is_looked_into(asker: Asker, platform: dict[str, str]) -> None:
    index = json.loads(built.build_index([LINUX, ARM]).raw)
    for entry in index["manifests"]:
        entry["platform"] = platform
    push(asker, LINUX, ARM)
    asker.registries.push_raw("reg.lan/app:1", json.dumps(index).encode(), OCI_INDEX)
    assert platforms(asker.one(arch=["arm64"])) == [(ARM.digest, "linux/arm64")]


def test_an_image_for_several_platforms_is_chosen_by_entry(asker: Asker) -> None:
    """As images without programs are made."""
    push(asker, built.Entry(LINUX, built.AMD64), built.Entry(LINUX, built.ARM64), built.Entry(LINUX, built.ARM_V7))
    both = asker.one(arch=["amd64", "arm64"])
    assert platforms(both) == [(LINUX.digest, "linux/amd64"), (LINUX.digest, "linux/arm64")]
    assert (both.is_whole, both.notes) == (False, ())
    assert platforms(asker.one(arch=["amd64"])) == [(LINUX.digest, "linux/amd64")]
    assert platforms(asker.one(arch=["arm64"])) == [(LINUX.digest, "linux/arm64")]
    assert asker.one(arch=["amd64", "arm64", "arm/v7"]).is_whole
    assert asker.registries.asked.count(f"GET reg.lan/app@{LINUX.digest}") == 1


def test_each_entry_of_an_image_keeps_its_words(asker: Asker) -> None:
    again = built.Entry(LINUX, None)
    push(asker, built.Entry(LINUX, built.AMD64, {"a": "1"}), again, built.Entry(ARM, None, {"b": "2"}))
    resolution = asker.one(arch=["amd64", "arm64"])
    described = [(one.digest, str(one.descriptor.platform), one.descriptor.annotations) for one in resolution.children]
    assert described == [(LINUX.digest, "linux/amd64", {}), (ARM.digest, "linux/arm64", {"b": "2"})], "the last counts"


@pytest.mark.parametrize(("arch", "expected"), [(["amd64"], ["amd64"]), (["amd64", "arm64"], ["amd64", "arm64"])])
def test_a_lock_file_pins_an_image_for_its_platforms(asker: Asker, arch: list[str], expected: list[str]) -> None:
    index = push(asker, built.Entry(LINUX, built.AMD64), built.Entry(LINUX, built.ARM64))
    resolution = asker.one(arch=arch, pins={1: Pin(index.digest, frozenset({LINUX.digest}))})
    assert platforms(resolution) == [(LINUX.digest, f"linux/{one}") for one in expected]


def test_the_same_image_twice_in_an_index(asker: Asker) -> None:
    push(asker, LINUX, LINUX)
    assert digests(asker.one()) == [LINUX.digest]


@pytest.mark.parametrize("stated", ["7", "0", "-1", "999999", "1" + 30 * "0"])
@pytest.mark.parametrize("platform", [built.AMD64, None], ids=["with platform", "without"])
def test_sizes_in_an_index_are_hints(asker: Asker, stated: str, platform: built.Platform | None) -> None:
    plain = built.build_index([built.Entry(LINUX, platform)])
    raw = plain.raw.replace(b'"size": %d' % len(LINUX.raw), b'"size": ' + stated.encode())
    asker.registries.push("reg.lan/other:1", LINUX)
    asker.registries.push_raw("reg.lan/app:1", raw, OCI_INDEX)
    resolution = asker.one(arch=["amd64"])
    assert [one.descriptor.size for one in resolution.children] == [len(LINUX.raw)]
    [note] = resolution.notes
    assert LINUX.digest in note and "containerd refuses" in note
    asker.registries.push("reg.lan/app:1", plain)
    assert asker.one(arch=["amd64"]).notes == ()


def test_an_index_without_sizes(asker: Asker) -> None:
    plain = built.build_index([LINUX])
    document = json.loads(plain.raw)
    del document["manifests"][0]["size"]
    asker.registries.push("reg.lan/other:1", LINUX)
    asker.registries.push_raw("reg.lan/app:1", built.encode(document), OCI_INDEX)
    assert [one.descriptor.size for one in asker.one().children] == [len(LINUX.raw)]


def test_an_index_that_is_made_anew_has_right_sizes_and_needs_no_note(asker: Asker) -> None:
    document = json.loads(built.build_index([LINUX, ARM], docker=True).raw)
    for entry in document["manifests"]:
        entry["size"] -= 100
    for number, child in enumerate((LINUX, ARM)):
        asker.registries.push(f"reg.lan/other:{number}", child)
    asker.registries.push_raw("reg.lan/app:1", built.encode(document), DOCKER_LIST)
    resolution = asker.one()
    assert [one.descriptor.size for one in resolution.children] == [len(LINUX.raw), len(ARM.raw)]
    assert resolution.notes == ()


@pytest.mark.parametrize("platform", [built.AMD64, None], ids=["with platform", "without"])
def test_an_index_in_an_index(asker: Asker, platform: built.Platform | None) -> None:
    inner = built.build_index([LINUX])
    push(asker, built.Entry(inner, platform))
    resolution = asker.one()
    assert isinstance(resolution, FailedImage)
    assert resolution.reason == f"its index names another index ({inner.digest}), which cannot be saved"


def test_a_manifest_that_is_none(asker: Asker) -> None:
    digest = asker.registries.push_raw("reg.lan/app:1", b"{}", OCI_MANIFEST)
    resolution = asker.one()
    assert isinstance(resolution, FailedImage)
    assert "schemaVersion must be an integer" in resolution.reason
    assert resolution.digest == digest


def test_one_image_that_fails_does_not_keep_the_others(asker: Asker) -> None:
    asker.registries.push("reg.lan/app:1", LINUX)
    first, second, third = asker.all("reg.lan/missing:1", "reg.lan/app:1", "reg.lan/missing:2")
    assert isinstance(first, FailedImage)
    assert first.reason == "reg.lan/missing:1 does not exist"
    assert isinstance(second, ResolvedImage)
    assert isinstance(third, FailedImage)
    assert [one.listed.number for one in (first, second, third)] == [1, 2, 3]


def test_a_child_that_is_missing_fails_the_image(asker: Asker) -> None:
    push(asker, LINUX, ARM)
    del asker.registries.manifests[ARM.digest]
    resolution = asker.one()
    assert isinstance(resolution, FailedImage)
    assert "does not exist" in resolution.reason


def test_schema_1(asker: Asker) -> None:
    raw = built.encode(
        {
            "schemaVersion": 1,
            "architecture": "amd64",
            "fsLayers": [{"blobSum": LAYER.digest}, {"blobSum": LAYER.digest}],
            "signatures": [{}],
        }
    )
    digest = "sha256:" + "ab" * 32
    asker.registries.push_raw("reg.lan/old:1", raw, DOCKER_SCHEMA1_SIGNED, digest)
    asker.registries.blobs[LAYER.digest] = LAYER.data
    asker.registries.tells_digests = False
    resolution = asker.one("reg.lan/old:1", arch=["amd64"])
    assert resolution.digest == digest
    [platform] = resolution.children
    assert isinstance(platform.content, Schema1)
    assert [(blob.digest, blob.size) for blob in platform.blobs] == [(LAYER.digest, len(LAYER.data))]
    assert resolution.notes == (f"Docker schema 1: converted to OCI, so its digest {digest} cannot be kept",)
    assert asker.cache.blobs.read_document(digest) is None, "its bytes are not what the digest names"


@pytest.mark.parametrize("included", [False, True])
def test_foreign_layers(asker: Asker, included: bool) -> None:
    foreign = layers.foreign(layers.files_layer({"base": b"b"}), "https://example.org/x", present=False)
    windows = built.build_image([foreign, LAYER], platform=built.WINDOWS_2019)
    asker.registries.push("reg.lan/app:1", windows)
    resolution = asker.one(include_foreign_layers=included, arch=["amd64"])
    [platform] = resolution.children
    assert (foreign.digest in {blob.digest for blob in platform.blobs}) is included
    assert len(platform.foreign_layers) == included
    assert len(resolution.notes) == (not included)
    if not included:
        assert resolution.notes[0].startswith("1 foreign layer")
        assert "include_foreign_layers=true" in resolution.notes[0]


def test_a_source_registry_takes_the_place_of_all(asker: Asker) -> None:
    asker.registries.push("mirror.lan/hub/library/app:1", LINUX)
    resolution = asker.one("app:1", source=SourceRegistry("mirror.lan", "hub"))
    assert str(resolution.children[0].repository) == "mirror.lan/hub/library/app"
    assert str(resolution.listed.reference) == "docker.io/library/app:1"


# -- how much is asked for


def test_tags_are_asked_for_with_head(asker: Asker) -> None:
    index = push(asker, LINUX, ARM)
    asker.one()
    assert sorted(asker.registries.asked) == sorted(
        [
            "HEAD reg.lan/app:1",
            *(f"GET reg.lan/app@{one.digest}" for one in (index, LINUX, ARM)),
        ]
    )
    assert asker.fetched == {one.digest: len(one.raw) for one in (index, LINUX, ARM)}


def test_what_the_cache_holds_is_not_asked_for_again(asker: Asker) -> None:
    asker.registries.push("reg.lan/app:1", LINUX)
    asker.one()
    asker.registries.asked.clear()
    assert isinstance(asker.one(), ResolvedImage)
    assert asker.registries.asked == ["HEAD reg.lan/app:1"]
    assert asker.fetched == {}


@pytest.mark.parametrize("keep", [True, False], ids=["real", "check"])
def test_what_the_cache_has_from_another_repository_is_asked_for(asker: Asker, keep: bool) -> None:
    """Once, and not where it is known to be; whoever does not have it fails its own image only."""
    push(asker, LINUX, ARM)
    asker.registries.push("reg.lan/single:1", LINUX)
    copy_into(asker.cache, asker.one(), asker.registries)
    asker.registries.asked.clear()
    asker.registries.failures[f"GET reg.lan/single@{LINUX.digest}"] = Missing("it does not exist", heals=False)
    here, there = asker.all("reg.lan/app:1", f"reg.lan/single@{LINUX.digest}", keep=keep)
    assert isinstance(here, ResolvedImage)
    assert isinstance(there, FailedImage) and there.reason == "it does not exist"
    assert asker.registries.asked == ["HEAD reg.lan/app:1", f"GET reg.lan/single@{LINUX.digest}"]
    assert isinstance(asker.one("reg.lan/single:1", keep=keep), ResolvedImage)
    assert asker.registries.asked[2:] == ["HEAD reg.lan/single:1", f"GET reg.lan/single@{LINUX.digest}"]
    assert asker.fetched == {}, "it is no blob that is downloaded"


def copy_into(cache: Cache, resolution: ResolvedImage, registries: FakeRegistries) -> None:
    """As skopeo does."""
    for image in resolution.children:
        for blob in image.blobs:
            if not cache.blobs.has(blob):
                cache.blobs.store_document(blob.digest, registries.blobs[blob.digest])
        folder = cache.folders.new(image)
        write_folder(folder, image.descriptor)
        cache.folders.adopt(folder, image)


def test_in_check_mode_nothing_is_kept(asker: Asker) -> None:
    asker.registries.push("reg.lan/app:1", LINUX)
    assert isinstance(asker.one(keep=False), ResolvedImage)
    assert asker.cache.blobs.read_document(LINUX.digest) is None


def test_a_registry_that_tells_no_digest_is_asked_for_the_manifest_once(asker: Asker) -> None:
    asker.registries.push("reg.lan/app:1", LINUX)
    asker.registries.tells_digests = False
    resolution = asker.one()
    assert resolution.digest == LINUX.digest
    assert asker.registries.asked == [
        "HEAD reg.lan/app:1",
        "GET reg.lan/app@1",
        f"GET blob {digest_of(LINUX.config)}",
    ]
    assert asker.cache.blobs.read_document(LINUX.digest) == LINUX.raw


def test_a_digest_needs_no_question(asker: Asker) -> None:
    asker.registries.push("reg.lan/app:1", LINUX)
    resolution = asker.one(f"reg.lan/app:other@{LINUX.digest}")
    assert digests(resolution) == [LINUX.digest]
    assert not [one for one in asker.registries.asked if one.startswith("HEAD reg")]


# -- pins


def test_a_pinned_image_is_what_the_lock_file_says(asker: Asker) -> None:
    index = push(asker, LINUX, ARM, WINDOWS_IMAGE)
    asker.registries.push("reg.lan/app:1", V7)  # the tag has moved since
    pins = {1: Pin(index.digest, frozenset([WINDOWS_IMAGE.digest, ARM.digest]))}
    resolution = asker.one(pins=pins, arch=["amd64"], os=["linux"])
    assert resolution.digest == index.digest
    assert digests(resolution) == [ARM.digest, WINDOWS_IMAGE.digest], "in the order of the index"
    assert not [one for one in asker.registries.asked if one.startswith("HEAD")]


def test_a_pinned_manifest_needs_no_wanted_platform(asker: Asker) -> None:
    asker.registries.push("reg.lan/app:1", WINDOWS_IMAGE)
    pins = {1: Pin(WINDOWS_IMAGE.digest, frozenset([WINDOWS_IMAGE.digest]))}
    assert isinstance(asker.one(pins=pins, os=["linux"]), ResolvedImage)


def test_a_pinned_image_that_is_gone_fails(asker: Asker) -> None:
    gone = "sha256:" + "ab" * 32
    resolution = asker.one(pins={1: Pin(gone, frozenset([gone]))})
    assert isinstance(resolution, FailedImage)
    assert resolution.digest == gone


def vanishing(asker: Asker, before: built.Image | built.Index, after: built.Image | built.Index) -> None:
    """Has the tag of the reference go from one manifest to another, and the first one vanish, after the first HEAD."""
    asker.registries.push("reg.lan/app:1", before)
    real = asker.registries.head_manifest

    def head(repository: Repository, tag: str) -> str:
        digest = real(repository, tag)
        asker.registries.push("reg.lan/app:1", after)
        for gone in (before, *(entry.item for entry in getattr(before, "entries", ()))):
            del asker.registries.manifests[gone.digest]
        return digest

    asker.registries.head_manifest = head  # type: ignore[method-assign]


def test_a_tag_that_moves_between_two_questions_is_asked_for_again(asker: Asker) -> None:
    vanishing(asker, LINUX, CHART)
    resolved = asker.one()
    assert resolved.digest == CHART.digest
    assert asker.registries.asked == ["HEAD reg.lan/app:1", f"GET reg.lan/app@{LINUX.digest}", "GET reg.lan/app@1"]


def test_also_where_it_is_an_image_of_the_index_that_vanishes(asker: Asker) -> None:
    old, new = built.build_index([LINUX, ARM]), built.build_index([V7])
    vanishing(asker, old, new)
    asker.registries.manifests[old.digest] = (old.raw, old.media_type)
    resolved = asker.one(arch=["amd64", "arm"])
    assert (resolved.digest, [each.digest for each in resolved.children]) == (new.digest, [V7.digest])


def test_once_is_enough(asker: Asker) -> None:
    vanishing(asker, LINUX, CHART)
    asker.registries.failures["GET reg.lan/app@1"] = Missing("gone altogether", heals=False)
    found = asker.one()
    assert isinstance(found, FailedImage) and found.reason == "gone altogether"


def test_a_tag_that_has_not_moved_is_not_resolved_again(asker: Asker) -> None:
    index = built.build_index([LINUX, ARM])
    asker.registries.push("reg.lan/app:1", index)
    del asker.registries.manifests[LINUX.digest]
    found = asker.one()
    assert isinstance(found, FailedImage) and LINUX.digest in found.reason
    assert asker.registries.asked.count(f"GET reg.lan/app@{LINUX.digest}") == 1
    assert asker.registries.asked.count("GET reg.lan/app@1") == 1


def test_a_manifest_that_is_served_by_its_tag_alone(asker: Asker) -> None:
    digest = asker.registries.push("reg.lan/app:1", LINUX)
    asker.registries.failures[f"GET reg.lan/app@{digest}"] = Missing("not by digest", heals=False)
    resolved = asker.one()
    assert (resolved.digest, resolved.children[0].tag) == (digest, "1")


def test_what_is_named_by_its_digest_is_asked_for_by_that_alone(asker: Asker) -> None:
    asker.registries.push("reg.lan/app:1", LINUX)
    gone = "sha256:" + "ab" * 32
    assert isinstance(asker.one(f"reg.lan/app:1@{gone}"), FailedImage)
    assert asker.registries.asked == [f"GET reg.lan/app@{gone}"]
    assert asker.one(f"reg.lan/app:1@{LINUX.digest}").children[0].tag == ""


def test_a_registry_that_refuses_is_given_up(asker: Asker) -> None:
    names = [f"reg.lan/app:{number}" for number in range(12)]
    for name in names:
        asker.registries.failures[f"HEAD {name}"] = ConnectionRefused("refused", heals=False, is_final=True)
    reasons = [each.reason for each in asker.all(*names) if isinstance(each, FailedImage)]
    assert reasons.count("refused") == 5
    assert len([each for each in reasons if "reg.lan was given up" in each]) == 7


def test_a_failed_question_fails_the_image(asker: Asker) -> None:
    asker.registries.push("reg.lan/app:1", LINUX)
    asker.registries.failures["HEAD reg.lan/app:1"] = TransferError("reg.lan denied access", heals=False)
    resolution = asker.one()
    assert isinstance(resolution, FailedImage)
    assert (resolution.reason, resolution.digest) == ("reg.lan denied access", "")


# -- the choice by itself

D1, D2, D3, D4 = ("sha256:" + two * 32 for two in ("a1", "b2", "c3", "d4"))


def entry(digest: str, platform: Platform | None, attests: str = "") -> Descriptor:
    annotations = (
        {"vnd.docker.reference.type": "attestation-manifest", "vnd.docker.reference.digest": attests} if attests else {}
    )
    return Descriptor(OCI_MANIFEST, digest, 1, platform, annotations)


CHOICES: dict[str, tuple[list[Descriptor], list[str]]] = {
    "none": ([], []),
    "both": ([entry(D1, AMD64), entry(D2, ARM64)], [D1, D2]),
    "the order of the index": ([entry(D2, ARM64), entry(D1, AMD64)], [D2, D1]),
    "not others": ([entry(D1, AMD64), entry(D2, ARM_V7), entry(D3, WINDOWS)], [D1]),
    "none of them": ([entry(D2, ARM_V7), entry(D3, None), entry(D4, UNKNOWN)], []),
    "an attestation of what is wanted": ([entry(D1, AMD64), entry(D2, UNKNOWN, D1)], [D1, D2]),
    "an attestation of what is not": ([entry(D1, AMD64), entry(D2, ARM_V7), entry(D3, UNKNOWN, D2)], [D1]),
    "an attestation of nothing that is there": ([entry(D1, AMD64), entry(D3, UNKNOWN, D4)], [D1]),
    "an artefact": ([entry(D1, AMD64), entry(D2, None)], [D1, D2]),
    "artefacts alone": ([entry(D1, None), entry(D2, UNKNOWN)], [D1, D2]),
}


@pytest.mark.parametrize(("entries", "expected"), CHOICES.values(), ids=CHOICES)
def test_choices(entries: list[Descriptor], expected: list[str]) -> None:
    selection = make_options(os=["linux"]).selection
    assert [one.digest for one in choose(entries, selection)] == expected


def test_a_pin_that_the_index_does_not_hold(asker: Asker) -> None:
    index = push(asker, LINUX, ARM)
    for digest, name in ((index.digest, "index"), (LINUX.digest, "manifest")):
        resolution = asker.one(pins={1: Pin(digest, frozenset([LINUX.digest, D1]))})
        assert isinstance(resolution, FailedImage), name
        assert (
            resolution.reason
            == f"the lock file names {D1} as one of its platform images, but the image does not have it"
        )


def test_an_index_with_very_many_entries_without_platform(asker: Asker) -> None:
    charts = [built.build_artifact([], b"%d" % number, "application/vnd.x+json") for number in range(51)]
    push(asker, *(built.Entry(chart) for chart in charts))
    resolution = asker.one()
    assert isinstance(resolution, FailedImage)
    assert resolution.reason == "its index has 51 entries without platform, more than 50"
    assert len(asker.registries.asked) == 2


def test_a_registry_that_never_comes_to_an_end(asker: Asker) -> None:
    asker.registries.push("reg.lan/app:1", LINUX)
    release = threading.Event()

    def hang(*_arguments: object) -> str:
        release.wait(60)
        return ""

    client: Any = asker.registries
    failures = Failures(Secrets(), client.outages)
    selection = make_options().selection
    resolver = Resolver(client, asker.cache, Log(debug=True), selection, failures, keep=True, timeout=0.05)
    real = client.head_manifest
    client.head_manifest = hang
    [asked] = resolver.look_up([requested("reg.lan/app:1")])
    assert str(asked.error) == "its registry did not answer completely within timeout (0.05 s); run again, or raise it"
    client.head_manifest, client.get_manifest = real, hang
    [asked] = resolver.look_up([requested("reg.lan/app:1")])
    [resolution] = resolver.resolve([asked])
    assert isinstance(resolution, FailedImage)
    assert (resolution.reason, resolution.digest) == (
        "its registry did not answer completely within timeout (0.05 s); run again, or raise it",
        LINUX.digest,
    )
    release.set()


def test_nothing_is_kept_that_would_be_refused(asker: Asker) -> None:
    digest = asker.registries.push_raw("reg.lan/app:1", b"{}", OCI_MANIFEST)
    asker.one()
    assert asker.cache.blobs.read_document(digest) is None


def test_warnings_name_the_image(registries: FakeRegistries, cache: Cache) -> None:
    log = Log(debug=True)
    registries.push("reg.lan/app:1", LINUX)
    real = registries.get_manifest

    def warn(*arguments: Any) -> Any:
        log.warning("tried again")
        return real(*arguments)

    client: Any = registries
    client.get_manifest = warn
    failures = Failures(log.secrets, registries.outages)
    resolver = Resolver(client, cache, log, make_options().selection, failures, keep=True, timeout=60)
    resolver.resolve(resolver.look_up([requested("reg.lan/app:1", 7)]))
    assert "WARNING [image 7] tried again" in log.lines[0]


# -- what a hostile registry sends


def test_a_layer_is_not_read_because_it_is_called_a_manifest(asker: Asker, monkeypatch: pytest.MonkeyPatch) -> None:
    layer = b" " * (MAX_MANIFEST_BYTES + 1)
    digest = digest_of(layer)
    asker.cache.blobs.store_document(digest, layer)
    read: list[str] = []
    monkeypatch.setattr(asker.cache.blobs, "read_document", read.append)
    resolution = asker.one(f"reg.lan/app@{digest}")
    assert "does not exist" in resolution.reason and read == []


def many(count: int, size: int = 0) -> built.Index:
    """An index that names one image so often, for platforms of their own."""
    index = json.loads(built.build_index([LINUX]).raw)
    [entry] = index["manifests"]
    index["manifests"] = [
        {**entry, "size": entry["size"] + size * number, "platform": {**entry["platform"], "variant": f"v{number}"}}
        for number in range(count)
    ]
    return built.Index(built.encode(index), built.OCI_INDEX, (built.Entry(LINUX),))


def test_an_image_that_is_named_often_is_asked_for_once(asker: Asker) -> None:
    asker.registries.push("reg.lan/app:1", many(100))
    resolution = asker.one(keep=False)
    assert platforms(resolution) == [(LINUX.digest, f"linux/amd64/v{number}") for number in range(100)]
    assert asker.registries.asked.count(f"GET reg.lan/app@{LINUX.digest}") == 1


def test_an_image_that_is_named_with_two_sizes_has_its_own(asker: Asker) -> None:
    asker.registries.push("reg.lan/app:1", many(2, size=-1))
    resolution = asker.one(arch=["amd64"])
    assert platforms(resolution) == [(LINUX.digest, f"linux/amd64/v{number}") for number in range(2)]
    assert {one.descriptor.size for one in resolution.children} == {len(LINUX.raw)}
    [note] = resolution.notes
    assert "gives a wrong size" in note and " more" not in note


def test_all_images_of_an_index_may_have_so_many_layers(asker: Asker, monkeypatch: pytest.MonkeyPatch) -> None:
    asker.registries.push("reg.lan/app:1", built.build_index([LINUX, ARM]))
    assert len(asker.one().children) == 2
    monkeypatch.setattr(index_reader, "_MAX_BLOBS", 3)
    assert "more than 3 layers" in asker.one().reason


def test_no_more_platforms_are_told_than_anybody_reads(asker: Asker) -> None:
    asker.registries.push("reg.lan/app:1", many(12))
    assert asker.one(arch=["s390x"]).reason.endswith("linux/amd64/v6, linux/amd64/v7 and 2 more")


# -- what an index names beside its images


OUTAGE = TransferError("reg.lan answered 503", heals=True)
GONE = {
    "missing": (Missing("gone", heals=False), "its registry does not have it"),
    "refused": (Refused("not for you", heals=False), "its registry refuses it"),
    "other bytes": (WrongBytes("other bytes", heals=True), "what its registry sends under that digest is broken"),
}
EXTRAS = {
    "attestation": (attestation(LINUX), f"without the attestation {attestation(LINUX).item.digest} of linux/amd64: "),
    "unknown": (
        built.Entry(CHART, built.UNKNOWN),
        f"without the attestation or signature {CHART.digest}: ",
    ),
    "artefact": (built.Entry(CHART), f"without the artefact {CHART.digest}: "),
}


@pytest.mark.parametrize("error", GONE)
@pytest.mark.parametrize("extra", EXTRAS)
def test_an_extra_that_is_not_to_be_had_is_left_out(asker: Asker, extra: str, error: str) -> None:
    entry, named = EXTRAS[extra]
    failure, why = GONE[error]
    index = push(asker, LINUX, ARM, entry)
    asker.registries.failures[f"GET reg.lan/app@{entry.item.digest}"] = failure
    resolution = asker.one()
    assert digests(resolution) == [LINUX.digest, ARM.digest]
    assert resolution.notes == (named + why,)
    assert resolution.digest == index.digest and not resolution.is_whole
    # It is there in another run, which asks for manifests for whatever reason.
    resolution = asker.one()
    assert digests(resolution) == [LINUX.digest, ARM.digest, entry.item.digest]
    assert resolution.notes == () and resolution.is_whole


def test_an_extra_that_cannot_be_read_is_left_out(asker: Asker) -> None:
    entry = attestation(LINUX)
    push(asker, LINUX, ARM, entry)
    asker.registries.manifests[entry.item.digest] = (b"<html>", OCI_MANIFEST)
    resolution = asker.one()
    assert digests(resolution) == [LINUX.digest, ARM.digest]
    assert resolution.notes[0].endswith("is broken")


@pytest.mark.parametrize("extra", EXTRAS)
def test_an_outage_is_no_reason_to_leave_an_extra_out(asker: Asker, extra: str) -> None:
    entry, _named = EXTRAS[extra]
    push(asker, LINUX, entry)
    asker.registries.failures[f"GET reg.lan/app@{entry.item.digest}"] = OUTAGE
    assert asker.one().reason == str(OUTAGE)


@pytest.mark.parametrize("entry", [built.Entry(ARM, built.ARM64), built.Entry(ARM)], ids=["with platform", "without"])
def test_an_image_that_is_missing_is_no_extra(asker: Asker, entry: built.Entry) -> None:
    push(asker, built.Entry(LINUX, entry.platform and LINUX.platform), entry)
    del asker.registries.manifests[ARM.digest]
    resolution = asker.one()
    assert isinstance(resolution, FailedImage) and ARM.digest in resolution.reason


def test_beside_nothing_an_extra_is_what_is_wanted(asker: Asker) -> None:
    proof = attestation(LINUX)
    push(asker, proof, built.Entry(CHART, built.UNKNOWN))
    del asker.registries.manifests[CHART.digest]
    resolution = asker.one()
    assert isinstance(resolution, FailedImage) and CHART.digest in resolution.reason


def test_a_lock_file_may_name_an_extra(asker: Asker) -> None:
    entry = attestation(LINUX)
    index = push(asker, LINUX, entry)
    del asker.registries.manifests[entry.item.digest]
    pins = {1: Pin(index.digest, frozenset({LINUX.digest, entry.item.digest}))}
    assert entry.item.digest in asker.one(pins=pins).reason
    assert digests(asker.one(pins={1: Pin(index.digest, frozenset({LINUX.digest}))})) == [LINUX.digest]


def test_of_many_extras_that_are_not_there_some_are_named(asker: Asker) -> None:
    proofs = [attestation(LINUX)]
    raws = [proofs[0].item.raw + b" " * number for number in range(1, 8)]
    entries = [replace(proofs[0], item=replace(proofs[0].item, raw=raw)) for raw in raws]
    push(asker, LINUX, *entries)
    for raw in raws:
        del asker.registries.manifests[digest_of(raw)]
    notes = asker.one(arch=["amd64"]).notes
    assert len(notes) == 6 and notes[-1] == "without 2 more attestations, signatures or artefacts, for such reasons"


# -- formats of other years


OLD_TYPES = ["application/octet-stream", "application/json", "text/html", ""]


def old(config: bytes, config_type: str) -> built.Image:
    return built.build_artifact([LAYER], config, config_type, docker=True)


@pytest.mark.parametrize("config_type", OLD_TYPES)
def test_an_image_of_old_docker_has_the_platform_of_its_configuration(asker: Asker, config_type: str) -> None:
    asker.registries.push("reg.lan/app:1", old(LINUX.config, config_type))
    assert [str(one.descriptor.platform) for one in asker.one().children] == ["linux/amd64"]
    asker.registries.push("reg.lan/app:1", old(image(built.Platform("linux", "s390x")).config, config_type))
    assert isinstance(asker.one(), SkippedImage)


@pytest.mark.parametrize("config", [b"{}", b"what ever", b"[]"])
def test_an_artefact_of_old_docker_stays_one(asker: Asker, config: bytes) -> None:
    asker.registries.push("reg.lan/app:1", old(config, "application/octet-stream"))
    assert [one.descriptor.platform for one in asker.one().children] == [None]


def test_such_a_type_says_nothing_in_an_oci_manifest(asker: Asker) -> None:
    chart = built.build_artifact([LAYER], LINUX.config, "application/json")
    asker.registries.push("reg.lan/app:1", chart)
    assert [one.descriptor.platform for one in asker.one().children] == [None]


def test_names_of_platforms_are_kept_as_they_are(asker: Asker) -> None:
    push(asker, built.Entry(ARM, built.Platform("linux", "aarch64", "8")))
    assert platforms(asker.one(arch=["arm64"])) == [(ARM.digest, "linux/aarch64/8")]
