# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The lock file: the record of an archive, read and written. Pure.

Equal content gives equal bytes: no times, no host names, no paths. docs/archive.md describes the format.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

from .._base.errors import InvalidReferenceError, LockFileError, printable, quoted
from .._base.json import Json, JsonError, JsonObject, canonical, parse_object
from .._oci.platform_json import parse_platform, platform_json
from .._oci.reference import is_digest, parse_reference
from .lock import FIRST_WRITER, Lock, LockedBase, LockedImage, LockedPlatform, LockedSkip, Requirement
from .offsets import Offset
from .parts import Part

VERSION = 1
BUNDLE_VERSION = 2
"""The version of a bundle's lock file, which readers of full archives must refuse."""

_LARGEST = 2**63 - 1
_LONGEST_NAME = 255
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def write_lock(lock: Lock) -> bytes:
    """Write a lock file."""
    return canonical(
        {
            **numbers_json(lock.writer, version=BUNDLE_VERSION if lock.is_bundle else VERSION),
            **_base_json(lock),
            "options": lock.options,
            "images": [_image_json(image) for image in lock.images],
            "skipped": [
                {"reference": str(skip.reference), "digest": skip.digest, "reason": skip.reason}
                for skip in lock.skipped
            ],
            "failed": list(lock.failed),
            "blobs": {digest: lock.blobs[digest] for digest in sorted(lock.blobs)},
            **_offsets_json(lock),
            **({"requires": _requires_json(lock)} if lock.is_bundle else {}),
            "compressor": lock.compressor,
            "parts": _parts_json(lock.parts),
            **({"parity": _parts_json(lock.parity)} if lock.parity else {}),
        }
    )


def numbers_json(writer: int, *, version: int = VERSION) -> dict[str, Json]:
    """Return the first members of a lock file; the first writer is not recorded."""
    return {"version": version, **({} if writer == FIRST_WRITER else {"writer": writer})}


def _base_json(lock: Lock) -> dict[str, Json]:
    if not lock.is_bundle:
        return {}
    base: list[Json] = [
        {"name": one.name, "lock_sha256": one.lock_sha256, "receipt": one.has_receipt} for one in lock.base
    ]
    return {"base": base}


def _requires_json(lock: Lock) -> Json:
    return {
        digest: {
            "size": one.size,
            "in": list(one.repositories),
            "from": {"archive": one.archive, "parts": list(one.parts)},
        }
        for digest, one in sorted(lock.requires.items())
    }


def _parts_json(parts: Iterable[Part]) -> list[Json]:
    return [{"name": part.name, "size": part.size, "sha256": part.sha256} for part in parts]


def _offsets_json(lock: Lock) -> dict[str, Json]:
    if not lock.offsets:
        return {}
    return {"offsets": {digest: [at.position, at.skip] for digest, at in sorted(lock.offsets.items())}}


def _image_json(image: LockedImage) -> Json:
    return {
        "reference": str(image.reference),
        "digest": image.digest,
        **({"loaded_digest": image.loaded_digest} if image.loaded_digest else {}),
        "media_type": image.media_type,
        **({"refers_to": image.refers_to} if image.refers_to else {}),
        **({"artifact_type": image.artifact_type} if image.artifact_type else {}),
        **({"entry": image.entry} if image.entry else {}),
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
    if platform.is_attestation:
        document["attestation"] = True
    return document


def read_lock(raw: bytes, *, path: str, most: int = 0) -> Lock:
    """Read a lock file.

    :param path: its path, for the error.
    :param most: as :func:`_base.json.parse_object` has it.
    :raises LockFileError: when it is not a lock file, or has another version.
    """
    try:
        document = parse_object(raw, most=most)
        version = document.integer("version")
        if version not in (VERSION, BUNDLE_VERSION):
            raise LockFileError(
                f"{path} is a lock file of version {printable(str(version), 20)}; this release reads versions "
                f"{VERSION} and {BUNDLE_VERSION}"
            )
        lock = _parse(document)
        if lock.is_bundle != (version == BUNDLE_VERSION):
            raise JsonError(f"base contradicts version {version}")
        return lock
    except (JsonError, InvalidReferenceError) as error:
        raise LockFileError(f"{path} is not a lock file: {printable(str(error))}") from error


def _parse(document: JsonObject) -> Lock:
    blobs, offsets, requires = document.object("blobs"), document.object("offsets"), document.object("requires")
    return Lock(
        options=_parse_options(document.object("options")),
        images=tuple(_parse_image(image) for image in document.objects("images")),
        skipped=tuple(
            LockedSkip(parse_reference(skip.text("reference")), _digest_if_any(skip, "digest"), skip.text("reason"))
            for skip in document.objects("skipped")
        ),
        failed=document.texts("failed"),
        blobs={_digest(name): _size(blobs, name) for name in blobs.names()},
        parts=tuple(_parse_part(part) for part in document.objects("parts")),
        compressor=document.text("compressor"),
        writer=_writer(document),
        offsets={_digest(name): _offset(offsets, name) for name in offsets.names()},
        base=tuple(_parse_base(base) for base in document.objects("base")),
        requires={_digest(name): _parse_requirement(requires.object(name)) for name in requires.names()},
        parity=tuple(_parse_part(part) for part in document.objects("parity")),
    )


def _parse_base(document: JsonObject) -> LockedBase:
    sha256 = document.text("lock_sha256")
    _digest(f"sha256:{sha256}")
    return LockedBase(_name(document, "name"), sha256, document.values().get("receipt") is True)


def _parse_requirement(document: JsonObject) -> Requirement:
    carried = document.object("from")
    return Requirement(
        size=_size(document, "size"),
        repositories=tuple(_repository(name) for name in document.texts("in")),
        archive=_name(carried, "archive"),
        parts=tuple(_part_name(name) for name in carried.texts("parts")),
    )


@lru_cache(maxsize=4096)
def _repository(text: str) -> str:
    """Check the name of a repository, of which a lock file has few, and each very often."""
    found = parse_reference(text).name
    if found != text:
        raise JsonError(f"{quoted(text, 100)} is not a repository")
    return found


def _name(document: JsonObject, key: str) -> str:
    name = document.text(key)
    if not _stays_inside(name) or "/" in name:
        raise JsonError(f"{quoted(name, 100)} is not the name of an archive")
    return name


def _writer(document: JsonObject) -> int:
    writer = document.integer("writer") if "writer" in document else FIRST_WRITER
    if not FIRST_WRITER <= writer <= _LARGEST:
        raise JsonError(f"writer is {printable(str(writer), 30)}, expected 1 or more")
    return writer


def _parse_options(document: JsonObject) -> dict[str, Json]:
    """Read options: plain values and lists of those. Deeper ones could be read, but not written again."""
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
        entry=_digest_if_any(document, "entry"),
        loaded_digest=_digest_if_any(document, "loaded_digest"),
        refers_to=_digest_if_any(document, "refers_to"),
        artifact_type=document.text("artifact_type"),
    )


def _parse_platform(document: JsonObject) -> LockedPlatform:
    digest = _digest(document.text("digest"))
    return LockedPlatform(
        digest=digest,
        source_digest=_digest(document.text("source_digest") or digest),
        media_type=document.text("media_type"),
        size=_size(document, "size"),
        platform=parse_platform(document.object("platform")) if "platform" in document else None,
        is_attestation=document.values().get("attestation") is True,
    )


def _parse_part(document: JsonObject) -> Part:
    name, sha256 = _part_name(document.text("name")), document.text("sha256")
    _digest(f"sha256:{sha256}")
    return Part(name=name, size=_size(document, "size"), sha256=sha256)


def _part_name(name: str) -> str:
    if not _stays_inside(name):
        raise JsonError(f"{quoted(name, 100)} is not a valid part name")
    return name


def _stays_inside(name: str) -> bool:
    """Return True if a name stays in or below the archive's directory, and fits on one line of a list."""
    return not _CONTROL.search(name) and all(
        part not in ("", ".", "..") and len(part.encode()) <= _LONGEST_NAME for part in name.split("/")
    )


def _size(document: JsonObject, key: str) -> int:
    size = document.integer(key)
    if not 0 <= size <= _LARGEST:
        raise JsonError(f"{quoted(key, 100)} is {printable(str(size), 30)}, which is not a number of bytes")
    return size


def _offset(document: JsonObject, key: str) -> Offset:
    numbers = document.integers(key)
    if len(numbers) != 2 or not all(0 <= number <= _LARGEST for number in numbers):
        raise JsonError(f"offsets of {quoted(key, 100)} are not two numbers of bytes")
    return Offset(*numbers)


def _digest(text: str) -> str:
    if not is_digest(text):
        raise JsonError(f"{quoted(text, 100)} is not a sha256 digest")
    return text


def _digest_if_any(document: JsonObject, key: str = "digest") -> str:
    """Return a digest, or an empty text where none is known."""
    return _digest(document.text(key)) if document.text(key) else ""
