# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Records which images were accepted: from which repository, under which configuration of skopeo.

Each image in the cache has a record beside it, written as it comes. Each archive has its own, which stays when blobs
leave the cache; it is read in every run, and so is one file for all archives.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress

from .._archive.lock import Lock
from .._base.errors import StorageError
from .._base.json import Json, JsonError, JsonObject, compact, parse_object
from .._cache.cache import Cache
from .._host.files import put_whole, read_regular
from .._oci.image import PlatformImage, ResolvedImage, key_of
from .._oci.reference import Reference, Repository

RECORD = "accepted.json"
_LARGEST = 256 * 1024 * 1024


class Accepted:
    """The record of one archive.

    :param cache: has the record in its directory.
    :param archive: path of the archive's lock file. The records of archives that are gone are dropped.
    :param repositories: where each image of the run is pulled from.
    """

    def __init__(self, cache: Cache, archive: str, repositories: Mapping[Reference, Repository]) -> None:
        self._cache = cache
        self._archive = archive
        self._repositories = dict(repositories)
        self._path = os.path.join(cache.root, RECORD)
        known = self._read().get(archive, {}).get(cache.acceptances.configuration, ())
        self._before = frozenset(map(sys.intern, known))  # as those that they are compared with
        self._new: set[str] = set()
        self._keys_of: tuple[Lock, set[str]] | None = None

    def learn(self, repositories: Mapping[Reference, Repository]) -> None:
        """Take in where more images of the run are pulled from: what was found with those of the list."""
        self._repositories.update(repositories)
        self._keys_of = None

    def knows(self, repository: Repository, digest: str) -> bool:
        """Return True if the archive's record has a manifest or index of this repository."""
        key = key_of(repository, digest)
        return key in self._before or key in self._new

    def holds(self, image: PlatformImage) -> bool:
        """Return True if a platform image was accepted from its repository."""
        return self.knows(image.repository, image.digest) or self._cache.acceptances.has(image)

    def covers(self, lock: Lock) -> bool:
        """Return True if the record has everything that an archive holds."""
        is_known = all(image.reference in self._repositories for image in lock.images)
        return is_known and self._before.issuperset(self._keys(lock))

    def record(self, image: PlatformImage) -> None:
        """Record that a platform image was accepted now.

        :raises StorageError: when that cannot be written.
        """
        self._cache.acceptances.record(image)
        self._new.add(image.key)

    def lacking(self, images: Iterable[ResolvedImage]) -> list[PlatformImage]:
        """Return the platform images that were not accepted from their repository, each once."""
        unique = {image.key: image for one in images for image in one.children}
        return [image for image in unique.values() if not self.holds(image)]

    def save(self, lock: Lock) -> None:
        """Write the record of an archive that was written, or found to be right, in this run.

        :param lock: of the archive; everything in it was accepted.
        :raises StorageError: when it cannot be written; losing it costs a request for each image.
        """
        if self._before == self._keys(lock):
            return
        keys = sorted(self._keys(lock))
        records = {archive: found for archive, found in self._read().items() if os.path.lexists(archive)}
        records[self._archive] = {self._cache.acceptances.configuration: keys}
        document: dict[str, Json] = {
            archive: {configuration: [*found] for configuration, found in sorted(records[archive].items())}
            for archive in sorted(records)
        }
        try:
            if os.path.isdir(self._path) and not os.path.islink(self._path):
                shutil.rmtree(self._path)  # the name is ours, in a directory of ours
            put_whole(self._path, compact(document), by=os.path.join(self._cache.workspace.run_directory, RECORD))
        except OSError as error:
            raise StorageError(f"cannot write to cache_dir {self._cache.root}: {error.strerror}") from error

    def _keys(self, lock: Lock) -> set[str]:
        """Return the keys of everything in an archive; of its indexes too, which skopeo is not asked for."""
        if self._keys_of is not None and self._keys_of[0] is lock:
            return self._keys_of[1]
        keys: set[str] = set()
        for image in lock.images:
            repository = self._repositories[image.reference]
            keys.add(key_of(repository, image.digest))
            keys.update(key_of(repository, platform.source_digest) for platform in image.platforms)
        self._keys_of = lock, keys
        return keys

    def _read(self) -> dict[str, dict[str, Collection[str]]]:
        """Return all records: what was accepted, by archive and configuration."""
        with suppress(OSError, JsonError):
            document = parse_object(read_regular(self._path, _LARGEST))
            return {archive: _texts_of(document.object(archive)) for archive in document.names()}
        return {}


def _texts_of(document: JsonObject) -> dict[str, Collection[str]]:
    return {name: document.texts(name) for name in document.names()}
