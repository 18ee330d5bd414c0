# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Copy, archive and publish, step by step."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.airgap.images.plugins.module_utils._base.errors import BusyError, TransferError
from ansible_collections.airgap.images.plugins.module_utils._base.stop import Stop
from ansible_collections.airgap.images.plugins.module_utils._host.attributes import NoAttributes
from ansible_collections.airgap.images.plugins.module_utils._host.log import Log
from ansible_collections.airgap.images.plugins.module_utils._oci.image import PlatformImage
from ansible_collections.airgap.images.plugins.module_utils._registry.fetched_manifest import FetchedManifest
from ansible_collections.airgap.images.plugins.module_utils._save import copies, tools
from ansible_collections.airgap.images.plugins.module_utils._save.engine import save
from ansible_collections.airgap.images.plugins.module_utils._save.result import Result
from ansible_collections.airgap.images.tests.support import images as built
from ansible_collections.airgap.images.tests.support import layers
from ansible_collections.airgap.images.tests.unit.fakes import FakeRegistries, FakeSkopeo, make_options

ONE = built.build_image([layers.files_layer({"one": b"1"})])
TWO = built.build_image([layers.files_layer({"two": b"2"})])
IMAGES = ["reg.lan/one:1", "reg.lan/two:1"]


class Bench:
    """A registry with two unrelated images."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.registries = FakeRegistries()
        self.registries.push(IMAGES[0], ONE)
        self.registries.push(IMAGES[1], TWO)
        self.skopeo = FakeSkopeo(self.registries)
        self.log = Log(debug=True)

    def run(self, **options: Any) -> Result:
        made = make_options(self.folder, **{"images": IMAGES, "retry_delay": 0, "skopeo_copy": "always", **options})
        return save(made, log=self.log, stop=Stop(), attributes=NoAttributes())

    @property
    def lock_file(self) -> Path:
        return self.folder / "out/images.tar.gz.lock.json"


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    bench = Bench(tmp_path)
    monkeypatch.setattr(tools, "RegistryClient", lambda *_arguments, **_more: bench.registries)
    monkeypatch.setattr(tools, "Skopeo", lambda *_arguments, **_more: bench.skopeo)
    yield bench


def test_the_archive_is_in_list_order_whatever_is_copied_first(bench: Bench) -> None:
    expected = bench.run().lock
    second_done = threading.Event()

    def wait_for_the_second(image: PlatformImage) -> None:
        if image.digest == ONE.digest:
            assert second_done.wait(60)
        else:
            second_done.set()

    bench.folder = bench.folder / "again"
    bench.skopeo.before = wait_for_the_second
    assert bench.run(jobs=2).lock == expected


def test_copying_and_archiving_overlap(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    archived = threading.Event()
    real = copies.assemble

    def assemble(*arguments: Any) -> Any:
        archived.set()  # the first image is on its way into the archive
        return real(*arguments)

    def wait_for_the_first(image: PlatformImage) -> None:
        assert image.digest == ONE.digest or archived.wait(60)

    monkeypatch.setattr(copies, "assemble", assemble)
    bench.skopeo.before = wait_for_the_first
    assert not bench.run(jobs=2).is_failure


def test_failures_are_told_in_list_order(bench: Bench) -> None:
    for image in (TWO, ONE):
        bench.skopeo.failures[image.digest] = [TransferError(f"no {image.digest}", heals=False)]
    result = bench.run()
    assert [one.listed.number for one in result.failed] == [1, 2]
    assert result.changed is False
    assert [line for line in bench.log.lines if "ERROR [image 1] images, item 1: reg.lan/one:1 failed: no " in line]


def test_both_kinds_of_failures_are_told_in_list_order(bench: Bench) -> None:
    bench.skopeo.failures[TWO.digest] = [TransferError("no copy", heals=False)]
    images = ["reg.lan/missing:1", IMAGES[1], "reg.lan/missing:2", IMAGES[0]]
    result = bench.run(images=images, allow_partial=True)
    assert [one.listed.number for one in result.failed] == [1, 2, 3]
    assert result.lock is not None
    assert list(result.lock.failed) == images[:3]


def test_an_archive_that_another_run_has_written_is_not_replaced(bench: Bench) -> None:
    bench.run()
    lock_file = bench.lock_file.read_bytes()
    real = bench.registries.get_manifest

    def write_meanwhile(*arguments: Any) -> FetchedManifest:
        bench.lock_file.write_bytes(lock_file + b"\n")
        return real(*arguments)

    bench.registries.get_manifest = write_meanwhile  # type: ignore[method-assign]
    bench.registries.push(IMAGES[0], built.build_image([layers.files_layer({"new": b"1"})]))
    with pytest.raises(BusyError, match="another run has written"):
        bench.run()
    assert bench.lock_file.read_bytes() == lock_file + b"\n"


def test_an_archive_that_another_run_has_written_while_this_one_waited_is_looked_at_again(bench: Bench) -> None:
    new = built.build_image([layers.files_layer({"new": b"1"})])
    bench.run()
    bench.registries.push(IMAGES[0], new)
    real = bench.registries.head_manifest
    others: list[Result] = []

    def run_meanwhile(*arguments: Any) -> str:
        bench.registries.head_manifest = real  # type: ignore[method-assign]
        if not others:
            others.append(bench.run())
        return real(*arguments)

    bench.registries.head_manifest = run_meanwhile  # type: ignore[method-assign]
    bench.skopeo.copied.clear()
    result = bench.run(jobs=1)
    assert (others[0].changed, others[0].reason) == (True, "1 image changed")
    assert (result.changed, result.reason) == (False, "nothing changed")
    assert result.lock == others[0].lock
    assert bench.skopeo.copied == [new.digest]


def test_the_cache_is_an_oci_layout_afterwards(bench: Bench) -> None:
    bench.run()
    assert {"index.json", "oci-layout", "saved-images-list.json", "blobs", "share"} <= set(
        os.listdir(bench.folder / "cache")
    )


def test_what_was_published_need_not_be_read_again(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.run()
    read: list[str] = []
    real = open

    def recorded(path: Any, *arguments: Any, **more: Any) -> Any:
        read.append(str(path))
        return real(path, *arguments, **more)

    monkeypatch.setattr("builtins.open", recorded)
    real_descriptor = os.open

    def recorded_descriptor(path: Any, *arguments: Any, **more: Any) -> int:
        read.append(str(path))
        return real_descriptor(path, *arguments, **more)

    monkeypatch.setattr(os, "open", recorded_descriptor)
    assert bench.run().changed is False
    assert str(bench.folder / "out/images.tar.gz") not in read
    assert str(bench.lock_file) in read
