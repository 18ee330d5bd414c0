# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Puts images into a registry's storage, and tells what stands there; manifests also over the distribution API.

https://github.com/opencontainers/distribution-spec/blob/v1.1.0/spec.md#push
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import requests

from .images import MANIFEST_TYPES, Image, Index, Json, Platform
from .layers import sha256
from .registry import Registry, RegistryError
from .storage import Storage


@dataclass(frozen=True)
class PushedLayer:
    """A layer as the manifest describes it."""

    digest: str
    size: int
    media_type: str


@dataclass(frozen=True)
class PushedPlatform:
    """One image of an index, or the only one; ``size`` is that of its manifest in bytes."""

    digest: str
    size: int
    media_type: str
    os: str
    arch: str
    variant: str
    os_version: str
    config_digest: str
    layers: tuple[PushedLayer, ...]
    annotations: Mapping[str, str] = field(default_factory=dict)

    @property
    def blobs(self) -> tuple[str, ...]:
        """The digests of manifest, config and layers."""
        return (self.digest, self.config_digest, *(layer.digest for layer in self.layers))


@dataclass(frozen=True)
class PushedImage:
    """The manifest behind a reference: ``digest``, ``media_type`` and ``raw`` are those of the tag's own manifest."""

    reference: str
    repository: str
    tag: str
    digest: str
    media_type: str
    raw: bytes
    platforms: tuple[PushedPlatform, ...]

    @property
    def by_digest(self) -> str:
        """The same image as ``HOST/REPOSITORY@DIGEST``."""
        return f"{self.reference.rpartition(':')[0]}@{self.digest}"

    def platform(self, arch: str, os: str = "linux", variant: str = "") -> PushedPlatform:
        """The one image for that platform.

        :raises ValueError: there is none, or more than one
        """
        (found,) = [each for each in self.platforms if (each.os, each.arch, each.variant) == (os, arch, variant)]
        return found


def push(registry: Registry, repository: str, tag: str, item: Image | Index) -> PushedImage:
    """Has the registry hold what it lacks of ``item``, and tags it. No request is made for that."""
    storage = Storage(registry.storage)
    _put_content(storage, repository, item)
    storage.put_tag(repository, tag, storage.put_manifest(repository, item.raw))
    return PushedImage(
        reference=f"{registry.host}/{repository}:{tag}",
        repository=repository,
        tag=tag,
        digest=item.digest,
        media_type=item.media_type,
        raw=item.raw,
        platforms=tuple(_leaves(item, item.platform if isinstance(item, Image) else None, {})),
    )


def _put_content(storage: Storage, repository: str, item: Image | Index) -> None:
    if isinstance(item, Index):
        for entry in item.entries:
            _put_content(storage, repository, entry.item)
            storage.put_manifest(repository, entry.item.raw)
        return
    for data in [item.config, *(layer.data for layer in item.layers if layer.present)]:
        storage.put_blob(repository, data)


def _leaves(item: Image | Index, platform: Platform | None, annotations: Mapping[str, str]) -> list[PushedPlatform]:
    if isinstance(item, Index):
        return [leaf for each in item.entries for leaf in _leaves(each.item, each.platform, each.annotations)]
    shown = platform or item.platform or Platform("", "")
    layers: list[Json] = json.loads(item.raw)["layers"]
    return [
        PushedPlatform(
            digest=item.digest,
            size=len(item.raw),
            media_type=item.media_type,
            os=shown.os,
            arch=shown.architecture,
            variant=shown.variant,
            os_version=shown.os_version,
            config_digest=sha256(item.config),
            layers=tuple(
                PushedLayer(layer.digest, len(layer.data), str(described["mediaType"]))
                for layer, described in zip(item.layers, layers, strict=True)
            ),
            annotations=annotations,
        )
    ]


def tag_again(registry: Registry, pushed: PushedImage, tag: str) -> PushedImage:
    """Gives the same image another tag in its repository."""
    Storage(registry.storage).put_tag(pushed.repository, tag, pushed.digest)
    return replace(pushed, tag=tag, reference=f"{registry.host}/{pushed.repository}:{tag}")


def put_manifest(registry: Registry, repository: str, reference: str, raw: bytes, media_type: str) -> None:
    """Uploads a manifest under a tag or its digest.

    :raises RegistryError: the registry refuses it
    """
    url = f"{registry.url}/v2/{repository}/manifests/{reference}"
    _checked(registry.session().put(url, data=raw, headers={"Content-Type": media_type}), 201)


def get_manifest(registry: Registry, repository: str, reference: str) -> tuple[bytes, str]:
    """The bytes and the media type of what the registry has under a tag or digest.

    :raises RegistryError: it has none
    """
    url = f"{registry.url}/v2/{repository}/manifests/{reference}"
    answer = _checked(registry.session().get(url, headers={"Accept": ", ".join(MANIFEST_TYPES)}), 200)
    return answer.content, answer.headers["Content-Type"]


def delete_manifest(registry: Registry, repository: str, digest: str) -> None:
    """Removes a manifest from a repository, and the tags that name it.

    :raises RegistryError: the registry refuses it
    """
    _checked(registry.session().delete(f"{registry.url}/v2/{repository}/manifests/{digest}"), 202)


def _checked(answer: requests.Response, status: int) -> requests.Response:
    if answer.status_code != status:
        asked = answer.request
        raise RegistryError(f"{asked.method} {asked.url}: {answer.status_code} {answer.text[:500]}")
    return answer
