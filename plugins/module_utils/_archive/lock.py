# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The lock file: what an archive holds, and by which the next run knows whether anything changed.

Equal content gives equal bytes: no times, no host names, no paths.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from .._base.errors import InvalidReferenceError, LockFileError, printable, quoted
from .._base.json import Json, JsonError, JsonObject, canonical, parse_object
from .._oci.image import ResolvedImage, SkippedImage
from .._oci.layout import SavedImage, links_of
from .._oci.manifest import parse_platform, platform_json
from .._oci.platform import Platform
from .._oci.reference import Reference, is_digest, parse_reference
from .parts import Part

VERSION = 1
WRITER = 3
"""Rises whenever equal input gives other archive bytes than before; docs/archive.md says what each brought."""

_FIRST_WRITER = 1
_WRITER_WITH_FOLDER_LINKS = 2
_FOLDER = re.compile(r"([0-9a-f]{64})/index\.json")
_LARGEST = 2**63 - 1
_LONGEST_NAME = 255
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True)
class LockedPlatform:
    """One platform image of an archive.

    :param digest: of its manifest as the archive holds it.
    :param source_digest: of its manifest in the registry; another one only where skopeo had to convert it.
    :param size: bytes of manifest, configuration and layers.
    :param platform: ``None`` for artefacts.
    """

    digest: str
    source_digest: str
    media_type: str
    size: int
    platform: Platform | None


@dataclass(frozen=True)
class LockedImage:
    """One reference of an archive.

    :param digest: what its tag named in the registry.
    """

    reference: Reference
    digest: str
    media_type: str
    platforms: tuple[LockedPlatform, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class LockedSkip:
    """A reference that was left out on purpose."""

    reference: Reference
    digest: str
    reason: str


@dataclass(frozen=True)
class Lock:
    """The record of an archive.

    :param options: those that decide over its content and its bytes.
    :param failed: references that a partial archive lacks.
    :param blobs: bytes of everything in ``share``, by digest.
    :param compressor: the library that made its bytes.
    :param writer: number of the writer that made them.
    """

    options: dict[str, Json]
    images: tuple[LockedImage, ...]
    skipped: tuple[LockedSkip, ...] = ()
    failed: tuple[str, ...] = ()
    blobs: Mapping[str, int] = field(default_factory=dict)
    parts: tuple[Part, ...] = ()
    compressor: str = ""
    writer: int = WRITER

    def is_of_same_writer(self, other: Lock) -> bool:
        """Whether equal input gives equal bytes for both."""
        return self.writer == other.writer

    def holds_same(self, other: Lock) -> bool:
        """Whether both name the same content in the same form, so that one archive serves for both."""
        key = image_key if self.is_of_same_writer(other) else _manifests_of
        return [key(image) for image in self.images] == [key(image) for image in other.images] and form_of(
            self.options
        ) == form_of(other.options)


def image_key(image: LockedImage) -> tuple[str, str, tuple[tuple[str, str], ...]]:
    """What decides over an image's share of the archive's bytes."""
    platforms = tuple((one.source_digest, str(one.platform or "")) for one in image.platforms)
    return str(image.reference), image.digest, platforms


def _manifests_of(image: LockedImage) -> tuple[str, str, frozenset[str]]:
    """The same as far as writers agree about it: the first named a manifest once, whatever platforms it is for."""
    return str(image.reference), image.digest, frozenset(one.source_digest for one in image.platforms)


def form_of(options: Mapping[str, Json]) -> dict[str, Json]:
    """Those of the options that decide over the archive's bytes, given its images, or over what may be in it."""
    names = (
        "compress",
        "compress_level",
        "part_size",
        "part_digits",
        "include_foreign_layers",
        "signature_policy",
    )
    return {name: options.get(name) for name in names}


def lock_image(image: SavedImage) -> LockedImage:
    """What a lock file says of a reference that was saved."""
    platforms = [
        LockedPlatform(
            digest=stored.descriptor.digest,
            source_digest=stored.source.digest,
            media_type=stored.descriptor.media_type,
            size=stored.size,
            platform=stored.descriptor.platform,
        )
        for stored in image.stored
    ]
    resolved = image.resolved
    return LockedImage(image.reference, resolved.digest, resolved.media_type, tuple(platforms), resolved.notes)


def predict_image(resolved: ResolvedImage) -> LockedImage:
    """What a lock file will say of a reference that is not copied yet; conversions are not foreseen."""
    platforms = [
        LockedPlatform(
            digest=image.digest,
            source_digest=image.digest,
            media_type=image.descriptor.media_type,
            size=image.descriptor.size + sum(blob.size for blob in image.blobs),
            platform=image.descriptor.platform,
        )
        for image in resolved.children
    ]
    reference = resolved.listed.reference
    return LockedImage(reference, resolved.digest, resolved.media_type, tuple(platforms), resolved.notes)


def renew_record(before: Lock, wanted: Lock) -> Lock:
    """The lock file for an archive that stands already: its parts and images, with the record of this run."""
    images = [replace(old, notes=new.notes) for old, new in zip(before.images, wanted.images)]
    return replace(before, options=wanted.options, images=tuple(images), skipped=wanted.skipped, failed=wanted.failed)


def lock_skips(skipped: Iterable[SkippedImage]) -> tuple[LockedSkip, ...]:
    return tuple(LockedSkip(one.listed.reference, one.digest, one.reason) for one in skipped)


def with_parts(lock: Lock, parts: Sequence[Part], compressor: str) -> Lock:
    return replace(lock, parts=tuple(parts), compressor=compressor)


def write_lock(lock: Lock) -> bytes:
    """The lock file's bytes."""
    return canonical(
        {
            **numbers_json(lock.writer),
            "options": lock.options,
            "images": [_image_json(image) for image in lock.images],
            "skipped": [
                {"reference": str(skip.reference), "digest": skip.digest, "reason": skip.reason}
                for skip in lock.skipped
            ],
            "failed": list(lock.failed),
            "blobs": {digest: lock.blobs[digest] for digest in sorted(lock.blobs)},
            "compressor": lock.compressor,
            "parts": [{"name": part.name, "size": part.size, "sha256": part.sha256} for part in lock.parts],
        }
    )


def numbers_json(writer: int) -> dict[str, Json]:
    """The first members of a lock file; that of the first writer has no number for it."""
    return {"version": VERSION, **({} if writer == _FIRST_WRITER else {"writer": writer})}


def links_in(lock: Lock) -> dict[str, str]:
    """The links of an archive that is a directory: their targets by their names below it."""
    with_link = lock.parts if lock.writer >= _WRITER_WITH_FOLDER_LINKS else ()
    return links_of(found.group(1) for part in with_link if (found := _FOLDER.fullmatch(part.name)))


def read_lock(raw: bytes, *, path: str, most: int = 0) -> Lock:
    """Read a lock file.

    :param path: its path, for the error.
    :param most: as :func:`_base.json.parse_object` has it.
    :raises LockFileError: when it is none, or is of another version.
    """
    try:
        document = parse_object(raw, most=most)
        version = document.integer("version")
        if version != VERSION:
            raise LockFileError(
                f"{path} is a lock file of version {printable(str(version), 20)}; this release reads version {VERSION}"
            )
        return _parse(document)
    except (JsonError, InvalidReferenceError) as error:
        raise LockFileError(f"{path} is no lock file: {printable(str(error))}") from error


def _parse(document: JsonObject) -> Lock:
    blobs = document.object("blobs")
    return Lock(
        options=_parse_options(document.object("options")),
        images=tuple(_parse_image(image) for image in document.objects("images")),
        skipped=tuple(
            LockedSkip(parse_reference(skip.text("reference")), _digest_if_any(skip), skip.text("reason"))
            for skip in document.objects("skipped")
        ),
        failed=document.texts("failed"),
        blobs={_digest(name): _size(blobs, name) for name in blobs.names()},
        parts=tuple(_parse_part(part) for part in document.objects("parts")),
        compressor=document.text("compressor"),
        writer=_writer(document),
    )


def _writer(document: JsonObject) -> int:
    writer = document.integer("writer") if "writer" in document else _FIRST_WRITER
    if not _FIRST_WRITER <= writer <= _LARGEST:
        raise JsonError(f"writer is {printable(str(writer), 30)}, which no writer has")
    return writer


def _parse_options(document: JsonObject) -> dict[str, Json]:
    """Options are plain values and lists of those: what is deep could be read, but not written again."""
    options = document.values()
    for name, value in options.items():
        inner = value if isinstance(value, list) else [value]
        if any(isinstance(one, (dict, list)) for one in inner):
            raise JsonError(f"options.{name} must be a plain value or a list of those")
    return options


def _parse_image(document: JsonObject) -> LockedImage:
    return LockedImage(
        reference=parse_reference(document.text("reference")),
        digest=_digest(document.text("digest")),
        media_type=document.text("media_type"),
        platforms=tuple(_parse_platform(platform) for platform in document.objects("platforms")),
        notes=document.texts("notes"),
    )


def _parse_platform(document: JsonObject) -> LockedPlatform:
    digest = _digest(document.text("digest"))
    return LockedPlatform(
        digest=digest,
        source_digest=_digest(document.text("source_digest") or digest),
        media_type=document.text("media_type"),
        size=_size(document, "size"),
        platform=parse_platform(document.object("platform")) if "platform" in document else None,
    )


def _parse_part(document: JsonObject) -> Part:
    name, sha256 = document.text("name"), document.text("sha256")
    if not _stays_inside(name):
        raise JsonError(f"{quoted(name, 100)} is no usable name of a part")
    _digest(f"sha256:{sha256}")
    return Part(name=name, size=_size(document, "size"), sha256=sha256)


def _stays_inside(name: str) -> bool:
    """Whether a name is that of one file in the archive's directory or below it, and of one line in a list."""
    return not _CONTROL.search(name) and all(
        part not in ("", ".", "..") and len(part.encode()) <= _LONGEST_NAME for part in name.split("/")
    )


def _size(document: JsonObject, key: str) -> int:
    size = document.integer(key)
    if not 0 <= size <= _LARGEST:
        raise JsonError(f"{quoted(key, 100)} is {printable(str(size), 30)}, which is no number of bytes")
    return size


def _digest(text: str) -> str:
    if not is_digest(text):
        raise JsonError(f"{quoted(text, 100)} is no sha256 digest")
    return text


def _digest_if_any(document: JsonObject) -> str:
    """The digest of what was left out, where that was known."""
    return _digest(document.text("digest")) if document.text("digest") else ""


def _image_json(image: LockedImage) -> Json:
    return {
        "reference": str(image.reference),
        "digest": image.digest,
        "media_type": image.media_type,
        "platforms": [_platform_json(platform) for platform in image.platforms],
        "notes": list(image.notes),
    }


def _platform_json(platform: LockedPlatform) -> Json:
    document: dict[str, Json] = {"digest": platform.digest}
    if platform.source_digest != platform.digest:
        document["source_digest"] = platform.source_digest
    document.update({"media_type": platform.media_type, "size": platform.size})
    if platform.platform is not None:
        document["platform"] = platform_json(platform.platform)
    return document
