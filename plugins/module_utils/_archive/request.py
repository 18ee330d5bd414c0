# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The file by which the closed side asks the connected side for what it lacks. Pure.

One file serves a damaged stick, a blob that the registry has collected, and a bundle with the wrong base. Like a
receipt it has no host, user, path or time in it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from itertools import islice

from .._base.errors import LockFileError, printable, quoted
from .._base.json import JsonError, JsonObject, canonical, parse_object
from .._oci.layout import SHARE
from .._oci.reference import is_digest
from .output import with_word
from .parts import MAX_PARTS

REQUEST_SUFFIX = ".request.json"
REQUESTED_SUFFIX = ".requested"
"""Of the directory beside an archive that has what was asked for."""

VERSION = 1

_MOST_VALUES = 1_000_000
_BLOBS = f"{SHARE}/"


@dataclass(frozen=True)
class Request:
    """The files and blobs of an archive that are asked for.

    :param archive: name of the archive.
    :param lock_sha256: hex digits of the sha256 of its lock file.
    :param parts: numbers of its files in the order of the lock file, from 0; sorted.
    :param digests: blobs that are needed beside them; sorted.
    """

    archive: str
    lock_sha256: str
    parts: tuple[int, ...] = ()
    digests: tuple[str, ...] = ()

    @property
    def asks(self) -> bool:
        """True if it asks for anything."""
        return bool(self.parts or self.digests)


def requested_name(archive: str, compress: str) -> str:
    """Return the name of the bundle with the blobs that are asked for of an archive.

    :param archive: name of the archive.
    :param compress: its form, as C(_archive.output) names it.
    """
    return with_word(archive, "requested", compress)


def request_for(
    archive: str, lock_sha256: str, files: Iterable[str], lost: Collection[str], *, is_directory: bool
) -> Request:
    """Return what asks for the files of an archive that are lost; nothing if none is.

    Blobs of a directory are asked for by their digests, and carried by a small bundle. Its other files are not asked
    for, as they are small, and not made one by one.

    :param archive: name of the archive.
    :param lock_sha256: hex digits of the sha256 of its lock file.
    :param files: names of all its files, in the order of the lock file.
    :param lost: names of those that are damaged or missing.
    :param is_directory: whether the archive is a directory.
    """
    if is_directory:
        digests = sorted(f"sha256:{name[len(_BLOBS) :]}" for name in lost if name.startswith(_BLOBS))
        return Request(archive, lock_sha256, digests=tuple(digests))
    numbers = [number for number, name in enumerate(islice(files, MAX_PARTS)) if name in lost]
    return Request(archive, lock_sha256, tuple(numbers))


def is_askable(name: str, *, is_directory: bool) -> bool:
    """Return True if a request can ask for a file of an archive."""
    return not is_directory or name.startswith(_BLOBS)


def write_request(request: Request) -> bytes:
    """Write a request; equal content gives equal bytes."""
    return canonical(
        {
            "version": VERSION,
            "archive": request.archive,
            "lock_sha256": request.lock_sha256,
            "parts": [*sorted(request.parts)],
            "digests": [*sorted(request.digests)],
        }
    )


def parse_request(document: JsonObject) -> Request:
    """Take a request out of a document; it may ask for nothing.

    :raises JsonError: when it is not one.
    """
    name, lock_sha256 = document.text("archive"), document.text("lock_sha256")
    parts, digests = document.integers("parts"), document.texts("digests")
    if name in ("", ".", "..") or "/" in name or name != printable(name):
        raise JsonError(f"archive: {quoted(name, 100)} is not the name of an archive")
    if not is_digest(f"sha256:{lock_sha256}"):
        raise JsonError("lock_sha256 is not 64 hex digits")
    wrong = [*(str(number) for number in parts if not 0 <= number < MAX_PARTS)]
    wrong += [digest for digest in digests if not is_digest(digest)]
    if wrong:
        raise JsonError(f"{quoted(wrong[0], 100)} is neither the number of a part nor a digest")
    return Request(name, lock_sha256, tuple(sorted({*parts})), tuple(sorted({*digests})))


def read_request(raw: bytes, *, path: str) -> Request:
    """Read a request.

    :param path: its path, for the error.
    :raises LockFileError: when it is not one, or asks for nothing.
    """
    try:
        document = parse_object(raw, most=_MOST_VALUES)
        if document.integer("version") != VERSION:
            raise JsonError(f"version {document.integer('version')} is not supported; expected {VERSION}")
        request = parse_request(document)
        if not request.asks:
            raise JsonError("it asks for nothing")
        return request
    except JsonError as error:
        raise LockFileError(f"{path} is not a request: {error}") from error
