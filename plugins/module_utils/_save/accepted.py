# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which images were let through: from which repository, under which configuration of skopeo.

What is in the cache has its record beside it, written as it comes. An archive has its own, which stays when the cache
lets go of blobs: it is looked at in every run, and so is one file for all images.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Collection, Iterable
from contextlib import suppress

from .._archive.lock import Lock
from .._base.errors import StorageError
from .._base.json import Json, JsonError, JsonObject, compact, parse_object
from .._cache.cache import Cache
from .._host.files import open_regular, put_whole
from .._oci.image import PlatformImage, ResolvedImage, key_of
from .._oci.reference import Repository, SourceRegistry, pulled_from

RECORD = "accepted.json"
_LARGEST = 256 * 1024 * 1024


class Accepted:
    """The record of one archive.

    :param cache: holds it.
    :param archive: path of the archive's lock file. The records of those that are gone are dropped.
    :param source: the registry that takes the place of each reference's own.
    """

    def __init__(self, cache: Cache, archive: str, source: SourceRegistry | None) -> None:
        self._cache = cache
        self._archive = archive
        self._source = source
        self._path = os.path.join(cache.root, RECORD)
        self._before = frozenset(self._read().get(archive, {}).get(cache.configuration, ()))
        self._new: set[str] = set()

    def knows(self, repository: Repository, digest: str) -> bool:
        """Whether a manifest or index was let through from this repository, as far as the archive's record says."""
        key = key_of(repository, digest)
        return key in self._before or key in self._new

    def holds(self, image: PlatformImage) -> bool:
        """Whether a platform image was let through from its repository."""
        return self.knows(image.repository, image.digest) or self._cache.is_accepted(image)

    def covers(self, lock: Lock) -> bool:
        """Whether the record has everything that an archive holds."""
        return self._before.issuperset(self._keys(lock))

    def take_down(self, image: PlatformImage) -> None:
        """Note that a platform image was let through now.

        :raises StorageError: when that cannot be written.
        """
        self._cache.take_down_acceptance(image)
        self._new.add(image.key)

    def lacking(self, images: Iterable[ResolvedImage]) -> list[PlatformImage]:
        """The platform images that were not let through from their repository, each once."""
        unique = {image.key: image for one in images for image in one.platforms}
        return [image for image in unique.values() if not self.holds(image)]

    def save(self, lock: Lock) -> None:
        """Keep the record for an archive that was made, or found to be right, in this run.

        :param lock: of the archive, all of which was let through.
        :raises StorageError: when it cannot be written; to lose it costs a request for each image.
        """
        keys = sorted(self._keys(lock))
        if self._before == {*keys}:
            return
        records = {archive: found for archive, found in self._read().items() if os.path.lexists(archive)}
        records[self._archive] = {self._cache.configuration: keys}
        document: dict[str, Json] = {
            archive: {configuration: [*found] for configuration, found in sorted(records[archive].items())}
            for archive in sorted(records)
        }
        try:
            if os.path.isdir(self._path) and not os.path.islink(self._path):
                shutil.rmtree(self._path)  # the name is ours, in a directory of ours
            put_whole(self._path, compact(document), by=os.path.join(self._cache.run_directory, RECORD))
        except OSError as error:
            raise StorageError(f"cannot write to cache_dir {self._cache.root}: {error.strerror}") from error

    def _keys(self, lock: Lock) -> set[str]:
        """What an archive holds, by repository; its indexes too, which skopeo is not asked for."""
        keys: set[str] = set()
        for image in lock.images:
            repository = pulled_from(image.reference, self._source)
            keys.add(key_of(repository, image.digest))
            keys.update(key_of(repository, platform.source_digest) for platform in image.platforms)
        return keys

    def _read(self) -> dict[str, dict[str, Collection[str]]]:
        """All records: what was let through, by archive and configuration."""
        with suppress(OSError, JsonError), open_regular(self._path) as file:
            document = parse_object(file.read(_LARGEST))
            return {archive: _texts_of(document.object(archive)) for archive in document.names()}
        return {}


def _texts_of(document: JsonObject) -> dict[str, Collection[str]]:
    return {name: document.texts(name) for name in document.names()}
