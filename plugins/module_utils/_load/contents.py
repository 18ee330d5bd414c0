# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The images of archives as they are to be in the target registry. Reads documents, never blobs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from .._archive.lock import LockedImage
from .._base.errors import ManifestError
from .._oci.descriptor import Descriptor, digest_of
from .._oci.image_list import ListedImage
from .._oci.manifest import Index, Manifest, generate_index, parse_manifest
from .._oci.reference import Reference
from .._oci.schema1 import Schema1
from .._source.archive import Archive
from .naming import Target
from .options import SOURCE


@dataclass(frozen=True)
class LoadImage:
    """A reference of an archive, and its name in the target registry.

    :param listed: the reference, and its place in the list or the archive.
    :param digest: of the manifest or index that its tag is to name.
    :param generated: that index, if the archive does not have it.
    """

    archive: Archive = field(repr=False, compare=False)
    listed: ListedImage
    target: Target
    digest: str
    generated: bytes | None = field(default=None, repr=False)

    def document(self, digest: str) -> bytes:
        """Read a document of the image.

        :raises SourceError: when it cannot be read.
        """
        is_generated = self.generated is not None and digest == self.digest
        return self.generated or b"" if is_generated else self.archive.document(digest)

    @property
    def reference(self) -> Reference:
        """The reference as the archive has it."""
        return self.listed.reference


@dataclass(frozen=True)
class Child:
    """A manifest to be pushed by its digest.

    :param descriptor: of the manifest.
    :param blobs: configuration and layers that it names, without foreign layers that the archive lacks.
    :param subject: digest of the manifest that it refers to; empty: it refers to none.
    """

    descriptor: Descriptor
    blobs: tuple[Descriptor, ...]
    subject: str = ""


@dataclass(frozen=True)
class Content:
    """Everything of an image, from the bottom up.

    :param children: manifests, each once.
    :param top: of what the tag is to name; the only child, or an index of the children.
    :param is_whole: whether the children are all that the index names.
    :param subject: digest of the manifest that the index refers to; empty: it is no index, or refers to none.
    """

    children: tuple[Child, ...]
    top: Descriptor
    is_whole: bool = True
    subject: str = ""

    @property
    def subjects(self) -> tuple[str, ...]:
        """The digests that the index or its manifests refer to."""
        found = dict.fromkeys((self.subject, *(child.subject for child in self.children)))
        return tuple(one for one in found if one)

    def blobs(self) -> Iterator[Descriptor]:
        """Yield the blobs of all children; one that several have comes more than once."""
        for child in self.children:
            yield from child.blobs


def read_content(image: LoadImage) -> Content:
    """Read the documents of an image.

    :raises ManifestError: when they are not what the lock says.
    :raises SourceError: when they cannot be read.
    """
    raw = image.document(image.digest)
    parsed = parse_manifest(raw)
    if isinstance(parsed, Schema1):
        raise ManifestError(f"{image.digest} is of Docker schema 1, which archives do not hold")
    top = Descriptor(parsed.media_type, image.digest, len(raw))
    if isinstance(parsed, Manifest):
        return Content((_child(image.archive, top, parsed),), top)
    digests = dict.fromkeys(entry.digest for entry in parsed.manifests)
    there = [one for one in digests if image.archive.has(one)]
    children = tuple(_read_child(image.archive, one) for one in there)
    return Content(children, top, is_whole=len(there) == len(digests), subject=parsed.subject)


def _read_child(archive: Archive, digest: str) -> Child:
    raw = archive.document(digest)
    parsed = parse_manifest(raw)
    if not isinstance(parsed, Manifest):
        raise ManifestError(f"{digest} is named by an index, but is not a manifest")
    return _child(archive, Descriptor(parsed.media_type, digest, len(raw)), parsed)


def _child(archive: Archive, descriptor: Descriptor, parsed: Manifest) -> Child:
    # A bundle may leave out a foreign layer that its base has.
    blobs = tuple(
        blob
        for blob in parsed.blobs()
        if not blob.is_foreign or archive.has(blob.digest) or blob.digest in archive.lock.requires
    )
    return Child(descriptor, blobs, subject=parsed.subject)


def blobs_named_in(raw: bytes) -> list[str]:
    """Return the digests of configuration and layers that a manifest names; none if it is something else."""
    try:
        parsed = parse_manifest(raw)
    except ManifestError:
        return []
    return [blob.digest for blob in parsed.blobs()] if isinstance(parsed, Manifest) else []


def top_of(archive: Archive, locked: LockedImage, *, index: str) -> tuple[str, bytes | None]:
    """Return the digest that a reference's tag is to name in the target registry, and its bytes if it is generated.

    This is the source's own manifest or index if the archive has all of it, else an index of what it has. Docker schema
    1 is converted when it is saved, and has another digest for that reason.

    :param index: ``source`` for the source's index though not all of its manifests were saved.
    :raises SourceError: when the archive does not record this, and its documents cannot be read.
    """
    if index == SOURCE and archive.has(locked.digest):
        return locked.digest, None
    if locked.loaded_digest:
        return locked.loaded_digest, None
    return _top_by_documents(archive, locked)


def _top_by_documents(archive: Archive, locked: LockedImage) -> tuple[str, bytes | None]:
    """Find it out from the documents, as archives before writer 4 do not record it."""
    if not archive.has(locked.digest):
        return locked.platforms[0].digest, None
    parsed = parse_manifest(archive.document(locked.digest))
    if not isinstance(parsed, Index):
        return locked.digest, None
    entries = [entry for entry in parsed.manifests if archive.has(entry.digest)]
    if len(entries) == len(parsed.manifests):
        return locked.digest, None
    types = {one.digest: one.media_type for one in locked.platforms}
    generated = generate_index(
        replace(one, size=archive.lock.blobs[one.digest], media_type=types.get(one.digest, one.media_type))
        for one in entries
    )
    digest = digest_of(generated)
    return digest, None if archive.has(digest) else generated
