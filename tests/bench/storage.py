# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes images where docker-registry keeps them, as pushing thousands over HTTP takes minutes.

The layout is that of its filesystem driver, below ``docker/registry/v2``; see the comment at the top of
https://github.com/distribution/distribution/blob/v2.8.2/registry/storage/paths.go
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from ..support.images import Image, Index
from ..support.layers import sha256


@dataclass(frozen=True)
class Stored:
    """What stands behind one tag.

    :param digest: of the manifest or index that the tag names.
    :param platforms: the media type of each platform image's manifest, by digest.
    :param manifests: sizes in bytes of these and of the index, by digest.
    :param blobs: sizes in bytes of configurations and layers, by digest.
    """

    repository: str
    tag: str
    digest: str
    platforms: Mapping[str, str]
    manifests: Mapping[str, int]
    blobs: Mapping[str, int]


class Storage:
    """The storage of one registry, which may be running.

    :param root: its ``rootdirectory``.
    """

    def __init__(self, root: Path) -> None:
        self._blobs = root / "docker/registry/v2/blobs/sha256"
        self._repositories = root / "docker/registry/v2/repositories"

    def add(self, repository: str, tag: str, item: Image | Index) -> Stored:
        """Stores an image with all that it names, and gives it a tag."""
        images = [item] if isinstance(item, Image) else [each.item for each in item.entries]
        platforms: dict[str, str] = {}
        manifests: dict[str, int] = {}
        blobs: dict[str, int] = {}
        for image in images:
            assert isinstance(image, Image), "no index in an index here"
            for data in (image.config, *(layer.data for layer in image.layers)):
                blobs[self.put_blob(repository, data)] = len(data)
            digest = self.put_manifest(repository, image.raw)
            platforms[digest] = image.media_type
            manifests[digest] = len(image.raw)
        top = self.put_manifest(repository, item.raw)
        manifests[top] = len(item.raw)
        self.put_tag(repository, tag, top)
        return Stored(repository, tag, top, platforms, manifests, blobs)

    def put_blob(self, repository: str, data: bytes) -> str:
        """Stores a blob and returns its digest."""
        digest = sha256(data)
        self.put_data(digest, data)
        self.link_blob(repository, digest)
        return digest

    def put_manifest(self, repository: str, raw: bytes) -> str:
        """Stores a manifest or index and returns its digest."""
        digest = sha256(raw)
        self.put_data(digest, raw)
        _write(self._repositories / repository / "_manifests/revisions/sha256" / _hex(digest) / "link", digest)
        return digest

    def put_tag(self, repository: str, tag: str, digest: str) -> None:
        """Has a tag name a manifest."""
        _write(self._repositories / repository / "_manifests/tags" / tag / "current/link", digest)

    def link_blob(self, repository: str, digest: str) -> None:
        """Says that a repository has a blob."""
        _write(self._repositories / repository / "_layers/sha256" / _hex(digest) / "link", digest)

    def put_data(self, digest: str, data: bytes) -> None:
        """Stores bytes, unless they are there."""
        path = self.path(digest)
        if not path.exists():
            _write(path, data)

    def path(self, digest: str) -> Path:
        """Where the bytes of a blob or manifest are."""
        return self._blobs / _hex(digest)[:2] / _hex(digest) / "data"

    def fill_cache(self, images: Iterable[Stored], cache: Path) -> None:
        """Makes a cache of the module that holds these images already (docs of ``_cache``: one folder for each)."""
        share = cache / "share" / "sha256"
        share.mkdir(parents=True, exist_ok=True)
        for image in images:
            for digest in (*image.manifests, *image.blobs):
                path = share / _hex(digest)
                if not path.exists():
                    shutil.copyfile(self.path(digest), path)
            for digest, media_type in image.platforms.items():
                entry = {"mediaType": media_type, "digest": digest, "size": image.manifests[digest]}
                folder = cache / _hex(digest)
                _write(folder / "index.json", json.dumps({"schemaVersion": 2, "manifests": [entry]}))
                _write(folder / "oci-layout", '{"imageLayoutVersion":"1.0.0"}')


def _hex(digest: str) -> str:
    return digest.removeprefix("sha256:")


def _write(path: Path, content: str | bytes) -> None:
    data = content if isinstance(content, bytes) else content.encode("ascii")
    try:
        path.write_bytes(data)
    except FileNotFoundError:  # one attempt more is cheaper than to look first, thousands of times
        path.parent.mkdir(parents=True)
        path.write_bytes(data)
