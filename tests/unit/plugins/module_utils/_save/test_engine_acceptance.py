# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Policy, login and availability are those of each repository, and of today; archives of other releases stay."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.airgap.images.plugins.module_utils._archive.lock import WRITER, Lock
from ansible_collections.airgap.images.plugins.module_utils._archive.lock_file import read_lock, write_lock
from ansible_collections.airgap.images.plugins.module_utils._base.errors import TransferError
from ansible_collections.airgap.images.plugins.module_utils._base.stop import Stop
from ansible_collections.airgap.images.plugins.module_utils._host.attributes import NoAttributes
from ansible_collections.airgap.images.plugins.module_utils._host.log import Log
from ansible_collections.airgap.images.plugins.module_utils._publish.companions import (
    make_companions,
    published_facts,
)
from ansible_collections.airgap.images.plugins.module_utils._save import engine, tools
from ansible_collections.airgap.images.plugins.module_utils._save.engine import save
from ansible_collections.airgap.images.plugins.module_utils._save.result import Result
from ansible_collections.airgap.images.tests.support import images as built
from ansible_collections.airgap.images.tests.support import layers
from ansible_collections.airgap.images.tests.unit.fakes import FakeRegistries, FakeSkopeo, join, make_options, mark

BASE, TOP = layers.random_layer(1, 20_000), layers.text_layer(2, 5_000)
IMAGE = built.build_image([BASE, TOP])
INDEX = built.build_index([built.Entry(IMAGE, built.AMD64), built.build_image([BASE], platform=built.ARM64)])
A, B = "reg.lan/a:1", "reg.lan/b:1"
KEY_A, KEY_B = f"reg.lan/a@{IMAGE.digest}", f"reg.lan/b@{IMAGE.digest}"
REFUSED = "skopeo: Source image rejected; the signature policy does not accept this image"


class Bench:
    """A registry with one image in two repositories, and runs that save it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.configuration = "ab" * 32
        self.registries = FakeRegistries()
        for reference in (A, B):
            self.registries.push(reference, IMAGE)
        self.registries.push("reg.lan/c:1", INDEX)
        self.skopeo = FakeSkopeo(self.registries)

    def run(self, *images: str, **options: Any) -> Result:
        self.registries.asked.clear()
        for told in (self.skopeo.copied, self.skopeo.accepted, self.skopeo.fetched):
            told.clear()
        defaults = {"images": list(images or [A]), "retry_delay": 0, "skopeo_copy": "always"}
        made = make_options(self.folder, **{**defaults, **options})
        return save(made, log=Log(debug=True), stop=Stop(), attributes=NoAttributes())

    def refuse(self, *keys: str) -> None:
        self.skopeo.refused = {key: TransferError(REFUSED, heals=False) for key in keys}

    @property
    def fetched(self) -> list[str]:
        """Layers that were fetched, by whom ever."""
        asked = [one.removeprefix("GET blob ") for one in self.registries.asked]
        return [digest for digest in [*self.skopeo.fetched, *asked] if digest in (BASE.digest, TOP.digest)]

    def cached(self) -> set[str]:
        return set(os.listdir(self.folder / "cache" / "share" / "sha256"))

    @property
    def dest(self) -> Path:
        return self.folder / "out" / "images.tar.gz"

    @property
    def lock(self) -> Lock:
        return read_lock(Path(f"{self.dest}.lock.json").read_bytes(), path="x")

    def standing(self) -> dict[str, tuple[int, int, int]]:
        return {name: mark(self.dest.parent / name) for name in os.listdir(self.dest.parent)}


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    bench = Bench(tmp_path)
    monkeypatch.setattr(tools, "RegistryClient", lambda *_arguments, **_more: bench.registries)
    monkeypatch.setattr(tools, "Skopeo", lambda *_arguments, **_more: bench.skopeo)
    monkeypatch.setattr(engine, "configuration_now", lambda *_arguments: bench.configuration)
    yield bench


KEPT = {"kept": {}, "not kept": {"keep_cache": False}, "pruned": {"prune_cache": True}}


@pytest.mark.parametrize("options", KEPT.values(), ids=KEPT)
def test_the_next_run_notices_another_configuration(bench: Bench, options: dict[str, Any]) -> None:
    bench.run(A, "reg.lan/c:1", **options)
    before, cached = bench.standing(), bench.cached()
    bench.configuration = "cd" * 32
    foreseen = bench.run(A, "reg.lan/c:1", check=True, **options)
    assert (foreseen.changed, foreseen.reason) == (False, "nothing changed; 3 platform images to be accepted anew")
    assert bench.skopeo.accepted == []
    result = bench.run(A, "reg.lan/c:1", **options)
    assert (result.changed, result.reason) == (False, "nothing changed; 3 platform images accepted anew")
    assert sorted(bench.skopeo.accepted)[0] == KEY_A
    assert len(bench.skopeo.accepted) == 3
    assert (bench.skopeo.copied, bench.fetched) == ([], [])
    assert (bench.standing(), bench.cached()) == (before, cached)
    again = bench.run(A, "reg.lan/c:1", **options)
    assert (again.changed, again.reason, bench.skopeo.accepted) == (False, "nothing changed", [])


@pytest.mark.parametrize("options", KEPT.values(), ids=KEPT)
def test_a_stricter_policy_fails_the_image_and_leaves_the_archive(bench: Bench, options: dict[str, Any]) -> None:
    bench.run(**options)
    before = bench.standing()
    bench.configuration = "cd" * 32
    bench.refuse(KEY_A)
    for _again in range(2):
        result = bench.run(**options)
        assert (result.changed, result.is_failure) == (False, True)
        assert [one.reason for one in result.failed] == [REFUSED]
        assert bench.fetched == []
        assert bench.standing() == before
    foreseen = bench.run(check=True, **options)
    assert (foreseen.is_failure, [one.reason for one in foreseen.failed]) == (True, [REFUSED]), "as it was"
    bench.refuse()
    assert bench.run(**options).is_failure is False
    assert bench.standing() == before


def test_a_partial_archive_goes_on_without_what_is_refused_now(bench: Bench) -> None:
    bench.run(A, B, "reg.lan/c:1", allow_partial=True)
    bench.configuration = "cd" * 32
    bench.refuse(KEY_B)
    result = bench.run(A, B, "reg.lan/c:1", allow_partial=True)
    assert (result.changed, result.is_failure) == (True, False)
    assert [str(one.listed.reference) for one in result.failed] == [B]
    assert [str(image.reference) for image in bench.lock.images] == [A, "reg.lan/c:1"]
    assert bench.lock.failed == (B,)
    assert bench.fetched == []


def test_what_was_let_through_never_gets_into_the_lock(bench: Bench) -> None:
    bench.run()
    before = Path(f"{bench.dest}.lock.json").read_bytes()
    bench.configuration = "cd" * 32
    bench.run(force=True)
    assert Path(f"{bench.dest}.lock.json").read_bytes() == before


def test_an_archive_without_record_is_let_through_anew(bench: Bench) -> None:
    """As those of earlier releases are, and those whose cache is gone."""
    bench.run()
    (bench.folder / "cache" / "accepted.json").unlink()
    (bench.folder / "cache" / IMAGE.digest[7:] / "accepted").write_text("system reg.lan/a\n")
    result = bench.run()
    assert (result.changed, bench.skopeo.accepted, bench.fetched) == (False, [KEY_A], [])
    assert bench.run().changed is False and bench.skopeo.accepted == []


# -- one image in two repositories


@pytest.mark.parametrize("order", [(A, B), (B, A)], ids=["A, B", "B, A"])
@pytest.mark.parametrize("refused", [A, B])
@pytest.mark.parametrize("jobs", [1, 4])
@pytest.mark.parametrize("insecure", [False, True])
def test_each_repository_has_its_own_policy(
    bench: Bench, order: tuple[str, str], refused: str, jobs: int, insecure: bool
) -> None:
    bench.refuse(KEY_A if refused == A else KEY_B)
    kept = B if refused == A else A
    options: dict[str, Any] = {"jobs": jobs, "insecure_policy": insecure, "allow_partial": True}
    result = bench.run(*order, **options)
    assert [str(one.listed.reference) for one in result.failed] == [refused]
    assert [str(image.reference) for image in bench.lock.images] == [kept]
    again = bench.run(*order, **options)
    assert (again.changed, [str(one.listed.reference) for one in again.failed]) == (False, [refused])
    alone = bench.run(refused)
    assert (alone.is_failure, [one.reason for one in alone.failed]) == (True, [REFUSED]), "as it does by itself"


@pytest.mark.parametrize("order", [(A, B), (B, A)], ids=["A, B", "B, A"])
def test_a_lost_blob_comes_from_the_other_repository(bench: Bench, order: tuple[str, str]) -> None:
    bench.registries.lost = {"reg.lan/a": {BASE.digest}}
    result = bench.run(*order, jobs=1)
    assert result.failed == ()
    assert [str(image.reference) for image in bench.lock.images] == list(order)
    assert len(bench.skopeo.copied) + len(bench.skopeo.accepted) == 2


def test_an_image_of_two_repositories_is_fetched_once(bench: Bench) -> None:
    result = bench.run(A, B)
    assert (result.stats.images, result.stats.platform_images) == (2, 1)
    assert len(bench.fetched) == len({*bench.fetched})
    assert sorted([*bench.skopeo.accepted, *bench.skopeo.copied]) in (
        sorted([KEY_B, IMAGE.digest]),
        sorted([KEY_A, IMAGE.digest]),
    )
    assert not bench.run(A, B).changed
    assert bench.skopeo.accepted == []


def test_a_digest_is_asked_of_its_own_repository(bench: Bench) -> None:
    """The index is in the cache, from another one that has it."""
    bench.run("reg.lan/c:1")
    pinned = f"reg.lan/d@{INDEX.digest}"
    result = bench.run("reg.lan/c:1", pinned)
    assert f"GET reg.lan/d@{INDEX.digest}" in bench.registries.asked
    assert not result.is_failure
    bench.run("reg.lan/c:1", pinned, compress_level=1)
    assert f"GET reg.lan/d@{INDEX.digest}" not in bench.registries.asked, "it has been asked before"


# -- archives of other releases


def made_by(bench: Bench, writer: int) -> None:
    """Turn the archive into one of another release; its bytes are as they are, and its script has no seal."""
    lock = replace(bench.lock, writer=writer)
    output = make_options(bench.folder, images=[A]).output
    facts = published_facts(output, bench.lock)
    Path(output.lock_file).write_bytes(write_lock(lock))
    for suffix, pieces in make_companions(output.name, lock, hashlib.sha256(write_lock(lock)).hexdigest(), facts):
        Path(f"{output.dest}{suffix}").write_bytes(b"".join(pieces))
    script = Path(output.restore_file)
    unsealed = re.sub(rb"# Seal: [0-9a-f]{64}\n", b"", script.read_bytes())
    script.write_bytes(unsealed.replace(b"writing to disk", b"bringing it to disk"))


@pytest.mark.parametrize(("writer", "which"), [(WRITER - 1, "an earlier"), (WRITER + 1, "a later")])
def test_an_archive_of_another_release_stays(bench: Bench, writer: int, which: str) -> None:
    bench.run()
    made_by(bench, writer)
    before = bench.standing()
    for check in (True, False, True):
        result = bench.run(check=check)
        reason = f"nothing changed; {which} release made it (writer {writer}, now {WRITER}), force=true renews it"
        assert (result.changed, result.reason) == (False, reason)
        assert result.lock is not None and result.lock.writer == writer
        assert bench.standing() == before
    assert bench.run(force=True, check=True).changed
    assert bench.run(force=True).changed
    assert bench.lock.writer == WRITER


def test_it_stays_until_something_else_changes(bench: Bench) -> None:
    bench.run()
    made_by(bench, WRITER - 1)
    assert bench.run(A, B, check=True).reason == "1 image added"
    assert bench.run(A, B).changed
    assert bench.lock.writer == WRITER


def test_what_stands_beside_it_is_renewed_without_it(bench: Bench) -> None:
    bench.run()
    made_by(bench, WRITER - 1)
    archive, checksums = mark(bench.dest), Path(f"{bench.dest}.sha256")
    checksums.unlink()
    result = bench.run()
    assert (result.changed, mark(bench.dest)) == (True, archive)
    assert bench.lock.writer == WRITER - 1
    assert json.loads(Path(f"{bench.dest}.lock.json").read_bytes()).get("writer", 1) == WRITER - 1
    assert join([str(checksums)])


def test_a_partial_archive_of_an_earlier_release_stays_too(bench: Bench) -> None:
    """Although its manifests are read in each run, and the image that failed is tried again."""
    bench.refuse(KEY_B)
    bench.run(A, B, allow_partial=True)
    made_by(bench, WRITER - 1)
    before = bench.standing()
    result = bench.run(A, B, allow_partial=True)
    assert result.changed is False, result.reason
    assert f"writer {WRITER - 1}" in result.reason
    assert bench.standing() == before
