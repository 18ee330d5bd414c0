# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The images of an archive that has no lock file, from its documents: hangar's, or any OCI image layout.

image-spec, image-layout.md ("index.json file") and annotations.md; hangar v1.6, ``saved-images-list.json``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from .._archive.lock import LockedImage, LockedPlatform
from .._base.errors import ImagesError, InvalidReferenceError, ManifestError, printable, quoted
from .._base.json import JsonError, JsonObject, parse_object
from .._host.log import Log
from .._oci.descriptor import Descriptor, digest_of, parse_entry
from .._oci.layout import SAVED_IMAGES
from .._oci.manifest import Index, Manifest, generate_index, parse_manifest
from .._oci.media_types import DOCKER_LIST, DOCKER_MANIFEST, OCI_INDEX
from .._oci.platform import Platform
from .._oci.platform_json import parse_config_platform, platform_word
from .._oci.reference import Reference, parse_reference
from .errors import MissingBlob, SourceError, SourceGone

_MOST_VALUES = 4 * 1024 * 1024
_REF_NAME = "org.opencontainers.image.ref.name"
_NAMES = ("io.containerd.image.name", _REF_NAME)
_NOTE = "the archive does not say what the reference named in its registry, so its index is made anew"


class Documents(Protocol):
    """The documents of an archive."""

    @property
    def sizes(self) -> Mapping[str, int]:
        """The sizes of the blobs by digest."""

    def document(self, digest: str) -> bytes:
        """Read a manifest, index or configuration."""

    def all_documents(self) -> Iterator[tuple[str, bytes]]:
        """Yield everything that may be a manifest or index, by digest."""

    def lists(self) -> Mapping[str, bytes]:
        """Return ``index.json`` and hangar's list, by name."""

    def damage(self) -> ImagesError | None:
        """Return why not all of the archive could be looked through."""


@dataclass
class Derived:
    """The content of an archive.

    :param failed: references whose documents are missing or damaged.
    :param generated: indexes that the archive does not have, by digest.
    """

    images: list[LockedImage] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    generated: dict[str, bytes] = field(default_factory=dict)


def derive_images(documents: Documents, *, path: str, log: Log) -> Derived:
    """Find the images of an archive without a lock file.

    :param path: names the archive for the user.
    :raises SourceError: when it names no image.
    """
    lists = documents.lists()
    deriving = _Deriving(documents)
    try:
        named = [*_of_index(lists.get("index.json"), path, log)]
        if not named:
            named = [*_of_hangar(lists.get(SAVED_IMAGES), path, log, deriving.derived.failed)]
    except (JsonError, ManifestError) as error:
        raise SourceError(f"{path} cannot be read without a lock file: {printable(str(error))}") from error
    if not named:
        damage = documents.damage()
        if damage is not None:
            raise damage
        raise SourceError(
            f"{path} names no image. Without a lock file, index.json must have the annotation {_REF_NAME} with a whole "
            "reference such as docker.io/library/nginx:1.25"
        )
    for reference, entries in _unique(named):
        try:
            deriving.add(reference, entries)
        except SourceGone:
            raise
        except (ManifestError, SourceError) as error:
            log.warning(f"{reference} cannot be loaded: {error}")
            deriving.derived.failed.append(str(reference))
    return deriving.derived


Named = tuple[Reference, Sequence[Descriptor]]


def _unique(named: Sequence[Named]) -> list[Named]:
    """Leave out references that were named before."""
    return [*{reference: (reference, entries) for reference, entries in reversed(named)}.values()][::-1]


def _of_index(raw: bytes | None, path: str, log: Log) -> Iterator[Named]:
    """Yield the references of an ``index.json``, each with the descriptor that it names."""
    if raw is None:
        return
    for document in parse_object(raw, most=_MOST_VALUES).objects("manifests"):
        entry = parse_entry(document)
        reference = _reference_of(entry)
        if reference is None:
            log.warning(f"{path}: {entry.digest} in index.json has no whole reference as its name, and is left out")
        else:
            yield reference, [entry]


def _reference_of(entry: Descriptor) -> Reference | None:
    for name in _NAMES:
        text = entry.annotations.get(name, "")
        if "/" in text or ":" in text:  # a tag alone is no name
            try:
                return parse_reference(text)
            except InvalidReferenceError:
                continue
    return None


def _of_hangar(raw: bytes | None, path: str, log: Log, failed: list[str]) -> Iterator[Named]:
    """Yield the references of hangar's list, each with the descriptors of its platform images.

    :param failed: takes names that are not valid.
    """
    if raw is None:
        return
    for image in parse_object(raw, most=_MOST_VALUES).objects("List"):
        name, tag = image.text("Source"), image.text("Tag")
        try:
            reference = parse_reference(f"{name}:{tag}")
        except InvalidReferenceError as error:
            log.warning(f"{path} lists {quoted(f'{name}:{tag}', 300)}: {error}")
            failed.append(printable(f"{name}:{tag}", 300))
            continue
        yield reference, [_hangar_entry(one) for one in image.objects("Images")]


def _hangar_entry(image: JsonObject) -> Descriptor:
    platform = Platform(
        os=platform_word(image.text("OS")),
        architecture=platform_word(image.text("Arch")),
        variant=platform_word(image.text("Variant")),
        os_version=platform_word(image.text("OsVersion")),
    )
    entry = parse_entry(JsonObject({"digest": image.text("Digest")}))
    return Descriptor("", entry.digest, 0, platform)


def _image(
    reference: Reference, digest: str, media_type: str, platforms: Sequence[LockedPlatform], *, entry: str = ""
) -> LockedImage:
    """Record an image, all of which is there."""
    return LockedImage(reference, digest, media_type, tuple(platforms), (), entry=entry, loaded_digest=digest)


class _Deriving:
    """Reads the documents of one image after the other."""

    def __init__(self, documents: Documents) -> None:
        self._documents = documents
        self._lists: dict[str, frozenset[str]] | None = None
        self.derived = Derived()

    def add(self, reference: Reference, entries: Sequence[Descriptor]) -> None:
        """Add an image.

        :param entries: one descriptor of a manifest or index, or those of several platform images.
        :raises ManifestError: when a document makes no sense.
        :raises SourceError: when one is missing or damaged.
        """
        if len(entries) == 1:
            entry = entries[0]
            content = parse_manifest(self._documents.document(entry.digest))
            if isinstance(content, Index):
                image = self._index(reference, entry.digest, content)
            else:
                platform = self._platform(entry)
                image = _image(reference, entry.digest, platform.media_type, [platform], entry=entry.digest)
        else:
            image = self._several(reference, entries)
        self.derived.images.append(image)

    def _several(self, reference: Reference, entries: Sequence[Descriptor]) -> LockedImage:
        platforms = tuple(self._platform(entry) for entry in entries)
        sizes = self._documents.sizes
        raw = generate_index(
            Descriptor(one.media_type, one.digest, sizes[one.digest], one.platform) for one in platforms
        )
        digest = digest_of(raw)
        self.derived.generated[digest] = raw
        return replace(_image(reference, digest, OCI_INDEX, platforms), notes=(_NOTE,))

    def _index(self, reference: Reference, digest: str, index: Index) -> LockedImage:
        there = [entry for entry in index.manifests if entry.digest in self._documents.sizes]
        if not there:
            raise MissingBlob(f"the archive contains none of the manifests that {digest} names")
        platforms = tuple(self._platform(entry) for entry in there)
        named, media_type = self._source_of(digest, index, platforms)
        image = _image(reference, named, media_type, platforms, entry=digest)
        return image if len(there) == len(index.manifests) else replace(image, loaded_digest="")

    def _source_of(self, digest: str, index: Index, platforms: Sequence[LockedPlatform]) -> tuple[str, str]:
        """Return what the reference named in its registry, as far as the archive says.

        For Docker's images, ``index.json`` names an index that was made for the archive. The list that it stands for is
        there too: the only one of Docker's with the same manifests. Without a list, the reference named the one
        manifest.
        """
        children = frozenset(platform.digest for platform in platforms)
        wider = {other: names for other, names in self._docker_lists().items() if names >= children}
        same = [other for other, names in wider.items() if names == children]
        if len(same) == 1:
            return same[0], DOCKER_LIST
        if not wider and len(platforms) == 1 and platforms[0].media_type == DOCKER_MANIFEST:
            return platforms[0].digest, DOCKER_MANIFEST
        return digest, index.media_type

    def _docker_lists(self) -> Mapping[str, frozenset[str]]:
        """Return Docker's manifest lists in the archive, with the manifests that they name."""
        if self._lists is None:
            self._lists = {}
            for digest, raw in self._documents.all_documents():
                try:
                    content = parse_manifest(raw)
                except ManifestError:
                    continue
                if isinstance(content, Index) and content.media_type == DOCKER_LIST:
                    self._lists[digest] = frozenset(entry.digest for entry in content.manifests)
        return self._lists

    def _platform(self, entry: Descriptor) -> LockedPlatform:
        content = parse_manifest(self._documents.document(entry.digest))
        if not isinstance(content, Manifest):
            raise ManifestError(f"{entry.digest} is not the manifest of an image")
        sizes = self._documents.sizes
        held = sum(sizes.get(blob.digest, 0) for blob in content.blobs())
        platform = entry.platform or self._platform_of(content)
        return LockedPlatform(
            digest=entry.digest,
            source_digest=entry.digest,
            media_type=content.media_type,
            size=sizes[entry.digest] + held,
            platform=platform,
            is_attestation=bool(entry.attests),
        )

    def _platform_of(self, manifest: Manifest) -> Platform | None:
        """Return the platform of an image's configuration; ``None`` for artefacts."""
        if manifest.config is None or not manifest.is_image or manifest.config.digest not in self._documents.sizes:
            return None
        platform = parse_config_platform(self._documents.document(manifest.config.digest))
        return platform if platform.os and platform.architecture else None
