# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The blobs of a cache: layers, configurations, manifests and indexes in ``share/sha256``, by digest."""

from __future__ import annotations

import glob
import os
import stat
from collections.abc import Iterable
from contextlib import suppress

from .._base.errors import DamagedBlobError, ManifestError
from .._base.stop import Check
from .._host.file_mark import Mark, mark_of, may_change_unseen
from .._host.files import open_regular, read_regular, sha256_of_open
from .._host.filesystem import filesystem_of, set_mode
from .._oci.descriptor import Descriptor, digest_of
from .._oci.image import hex_of
from .disk import FILE_MODE, LARGEST_DOCUMENT, explaining, remove
from .workspace import Workspace


class BlobStore:
    """The blobs of a cache.

    :param workspace: the cache directory.
    :param check: called while a blob is read; raises when the run is to end.
    :ivar repaired: digests of blobs that were damaged, and were removed to be pulled again.
    """

    def __init__(self, workspace: Workspace, check: Check) -> None:
        self._workspace = workspace
        self._check = check
        self._foreseen: dict[str, int] = {}
        self._marks: dict[str, Mark] = {}
        self._keeps_what_is_written = True
        self.repaired: set[str] = set()

    def path(self, digest: str) -> str:
        """Return the path of a blob's file, whether it exists or not."""
        return os.path.join(self._workspace.share, hex_of(digest))

    def has(self, blob: Descriptor) -> bool:
        """Return True if the blob is a regular file of the right size. Its bytes are checked when they are used."""
        if self._foreseen.get(blob.digest) == blob.size:
            return True
        try:
            found = os.lstat(self.path(blob.digest))
        except OSError:
            return False
        return stat.S_ISREG(found.st_mode) and found.st_size == blob.size

    def has_entry(self, digest: str) -> bool:
        """Return True if anything has the blob's name: a file of any size, a link or a directory."""
        return os.path.lexists(self.path(digest))

    def check(self, blob: Descriptor) -> None:
        """Read a blob and compare its sha256 with its name.

        :raises DamagedBlobError: when they differ, or the blob cannot be read.
        """
        try:
            with open_regular(self.path(blob.digest)) as file:
                sha256 = sha256_of_open(file, check=self._check)
        except OSError as error:
            raise DamagedBlobError(blob.digest, str(error.strerror)) from error
        if sha256 != hex_of(blob.digest):
            raise DamagedBlobError(blob.digest, "its bytes have another sha256")

    def is_checked(self, digest: str, descriptor: int) -> bool:
        """Return True if a blob was hashed as it came in this run, and its file has not been touched since.

        :param descriptor: of the file, open for reading.
        """
        mark = self._marks.get(digest)
        return mark is not None and mark == mark_of(os.fstat(descriptor))

    def distrust(self) -> None:
        """Have every blob hashed again from now on, wherever it came from: one that had been checked was damaged."""
        self._keeps_what_is_written = False
        self._marks.clear()

    def forget_check(self, digest: str) -> None:
        """Forget that a blob was checked, once the archive has it: a list may have a hundred thousand."""
        self._marks.pop(digest, None)

    def drop(self, digest: str) -> None:
        """Remove whatever has the blob's name, because it is damaged.

        :raises StorageError: when it cannot be removed.
        """
        with explaining(f"cannot repair cache_dir {self._workspace.root}"):
            if remove(self.path(digest)):
                self.repaired.add(digest)

    def drop_damaged(self, blob: Descriptor) -> bool:
        """Read a blob, and remove it if its sha256 is not its name.

        :returns: whether it is missing now.
        """
        try:
            self.check(blob)
        except DamagedBlobError:
            self.drop(blob.digest)
            return True
        return False

    def drop_unsound(self, blobs: Iterable[Descriptor]) -> None:
        """Remove damaged blobs that skopeo would take for sound, as it checks for the name alone.

        :raises ManifestError: when a blob is sound, and its manifest gives a wrong size.
        """
        for blob in blobs:
            if self.has_entry(blob.digest) and not self.has(blob):
                with suppress(DamagedBlobError):
                    self.check(blob)
                    if not blob.size:  # schema 1 gives no sizes
                        continue
                    found = os.lstat(self.path(blob.digest)).st_size
                    raise ManifestError(f"its manifest says that {blob.digest} has {blob.size} bytes; it has {found}")
                self.drop(blob.digest)

    def evict(self, digest: str) -> None:
        """Remove a sound blob that is not needed any more.

        :raises StorageError: when it cannot be removed.
        """
        with explaining(f"cannot free cache_dir {self._workspace.root}"):
            remove(self.path(digest))

    def adopt(self, path: str, digest: str) -> None:
        """Give a file that was pulled and checked its final name, and remember that it was checked.

        :raises StorageError: when that fails.
        """
        with explaining(f"cannot write to cache_dir {self._workspace.root}"):
            self.place(path, digest)
            self._remember(digest)

    def place(self, path: str, digest: str) -> None:
        """Give a file its final name whose bytes are still to be checked.

        :raises StorageError: when that fails.
        """
        with explaining(f"cannot write to cache_dir {self._workspace.root}"):
            set_mode(path, FILE_MODE)
            os.replace(path, self.path(digest))

    def _remember(self, digest: str) -> None:
        """Remember a blob's file as it is now that its bytes were checked, where a change would be noticed."""
        path = self.path(digest)
        found = os.lstat(path)
        if self._keeps_what_is_written and filesystem_of(path).tells_changes and not may_change_unseen(found):
            self._marks[digest] = mark_of(found)

    def read_document(self, digest: str) -> bytes | None:
        """Return the bytes of a manifest, index or configuration; ``None`` if it is missing or damaged."""
        try:
            raw = read_regular(self.path(digest), LARGEST_DOCUMENT)
        except OSError:
            return None
        return raw if digest_of(raw) == digest else None

    def store_document(self, digest: str, raw: bytes) -> None:
        """Store a small blob that was checked already, unless it exists.

        :raises StorageError: when it cannot be written.
        """
        with self._workspace.changing, explaining(f"cannot write to cache_dir {self._workspace.root}"):
            if self.read_document(digest) == raw:
                return
            path = self._workspace.temporary(raw)
            self.drop(digest)
            os.replace(path, self.path(digest))

    def foresee_document(self, digest: str, raw: bytes) -> None:
        """Count a small blob as stored, as :meth:`store_document` would do: for a run in check mode."""
        self._foreseen[digest] = len(raw)

    def arriving_bytes(self) -> int:
        """Return the bytes of blobs that are still being written, by us or by skopeo (``oci-put-blob*``)."""
        if not self._workspace.is_open:
            return 0
        run = glob.escape(self._workspace.run_directory)
        patterns = ("blob-*", "copy-*/oci-put-blob*")
        return sum(_size_or_none(path) for pattern in patterns for path in glob.iglob(os.path.join(run, pattern)))


def _size_or_none(path: str) -> int:
    """Return the bytes of a file; 0 if it has got its final name meanwhile."""
    try:
        return os.lstat(path).st_size
    except OSError:
        return 0
