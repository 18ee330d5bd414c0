# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The cache as a whole: an OCI image layout of everything in it, and what of it no archive needs."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from .._base.errors import StorageError
from .._base.stop import Check, go_on
from .._host.filesystem import link_if_possible
from .._oci.layout import BLOBS, OCI_LAYOUT, links_of
from .acceptances import NO_CONFIGURATION, Acceptances
from .blobs import BlobStore
from .disk import HEX, explaining, read_small, remove
from .folders import ImageFolders
from .workspace import Workspace


class Cache:
    """A cache directory.

    :param root: its path; a run in check mode reads it and creates nothing.
    :param configuration: sha256 of what decides today which images are accepted; see :mod:`_skopeo.policy`.
    :param check: called by what takes long; raises when the run is to end.
    :ivar workspace: the run's hold on the directory.
    :ivar blobs: everything in ``share/sha256``.
    :ivar acceptances: which images were accepted, from which repository.
    :ivar folders: the platform images.
    """

    def __init__(self, root: str, configuration: str = NO_CONFIGURATION, check: Check = go_on) -> None:
        self.root = root
        self.workspace = Workspace(root, check)
        self.blobs = BlobStore(self.workspace, check)
        self.acceptances = Acceptances(self.workspace, configuration)
        self.folders = ImageFolders(self.workspace, self.blobs, self.acceptances)

    @contextmanager
    def opened(self, lock_timeout: float) -> Iterator[str]:
        """Hold the cache for this run, and make it an OCI image layout if it is none; see :meth:`Workspace.opened`.

        :param lock_timeout: seconds to wait for another run.
        :returns: path of a directory of this run alone.
        :raises BusyError: when another run holds it for longer.
        :raises StorageError: when it cannot be written to, or is something else than a cache.
        """
        with self.workspace.opened(lock_timeout) as directory:
            with explaining(f"cannot use cache_dir {self.root}"):
                self._complete_layout()
            yield directory

    def write_layout(self, documents: dict[str, bytes]) -> None:
        """Write the files by which other tools read the cache (``index.json`` and hangar's list).

        :param documents: content by name; each file appears whole.
        :raises StorageError: when they cannot be written.
        """
        with explaining(f"cannot write to cache_dir {self.root}"):
            for name, raw in documents.items():
                self.workspace.put(os.path.join(self.root, name), raw)

    def superfluous(self, *, folders: set[str], blobs: set[str]) -> list[str]:
        """Return the paths of all folders and blobs but those that are needed.

        :param folders: names of the folders to keep.
        :param blobs: digests of the blobs to keep.
        :raises StorageError: when the cache cannot be read.
        """
        with explaining(f"cannot read cache_dir {self.root}"):
            return self._superfluous(folders, blobs)

    def prunable(self, *, folders: set[str], blobs: set[str]) -> int:
        """Return the bytes of all blobs but those that are needed; see :meth:`superfluous`."""
        with explaining(f"cannot read cache_dir {self.root}"):
            found = self._superfluous(folders, blobs)
            return sum(os.lstat(path).st_size for path in found if self._is_blob(path))

    def prune(self, *, folders: set[str], blobs: set[str]) -> int:
        """Remove all folders and blobs but those that are needed; see :meth:`superfluous`.

        :returns: bytes of the blobs that were removed.
        :raises StorageError: when one cannot be removed.
        """
        freed = 0
        for path in self.superfluous(folders=folders, blobs=blobs):
            with explaining(f"cannot prune cache_dir {self.root}"):
                if self._is_blob(path):
                    freed += os.lstat(path).st_size
                remove(path)
        return freed

    def _is_blob(self, path: str) -> bool:
        return os.path.dirname(path) == self.workspace.share

    def _superfluous(self, folders: set[str], blobs: set[str]) -> list[str]:
        share = self.workspace.share
        if not os.path.isdir(share):
            return []
        found = [entry.path for entry in os.scandir(self.root) if HEX.fullmatch(entry.name)]
        found = [path for path in found if os.path.basename(path) not in folders]
        return found + [
            entry.path
            for entry in os.scandir(share)
            if f"sha256:{entry.name}" not in blobs
            and (HEX.fullmatch(entry.name) or not entry.is_dir(follow_symlinks=False))
        ]

    def _complete_layout(self) -> None:
        blobs = os.path.join(self.root, BLOBS)
        if os.path.lexists(blobs) and not os.path.islink(blobs):
            raise StorageError(f"cache_dir {self.root} is something else: {blobs} is not a link. Use another directory")
        for name, target in links_of(os.path.basename(path) for path in self.folders.paths()).items():
            _put_link(os.path.join(self.root, name), target)
        layout = os.path.join(self.root, "oci-layout")
        if read_small(layout) != OCI_LAYOUT:
            self.workspace.put(layout, OCI_LAYOUT)


def _put_link(path: str, target: str) -> None:
    if not os.path.islink(path) or os.readlink(path) != target:
        remove(path)
        link_if_possible(target, path)
