# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Many small requests at once."""

from __future__ import annotations

import threading
from typing import Callable, TypeVar

import pytest

from ansible_collections.airgap.images.plugins.module_utils._base.errors import Interrupted
from ansible_collections.airgap.images.plugins.module_utils._base.parallel import parallel_map
from ansible_collections.airgap.images.plugins.module_utils._base.stop import Stop, go_on

Item = TypeVar("Item")
Result = TypeVar("Result")


def never(item: object) -> str:
    raise AssertionError(f"{item} was late")


def run(function: Callable[[Item], Result], items: list[Item], *, workers: int) -> list[Result]:
    return parallel_map(function, items, workers=workers, timeout=60, late=never, check=go_on)  # type: ignore[arg-type]


@pytest.mark.parametrize("count", [0, 1, 3, 50])
@pytest.mark.parametrize("workers", [1, 4, 100])
def test_results_are_in_order(count: int, workers: int) -> None:
    assert run(lambda item: item * item, list(range(count)), workers=workers) == [n * n for n in range(count)]


def test_items_are_worked_on_at_once() -> None:
    barrier = threading.Barrier(4)

    def meet(item: int) -> int:
        barrier.wait(timeout=60)
        return item

    assert run(meet, [1, 2, 3, 4], workers=4) == [1, 2, 3, 4]


def test_no_more_threads_than_asked_for() -> None:
    names: set[int] = set()
    run(lambda _item: names.add(threading.get_ident()), list(range(40)), workers=3)
    assert len(names) <= 3


def test_the_first_error_by_order_is_raised() -> None:
    barrier = threading.Barrier(3)

    def fail(item: int) -> None:
        barrier.wait(timeout=60)
        raise ValueError(f"item {item}")

    with pytest.raises(ValueError, match="item 1"):
        run(fail, [1, 2, 3], workers=3)


@pytest.mark.parametrize("workers", [1, 3])
def test_an_item_that_hangs_is_given_up(workers: int) -> None:
    release, ended = threading.Event(), threading.Event()

    def hang(item: int) -> str:
        if item == 2:
            release.wait(timeout=60)
            ended.set()
        return f"done {item}"

    found = parallel_map(
        hang, [1, 2, 3, 4], workers=workers, timeout=0.2, late=lambda item: f"late {item}", check=go_on
    )
    assert found == ["done 1", "late 2", "done 3", "done 4"]
    release.set()
    assert ended.wait(timeout=60)
    assert found[1] == "late 2"


def test_what_late_raises_is_raised() -> None:
    release = threading.Event()

    def late(item: int) -> bool:
        raise ValueError(f"item {item} took too long")

    with pytest.raises(ValueError, match="item 7 took too long"):
        parallel_map(lambda _item: release.wait(timeout=60), [7], workers=1, timeout=0.01, late=late, check=go_on)
    release.set()


def test_no_time_at_all() -> None:
    release = threading.Event()
    found = parallel_map(
        lambda _item: release.wait(timeout=60), [1], workers=1, timeout=-1, late=lambda _item: False, check=go_on
    )
    release.set()
    assert found == [False]


def test_a_stop_ends_the_wait_and_nothing_is_begun_any_more() -> None:
    release, begun, stop = threading.Event(), threading.Event(), Stop()
    seen: list[int] = []
    ended = threading.Event()

    def hang(item: int) -> None:
        seen.append(item)
        begun.set()
        release.wait(timeout=60)
        ended.set()

    def stop_it() -> None:
        assert begun.wait(60)
        stop.request("SIGTERM came")

    threading.Thread(target=stop_it, daemon=True).start()
    with pytest.raises(Interrupted, match="SIGTERM came"):
        parallel_map(hang, [1, 2, 3], workers=1, timeout=3600, late=never, check=stop.check)
    release.set()
    assert ended.wait(60)
    assert seen == [1]
