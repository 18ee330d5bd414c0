# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Many small requests at once."""

from __future__ import annotations

import threading

import pytest

from ansible_collections.airgap.images.plugins.module_utils._parallel import parallel_map


@pytest.mark.parametrize("count", [0, 1, 3, 50])
@pytest.mark.parametrize("workers", [1, 4, 100])
def test_results_are_in_order(count: int, workers: int) -> None:
    assert parallel_map(lambda item: item * item, list(range(count)), workers=workers) == [n * n for n in range(count)]


def test_items_are_worked_on_at_once() -> None:
    barrier = threading.Barrier(4)

    def meet(item: int) -> int:
        barrier.wait(timeout=60)
        return item

    assert parallel_map(meet, [1, 2, 3, 4], workers=4) == [1, 2, 3, 4]


def test_no_more_threads_than_asked_for() -> None:
    names: set[int] = set()
    parallel_map(lambda _item: names.add(threading.get_ident()), list(range(40)), workers=3)
    assert len(names) <= 3


def test_the_first_error_by_order_is_raised() -> None:
    barrier = threading.Barrier(3)

    def fail(item: int) -> None:
        barrier.wait(timeout=60)
        raise ValueError(f"item {item}")

    with pytest.raises(ValueError, match="item 1"):
        parallel_map(fail, [1, 2, 3], workers=3)


def test_after_an_error_nothing_new_is_begun() -> None:
    begun: list[int] = []

    def fail(item: int) -> None:
        begun.append(item)
        raise ValueError("x")

    with pytest.raises(ValueError, match="x"):
        parallel_map(fail, list(range(1000)), workers=1)
    assert begun == [0]
