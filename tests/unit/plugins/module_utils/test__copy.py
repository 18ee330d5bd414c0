# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Several copies at once, and no blob fetched by two of them."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import pytest

from ansible_collections.airgap.images.plugins.module_utils._copy import CopyPool
from ansible_collections.airgap.images.plugins.module_utils._errors import Interrupted, TransferError
from ansible_collections.airgap.images.plugins.module_utils._image import PlatformImage, StoredImage
from ansible_collections.airgap.images.plugins.module_utils._stop import Stop
from ansible_collections.airgap.images.tests.unit.fakes import Sample

PATIENCE = 60.0


class Bench:
    """Copies that begin and end when the test says so.

    :ivar missing: digests that each image lacks.
    :ivar errors: raised instead of a result.
    """

    def __init__(self, samples: Iterable[Sample], *, held: Iterable[Sample] = ()) -> None:
        self._stored = {sample.image.digest: sample.stored for sample in samples}
        self.missing = {sample.image.digest: set(sample.blobs) for sample in samples}
        self.errors: dict[str, Exception] = {}
        self._changed = threading.Condition()
        self._held = {sample.image.digest for sample in held}
        self.order: list[str] = []
        self._running: set[str] = set()
        self.overlaps: list[set[str]] = []
        self.stop = Stop()

    @contextmanager
    def pool(self, *, jobs: int, stored: Iterable[Sample] = ()) -> Iterator[CopyPool]:
        there = {sample.image.digest: sample.stored for sample in stored}
        with CopyPool(self._copy, self._lacking, there, jobs=jobs, stop=self.stop) as pool:
            try:
                yield pool
            finally:
                self.release()

    def release(self, *samples: Sample) -> None:
        """Let copies end; without arguments, all."""
        with self._changed:
            self._held -= {sample.image.digest for sample in samples} if samples else set(self._held)
            self._changed.notify_all()

    def wait_running(self, *samples: Sample) -> None:
        """Wait until just these copies run."""
        wanted = {sample.image.digest for sample in samples}
        with self._changed:
            assert self._changed.wait_for(lambda: self._running == wanted, PATIENCE), self._running

    def _lacking(self, image: PlatformImage) -> set[str]:
        return set(self.missing[image.digest])

    def _copy(self, image: PlatformImage) -> StoredImage:
        with self._changed:
            self.order.append(image.digest)
            self._running.add(image.digest)
            shared = [self.missing[one] & self.missing[image.digest] for one in self._running - {image.digest}]
            self.overlaps += [both for both in shared if both]
            self._changed.notify_all()
            assert self._changed.wait_for(lambda: image.digest not in self._held or self.stop.is_set(), PATIENCE)
            self._running.discard(image.digest)
            self._changed.notify_all()
            if self.stop.is_set():
                raise Interrupted("stopped")
            if image.digest in self.errors:
                raise self.errors[image.digest]
        result = self._stored[image.digest]
        for lacking in self.missing.values():
            lacking -= {blob.digest for blob in result.all_blobs()}
        return result


BASE = b"base layer"
ONE, TWO, OTHER = Sample(BASE, b"one"), Sample(BASE, b"two"), Sample(b"other", platform=None)


def test_results_are_waited_for() -> None:
    bench = Bench([ONE, TWO, OTHER])
    with bench.pool(jobs=2) as pool:
        pool.add([ONE.image, TWO.image, OTHER.image])
        assert [pool.result(sample.image) for sample in (OTHER, ONE, TWO)] == [OTHER.stored, ONE.stored, TWO.stored]


def test_what_is_there_is_not_copied() -> None:
    bench = Bench([ONE])
    with bench.pool(jobs=1, stored=[ONE]) as pool:
        assert pool.result(ONE.image) == ONE.stored
    assert bench.order == []


def test_copies_begin_in_order() -> None:
    samples = [Sample(bytes([number])) for number in range(10)]
    bench = Bench(samples)
    bench.missing = {sample.image.digest: {sample.image.digest} for sample in samples}
    with bench.pool(jobs=1) as pool:
        pool.add(sample.image for sample in samples)
        pool.result(samples[-1].image)
    assert bench.order == [sample.image.digest for sample in samples]


def test_unrelated_images_are_copied_at_once() -> None:
    bench = Bench([ONE, OTHER], held=[ONE, OTHER])
    with bench.pool(jobs=2) as pool:
        pool.add([ONE.image, OTHER.image])
        bench.wait_running(ONE, OTHER)


def test_images_that_lack_the_same_layer_are_not() -> None:
    bench = Bench([ONE, TWO, OTHER], held=[ONE, OTHER])
    with bench.pool(jobs=3) as pool:
        pool.add([ONE.image, TWO.image, OTHER.image])
        bench.wait_running(ONE, OTHER)
        assert bench.order == [ONE.image.digest, OTHER.image.digest]
        bench.release(ONE)
        assert pool.result(TWO.image) == TWO.stored
    assert bench.overlaps == []


def test_a_shared_layer_that_is_there_keeps_nobody_waiting() -> None:
    bench = Bench([ONE, TWO], held=[ONE, TWO])
    both = set(ONE.blobs) & set(TWO.blobs)
    for lacking in bench.missing.values():
        lacking -= both
    with bench.pool(jobs=2) as pool:
        pool.add([ONE.image, TWO.image])
        bench.wait_running(ONE, TWO)


def test_many_images_over_few_layers() -> None:
    layers = [bytes([number]) for number in range(6)]
    samples = [Sample(layers[a], layers[b]) for a in range(6) for b in range(a, 6)]
    bench = Bench(samples)
    with bench.pool(jobs=8) as pool:
        pool.add(sample.image for sample in samples)
        for sample in samples:
            assert pool.result(sample.image) == sample.stored
    assert bench.overlaps == []
    assert sorted(bench.order) == sorted(sample.image.digest for sample in samples)


def test_no_more_copies_at_once_than_jobs() -> None:
    samples = [Sample(bytes([number])) for number in range(6)]
    bench = Bench(samples, held=samples)
    bench.missing = {sample.image.digest: {sample.image.digest} for sample in samples}
    with bench.pool(jobs=2) as pool:
        pool.add(sample.image for sample in samples)
        bench.wait_running(*samples[:2])
        assert len(bench.order) == 2


def test_a_failure_is_told_to_who_asks() -> None:
    bench = Bench([ONE, OTHER])
    bench.errors[ONE.image.digest] = TransferError("404", heals=False)
    with bench.pool(jobs=1) as pool:
        pool.add([ONE.image, OTHER.image])
        with pytest.raises(TransferError, match="404"):
            pool.result(ONE.image)
        assert pool.result(OTHER.image) == OTHER.stored


def test_a_failure_frees_its_layers() -> None:
    bench = Bench([ONE, TWO])
    bench.errors[ONE.image.digest] = TransferError("404", heals=False)
    with bench.pool(jobs=2) as pool:
        pool.add([ONE.image, TWO.image])
        assert pool.result(TWO.image) == TWO.stored


def test_an_unexpected_error_is_told_too() -> None:
    bench = Bench([ONE])
    bench.errors[ONE.image.digest] = KeyError("bug")
    with bench.pool(jobs=1) as pool:
        pool.add([ONE.image])
        with pytest.raises(KeyError, match="bug"):
            pool.result(ONE.image)


def test_images_can_be_copied_again() -> None:
    bench = Bench([ONE])
    bench.errors[ONE.image.digest] = TransferError("503", heals=False)
    with bench.pool(jobs=1, stored=[OTHER]) as pool:
        pool.add([ONE.image])
        with pytest.raises(TransferError):
            pool.result(ONE.image)
        bench.errors.clear()
        pool.add([ONE.image])
        assert pool.result(ONE.image) == ONE.stored
        pool.add([ONE.image])
        assert pool.result(ONE.image) == ONE.stored
    assert len(bench.order) == 3


def test_an_image_that_is_copied_just_now_is_copied_once_more_afterwards() -> None:
    bench = Bench([ONE], held=[ONE])
    with bench.pool(jobs=2) as pool:
        pool.add([ONE.image])
        bench.wait_running(ONE)
        pool.add([ONE.image])
        assert len(bench.order) == 1
        bench.release(ONE)
    assert len(bench.order) == 2


def test_leaving_waits_for_what_is_left() -> None:
    bench = Bench([ONE, OTHER])
    with bench.pool(jobs=1) as pool:
        pool.add([ONE.image, OTHER.image])
    assert bench.order == [ONE.image.digest, OTHER.image.digest]


def test_a_stop_fails_what_has_not_begun() -> None:
    bench = Bench([ONE, TWO], held=[ONE])
    with bench.pool(jobs=2) as pool:
        pool.add([ONE.image, TWO.image])
        bench.wait_running(ONE)
        bench.stop.end()
        bench.release(ONE)
        for sample in (ONE, TWO):
            with pytest.raises(Interrupted):
                pool.result(sample.image)
    assert bench.order == [ONE.image.digest]


def test_a_caller_that_fails_ends_the_copies() -> None:
    bench = Bench([ONE, TWO], held=[ONE])

    def fail() -> None:
        with CopyPool(bench._copy, bench._lacking, {}, jobs=1, stop=bench.stop) as pool:
            pool.add([ONE.image, TWO.image])
            bench.wait_running(ONE)
            bench.release()
            raise ValueError("of the caller")

    with pytest.raises(ValueError, match="of the caller"):
        fail()
    assert bench.stop.is_set()


def test_a_pool_without_work_ends() -> None:
    bench = Bench([])
    with bench.pool(jobs=4):
        pass
