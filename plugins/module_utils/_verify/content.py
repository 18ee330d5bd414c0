# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Checks an archive of which nothing is recorded by the digests of its blobs, as those of hangar."""

from __future__ import annotations

from collections.abc import Collection

from .._base.errors import ImagesError, Interrupted, ManifestError
from .._base.stop import go_on
from .._oci.manifest import Manifest, parse_manifest
from .._source.archive import Archive, open_found
from .._source.errors import SourceError, SourceGone
from .._source.find import FoundArchive
from .._source.joined import PartFile
from .._source.part_check import PartCheck
from .._source.tree import TreeBlobs
from .compare import Reading
from .touched import Harm, Touched

_PIECE = 1024 * 1024


def files_of_tree(found: FoundArchive) -> tuple[PartFile, ...]:
    """Return the blobs of a directory without a lock file, whose names are their sha256.

    :raises SourceGone: when the disk, stick or share does not answer any more.
    """
    blobs = TreeBlobs(found.root, sizes={}, checked=PartCheck(go_on), check=go_on)
    return tuple(file for digest in sorted(blobs.sizes) for file in blobs.parts_of(digest))


def look_into(found: FoundArchive, reading: Reading, *, bad: Collection[str] = ()) -> tuple[str, Harm]:
    """Find what is wrong in an archive without a lock file, and the images that this touches.

    :param bad: digests of blobs that are known to be damaged; those of a directory are not read again.
    :returns: what is wrong, as clauses; empty if nothing is.
    :raises SourceGone: when the disk, stick or share does not answer any more.
    """
    try:
        archive = open_found(found, stop=reading.stop, log=reading.log)
        damage, lost = ("", {*bad}) if found.root else _read_through(archive, reading)
    except (SourceGone, Interrupted):
        raise
    except ImagesError as error:
        return str(error), Harm(is_known=False)
    failed = [Touched(reference, ()) for reference in archive.lock.failed]
    touched = [Touched(str(image.reference), ()) for image in archive.images if _lacks(archive, image.digest, lost)]
    if failed or touched:
        damage = damage or "the archive lacks something that its images need, or it is damaged"
    return damage, Harm((*failed, *touched))


def _read_through(archive: Archive, reading: Reading) -> tuple[str, set[str]]:
    """Read all blobs in one pass.

    :returns: what is wrong with the first one, and the digests of those that could not be read.
    """
    reading.progress.bytes += sum(archive.lock.blobs.values())
    lost, damage = {*archive.lock.blobs}, ""
    try:
        for digest, reader in archive.in_stream_order(archive.lock.blobs):
            try:
                while piece := reader.read1(_PIECE):
                    reading.counter.add(len(piece))
                lost.discard(digest)
            except (SourceGone, Interrupted):
                raise
            except ImagesError as error:
                damage = damage or str(error)
    except SourceGone:
        raise
    except SourceError as error:
        damage = damage or str(error)
    return damage, lost


def _lacks(archive: Archive, digest: str, lost: Collection[str]) -> bool:
    """Return True if anything below a manifest or index is lost; what an index names and was not saved is not."""
    if digest in lost:
        return True
    try:
        parsed = parse_manifest(archive.document(digest))
    except SourceGone:
        raise
    except (ManifestError, SourceError):
        return True
    if isinstance(parsed, Manifest):
        return any(blob.digest in lost or not (archive.has(blob.digest) or blob.is_foreign) for blob in parsed.blobs())
    entries = getattr(parsed, "manifests", ())
    return any(_lacks(archive, entry.digest, lost) for entry in entries if archive.has(entry.digest))
