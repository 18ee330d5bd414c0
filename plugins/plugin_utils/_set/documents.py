# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""C(index.json) and hangar's list of a whole set, from its lock file. Pure.

Together with everything else from the archives of all hosts, they make one layout: docs/archive.md has both formats.
"""

from __future__ import annotations

from ansible_collections.airgap.images.plugins.module_utils._archive.lock import Lock, LockedImage, LockedPlatform
from ansible_collections.airgap.images.plugins.module_utils._base.errors import LockFileError, printable
from ansible_collections.airgap.images.plugins.module_utils._oci.descriptor import Descriptor
from ansible_collections.airgap.images.plugins.module_utils._oci.image import hex_of
from ansible_collections.airgap.images.plugins.module_utils._oci.layout import ListedPlatform, hangar_list, index_of
from ansible_collections.airgap.images.plugins.module_utils._oci.media_types import OCI_INDEX


def merged_index(lock: Lock) -> bytes:
    """Return the C(index.json) of the set.

    :param lock: of the set.
    :raises LockFileError: when the lock file of a host does not say which manifest or index a reference names.
    """
    images = {image.reference: image for image in lock.images}  # several hosts may have what refers to an image
    return index_of((reference, _entry(image, lock)) for reference, image in images.items())


def merged_list(lock: Lock) -> bytes:
    """Return the list that hangar reads.

    :param lock: of the set.
    """
    listed = (image for image in lock.images if not image.refers_to)
    return hangar_list((image.reference, [*map(_listed, image.platforms)]) for image in listed)


def _entry(image: LockedImage, lock: Lock) -> Descriptor:
    """Return the descriptor of a reference: of its only manifest, or of an index, which has no platform."""
    sizes = {**{digest: one.size for digest, one in lock.requires.items()}, **lock.blobs}
    if image.entry not in sizes:
        raise LockFileError(
            f"the lock file of an archive does not record the entry of {printable(str(image.reference))} in its "
            "index.json, as early releases did not; run again with image_save_force: true"
        )
    size = sizes[image.entry]
    first = image.platforms[0] if image.platforms else None
    if first is not None and first.digest == image.entry:
        return Descriptor(first.media_type, image.entry, size, first.platform)
    return Descriptor(OCI_INDEX, image.entry, size)


def _listed(one: LockedPlatform) -> ListedPlatform:
    return ListedPlatform(
        digest=one.digest,
        folder=hex_of(one.source_digest),
        platform=one.platform,
        is_attestation=one.is_attestation,
    )
