# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Carries blobs into the target registry, from archives or other repositories, and finds out where those are."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from typing import Callable

from .._base.stop import Check
from .._oci.descriptor import Descriptor
from .._oci.reference import Reference, Repository
from .._registry.blob_stream import RegistryBlobs
from .._registry.push_requests import OpenUpload
from .._registry.pusher import Pusher
from .._source.archive import Archive
from .._source.blob_reader import BlobReader
from .._source.errors import DamagedPart, MissingBlob, MissingPart, SourceError, WrongLock, WrongOffset
from .contents import LoadImage, blobs_named_in
from .home import Home

_Source = Callable[[], AbstractContextManager[BlobReader]]


class Sent:
    """Counts the bytes that were sent, by any thread."""

    def __init__(self) -> None:
        self._mutex = threading.Lock()
        self.bytes = 0

    def add(self, count: int) -> None:
        """Count bytes; a negative number if they have to be sent again."""
        with self._mutex:
            self.bytes += count


class ArchiveCarrier:
    """Brings blobs of archives into the target registry; a :class:`ledger.Carrier`.

    :param blobs: reads blobs of repositories that cannot be mounted, and that no archive has.
    :param timeout: seconds for one blob.
    :param on_sent: is told of the bytes of each piece that was sent.
    """

    def __init__(
        self,
        registry: Pusher,
        blobs: RegistryBlobs,
        archives: Sequence[Archive],
        *,
        timeout: float,
        on_sent: Callable[[int], None],
    ) -> None:
        self._registry = registry
        self._blobs = blobs
        self._archives = archives
        self._timeout = timeout
        self._on_sent = on_sent
        self._opened: dict[str, BlobReader] = {}

    @contextmanager
    def reading(self, source: BlobReader) -> Iterator[None]:
        """Take the bytes of a blob from a reader that is open already, in the block."""
        self._opened[source.digest] = source
        try:
            yield
        finally:
            del self._opened[source.digest]

    def is_there(self, repository: Repository, blob: Descriptor) -> bool:
        """Ask whether a repository has a blob."""
        return self._registry.has_blob(repository, blob.digest)

    def mount(self, repository: Repository, blob: Descriptor, home: Repository) -> bool:
        """Mount a blob from another repository; where the registry opens an upload instead, send the blob there.

        It is taken from an archive, or else from that other repository.
        """
        opened = self._registry.mount(repository, blob.digest, home)
        if opened is not None:
            self._send(repository, blob, opened, home)
        return opened is None

    def send(self, repository: Repository, blob: Descriptor) -> None:
        """Send a blob."""
        self._send(repository, blob, None, None)

    def _send(
        self, repository: Repository, blob: Descriptor, opened: OpenUpload | None, home: Repository | None
    ) -> None:
        """Send a blob from the first archive that has it, or from elsewhere if it is damaged or missing there."""
        deadline = time.monotonic() + self._timeout
        failures: list[SourceError] = []
        for source in self._sources_of(blob, home):
            try:
                self._send_from(source, repository, blob, opened=None if failures else opened, deadline=deadline)
            except (DamagedPart, MissingPart, MissingBlob, WrongLock) as error:
                failures.append(error)
            else:
                return
        raise failures[0]

    def _send_from(
        self, source: _Source, repository: Repository, blob: Descriptor, *, opened: OpenUpload | None, deadline: float
    ) -> None:
        """Send a blob; from its start again where it was found elsewhere than the lock file says."""
        try:
            self._upload(source, repository, blob, opened=opened, deadline=deadline)
        except WrongOffset:
            self._upload(source, repository, blob, opened=None, deadline=deadline)

    def _upload(
        self, source: _Source, repository: Repository, blob: Descriptor, *, opened: OpenUpload | None, deadline: float
    ) -> None:
        with source() as reader:
            self._registry.upload(repository, blob, reader, opened=opened, on_sent=self._on_sent, deadline=deadline)

    def _sources_of(self, blob: Descriptor, home: Repository | None) -> list[_Source]:
        """Return what opens a blob, best first; a reader that is open already stays open for its owner.

        :raises MissingBlob: when there is nothing.
        """
        opened = self._opened.get(blob.digest)
        sources: list[_Source] = [] if opened is None else [lambda: nullcontext(opened)]
        sources += [partial(one.open_blob, blob.digest) for one in self._archives if one.has(blob.digest)]
        if home is not None:
            sources.append(partial(Home(self._blobs, home).reader, blob.digest, blob.size))
        if not sources:
            raise MissingBlob(
                f"no archive in src contains {blob.digest}, and the registry does not have it. Name the archive that "
                "carried it in src as well, or save a full archive"
            )
        return sources


class Holders:
    """The repositories that have a blob because an image in them names it; documents are read when first asked."""

    def __init__(self, check: Check) -> None:
        self._images: Sequence[LoadImage] = ()
        self._check = check
        self._mutex = threading.Lock()
        self._homes: dict[str, list[Repository]] | None = None

    def know(self, images: Sequence[LoadImage]) -> None:
        """Learn which images the registry has."""
        self._images = images

    def of(self, digest: str) -> Iterable[Repository]:
        """Return the repositories that have a blob; registries may refuse to mount it from there all the same."""
        with self._mutex:
            if self._homes is None:
                self._homes = self._read()
            return self._homes.get(digest, ())

    def _read(self) -> dict[str, list[Repository]]:
        """Read the manifests of all images, each archive from its beginning to its end."""
        by_archive: dict[Archive, dict[Reference, Repository]] = {}
        for image in self._images:
            by_archive.setdefault(image.archive, {})[image.reference] = image.target.repository
        homes: dict[str, set[Repository]] = {}
        for archive, repositories in by_archive.items():
            places = _places(archive, repositories)
            for digest, raw in archive.documents(places):
                self._check()
                for blob in blobs_named_in(raw):
                    homes.setdefault(blob, set()).update(places[digest])
        return {blob: sorted(found) for blob, found in homes.items()}


def _places(archive: Archive, repositories: Mapping[Reference, Repository]) -> dict[str, set[Repository]]:
    """Return the repositories that have a manifest, by its digest."""
    places: dict[str, set[Repository]] = {}
    for locked in archive.images:
        if locked.reference in repositories:
            for platform in locked.platforms:
                places.setdefault(platform.digest, set()).add(repositories[locked.reference])
    return places
