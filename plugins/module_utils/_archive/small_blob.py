# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads the small blobs of an archive, which are thousands of manifests and configurations, with few system calls."""

from __future__ import annotations

import hashlib
import os

from .._base.errors import DamagedBlobError
from .._host.files import descriptor_of_regular, keep_from_others, read_first
from .._oci.descriptor import Descriptor
from .._oci.image import hex_of

SMALL = 64 * 1024
"""Bytes up to which a blob is small: hashing it takes less than asking whether it was hashed before."""


def read_checked(path: str, blob: Descriptor) -> bytes:
    """Read a small blob, and compare size and sha256 with its descriptor; make its mode harmless.

    :raises DamagedBlobError: when they differ, or it cannot be read.
    """
    try:
        descriptor = descriptor_of_regular(path)
        try:
            raw = read_first(descriptor, blob.size + 1)
            refuse_difference(blob, len(raw), hashlib.sha256(raw).hexdigest())
            keep_from_others(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise DamagedBlobError(blob.digest, str(error.strerror)) from error
    return raw


def refuse_difference(blob: Descriptor, size: int, sha256: str | None) -> None:
    """Compare what was read of a blob with its descriptor.

    :param sha256: hex digits; ``None``: it was checked before.
    :raises DamagedBlobError: when it differs.
    """
    if size > blob.size:
        raise DamagedBlobError(blob.digest, f"it has more than {blob.size} bytes")
    if size < blob.size:
        raise DamagedBlobError(blob.digest, f"it has {size} bytes instead of {blob.size}")
    if sha256 is not None and sha256 != hex_of(blob.digest):
        raise DamagedBlobError(blob.digest, "its bytes have another sha256")
