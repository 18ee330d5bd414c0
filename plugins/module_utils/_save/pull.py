# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From registry to cache: single blobs by our own client, and each image as a whole, with skopeo or without it.

skopeo pulls blobs as well where it may know a way that the client does not: registries that its configuration mentions,
conversions, and whatever the client was refused.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Callable, TypeVar

from .._archive.output import DIR
from .._base.clock import Clock
from .._base.errors import ManifestError, TransferError
from .._base.size import format_count
from .._cache.pool import Lack
from .._host.disk_errors import explained
from .._oci.descriptor import Descriptor
from .._oci.image import PlatformImage, StoredImage
from .._oci.schema1 import Schema1
from .._registry.retry import retrying
from .blob_puller import BlobPuller
from .image_copier import ImageCopier
from .resolved_list import ResolvedList
from .run import Run
from .tools import Tools

Result = TypeVar("Result")


class Puller:
    """Brings blobs and platform images into the cache, each within the time of its image, after all tries.

    :param images: what is wanted.
    """

    def __init__(self, run: Run, tools: Tools, images: ResolvedList) -> None:
        self._tools = tools
        self._cache = run.cache
        self._log = run.log
        self._progress = run.progress
        self._accepted = run.accepted
        self._timeout = run.options.work.timeout
        self._places = images.places
        self._blobs = BlobPuller(
            tools, run.cache, run.log, sources=images.sources, writes_out=run.options.output.compress == DIR
        )
        self._images = ImageCopier(tools, run.cache, run.accepted, self._blobs)
        self._mutex = threading.Lock()
        self._clocks: dict[str, Clock] = {}
        self._refused: dict[tuple[str, str], TransferError] = {}
        self._with_skopeo: dict[str, dict[str, Descriptor]] = {}

    @property
    def downloaded(self) -> dict[str, int]:
        """Bytes of each blob that came from a registry, by digest."""
        return self._blobs.downloaded

    def arrived_bytes(self) -> int:
        """Return the bytes that have come so far, those of growing files included."""
        with self._mutex:
            half = {digest: blob for missing in self._with_skopeo.values() for digest, blob in missing.items()}
        unknown = (blob for blob in half.values() if not self._blobs.has_come(blob))
        blobs = self._cache.blobs
        half_there = sum(blob.size for blob in unknown if blobs.has(blob))
        return self._blobs.downloaded_bytes + half_there + blobs.arriving_bytes()

    def lack(self, image: PlatformImage) -> Lack:
        """Return what the cache lacks of an image, and who pulls it. Its folder is written by one copy at a time."""
        missing = self._images.missing(image)
        ours = self._for_client(image, missing)
        return Lack(tuple(ours.values()), frozenset({image.digest, *missing}.difference(ours)))

    def pull_blob(self, image: PlatformImage, blob: Descriptor) -> bool:
        """Pull one blob; what the client is refused is left to skopeo.

        :returns: whether the blob is there; if not, the copy of the image has to bring it.
        :raises TransferError: why it could not be pulled, after all tries.
        """
        with self._working_on(image) as deadline:
            self._cache.blobs.drop_unsound([blob])
            if self._cache.blobs.has(blob):
                return True
            try:
                self._blobs.pull(image, blob, deadline)
            except TransferError as error:
                if blob.is_foreign:  # skopeo leaves them out
                    raise TransferError(f"foreign layer: {error}", heals=False) from error
                if error.is_final or self._tools.unsupported.includes(image):
                    raise
                self._log.debug(f"{error}; left to skopeo")
                with self._mutex:
                    self._refused[str(image.repository), blob.digest] = error
                return False
            return True

    def copy(self, image: PlatformImage) -> StoredImage:
        """Copy an image, with the blobs that are missing; if the cache has it whole, only have it accepted.

        :raises TransferError: why it could not be copied, or was not accepted, after all tries.
        """
        stored = self._cache.folders.stored(image)
        if stored is not None:
            if not self._accepted.holds(image):
                self.accept(image)
            return stored
        with self._working_on(image) as deadline:
            missing = self._images.missing(image)
            with self._mutex:
                self._with_skopeo[image.key] = missing
            self._log.info(f"copying {image.repository}@{image.digest} ({image.descriptor.platform or 'artefact'})")
            started = time.monotonic()
            try:
                stored = self._copy_patiently(image, deadline)
            except TransferError as error:
                self._raise_what_the_client_met(image, missing, error)
                raise
            finally:
                with self._mutex:
                    del self._with_skopeo[image.key]
            self._log.info(f"copied with {format_count(len(missing), 'blob')} in {time.monotonic() - started:.1f} s")
        self._blobs.count(blob for blob in stored.all_blobs() if image.is_converted or blob.digest in missing)
        with self._mutex:
            self._clocks.pop(image.key, None)  # a list has tens of thousands
        return stored

    def accept(self, image: PlatformImage) -> None:
        """Have an image accepted: by its repository, and under the signature policy. No layer is pulled.

        :raises TransferError: why it was not accepted, after all tries.
        """
        with self._working_on(image) as deadline:
            self._log.info(f"asking whether {image.key} may be saved ({image.descriptor.platform or 'artefact'})")
            self._patiently(lambda: self._images.accept(image, deadline), deadline)
            self._accepted.record(image)

    def _copy_patiently(self, image: PlatformImage, deadline: float) -> StoredImage:
        try:
            return self._patiently(lambda: self._images.copy(image, deadline), deadline)
        except TransferError as error:
            if error.is_final:
                raise
            lost = [blob for digest, blob in self._images.missing(image).items() if digest != image.digest]
            found = [self._blobs.pull_elsewhere(image, blob, deadline) for blob in lost]
            if not any(found):
                raise
        return self._patiently(lambda: self._images.copy(image, deadline), deadline)

    def _raise_what_the_client_met(self, image: PlatformImage, missing: Iterable[str], error: TransferError) -> None:
        """Raise what the client was told of a blob before skopeo was, with what skopeo says, which is often less."""
        with self._mutex:
            told = [self._refused.get((str(image.repository), digest)) for digest in missing]
        for ours in filter(None, told):
            raise error.ended(f"{ours}; {error}") from error

    def _patiently(self, action: Callable[[], Result], deadline: float) -> Result:
        return retrying(
            action,
            policy=self._tools.policy,
            stop=self._tools.stop,
            deadline=deadline,
            on_retry=self._log.retry,
        )

    @contextmanager
    def _working_on(self, image: PlatformImage) -> Iterator[float]:
        """Give the ``time.monotonic()`` at which the image is given up; waiting for its turn takes none of its time."""
        listed, platform = self._places[image.key]
        name = str(listed.reference)
        with self._mutex:
            clock = self._clocks.setdefault(image.key, Clock(self._timeout))
        what = f"{name} ({image.descriptor.platform or 'artefact'})"
        with self._log.about(listed.number, platform), self._progress.working_on(what), clock.running() as deadline:
            try:
                yield deadline
            except (TransferError, ManifestError) as error:
                told = self._tools.failures.of_image(image.repository.registry, name, error)
                if told is not error:
                    raise told from error
                raise
            except OSError as error:
                raise explained(f"cannot write to cache_dir {self._cache.root}", error) from error

    def _for_client(self, image: PlatformImage, missing: Mapping[str, Descriptor]) -> dict[str, Descriptor]:
        """Return those of the missing blobs that our client pulls."""
        content = image.content
        if isinstance(content, Schema1):
            return {}  # skopeo converts it
        if self._tools.unsupported.may_be_copied(image):
            return {digest: blob for digest, blob in missing.items() if digest != image.digest}
        # skopeo fetches manifest and configuration at every copy.
        own = {image.digest, content.config.digest if content.config is not None else ""}
        if self._tools.configuration.applies_to(image.repository):
            return {layer.digest: layer for layer in image.foreign_layers if layer.digest in missing}
        return {digest: blob for digest, blob in missing.items() if digest not in own}
