# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which blob is fetched next."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.airgap.images.plugins.module_utils._cache.order import BlobQueue


def queue_of(workers: int, *sizes: int) -> BlobQueue:
    """Blobs ``0``, ``1``, … of these sizes."""
    queue = BlobQueue(workers)
    for number, size in enumerate(sizes):
        queue.add(str(number), size)
    return queue


def drain(queue: BlobQueue) -> str:
    return "".join(queue.take() for _number in range(len(queue)))


ORDERS: dict[str, tuple[int, tuple[int, ...], str]] = {
    "equal": (4, (5, 5, 5, 5, 5, 5), "012345"),
    "one that is soon due": (2, (10, 10, 20), "021"),
    "one that would end alone": (2, (10, 10, 21), "201"),
    "the same with more workers": (3, (10, 10, 10, 16, 1), "30124"),
    "nobody else to wait for": (1, (1, 100, 1), "012"),
    "never before its turn": (0, (1, 100, 1), "012"),
    "the last few": (4, (8, 8, 8, 8, 8), "01234"),
    "empty ones": (2, (0, 0, 0), "012"),
    "two large ones": (2, (1, 50, 60, 1), "2103"),
}


@pytest.mark.parametrize(("workers", "sizes", "expected"), ORDERS.values(), ids=ORDERS)
def test_the_order(workers: int, sizes: tuple[int, ...], expected: str) -> None:
    assert drain(queue_of(workers, *sizes)) == expected


def test_nothing_waits() -> None:
    queue = BlobQueue(2)
    assert len(queue) == 0
    with pytest.raises(IndexError):
        queue.take()
    queue.add("a", 1)
    assert (len(queue), queue.take(), len(queue)) == (1, "a", 0)
    with pytest.raises(IndexError):
        queue.take()


def test_a_blob_waits_once_and_keeps_its_place() -> None:
    queue = queue_of(0, 1, 1)
    queue.add("0", 1)
    assert len(queue) == 2
    assert drain(queue) == "01"


def test_a_blob_that_was_taken_may_come_again() -> None:
    queue = queue_of(2, 5, 5)
    assert queue.take() == "0"
    queue.add("0", 5)
    assert drain(queue) == "10"


def test_what_nobody_needs_any_more_is_taken_out() -> None:
    queue = queue_of(2, 10, 100, 10, 10, 10, 10)
    queue.discard("1")
    queue.discard("1")
    queue.discard("unknown")
    assert len(queue) == 5
    assert drain(queue) == "02345", "nor do its bytes count any more"


def test_a_size_that_was_taken_out_does_not_stand_for_another() -> None:
    queue = queue_of(3, 1, 100)
    queue.discard("1")
    queue.add("1", 1)
    queue.add("2", 1)
    assert drain(queue) == "012"


class Model:
    """The same, by looking at all that waits."""

    def __init__(self, workers: int) -> None:
        self._workers = workers
        self.waiting: dict[str, int] = {}

    def take(self) -> str:
        largest = min(self.waiting, key=lambda digest: (-self.waiting[digest], digest))
        first = largest
        if self.waiting[largest] * self._workers <= sum(self.waiting.values()):
            first = next(iter(self.waiting))
        del self.waiting[first]
        return first


STEPS = st.lists(
    st.tuples(st.just("add"), st.sampled_from("abcdef"), st.integers(0, 30))
    | st.tuples(st.just("discard"), st.sampled_from("abcdef"), st.just(0))
    | st.tuples(st.just("take"), st.just(""), st.just(0)),
    max_size=40,
)


@given(STEPS, st.integers(0, 5))
def test_it_agrees_with_a_simple_model(steps: list[tuple[str, str, int]], workers: int) -> None:
    queue, model = BlobQueue(workers), Model(workers)
    for step, digest, size in steps:
        if step == "add":
            queue.add(digest, size)
            model.waiting.setdefault(digest, size)
        elif step == "discard":
            queue.discard(digest)
            model.waiting.pop(digest, None)
        elif model.waiting:
            assert queue.take() == model.take()
        else:
            with pytest.raises(IndexError):
                queue.take()
        assert len(queue) == len(model.waiting)
