# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Images of hosts that have nothing to carry, because earlier archives have all of their shares. Pure.

The lists of a set of bundles name them all the same: on the other side, they take the place of those that are there.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace

from ansible_collections.airgap.images.plugins.module_utils._archive.bases import BaseArchive, newest_of
from ansible_collections.airgap.images.plugins.module_utils._archive.lock import Lock, LockedImage, Requirement


def references_in(archives: Iterable[BaseArchive]) -> frozenset[str]:
    """Return the references that archives have."""
    return frozenset(str(image.reference) for one in archives for image in one.lock.images)


def with_spared(merged: Lock, spared: Collection[str], archives: Sequence[BaseArchive]) -> Lock:
    """Add the images that no host has to carry to the lock file of a set, for its lists and its script.

    :param spared: their references.
    :param archives: those that were carried before.
    """
    images = {str(image.reference): image for image in merged.images}
    requires = dict(merged.requires)
    for archive in newest_of(archives):
        for image in archive.lock.images:
            if str(image.reference) in spared and str(image.reference) not in images:
                images[str(image.reference)] = image
                requires.update(_documents_of(image, archive))
    needed = {digest: one for digest, one in requires.items() if digest not in merged.blobs}
    return replace(merged, images=tuple(images[name] for name in sorted(images)), requires=needed)


def _documents_of(image: LockedImage, archive: BaseArchive) -> Iterator[tuple[str, Requirement]]:
    for digest in (image.entry, *(platform.digest for platform in image.platforms)):
        if digest in archive.lock.blobs:
            size = archive.lock.blobs[digest]
            yield digest, Requirement(size, (image.reference.name,), archive.name, ())
