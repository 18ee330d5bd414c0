# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Each blob is sent at most once, mounted wherever else it is needed, and counted once."""

from __future__ import annotations

import threading
from collections.abc import Iterable

import pytest

from ansible_collections.airgap.images.plugins.module_utils._base.errors import Interrupted, TransferError
from ansible_collections.airgap.images.plugins.module_utils._base.stop import Stop, go_on
from ansible_collections.airgap.images.plugins.module_utils._load.ledger import MOUNTED, PRESENT, PUSHED, BlobLedger
from ansible_collections.airgap.images.plugins.module_utils._oci.descriptor import Descriptor
from ansible_collections.airgap.images.plugins.module_utils._oci.reference import Repository
from ansible_collections.airgap.images.tests.unit.fakes import describe

A, B, C = (Repository("reg.lan", name) for name in "abc")
BLOB = describe(b"blob")


class Carrier:
    """Records what was asked of it.

    :ivar there: what the registry has.
    """

    def __init__(self) -> None:
        self.done: list[str] = []
        self.there: set[Repository] = set()
        self.mounts = True
        self.fails = 0
        self.gate = threading.Event()
        self.gate.set()
        self.entered = threading.Event()

    def is_there(self, repository: Repository, blob: Descriptor) -> bool:
        self.done.append(f"ask {repository.path}")
        return repository in self.there

    def mount(self, repository: Repository, blob: Descriptor, home: Repository) -> bool:
        self.done.append(f"mount {home.path} {repository.path}")
        return self.mounts

    def send(self, repository: Repository, blob: Descriptor) -> None:
        self.done.append(f"send {repository.path}")
        self.entered.set()
        assert self.gate.wait(30)
        if self.fails:
            self.fails -= 1
            raise TransferError("broken", heals=False)


@pytest.fixture
def carrier() -> Carrier:
    return Carrier()


def ledger_of(carrier: Carrier, homes: Iterable[Repository] = ()) -> BlobLedger:
    return BlobLedger(carrier, lambda _digest: homes, go_on)


def test_a_blob_is_sent_once_and_then_mounted(carrier: Carrier) -> None:
    ledger = ledger_of(carrier)
    for repository in (A, B, A, B):
        ledger.bring(repository, BLOB)
    assert carrier.done == ["ask a", "send a", "ask b", "mount a b"]
    assert ledger.moved.blobs == {PRESENT: 0, MOUNTED: 1, PUSHED: 1}
    assert ledger.moved.bytes == {PRESENT: 0, MOUNTED: BLOB.size, PUSHED: BLOB.size}


def test_what_is_there_is_counted_once(carrier: Carrier) -> None:
    carrier.there.add(A)
    ledger = ledger_of(carrier)
    ledger.note(B, BLOB.digest, is_there=True)
    for repository in (A, A, B, B):
        ledger.bring(repository, BLOB)
    assert carrier.done == ["ask a"]
    assert ledger.moved.blobs == {PRESENT: 2, MOUNTED: 0, PUSHED: 0}


def test_answers_are_not_asked_for_again(carrier: Carrier) -> None:
    ledger = ledger_of(carrier)
    ledger.note(A, BLOB.digest, is_there=False)
    ledger.note(B, BLOB.digest, is_there=True)
    assert (ledger.answer(A, BLOB.digest), ledger.answer(B, BLOB.digest), ledger.answer(C, BLOB.digest)) == (
        False,
        True,
        None,
    )
    ledger.bring(A, BLOB)
    assert carrier.done == ["mount b a"]
    assert ledger.answer(A, BLOB.digest)


@pytest.mark.parametrize(
    ("homes", "done", "way"),
    [((B,), "mount b a", MOUNTED), ((A, C), "mount c a", MOUNTED), ((A,), "send a", PUSHED), ((), "send a", PUSHED)],
)
def test_other_homes(carrier: Carrier, homes: tuple[Repository, ...], done: str, way: str) -> None:
    """A repository is no home for itself. What is foreseen is what is done."""
    ledger = ledger_of(carrier, homes)
    ledger.note(A, BLOB.digest, is_there=False)
    assert ledger.way_of(A, BLOB.digest) == way
    ledger.bring(A, BLOB)
    assert carrier.done == [done]
    assert ledger.moved.blobs[way] == 1
    assert ledger.way_of(A, BLOB.digest) == PRESENT


def test_a_home_that_was_found_to_lack_it_is_none(carrier: Carrier) -> None:
    ledger = ledger_of(carrier, (B,))
    ledger.note(B, BLOB.digest, is_there=False)
    assert ledger.way_of(A, BLOB.digest) == PUSHED


def test_where_nothing_is_mounted_it_counts_as_pushed(carrier: Carrier) -> None:
    carrier.mounts = False
    ledger = ledger_of(carrier)
    ledger.bring(A, BLOB)
    ledger.bring(B, BLOB)
    assert ledger.moved.blobs == {PRESENT: 0, MOUNTED: 0, PUSHED: 2}


def test_what_failed_is_tried_again_by_the_next(carrier: Carrier) -> None:
    carrier.fails = 1
    ledger = ledger_of(carrier)
    with pytest.raises(TransferError):
        ledger.bring(A, BLOB)
    assert ledger.moved.blobs[PUSHED] == 0
    ledger.bring(A, BLOB)
    assert carrier.done.count("send a") == 2


def test_what_the_registry_lost_is_asked_for_again(carrier: Carrier) -> None:
    ledger = ledger_of(carrier)
    ledger.bring(A, BLOB)
    ledger.bring(B, BLOB)
    ledger.forget(B, [BLOB.digest])
    carrier.done.clear()
    ledger.bring(B, BLOB)
    assert carrier.done == ["ask b", "mount a b"]


@pytest.mark.parametrize("second", [A, B])
def test_a_blob_on_its_way_is_waited_for(carrier: Carrier, second: Repository) -> None:
    """In the same repository nothing more is done; in another one it is mounted."""
    carrier.gate.clear()
    ledger = ledger_of(carrier)
    threads = [threading.Thread(target=ledger.bring, args=(repository, BLOB)) for repository in (A, second)]
    threads[0].start()
    assert carrier.entered.wait(30)
    threads[1].start()
    carrier.gate.set()
    for thread in threads:
        thread.join(30)
    assert carrier.done.count("send a") == 1
    assert carrier.done[2:] == ([] if second == A else ["ask b", "mount a b"])


def test_waiting_ends_with_the_run(carrier: Carrier) -> None:
    carrier.gate.clear()
    stop = Stop()
    ledger = BlobLedger(carrier, lambda _digest: (), stop.check)
    thread = threading.Thread(target=ledger.bring, args=(A, BLOB))
    thread.start()
    assert carrier.entered.wait(30)
    stop.request("SIGTERM")
    with pytest.raises(Interrupted):
        ledger.bring(B, BLOB)
    carrier.gate.set()
    thread.join(30)
