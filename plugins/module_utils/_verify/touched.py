# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Finds the images of an archive that need bytes of certain parts."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

from .._archive.lock import LockedImage
from .._archive.output import DIR
from .._base.errors import ManifestError
from .._base.json import Json
from .._oci.image import hex_of
from .._oci.manifest import Manifest, parse_manifest
from .._source.archive import Archive


@dataclass(frozen=True)
class Touched:
    """An image that a damage touches.

    :param parts: the names of the damaged or missing parts that it needs; of those it may need if that is not known.
    """

    reference: str
    parts: tuple[str, ...]

    def as_json(self, archive: str) -> dict[str, Json]:
        """Return it as the module returns it.

        :param archive: path of the archive.
        """
        return {"reference": self.reference, "archive": archive, "parts": list(self.parts)}


@dataclass(frozen=True)
class Harm:
    """The images that a damage touches.

    :param is_known: False if the archive does not say where its blobs are, so that it may be any image.
    """

    images: tuple[Touched, ...] = ()
    is_known: bool = True


def harm_of(archive: Archive, bad: Collection[str]) -> Harm:
    """Find the images that need any of some parts.

    :param bad: names of the parts that are damaged or missing.
    :raises SourceGone: when the disk, stick or share does not answer any more.
    """
    lock = archive.lock
    says_where = lock.options.get("compress") == DIR or (
        archive.has_offsets and lock.blobs.keys() <= lock.offsets.keys()
    )
    blobs = _blobs_of_manifests(archive, bad) if says_where else None
    if blobs is None:
        return Harm(tuple(Touched(str(image.reference), tuple(bad)) for image in archive.images), is_known=False)
    touched: list[Touched] = []
    for image in archive.images:
        tops = _documents_of(image)
        needed = [*tops, *(blob for digest in tops for blob in blobs.get(digest, ()))]
        lost = {name for digest in needed for name in _parts_of(archive, digest)} | _in_folders(image, bad)
        if not lost.isdisjoint(bad):
            touched.append(Touched(str(image.reference), tuple(name for name in bad if name in lost)))
    return Harm(tuple(touched))


def _in_folders(image: LockedImage, bad: Collection[str]) -> set[str]:
    """Return those files of a directory that are in the folders of an image's platforms."""
    folders = {hex_of(platform.digest) for platform in image.platforms}
    return {name for name in bad if name.partition("/")[0] in folders}


def _documents_of(image: LockedImage) -> list[str]:
    """Return the digests of an image's manifests and indexes."""
    named = (image.digest, image.entry, image.loaded_digest, *(platform.digest for platform in image.platforms))
    return [digest for digest in dict.fromkeys(named) if digest]


def _blobs_of_manifests(archive: Archive, bad: Collection[str]) -> dict[str, tuple[str, ...]] | None:
    """Read the manifests that are in whole parts, and return the blobs that each names.

    :returns: ``None`` if one of them cannot be read all the same, so that it is not known what it names.
    """
    wanted = {digest for image in archive.images for digest in _documents_of(image)}
    wanted = {digest for digest in wanted if archive.has(digest)}
    readable = [digest for digest in wanted if not {*_parts_of(archive, digest)} & {*bad}]
    found = dict(_named(archive.documents(readable)))
    return found if found.keys() == {*readable} else None


def _named(documents: Iterable[tuple[str, bytes]]) -> Iterator[tuple[str, tuple[str, ...]]]:
    for digest, raw in documents:
        try:
            parsed = parse_manifest(raw)
        except ManifestError:
            continue
        yield digest, tuple(blob.digest for blob in parsed.blobs()) if isinstance(parsed, Manifest) else ()


def _parts_of(archive: Archive, digest: str) -> tuple[str, ...]:
    return archive.part_of(digest) if archive.has(digest) else ()
