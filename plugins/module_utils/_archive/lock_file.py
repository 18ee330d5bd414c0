# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The lock file: the record of an archive, read and written. Pure.

Equal content gives equal bytes: no times, no host names, no paths. docs/archive.md describes the format.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from .._base.errors import InvalidReferenceError, LockFileError, printable
from .._base.json import Json, JsonError
from .._base.json_pieces import Listed, Member, Named, canonical_pieces
from .._base.json_stream import JsonStream
from .._oci.platform_json import platform_json
from .digest_tables import in_order
from .lock import FIRST_WRITER, Lock, LockedImage, LockedPlatform, Requirement
from .lock_parsing import BUNDLE_VERSION, VERSION, parse_lock
from .parts import Part


def write_lock(lock: Lock) -> bytes:
    """Write a lock file."""
    return b"".join(lock_pieces(lock))


def lock_pieces(lock: Lock) -> Iterator[bytes]:
    """Yield the bytes of a lock file in pieces: as a whole, it takes as much memory as its archive's record."""
    return canonical_pieces(_members(lock))


def _members(lock: Lock) -> Iterator[tuple[str, Member]]:
    yield from numbers_json(lock.writer, version=BUNDLE_VERSION if lock.is_bundle else VERSION).items()
    if lock.is_bundle:
        yield (
            "base",
            [{"name": one.name, "lock_sha256": one.lock_sha256, "receipt": one.has_receipt} for one in lock.base],
        )
    yield "options", lock.options
    yield "images", Listed(map(_image_json, lock.images))
    yield (
        "skipped",
        [{"reference": str(skip.reference), "digest": skip.digest, "reason": skip.reason} for skip in lock.skipped],
    )
    yield "failed", list(lock.failed)
    yield "blobs", Named(in_order(lock.blobs))
    if lock.offsets:
        yield "offsets", Named((digest, [at.position, at.skip]) for digest, at in in_order(lock.offsets))
    if lock.is_bundle:
        yield "requires", Named((digest, _requirement_json(one)) for digest, one in in_order(lock.requires))
    yield "compressor", lock.compressor
    yield "parts", Listed(map(_part_json, lock.parts))
    if lock.parity:
        yield "parity", Listed(map(_part_json, lock.parity))


def numbers_json(writer: int, *, version: int = VERSION) -> dict[str, Json]:
    """Return the first members of a lock file; the first writer is not recorded."""
    return {"version": version, **({} if writer == FIRST_WRITER else {"writer": writer})}


def _requirement_json(one: Requirement) -> Json:
    carried: Json = {"archive": one.archive, "parts": list(one.parts)}
    return {"size": one.size, "in": list(one.repositories), "from": carried}


def _part_json(part: Part) -> Json:
    return {"name": part.name, "size": part.size, "sha256": part.sha256}


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
    return read_lock_pieces([raw], path=path, most=most)


def read_lock_pieces(pieces: Iterable[bytes], *, path: str, most: int = 0) -> Lock:
    """Read a lock file from the pieces that a file is read in, as :func:`read_lock` does."""
    try:
        return parse_lock(JsonStream(pieces, most=most), path)
    except (JsonError, InvalidReferenceError) as error:
        raise LockFileError(f"{path} is not a lock file: {printable(str(error))}") from error
