# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Manifests and indexes."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.airgap.images.plugins.module_utils._base.errors import ManifestError, printable
from ansible_collections.airgap.images.plugins.module_utils._base.json import compact, parse_object
from ansible_collections.airgap.images.plugins.module_utils._oci.descriptor import (
    Descriptor,
    descriptor_json,
    digest_of,
    parse_descriptor,
)
from ansible_collections.airgap.images.plugins.module_utils._oci.limits import (
    MAX_BLOB_BYTES,
    MAX_CHILDREN,
    MAX_LAYERS,
    MAX_MANIFEST_BYTES,
    MAX_VALUES,
)
from ansible_collections.airgap.images.plugins.module_utils._oci.manifest import (
    Index,
    Manifest,
    generate_index,
    parse_manifest,
)
from ansible_collections.airgap.images.plugins.module_utils._oci.media_types import (
    DOCKER_LIST,
    DOCKER_MANIFEST,
    DOCKER_SCHEMA1,
    DOCKER_SCHEMA1_SIGNED,
    OCI_ARTIFACT,
    OCI_INDEX,
    OCI_MANIFEST,
)
from ansible_collections.airgap.images.plugins.module_utils._oci.platform import Platform
from ansible_collections.airgap.images.plugins.module_utils._oci.platform_json import parse_config_platform
from ansible_collections.airgap.images.plugins.module_utils._oci.schema1 import Schema1
from ansible_collections.airgap.images.tests.support import images as built
from ansible_collections.airgap.images.tests.support import layers

DIGEST = "sha256:" + "ab" * 32
OTHER = "sha256:" + "cd" * 32
ENTRY: dict[str, Any] = {"mediaType": "x/y", "digest": DIGEST, "size": 3}
IMAGE: dict[str, Any] = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": ENTRY, "layers": [ENTRY]}
INDEX: dict[str, Any] = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [ENTRY]}
DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"
SCHEMA1: dict[str, Any] = {"schemaVersion": 1, "architecture": "arm64", "fsLayers": [{"blobSum": DIGEST}]}


def encode(document: object) -> bytes:
    return json.dumps(document).encode()


def without(document: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in document.items() if name not in names}


REFUSED: dict[str, tuple[object, str, str]] = {
    "no JSON": ("x", "", "is not readable"),
    "no version": (without(IMAGE, "schemaVersion"), "", "schemaVersion must be an integer"),
    "no content": ({"schemaVersion": 2}, "", "names no configuration"),
    "manifest and index at once": ({**IMAGE, **INDEX}, "", "CVE-2021-41190"),
    "index with layers": ({**INDEX, "layers": []}, OCI_INDEX, "CVE-2021-41190"),
    "an index that says it is a manifest": ({**INDEX, "mediaType": OCI_MANIFEST}, "", "but holds an index"),
    "a manifest that says it is an index": ({**IMAGE, "mediaType": OCI_INDEX}, "", "but holds a manifest"),
    "another type than it came as": (IMAGE, DOCKER_MANIFEST, f"it came as {DOCKER_MANIFEST} but says"),
    "an unknown type": ({**IMAGE, "mediaType": "text/plain"}, "", "'text/plain' is not supported"),
    "an artefact manifest that is an image": ({**IMAGE, "mediaType": OCI_ARTIFACT}, "", "but holds an image; refused"),
    "no configuration": (without(IMAGE, "config"), "", "names no configuration"),
    "layers that are no list": ({**IMAGE, "layers": {}}, "", "layers must be a list"),
    "no digest": ({**IMAGE, "config": without(ENTRY, "digest")}, "", "is not sha256:"),
    "another algorithm": ({**IMAGE, "config": {**ENTRY, "digest": "sha512:" + "ab" * 64}}, "", "is not sha256:"),
    "a path for a digest": ({**IMAGE, "config": {**ENTRY, "digest": "sha256:../../etc"}}, "", "is not sha256:"),
    "a line end in a digest": ({**IMAGE, "config": {**ENTRY, "digest": f"{DIGEST}\n"}}, "", "is not sha256:"),
    "no size": ({**IMAGE, "config": without(ENTRY, "size")}, "", "config.size must be an integer"),
    "a negative size": ({**IMAGE, "config": {**ENTRY, "size": -1}}, "", "cannot be right"),
    "an absurd size": ({**IMAGE, "config": {**ENTRY, "size": MAX_BLOB_BYTES + 1}}, "", "cannot be right"),
    "urls that are none": ({**IMAGE, "layers": [{**ENTRY, "urls": [1]}]}, "", "urls must hold strings only"),
    "a platform that is none": ({**INDEX, "manifests": [{**ENTRY, "platform": "x"}]}, "", "must be an object"),
    "too many entries": ({**INDEX, "manifests": [ENTRY] * (MAX_CHILDREN + 1)}, "", "names 1001 manifests"),
    "a platform with control characters": (
        {**INDEX, "manifests": [{**ENTRY, "platform": {"os": "li\nnux", "architecture": "amd64"}}]},
        "",
        "is not a valid word for a platform",
    ),
    "schema 1 with control characters": (
        {**SCHEMA1, "architecture": "amd64\x1b[31m"},
        "",
        "is not a valid word for a platform",
    ),
    "too many layers": ({**IMAGE, "layers": [ENTRY] * (MAX_LAYERS + 1)}, "", "names 2001 layers"),
    "schema 1 with too many": (
        {**SCHEMA1, "fsLayers": [{"blobSum": DIGEST}] * (MAX_LAYERS + 1)},
        "",
        "names 2001 layers",
    ),
    "too many values": ({**IMAGE, "x": [[]] * MAX_VALUES}, "", "more than 100000 values"),
    "schema 1 with a bad digest": ({**SCHEMA1, "fsLayers": [{"blobSum": "x"}]}, "", "is not sha256:"),
}

TYPES: dict[str, tuple[dict[str, Any], str, str]] = {
    "it says so": (IMAGE, "", OCI_MANIFEST),
    "it and its header say so": (IMAGE, OCI_MANIFEST, OCI_MANIFEST),
    "its header alone does not count": (without(IMAGE, "mediaType"), DOCKER_MANIFEST, OCI_MANIFEST),
    "its configuration says so": (
        {**without(IMAGE, "mediaType"), "config": {**ENTRY, "mediaType": DOCKER_CONFIG}},
        "",
        DOCKER_MANIFEST,
    ),
    "only its members say so": (without(IMAGE, "mediaType"), "", OCI_MANIFEST),
    "its header is of no use": (without(IMAGE, "mediaType"), "text/plain", OCI_MANIFEST),
    "an index that says so": (INDEX, "", OCI_INDEX),
    "an index by its members, whatever its header": (without(INDEX, "mediaType"), DOCKER_LIST, OCI_INDEX),
    "an index whose members say so": (without(INDEX, "mediaType"), "", OCI_INDEX),
    "an index without entries": ({**INDEX, "manifests": []}, "", OCI_INDEX),
    "schema 1": (SCHEMA1, DOCKER_SCHEMA1, DOCKER_SCHEMA1),
    "signed schema 1": ({**SCHEMA1, "signatures": [{}]}, "", DOCKER_SCHEMA1_SIGNED),
}


@pytest.mark.parametrize(("document", "media_type", "said"), REFUSED.values(), ids=REFUSED)
def test_errors_say_what_is_wrong(document: object, media_type: str, said: str) -> None:
    with pytest.raises(ManifestError) as caught:
        parse_manifest(encode(document), media_type)
    assert said in str(caught.value)


@pytest.mark.parametrize(("document", "media_type", "expected"), TYPES.values(), ids=TYPES)
def test_what_a_document_is(document: dict[str, Any], media_type: str, expected: str) -> None:
    assert parse_manifest(encode(document), media_type).media_type == expected


@pytest.mark.parametrize("docker", [False, True], ids=["OCI", "Docker"])
def test_an_image(docker: bool) -> None:
    layer = layers.files_layer({"a": b"b"})
    foreign = layers.foreign(layers.files_layer({"c": b"d"}), "https://example.org/x", present=False)
    image = built.build_image([layer, foreign, layer], docker=docker)
    read = parse_manifest(image.raw, image.media_type)
    assert isinstance(read, Manifest)
    assert read.is_image
    assert read.config.digest == digest_of(image.config)
    assert [one.digest for one in read.layers] == [layer.digest, foreign.digest, layer.digest]
    assert [one.is_foreign for one in read.layers] == [False, True, False]
    assert read.layers[1].urls == ("https://example.org/x",)
    assert [one.digest for one in read.blobs()] == [read.config.digest, layer.digest, foreign.digest]


def test_an_artefact_is_no_image() -> None:
    chart = built.build_artifact([layers.files_layer({})], b"{}", "application/vnd.cncf.helm.config.v1+json")
    read = parse_manifest(chart.raw)
    assert isinstance(read, Manifest)
    assert not read.is_image


@pytest.mark.parametrize("docker", [False, True], ids=["OCI", "Docker"])
def test_an_index(docker: bool) -> None:
    one = built.build_image([], platform=built.ARM_V7, docker=docker)
    two = built.build_image([], platform=built.WINDOWS_2019, docker=docker)
    attestation = built.Entry(
        one,
        built.UNKNOWN,
        {
            "vnd.docker.reference.type": "attestation-manifest",
            "vnd.docker.reference.digest": two.digest,
        },
    )
    index = built.build_index([one, two, attestation, built.Entry(one)], docker=docker)
    read = parse_manifest(index.raw)
    assert isinstance(read, Index)
    assert [entry.platform for entry in read.manifests] == [
        Platform("linux", "arm", "v7"),
        Platform("windows", "amd64", os_version="10.0.17763.5329"),
        Platform("unknown", "unknown"),
        None,
    ]
    assert [entry.attests for entry in read.manifests] == ["", "", two.digest, ""]
    assert [entry.size for entry in read.manifests] == [len(one.raw), len(two.raw), len(one.raw), len(one.raw)]


def test_schema_1() -> None:
    entries = [{"blobSum": digest} for digest in (DIGEST, OTHER, DIGEST)]
    read = parse_manifest(encode({**SCHEMA1, "fsLayers": entries}))
    assert read == Schema1(DOCKER_SCHEMA1, Platform("linux", "arm64"), (DIGEST, OTHER))
    unnamed = parse_manifest(encode(without(SCHEMA1, "architecture")))
    assert isinstance(unnamed, Schema1)
    assert unnamed.platform == Platform("linux", "amd64")


def test_a_manifest_that_is_too_large() -> None:
    raw = encode(IMAGE)
    assert parse_manifest(raw.ljust(MAX_MANIFEST_BYTES))
    with pytest.raises(ManifestError, match="larger than 4194304 bytes"):
        parse_manifest(raw.ljust(MAX_MANIFEST_BYTES + 1))


def test_the_platform_of_a_configuration() -> None:
    document = {"os": "windows", "architecture": "arm64", "variant": "v8", "os.version": "10", "os.features": ["a"]}
    assert parse_config_platform(encode(document)) == Platform("windows", "arm64", "v8", "10", ("a",))
    assert parse_config_platform(b"{}") == Platform("", "")


@pytest.mark.parametrize("raw", [b"", b"[]", b'{"os": 1}'])
def test_a_configuration_that_is_none(raw: bytes) -> None:
    with pytest.raises(ManifestError, match="the image configuration is not readable"):
        parse_config_platform(raw)


def test_digests() -> None:
    assert digest_of(b"abc") == "sha256:" + hashlib.sha256(b"abc").hexdigest()


DESCRIPTORS: dict[str, tuple[Descriptor, dict[str, Any]]] = {
    "the least": (Descriptor("x/y", DIGEST, 3), ENTRY),
    "all": (
        Descriptor("x/y", DIGEST, 3, Platform("linux", "arm", "v7", "1", ("f",)), {"b": "2", "a": "1"}, "z/t"),
        {
            **ENTRY,
            "platform": {
                "architecture": "arm",
                "os": "linux",
                "os.version": "1",
                "os.features": ["f"],
                "variant": "v7",
            },
            "artifactType": "z/t",
            "annotations": {"a": "1", "b": "2"},
        },
    ),
}


@pytest.mark.parametrize(("descriptor", "document"), DESCRIPTORS.values(), ids=DESCRIPTORS)
def test_descriptors_are_written(descriptor: Descriptor, document: dict[str, Any]) -> None:
    written = descriptor_json(descriptor)
    assert written == document
    assert compact(written) == compact(document), "the order of members"
    assert parse_descriptor(parse_object(compact(written))) == descriptor


TEXTS = st.text(st.sampled_from('aZ0 \n"\\é\u2028\U0001f600'), max_size=6)
WORDS = st.sampled_from(["", "linux", "windows", "amd64", "arm", "v7", "10.0.17763.1", "win32k", "A_b+c-d"])
NAMES = WORDS.filter(bool)
PLATFORMS = st.builds(Platform, NAMES, NAMES, WORDS, WORDS, st.lists(WORDS, max_size=2).map(tuple))
ANY_DESCRIPTORS = st.builds(
    Descriptor,
    TEXTS,
    st.binary(min_size=32, max_size=32).map(lambda raw: f"sha256:{raw.hex()}"),
    st.integers(0, MAX_BLOB_BYTES),
    st.none() | PLATFORMS,
    st.dictionaries(TEXTS, TEXTS, max_size=3),
    TEXTS,
)


@pytest.mark.parametrize(
    "platform",
    [
        {},
        {"os": "", "architecture": ""},
        {"os": "linux", "architecture": ""},
        {"os": "", "architecture": "amd64"},
        None,
    ],
)
def test_an_entry_whose_platform_says_nothing_has_none(platform: object) -> None:
    entry = {"mediaType": OCI_MANIFEST, "digest": DIGEST, "size": 1, "platform": platform}
    index = parse_manifest(json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [entry]}).encode())
    assert isinstance(index, Index)
    assert [one.platform for one in index.manifests] == [None]


@given(st.lists(ANY_DESCRIPTORS, max_size=3))
def test_a_generated_index_is_read_back(children: list[Descriptor]) -> None:
    raw = generate_index(children)
    assert raw == generate_index(list(children))
    assert parse_manifest(raw) == Index(OCI_INDEX, tuple(children))


VALUES = st.recursive(
    st.sampled_from([None, True, 0, 1, 2, -1, 1.5, "", DIGEST, OCI_INDEX, OCI_MANIFEST, DOCKER_LIST, "linux"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["mediaType", "digest", "size", "platform", "annotations", "os"]), inner)
    ),
    max_leaves=10,
)
MEMBERS = st.sampled_from(["schemaVersion", "mediaType", "config", "layers", "manifests", "fsLayers", "architecture"])


@given(
    st.dictionaries(MEMBERS, VALUES).map(encode)
    | st.dictionaries(MEMBERS, VALUES).map(lambda changed: encode({**IMAGE, **changed}))
    | st.binary(max_size=60),
    st.sampled_from(["", OCI_INDEX, OCI_MANIFEST, DOCKER_LIST, "text/plain"]),
)
def test_reading_raises_nothing_else(raw: bytes, media_type: str) -> None:
    for read in (lambda: parse_manifest(raw, media_type), lambda: parse_config_platform(raw)):
        try:
            read()
        except ManifestError as error:
            assert printable(str(error)) == str(error)


@given(st.integers(0, len(encode(IMAGE)) - 1))
def test_half_a_manifest_is_none(place: int) -> None:
    with pytest.raises(ManifestError):
        parse_manifest(encode(IMAGE)[:place])


def test_an_artefact_manifest_has_blobs_and_no_version() -> None:
    raw = json.dumps({"mediaType": OCI_ARTIFACT, "blobs": [ENTRY], "subject": ENTRY}).encode()
    manifest = parse_manifest(raw, OCI_ARTIFACT)
    assert isinstance(manifest, Manifest) and manifest.config is None and not manifest.is_image
    assert [blob.digest for blob in manifest.blobs()] == [ENTRY["digest"]]
    assert parse_manifest(json.dumps({"schemaVersion": 2, "mediaType": OCI_ARTIFACT}).encode()) == Manifest(
        OCI_ARTIFACT, None, ()
    )
