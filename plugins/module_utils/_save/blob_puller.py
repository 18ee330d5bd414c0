# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Pulls single blobs into the cache, with our own client.

A blob that a repository has lost comes from another repository of the run that names it.
"""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress

from .._base.errors import TransferError
from .._cache.cache import Cache
from .._host.log import Log
from .._oci.descriptor import Descriptor
from .._oci.image import PlatformImage, hex_of
from .._oci.reference import Repository
from .tools import Tools


class BlobPuller:
    """Pulls blobs, and counts what was downloaded.

    :param sources: the repositories that name a blob, where several do.
    :param writes_out: have the kernel write blobs to disk at once, as the archive shares their files.
    """

    def __init__(
        self,
        tools: Tools,
        cache: Cache,
        log: Log,
        *,
        sources: Mapping[str, Sequence[Repository]],
        writes_out: bool,
    ) -> None:
        self._tools = tools
        self._cache = cache
        self._log = log
        self._sources = sources
        self._writes_out = writes_out
        self._mutex = threading.Lock()
        self._downloaded: dict[str, int] = {}
        self._bytes = 0

    @property
    def downloaded(self) -> dict[str, int]:
        """Bytes of each blob that came from a registry, by digest."""
        with self._mutex:
            return dict(self._downloaded)

    @property
    def downloaded_bytes(self) -> int:
        """Their bytes, without a copy of what may be a hundred thousand."""
        return self._bytes

    def has_come(self, blob: Descriptor) -> bool:
        """Return True if a blob was downloaded."""
        return blob.digest in self._downloaded

    def count(self, blobs: Iterable[Descriptor]) -> None:
        """Count blobs that were downloaded."""
        with self._mutex:
            for blob in blobs:
                self._bytes += blob.size - self._downloaded.get(blob.digest, 0)
                self._downloaded[blob.digest] = blob.size

    def pull(self, image: PlatformImage, blob: Descriptor, deadline: float) -> None:
        """Pull a blob from its image's repository, or else from another one that names it.

        :param deadline: the ``time.monotonic()`` at which the image is given up.
        :raises TransferError: why its own repository does not give it, where no other one does.
        """
        try:
            self.pull_from(image.repository, blob, deadline)
        except TransferError as error:
            if not self.pull_elsewhere(image, blob, deadline):
                raise
            self._log.warning(f"{error}; another repository of this run had it")

    def pull_elsewhere(self, image: PlatformImage, blob: Descriptor, deadline: float) -> bool:
        """Pull a blob from any repository but its image's own.

        :returns: whether one had it.
        """
        for repository in self._sources.get(blob.digest, ()):
            if repository == image.repository or self._tools.configuration.applies_to(repository):
                continue
            try:
                self.pull_from(repository, blob, deadline)
            except TransferError as error:
                self._log.debug(str(error))
            else:
                return True
        return False

    def pull_from(self, repository: Repository, blob: Descriptor, deadline: float) -> None:
        """Pull a blob from one repository.

        :raises TransferError: why it does not give it, after all tries.
        """
        if self._tools.configuration.applies_to(repository):
            raise TransferError(
                f"registries.conf of this host leaves {repository.registry} to skopeo, which copies none; leave "
                "include_foreign_layers out, or save the image from a registry that is not mentioned there",
                heals=False,
            )
        path = os.path.join(self._cache.workspace.run_directory, f"blob-{hex_of(blob.digest)}")
        with removed_on_failure(path):
            self._tools.registries.fetch_blob(repository, blob, path, deadline=deadline)
        if self._writes_out:
            _begin_writing_out(path)
        self._cache.blobs.adopt(path, blob.digest)
        self.count([blob])
        self._log.debug(f"fetched blob {blob.digest} ({blob.size} bytes)")


@contextmanager
def removed_on_failure(path: str) -> Iterator[None]:
    """Remove a file or a directory if the block that creates it fails; the next try creates it again."""
    try:
        yield
    except BaseException:
        if os.path.isdir(path):
            shutil.rmtree(path, ignore_errors=True)
        with suppress(OSError):
            os.unlink(path)
        raise


def _begin_writing_out(path: str) -> None:
    """Have the kernel begin to write a file to disk, without waiting: publishing waits, and then finds it done.

    posix_fadvise(2): what is dirty cannot be dropped, so Linux writes it.
    """
    with open(path, "rb") as file:
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
