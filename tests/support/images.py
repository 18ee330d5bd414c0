# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Builds images of every kind, in memory.

OCI image-spec 1.1 (manifest.md, image-index.md, config.md) and Docker's image manifest v2, schema 2.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from .layers import Layer, sha256

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"
DOCKER_SCHEMA1 = "application/vnd.docker.distribution.manifest.v1+prettyjws"
MANIFEST_TYPES = (OCI_MANIFEST, OCI_INDEX, DOCKER_MANIFEST, DOCKER_LIST, DOCKER_SCHEMA1)

Json = dict[str, object]


@dataclass(frozen=True)
class Platform:
    """The entry of one image in an index."""

    os: str = "linux"
    architecture: str = "amd64"
    variant: str = ""
    os_version: str = ""

    def json(self) -> Json:
        """As an index spells it; empty values are left out."""
        named = {"variant": self.variant, "os.version": self.os_version}
        return {"architecture": self.architecture, "os": self.os, **{key: val for key, val in named.items() if val}}


AMD64 = Platform()
AMD64_V3 = Platform(variant="v3")
ARM64 = Platform(architecture="arm64")
ARM_V7 = Platform(architecture="arm", variant="v7")
WINDOWS_2019 = Platform("windows", os_version="10.0.17763.5329")
WINDOWS_2022 = Platform("windows", os_version="10.0.20348.2227")
UNKNOWN = Platform("unknown", "unknown")


@dataclass(frozen=True)
class Image:
    """One manifest with its config and layers: an image, a chart, an attestation."""

    raw: bytes
    media_type: str
    config: bytes
    config_media_type: str
    layers: tuple[Layer, ...]
    platform: Platform | None

    @property
    def digest(self) -> str:
        """The digest of the manifest."""
        return sha256(self.raw)

    @property
    def docker(self) -> bool:
        """True if it is Docker's kind of manifest."""
        return self.media_type == DOCKER_MANIFEST


@dataclass(frozen=True)
class Entry:
    """An entry of an index: ``platform`` None leaves the platform out."""

    item: Image | Index
    platform: Platform | None = None
    annotations: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Index:
    """An OCI index or Docker's manifest list."""

    raw: bytes
    media_type: str
    entries: tuple[Entry, ...]

    @property
    def digest(self) -> str:
        """The digest of the index."""
        return sha256(self.raw)


def encode(document: Mapping[str, object]) -> bytes:
    """JSON as Docker spells manifests: indented by three blanks."""
    return json.dumps(document, indent=3).encode("utf-8")


def _descriptor(media_type: str, data: bytes) -> Json:
    return {"mediaType": media_type, "size": len(data), "digest": sha256(data)}


def _config(platform: Platform, layers: Sequence[Layer], extra: Mapping[str, object]) -> bytes:
    return encode(
        {
            "created": "2024-01-02T03:04:05Z",
            **platform.json(),
            "config": {"Cmd": ["/bin/hello"], "Env": ["PATH=/bin:/usr/bin"], **extra},
            "rootfs": {"type": "layers", "diff_ids": [layer.diff_id for layer in layers]},
            "history": [{"created": "2024-01-02T03:04:05Z", "created_by": f"layer {n}"} for n in range(len(layers))],
        }
    )


def build_image(
    layers: Sequence[Layer],
    *,
    platform: Platform = AMD64,
    docker: bool = False,
    config: Mapping[str, object] | None = None,
    annotations: Mapping[str, str] | None = None,
) -> Image:
    """An image for one platform; ``config`` is merged into the config's own ``config`` (Cmd, Healthcheck, …)."""
    data = _config(platform, layers, config or {})
    config_type = DOCKER_CONFIG if docker else OCI_CONFIG
    return build_artifact(layers, data, config_type, docker=docker, platform=platform, annotations=annotations)


def build_artifact(
    layers: Sequence[Layer],
    config: bytes,
    config_media_type: str,
    *,
    docker: bool = False,
    platform: Platform | None = None,
    layer_media_type: str = "",
    annotations: Mapping[str, str] | None = None,
) -> Image:
    """A manifest over any config and layers; ``layer_media_type`` replaces that of every layer."""
    described: list[Json] = []
    for layer in layers:
        one = _descriptor(layer_media_type or layer.media_type(docker=docker), layer.data)
        described.append({**one, "urls": list(layer.urls)} if layer.urls else one)
    media_type = DOCKER_MANIFEST if docker else OCI_MANIFEST
    manifest: Json = {
        "schemaVersion": 2,
        "mediaType": media_type,
        "config": _descriptor(config_media_type, config),
        "layers": described,
        **({"annotations": dict(annotations)} if annotations else {}),
    }
    return Image(encode(manifest), media_type, config, config_media_type, tuple(layers), platform)


def build_index(entries: Sequence[Image | Entry], *, docker: bool = False) -> Index:
    """An OCI index or Docker's manifest list; a bare image is listed with its own platform."""
    full = tuple(each if isinstance(each, Entry) else Entry(each, each.platform) for each in entries)
    manifests: list[Json] = []
    for entry in full:
        one = _descriptor(entry.item.media_type, entry.item.raw)
        if entry.platform:
            one["platform"] = entry.platform.json()
        if entry.annotations:
            one["annotations"] = dict(entry.annotations)
        manifests.append(one)
    media_type = DOCKER_LIST if docker else OCI_INDEX
    return Index(encode({"schemaVersion": 2, "mediaType": media_type, "manifests": manifests}), media_type, full)
