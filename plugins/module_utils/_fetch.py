# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One platform image from registry to cache: with retries, leftovers removed, and a look at what arrived."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Mapping

from ._cache import Cache
from ._errors import ManifestError, StorageError, TransferError
from ._image import PlatformImage, StoredImage, hex_of
from ._log import Log
from ._manifest import Descriptor
from ._parallel import parallel_map
from ._retry import retrying
from ._tools import Tools


class Fetcher:
    """Copies platform images into the cache, and counts what that downloaded.

    :param places: the number of each platform image's reference in the list, and its own within the reference.
    :param timeout: seconds for one image, with all its tries.
    """

    def __init__(
        self,
        tools: Tools,
        cache: Cache,
        log: Log,
        *,
        places: Mapping[str, tuple[int, int]],
        timeout: float,
    ) -> None:
        self._tools = tools
        self._cache = cache
        self._log = log
        self._places = places
        self._timeout = timeout
        self._mutex = threading.Lock()
        self.downloaded: dict[str, int] = {}

    def missing(self, image: PlatformImage) -> set[str]:
        """Digests of the blobs that a copy would fetch now."""
        return {blob.digest for blob in (image.descriptor, *image.blobs) if not self._cache.has_blob(blob)}

    def fetch(self, image: PlatformImage) -> StoredImage:
        """Copy an image, unless it is whole already.

        :raises TransferError: why it could not be copied, after all tries.
        """
        number, platform = self._places[image.digest]
        try:
            return self._fetch(image, number, platform)
        except OSError as error:
            raise StorageError(f"cannot write to cache_dir {self._cache.root}: {error.strerror}") from error

    def _fetch(self, image: PlatformImage, number: int, platform: int) -> StoredImage:
        with self._log.about(number, platform):
            missing = self.missing(image)
            self._log.info(f"copying {image.repository}@{image.digest} ({image.descriptor.platform or 'artefact'})")
            deadline = time.monotonic() + self._timeout
            started = time.monotonic()
            stored = retrying(
                lambda: self._copy(image, deadline),
                policy=self._tools.policy,
                stop=self._tools.stop,
                deadline=deadline,
                on_retry=self._log.warning,
            )
            self._log.info(f"copied {len(missing)} blobs in {time.monotonic() - started:.1f} s")
        with self._mutex:
            self.downloaded.update({blob.digest: blob.size for blob in stored.all_blobs() if blob.digest in missing})
            if image.is_converted:
                self.downloaded.update({blob.digest: blob.size for blob in stored.all_blobs()})
        return stored

    def _copy(self, image: PlatformImage, deadline: float) -> StoredImage:
        self._cache.drop_unsound((image.descriptor, *image.blobs))
        for layer in {layer.digest: layer for layer in (*image.foreign_layers, *image.repeated_layers)}.values():
            self._fetch_layer(image, layer, deadline)
        folder = self._cache.new_folder(image)
        self._tools.skopeo.copy(image, folder, os.path.dirname(self._cache.share), deadline=deadline)
        try:
            return self._cache.adopt_folder(folder, image)
        except ManifestError as error:
            raise TransferError(str(error), heals=True) from error

    def _fetch_layer(self, image: PlatformImage, layer: Descriptor, deadline: float) -> None:
        """Fetch what skopeo would leave out, or fetch more than once."""
        if self._cache.has_blob(layer):
            return
        path = os.path.join(self._cache.run_directory, f"layer-{hex_of(layer.digest)}")

        def late(_path: str) -> None:
            raise TransferError("it was not done within timeout", heals=False)

        try:
            parallel_map(
                lambda path: self._tools.registries.fetch_blob(image.repository, layer, path),
                [path],
                workers=1,
                timeout=deadline - time.monotonic(),
                late=late,
            )
        except TransferError as error:
            if not layer.is_foreign:
                # Where only skopeo gets through (a mirror that registries.conf names), twice is better than not at all.
                self._log.debug(f"{error}; left to skopeo")
                return
            raise TransferError(f"foreign layer: {error}", heals=False) from error
        self._cache.adopt_blob(path, layer.digest)
