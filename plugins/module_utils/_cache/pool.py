# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs several transfers at once, so that no blob is pulled twice.

A worker copies the first image that has all its blobs; if there is none, it pulls a blob that images wait for. Blobs
that only skopeo can pull are leased to the copy that will, and no other copy with such a blob runs meanwhile.
"""

from __future__ import annotations

import bisect
import math
import threading
import time
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Callable, Protocol

from .._base.errors import ImagesError, Interrupted
from .._base.stop import LOOK_SECONDS, Stop
from .._oci.descriptor import Descriptor
from .._oci.image import PlatformImage, StoredImage
from .order import BlobQueue

_IN_VIEW = 2000  # images that are looked at together; more would take memory, and hardly change the order
_LAST_WORDS = 3.0  # longer than it takes to end a program that does not listen


@dataclass(frozen=True)
class Lack:
    """The blobs of an image that are missing in the cache.

    :param to_pull: blobs to be pulled one by one, before the image is copied.
    :param to_copy: digests of the blobs that its copy will pull.
    """

    to_pull: tuple[Descriptor, ...]
    to_copy: frozenset[str]


class Transfer(Protocol):
    """Does the work of the pool. Its methods raise :class:`ImagesError`."""

    def lack(self, image: PlatformImage) -> Lack:
        """Return what the image lacks now."""

    def pull_blob(self, image: PlatformImage, blob: Descriptor) -> bool:
        """Pull one blob of an image into the cache.

        :returns: whether the blob is there; if not, the copy has to pull it.
        """

    def copy(self, image: PlatformImage) -> StoredImage:
        """Copy an image, with the blobs that are missing."""


@dataclass(eq=False)
class _Task:
    """An image that is being pulled.

    :ivar number: its place in the order.
    :ivar awaits: the blobs to be pulled before it can be copied, by digest.
    :ivar leases: digests of the blobs that its copy pulls.
    """

    number: int
    image: PlatformImage
    awaits: dict[str, Descriptor] = field(default_factory=dict)
    leases: set[str] = field(default_factory=set)


def _nobody_is_told(image: PlatformImage, failure: Exception | None) -> None:
    """Do nothing at the end of an image."""


class CopyPool:
    """Pulls platform images into the cache on several threads; callers wait for the image they need.

    :param stored: images that need no copy, by key.
    :param jobs: how many transfers run at once.
    :param ahead: how many images at most are being pulled, or wait to be asked for; ``None``: all.
    :param stop: set when the run is to end; ``transfer`` observes it too.
    :param ended: called for each image that was copied, or failed, with the error.
    """

    def __init__(
        self,
        transfer: Transfer,
        stored: Mapping[str, StoredImage],
        *,
        jobs: int,
        stop: Stop,
        ahead: int | None = None,
        ended: Callable[[PlatformImage, Exception | None], None] = _nobody_is_told,
    ) -> None:
        self._transfer = transfer
        self._stop = stop
        self._ahead = ahead
        self._ended = ended
        self._changed = threading.Condition()
        self._backlog: OrderedDict[str, PlatformImage] = OrderedDict()  # by key; a dict is slow at its beginning
        self._unclaimed: set[str] = set()
        self._admitted = 0
        self._tasks: dict[str, _Task] = {}
        self._ready: list[tuple[int, _Task]] = []
        self._waiting: dict[str, list[_Task]] = {}
        self._queue = BlobQueue(jobs if ahead is None else 0)  # to take little space, blobs come in order
        self._busy: set[str] = set()
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
        """Wait for what is left; if the caller has failed, end it instead."""
        with self._changed:
            self._closed = True
            if kind is not None:
                self._stop.end()
            self._changed.notify_all()
        until = math.inf
        for thread in self._threads:
            # A thread that waits for a silent registry cannot be woken, and does nothing more once it is.
            while thread.is_alive() and time.monotonic() < until:
                if self._stop.is_set() and until == math.inf:
                    until = time.monotonic() + _LAST_WORDS
                    with self._changed:
                        self._changed.notify_all()
                thread.join(LOOK_SECONDS)

    def add(self, images: Iterable[PlatformImage]) -> None:
        """Have images copied, in this order where blobs allow; again, if they were copied before."""
        with self._changed:
            for image in images:
                self._stored.pop(image.key, None)
                self._failed.pop(image.key, None)
                self._backlog[image.key] = image
            self._admit()

    def result(self, image: PlatformImage) -> StoredImage:
        """Wait until an image that was added is copied; the images behind it may then go on.

        :raises ImagesError: why it could not be copied.
        :raises Interrupted: when the run was stopped.
        """
        with self._changed:
            # The other platforms of an image that failed are never asked for: they must not fill the window forever.
            while self._ahead is not None and image.key in self._backlog:
                self._unclaimed.clear()
                self._admit()
            self._stop.check()
            while not (image.key in self._stored or image.key in self._failed):
                self._changed.wait(LOOK_SECONDS)
                self._stop.check()
            self._unclaimed.discard(image.key)
            self._admit()
            if image.key in self._failed:
                raise self._failed[image.key]
            return self._stored[image.key]

    def give_up(self, why: ImagesError, images: Iterable[PlatformImage] | None = None) -> None:
        """Fail images that are not being copied at this moment. Only blobs that are being pulled are completed.

        :param why: the error of these images.
        :param images: ``None``: all that were added.
        """
        with self._changed:
            chosen = None if images is None else {image.key for image in images}
            copied_now = {key for key, task in self._tasks.items() if not task.awaits}
            copied_now.difference_update(task.image.key for _number, task in self._ready)
            tasks = [task for key, task in self._tasks.items() if key not in copied_now]
            for task in tasks:
                if chosen is None or task.image.key in chosen:
                    self._forget(task, why)
            self._ready = [(number, task) for number, task in self._ready if task.image.key in self._tasks]
            for key in [*self._backlog] if chosen is None else chosen & self._backlog.keys():
                del self._backlog[key]
                self._failed[key] = why
            self._admit()
            self._changed.notify_all()

    # -- from here on, called with the mutex held unless stated otherwise ----------------

    def _admit(self) -> None:
        """Take up what there is space for; nobody is woken where there is nothing."""
        before = self._admitted
        while self._backlog and self._has_room():
            _key, image = self._backlog.popitem(last=False)
            lack = self._transfer.lack(image)
            task = _Task(self._admitted, image, {blob.digest: blob for blob in lack.to_pull}, set(lack.to_copy))
            self._admitted += 1
            if self._ahead is not None:
                self._unclaimed.add(image.key)
            self._tasks[image.key] = task
            for digest, blob in task.awaits.items():
                self._waiting.setdefault(digest, []).append(task)
                if digest not in self._busy:
                    self._queue.add(digest, blob.size)
            if not task.awaits:
                bisect.insort(self._ready, (task.number, task))
        if self._admitted > before:
            self._changed.notify_all()

    def _has_room(self) -> bool:
        if self._ahead is None:
            return len(self._tasks) < _IN_VIEW
        return len(self._unclaimed) < self._ahead

    def _work(self) -> None:
        """Run a worker; called without the mutex."""
        while True:
            with self._changed:
                task, blob = self._next()
            if task is None:
                return
            if blob is None:
                self._copy(task)
            else:
                self._pull(task, blob)

    def _next(self) -> tuple[_Task | None, Descriptor | None]:
        """Wait for something to do.

        :returns: an image to copy, or with it one of its blobs to pull; ``None`` twice when everything is done.
        """
        while True:
            if self._stop.is_set():
                self._fail_all()
            task = self._take_ready()
            if task is not None:
                return task, None
            found = self._take_blob()
            if found is not None:
                return found
            if self._closed and not self._tasks and not self._backlog:
                return None, None
            self._changed.wait()  # when the run is stopped, its caller leaves the pool, which wakes all

    def _take_ready(self) -> _Task | None:
        """Return the first image that no running transfer blocks, and take its leases."""
        for place, (_number, task) in enumerate(self._ready):
            if self._busy.isdisjoint(task.leases):
                del self._ready[place]
                self._busy |= task.leases
                return task
        return None

    def _take_blob(self) -> tuple[_Task, Descriptor] | None:
        while len(self._queue):
            digest = self._queue.take()
            if digest not in self._busy and self._waiting.get(digest):
                self._busy.add(digest)
                task = self._waiting[digest][0]
                return task, task.awaits[digest]
        return None

    def _copy(self, task: _Task) -> None:
        """Called without the mutex."""
        stored: StoredImage | None = None
        failure: Exception | None = None
        try:
            stored = self._transfer.copy(task.image)
        except Exception as error:
            failure = error
        with self._changed:
            self._busy -= task.leases
            self._finish(task, stored, failure)
            for digest in task.leases & self._waiting.keys():
                if stored is not None:
                    self._arrived(digest)
                else:
                    self._requeue(digest)

    def _pull(self, task: _Task, blob: Descriptor) -> None:
        """Called without the mutex."""
        is_there = False
        failure: Exception | None = None
        try:
            is_there = self._transfer.pull_blob(task.image, blob)
        except Exception as error:
            failure = error
        with self._changed:
            self._busy.discard(blob.digest)
            if is_there:
                self._arrived(blob.digest)
                return
            # Others may need it too, from a repository that has it.
            if failure is not None:
                self._finish(task, None, failure)
            else:
                self._drop_wait(task, blob.digest)
                task.leases.add(blob.digest)
                self._let_go(task)
            self._requeue(blob.digest)
            self._changed.notify_all()

    def _arrived(self, digest: str) -> None:
        for task in self._waiting.pop(digest, ()):
            task.awaits.pop(digest, None)
            self._let_go(task)
        self._queue.discard(digest)
        self._changed.notify_all()

    def _let_go(self, task: _Task) -> None:
        if not task.awaits and task.image.key in self._tasks:
            bisect.insort(self._ready, (task.number, task))

    def _requeue(self, digest: str) -> None:
        if self._waiting.get(digest):
            self._queue.add(digest, self._waiting[digest][0].awaits[digest].size)

    def _drop_wait(self, task: _Task, digest: str) -> None:
        task.awaits.pop(digest, None)
        waiting = self._waiting.get(digest, [])
        if task in waiting:
            waiting.remove(task)
        if not waiting:
            self._waiting.pop(digest, None)
            self._queue.discard(digest)

    def _finish(self, task: _Task, stored: StoredImage | None, failure: Exception | None) -> None:
        self._tasks.pop(task.image.key, None)
        for digest in list(task.awaits):
            self._drop_wait(task, digest)
        if stored is not None:
            self._stored[task.image.key] = stored
            self._ended(task.image, None)
        elif task.image.key not in self._failed:
            self._failed[task.image.key] = failure = failure or ImagesError("it was not copied")
            self._ended(task.image, failure)
        if self._ahead is None:
            self._admit()
        self._changed.notify_all()

    def _forget(self, task: _Task, why: ImagesError) -> None:
        self._tasks.pop(task.image.key, None)
        self._unclaimed.discard(task.image.key)
        for digest in list(task.awaits):
            self._drop_wait(task, digest)
        self._failed[task.image.key] = why

    def _fail_all(self) -> None:
        for image in [*(task.image for task in self._tasks.values()), *self._backlog.values()]:
            self._failed.setdefault(image.key, Interrupted("the run was stopped"))
        self._tasks.clear()
        self._backlog.clear()
        self._ready.clear()
        self._waiting.clear()
        self._queue = BlobQueue(0)
        self._changed.notify_all()
