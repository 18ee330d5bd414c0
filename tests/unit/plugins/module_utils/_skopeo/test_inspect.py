# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Questions that skopeo answers, and who is asked which."""

from __future__ import annotations

import math
import threading
import time
from dataclasses import replace
from typing import Any, Callable, cast

import pytest

from ansible_collections.airgap.images.plugins.module_utils._base.deadline import time_left
from ansible_collections.airgap.images.plugins.module_utils._base.errors import (
    ConnectionRefused,
    Interrupted,
    Missing,
    OptionError,
    ProxyLoginRefused,
    TransferError,
)
from ansible_collections.airgap.images.plugins.module_utils._base.stop import Stop
from ansible_collections.airgap.images.plugins.module_utils._http.proxy_login import ProxyLogins
from ansible_collections.airgap.images.plugins.module_utils._oci.descriptor import Descriptor, digest_of
from ansible_collections.airgap.images.plugins.module_utils._oci.limits import MAX_MANIFEST_BYTES
from ansible_collections.airgap.images.plugins.module_utils._oci.reference import Repository
from ansible_collections.airgap.images.plugins.module_utils._registry.client import RequestCount
from ansible_collections.airgap.images.plugins.module_utils._registry.outage import Outages
from ansible_collections.airgap.images.plugins.module_utils._registry.retry import RetryPolicy
from ansible_collections.airgap.images.plugins.module_utils._save.questions import Questions
from ansible_collections.airgap.images.plugins.module_utils._skopeo.inspect import Inspector
from ansible_collections.airgap.images.tests.unit.fakes import FakeRegistries

REPOSITORY = Repository("reg.lan", "team/app")
RAW, CONFIG = b'{"schemaVersion": 2}', b'{"os": "linux"}'
DIGEST = digest_of(RAW)
BLOB = Descriptor("application/json", digest_of(CONFIG), len(CONFIG))


class Answering:
    """Stands for skopeo: answers, or what it raises, by ``NAME``; each error once."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.checks = 0
        self.manifests: dict[str, bytes] = {":1": RAW, f"@{DIGEST}": RAW}
        self.configs: dict[str, bytes] = {f"@{DIGEST}": CONFIG}
        self.errors: list[TransferError] = []
        self.limits: set[int] = set()
        self.deadlines: list[float] = []

    def check(self) -> str:
        self.checks += 1
        return "/usr/bin/skopeo"

    def manifest(self, repository: Repository, name: str, *, limit: int, deadline: float) -> bytes:
        return self._answer("manifest", self.manifests, f"{repository}{name}", name, limit, deadline)

    def configuration(self, repository: Repository, name: str, *, limit: int, deadline: float) -> bytes:
        return self._answer("config", self.configs, f"{repository}{name}", name, limit, deadline)

    def _answer(self, kind: str, answers: dict[str, bytes], full: str, name: str, limit: int, deadline: float) -> bytes:
        self.asked.append(f"{kind} {full}")
        self.limits.add(limit)
        self.deadlines.append(deadline)
        if self.errors:
            raise self.errors.pop(0)
        if name not in answers:
            raise Missing("skopeo: manifest unknown", heals=False)
        return answers[name]


class Bench:
    def __init__(self) -> None:
        self.skopeo = Answering()
        self.stop = Stop()
        self.outages = Outages()
        self.count = RequestCount()
        self.retried: list[str] = []
        self.logins = 0

    def inspector(self, *, log_in: Callable[[], None] | None = None, logins: ProxyLogins | None = None) -> Inspector:
        return Inspector(
            cast(Any, self.skopeo),
            RetryPolicy(2, 0.001),
            self.outages,
            stop=self.stop,
            on_ask=lambda: self.count.add("GET"),
            on_retry=self.retried.append,
            log_in=log_in or self._log_in,
            logins=logins,
        )

    def _log_in(self) -> None:
        self.logins += 1


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_a_tag_costs_a_manifest(bench: Bench) -> None:
    inspector = bench.inspector()
    assert inspector.head_manifest(REPOSITORY, "1") == ""
    assert bench.skopeo.asked == []
    fetched = inspector.get_manifest(REPOSITORY, "1")
    assert (fetched.raw, fetched.digest, fetched.media_type) == (RAW, DIGEST, "")
    assert bench.skopeo.asked == ["manifest reg.lan/team/app:1"]
    assert bench.skopeo.limits == {MAX_MANIFEST_BYTES}
    assert bench.count == RequestCount(head=0, get=1)


def test_a_manifest_is_checked_against_its_digest(bench: Bench) -> None:
    inspector = bench.inspector()
    assert inspector.get_manifest(REPOSITORY, DIGEST).raw == RAW
    bench.skopeo.manifests[f"@{DIGEST}"] = RAW + b"\n"
    with pytest.raises(TransferError, match=rf"team/app@{DIGEST} came with other bytes .* \(tried 3 times\)"):
        inspector.get_manifest(REPOSITORY, DIGEST)
    assert bench.count == RequestCount(get=4)


def test_a_configuration_is_checked_against_its_digest(bench: Bench) -> None:
    inspector = bench.inspector()
    assert inspector.get_blob(REPOSITORY, BLOB, limit=77, of=DIGEST) == CONFIG
    assert bench.skopeo.limits == {77}
    assert bench.skopeo.asked == [f"config reg.lan/team/app@{DIGEST}"]
    bench.skopeo.configs[f"@{DIGEST}"] = b"{}"
    with pytest.raises(TransferError, match=f"the configuration of reg.lan/team/app@{DIGEST} came with other bytes"):
        inspector.get_blob(REPOSITORY, BLOB, limit=77, of=DIGEST)
    assert bench.count == RequestCount()


def test_a_configuration_is_asked_for_by_tag_where_only_that_is_known(bench: Bench) -> None:
    inspector = bench.inspector()
    bench.skopeo.configs = {":1": CONFIG}
    with pytest.raises(Missing):
        inspector.get_blob(REPOSITORY, BLOB, limit=77, of=DIGEST)
    inspector.get_manifest(REPOSITORY, "1")
    assert inspector.get_blob(REPOSITORY, BLOB, limit=77, of=DIGEST) == CONFIG


def test_nobody_knows_the_size_of_a_blob(bench: Bench) -> None:
    assert bench.inspector().blob_size(REPOSITORY, DIGEST) == 0
    assert bench.skopeo.asked == []


def test_what_heals_is_tried_again(bench: Bench) -> None:
    bench.skopeo.errors = [TransferError("skopeo: 503", heals=True)]
    assert bench.inspector().get_manifest(REPOSITORY, "1").raw == RAW
    assert bench.retried == ["reg.lan/team/app:1: skopeo: 503; try 2 of 3 in 0.0 s"]


def test_what_does_not_heal_is_not(bench: Bench) -> None:
    with pytest.raises(Missing):
        bench.inspector().get_manifest(REPOSITORY, "2")
    assert bench.skopeo.asked == ["manifest reg.lan/team/app:2"]


def test_a_registry_that_was_given_up_is_not_asked(bench: Bench) -> None:
    for name in "abcde":
        bench.outages.ended("reg.lan", name, ConnectionRefused("refused", heals=False, is_final=True))
    with pytest.raises(TransferError, match=r"reg\.lan was given up"):
        bench.inspector().get_manifest(REPOSITORY, "1")
    assert bench.skopeo.asked == []


@pytest.mark.parametrize("name", ["1", "2"])
def test_an_answer_ends_a_row_of_refusals(bench: Bench, name: str) -> None:
    refused = ConnectionRefused("refused", heals=False, is_final=True)
    for image in "abcd":
        bench.outages.ended("reg.lan", image, refused)
    if name == "1":
        bench.inspector().get_manifest(REPOSITORY, name)
    else:
        with pytest.raises(Missing):
            bench.inspector().get_manifest(REPOSITORY, name)
    bench.outages.ended("reg.lan", "e", refused)
    bench.outages.check("reg.lan")


def test_the_time_that_the_image_has_left_counts(bench: Bench) -> None:
    inspector = bench.inspector()
    inspector.get_manifest(REPOSITORY, "1")
    until = time.monotonic() + 100
    with time_left(100):
        inspector.get_manifest(REPOSITORY, "1")
    assert bench.skopeo.deadlines[0] == math.inf
    assert until <= bench.skopeo.deadlines[1] <= until + 100


def test_a_stop_is_heeded(bench: Bench) -> None:
    bench.stop.request("enough")
    with pytest.raises(Interrupted, match="enough"):
        bench.inspector().get_manifest(REPOSITORY, "1")


def test_it_is_got_ready_once_by_any_number_of_threads(bench: Bench) -> None:
    inspector = bench.inspector()
    threads = [threading.Thread(target=inspector.get_manifest, args=(REPOSITORY, "1")) for _number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (bench.skopeo.checks, bench.logins, bench.count.get) == (1, 1, 8)


def test_what_cannot_be_got_ready_is_not_asked(bench: Bench) -> None:
    def fails() -> None:
        raise OptionError("authfile")

    with pytest.raises(OptionError):
        bench.inspector(log_in=fails).get_manifest(REPOSITORY, "1")
    assert bench.skopeo.asked == []


def test_a_proxy_that_refuses_the_login_is_asked_once_on_the_way_to_a_registry(bench: Bench) -> None:
    """By however many threads: some lock an account after a few failures."""
    bench.skopeo.errors = [ProxyLoginRefused("skopeo: Proxy Authentication Required", heals=False)]
    inspector = bench.inspector(logins=ProxyLogins())
    refused: list[TransferError] = []

    def ask() -> None:
        try:
            inspector.get_manifest(REPOSITORY, "1")
        except TransferError as error:
            refused.append(error)

    threads = [threading.Thread(target=ask) for _number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(refused) == 8 and all(isinstance(error, ProxyLoginRefused) for error in refused)
    assert len(bench.skopeo.asked) == 1
    assert inspector.get_manifest(replace(REPOSITORY, registry="other.lan"), "1").raw == RAW


class Concerned:
    """A configuration that is about one registry."""

    def applies_to(self, repository: Repository) -> bool:
        return repository.registry == "reg.lan"


def test_each_registry_is_asked_the_way_that_leads_to_it(bench: Bench) -> None:
    ours = FakeRegistries()
    questions = Questions(ours, bench.inspector(), cast(Any, Concerned()))
    ours.push_raw("other.lan/app:1", RAW, "application/json")
    ours.blobs[BLOB.digest] = CONFIG
    for repository in (REPOSITORY, Repository("other.lan", "app")):
        assert questions.head_manifest(repository, "1") in ("", DIGEST)
        assert questions.get_manifest(repository, "1").raw == RAW
        assert questions.get_blob(repository, BLOB, limit=100, of=DIGEST) == CONFIG
        assert questions.blob_size(repository, BLOB.digest) in (0, len(CONFIG))
    assert len(ours.asked) == 4 and not [name for name in ours.asked if "reg.lan" in name]
    assert bench.skopeo.asked == ["manifest reg.lan/team/app:1", f"config reg.lan/team/app@{DIGEST}"]
    assert questions.outages is ours.outages
