# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Chooses the entries of an index to save. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from .._base.errors import ManifestError
from .._oci.descriptor import Descriptor
from .._oci.platform import Platform
from .image_set import Pin
from .options import Selection


def choose(entries: Sequence[Descriptor], selection: Selection) -> list[Descriptor]:
    """Return the entries of an index to save: images of the wanted platforms, their attestations, and artefacts.

    Artefacts (no platform, or ``unknown/unknown``) belong to an image's tag, not to a platform; if the index has
    images, but none of a wanted platform, they are not saved either.
    """
    images = [entry for entry in entries if entry.platform is not None and not entry.platform.is_unknown]
    matching = [e for e in images if e.platform is not None and selection.platforms.matches(e.platform)]
    if images and not matching:
        return []
    wanted = {entry.digest for entry in matching}
    chosen = {identity(entry) for entry in [*matching, *(entry for entry in entries if _belongs(entry, wanted))]}
    return [entry for entry in entries if identity(entry) in chosen]


def choose_pinned(entries: Sequence[Descriptor], selection: Selection, pin: Pin) -> list[Descriptor]:
    """Return the entries of an index that a lock file names; of several for one manifest, those of wanted platforms.

    :param selection: as the lock file records it.
    :raises ManifestError: when the index has no entry for a platform image of the lock file.
    """
    ensure_all(pin, {entry.digest for entry in entries})
    wanted = {identity(entry) for entry in choose(entries, selection)}
    known = {digest for digest, _platform in wanted}
    return [
        entry
        for entry in entries
        if entry.digest in pin.platforms and (identity(entry) in wanted or entry.digest not in known)
    ]


def ensure_all(pin: Pin, found: set[str]) -> None:
    """Check that an image still has all platform images that a lock file names.

    :param found: digests of those it has.
    :raises ManifestError: when one is missing.
    """
    absent = sorted(pin.platforms - found)
    if absent:
        raise ManifestError(
            f"the lock file names {absent[0]} as one of its platform images, but the image does not have it"
        )


def identity(entry: Descriptor) -> tuple[str, Platform | None]:
    """Return what tells an entry from others in a lock file."""
    return entry.digest, entry.platform


def _belongs(entry: Descriptor, wanted: set[str]) -> bool:
    if entry.attests:
        return entry.attests in wanted
    return entry.platform is None or entry.platform.is_unknown
