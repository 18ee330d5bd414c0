# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The files of an archive in little memory: a directory has as many as blobs, and more. Pure."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence
from typing import overload

from .._base.digest_names import DigestNames
from .parts import Part

_RAW = 32
_NO_DIGEST, _OWN_SHA256 = -1, -2


class FileTable(Sequence[Part]):
    """Files of which most have a digest in their name: about 60 bytes for each, where a list takes 350.

    Of a blob, the digest in its name is its sha256 as well, and two files in a row are in the folder of the same
    platform image.

    :param parts: the first files.
    """

    def __init__(self, parts: Iterable[Part] = ()) -> None:
        self._names = DigestNames()
        self._forms = array("i")  # numbers of the names' forms
        self._places = array("i")  # of the digests in the names
        self._digests = bytearray()
        self._sha256s = bytearray()
        self._sizes = array("q")
        for part in parts:
            self.add(part.name, part.size, part.sha256)

    def add(self, name: str, size: int, sha256: str) -> None:
        """Add a file at the end; see :class:`Part`."""
        raw = bytes.fromhex(sha256)
        form, digest = self._names.split(name)
        self._forms.append(form)
        self._places.append(_OWN_SHA256 if digest == raw else self._place_of(digest))
        self._sha256s += raw
        self._sizes.append(size)

    def __len__(self) -> int:
        return len(self._sizes)

    @overload
    def __getitem__(self, place: int) -> Part: ...

    @overload
    def __getitem__(self, place: slice) -> list[Part]: ...

    def __getitem__(self, place: int | slice) -> Part | list[Part]:
        rows = range(len(self))[place]
        return self._at(rows) if isinstance(rows, int) else [*map(self._at, rows)]

    def __iter__(self) -> Iterator[Part]:
        return map(self._at, range(len(self)))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, (FileTable, tuple)):
            return NotImplemented
        return len(self) == len(other) and all(one == two for one, two in zip(self, other))

    __hash__ = None  # type: ignore[assignment]  # as that of a list

    def __repr__(self) -> str:
        return f"FileTable({[*self]!r})"

    def _at(self, row: int) -> Part:
        raw, place = bytes(self._sha256s[row * _RAW : (row + 1) * _RAW]), self._places[row]
        digest = raw if place == _OWN_SHA256 else b""
        if place >= 0:
            digest = bytes(self._digests[place * _RAW : (place + 1) * _RAW])
        return Part(self._names.join(self._forms[row], digest), self._sizes[row], raw.hex())

    def _place_of(self, digest: bytes) -> int:
        """Keep the digest of a name, unless it is that of the name before, and return its place."""
        if not digest:
            return _NO_DIGEST
        if self._digests[-_RAW:] != digest:
            self._digests += digest
        return len(self._digests) // _RAW - 1
