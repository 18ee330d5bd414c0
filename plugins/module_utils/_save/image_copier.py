# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Copies single images into the cache, with skopeo, or without it where skopeo cannot copy them.

skopeo writes an image's layout and checks the signature policy, once for every repository that the image is wanted
from. It also pulls the blobs that are missing.
"""

from __future__ import annotations

import os
from typing import Callable

from .._base.errors import ManifestError, Missing, TransferError
from .._cache.cache import Cache
from .._oci.descriptor import Descriptor
from .._oci.image import PlatformImage, StoredImage, hex_of
from .._oci.manifest import Manifest
from .accepted import Accepted
from .blob_puller import BlobPuller, removed_on_failure
from .tools import Tools


class ImageCopier:
    """Copies an image once; trying again is up to the caller.

    :param accepted: records which images were accepted.
    :param blobs: pulls what an image lacks that is copied without skopeo.
    """

    def __init__(self, tools: Tools, cache: Cache, accepted: Accepted, blobs: BlobPuller) -> None:
        self._tools = tools
        self._cache = cache
        self._accepted = accepted
        self._blobs = blobs

    def missing(self, image: PlatformImage) -> dict[str, Descriptor]:
        """Return the blobs of an image that the cache lacks, by digest."""
        return {blob.digest: blob for blob in image.all_blobs() if not self._cache.blobs.has(blob)}

    def copy(self, image: PlatformImage, deadline: float) -> StoredImage:
        """Copy an image, with the blobs that are missing.

        :param deadline: the ``time.monotonic()`` at which it is given up.
        :raises TransferError: why it could not be copied, or was not accepted.
        """
        self._tools.registries.outages.check(image.repository.registry)
        self._cache.blobs.drop_unsound(image.all_blobs())
        config = image.content.config if isinstance(image.content, Manifest) else None
        if config is not None:  # skopeo writes it anew, and would not tell that it was damaged
            self._cache.blobs.drop_damaged(config)
        if self._tools.unsupported.includes(image):
            stored = self._copy_without_skopeo(image, deadline)
        elif all(map(self._cache.blobs.has, image.left_out)):
            stored = self._copy_with_skopeo(image, deadline)
        else:
            stored = self._copy_in_part(image, deadline)
        self._accepted.record(image)
        return stored

    def accept(self, image: PlatformImage, deadline: float) -> None:
        """Ask the image's repository for its manifest, and have skopeo check the signature policy; pull no layer.

        :raises TransferError: why it was not accepted.
        """
        if self._tools.unsupported.includes(image):
            self._manifest_now(image)  # no policy applies, so it is accepted if its repository has it
            return
        outages, skopeo = self._tools.registries.outages, self._tools.skopeo
        outages.check(image.repository.registry)
        with self._cache.workspace.scratch() as directory:
            _by_any_name(image, lambda name: skopeo.check_policy(image, name, directory, deadline=deadline))
        outages.answered(image.repository.registry)

    def _copy_with_skopeo(self, image: PlatformImage, deadline: float) -> StoredImage:
        skopeo, share = self._tools.skopeo, os.path.dirname(self._cache.workspace.share)
        folder = self._cache.folders.new(image)
        with removed_on_failure(folder):
            _by_any_name(image, lambda name: skopeo.copy(image, name, folder, share, deadline=deadline))
            self._tools.registries.outages.answered(image.repository.registry)
            try:
                return self._cache.folders.adopt(folder, image)
            except ManifestError as error:
                raise TransferError(str(error), heals=True) from error

    def _copy_in_part(self, image: PlatformImage, deadline: float) -> StoredImage:
        """Copy an image with skopeo, but for the layers that an earlier archive carried and the cache lacks."""
        skopeo, blobs = self._tools.skopeo, self._cache.blobs
        wanted = self.missing(image)
        config = image.content.config if isinstance(image.content, Manifest) else None
        wanted.update({blob.digest: blob for blob in (image.descriptor, config) if blob is not None})
        others = image.layer_digests.difference(wanted)

        def copy(name: str) -> None:
            with self._cache.workspace.scratch() as directory:
                copied = skopeo.copy_without(others, image, name, directory, deadline=deadline)
                for digest in wanted:
                    path = os.path.join(copied, hex_of(digest))
                    if os.path.lexists(path):
                        blobs.adopt(path, digest)

        _by_any_name(image, copy)
        self._tools.registries.outages.answered(image.repository.registry)
        try:
            return self._cache.folders.write(image)
        except ManifestError as error:
            raise TransferError(str(error), heals=True) from error

    def _copy_without_skopeo(self, image: PlatformImage, deadline: float) -> StoredImage:
        if self._cache.blobs.drop_damaged(image.descriptor):
            self._cache.blobs.store_document(image.digest, self._manifest_now(image))
        for blob in self.missing(image).values():
            self._blobs.pull_from(image.repository, blob, deadline)
        try:
            return self._cache.folders.write(image)
        except ManifestError as error:
            raise TransferError(str(error), heals=True) from error

    def _manifest_now(self, image: PlatformImage) -> bytes:
        """Return the image's manifest as its repository gives it now."""
        found: list[bytes] = []

        def ask(name: str) -> None:
            fetched = self._tools.registries.get_manifest(image.repository, name[1:])
            if fetched.digest != image.digest:
                reference = f"{image.repository}{name}"
                raise Missing(f"{reference} names another image by now; run again", heals=False)
            found.append(fetched.raw)

        _by_any_name(image, ask)
        return found[-1]


def _by_any_name(image: PlatformImage, ask: Callable[[str], None]) -> None:
    """Ask for an image by its digest, or by its tag if the registry has it under that name only."""
    try:
        ask(f"@{image.digest}")
    except Missing:
        if not image.tag:
            raise
        ask(f":{image.tag}")
