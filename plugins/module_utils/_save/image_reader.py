# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Platform images, read from a manifest and, where that does not name a platform, from a configuration."""

from __future__ import annotations

from dataclasses import replace
from typing import Callable

from .._base.errors import ManifestError, NestedIndex
from .._cache.cache import Cache
from .._oci.descriptor import Descriptor
from .._oci.image import PlatformImage
from .._oci.limits import MAX_MANIFEST_BYTES
from .._oci.manifest import Index, Manifest, parse_manifest
from .._oci.media_types import DOCKER_SCHEMA1
from .._oci.platform import Platform
from .._oci.platform_json import parse_config_platform
from .._oci.reference import Repository
from .._oci.schema1 import Schema1
from .._skopeo.unsupported import UnsupportedImages
from .documents import Documents
from .options import Selection
from .questions import Client


class ImageReader:
    """Reads platform images. All methods raise what :class:`Documents` and :class:`Client` do.

    :param selection: says whether foreign layers are wanted.
    :param unsupported: knows which images cannot be copied; ``None``: all can.
    :param was_accepted: returns whether a manifest was accepted from a repository before.
    """

    def __init__(
        self,
        documents: Documents,
        client: Client,
        cache: Cache,
        selection: Selection,
        unsupported: UnsupportedImages | None,
        was_accepted: Callable[[Repository, str], bool],
    ) -> None:
        self._documents = documents
        self._client = client
        self._cache = cache
        self._selection = selection
        self._unsupported = unsupported
        self._was_accepted = was_accepted

    def child(self, repository: Repository, entry: Descriptor) -> PlatformImage:
        """Read the manifest that an entry of an index names.

        :raises ManifestError: when it is not valid, or is an index itself.
        """
        fetched = self._documents.manifest(repository, entry.digest)
        content = parse_manifest(fetched.raw, entry.media_type)
        if isinstance(content, Index):
            raise NestedIndex(f"its index names another index ({entry.digest}), which cannot be saved")
        # The digest decides what it is: docker before 18.09 wrote lists with wrong sizes.
        descriptor = entry
        if (entry.media_type, entry.size) != (content.media_type, len(fetched.raw)):
            descriptor = replace(entry, media_type=content.media_type, size=len(fetched.raw))
        image = self.image(repository, descriptor, content)
        self.ensure_there(image)
        return image

    def image(self, repository: Repository, descriptor: Descriptor, content: Manifest | Schema1) -> PlatformImage:
        """Return the image of a manifest.

        :param descriptor: of the manifest, with the platform that an index gives it.
        """
        if isinstance(content, Schema1):
            return self._schema1_image(repository, descriptor, content)
        if descriptor.platform is None and content.config is not None and content.is_image:
            platform = self._config_platform(repository, descriptor.digest, content, content.config)
            # Signatures have the configuration of an image, without a platform: they count as artefacts.
            descriptor = replace(descriptor, platform=platform if platform.os and platform.architecture else None)
        foreign_too = self._selection.include_foreign_layers
        blobs = tuple(blob for blob in content.blobs() if foreign_too or not blob.is_foreign)
        return PlatformImage(descriptor, repository, content, blobs)

    def ensure_there(self, image: PlatformImage) -> None:
        """Check that the repository has an image that the cache has from other ones.

        skopeo reads the manifest there before anything is archived: what it would be refused is known now, in check
        mode too.
        """
        if self._was_accepted(image.repository, image.digest):
            return
        if self._cache.folders.is_from_elsewhere(image):
            self._client.get_manifest(image.repository, image.digest)

    def ensure_carried(self, image: PlatformImage) -> None:
        """Check that an image can be copied at all, before a layer is pulled in vain.

        :raises NotCarried: when it cannot.
        """
        if self._unsupported is not None:
            self._unsupported.ensure_can_copy(image)

    def have_small_blobs(self, image: PlatformImage) -> None:
        """Fetch the blobs of an attestation or artefact now: if a mirror lacks them, that must not fail the image."""
        if not self._client.gives_blobs(image.repository):
            return
        for blob in image.blobs:
            if blob.size <= MAX_MANIFEST_BYTES and not self._cache.blobs.has(blob):
                raw = self._client.get_blob(image.repository, blob, limit=MAX_MANIFEST_BYTES)
                self._documents.keep(blob.digest, raw)

    def _schema1_image(self, repository: Repository, descriptor: Descriptor, content: Schema1) -> PlatformImage:
        blobs = tuple(
            Descriptor(DOCKER_SCHEMA1, digest, self._client.blob_size(repository, digest))
            for digest in content.layer_digests
        )
        platform = descriptor.platform or content.platform
        return PlatformImage(replace(descriptor, platform=platform), repository, content, blobs)

    def _config_platform(self, repository: Repository, digest: str, manifest: Manifest, config: Descriptor) -> Platform:
        """Return the platform that an image's configuration names; an empty one if it names none.

        :param digest: of the manifest.
        """
        raw = self._documents.blob(repository, config, of=digest)
        try:
            return parse_config_platform(raw)
        except ManifestError:
            if manifest.is_of_old_docker:
                return Platform("", "")  # an artefact after all
            raise
