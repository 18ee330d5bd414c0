# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Make the record of an archive from what was saved, or will be. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from .._oci.image import ResolvedImage, SkippedImage
from .._oci.layout import SavedImage, loaded_digest
from .file_table import FileTable
from .lock import PARITY, Lock, LockedImage, LockedPlatform, LockedSkip
from .parts import Part


def lock_image(image: SavedImage) -> LockedImage:
    """Record a reference that was saved."""
    platforms = [
        LockedPlatform(
            digest=stored.descriptor.digest,
            source_digest=stored.source.digest,
            media_type=stored.descriptor.media_type,
            size=stored.size,
            platform=stored.descriptor.platform,
            is_attestation=bool(stored.descriptor.attests),
        )
        for stored in image.stored
    ]
    resolved = image.resolved
    return LockedImage(
        reference=image.reference,
        digest=resolved.digest,
        media_type=resolved.media_type,
        platforms=tuple(platforms),
        notes=resolved.notes,
        entry=image.entry.digest,
        loaded_digest=loaded_digest(resolved, [stored.descriptor for stored in image.stored]),
        refers_to=resolved.listed.refers_to,
        artifact_type=resolved.artifact_type if resolved.listed.refers_to else "",
    )


def predict_image(resolved: ResolvedImage) -> LockedImage:
    """Record a reference that is not copied yet; conversions are not predicted."""
    platforms = [
        LockedPlatform(
            digest=image.digest,
            source_digest=image.digest,
            media_type=image.descriptor.media_type,
            size=image.size,
            platform=image.descriptor.platform,
        )
        for image in resolved.children
    ]
    return LockedImage(
        reference=resolved.listed.reference,
        digest=resolved.digest,
        media_type=resolved.media_type,
        platforms=tuple(platforms),
        notes=resolved.notes,
        loaded_digest=loaded_digest(resolved, [image.descriptor for image in resolved.children]),
        refers_to=resolved.listed.refers_to,
        artifact_type=resolved.artifact_type if resolved.listed.refers_to else "",
    )


def renew_record(before: Lock, wanted: Lock) -> Lock:
    """Renew the record of a published archive: its parts and images stay, the rest comes from this run.

    So do the parity files, if parity is still wanted.
    """
    images = [
        replace(old, notes=new.notes, refers_to=new.refers_to, artifact_type=new.artifact_type)
        for old, new in zip(before.images, wanted.images)
    ]
    return replace(
        before,
        options=wanted.options,
        images=tuple(images),
        skipped=wanted.skipped,
        failed=wanted.failed,
        parity=before.parity if wanted.options.get(PARITY) else (),
        base=wanted.base,
    )


def lock_skips(skipped: Iterable[SkippedImage]) -> tuple[LockedSkip, ...]:
    """Record references that were skipped."""
    return tuple(LockedSkip(one.listed.reference, one.digest, one.reason) for one in skipped)


def with_parts(lock: Lock, parts: Sequence[Part], compressor: str) -> Lock:
    """Add the parts, and the library that compressed them, to a record."""
    return replace(lock, parts=parts if isinstance(parts, FileTable) else tuple(parts), compressor=compressor)
