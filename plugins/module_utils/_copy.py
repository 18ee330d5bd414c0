# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Several copies at once, and no blob fetched by two of them.

A worker takes the first image none of whose missing blobs another worker is fetching; until then that image waits,
and the workers go on with others.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import Callable

from ._errors import Interrupted
from ._image import PlatformImage, StoredImage
from ._stop import Stop


class CopyPool:
    """Copies platform images on some threads; whoever needs one waits for it.

    :param copy: copies one image and gives it as stored; raises :class:`ImageSaveError`.
    :param missing: digests of the blobs that a copy of this image would fetch now.
    :param stored: images that need no copy, by digest.
    :param jobs: copies at once.
    :param stop: set when the run is to end; ``copy`` watches it too.
    """

    def __init__(
        self,
        copy: Callable[[PlatformImage], StoredImage],
        missing: Callable[[PlatformImage], set[str]],
        stored: Mapping[str, StoredImage],
        *,
        jobs: int,
        stop: Stop,
    ) -> None:
        self._copy = copy
        self._missing = missing
        self._stop = stop
        self._changed = threading.Condition()
        self._pending: dict[str, PlatformImage] = {}
        self._leases: dict[str, set[str]] = {}
        self._stored = dict(stored)
        self._failed: dict[str, Exception] = {}
        self._closed = False
        self._threads = [threading.Thread(target=self._work, daemon=True) for _number in range(jobs)]

    def __enter__(self) -> CopyPool:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Wait for what is left; when the caller fails, have it ended instead."""
        with self._changed:
            self._closed = True
            if kind is not None:
                self._stop.end()
                self._pending.clear()
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()

    def add(self, images: Iterable[PlatformImage]) -> None:
        """Have images copied, in this order as far as leases allow; also again, if they were copied before."""
        with self._changed:
            for image in images:
                self._stored.pop(image.digest, None)
                self._failed.pop(image.digest, None)
                self._pending[image.digest] = image
            self._changed.notify_all()

    def result(self, image: PlatformImage) -> StoredImage:
        """Wait until an image that was added is copied.

        :raises ImageSaveError: why it could not be.
        """
        with self._changed:
            self._changed.wait_for(lambda: image.digest in self._stored or image.digest in self._failed)
            if image.digest in self._failed:
                raise self._failed[image.digest]
            return self._stored[image.digest]

    def _work(self) -> None:
        while True:
            image = self._take()
            if image is None:
                return
            try:
                stored = self._copy(image)
            except Exception as error:
                self._finish(image, None, error)
            else:
                self._finish(image, stored, None)

    def _take(self) -> PlatformImage | None:
        with self._changed:
            while True:
                if self._stop.is_set():
                    self._fail_pending()
                image = self._first_free()
                if image is not None:
                    del self._pending[image.digest]
                    return image
                if self._closed and not self._pending:
                    return None
                self._changed.wait()

    def _first_free(self) -> PlatformImage | None:
        """The first image that no running copy stands in the way of; takes the leases for it."""
        busy = set().union(*self._leases.values())
        for image in self._pending.values():
            if image.digest in self._leases:
                continue
            needed = self._missing(image)
            if busy.isdisjoint(needed):
                self._leases[image.digest] = needed
                return image
        return None

    def _finish(self, image: PlatformImage, stored: StoredImage | None, error: Exception | None) -> None:
        with self._changed:
            del self._leases[image.digest]
            if stored is not None:
                self._stored[image.digest] = stored
            elif error is not None:
                self._failed[image.digest] = error
            self._changed.notify_all()

    def _fail_pending(self) -> None:
        for digest in self._pending:
            self._failed[digest] = Interrupted("the run was stopped")
        self._pending.clear()
        self._changed.notify_all()
