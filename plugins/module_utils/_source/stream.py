# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The blobs of an archive that is a stream in parts, read without unpacking it."""

from __future__ import annotations

import threading
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping

from .._archive.encoder import CHUNK, STORED_CHUNK
from .._archive.offsets import Offset
from .._archive.output import GZIP, NONE, ZSTD
from .._base.errors import ImagesError, printable
from .._host.log import Log
from .._oci.limits import MAX_MANIFEST_BYTES
from .blob_reader import BlobReader, Content
from .contents import Contents, find_contents
from .decoder import Decoder, Snapshot
from .decoders import start_decoder
from .documents import Placed, read_in_order
from .errors import BrokenStream, DamagedPart, MissingBlob, MissingPart, SourceError, WrongLock, WrongOffset
from .joined import JoinedParts, PartFile
from .part_check import PartCheck
from .passing import pass_over
from .tar_stream import TarStream

_MOST_SKIPPED = 16 * 1024 * 1024
"""Bytes between the start of a stretch and a blob in it. The writer leaves little more than 1 MiB."""

_ZSTD_BLOCK = 128 * 1024
_ZSTD_FRAME_HEADER = 6


class StreamBlobs:
    """The blobs of an archive in parts.

    :param compress: ``gzip``, ``zstd`` or ``none``.
    :param sizes: of the blobs, by digest; empty if there is no lock file.
    :param offsets: of the lock file. They are not trusted.
    :param checked: compares parts with their checksums.
    """

    def __init__(
        self,
        joined: JoinedParts,
        compress: str,
        *,
        sizes: Mapping[str, int],
        offsets: Mapping[str, Offset],
        checked: PartCheck,
        log: Log,
    ) -> None:
        self._joined = joined
        self._compress = compress
        self._sizes = dict(sizes)
        self._offsets = {digest: offset for digest, offset in offsets.items() if self._is_possible(offset)}
        self._positions = sorted({offset.position for offset in self._offsets.values()})
        self._checked = checked
        self._log = log
        self._mutex = threading.Lock()
        self._hinted = threading.local()  # the blob that a thread began to read where the lock file says
        self._contents: Contents | None = None
        self._end: ImagesError | None = None

    @property
    def has_offsets(self) -> bool:
        """True if any blob can be opened without reading what precedes it."""
        return self._compress == NONE or (bool(self._sizes) and self._sizes.keys() <= self._offsets.keys())

    @property
    def sizes(self) -> Mapping[str, int]:
        """The sizes of the blobs by digest. Without a lock file, this needs a pass over the archive."""
        if not self._sizes:
            self._sizes = {digest: place.size for digest, place in self.contents().places.items()}
        return self._sizes

    def contents(self) -> Contents:
        """Return what a pass over the archive finds; the pass is made once, when it is first asked for.

        It is not complete if a part is missing or damaged: then it has what precedes that part.
        """
        with self._mutex:
            if self._contents is None:
                self._contents = self._find()
            return self._contents

    def open(self, digest: str) -> BlobReader:
        """Open a blob; nothing is read yet.

        :raises MissingBlob: when the archive does not have it.
        """
        if digest not in self.sizes:
            raise MissingBlob(f"the archive does not contain {printable(digest, 100)}")
        return BlobReader(digest, self.sizes[digest], self)

    def document(self, digest: str) -> bytes:
        """Read a manifest, index or configuration.

        :raises MissingBlob: when the archive does not have it.
        :raises WrongLock: when it is too large for one.
        """
        if digest not in self._offsets:
            kept = self.contents().documents.get(digest)
            if kept is not None:
                return kept
        with self.open(digest) as reader:
            if reader.size > MAX_MANIFEST_BYTES:
                raise WrongLock(f"{digest} has {reader.size} bytes, which is too much for a manifest")
            try:
                return reader.read()
            except WrongOffset:
                reader.seek(0)
                return reader.read()

    def documents(self, digests: Iterable[str]) -> Iterator[tuple[str, bytes]]:
        """Yield documents, each stretch of the stream being read once; those that cannot be read are left out."""
        sizes = {one: self.sizes[one] for one in digests if one in self.sizes}
        sizes = {one: size for one, size in sizes.items() if size <= MAX_MANIFEST_BYTES}
        placed = [Placed(one, size, self._offsets[one]) for one, size in sizes.items() if one in self._offsets]
        for digest, raw in read_in_order(placed, self.start_at):
            del sizes[digest]
            yield digest, raw
        for digest in sizes:
            try:
                raw = self.document(digest)
            except SourceError:
                continue
            yield digest, raw

    def all_documents(self) -> Iterator[tuple[str, bytes]]:
        """Yield everything that may be a manifest or index, by digest."""
        return self.contents().documents.all()

    def lists(self) -> Mapping[str, bytes]:
        """Return ``index.json`` and hangar's list, by name."""
        return self.contents().lists

    def damage(self) -> ImagesError | None:
        """Return why a pass over the archive did not reach its end; ``None`` if it did."""
        self.contents()
        return self._end

    def in_stream_order(self, digests: Iterable[str]) -> Iterator[tuple[str, BlobReader]]:
        """Yield blobs in the order of the stream, in one pass over it.

        :param digests: those that are wanted.
        :returns: each with a reader, which can be used until the next one is asked for.
        :raises SourceError: when the stream cannot be read on because a part is missing or damaged.
        """
        wanted = {digest: self.sizes[digest] for digest in digests if digest in self.sizes}
        decoder = start_decoder(self._joined, self._compress, 0)
        try:
            yield from pass_over(TarStream(decoder), wanted, self)
        except BrokenStream as error:
            raise self._explain_at(decoder.consumed()[1], str(error)) from error
        finally:
            decoder.close()

    def start(self, digest: str) -> Content:
        """Open a blob at its first byte."""
        offset = self._offsets.get(digest)
        self._hinted.digest = "" if offset is None else digest
        if offset is None:
            place = self.contents().places.get(digest)
            if place is None:
                raise self._why_not_found(digest)
            offset = Offset(place.plain, 0) if self._compress == NONE else Offset(0, place.plain)
        return self.start_at(offset)

    def restart(self, snapshot: Snapshot | None, plain: int) -> Decoder:
        """Make a decoder that gives what is at some place of the tar stream.

        :param snapshot: of a decoder at this place; ``None`` if there is none, so all that precedes it is read again.
        """
        return self.start_at(Offset(0, plain)) if snapshot is None else snapshot.decoder(self._joined)

    def start_at(self, offset: Offset) -> Decoder:
        """Make a decoder that gives what is at an offset."""
        decoder = start_decoder(self._joined, self._compress, offset.position)
        try:
            if decoder.skip(offset.skip) < offset.skip:
                raise BrokenStream("the archive ends before it")
        except BaseException:
            decoder.close()
            raise
        return decoder

    def explain(self, digest: str, found: str) -> ImagesError:
        """Find out why a blob came out wrong: a part is damaged, or the lock file is wrong."""
        damage = self._checked.damage_of(self.parts_of(digest))
        if damage is not None:
            return damage
        # Another thread may have corrected it since this one began to read.
        if digest in self._offsets or getattr(self._hinted, "digest", "") == digest:
            return self._correct(digest, found)
        parts = self.parts_of(digest)
        if not all(part.sha256 for part in parts):
            names = ", ".join(part.name for part in parts)
            return DamagedPart(f"{names} is damaged: {digest} does not come out right ({found}). Copy it again")
        return WrongLock(
            f"{digest} is not in the archive as its lock file says ({found}), although its parts are whole; save the "
            "archive again"
        )

    def parts_of(self, digest: str) -> tuple[PartFile, ...]:
        """Return the parts that a blob may be in; all of them if that is not known."""
        offset = self._offsets.get(digest)
        if offset is not None:
            return self._joined.between(offset.position, self._end_of(digest, offset))
        place = self.contents().places.get(digest)
        return self._joined.parts if place is None else self._joined.between(place.start, place.end)

    def _end_of(self, digest: str, offset: Offset) -> int:
        """Return where a blob that is stored ends, and for others the place of the next stretch with a blob."""
        number = bisect_right(self._positions, offset.position)
        after = self._positions[number] if number < len(self._positions) else self._joined.size
        stored = offset.position + _stored_length(self._compress, self._sizes[digest])
        return max(offset.position + 1, min(after, stored) if offset.skip == 0 else after)

    def _is_possible(self, offset: Offset) -> bool:
        return offset.position < self._joined.size and offset.skip <= _MOST_SKIPPED

    def _correct(self, digest: str, found: str) -> ImagesError:
        """Look for a blob that is not where the lock file says."""
        self._log.warning(f"{digest} is not where the lock file says ({found}); the archive is searched for it")
        place = self.contents().places.get(digest)
        with self._mutex:
            self._offsets.pop(digest, None)
        if place is None:
            return self._why_not_found(digest)
        return WrongOffset(f"{digest} is not where the lock file says ({found})")

    def _why_not_found(self, digest: str) -> ImagesError:
        if self._end is not None:
            return self._end
        return MissingBlob(f"the archive does not contain {digest}, which its lock file lists; save the archive again")

    def _find(self) -> Contents:
        contents = Contents()
        decoder = start_decoder(self._joined, self._compress, 0)
        try:
            find_contents(TarStream(decoder), contents)
        except BrokenStream as error:
            self._end = self._explain_at(decoder.consumed()[1], str(error))
        except (DamagedPart, MissingPart) as error:
            self._end = error
        finally:
            decoder.close()
        return contents

    def _explain_at(self, position: int, found: str) -> ImagesError:
        """Find out why the stream makes no sense somewhere."""
        parts = self._joined.between(0, position + 1)
        damage = self._checked.damage_of(parts)
        if damage is not None:
            return damage
        last = parts[-1].name if parts else "the archive"
        return DamagedPart(f"{last} is damaged, or the archive is incomplete: {found}. Copy its parts again")


def _stored_length(compress: str, size: int) -> int:
    """Return how many bytes a stored blob takes, with the headers of its blocks (docs/archive.md, "Compression")."""
    if compress == GZIP:
        return size + 5 * -(-size // STORED_CHUNK)
    if compress == ZSTD:
        pieces, rest = divmod(size, CHUNK)
        blocks = pieces * -(-CHUNK // _ZSTD_BLOCK) + -(-rest // _ZSTD_BLOCK)
        return _ZSTD_FRAME_HEADER + size + 3 * blocks
    return size
