# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Descriptors: typed pointers to content, by digest (image-spec, descriptor.md). Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from types import MappingProxyType

from .._base.errors import ManifestError, printable, quoted
from .._base.json import Json, JsonObject
from .._base.shared import shared
from .._base.slots import slotted
from .limits import MAX_BLOB_BYTES
from .platform import Platform
from .platform_json import parse_platform, platform_json
from .reference import is_digest

_ATTESTATION = "attestation-manifest"
_REFERENCE_TYPE = "vnd.docker.reference.type"
_REFERENCE_DIGEST = "vnd.docker.reference.digest"

_PLAIN = frozenset({"mediaType", "digest", "size"})

NO_ANNOTATIONS: Mapping[str, str] = MappingProxyType({})


@slotted
@dataclass(frozen=True)
class Descriptor:
    """A typed pointer to content (image-spec, descriptor.md).

    :param size: bytes; for a manifest in an index, as the index states them, which may be wrong.
    :param platform: ``None`` if the entry names none.
    :param urls: addresses of a foreign layer, as its image gives them.
    """

    media_type: str
    digest: str
    size: int
    platform: Platform | None = None
    annotations: Mapping[str, str] = field(default_factory=lambda: NO_ANNOTATIONS)
    artifact_type: str = ""
    urls: tuple[str, ...] = ()

    @property
    def is_foreign(self) -> bool:
        """True for a layer that registries need not store (image-spec, layer.md, "Non-Distributable Layers").

        skopeo leaves out every layer that names urls, whatever its media type.
        """
        return bool(self.urls)

    @property
    def attests(self) -> str:
        """The digest of the sibling that this entry attests; empty if it is not an attestation."""
        is_attestation = self.annotations.get(_REFERENCE_TYPE) == _ATTESTATION
        return self.annotations.get(_REFERENCE_DIGEST, "") if is_attestation else ""


def digest_of(raw: bytes) -> str:
    """Return ``sha256:<hex>`` of the bytes."""
    return "sha256:" + hashlib.sha256(raw).hexdigest()


def descriptor_json(descriptor: Descriptor) -> dict[str, Json]:
    """Return a descriptor as JSON, without members that are empty."""
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


def parse_descriptor(document: JsonObject) -> Descriptor:
    """Read one descriptor.

    :raises JsonError: when a member has the wrong type.
    :raises ManifestError: when digest or size cannot be right.
    """
    descriptor = parse_entry(document)
    document.integer("size")  # required
    if not 0 <= descriptor.size <= MAX_BLOB_BYTES:
        raise ManifestError(f"size {printable(str(descriptor.size), 40)} of {descriptor.digest} cannot be right")
    return descriptor


def parse_entry(document: JsonObject) -> Descriptor:
    """Read a descriptor in an index. Its size is only a hint, as the manifest has its own.

    :raises JsonError: when a member has the wrong type.
    :raises ManifestError: when the digest cannot be right.
    """
    digest = document.text("digest")
    if not is_digest(digest):
        raise ManifestError(f"digest {quoted(digest, 100)} is not sha256: and 64 lower-case hex digits")
    media_type, size = shared(document.text("mediaType")), document.integer("size") if "size" in document else 0
    if _PLAIN.issuperset(document.names()):
        return _plain(media_type, digest, size)
    return Descriptor(
        media_type=media_type,
        digest=digest,
        size=size,
        platform=_entry_platform(document.object("platform")) if "platform" in document else None,
        annotations=document.text_map("annotations") or NO_ANNOTATIONS,
        artifact_type=shared(document.text("artifactType")),
        urls=document.texts("urls"),
    )


@lru_cache(maxsize=4096)
def _plain(media_type: str, digest: str, size: int) -> Descriptor:
    """Return one object for a layer that several images of a list have."""
    return Descriptor(media_type, digest, size)


def _entry_platform(document: JsonObject) -> Platform | None:
    """Return the platform of an entry; ``None`` if a word is empty."""
    platform = parse_platform(document)
    return platform if platform.os and platform.architecture else None
