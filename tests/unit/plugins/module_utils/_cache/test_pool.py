# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Several transfers at once, and no blob fetched by two of them."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import pytest

from ansible_collections.airgap.images.plugins.module_utils._base.errors import (
    ImagesError,
    Interrupted,
    TransferError,
)
from ansible_collections.airgap.images.plugins.module_utils._base.stop import Stop
from ansible_collections.airgap.images.plugins.module_utils._cache import pool as pool_module
from ansible_collections.airgap.images.plugins.module_utils._cache.pool import CopyPool, Lack
from ansible_collections.airgap.images.plugins.module_utils._oci.descriptor import Descriptor
from ansible_collections.airgap.images.plugins.module_utils._oci.image import PlatformImage, StoredImage
from ansible_collections.airgap.images.tests.unit.fakes import Sample, describe

PATIENCE = 60.0


def digest(name: str) -> str:
    return describe(name.encode()).digest


class Bench:
    """A transfer whose steps begin and end when the test says so: ``copy IMAGE``, ``IMAGE gets BLOB``.

    A blob's name is its content. Configurations are there already; manifests come with the copy.

    :ivar there: digests that the cache has.
    :ivar begun: all steps, in their order.
    :ivar leased: names of the blobs that only an image's copy fetches, by image.
    :ivar refused: steps of which the client says that they are left to the copy.
    :ivar errors: raised by a step.
    :ivar collisions: digests that were in flight twice.
    """

    def __init__(self, images: dict[str, list[str]], *, held: Iterable[str] = ()) -> None:
        self.samples = {name: Sample(*(layer.encode() for layer in layers)) for name, layers in images.items()}
        self.names = {sample.image.digest: name for name, sample in self.samples.items()}
        self._blobs = {digest(layer): layer for layers in images.values() for layer in layers}
        self.there: set[str] = set()
        for sample in self.samples.values():
            self.there |= sample.blobs.keys() - self._blobs.keys() - {sample.image.digest}
        self.leased: dict[str, set[str]] = {}
        self.refused: set[str] = set()
        self.errors: dict[str, Exception] = {}
        self.begun: list[str] = []
        self.collisions: list[str] = []
        self.changed = threading.Condition()
        self.running: list[str] = []
        self._in_flight: set[str] = set()
        self._held: set[str] | None = set(held)
        self.stop = Stop()

    def image(self, name: str) -> PlatformImage:
        return self.samples[name].image

    def images(self, *names: str) -> list[PlatformImage]:
        return [self.image(name) for name in names or self.samples]

    def fetched(self) -> list[str]:
        return [step for step in self.begun if not step.startswith("copy ")]

    def copied(self) -> list[str]:
        return [step for step in self.begun if step.startswith("copy ")]

    @contextmanager
    def pool(self, *, jobs: int, stored: Iterable[str] = (), ahead: int | None = None) -> Iterator[CopyPool]:
        there = {self.image(name).key: self.samples[name].stored for name in stored}
        with CopyPool(self, there, jobs=jobs, stop=self.stop, ahead=ahead) as pool:
            try:
                yield pool
            finally:
                self.release()

    def hold_all(self) -> None:
        self._held = None

    def release(self, *steps: str) -> None:
        """Let steps end; without arguments, all."""
        with self.changed:
            if steps and self._held is None:
                self.running = [step for step in self.running if step not in steps]
            elif steps:
                assert self._held is not None
                self._held -= set(steps)
            else:
                self._held = set()
            self.changed.notify_all()

    def wait_running(self, *steps: str) -> None:
        """Wait until exactly these steps run."""
        with self.changed:
            assert self.changed.wait_for(lambda: sorted(self.running) == sorted(steps), PATIENCE), self.running

    # -- what the pool calls

    def lack(self, image: PlatformImage) -> Lack:
        name = self.names[image.digest]
        missing = [blob for blob in (image.descriptor, *image.blobs) if blob.digest not in self.there]
        leased = {image.digest, *(digest(blob) for blob in self.leased.get(name, ()))}
        return Lack(
            tuple(blob for blob in missing if blob.digest not in leased),
            frozenset(blob.digest for blob in missing) & leased,
        )

    def pull_blob(self, image: PlatformImage, blob: Descriptor) -> bool:
        step = f"{self.names[image.digest]} gets {self._blobs[blob.digest]}"
        self._run(step, {blob.digest})
        if step in self.refused:
            return False
        self.there.add(blob.digest)
        return True

    def copy(self, image: PlatformImage) -> StoredImage:
        name = self.names[image.digest]
        blobs = {blob.digest for blob in (image.descriptor, *image.blobs)}
        self._run(f"copy {name}", blobs - self.there)
        self.there |= blobs
        return self.samples[name].stored

    def _run(self, step: str, digests: set[str]) -> None:
        with self.changed:
            self.begun.append(step)
            self.collisions += self._in_flight & digests
            self._in_flight |= digests
            self.running.append(step)
            self.changed.notify_all()
            assert self.changed.wait_for(lambda: not self._is_held(step), PATIENCE), step
            self._in_flight -= digests
            if step in self.running:
                self.running.remove(step)
            self.changed.notify_all()
        if self.stop.is_set():
            raise Interrupted("stopped")
        if step in self.errors:
            raise self.errors[step]

    def _is_held(self, step: str) -> bool:
        if self.stop.is_set():
            return False
        return step in self.running if self._held is None else step in self._held


def no_such_image() -> TransferError:
    return TransferError("404", heals=False)


TWO = {"one": ["base", "top"], "two": ["base", "other"]}
APART = {"one": ["a"], "two": ["b"], "three": ["c"]}


# -- results


def test_results_are_waited_for() -> None:
    bench = Bench({**TWO, "three": ["c"]})
    with bench.pool(jobs=2) as pool:
        pool.add(bench.images())
        for name in ("three", "one", "two"):
            assert pool.result(bench.image(name)) == bench.samples[name].stored
    assert sorted(bench.fetched()) == ["one gets base", "one gets top", "three gets c", "two gets other"]
    assert sorted(bench.copied()) == ["copy one", "copy three", "copy two"]


def test_what_is_there_is_not_copied() -> None:
    bench = Bench({"one": ["a"]})
    with bench.pool(jobs=1, stored=["one"]) as pool:
        assert pool.result(bench.image("one")) == bench.samples["one"].stored
    assert bench.begun == []


def test_an_image_that_has_all_its_blobs_is_only_copied() -> None:
    bench = Bench({"one": ["a"]})
    bench.there.add(digest("a"))
    with bench.pool(jobs=2) as pool:
        pool.add(bench.images())
        pool.result(bench.image("one"))
    assert bench.begun == ["copy one"]


def test_leaving_waits_for_what_is_left() -> None:
    bench = Bench(APART)
    with bench.pool(jobs=1) as pool:
        pool.add(bench.images())
    assert bench.copied() == ["copy one", "copy two", "copy three"]


def test_a_pool_without_work_ends() -> None:
    with Bench({}).pool(jobs=4):
        pass


# -- order


def test_all_goes_by_the_order() -> None:
    images = {str(number): [f"{number}a", f"{number}b"] for number in range(5)}
    bench = Bench(images)
    with bench.pool(jobs=1) as pool:
        pool.add(bench.images())
    assert bench.begun == [
        step for name in images for step in (f"{name} gets {name}a", f"{name} gets {name}b", f"copy {name}")
    ]


def test_a_copy_comes_before_the_next_blob() -> None:
    bench = Bench(APART, held=["one gets a", "two gets b"])
    with bench.pool(jobs=2) as pool:
        pool.add(bench.images())
        bench.wait_running("one gets a", "two gets b")
        bench.release("two gets b")
        pool.result(bench.image("two"))
        assert bench.begun[2] == "copy two"


def test_a_blob_that_would_end_alone_is_begun_first() -> None:
    images = {**APART, "last": ["a blob that is longer than all of the others together"]}
    bench = Bench(images)
    bench.hold_all()
    with bench.pool(jobs=2) as pool:
        pool.add(bench.images())
        bench.wait_running("last gets a blob that is longer than all of the others together", "one gets a")


def test_with_a_window_no_blob_comes_before_its_turn() -> None:
    bench = Bench({"one": ["a"], "two": ["much longer"]})
    bench.hold_all()
    with bench.pool(jobs=1, ahead=2) as pool:
        pool.add(bench.images())
        bench.wait_running("one gets a")


def test_no_more_at_once_than_jobs() -> None:
    bench = Bench(APART)
    bench.hold_all()
    with bench.pool(jobs=2) as pool:
        pool.add(bench.images())
        bench.wait_running("one gets a", "two gets b")
        assert len(bench.begun) == 2


def test_the_blobs_of_one_image_come_at_once() -> None:
    bench = Bench({"one": ["a", "b", "c"]})
    bench.hold_all()
    with bench.pool(jobs=4) as pool:
        pool.add(bench.images())
        bench.wait_running("one gets a", "one gets b", "one gets c")
        for blob in "ab":
            bench.release(f"one gets {blob}")
        bench.wait_running("one gets c")
        assert bench.copied() == []
        bench.release("one gets c")
        bench.wait_running("copy one")


# -- shared blobs


def test_a_shared_blob_is_fetched_once_and_serves_both() -> None:
    bench = Bench(TWO, held=["one gets base"])
    with bench.pool(jobs=3) as pool:
        pool.add(bench.images())
        bench.wait_running("one gets base")
        assert bench.copied() == []
        bench.release("one gets base")
        pool.result(bench.image("two"))
    assert "two gets base" not in bench.begun
    assert bench.collisions == []


def test_copies_that_share_only_what_is_there_run_at_once() -> None:
    bench = Bench(TWO)
    bench.there |= {digest(blob) for blob in ("base", "top", "other")}
    bench.hold_all()
    with bench.pool(jobs=2) as pool:
        pool.add(bench.images())
        bench.wait_running("copy one", "copy two")


def test_a_blob_that_one_fails_to_get_is_tried_by_the_next() -> None:
    bench = Bench(TWO)
    bench.errors["one gets base"] = no_such_image()
    with bench.pool(jobs=1) as pool:
        pool.add(bench.images())
        with pytest.raises(TransferError, match="404"):
            pool.result(bench.image("one"))
        assert pool.result(bench.image("two")) == bench.samples["two"].stored
    assert sorted(bench.fetched()) == ["one gets base", "two gets base", "two gets other"]
    assert bench.copied() == ["copy two"]


def test_what_only_a_failed_image_needs_is_not_fetched_any_more() -> None:
    bench = Bench({"one": ["a", "b"], "two": ["c"]})
    bench.errors["one gets a"] = no_such_image()
    with bench.pool(jobs=1) as pool:
        pool.add(bench.images())
    assert bench.begun == ["one gets a", "two gets c", "copy two"]


def test_two_blobs_of_an_image_may_fail() -> None:
    bench = Bench({"one": ["a", "b"], "two": ["b"]})
    bench.errors["one gets a"] = TransferError("first", heals=False)
    bench.errors["one gets b"] = TransferError("second", heals=False)
    bench.hold_all()
    with bench.pool(jobs=2) as pool:
        pool.add(bench.images())
        bench.wait_running("one gets a", "one gets b")
        bench.release("one gets a")
        with pytest.raises(TransferError, match="first"):
            pool.result(bench.image("one"))
        bench.release("one gets b")
        bench.wait_running("two gets b")
        bench.release()
        pool.result(bench.image("two"))
        with pytest.raises(TransferError, match="first"):
            pool.result(bench.image("one"))
    assert bench.copied() == ["copy two"]


def test_a_blob_in_flight_for_an_image_that_failed_serves_the_others() -> None:
    bench = Bench({"one": ["a", "b"], "two": ["b"]})
    bench.errors["one gets a"] = no_such_image()
    bench.hold_all()
    with bench.pool(jobs=2) as pool:
        pool.add(bench.images())
        bench.wait_running("one gets a", "one gets b")
        bench.release("one gets a")
        with pytest.raises(TransferError):
            pool.result(bench.image("one"))
        bench.release()
        pool.result(bench.image("two"))
    assert bench.begun == ["one gets a", "one gets b", "copy two"] or bench.begun == [
        "one gets b",
        "one gets a",
        "copy two",
    ]


# -- what only the copy can fetch


def test_a_blob_that_the_client_is_refused_is_left_to_the_copy() -> None:
    bench = Bench({"one": ["a", "b"]})
    bench.refused.add("one gets a")
    with bench.pool(jobs=1) as pool:
        pool.add(bench.images())
        assert pool.result(bench.image("one")) == bench.samples["one"].stored
    assert bench.begun == ["one gets a", "one gets b", "copy one"]


def test_the_others_that_need_it_ask_their_own_repository() -> None:
    bench = Bench(TWO)
    bench.refused.add("one gets base")
    with bench.pool(jobs=4) as pool:
        pool.add(bench.images())
        for name in TWO:
            assert pool.result(bench.image(name)) == bench.samples[name].stored
    assert bench.collisions == []


def test_a_refused_blob_of_two_images_comes_with_one_copy() -> None:
    bench = Bench({"one": ["a", "x"], "two": ["a", "y"]}, held=["copy one", "copy two"])
    bench.refused |= {"one gets a", "two gets a"}
    with bench.pool(jobs=2) as pool:
        pool.add(bench.images())
        with bench.changed:
            assert bench.changed.wait_for(lambda: len(bench.copied()) == 1, PATIENCE)
        [first] = bench.copied()
        bench.release(first)
        bench.release()
    assert bench.collisions == []
    assert len(bench.copied()) == 2


def test_copies_that_lease_the_same_blob_come_one_after_the_other() -> None:
    bench = Bench({**TWO, "three": ["c"]}, held=["copy one", "copy three"])
    bench.there |= {digest("top"), digest("other")}
    bench.leased = {"one": {"base"}, "two": {"base"}}
    with bench.pool(jobs=3) as pool:
        pool.add(bench.images())
        bench.wait_running("copy one", "copy three")
        assert "copy two" not in bench.begun
        bench.release("copy one")
        assert pool.result(bench.image("two")) == bench.samples["two"].stored
    assert bench.collisions == []
    assert not [step for step in bench.begun if step.endswith("base")]


def test_a_blob_that_a_copy_brings_is_not_fetched_besides() -> None:
    bench = Bench(TWO, held=["copy one"])
    bench.leased = {"one": {"base", "top"}}
    with bench.pool(jobs=3) as pool:
        pool.add(bench.images())
        bench.wait_running("copy one")
        assert "two gets base" not in bench.begun
        bench.release("copy one")
        pool.result(bench.image("two"))
    assert "two gets base" not in bench.begun


def test_a_blob_that_a_failed_copy_did_not_bring_is_fetched() -> None:
    bench = Bench(TWO, held=["copy one"])
    bench.leased = {"one": {"base", "top"}}
    bench.errors["copy one"] = no_such_image()
    with bench.pool(jobs=3) as pool:
        pool.add(bench.images())
        bench.wait_running("copy one")
        bench.release("copy one")
        assert pool.result(bench.image("two")) == bench.samples["two"].stored
    assert "two gets base" in bench.begun
    assert bench.collisions == []


def test_a_copy_waits_for_a_leased_blob_that_is_on_its_way() -> None:
    bench = Bench(TWO, held=["one gets base"])
    bench.there |= {digest("top"), digest("other")}
    bench.leased = {"two": {"base"}}
    with bench.pool(jobs=2) as pool:
        bench_images = bench.images()
        pool.add(bench_images[:1])
        bench.wait_running("one gets base")
        pool.add(bench_images[1:])
        assert "copy two" not in bench.begun
        bench.release("one gets base")
        pool.result(bench.image("two"))
    assert bench.collisions == []


# -- failures


def test_a_failure_is_told_to_who_asks() -> None:
    bench = Bench(APART)
    bench.errors["copy one"] = no_such_image()
    with bench.pool(jobs=1) as pool:
        pool.add(bench.images())
        for _time in range(2):
            with pytest.raises(TransferError, match="404"):
                pool.result(bench.image("one"))
        assert pool.result(bench.image("two")) == bench.samples["two"].stored


@pytest.mark.parametrize("step", ["one gets a", "copy one"])
def test_an_unexpected_error_is_told_too(step: str) -> None:
    bench = Bench(APART)
    bench.errors[step] = KeyError("bug")
    with bench.pool(jobs=1) as pool:
        pool.add(bench.images())
        with pytest.raises(KeyError, match="bug"):
            pool.result(bench.image("one"))


def test_images_can_be_copied_again() -> None:
    bench = Bench(APART)
    bench.errors["copy one"] = no_such_image()
    with bench.pool(jobs=1, stored=["two"]) as pool:
        pool.add(bench.images("one"))
        with pytest.raises(TransferError):
            pool.result(bench.image("one"))
        bench.errors.clear()
        for _time in range(2):
            pool.add(bench.images("one"))
            assert pool.result(bench.image("one")) == bench.samples["one"].stored
    assert bench.copied() == ["copy one"] * 3
    assert bench.fetched() == ["one gets a"]


def test_an_image_that_is_copied_just_now_is_copied_once_more_afterwards() -> None:
    bench = Bench(APART, held=["copy one"])
    with bench.pool(jobs=2) as pool:
        pool.add(bench.images("one"))
        bench.wait_running("copy one")
        pool.add(bench.images("one"))
        assert bench.copied() == ["copy one"]
        bench.release("copy one")
    assert bench.copied() == ["copy one", "copy one"]
    assert bench.collisions == []


# -- a stop


def test_a_stop_fails_what_has_not_begun() -> None:
    bench = Bench(APART, held=["one gets a"])
    with bench.pool(jobs=1, ahead=2) as pool:
        pool.add(bench.images())
        bench.wait_running("one gets a")
        bench.stop.end()
        bench.release("one gets a")
        for name in APART:
            with pytest.raises(Interrupted):
                pool.result(bench.image(name))
    assert bench.begun == ["one gets a"]


@pytest.mark.parametrize("step", ["one gets a", "copy one"])
def test_a_caller_that_fails_ends_the_transfers(step: str) -> None:
    bench = Bench(APART, held=[step])

    def fail() -> None:
        with CopyPool(bench, {}, jobs=1, stop=bench.stop) as pool:
            pool.add(bench.images())
            bench.wait_running(step)
            bench.release()
            raise ValueError("of the caller")

    with pytest.raises(ValueError, match="of the caller"):
        fail()
    assert bench.stop.is_set()


# -- a window


def test_of_a_long_list_a_part_is_in_view(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool_module, "_IN_VIEW", 2)
    bench = Bench({str(number): [f"b{number}"] for number in range(5)}, held=["0 gets b0"])
    looked: list[str] = []
    real = bench.lack

    def lack(image: PlatformImage) -> Lack:
        looked.append(bench.names[image.digest])
        return real(image)

    monkeypatch.setattr(bench, "lack", lack)
    with bench.pool(jobs=1) as pool:
        pool.add(bench.images())
        bench.wait_running("0 gets b0")
        assert looked == ["0", "1"]
        bench.release()
        assert pool.result(bench.image("4")) == bench.samples["4"].stored
        assert looked == ["0", "1", "2", "3", "4"]
        for image in bench.images():
            assert pool.result(image).source.digest == image.digest


def test_no_more_images_than_the_window_are_on_their_way() -> None:
    bench = Bench({str(number): [f"b{number}"] for number in range(5)})
    with bench.pool(jobs=4, ahead=2) as pool:
        pool.add(bench.images())
        for number in range(5):
            last = min(number + 2, 5)
            with bench.changed:
                assert bench.changed.wait_for(lambda last=last: len(bench.copied()) == last, PATIENCE)  # type: ignore[misc]
            assert len(bench.fetched()) == last, "those behind wait"
            pool.result(bench.image(str(number)))


def test_a_failed_image_makes_room_in_the_window() -> None:
    bench = Bench(APART)
    bench.errors["one gets a"] = no_such_image()
    with bench.pool(jobs=1, ahead=1) as pool:
        pool.add(bench.images())
        with pytest.raises(TransferError):
            pool.result(bench.image("one"))
        pool.result(bench.image("two"))
        pool.result(bench.image("three"))


def test_images_that_nobody_asks_for_do_not_fill_the_window() -> None:
    """Of a reference that failed, the other platforms are not asked for."""
    bench = Bench({str(number): [f"b{number}"] for number in range(8)})
    asked: list[StoredImage] = []

    def ask() -> None:
        with bench.pool(jobs=1, ahead=2) as pool:
            pool.add(bench.images())
            for name in ("0", "5", "7"):
                asked.append(pool.result(bench.image(name)))

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(PATIENCE)
    assert asked == [bench.samples[name].stored for name in ("0", "5", "7")]


def test_what_nobody_waits_for_is_done_at_the_end_all_the_same() -> None:
    bench = Bench(APART)
    with bench.pool(jobs=1, stored=[]) as pool:
        pool.add(bench.images())
    assert len(bench.copied()) == 3


# -- whatever happens


class Chance(Bench):
    """Images over a few blobs, with what may happen to them."""

    def __init__(self, seed: int) -> None:
        self.choose = random.Random(seed)  # noqa: S311  # the same cases at every run
        blobs = "abcdefg"[: self.choose.randint(1, 7)]
        count = self.choose.randint(1, 8)
        images = {
            f"i{number}": [f"own{number}", *self.choose.sample(blobs, self.choose.randint(0, len(blobs)))]
            for number in range(count)
        }
        super().__init__(images)
        for name, layers in images.items():
            self.leased[name] = {layer for layer in layers if self.choose.random() < 0.2}
            for layer in layers:
                kind = self.choose.random()
                if kind < 0.1:
                    self.errors[f"{name} gets {layer}"] = no_such_image()
                elif kind < 0.2:
                    self.refused.add(f"{name} gets {layer}")
            if self.choose.random() < 0.1:
                self.errors[f"copy {name}"] = no_such_image()
            if self.choose.random() < 0.1:
                self.there.add(digest(layers[-1]))
        self.jobs = self.choose.randint(1, 5)
        self.ahead = self.choose.choice([None, None, 1, 2, 3])
        self.ended: dict[str, bool] = {}
        self.is_over = False
        self.hold_all()

    def consume(self) -> None:
        """Ask for every image in its order."""
        try:
            with CopyPool(self, {}, jobs=self.jobs, stop=self.stop, ahead=self.ahead) as pool:
                pool.add(self.images())
                for name in self.samples:
                    try:
                        self.ended[name] = pool.result(self.image(name)) == self.samples[name].stored
                    except ImagesError:
                        self.ended[name] = False
        finally:
            with self.changed:
                self.is_over = True
                self.changed.notify_all()

    def drive(self) -> None:
        """End what runs, one step after the other, until all is over."""
        thread = threading.Thread(target=self.consume, daemon=True)
        thread.start()
        while True:
            with self.changed:
                went_on = self.changed.wait_for(lambda: self.is_over or bool(self.running), PATIENCE)
                assert went_on, "nothing runs, and it is not over"
                if self.is_over:
                    break
                step = self.choose.choice(self.running)
            self.release(step)
        thread.join(PATIENCE)
        assert not thread.is_alive()


@pytest.mark.parametrize("block", range(6))
def test_whatever_happens_every_image_ends_and_no_blob_is_in_flight_twice(block: int) -> None:
    for seed in range(block * 40, block * 40 + 40):
        chance = Chance(seed)
        chance.drive()
        assert chance.collisions == [], seed
        assert chance.ended.keys() == chance.samples.keys(), seed
        copied = chance.copied()
        assert len(copied) == len(set(copied)), seed
        for name, is_good in chance.ended.items():
            blamed = [step for step in chance.errors if step == f"copy {name}" or step.startswith(f"{name} gets ")]
            assert is_good or any(step in chance.begun for step in blamed), (seed, name)
            assert is_good is (f"copy {name}" in copied and f"copy {name}" not in chance.errors), (seed, name)
        good = [step for step in chance.fetched() if step not in chance.refused and step not in chance.errors]
        got = [step.rpartition(" ")[2] for step in good]
        assert len(got) == len(set(got)), (seed, "each blob once")


# -- what is given up


WHY = ImagesError("not worth it")


def failures(pool: CopyPool, bench: Bench) -> dict[str, str]:
    told = {}
    for name in bench.samples:
        try:
            pool.result(bench.image(name))
        except ImagesError as error:
            told[name] = str(error)
    return told


def test_what_is_given_up_is_not_fetched_any_more() -> None:
    """A blob that is being pulled still comes, and a copy that has started is completed."""
    bench = Bench({"one": ["a"], "two": ["b", "c"], "three": ["d"]}, held=["copy one", "two gets b"])
    with bench.pool(jobs=2) as pool:
        pool.add(bench.images())
        bench.wait_running("copy one", "two gets b")
        pool.give_up(WHY)
        bench.release()
        assert failures(pool, bench) == {"two": "not worth it", "three": "not worth it"}
    assert sorted(bench.begun) == ["copy one", "one gets a", "two gets b"]


def test_some_images_are_given_up() -> None:
    bench = Bench(APART, held=["one gets a"])
    with bench.pool(jobs=1) as pool:
        pool.add(bench.images())
        bench.wait_running("one gets a")
        pool.give_up(WHY, bench.images("two"))
        bench.release()
        assert failures(pool, bench) == {"two": "not worth it"}
    assert bench.begun == ["one gets a", "copy one", "three gets c", "copy three"]


def test_what_is_given_up_does_not_fill_the_window() -> None:
    bench = Bench(APART, held=["one gets a"])
    with bench.pool(jobs=1, ahead=1) as pool:
        pool.add(bench.images())
        bench.wait_running("one gets a")
        pool.give_up(WHY, bench.images("one", "two"))
        bench.release()
        assert pool.result(bench.image("three")) == bench.samples["three"].stored
    assert bench.begun == ["one gets a", "three gets c", "copy three"]


def test_a_blob_that_others_need_is_fetched_for_them() -> None:
    bench = Bench(TWO, held=["one gets base"])
    with bench.pool(jobs=1) as pool:
        pool.add(bench.images())
        bench.wait_running("one gets base")
        pool.give_up(WHY, bench.images("one"))
        bench.release()
        assert failures(pool, bench) == {"one": "not worth it"}
    assert bench.begun == ["one gets base", "two gets other", "copy two"]
