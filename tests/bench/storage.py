# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stores images by the thousand where docker-registry keeps them, and keeps account of them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from ..support import storage
from ..support.images import Image, Index
from ..support.layers import sha256
from ..support.storage import hex_of


@dataclass(frozen=True)
class Stored:
    """The content behind one tag.

    :param digest: of the manifest or index that the tag names.
    :param platforms: the media type of each platform image's manifest, by digest.
    :param manifests: sizes in bytes of these and of the index, by digest.
    :param blobs: sizes in bytes of configurations and layers, by digest.
    :param configurations: digests of the configurations among them.
    """

    repository: str
    tag: str
    digest: str
    platforms: Mapping[str, str]
    manifests: Mapping[str, int]
    blobs: Mapping[str, int]
    configurations: frozenset[str] = frozenset()


class Storage(storage.Storage):
    """The storage of one registry, which may be running."""

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
        configurations = frozenset(sha256(each.config) for each in images if isinstance(each, Image))
        return Stored(repository, tag, top, platforms, manifests, blobs, configurations)

    def fill_cache(self, images: Iterable[Stored], cache: Path) -> None:
        """Makes a cache of the module that holds these images already (docs of ``_cache``: one folder for each)."""
        share = cache / "share" / "sha256"
        share.mkdir(parents=True, exist_ok=True)
        for image in images:
            for digest in (*image.manifests, *image.blobs):
                path = share / hex_of(digest)
                if not path.exists():
                    shutil.copyfile(self.path(digest), path)
            for digest, media_type in image.platforms.items():
                entry = {"mediaType": media_type, "digest": digest, "size": image.manifests[digest]}
                folder = cache / hex_of(digest)
                folder.mkdir(exist_ok=True)
                (folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [entry]}), "ascii")
                (folder / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}', "ascii")
