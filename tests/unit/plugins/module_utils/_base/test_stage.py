# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A stage on a thread of its own."""

from __future__ import annotations

import queue
import threading

import pytest

from ansible_collections.airgap.images.plugins.module_utils._base.errors import Interrupted
from ansible_collections.airgap.images.plugins.module_utils._base.stage import Stage
from ansible_collections.airgap.images.plugins.module_utils._base.stop import Stop, go_on


def test_items_are_worked_on_in_order_elsewhere() -> None:
    seen: list[int] = []
    threads: set[int] = set()

    def work(item: int) -> None:
        seen.append(item)
        threads.add(threading.get_ident())

    with Stage(work, check=go_on) as stage:
        for number in range(200):
            stage.put(number)
    assert seen == list(range(200))
    assert len(threads) == 1
    assert threading.get_ident() not in threads


def test_nothing_to_do() -> None:
    with Stage(lambda _item: None, check=go_on):
        pass


def test_an_error_comes_back_at_the_end() -> None:
    def work(item: int) -> None:
        raise ValueError(f"item {item}")

    with pytest.raises(ValueError, match="item 1"), Stage(work, check=go_on) as stage:
        stage.put(1)


def test_an_error_comes_back_at_the_next_item() -> None:
    failed = threading.Event()

    def work(item: int) -> None:
        try:
            raise ValueError(f"item {item}")
        finally:
            failed.set()

    def produce() -> None:
        with Stage(work, check=go_on) as stage:
            stage.put(1)
            failed.wait(timeout=60)
            while True:  # endless, were the error not told
                stage.put(2)

    with pytest.raises(ValueError, match="item 1"):
        produce()


def test_after_an_error_items_are_dropped() -> None:
    seen: list[int] = []
    go = threading.Event()

    def work(item: int) -> None:
        go.wait(timeout=60)
        seen.append(item)
        raise ValueError("x")

    with pytest.raises(ValueError, match="x"), Stage(work, check=go_on) as stage:
        for number in range(3):
            stage.put(number)
        go.set()
    assert seen == [0]


def test_the_callers_own_error_comes_first() -> None:
    def work(_item: int) -> None:
        raise ValueError("of the stage")

    with pytest.raises(KeyError), Stage(work, check=go_on) as stage:
        stage.put(1)
        raise KeyError("of the caller")


def test_stages_can_be_chained() -> None:
    seen: list[str] = []
    with Stage(seen.append, check=go_on) as second, Stage(lambda item: second.put(f"<{item}>"), check=go_on) as first:
        for number in range(50):
            first.put(str(number))
    assert seen == [f"<{number}>" for number in range(50)]


def test_an_error_passes_through_a_chain() -> None:
    def work(item: int) -> None:
        if item == 30:
            raise OSError(28, "No space left on device")

    def produce() -> None:
        with Stage(work, check=go_on) as second, Stage(second.put, check=go_on) as first:
            for number in range(1000):
                first.put(number)

    with pytest.raises(OSError, match="No space left"):
        produce()


def test_what_was_put_can_be_waited_for() -> None:
    seen: list[int] = []
    with Stage(seen.append, check=go_on) as stage:
        stage.wait()
        for number in range(5):
            stage.put(number)
        stage.wait()
        assert seen == list(range(5))


def test_waiting_for_what_is_dropped_raises_nothing() -> None:
    go = threading.Event()

    def work(_item: int) -> None:
        go.wait(timeout=60)
        raise ValueError("x")

    with pytest.raises(ValueError, match="x"), Stage(work, check=go_on) as stage:
        for number in range(3):
            stage.put(number)
        go.set()
        stage.wait()


def test_only_so_many_items_wait() -> None:
    go, begun = threading.Event(), threading.Event()
    seen: list[int] = []

    def work(item: int) -> None:
        begun.set()
        go.wait(timeout=60)
        seen.append(item)

    with Stage(work, check=go_on, waiting=2) as stage:
        stage.put(0)
        assert begun.wait(60)
        for number in (1, 2):
            stage.put(number)
        with pytest.raises(queue.Full):
            stage._queue.put_nowait((3,))
        go.set()
    assert seen == [0, 1, 2]


def test_no_thread_is_left() -> None:
    before = threading.active_count()
    with Stage(lambda _item: None, check=go_on) as stage:
        stage.put(1)
    assert threading.active_count() == before


def test_a_stop_ends_the_wait_for_room() -> None:
    """The item being worked on is the last; none that waits is started."""
    go, begun, stop = threading.Event(), threading.Event(), Stop()
    seen: list[int] = []

    def work(item: int) -> None:
        begun.set()
        go.wait(timeout=60)
        seen.append(item)

    def produce() -> None:
        with Stage(work, check=stop.check, waiting=2) as stage:
            for number in range(3):
                stage.put(number)
            assert begun.wait(60)
            threading.Timer(0.01, stop.request, ["stopped"]).start()
            try:
                stage.put(3)
            finally:
                go.set()

    with pytest.raises(Interrupted, match="stopped"):
        produce()
    assert seen in ([0], [0, 1]), "the thread may have taken another one when it was released"


def test_what_is_dropped_is_not_done() -> None:
    go, begun = threading.Event(), threading.Event()
    seen: list[int] = []

    def work(item: int) -> None:
        begun.set()
        go.wait(timeout=60)
        seen.append(item)

    with Stage(work, check=go_on) as stage:
        stage.put(0)
        assert begun.wait(60)
        stage.put(1)
        stage.drop()
        go.set()
        stage.wait()
        assert seen == [0]
