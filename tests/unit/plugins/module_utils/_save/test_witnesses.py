# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The first image of each registry, which skopeo copies too."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from ansible_collections.airgap.images.plugins.module_utils._base.errors import (
    Interrupted,
    TransferError,
    Unreadable,
)
from ansible_collections.airgap.images.plugins.module_utils._base.stop import Stop
from ansible_collections.airgap.images.plugins.module_utils._save.witnesses import Witnesses

REGISTRY, OTHER = "reg.lan", "other.lan"


class Compared:
    """Comparisons one after the other, with what each finds or raises.

    :ivar count: how many there were.
    """

    def __init__(self, *ends: str | BaseException) -> None:
        self._ends = list(ends)
        self.count = 0

    def __call__(self) -> str:
        self.count += 1
        end = self._ends.pop(0)
        if isinstance(end, BaseException):
            raise end
        return end


class Bench:
    def __init__(self) -> None:
        self.stop = Stop()
        self.warnings: list[str] = []
        self.witnesses = Witnesses(self.stop, self.warnings.append)

    def ask(self, compared: Callable[[], str], registry: str = REGISTRY) -> bool:
        return self.witnesses.agree(registry, compared)


@pytest.fixture
def bench() -> Bench:
    return Bench()


def unreadable() -> Unreadable:
    return Unreadable("skopeo: it does not read that", heals=False)


def test_the_first_image_of_each_registry_is_compared(bench: Bench) -> None:
    compared = Compared("", "")
    for registry in (REGISTRY, REGISTRY, OTHER, OTHER, REGISTRY):
        assert bench.ask(compared, registry)
    assert compared.count == 2
    assert (bench.witnesses.notes(), bench.warnings) == ((), [])


def test_where_it_differs_all_are_left_to_skopeo(bench: Bench) -> None:
    compared = Compared("it wrote other blobs", "")
    assert [bench.ask(compared) for _image in range(3)] == [False] * 3
    assert bench.ask(compared, OTHER)
    assert compared.count == 2
    assert (bench.witnesses.disagree(REGISTRY), bench.witnesses.disagree(OTHER)) == (True, False)
    (note,) = bench.witnesses.notes()
    assert note.startswith("all images of reg.lan are copied by skopeo, ") and note.endswith(": it wrote other blobs")
    assert bench.warnings == [note]


def test_what_skopeo_cannot_read_is_no_witness(bench: Bench) -> None:
    compared = Compared(unreadable(), unreadable(), "")
    assert [bench.ask(compared) for _image in range(2)] == [True] * 2
    assert bench.witnesses.notes()[0].startswith("images of reg.lan were copied without skopeo; ")
    bench.witnesses.cannot_read(OTHER)
    assert len(bench.witnesses.notes()) == 2
    assert bench.ask(compared) and bench.ask(compared)
    assert compared.count == 3
    (note,) = bench.witnesses.notes()
    assert note.startswith("images of other.lan were copied without skopeo; ")


def test_a_copy_that_fails_is_no_witness(bench: Bench) -> None:
    failure = TransferError("503", heals=True)
    compared = Compared(failure, failure, "", "")
    for _image in range(2):
        with pytest.raises(TransferError) as caught:
            bench.ask(compared)
        assert caught.value is failure
    assert bench.witnesses.notes() == ()
    assert bench.ask(compared) and bench.ask(compared)
    assert compared.count == 3


def test_one_that_differs_counts_more_than_one_that_does_not(bench: Bench) -> None:
    """After a failure, several are compared at once."""
    with pytest.raises(TransferError):
        bench.ask(Compared(TransferError("503", heals=True)))

    def same_after_one_that_differs() -> str:
        assert not bench.ask(lambda: "it wrote another oci-layout")
        return ""

    assert not bench.ask(same_after_one_that_differs)
    assert bench.witnesses.disagree(REGISTRY)


@pytest.mark.parametrize("end", ["", "it wrote other blobs"])
def test_others_wait_for_the_first(bench: Bench, end: str) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def compare() -> str:
        begun.set()
        assert go_on.wait(60)
        return end

    with ThreadPoolExecutor(4) as pool:
        first = pool.submit(bench.ask, compare)
        assert begun.wait(60)
        others = [pool.submit(bench.ask, Compared()) for _image in range(3)]
        assert bench.ask(lambda: "", OTHER), "another registry does not"
        assert not any(one.done() for one in others)
        go_on.set()
        assert {one.result(60) for one in [first, *others]} == {not end}


def test_a_stop_ends_the_wait(bench: Bench) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def compare() -> str:
        begun.set()
        assert go_on.wait(60)
        raise Interrupted("stopped")

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(bench.ask, compare)
        assert begun.wait(60)
        other = pool.submit(bench.ask, Compared())
        bench.stop.end()
        with pytest.raises(Interrupted):
            other.result(60)
        go_on.set()
        with pytest.raises(Interrupted):
            first.result(60)
