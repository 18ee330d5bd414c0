# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Manifests and indexes, of OCI and of Docker. Pure: bytes in, frozen values out.

Formats: image-spec manifest.md, image-index.md; Docker "Image Manifest V 2, Schema 2".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Union

from .._base.errors import ManifestError, printable, quoted
from .._base.json import Json, JsonError, JsonObject, compact, parse_object
from .._base.shared import shared
from .._base.slots import slotted
from .descriptor import Descriptor, descriptor_json, parse_descriptor, parse_entry
from .limits import MAX_CHILDREN, MAX_MANIFEST_BYTES, MAX_VALUES, ensure_few_layers
from .media_types import (
    DOCKER_MANIFEST,
    IMAGE_CONFIG_TYPES,
    INDEX_TYPES,
    MANIFEST_TYPES,
    OCI_ARTIFACT,
    OCI_INDEX,
    OCI_MANIFEST,
    OLD_CONFIG_TYPES,
)
from .reference import is_digest
from .schema1 import Schema1, parse_schema1

_MEDIA_TYPE = re.compile(r"[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}/[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}")  # RFC 6838


@slotted
@dataclass(frozen=True)
class Manifest:
    """One platform image or artefact: a configuration and layers.

    :param config: ``None`` for an OCI artifact manifest, whose blobs are the layers.
    :param subject: digest of the manifest that it refers to, as a signature does; empty if there is none.
    :param artifact_type: the kind of artefact that it says it is; empty if it says none.
    """

    media_type: str
    config: Descriptor | None
    layers: tuple[Descriptor, ...]
    subject: str = ""
    artifact_type: str = field(default="", compare=False)

    @property
    def is_image(self) -> bool:
        """True if the configuration is that of a container image, and so has a platform."""
        return self.is_of_old_docker or (self.config is not None and self.config.media_type in IMAGE_CONFIG_TYPES)

    @property
    def is_of_old_docker(self) -> bool:
        """True for Docker's manifests from before configurations had a media type: most likely an image."""
        is_old = self.config is not None and self.config.media_type in OLD_CONFIG_TYPES
        return is_old and self.media_type == DOCKER_MANIFEST

    def blobs(self) -> Iterator[Descriptor]:
        """Yield configuration and layers, each digest once."""
        seen: set[str] = set()
        for descriptor in (self.config, *self.layers):
            if descriptor is not None and descriptor.digest not in seen:
                seen.add(descriptor.digest)
                yield descriptor


@slotted
@dataclass(frozen=True)
class Index:
    """A list of manifests, one per platform.

    :param subject: digest of the manifest that it refers to; empty if there is none.
    :param artifact_type: the kind of artefact that it says it is; empty if it says none.
    """

    media_type: str
    manifests: tuple[Descriptor, ...]
    subject: str = ""
    artifact_type: str = field(default="", compare=False)


AnyManifest = Union[Manifest, Index, Schema1]


def parse_manifest(raw: bytes, media_type: str = "") -> AnyManifest:
    """Read a manifest or an index.

    :param raw: the document as the registry sent it.
    :param media_type: its Content-Type; the media type in the document must not contradict it.
    :raises ManifestError: when it is not a valid manifest, or claims to be two things at once.
    """
    if len(raw) > MAX_MANIFEST_BYTES:
        raise ManifestError(f"the manifest is larger than {MAX_MANIFEST_BYTES} bytes")
    try:
        document = parse_object(raw, most=MAX_VALUES)
        # An artifact manifest has no version.
        if document.text("mediaType") != OCI_ARTIFACT and document.integer("schemaVersion") == 1:
            return parse_schema1(document)
        return _parse_schema2(document, media_type)
    except JsonError as error:
        raise ManifestError(f"the manifest is not readable: {printable(str(error))}") from error


def generate_index(children: Iterable[Descriptor]) -> bytes:
    """Return an OCI index of manifests (image-spec, image-index.md); equal children give equal bytes."""
    entries: list[Json] = [descriptor_json(child) for child in children]
    return compact({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries})


def _parse_schema2(document: JsonObject, media_type: str) -> Manifest | Index:
    says_index, says_manifest = "manifests" in document, "config" in document or "layers" in document
    if says_index and says_manifest:
        raise ManifestError("it is both a manifest and an index (CVE-2021-41190); refused")
    # The bytes alone decide what the document is, so that it is the same from a registry and from the cache.
    stated = shared(document.text("mediaType"))
    if stated and media_type in INDEX_TYPES | MANIFEST_TYPES and stated != media_type:
        raise ManifestError(
            f"it came as {media_type} but says that it is {quoted(stated, 120)}; refused, as the registry or a proxy "
            "in front of it mixes up answers"
        )
    if not stated:
        stated = OCI_INDEX if says_index else _guess_manifest_type(document)
    if stated in INDEX_TYPES:
        if says_manifest:
            raise ManifestError(f"it says it is an index ({stated}) but holds a manifest; refused")
        return _parse_index(document, stated)
    if stated in MANIFEST_TYPES:
        if says_index:
            raise ManifestError(f"it says it is a manifest ({stated}) but holds an index; refused")
        if stated == OCI_ARTIFACT:
            return _parse_artifact_manifest(document)
        return _parse_image_manifest(document, stated)
    expected = "expected an OCI or Docker manifest or index"
    raise ManifestError(f"media type {quoted(stated, 120)} is not supported; {expected}")


def _guess_manifest_type(document: JsonObject) -> str:
    config = document.object("config").text("mediaType")
    return DOCKER_MANIFEST if config == "application/vnd.docker.container.image.v1+json" else OCI_MANIFEST


def _parse_index(document: JsonObject, media_type: str) -> Index:
    entries = document.objects("manifests")
    if len(entries) > MAX_CHILDREN:
        raise ManifestError(f"the index names {len(entries)} manifests; at most {MAX_CHILDREN} are accepted")
    return Index(
        media_type,
        tuple(parse_entry(entry) for entry in entries),
        subject=_subject(document),
        artifact_type=_artifact_type(document),
    )


def _parse_image_manifest(document: JsonObject, media_type: str) -> Manifest:
    if "config" not in document:
        raise ManifestError("the manifest names no configuration")
    layers = document.objects("layers")
    ensure_few_layers(len(layers))
    return Manifest(
        media_type=media_type,
        config=parse_descriptor(document.object("config")),
        layers=tuple(parse_descriptor(layer) for layer in layers),
        subject=_subject(document),
        artifact_type=_artifact_type(document),
    )


def _parse_artifact_manifest(document: JsonObject) -> Manifest:
    """Read an artifact manifest; the manifest that it refers to (``subject``) is not part of it."""
    if "config" in document or "layers" in document:
        raise ManifestError(f"it says it is an artifact ({OCI_ARTIFACT}) but holds an image; refused")
    blobs = document.objects("blobs")
    ensure_few_layers(len(blobs))
    return Manifest(
        OCI_ARTIFACT,
        None,
        tuple(parse_descriptor(blob) for blob in blobs),
        _subject(document),
        _artifact_type(document),
    )


def _subject(document: JsonObject) -> str:
    """Return the digest of the manifest that one refers to; empty if there is none, or none that can be right."""
    digest = document.object("subject").text("digest")
    return digest if is_digest(digest) else ""


def _artifact_type(document: JsonObject) -> str:
    """Return the kind of artefact that a document says it is; empty if it says none, or none that can be right.

    Where an image manifest states none, its configuration's media type takes its place (image-spec, manifest.md,
    "Guidelines for Artifact Usage").
    """
    values = document.values()
    config = values.get("config")
    stated = values.get("artifactType") or (config.get("mediaType") if isinstance(config, dict) else "")
    return stated if isinstance(stated, str) and _MEDIA_TYPE.fullmatch(stated) else ""
