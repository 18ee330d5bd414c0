# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One pass over an archive that finds its blobs and documents; for archives whose lock file has no offsets, or none."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field

from .._oci.descriptor import digest_of
from .._oci.layout import ROOT, SAVED_IMAGES
from .._oci.limits import MAX_MANIFEST_BYTES
from .tar_stream import Member, TarStream

MAX_LIST_BYTES = 64 * 1024 * 1024
"""Bytes of an ``index.json``, of hangar's list or of a lock file."""

_MOST_KEPT = 64 * 1024 * 1024
_BLOB = re.compile(rf"(?:\./)?{ROOT}/share/sha256/([0-9a-f]{{64}})")
_IN_ROOT = re.compile(rf"(?:\./)?{ROOT}/(index\.json|{re.escape(SAVED_IMAGES)})")
BEGIN_JSON = frozenset(b"{ \t\r\n")


@dataclass(frozen=True)
class Place:
    """Where a blob is.

    :param plain: bytes of the tar stream that precede it.
    :param size: its bytes.
    :param start: bytes of the parts that precede it at least.
    :param end: bytes of the parts up to its end at most.
    """

    plain: int
    size: int
    start: int
    end: int


@dataclass
class Contents:
    """The findings of a pass over an archive.

    :param places: of the blobs, by digest.
    :param lists: ``index.json`` and hangar's list, by name.
    """

    places: dict[str, Place] = field(default_factory=dict)
    lists: dict[str, bytes] = field(default_factory=dict)
    documents: Documents = field(default_factory=lambda: Documents())

    def note(self, blob: tuple[str, Member, int] | None, *, end: int) -> None:
        """Note where a blob is. Of two that have the same name, the first counts.

        :param blob: its digest, its member, and how many bytes of the parts precede it at least.
        """
        if blob is not None:
            digest, member, start = blob
            self.places.setdefault(digest, Place(member.plain, member.size, start, max(start + 1, end)))


class Documents:
    """Manifests, indexes and configurations, compressed in memory, as many as fit."""

    def __init__(self) -> None:
        self._kept: dict[str, bytes] = {}
        self._size = 0

    def keep(self, digest: str, raw: bytes) -> None:
        """Keep a document, if its bytes are those that the digest names."""
        if digest_of(raw) != digest or digest in self._kept:
            return
        kept = zlib.compress(raw, 1)
        if self._size + len(kept) <= _MOST_KEPT:
            self._kept[digest] = kept
            self._size += len(kept)

    def get(self, digest: str) -> bytes | None:
        """Return a document that was kept."""
        kept = self._kept.get(digest)
        return None if kept is None else zlib.decompress(kept)

    def all(self) -> Iterator[tuple[str, bytes]]:
        """Yield all documents that were kept, by digest."""
        for digest, kept in self._kept.items():
            yield digest, zlib.decompress(kept)


def blob_of(member: Member) -> str:
    """Return the digest that a member's name has; empty if it is not a blob."""
    found = _BLOB.fullmatch(member.name) if member.is_file else None
    return f"sha256:{found[1]}" if found else ""


def find_contents(tar: TarStream, contents: Contents) -> None:
    """Go through an archive, and note what is in it as it is found.

    :param tar: at its beginning.
    :param contents: takes what is found, and keeps what precedes the damage if there is any.
    :raises BrokenStream: when the stream makes no sense.
    """
    last: tuple[str, Member, int] | None = None
    try:
        for member in tar.members():
            contents.note(last, end=tar.consumed()[1])
            last = None
            digest = blob_of(member)
            if digest:
                last = (digest, member, tar.consumed()[0])
                _look_into(tar, digest, member, contents.documents)
            elif member.is_file and (found := _IN_ROOT.fullmatch(member.name)):
                contents.lists[found[1]] = tar.read_all(member.size, most=MAX_LIST_BYTES)
    finally:
        contents.note(last, end=tar.consumed()[1])


def _look_into(tar: TarStream, digest: str, member: Member, documents: Documents) -> None:
    """Keep a blob that may be a document."""
    if not 0 < member.size <= MAX_MANIFEST_BYTES:
        return
    first = tar.read_all(1, most=1)
    if first[0] in BEGIN_JSON:
        documents.keep(digest, first + tar.read_all(member.size - 1, most=MAX_MANIFEST_BYTES))
