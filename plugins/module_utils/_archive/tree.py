# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The archive as a directory (``compress: dir``): files are linked, not copied, where the filesystem allows."""

from __future__ import annotations

import errno
import hashlib
import os
from typing import Callable, Protocol

from .._base.buffers import Buffers
from .._base.stop import Check, go_on
from .._host.files import OF_ARCHIVES, make_directories, not_for_others
from .._host.filesystem import link_if_possible
from .._oci.descriptor import Descriptor
from .._oci.image import hex_of
from .encoder import BUFFER
from .file_table import FileTable
from .parts import explain_write_error
from .tar import IsChecked, checked_chunks, is_sound, nothing_is_checked

_CHUNK = 1024 * 1024
_PIECE = 64 * _CHUNK  # one call copies up to 2 GiB, and is not ended by a signal
_NO_RANGE = frozenset({errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.EPERM})
_NO_LINK = frozenset({errno.EXDEV, errno.EPERM, errno.EMLINK, errno.ENOTSUP, errno.ENOSYS})


class Standing(Protocol):
    """The published archive of the same name."""

    def path(self, name: str, sha256: str) -> str:
        """Return the path of a verified file with this content; empty if there is none."""


class Kept(Protocol):
    """The files of the published archive that stay in their place. Names are paths below its directory."""

    def has(self, name: str, sha256: str) -> bool:
        """Return True if a file has this content, and need not be written."""

    def has_link(self, name: str, target: str) -> bool:
        """Return True if a link is there, and need not be made."""


class TreeWriter:
    """Writes members below a directory; the caller flushes it to disk.

    :param root: the directory; is made. The archive's own root is this directory, so its name is cut off.
    :param prefix: the root's name in the members' names.
    :param link: share blobs with the cache; False where files get a mode or owner of their own.
    :param standing: shares its files, so that they need not be read again.
    :param is_checked: says which blobs need not be read before they are linked or copied.
    :param check: called between the pieces of a file; raises when the run is to end.
    :ivar written: the files, by their paths below the directory.
    """

    def __init__(
        self,
        root: str,
        prefix: str,
        standing: Standing,
        *,
        link: bool,
        is_checked: IsChecked = nothing_is_checked,
        check: Check = go_on,
    ) -> None:
        self._root = root
        self._prefix = prefix
        self._standing = standing
        self._place = _link_or_copy if link else _copy
        self._is_checked = is_checked
        self._check = check
        self._buffers = Buffers(BUFFER)
        self.written = FileTable()

    def directory(self, name: str) -> None:
        self._try(lambda: make_directories(self._path(name), OF_ARCHIVES, above=OF_ARCHIVES))

    def document(self, name: str, raw: bytes) -> None:
        sha256 = hashlib.sha256(raw).hexdigest()
        if not self._is_shared(name, sha256):
            self._try(lambda: self._write(self._path(name), raw))
        self.written.add(self._relative(name), len(raw), sha256)

    def link(self, name: str, target: str) -> None:
        self._try(lambda: link_if_possible(target, self._path(name)))

    def blob(self, name: str, path: str, blob: Descriptor) -> None:
        self._check()
        if not self._is_shared(name, hex_of(blob.digest)):
            if not is_sound(path, blob, self._is_checked):
                for chunk in checked_chunks(path, blob, buffers=self._buffers):
                    self._check()
                    self._buffers.give(chunk)
            self._try(lambda: self._place(path, self._path(name), self._check))
        self.written.add(self._relative(name), blob.size, hex_of(blob.digest))

    def end_image(self) -> None:
        pass

    def finish(self) -> None:
        pass

    def _is_shared(self, name: str, sha256: str) -> bool:
        """Link a file from the published archive, if it has it."""
        path = self._standing.path(self._relative(name), sha256)
        if not path:
            return False
        try:
            os.link(path, self._path(name), follow_symlinks=False)
        except OSError:
            return False  # then it is made as if there were none
        return True

    def _write(self, path: str, raw: bytes) -> None:
        with open(path, "xb", opener=not_for_others) as file:
            file.write(raw)

    def _relative(self, name: str) -> str:
        return name[len(self._prefix) + 1 :]

    def _path(self, name: str) -> str:
        return f"{self._root}/{self._relative(name)}".rstrip("/")

    def _try(self, action: Callable[[], object]) -> None:
        try:
            action()
        except OSError as error:
            raise explain_write_error(error, self._root) from error


class ChangesWriter(TreeWriter):
    """Writes only the members that the published directory lacks, and the directories that these are in.

    :param kept: the files that stay there.
    :ivar new: the names of the others.
    """

    def __init__(self, root: str, prefix: str, standing: Standing, kept: Kept, *, is_checked: IsChecked, check: Check):
        super().__init__(root, prefix, standing, link=True, is_checked=is_checked, check=check)
        self._kept = kept
        self._made: set[str] = set()
        self.new: set[str] = set()
        super().directory(prefix)

    def directory(self, name: str) -> None:
        """Make no directory before there is something to be put into it."""

    def document(self, name: str, raw: bytes) -> None:
        sha256 = hashlib.sha256(raw).hexdigest()
        if self._kept.has(self._relative(name), sha256):
            self.written.add(self._relative(name), len(raw), sha256)
        else:
            self.new.add(self._relative(name))
            self._make_directory_of(name)
            super().document(name, raw)

    def link(self, name: str, target: str) -> None:
        if not self._kept.has_link(self._relative(name), target):
            self._make_directory_of(name)
            super().link(name, target)

    def blob(self, name: str, path: str, blob: Descriptor) -> None:
        sha256 = hex_of(blob.digest)
        if self._kept.has(self._relative(name), sha256):
            self.written.add(self._relative(name), blob.size, sha256)
        else:
            self.new.add(self._relative(name))
            self._make_directory_of(name)
            super().blob(name, path, blob)

    def _make_directory_of(self, name: str) -> None:
        directory = name.rpartition("/")[0]
        if directory not in self._made:
            super().directory(directory)
            self._made.add(directory)


def _link_or_copy(source: str, target: str, check: Check) -> None:
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError as error:
        if error.errno not in _NO_LINK:
            raise
        _copy(source, target, check)


def _copy(source: str, target: str, check: Check) -> None:
    """Copy a file; filesystems that can (XFS, btrfs) still share the bytes (copy_file_range(2))."""
    with open(source, "rb") as read, open(target, "xb", opener=not_for_others) as written:
        left = os.fstat(read.fileno()).st_size
        try:
            while left:
                check()
                left -= os.copy_file_range(read.fileno(), written.fileno(), min(left, _PIECE)) or left
        except OSError as error:
            if error.errno not in _NO_RANGE:
                raise
            for piece in iter(lambda: read.read(_CHUNK), b""):
                check()
                written.write(piece)
