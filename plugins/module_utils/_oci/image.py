# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Platform images, and the references that consist of them. Pure data."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Union

from .._base.errors import ImagesError
from .._base.slots import slotted
from .descriptor import Descriptor
from .image_list import ListedImage
from .manifest import AnyManifest, Manifest, parse_manifest
from .media_types import OCI_INDEX
from .reference import Repository
from .schema1 import Schema1


def hex_of(digest: str) -> str:
    """Return the hex part of a digest: the name of a blob's file and of an image's folder."""
    return digest.partition(":")[2]


def key_of(repository: Repository, digest: str) -> str:
    """Return the name of a manifest in one repository; others may have it too, under another policy or login."""
    return sys.intern(f"{repository.key}@{digest}")  # which is asked for again and again, and kept in many places


@slotted
@dataclass(frozen=True)
class PlatformImage:
    """One manifest to be copied: an image for one platform, an attestation or an artefact.

    :param descriptor: the entry that names it, with its platform if that is known.
    :param blobs: configuration and layers that have to be in the cache; sizes in bytes.
    :param tag: names exactly this manifest; empty if the tag names an index, or only the digest is known.
    :param left_out: layers that an earlier archive carried, and this one therefore does not.
    :param is_referrer: whether it was found because it refers to an image, or such an index names it.
    """

    descriptor: Descriptor
    repository: Repository
    content: Manifest | Schema1
    blobs: tuple[Descriptor, ...]
    tag: str = ""
    left_out: tuple[Descriptor, ...] = ()
    is_referrer: bool = False

    @property
    def is_artefact(self) -> bool:
        """True for what runs nowhere, as no platform is named for it: a chart, a signature."""
        return self.descriptor.platform is None or self.descriptor.platform.is_unknown

    @property
    def digest(self) -> str:
        """Digest of its manifest."""
        return self.descriptor.digest

    @property
    def key(self) -> str:
        """The name of the image in its repository."""
        return key_of(self.repository, self.digest)

    @property
    def folder(self) -> str:
        """The name of its folder in cache and archive."""
        return hex_of(self.descriptor.digest)

    def all_blobs(self) -> Iterator[Descriptor]:
        """Yield the manifest, and the wanted blobs that it names."""
        yield self.descriptor
        yield from self.blobs

    @property
    def size(self) -> int:
        """The bytes of manifest, configuration and layers, whatever carries them."""
        return self.descriptor.size + sum(blob.size for blob in (*self.blobs, *self.left_out))

    @property
    def is_converted(self) -> bool:
        """True if skopeo has to convert it, which gives it a new digest."""
        return isinstance(self.content, Schema1)

    @property
    def layer_digests(self) -> frozenset[str]:
        """The digests of all layers that its manifest names, wanted or not."""
        if isinstance(self.content, Schema1):
            return frozenset(self.content.layer_digests)
        config = self.content.config
        return frozenset(layer.digest for layer in self.content.layers) - {config.digest if config else ""}

    @property
    def foreign_layers(self) -> tuple[Descriptor, ...]:
        """The blobs that skopeo leaves out."""
        return tuple(blob for blob in self.blobs if blob.is_foreign)


@slotted
@dataclass(frozen=True)
class StoredImage:
    """A platform image in the cache.

    :param descriptor: of the manifest as stored; another than the registry's if skopeo had to convert it.
    :param blobs: configuration and layers as stored.
    """

    source: PlatformImage
    descriptor: Descriptor
    blobs: tuple[Descriptor, ...]

    @property
    def size(self) -> int:
        """The bytes of manifest, configuration and layers, whatever carries them."""
        return self.descriptor.size + sum(blob.size for blob in (*self.blobs, *self.source.left_out))

    def all_blobs(self) -> Iterator[Descriptor]:
        """Yield the manifest and the blobs that it names."""
        yield self.descriptor
        yield from self.blobs


def as_named_by(image: PlatformImage, stored: StoredImage) -> StoredImage:
    """Return a stored manifest with the platform and annotations that one reference's own index gives it."""
    own = image.descriptor
    if stored.descriptor is own:
        return stored if stored.source is image else replace(stored, source=image)
    descriptor = replace(
        stored.descriptor, platform=own.platform, annotations=own.annotations, artifact_type=own.artifact_type
    )
    return replace(stored, source=image, descriptor=descriptor)


@slotted
@dataclass(frozen=True)
class ResolvedImage:
    """A reference and the image that it names today.

    :param digest: of the manifest or index that the tag names.
    :param index: the index's bytes; ``None`` if the tag names a manifest.
    :param children: platform images to save, in the index's order; a manifest is listed once for each of its platforms.
    :param is_whole: whether these are all entries of the index.
    :param notes: sentences on what cannot be kept, or was left out.
    """

    listed: ListedImage
    digest: str
    media_type: str
    index: bytes | None
    children: tuple[PlatformImage, ...]
    is_whole: bool
    notes: tuple[str, ...]

    @property
    def subject(self) -> str:
        """The digest that its manifest or index says it refers to; empty if it says none."""
        content = self._content
        return "" if isinstance(content, Schema1) else content.subject

    @property
    def artifact_type(self) -> str:
        """The kind of artefact that its manifest or index says it is; empty if it says none."""
        content = self._content
        return "" if isinstance(content, Schema1) else content.artifact_type

    @property
    def _content(self) -> AnyManifest:
        return self.children[0].content if self.index is None else parse_manifest(self.index)

    @property
    def whole_index(self) -> bytes | None:
        """The index's bytes if all of it is to be saved, and its media type is OCI's; else ``None``."""
        return self.index if self.media_type == OCI_INDEX and self.is_whole else None


@dataclass(frozen=True)
class SkippedImage:
    """A reference that is left out because its image has none of the wanted platforms.

    :param reason: the platforms it has.
    :param digest: of the manifest or index that the tag names.
    """

    listed: ListedImage
    reason: str
    digest: str = ""


@dataclass(frozen=True)
class FailedImage:
    """A reference whose image could not be resolved or copied.

    :param error: why; it shows no secret.
    :param digest: of the manifest or index that the tag names; empty if that is not known.
    """

    listed: ListedImage
    error: ImagesError
    digest: str = ""

    @property
    def reason(self) -> str:
        """The error as it is shown."""
        return str(self.error)


Resolution = Union[ResolvedImage, SkippedImage, FailedImage]
