# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One platform image from registry to cache."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from ansible_collections.airgap.images.plugins.module_utils._cache import Cache
from ansible_collections.airgap.images.plugins.module_utils._credentials import Credentials
from ansible_collections.airgap.images.plugins.module_utils._errors import Interrupted, StorageError, TransferError
from ansible_collections.airgap.images.plugins.module_utils._fetch import Fetcher
from ansible_collections.airgap.images.plugins.module_utils._image import PlatformImage
from ansible_collections.airgap.images.plugins.module_utils._log import Log
from ansible_collections.airgap.images.plugins.module_utils._manifest import DOCKER_SCHEMA1, Schema1
from ansible_collections.airgap.images.plugins.module_utils._retry import RetryPolicy
from ansible_collections.airgap.images.plugins.module_utils._stop import Stop
from ansible_collections.airgap.images.plugins.module_utils._tools import Tools
from ansible_collections.airgap.images.tests.unit.fakes import (
    AMD64,
    FakeRegistries,
    FakeSkopeo,
    Sample,
    describe,
    write_folder,
)

SAMPLE = Sample(b"one", b"two")
LAYER = SAMPLE.image.blobs[-1]


class NoWait(Stop):
    """Delays take no time."""

    def wait(self, seconds: float) -> bool:
        return self.is_set()


class Bench:
    """A cache, and a registry with one image."""

    def __init__(self, root: str) -> None:
        self.cache = Cache(root)
        self.log = Log(debug=True)
        self.registries = FakeRegistries()
        self.skopeo = FakeSkopeo(self.registries)
        self.stop = NoWait()
        self.registries.manifests[SAMPLE.image.digest] = (SAMPLE.raw, SAMPLE.image.descriptor.media_type)
        self.registries.blobs.update(SAMPLE.blobs)
        self.fetcher = Fetcher(
            Tools(
                registries=cast(Any, self.registries),
                resolver=cast(Any, None),
                skopeo=cast(Any, self.skopeo),
                policy=RetryPolicy(retries=2, delay=0.001),
                stop=self.stop,
                credentials=Credentials([], []),
            ),
            self.cache,
            self.log,
            places={SAMPLE.image.digest: (4, 2)},
            timeout=3600,
        )

    def fail(self, *errors: TransferError, image: PlatformImage = SAMPLE.image) -> None:
        self.skopeo.failures[image.digest] = list(errors)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(str(tmp_path / "cache"))
    with bench.cache.opened(0):
        yield bench


def heals() -> TransferError:
    return TransferError("503", heals=True)


def test_an_image_is_copied(bench: Bench) -> None:
    assert bench.fetcher.missing(SAMPLE.image) == set(SAMPLE.blobs)
    assert bench.fetcher.fetch(SAMPLE.image) == SAMPLE.stored == bench.cache.stored(SAMPLE.image)
    assert bench.fetcher.downloaded == {digest: len(data) for digest, data in SAMPLE.blobs.items()}
    assert bench.fetcher.missing(SAMPLE.image) == set()


def test_only_what_was_missing_counts_as_downloaded(bench: Bench) -> None:
    Path(bench.cache.blob_path(LAYER.digest)).write_bytes(b"two")
    bench.fetcher.fetch(SAMPLE.image)
    assert bench.fetcher.downloaded.keys() == SAMPLE.blobs.keys() - {LAYER.digest}
    assert LAYER.digest not in bench.skopeo.fetched


@pytest.mark.parametrize("left", [b"tw", b"", b"much longer than it should be"])
def test_what_skopeo_would_take_for_a_blob_is_removed_first(bench: Bench, left: bytes) -> None:
    Path(bench.cache.blob_path(LAYER.digest)).write_bytes(left)
    bench.fetcher.fetch(SAMPLE.image)
    assert LAYER.digest in bench.skopeo.fetched
    bench.cache.check_blob(LAYER)


def test_what_heals_is_tried_again(bench: Bench) -> None:
    bench.fail(heals(), heals())
    assert bench.fetcher.fetch(SAMPLE.image) == SAMPLE.stored
    assert len(bench.skopeo.copied) == 3


def test_after_the_last_try_it_fails(bench: Bench) -> None:
    bench.fail(heals(), heals(), heals())
    with pytest.raises(TransferError, match=r"503 \(tried 3 times\)"):
        bench.fetcher.fetch(SAMPLE.image)
    assert bench.fetcher.downloaded == {}


def test_leftovers_of_a_try_do_not_disturb_the_next(bench: Bench) -> None:
    def leave(image: PlatformImage) -> None:
        folder = os.path.join(bench.cache.run_directory, f"copy-{image.folder}")
        assert not os.path.exists(folder)

    bench.skopeo.before = leave
    real = bench.skopeo.copy
    tries: list[str] = []

    def copy(image: PlatformImage, folder: str, share: str, *, deadline: float) -> None:
        tries.append(folder)
        if len(tries) == 1:
            os.makedirs(folder)
            Path(folder, "index.json").write_bytes(b"")  # a full disk leaves one
            Path(folder, "oci-put-blob1").write_bytes(b"half")
            raise heals()
        real(image, folder, share, deadline=deadline)

    bench.skopeo.copy = copy  # type: ignore[method-assign]
    assert bench.fetcher.fetch(SAMPLE.image) == SAMPLE.stored
    assert len(tries) == 2


def test_what_skopeo_left_is_looked_at(bench: Bench) -> None:
    bench.registries.manifests[SAMPLE.image.digest] = (b"{}", "")
    with pytest.raises(TransferError, match=r"skopeo left no sound manifest .* \(tried 3 times\)"):
        bench.fetcher.fetch(SAMPLE.image)


def test_a_stop_ends_it(bench: Bench) -> None:
    bench.stop.end()
    with pytest.raises(Interrupted):
        bench.fetcher.fetch(SAMPLE.image)
    assert bench.skopeo.copied == []


def test_the_log_names_the_image(bench: Bench) -> None:
    bench.fail(heals())
    bench.fetcher.fetch(SAMPLE.image)
    assert len(bench.log.lines) == 3
    assert all("[image 4.2]" in line for line in bench.log.lines)
    assert f"copying reg.lan/app@{SAMPLE.image.digest} (linux/amd64)" in bench.log.lines[0]
    assert "WARNING" in bench.log.lines[1]
    assert "copied 4 blobs" in bench.log.lines[2]


FOREIGN = describe(b"base of windows", urls=("https://example.org/x",))
WITH_FOREIGN = replace(SAMPLE.image, blobs=(*SAMPLE.image.blobs, FOREIGN))


def test_foreign_layers_are_fetched_from_the_registry(bench: Bench) -> None:
    bench.registries.blobs[FOREIGN.digest] = b"base of windows"
    stored = bench.fetcher.fetch(WITH_FOREIGN)
    assert FOREIGN in stored.blobs
    bench.cache.check_blob(FOREIGN)
    assert bench.fetcher.downloaded[FOREIGN.digest] == FOREIGN.size
    bench.registries.asked.clear()
    bench.fetcher.fetch(WITH_FOREIGN)
    assert bench.registries.asked == [], "it is there already"


def test_a_foreign_layer_that_the_registry_does_not_have(bench: Bench) -> None:
    with pytest.raises(TransferError, match=r"foreign layer: blob .* does not exist") as caught:
        bench.fetcher.fetch(WITH_FOREIGN)
    assert caught.value.heals is False
    assert bench.skopeo.copied == []


def test_all_blobs_of_a_converted_image_count(bench: Bench) -> None:
    source = replace(
        SAMPLE.image,
        descriptor=replace(SAMPLE.image.descriptor, digest="sha256:" + "ab" * 32),
        content=Schema1(DOCKER_SCHEMA1, AMD64, (LAYER.digest,)),
        blobs=(replace(LAYER, size=0),),
    )

    def convert(_image: PlatformImage, folder: str, _share: str, *, deadline: float) -> None:
        for digest, data in SAMPLE.blobs.items():
            bench.cache.store_document(digest, data)
        write_folder(folder, SAMPLE.image.descriptor)

    bench.skopeo.copy = convert  # type: ignore[method-assign]
    bench.fetcher._places = {source.digest: (1, 1)}
    assert bench.fetcher.fetch(source).descriptor.digest == SAMPLE.image.digest
    assert bench.fetcher.downloaded == {digest: len(data) for digest, data in SAMPLE.blobs.items()}


REPEATED = Sample(b"twice", b"once", b"twice")


def test_a_layer_that_is_named_twice_is_fetched_once(bench: Bench) -> None:
    bench.registries.manifests[REPEATED.image.digest] = (REPEATED.raw, REPEATED.image.descriptor.media_type)
    bench.registries.blobs.update(REPEATED.blobs)
    bench.fetcher._places = {REPEATED.image.digest: (1, 1)}
    twice = describe(b"twice").digest
    assert bench.fetcher.fetch(REPEATED.image) == REPEATED.stored
    assert bench.registries.asked == [f"GET blob {twice}"]
    assert twice not in bench.skopeo.fetched
    assert bench.fetcher.downloaded.keys() == REPEATED.blobs.keys()


def test_a_layer_that_only_skopeo_can_reach_is_left_to_it(bench: Bench) -> None:
    bench.registries.manifests[REPEATED.image.digest] = (REPEATED.raw, REPEATED.image.descriptor.media_type)
    bench.registries.blobs.update(REPEATED.blobs)
    bench.fetcher._places = {REPEATED.image.digest: (1, 1)}
    twice = describe(b"twice").digest
    bench.registries.failures[f"GET blob {twice}"] = TransferError("404", heals=False)
    assert bench.fetcher.fetch(REPEATED.image) == REPEATED.stored
    assert twice in bench.skopeo.fetched
    assert [line for line in bench.log.lines if "left to skopeo" in line]


def test_a_foreign_layer_that_takes_too_long(bench: Bench) -> None:
    release = threading.Event()
    bench.registries.fetch_blob = lambda *_arguments: release.wait(60)  # type: ignore[method-assign, assignment, return-value]
    bench.fetcher._timeout = 0.05
    with pytest.raises(TransferError, match="foreign layer: it was not done within timeout"):
        bench.fetcher.fetch(WITH_FOREIGN)
    release.set()


def test_a_cache_that_cannot_be_written_is_named(bench: Bench) -> None:
    def refuse(*_arguments: object, **_more: object) -> None:
        raise OSError(28, "No space left on device")

    bench.skopeo.copy = refuse  # type: ignore[method-assign, assignment]
    with pytest.raises(StorageError, match=f"cannot write to cache_dir {bench.cache.root}: No space left on device"):
        bench.fetcher.fetch(SAMPLE.image)
