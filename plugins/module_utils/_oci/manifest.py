# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Descriptors, manifests and indexes, of OCI and of Docker. Pure: bytes in, frozen values out.

Formats: image-spec descriptor.md, manifest.md, image-index.md; Docker "Image Manifest V 2, Schema 2" and "Schema 1".
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Union

from .._base.errors import ManifestError, printable, quoted
from .._base.json import Json, JsonError, JsonObject, compact, parse_object
from .platform import Platform
from .reference import is_digest

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_ARTIFACT = "application/vnd.oci.artifact.manifest.v1+json"  # of image-spec 1.1 before its release
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_SCHEMA1 = "application/vnd.docker.distribution.manifest.v1+json"
DOCKER_SCHEMA1_SIGNED = "application/vnd.docker.distribution.manifest.v1+prettyjws"

INDEX_TYPES = frozenset({OCI_INDEX, DOCKER_LIST})
MANIFEST_TYPES = frozenset({OCI_MANIFEST, DOCKER_MANIFEST, OCI_ARTIFACT})
SCHEMA1_TYPES = frozenset({DOCKER_SCHEMA1, DOCKER_SCHEMA1_SIGNED})
ACCEPTED_TYPES = (
    OCI_INDEX,
    DOCKER_LIST,
    OCI_MANIFEST,
    DOCKER_MANIFEST,
    OCI_ARTIFACT,
    DOCKER_SCHEMA1_SIGNED,
    DOCKER_SCHEMA1,
)

IMAGE_CONFIG_TYPES = frozenset(
    {"application/vnd.oci.image.config.v1+json", "application/vnd.docker.container.image.v1+json"}
)
# What Docker 1.10 to 1.11.0 wrote, and registries made of it; docker takes these for images in its own manifests.
_OLD_CONFIG_TYPES = frozenset({"", "application/octet-stream", "application/json", "text/html"})
MAX_MANIFEST_BYTES = 4 * 1024 * 1024  # distribution-spec, "Pushing manifests": registries take at least this much
MAX_CHILDREN = 1000
MAX_LAYERS = 2000
MAX_VALUES = 100_000
MAX_BLOB_BYTES = 2**50

_PLATFORM_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._:+~/-]{0,127}|")
_ATTESTATION = "attestation-manifest"
_REFERENCE_TYPE = "vnd.docker.reference.type"
_REFERENCE_DIGEST = "vnd.docker.reference.digest"


@dataclass(frozen=True)
class Descriptor:
    """A typed pointer to content (image-spec, descriptor.md).

    :param size: bytes; of a manifest in an index those that the index states, which may be wrong.
    :param platform: ``None`` where the entry names none.
    :param urls: where a foreign layer can be had, as its image says.
    """

    media_type: str
    digest: str
    size: int
    platform: Platform | None = None
    annotations: dict[str, str] = field(default_factory=dict)
    artifact_type: str = ""
    urls: tuple[str, ...] = ()

    @property
    def is_foreign(self) -> bool:
        """Whether it is a layer that registries need not hold (image-spec, layer.md, "Non-Distributable Layers").

        skopeo leaves out every layer that names urls, whatever its media type says.
        """
        return bool(self.urls)

    @property
    def attests(self) -> str:
        """The digest of the sibling that this entry is an attestation of; empty where it is none."""
        is_attestation = self.annotations.get(_REFERENCE_TYPE) == _ATTESTATION
        return self.annotations.get(_REFERENCE_DIGEST, "") if is_attestation else ""


@dataclass(frozen=True)
class Manifest:
    """One platform image or artefact: a configuration and layers.

    :param config: ``None`` in an OCI artifact manifest, whose blobs are the layers.
    """

    media_type: str
    config: Descriptor | None
    layers: tuple[Descriptor, ...]

    @property
    def is_image(self) -> bool:
        """Whether the configuration is that of a container image, and so tells a platform."""
        return self.is_of_old_docker or (self.config is not None and self.config.media_type in IMAGE_CONFIG_TYPES)

    @property
    def is_of_old_docker(self) -> bool:
        """Whether it is Docker's, of the time before configurations had a type of their own: most likely an image."""
        is_old = self.config is not None and self.config.media_type in _OLD_CONFIG_TYPES
        return is_old and self.media_type == DOCKER_MANIFEST

    def blobs(self) -> Iterator[Descriptor]:
        """Configuration and layers, each digest once."""
        seen: set[str] = set()
        for descriptor in (self.config, *self.layers):
            if descriptor is not None and descriptor.digest not in seen:
                seen.add(descriptor.digest)
                yield descriptor


@dataclass(frozen=True)
class Index:
    """A list of manifests, one per platform."""

    media_type: str
    manifests: tuple[Descriptor, ...]


@dataclass(frozen=True)
class Schema1:
    """Docker's first manifest: no configuration blob, layers without sizes."""

    media_type: str
    platform: Platform
    layer_digests: tuple[str, ...]


AnyManifest = Union[Manifest, Index, Schema1]


def digest_of(raw: bytes) -> str:
    """``sha256:<hex>`` of the bytes."""
    return "sha256:" + hashlib.sha256(raw).hexdigest()


def manifest_digest(raw: bytes) -> str:
    """The digest that is a manifest's name: that of its bytes, and for signed schema 1 that of what was signed.

    Without a look at what was signed, "schema 1" would be a pretext to send anything under any name.
    """
    signed = _signed_part(raw) if b'"signatures"' in raw else None
    return digest_of(raw if signed is None else signed)


def parse_manifest(raw: bytes, media_type: str = "") -> AnyManifest:
    """Read a manifest or an index.

    :param raw: the document as the registry sent it.
    :param media_type: the Content-Type it came with; what the document says of itself must not contradict it.
    :raises ManifestError: when it is none, or claims to be two things at once.
    """
    if len(raw) > MAX_MANIFEST_BYTES:
        raise ManifestError(f"the manifest is larger than {MAX_MANIFEST_BYTES} bytes")
    try:
        document = parse_object(raw, most=MAX_VALUES)
        # An artifact manifest has no version.
        if document.text("mediaType") != OCI_ARTIFACT and document.integer("schemaVersion") == 1:
            return _parse_schema1(document)
        return _parse_schema2(document, media_type)
    except JsonError as error:
        raise ManifestError(f"the manifest is not readable: {printable(str(error))}") from error


def parse_config_platform(raw: bytes) -> Platform:
    """Read the platform from an image's configuration (image-spec, config.md).

    :raises ManifestError: when the document is none.
    """
    try:
        return parse_platform(parse_object(raw, most=MAX_VALUES))
    except JsonError as error:
        raise ManifestError(f"the image configuration is not readable: {printable(str(error))}") from error


def generate_index(children: Iterable[Descriptor]) -> bytes:
    """Write an OCI index over some manifests (image-spec, image-index.md); equal children give equal bytes."""
    entries: list[Json] = [descriptor_json(child) for child in children]
    return compact({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries})


def descriptor_json(descriptor: Descriptor) -> dict[str, Json]:
    """Write a descriptor as JSON, leaving out what is empty."""
    document: dict[str, Json] = {
        "mediaType": descriptor.media_type,
        "digest": descriptor.digest,
        "size": descriptor.size,
    }
    if descriptor.platform is not None:
        document["platform"] = platform_json(descriptor.platform)
    if descriptor.artifact_type:
        document["artifactType"] = descriptor.artifact_type
    if descriptor.annotations:
        document["annotations"] = {key: descriptor.annotations[key] for key in sorted(descriptor.annotations)}
    return document


def platform_json(platform: Platform) -> dict[str, Json]:
    """Write a platform object (image-spec, image-index.md), leaving out what is empty."""
    document: dict[str, Json] = {"architecture": platform.architecture, "os": platform.os}
    if platform.os_version:
        document["os.version"] = platform.os_version
    if platform.os_features:
        document["os.features"] = list(platform.os_features)
    if platform.variant:
        document["variant"] = platform.variant
    return document


def parse_descriptor(document: JsonObject) -> Descriptor:
    """Read one descriptor.

    :raises JsonError: when a member has the wrong type.
    :raises ManifestError: when digest or size cannot be right.
    """
    descriptor = _parse_entry(document)
    document.integer("size")  # has to be there
    if not 0 <= descriptor.size <= MAX_BLOB_BYTES:
        raise ManifestError(f"size {printable(str(descriptor.size), 40)} of {descriptor.digest} cannot be right")
    return descriptor


def _parse_entry(document: JsonObject) -> Descriptor:
    """Read a descriptor in an index, whose size is a hint: the manifest comes with its own.

    :raises JsonError: when a member has the wrong type.
    :raises ManifestError: when the digest cannot be right.
    """
    digest = document.text("digest")
    if not is_digest(digest):
        raise ManifestError(f"digest {quoted(digest, 100)} is not sha256: and 64 lower-case hex digits")
    return Descriptor(
        media_type=document.text("mediaType"),
        digest=digest,
        size=document.integer("size") if "size" in document else 0,
        platform=_entry_platform(document.object("platform")) if "platform" in document else None,
        annotations=document.text_map("annotations"),
        artifact_type=document.text("artifactType"),
        urls=document.texts("urls"),
    )


def _entry_platform(document: JsonObject) -> Platform | None:
    """The platform of an entry; one that leaves a word empty names none."""
    platform = parse_platform(document)
    return platform if platform.os and platform.architecture else None


def parse_platform(document: JsonObject) -> Platform:
    """Read a platform object; an image's configuration has the same members (image-spec, config.md).

    :raises JsonError: when a member has the wrong type.
    """
    return Platform(
        os=_platform_word(document.text("os")),
        architecture=_platform_word(document.text("architecture")),
        variant=_platform_word(document.text("variant")),
        os_version=_platform_word(document.text("os.version")),
        os_features=tuple(_platform_word(feature) for feature in document.texts("os.features")),
    )


def _platform_word(text: str) -> str:
    """A word that is shown, compared and written again; nothing that could forge a line or move a cursor."""
    if not _PLATFORM_WORD.fullmatch(text):
        raise JsonError(f"{quoted(text, 100)} is no word for a platform")
    return text


def _parse_schema2(document: JsonObject, media_type: str) -> Manifest | Index:
    says_index, says_manifest = "manifests" in document, "config" in document or "layers" in document
    if says_index and says_manifest:
        raise ManifestError("it is manifest and index at once (CVE-2021-41190); refused")
    # What the document is follows from its bytes alone, so that it is the same from a registry and from the cache.
    stated = document.text("mediaType")
    if stated and media_type in INDEX_TYPES | MANIFEST_TYPES and stated != media_type:
        raise ManifestError(
            f"it came as {media_type} but says {quoted(stated, 120)} of itself; refused, as the registry or a proxy "
            "before it mixes up answers"
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
    return Index(media_type=media_type, manifests=tuple(_parse_entry(entry) for entry in entries))


def _parse_image_manifest(document: JsonObject, media_type: str) -> Manifest:
    if "config" not in document:
        raise ManifestError("the manifest names no configuration")
    layers = document.objects("layers")
    _ensure_few_layers(len(layers))
    return Manifest(
        media_type=media_type,
        config=parse_descriptor(document.object("config")),
        layers=tuple(parse_descriptor(layer) for layer in layers),
    )


def _parse_artifact_manifest(document: JsonObject) -> Manifest:
    """What it is about (``subject``) is no part of it."""
    if "config" in document or "layers" in document:
        raise ManifestError(f"it says it is an artifact ({OCI_ARTIFACT}) but holds an image; refused")
    blobs = document.objects("blobs")
    _ensure_few_layers(len(blobs))
    return Manifest(OCI_ARTIFACT, None, tuple(parse_descriptor(blob) for blob in blobs))


def _ensure_few_layers(count: int) -> None:
    if count > MAX_LAYERS:
        raise ManifestError(f"the manifest names {count} layers; at most {MAX_LAYERS} are accepted")


def _parse_schema1(document: JsonObject) -> Schema1:
    digests = [layer.text("blobSum") for layer in document.objects("fsLayers")]
    _ensure_few_layers(len(digests))
    for digest in digests:
        if not is_digest(digest):
            raise ManifestError(f"digest {quoted(digest, 100)} is not sha256: and 64 lower-case hex digits")
    # The document carries no operating system; nothing but linux was ever pushed in this format.
    platform = Platform(os="linux", architecture=_platform_word(document.text("architecture")) or "amd64")
    signed = "signatures" in document
    media_type = DOCKER_SCHEMA1_SIGNED if signed else DOCKER_SCHEMA1
    return Schema1(media_type=media_type, platform=platform, layer_digests=tuple(dict.fromkeys(digests)))


def _signed_part(raw: bytes) -> bytes | None:
    """What the first signature of a schema 1 manifest signs (JWS, as Docker's "Schema 1" describes it), if it is that.

    :returns: the manifest without its signatures; ``None`` where the document holds anything else beside it.
    """
    try:
        document = parse_object(raw, most=MAX_VALUES).values()
        signature = JsonObject(document).objects("signatures")[0]
        protected = parse_object(_from_base64url(signature.text("protected")))
        length, tail = protected.integer("formatLength"), _from_base64url(protected.text("formatTail"))
        signed = raw[: max(0, length)] + tail
        del document["signatures"]
        return signed if parse_object(signed, most=MAX_VALUES).values() == document else None
    except (JsonError, IndexError, ValueError):
        return None


def _from_base64url(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
