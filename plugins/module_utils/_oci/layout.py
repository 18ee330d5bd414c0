# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The documents of an archive: OCI image layouts and hangar's list. Pure; the same content gives the same bytes.

image-spec, image-layout.md; hangar v1.6, ``saved-images-list.json`` version v1.1.0.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from io import BytesIO

from .._base.json import Json, compact
from .._base.json_pieces import Listed, canonical_pieces, compact_list
from .._base.slots import slotted
from .descriptor import NO_ANNOTATIONS, Descriptor, descriptor_json, digest_of
from .image import ResolvedImage, StoredImage, hex_of
from .manifest import generate_index
from .media_types import OCI_INDEX, OCI_MANIFEST
from .platform import Platform
from .reference import Reference

ROOT = "saved-image-cache"
SHARE = "share/sha256"
OCI_LAYOUT = b'{"imageLayoutVersion":"1.0.0"}'
SAVED_IMAGES = "saved-images-list.json"
BLOBS = "blobs"
WHOLE_TARGET, FOLDER_TARGET = "share", "../share"
"""Targets of the links ``blobs``, in the root and in the folder of a platform image; they make each a layout."""

_SAVED_IMAGES_VERSION = "v1.1.0"
_REF_NAME = "org.opencontainers.image.ref.name"


@slotted
@dataclass(frozen=True)
class SavedImage:
    """A reference with everything that the archive contains of it.

    :param entry: its descriptor in the archive's index.
    :param documents: indexes to be stored besides the platform images, by digest.
    """

    resolved: ResolvedImage
    stored: tuple[StoredImage, ...]
    entry: Descriptor
    documents: dict[str, bytes]

    @property
    def reference(self) -> Reference:
        """The reference as it was asked for."""
        return self.resolved.listed.reference


def assemble(resolved: ResolvedImage, stored: Sequence[StoredImage]) -> SavedImage:
    """Choose what a reference names in the archive.

    This is the source's own manifest or index if it is OCI's and all of it is stored; else a new index of what is
    stored, with the source's index besides. OCI readers do not know Docker's media types.
    """
    if resolved.index is None and stored[0].descriptor.media_type == OCI_MANIFEST:
        return SavedImage(resolved, tuple(stored), stored[0].descriptor, {})
    documents = {} if resolved.index is None else {resolved.digest: resolved.index}
    whole_index = resolved.whole_index
    if whole_index is not None and not any(image.source.is_converted for image in stored):
        entry = Descriptor(OCI_INDEX, resolved.digest, len(whole_index))
        return SavedImage(resolved, tuple(stored), entry, documents)
    generated = generate_index(image.descriptor for image in stored)
    entry = Descriptor(OCI_INDEX, digest_of(generated), len(generated))
    return SavedImage(resolved, tuple(stored), entry, {**documents, entry.digest: generated})


def loaded_digest(resolved: ResolvedImage, stored: Sequence[Descriptor]) -> str:
    """Return the digest of what a reference's tag is to name in another registry.

    This is the source's own manifest or index if all of it is stored. Registries take Docker's lists as they are, while
    OCI readers of an archive need another index in their place.

    :param stored: of the platform images as they are stored.
    """
    if resolved.index is None:
        return stored[0].digest
    if resolved.is_whole and {one.digest for one in stored} == {image.digest for image in resolved.children}:
        return resolved.digest
    return digest_of(generate_index(stored))


def links_of(folders: Iterable[str]) -> dict[str, str]:
    """Return the links of an archive or a cache: their targets by their names below the root.

    :param folders: names of the platform images' folders.
    """
    return {BLOBS: WHOLE_TARGET, **{f"{folder}/{BLOBS}": FOLDER_TARGET for folder in folders}}


def folder_index(descriptor: Descriptor) -> bytes:
    """Return the ``index.json`` of a platform image's folder."""
    plain = replace(descriptor, annotations=NO_ANNOTATIONS, artifact_type="")
    return compact({"schemaVersion": 2, "manifests": [descriptor_json(plain)]})


def archive_index(images: Iterable[SavedImage]) -> bytes:
    """Return the ``index.json`` of the archive, with every reference by name."""
    return index_of((image.reference, image.entry) for image in images)


def index_of(entries: Iterable[tuple[Reference, Descriptor]]) -> bytes:
    """Return an ``index.json`` that names manifests and indexes by references."""
    before, _list, behind = compact({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": []}).partition(b"[]")
    named = compact_list(_named(reference, entry) for reference, entry in entries)
    return b"".join([before, *named, behind])


def _named(reference: Reference, entry: Descriptor) -> Json:
    annotations = {**entry.annotations, _REF_NAME: str(reference)}
    return descriptor_json(replace(entry, annotations=annotations))


@dataclass(frozen=True)
class ListedPlatform:
    """A platform image as hangar's list has it.

    :param digest: of its manifest in the archive.
    :param folder: name of its folder.
    """

    digest: str
    folder: str
    platform: Platform | None
    is_attestation: bool

    @property
    def is_for_hangar(self) -> bool:
        """True if hangar loads it: it needs a platform."""
        return self.platform is not None and not self.platform.is_unknown and not self.is_attestation


def saved_images_list(images: Iterable[SavedImage]) -> bytes:
    """Return the list that ``hangar load`` reads. hangar needs a platform, so artefacts are left out.

    What was found because it refers to an image is left out too, whatever platform it claims to be for.
    """
    listed = (image for image in images if not image.resolved.listed.refers_to)
    return hangar_list((image.reference, [_listed(stored) for stored in image.stored]) for image in listed)


def hangar_list(images: Iterable[tuple[Reference, Iterable[ListedPlatform]]]) -> bytes:
    """Return the list that ``hangar load`` reads, of references with their platform images."""
    listed = ((reference, [one for one in platforms if one.is_for_hangar]) for reference, platforms in images)
    entries = Listed(_saved_image(reference, platforms) for reference, platforms in listed if platforms)
    written = BytesIO()  # which gives its bytes without a copy
    written.writelines(canonical_pieces([("List", entries), ("Version", _SAVED_IMAGES_VERSION)]))
    return written.getvalue()


def _listed(stored: StoredImage) -> ListedPlatform:
    descriptor = stored.descriptor
    return ListedPlatform(
        digest=descriptor.digest,
        folder=stored.source.folder,
        platform=descriptor.platform,
        is_attestation=bool(descriptor.attests),
    )


def load_tag(reference: Reference) -> str:
    """Return the tag that hangar gives an image: the reference's, or one made of its digest."""
    return reference.tag or f"digest-{hex_of(reference.digest or '')}"


def _saved_image(reference: Reference, listed: Sequence[ListedPlatform]) -> Json:
    platforms = [one.platform.canonical for one in listed if one.platform is not None]
    return {
        "Source": reference.name,
        "Tag": load_tag(reference),
        "ArchList": _unique(platform.architecture for platform in platforms),
        "OsList": _unique(platform.os for platform in platforms),
        "Images": [_saved_platform(one) for one in listed],
    }


def _saved_platform(one: ListedPlatform) -> Json:
    values: dict[str, Json] = {"Digest": one.digest}
    if one.platform is not None:
        platform = one.platform.canonical  # hangar compares words
        values.update(
            {
                "Arch": platform.architecture,
                "OS": platform.os,
                "OsVersion": platform.os_version,
                "Variant": platform.variant,
            }
        )
    values["Folder"] = one.folder
    return {key: value for key, value in values.items() if value}


def _unique(values: Iterable[str]) -> list[Json]:
    return list(dict.fromkeys(values))
