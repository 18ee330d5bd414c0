# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The documents of an archive, byte by byte."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from ansible_collections.airgap.images.plugins.module_utils._oci.descriptor import Descriptor, digest_of
from ansible_collections.airgap.images.plugins.module_utils._oci.image import StoredImage
from ansible_collections.airgap.images.plugins.module_utils._oci.layout import (
    OCI_LAYOUT,
    SavedImage,
    archive_index,
    assemble,
    folder_index,
    load_tag,
    saved_images_list,
)
from ansible_collections.airgap.images.plugins.module_utils._oci.manifest import Index, parse_manifest
from ansible_collections.airgap.images.plugins.module_utils._oci.media_types import (
    DOCKER_LIST,
    DOCKER_MANIFEST,
    DOCKER_SCHEMA1,
    OCI_INDEX,
    OCI_MANIFEST,
)
from ansible_collections.airgap.images.plugins.module_utils._oci.platform import Platform
from ansible_collections.airgap.images.plugins.module_utils._oci.reference import parse_reference
from ansible_collections.airgap.images.plugins.module_utils._oci.schema1 import Schema1
from ansible_collections.airgap.images.tests.unit.fakes import (
    AMD64,
    ARM64,
    ARM_V7,
    UNKNOWN,
    WINDOWS,
    Sample,
    resolved,
)

HEX = "ab" * 32
DIGEST = f"sha256:{HEX}"
LINUX, ARM = Sample(b"one"), Sample(b"two", platform=ARM64)
ATTESTATION = {"vnd.docker.reference.type": "attestation-manifest", "vnd.docker.reference.digest": DIGEST}


def stored_as(sample: Sample, descriptor: Descriptor) -> StoredImage:
    return replace(sample.stored, source=replace(sample.image, descriptor=descriptor), descriptor=descriptor)


def saved(reference: str, *samples: Sample) -> SavedImage:
    return assemble(resolved(reference, *samples), [sample.stored for sample in samples])


def test_the_layout_file() -> None:
    assert OCI_LAYOUT == b'{"imageLayoutVersion":"1.0.0"}'


def test_the_index_of_a_folder() -> None:
    descriptor = Descriptor(OCI_MANIFEST, DIGEST, 7, ARM_V7, {"dropped": "yes"}, "dropped/too")
    assert folder_index(descriptor) == (
        b'{"schemaVersion":2,"manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"'
        + DIGEST.encode()
        + b'","size":7,"platform":{"architecture":"arm","os":"linux","variant":"v7"}}]}'
    )


def test_an_oci_index_that_is_whole_keeps_its_digest() -> None:
    source = resolved("a", LINUX, ARM)
    image = assemble(source, [LINUX.stored, ARM.stored])
    assert source.index is not None
    assert image.entry == Descriptor(OCI_INDEX, source.digest, len(source.index))
    assert image.documents == {source.digest: source.index}


def test_an_oci_manifest_is_named_itself() -> None:
    image = saved("a", LINUX)
    assert image.entry == LINUX.image.descriptor
    assert image.documents == {}


@pytest.mark.parametrize(("is_whole", "media_type"), [(False, OCI_INDEX), (True, DOCKER_LIST), (False, DOCKER_LIST)])
def test_else_an_index_is_made(is_whole: bool, media_type: str) -> None:
    source = resolved("a", LINUX, ARM, is_whole=is_whole, media_type=media_type)
    image = assemble(source, [LINUX.stored])
    generated = image.documents[image.entry.digest]
    assert image.entry == Descriptor(OCI_INDEX, digest_of(generated), len(generated))
    assert parse_manifest(generated) == Index(OCI_INDEX, (LINUX.image.descriptor,))
    assert image.documents == {source.digest: source.index, image.entry.digest: generated}


def test_an_index_is_made_over_converted_images() -> None:
    schema1 = replace(LINUX.image, content=Schema1(DOCKER_SCHEMA1, AMD64, ()))
    converted = StoredImage(schema1, Descriptor(OCI_MANIFEST, DIGEST, 3, AMD64), ())
    source = resolved("a", LINUX, ARM)
    image = assemble(source, [converted, ARM.stored])
    assert image.entry.digest != source.digest
    assert DIGEST.encode() in image.documents[image.entry.digest]


def test_an_index_is_made_over_a_docker_manifest() -> None:
    docker = stored_as(LINUX, replace(LINUX.image.descriptor, media_type=DOCKER_MANIFEST))
    image = assemble(resolved("a", LINUX), [docker])
    assert list(image.documents) == [image.entry.digest]
    assert parse_manifest(image.documents[image.entry.digest]) == Index(OCI_INDEX, (docker.descriptor,))


def test_the_index_of_the_whole() -> None:
    one = replace(saved("reg.lan/a:1", LINUX), entry=Descriptor(OCI_INDEX, DIGEST, 5, annotations={"z": "y"}))
    two = replace(saved(f"b@{DIGEST}", LINUX), entry=Descriptor(OCI_MANIFEST, DIGEST, 6, AMD64))
    assert archive_index([one, two]) == (
        b'{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":['
        b'{"mediaType":"application/vnd.oci.image.index.v1+json","digest":"' + DIGEST.encode() + b'","size":5,'
        b'"annotations":{"org.opencontainers.image.ref.name":"reg.lan/a:1","z":"y"}},'
        b'{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"' + DIGEST.encode() + b'","size":6,'
        b'"platform":{"architecture":"amd64","os":"linux"},'
        b'"annotations":{"org.opencontainers.image.ref.name":"docker.io/library/b@' + DIGEST.encode() + b'"}}]}'
    )


def test_the_list_that_hangar_reads() -> None:
    windows = Sample(b"three", platform=WINDOWS)
    arm = Sample(b"four", platform=ARM_V7)
    image = saved("rancher/app:v1", LINUX, windows, arm)
    platforms = [
        ("amd64", "linux", "", "", LINUX),
        ("amd64", "windows", "10.0.17763.1", "", windows),
        ("arm", "linux", "", "v7", arm),
    ]
    text = saved_images_list([image]).decode()
    lines = [
        "{",
        '  "List": [',
        "    {",
        '      "Source": "docker.io/rancher/app",',
        '      "Tag": "v1",',
        '      "ArchList": [',
        '        "amd64",',
        '        "arm"',
        "      ],",
        '      "OsList": [',
        '        "linux",',
        '        "windows"',
        "      ],",
        '      "Images": [',
    ]
    for arch, system, version, variant, sample in platforms:
        lines += ["        {", f'          "Digest": "{sample.image.digest}",', f'          "Arch": "{arch}",']
        lines.append(f'          "OS": "{system}",')
        lines += [f'          "OsVersion": "{version}",'] if version else []
        lines += [f'          "Variant": "{variant}",'] if variant else []
        lines += [f'          "Folder": "{sample.image.folder}"', "        },"]
    lines[-1] = "        }"
    lines += ["      ]", "    }", "  ],", '  "Version": "v1.1.0"', "}", ""]
    assert text == "\n".join(lines)


def test_hangar_is_not_told_of_artefacts_and_attestations() -> None:
    artefact = Sample(b"chart", platform=None)
    attestation = Sample(b"proof", platform=UNKNOWN)
    annotated = Sample(b"more", annotations=ATTESTATION)
    document = json.loads(
        saved_images_list([saved("a", LINUX, artefact, attestation, annotated), saved("b", artefact)])
    )
    assert [entry["Source"] for entry in document["List"]] == ["docker.io/library/a"]
    assert [image["Digest"] for image in document["List"][0]["Images"]] == [LINUX.image.digest]


def test_hangar_is_not_told_of_what_refers_to_images() -> None:
    """Whatever platform it claims to be for."""
    image = saved("reg.lan/app:1", Sample(b"layer"))
    listed = replace(image.resolved.listed, refers_to=image.entry.digest, behind=1)
    referrer = replace(image, resolved=replace(image.resolved, listed=listed))
    assert saved_images_list([image, referrer]) == saved_images_list([image])


def test_a_list_without_images() -> None:
    assert saved_images_list([]) == b'{\n  "List": [],\n  "Version": "v1.1.0"\n}\n'


@pytest.mark.parametrize(
    ("text", "tag"),
    [("a:1", "1"), ("a", "latest"), (f"a:1@{DIGEST}", "1"), (f"a@{DIGEST}", f"digest-{HEX}")],
)
def test_the_tag_that_hangar_loads(text: str, tag: str) -> None:
    assert load_tag(parse_reference(text)) == tag
    assert len(tag) <= 128


def test_the_folder_is_that_of_the_source() -> None:
    converted = replace(LINUX.stored, descriptor=Descriptor(OCI_MANIFEST, DIGEST, 3, Platform("linux", "amd64")))
    document = json.loads(saved_images_list([assemble(resolved("a", LINUX), [converted])]))
    [image] = document["List"][0]["Images"]
    assert (image["Digest"], image["Folder"]) == (DIGEST, LINUX.image.folder)
