# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Writes the layout of a platform image without skopeo, just as it is where skopeo has copied it."""

from __future__ import annotations

from .._base.errors import DamagedBlobError, ManifestError
from .._oci.image import PlatformImage, StoredImage
from .._oci.manifest import Descriptor, Manifest
from .cache import Cache


def write_layout(cache: Cache, image: PlatformImage) -> StoredImage:
    """Make the folder of a platform image whose blobs are all in the cache.

    Manifest and configuration are read again here; layers were when they came, and are when they are archived.

    :raises ManifestError: when a blob is not there, or manifest or configuration is not what its name says.
    """
    for blob in _read_by_others(image):
        try:
            cache.check_blob(blob)
        except DamagedBlobError as error:
            raise ManifestError(str(error)) from error
    lacking = [blob.digest for blob in image.blobs if not cache.has_blob(blob)]
    if lacking:
        raise ManifestError(f"{lacking[0]} of {image.digest} is not in the cache")
    return cache.place_folder(cache.new_folder(image), image.descriptor, image)


def _read_by_others(image: PlatformImage) -> list[Descriptor]:
    content = image.content
    config = content.config if isinstance(content, Manifest) else None
    return [image.descriptor] if config is None else [image.descriptor, config]
