# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An archive that was carried across, read where it is: from its parts, or from a directory."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from typing import Callable, Protocol

from .._archive.lock import FIRST_WRITER, Lock, LockedImage
from .._archive.output import DIR
from .._archive.parts import Part
from .._base.stop import Stop
from .._host.log import Log
from .blob_reader import BlobReader
from .derive import derive_images
from .errors import MissingBlob, SourceError
from .find import FoundArchive, find_archives
from .joined import JoinedParts, PartFile
from .part_check import PartCheck
from .stream import StreamBlobs
from .tree import TreeBlobs


class Blobs(Protocol):
    """The blobs of an archive, in parts or in a directory."""

    @property
    def has_offsets(self) -> bool:
        """True if any blob can be opened without reading what precedes it."""

    @property
    def sizes(self) -> Mapping[str, int]:
        """The sizes of the blobs by digest."""

    def open(self, digest: str) -> BlobReader:
        """Open a blob."""

    def document(self, digest: str) -> bytes:
        """Read a manifest, index or configuration."""

    def documents(self, digests: Iterable[str]) -> Iterator[tuple[str, bytes]]:
        """Yield documents in any order, without those that cannot be read."""

    def in_stream_order(self, digests: Iterable[str]) -> Iterator[tuple[str, BlobReader]]:
        """Yield blobs in one pass."""

    def parts_of(self, digest: str) -> tuple[PartFile, ...]:
        """Return the parts that a blob may be in."""


class Archive:
    """An archive that can be read. All methods can be called by several threads at once.

    :ivar path: names it for the user.
    :ivar lock: its lock file. For an archive without one, this is made of its documents: C(options) has C(compress)
        only, and there are no offsets, and no checksums unless there is a checksum file.
    :ivar lock_sha256: hex digits of the lock file's own sha256; empty without one.
    :ivar of_set: path of the lock file of the set that led to it; empty: none did.
    """

    def __init__(
        self,
        path: str,
        lock: Lock,
        blobs: Blobs,
        parts: Sequence[PartFile],
        checked: PartCheck,
        generated: Mapping[str, bytes],
        *,
        lock_sha256: str = "",
        of_set: str = "",
    ) -> None:
        self.path = path
        self.lock = lock
        self.lock_sha256 = lock_sha256
        self.of_set = of_set
        self._blobs = blobs
        self._parts = tuple(parts)
        self._checked = checked
        self._generated = generated

    @property
    def images(self) -> tuple[LockedImage, ...]:
        """The references that the archive holds."""
        return self.lock.images

    @property
    def has_offsets(self) -> bool:
        """True if :meth:`open_blob` is cheap in any order. If not, :meth:`in_stream_order` is the way to read.

        It can become False while the archive is read, if the lock file turns out to be wrong.
        """
        return self._blobs.has_offsets

    @property
    def is_directory(self) -> bool:
        """True if its lock file says that it is a directory."""
        return self.lock.options.get("compress") == DIR

    @property
    def missing_parts(self) -> tuple[str, ...]:
        """The names of the parts that were not found."""
        return tuple(part.name for part in self._parts if not part.path)

    def has(self, digest: str) -> bool:
        """Return True if the archive should have a blob or document."""
        return digest in self._generated or digest in self._blobs.sizes

    def document(self, digest: str) -> bytes:
        """Read a manifest, index or configuration, and check its digest.

        :raises MissingBlob: when the archive does not have it.
        :raises SourceError: as :meth:`BlobReader.read`; also when it is too large for a document.
        """
        generated = self._generated.get(digest)
        return self._blobs.document(digest) if generated is None else generated

    def documents(self, digests: Iterable[str]) -> Iterator[tuple[str, bytes]]:
        """Yield many documents in any order, which takes less than to read one after the other.

        :returns: each digest with its bytes; what cannot be read, for whatever reason, is left out.
        """
        wanted = [one for one in dict.fromkeys(digests) if self.has(one)]
        yield from ((one, self._generated[one]) for one in wanted if one in self._generated)
        yield from self._blobs.documents([one for one in wanted if one not in self._generated])

    def open_blob(self, digest: str) -> BlobReader:
        """Open a blob as a body for a request; nothing is read yet.

        :raises MissingBlob: when the archive does not have it.
        """
        return self._blobs.open(digest)

    def in_stream_order(self, digests: Iterable[str]) -> Iterator[tuple[str, BlobReader]]:
        """Yield those blobs that the archive has in the order in which they are in it, in one pass.

        :returns: each digest with a reader, which can be used until the next one is asked for.
        :raises SourceError: when the archive cannot be read on because a part is missing or damaged. What was yielded
            until then is right.
        """
        return self._blobs.in_stream_order(digests)

    def has_blob(self, digest: str) -> bool:
        """Return True if a blob or document should be in the archive's parts."""
        return digest in self._blobs.sizes

    def part_of(self, digest: str) -> tuple[str, ...]:
        """Return the names of the parts that a blob may be in.

        :raises MissingBlob: when the archive does not have it.
        """
        if digest not in self._blobs.sizes:
            raise MissingBlob(f"the archive does not contain {digest}")
        return tuple(part.name for part in self._blobs.parts_of(digest))

    def wrong_among(self, names: Container[str]) -> frozenset[str]:
        """Return the names of those parts that are damaged or missing. Each part is read once in a run.

        :param names: of the parts in question.
        :raises SourceGone: when the disk, stick or share does not answer any more.
        """
        parts = [part for part in self._parts if part.name in names]
        return frozenset(self._checked.verify(parts, lambda _size: None))

    def verify(self, passed: Callable[[int], None] = lambda _size: None) -> dict[str, SourceError]:
        """Compare sizes and sha256 of all parts with the lock file or the checksums.

        :param passed: is told the size of each part when it was read.
        :returns: what is wrong with those that are damaged or missing, by name.
        :raises SourceGone: when the disk, stick or share does not answer any more.
        """
        parts = self._parts or [self._blobs.parts_of(digest)[0] for digest in self._blobs.sizes]
        return self._checked.verify(parts, passed)


def open_archive(sources: Sequence[str], *, stop: Stop, log: Log) -> Archive:
    """Open the one archive that paths belong to.

    :raises SourceError: when they are of several archives, or of none.
    """
    archives = open_archives(sources, stop=stop, log=log)
    if len(archives) != 1:
        names = ", ".join(archive.path for archive in archives)
        raise SourceError(f"src: expected one archive, and these are {len(archives)}: {names}")
    return archives[0]


def open_archives(sources: Sequence[str], *, stop: Stop, log: Log) -> list[Archive]:
    """Open all archives that paths belong to.

    :param sources: paths of lock files (also of a set), archives, parts, unpacked directories, and directories that
        hold any of these. Parts of one archive may be in several directories.
    :raises SourceError: when a path does not lead to an archive.
    :raises LockFileError: when a lock file is not valid.
    :raises SourceGone: when a disk, stick or share does not answer.
    """
    return [open_found(found, stop=stop, log=log) for found in find_archives(sources, check=stop.check)]


def open_found(found: FoundArchive, *, stop: Stop, log: Log) -> Archive:
    """Open an archive whose files were found.

    :raises SourceError: when it has no lock file, and does not name its images by itself.
    :raises SourceGone: when a disk, stick or share does not answer.
    """
    checked = PartCheck(stop.check)
    blobs: StreamBlobs | TreeBlobs
    if found.compress == DIR:
        sizes = {} if found.lock is None else found.lock.blobs
        blobs = TreeBlobs(found.root, sizes=sizes, checked=checked, check=stop.check)
    else:
        blobs = StreamBlobs(
            JoinedParts(found.parts, stop.check),
            found.compress,
            sizes={} if found.lock is None else found.lock.blobs,
            offsets={} if found.lock is None else found.lock.offsets,
            checked=checked,
            log=log,
        )
    if found.lock is not None:
        return Archive(
            found.path,
            found.lock,
            blobs,
            found.parts,
            checked,
            {},
            lock_sha256=found.lock_sha256,
            of_set=found.of_set,
        )
    derived = derive_images(blobs, path=found.path, log=log)
    parts = tuple(Part(part.name, part.size, part.sha256) for part in found.parts)
    lock = Lock(
        {"compress": found.compress},
        tuple(derived.images),
        failed=tuple(derived.failed),
        blobs=blobs.sizes,
        parts=parts,
        writer=FIRST_WRITER,
    )
    return Archive(found.path, lock, blobs, found.parts, checked, derived.generated)
