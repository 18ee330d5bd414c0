# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Copies single images into the cache, with skopeo, or without it where nothing is left for skopeo to decide.

skopeo writes an image's layout and checks the signature policy, once for every repository that the image is wanted
from. It also pulls the blobs that are missing. Without skopeo, the repository has to give the manifest in the same run.
"""

from __future__ import annotations

import os
import time
from typing import Callable

from .._base.deadline import time_left
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
        is_ours = self._is_ours(image)
        if is_ours:
            self._complete(image, deadline)
            is_ours = self._is_confirmed(image, deadline)
        stored = self._write(image) if is_ours else self._copy_with_skopeo(image, deadline)
        self._accepted.record(image)
        return stored

    def accept(self, image: PlatformImage, deadline: float) -> None:
        """Ask the image's repository for its manifest, and have the signature policy checked; pull no layer.

        :raises TransferError: why it was not accepted.
        """
        ways, registry = self._tools.unsupported, image.repository.registry
        if ways.includes(image) or (ways.may_be_copied(image) and not self._tools.witnesses.disagree(registry)):
            self._ensure_given(image, deadline)  # the policy accepts anything
            return
        self._tools.registries.outages.check(registry)
        self._copied_by_skopeo(image, deadline, lambda _directory: "")

    def _is_ours(self, image: PlatformImage) -> bool:
        """Return True if an image may be copied without skopeo, and the client was not refused any of its blobs."""
        ways = self._tools.unsupported
        if ways.includes(image):
            return True
        return ways.may_be_copied(image) and self.missing(image).keys() <= {image.digest}

    def _is_confirmed(self, image: PlatformImage, deadline: float) -> bool:
        """Return True if an image that is complete may be written without skopeo; see :class:`Witnesses`."""
        ways, witnesses, registry = self._tools.unsupported, self._tools.witnesses, image.repository.registry
        if not ways.can_be_read(image):
            witnesses.cannot_read(registry)
            return True
        if not ways.may_be_copied(image):  # an artefact that the policy says nothing about
            return True

        def compare() -> str:
            return self._copied_by_skopeo(image, deadline, lambda made: self._cache.folders.difference(made, image))

        return witnesses.agree(registry, compare)

    def _copied_by_skopeo(self, image: PlatformImage, deadline: float, look: Callable[[str], str]) -> str:
        """Have skopeo copy an image without its layers, and look at the copy, which is then removed.

        :param look: is given the directory; see :meth:`Skopeo.copy_without_layers`.
        :returns: what ``look`` returns.
        """
        found: list[str] = []

        def copy(name: str) -> None:
            with self._cache.workspace.scratch() as directory:
                self._tools.skopeo.copy_without_layers(image, name, directory, deadline=deadline)
                found.append(look(directory))

        _by_any_name(image, copy)
        self._tools.registries.outages.answered(image.repository.registry)
        return found[-1]

    def _copy_with_skopeo(self, image: PlatformImage, deadline: float) -> StoredImage:
        if not all(map(self._cache.blobs.has, image.left_out)):
            return self._copy_in_part(image, deadline)
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
                        blobs.place(path, digest)

        _by_any_name(image, copy)
        self._tools.registries.outages.answered(image.repository.registry)
        return self._write(image)

    def _complete(self, image: PlatformImage, deadline: float) -> None:
        """Have everything that an image consists of in the cache, and its manifest given by its own repository."""
        if self._cache.blobs.drop_damaged(image.descriptor):
            self._cache.blobs.store_document(image.digest, self._manifest_now(image, deadline))
        self._ensure_given(image, deadline)
        for blob in self.missing(image).values():
            self._blobs.pull_from(image.repository, blob, deadline)

    def _write(self, image: PlatformImage) -> StoredImage:
        try:
            return self._cache.folders.write(image)
        except ManifestError as error:
            raise TransferError(str(error), heals=True) from error

    def _ensure_given(self, image: PlatformImage, deadline: float) -> None:
        """Ask the image's repository for its manifest, unless it has given it in this run: others may have it too."""
        if not self._tools.registries.has_given(image.repository, image.digest):
            self._manifest_now(image, deadline)

    def _manifest_now(self, image: PlatformImage, deadline: float) -> bytes:
        """Return the image's manifest as its repository gives it now."""
        found: list[bytes] = []

        def ask(name: str) -> None:
            fetched = self._tools.registries.get_manifest(image.repository, name[1:])
            if fetched.digest != image.digest:
                reference = f"{image.repository}{name}"
                raise Missing(f"{reference} names another image by now; run again", heals=False)
            found.append(fetched.raw)

        with time_left(deadline - time.monotonic()):
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
