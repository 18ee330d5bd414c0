# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The lock file: the record of an archive, read and written. Pure.

Equal content gives equal bytes: no times, no host names, no paths. docs/archive.md describes the format.
"""

from __future__ import annotations

from collections.abc import Iterable

from .._base.errors import InvalidReferenceError, LockFileError, printable
from .._base.json import Json, JsonError, canonical
from .._base.json_stream import JsonStream
from .._oci.platform_json import platform_json
from .lock import FIRST_WRITER, Lock, LockedImage, LockedPlatform
from .lock_parsing import BUNDLE_VERSION, VERSION, parse_lock
from .parts import Part


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
    return read_lock_pieces([raw], path=path, most=most)


def read_lock_pieces(pieces: Iterable[bytes], *, path: str, most: int = 0) -> Lock:
    """Read a lock file from the pieces that a file is read in, as :func:`read_lock` does."""
    try:
        return parse_lock(JsonStream(pieces, most=most), path)
    except (JsonError, InvalidReferenceError) as error:
        raise LockFileError(f"{path} is not a lock file: {printable(str(error))}") from error
