# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A directory of the controller that holds the files of one archive, and maybe others."""

from __future__ import annotations

import errno
import os
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from ansible_collections.airgap.images.plugins.module_utils._base.errors import StorageError
from ansible_collections.airgap.images.plugins.module_utils._host.disk_errors import explained
from ansible_collections.airgap.images.plugins.module_utils._host.files import (
    OF_ARCHIVES,
    make_directories,
    sha256_of,
)
from ansible_collections.airgap.images.plugins.module_utils._host.verified_files import VerifiedFiles
from ansible_collections.airgap.images.plugins.plugin_utils._hosts.bounds import LARGEST_RECORD


@dataclass(frozen=True)
class Item:
    """A file to be fetched.

    :param source: its path on the host, made from paths in the play.
    :param name: its path below the directory on the controller.
    :param size: bytes.
    :param sha256: hex digits.
    """

    source: str
    name: str
    size: int
    sha256: str

    @property
    def most(self) -> int:
        """Bytes at which its transfer is cut off: a host may send more than it announced."""
        return max(self.size, LARGEST_RECORD)


@dataclass(frozen=True)
class Place:
    """The place of one archive's files on the controller.

    :param directory: absolute path; need not exist yet.
    :param archive: name of the archive.
    :param memory: of files that were read before and not changed since; ``None``: all are read.
    """

    directory: str
    archive: str
    memory: VerifiedFiles | None = None

    @property
    def root(self) -> str:
        """Path of the archive itself, if it is one file or a directory."""
        return os.path.join(self.directory, self.archive)

    @property
    def incoming(self) -> str:
        """Path of the hidden directory that files arrive in; an interrupted run leaves it for the next one."""
        return os.path.join(self.directory, f".{self.archive}.fetching")

    @property
    def bundle(self) -> str:
        """Path of several small files in one, until they are taken out of it."""
        return os.path.join(self.incoming, ".airgap-images-bundle")

    def final(self, item: Item) -> str:
        """Return the path of an item under its final name."""
        return os.path.join(self.directory, item.name)

    def temporary(self, item: Item) -> str:
        """Return the path at which an item arrives, in the hidden directory."""
        return os.path.join(self.incoming, item.name)

    def kept(self, item: Item) -> str:
        """Return the path in the hidden directory at which an item is kept that was there under another number.

        It has no number itself, so that parts can exchange theirs, and the next run finds it whatever is wanted then.
        """
        return os.path.join(self.incoming, f".airgap-images-{item.sha256}")

    def holds(self, path: str, item: Item) -> bool:
        """Return True if the item's content is there, as a regular file below this directory, with no link on the way.

        :raises StorageError: when it cannot be read.
        """
        return self.content(path, (item.size,)) == (item.size, item.sha256)

    def content(self, path: str, sizes: Collection[int]) -> tuple[int, str]:
        """Return size and sha256 of a regular file below this directory, with no link on the way.

        :param sizes: only a file of one of these is read.
        :returns: an empty sha256 for any other file.
        :raises StorageError: when it cannot be read.
        """
        try:
            if self.is_through_link(path) or not os.path.isfile(path):
                return 0, ""
            size = os.path.getsize(path)
            if size not in sizes:
                return size, ""
            return size, self.memory.sha256(path) if self.memory else sha256_of(path)
        except OSError as error:
            raise explain(error, path) from error

    def is_through_link(self, path: str) -> bool:
        """Return True if the path, or a directory between this one and it, is a link."""
        return any(os.path.islink(step) for step in self._steps(path))

    def make_folder(self, folder: str) -> None:
        """Make a directory below this one; a link in its place is replaced, and its target is left alone."""
        _make(self.directory)
        for step in self._steps(folder):
            if os.path.islink(step):
                os.unlink(step)
            _make(step)

    def _steps(self, path: str) -> Iterator[str]:
        """Yield all directories between this one and the path, from the top, and then the path."""
        step = self.directory
        for name in os.path.relpath(path, self.directory).split(os.sep):
            step = os.path.join(step, name)
            yield step


def explain(error: OSError, path: str) -> StorageError:
    """Make the error for the user.

    :param path: to be named if the error names none, as those of open files do.
    """
    named = error.filename2 or error.filename or path
    return explained(f"cannot read or write {named} on the controller", error)


def _make(folder: str) -> None:
    make_directories(folder, OF_ARCHIVES, above=OF_ARCHIVES)
    if not os.path.isdir(folder):
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), folder)
