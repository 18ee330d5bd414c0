# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From registry to cache: blobs, and platform images as a whole."""

from __future__ import annotations

import os
import re
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from ansible_collections.airgap.images.plugins.module_utils._base.errors import (
    ConnectionRefused,
    Interrupted,
    Missing,
    StorageError,
    TransferError,
    Unreadable,
)
from ansible_collections.airgap.images.plugins.module_utils._base.stop import Stop
from ansible_collections.airgap.images.plugins.module_utils._cache.cache import Cache
from ansible_collections.airgap.images.plugins.module_utils._cache.pool import Lack
from ansible_collections.airgap.images.plugins.module_utils._host.log import Log
from ansible_collections.airgap.images.plugins.module_utils._host.progress import Progress
from ansible_collections.airgap.images.plugins.module_utils._host.stages import Stages
from ansible_collections.airgap.images.plugins.module_utils._oci.descriptor import Descriptor
from ansible_collections.airgap.images.plugins.module_utils._oci.image import PlatformImage, StoredImage
from ansible_collections.airgap.images.plugins.module_utils._oci.media_types import DOCKER_SCHEMA1
from ansible_collections.airgap.images.plugins.module_utils._oci.reference import Repository
from ansible_collections.airgap.images.plugins.module_utils._oci.schema1 import Schema1
from ansible_collections.airgap.images.plugins.module_utils._registry.credentials import Credentials
from ansible_collections.airgap.images.plugins.module_utils._registry.failures import Failures
from ansible_collections.airgap.images.plugins.module_utils._registry.retry import RetryPolicy
from ansible_collections.airgap.images.plugins.module_utils._save.pull import Puller
from ansible_collections.airgap.images.plugins.module_utils._save.tools import Tools
from ansible_collections.airgap.images.plugins.module_utils._save.witnesses import Witnesses
from ansible_collections.airgap.images.plugins.module_utils._skopeo.policy_rules import PolicyRules
from ansible_collections.airgap.images.plugins.module_utils._skopeo.registries_conf import RegistriesConf
from ansible_collections.airgap.images.plugins.module_utils._skopeo.unsupported import UnsupportedImages
from ansible_collections.airgap.images.tests.unit.fakes import (
    AMD64,
    FakeRegistries,
    FakeSkopeo,
    Sample,
    describe,
    make_options,
    make_run,
    repository_of,
    write_folder,
)

SAMPLE = Sample(b"one", b"two")


class NoWait(Stop):
    """Delays take no time."""

    def wait(self, seconds: float) -> bool:
        return self.is_set()


def listed(number: int, name: str = "an image") -> Any:
    """An image of the list, as far as it matters here."""
    return SimpleNamespace(number=number, reference=name)


class Bench:
    """A cache, and a registry with one image."""

    def __init__(self, folder: Path) -> None:
        self.cache = Cache(str(folder / "cache"))
        self._folder = folder
        self.log = Log(debug=True)
        self.registries = FakeRegistries()
        self.skopeo = FakeSkopeo(self.registries)
        self.stop = NoWait()
        self.progress = Progress()
        self.push(SAMPLE)
        self.puller = self.make(places={SAMPLE.image.key: (4, 2)})

    def push(self, sample: Sample) -> None:
        self.registries.manifests[sample.image.digest] = (sample.raw, sample.image.descriptor.media_type)
        self.registries.blobs.update(sample.blobs)

    def make(
        self,
        *,
        places: dict[str, tuple[int, int]],
        names: dict[str, str] | None = None,
        sources: dict[str, tuple[Repository, ...]] | None = None,
        retries: int = 2,
        **options: Any,
    ) -> Puller:
        made = make_options(self._folder, **{"skopeo_copy": "always", **options})
        registries, configuration = cast(Any, self.registries), RegistriesConf(os.environ)
        tools = Tools(
            registries=registries,
            unsupported=UnsupportedImages(
                registries, PolicyRules(made.work, os.environ), configuration, made.work.skopeo_copy
            ),
            witnesses=Witnesses(self.stop, self.log.warning),
            resolver=cast(Any, None),
            failures=Failures(self.log.secrets, self.registries.outages),
            skopeo=cast(Any, self.skopeo),
            policy=RetryPolicy(retries, delay=0.001),
            stop=self.stop,
            credentials=Credentials([], []),
            configuration=configuration,
        )
        run = make_run(made, self.cache, self.log, stop=self.stop, stages=Stages(self.log, self.progress))
        named = defaultdict(lambda: "an image") if names is None else names
        shown = {key: (listed(number, named[key]), platform) for key, (number, platform) in places.items()}
        images = SimpleNamespace(places=shown, sources=sources or {})
        return Puller(run, tools, cast(Any, images))

    def bring(self, image: PlatformImage = SAMPLE.image) -> StoredImage:
        """All that the pool does for one image."""
        for blob in self.puller.lack(image).to_pull:
            self.puller.pull_blob(image, blob)
        return self.puller.copy(image)

    def fail(self, *errors: TransferError, image: PlatformImage = SAMPLE.image) -> None:
        self.skopeo.failures[image.digest] = list(errors)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path)
    with bench.cache.opened(0):
        yield bench


def heals() -> TransferError:
    return TransferError("503", heals=True)


def digests(blobs: Iterable[Descriptor]) -> set[str]:
    return {blob.digest for blob in blobs}


CONFIG, ONE, TWO = SAMPLE.image.blobs


# -- who fetches what


def test_layers_are_the_clients_and_the_rest_is_skopeos(bench: Bench) -> None:
    assert bench.puller.lack(SAMPLE.image) == Lack((ONE, TWO), frozenset({SAMPLE.image.digest, CONFIG.digest}))


def test_what_is_there_is_not_lacking(bench: Bench) -> None:
    for blob in (ONE, CONFIG):
        Path(bench.cache.blobs.path(blob.digest)).write_bytes(SAMPLE.blobs[blob.digest])
    Path(bench.cache.blobs.path(TWO.digest)).write_bytes(b"other length")
    assert bench.puller.lack(SAMPLE.image) == Lack((TWO,), frozenset({SAMPLE.image.digest}))
    SAMPLE.put(bench.cache)
    assert bench.puller.lack(SAMPLE.image) == Lack((), frozenset({SAMPLE.image.digest})), "its folder is written"


def configure(home: Path, text: str) -> None:
    folder = home / ".config/containers"
    folder.mkdir(parents=True)
    (folder / "registries.conf").write_text(text)


MIRRORED = '[[registry]]\nlocation = "reg.lan"\n[[registry.mirror]]\nlocation = "mirror.lan"\n'


def test_a_registry_that_skopeo_goes_other_ways_to_is_its_own(bench: Bench, home: Path) -> None:
    configure(home, MIRRORED)
    puller = bench.make(places={SAMPLE.image.key: (1, 1)})
    assert puller.lack(SAMPLE.image) == Lack((), frozenset(SAMPLE.blobs))


def test_other_registries_stay_ours(bench: Bench, home: Path) -> None:
    configure(home, MIRRORED.replace('"reg.lan"', '"other.lan"'))
    assert digests(bench.make(places={}).lack(SAMPLE.image).to_pull) == {ONE.digest, TWO.digest}


FOREIGN = describe(b"base of windows", urls=("https://example.org/x",))
WITH_FOREIGN = replace(SAMPLE.image, blobs=(*SAMPLE.image.blobs, FOREIGN))
REPEATED = Sample(b"twice", b"once", b"twice")
TWICE = describe(b"twice")


def test_a_layer_that_skopeo_leaves_out_is_not_asked_of_a_registry_that_is_left_to_it(bench: Bench, home: Path) -> None:
    """The registry may be blocked, or out of reach but for a mirror."""
    configure(home, MIRRORED)
    puller = bench.make(places={WITH_FOREIGN.key: (1, 1)})
    assert digests(puller.lack(WITH_FOREIGN).to_pull) == {FOREIGN.digest}
    with pytest.raises(TransferError, match=r"^foreign layer: .* leaves reg\.lan to skopeo, which copies none"):
        puller.pull_blob(WITH_FOREIGN, FOREIGN)
    assert bench.registries.asked == []


def test_a_layer_that_an_image_names_twice_is_skopeos_as_well(bench: Bench, home: Path) -> None:
    configure(home, MIRRORED)
    assert bench.make(places={}).lack(REPEATED.image).to_pull == ()


OLD = replace(
    SAMPLE.image,
    descriptor=replace(SAMPLE.image.descriptor, digest="sha256:" + "ab" * 32),
    content=Schema1(DOCKER_SCHEMA1, AMD64, (TWO.digest,)),
    blobs=(replace(TWO, size=0),),
)


def test_what_is_converted_is_skopeos(bench: Bench) -> None:
    assert bench.puller.lack(OLD) == Lack((), frozenset({OLD.digest, TWO.digest}))


# -- single blobs


def test_a_blob_is_fetched(bench: Bench) -> None:
    assert bench.puller.pull_blob(SAMPLE.image, ONE) is True
    bench.cache.blobs.check(ONE)
    assert bench.puller.downloaded == {ONE.digest: ONE.size}
    assert os.listdir(bench.cache.workspace.run_directory) == []
    assert [line for line in bench.log.lines if "[image 4.2]" in line and f"fetched blob {ONE.digest}" in line]


def test_a_blob_that_is_there_is_not_fetched(bench: Bench) -> None:
    Path(bench.cache.blobs.path(ONE.digest)).write_bytes(b"one")
    assert bench.puller.pull_blob(SAMPLE.image, ONE) is True
    assert bench.registries.asked == []
    assert bench.puller.downloaded == {}


@pytest.mark.parametrize("left", [b"tw", b"", b"much longer than it should be"])
def test_what_is_not_the_blob_is_removed_first(bench: Bench, left: bytes) -> None:
    Path(bench.cache.blobs.path(TWO.digest)).write_bytes(left)
    assert bench.puller.pull_blob(SAMPLE.image, TWO) is True
    bench.cache.blobs.check(TWO)
    assert bench.cache.blobs.repaired == {TWO.digest}


def test_what_the_client_is_refused_is_left_to_skopeo(bench: Bench) -> None:
    bench.registries.failures[f"GET blob {ONE.digest}"] = TransferError("401", heals=False)
    assert bench.puller.pull_blob(SAMPLE.image, ONE) is False
    assert bench.puller.downloaded == {}
    assert not bench.cache.blobs.has(ONE)
    assert [line for line in bench.log.lines if "401; left to skopeo" in line]
    assert bench.puller.copy(SAMPLE.image) == SAMPLE.stored
    assert ONE.digest in bench.skopeo.fetched


def test_what_was_tried_to_the_end_is_not_tried_by_skopeo(bench: Bench) -> None:
    failure = TransferError("503 (tried 3 times)", heals=False, is_final=True)
    bench.registries.failures[f"GET blob {ONE.digest}"] = failure
    with pytest.raises(TransferError, match=r"503 \(tried 3 times\)"):
        bench.puller.pull_blob(SAMPLE.image, ONE)
    assert bench.puller.downloaded == {}


@pytest.mark.parametrize("is_final", [True, False])
def test_a_foreign_layer_that_the_registry_does_not_have(bench: Bench, is_final: bool) -> None:
    failure = TransferError("404", heals=False, is_final=is_final)
    bench.registries.failures[f"GET blob {FOREIGN.digest}"] = failure
    with pytest.raises(TransferError, match=r"^foreign layer: 404$") as caught:
        bench.puller.pull_blob(WITH_FOREIGN, FOREIGN)
    assert caught.value.heals is False


def test_a_stop_is_no_refusal(bench: Bench) -> None:
    def interrupted(*_arguments: object, **_more: object) -> None:
        raise Interrupted("stopped")

    bench.registries.fetch_blob = interrupted  # type: ignore[method-assign]
    with pytest.raises(Interrupted):
        bench.puller.pull_blob(SAMPLE.image, ONE)


def test_a_full_disk_is_told_with_the_caches_name(bench: Bench) -> None:
    def refuse(*_arguments: object, **_more: object) -> None:
        raise OSError(28, "No space left on device")

    bench.registries.fetch_blob = refuse  # type: ignore[method-assign]
    with pytest.raises(StorageError, match=f"cannot write to cache_dir {bench.cache.root}: No space left on device"):
        bench.puller.pull_blob(SAMPLE.image, ONE)


@pytest.mark.parametrize(("compress", "synced"), [("gzip", 0), ("none", 0), ("dir", 1)])
def test_only_what_becomes_part_of_the_archive_is_written_out_early(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, compress: str, synced: int
) -> None:
    sizes: list[int] = []
    monkeypatch.setattr(os, "posix_fadvise", lambda file, *_advice: sizes.append(os.fstat(file).st_size))
    bench.make(places={SAMPLE.image.key: (1, 1)}, compress=compress).pull_blob(SAMPLE.image, ONE)
    assert sizes == [ONE.size] * synced


def test_the_time_of_an_image_stands_while_others_have_their_turn(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A blob takes 20 s, and half an hour passes before the next one of the image gets its turn."""
    left: list[float] = []
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    real = bench.registries.fetch_blob

    def fetch_blob(repository: Repository, blob: Descriptor, path: str, *, deadline: float) -> None:
        left.append(deadline - now[0])
        now[0] += 20
        real(repository, blob, path)

    bench.registries.fetch_blob = fetch_blob  # type: ignore[method-assign, assignment]
    puller = bench.make(places={SAMPLE.image.key: (1, 1)}, timeout=50)
    puller.pull_blob(SAMPLE.image, ONE)
    now[0] += 1800
    puller.pull_blob(SAMPLE.image, TWO)
    assert left == [50.0, 30.0]


# -- what ends for good


def unreachable() -> ConnectionRefused:
    return ConnectionRefused("refused", heals=False, is_final=True)


def test_a_registry_that_refuses_is_given_up(bench: Bench) -> None:
    """Each image is another one of the list; the sixth is not asked for."""
    samples = [Sample(b"%d" % number) for number in range(6)]
    puller = bench.make(
        places={sample.image.key: (number, 1) for number, sample in enumerate(samples)},
        names={sample.image.key: f"reg.lan/app:{number}" for number, sample in enumerate(samples)},
    )
    for number, sample in enumerate(samples):
        blob = sample.image.blobs[1]
        bench.registries.failures[f"GET blob {blob.digest}"] = unreachable()
        with pytest.raises(TransferError, match="given up" if number == 5 else "^refused$"):
            puller.pull_blob(sample.image, blob)
    with pytest.raises(TransferError, match="given up"):
        puller.copy(samples[0].image)
    assert bench.skopeo.copied == []


def test_what_skopeo_is_refused_counts_as_well(bench: Bench) -> None:
    puller = bench.make(places={}, retries=0)
    for number in range(5):
        puller._places = {SAMPLE.image.key: (listed(1, f"reg.lan/app:{number}"), 1)}
        bench.fail(ConnectionRefused("refused", heals=True))
        with pytest.raises(ConnectionRefused):
            puller.copy(SAMPLE.image)
    with pytest.raises(TransferError, match="given up"):
        puller.copy(SAMPLE.image)
    assert len(bench.skopeo.copied) == 5


def test_what_the_client_was_told_comes_before_what_skopeo_says(bench: Bench) -> None:
    bench.registries.failures[f"GET blob {ONE.digest}"] = TransferError("in quarantine", heals=False)
    assert bench.puller.pull_blob(SAMPLE.image, ONE) is False
    bench.fail(TransferError("skopeo: StatusCode 403", heals=False))
    with pytest.raises(TransferError, match=r"^in quarantine; skopeo: StatusCode 403$"):
        bench.puller.copy(SAMPLE.image)
    bench.puller.copy(SAMPLE.image)
    bench.cache.folders.remove(SAMPLE.image)
    bench.fail(TransferError("skopeo: no policy", heals=False))
    with pytest.raises(TransferError, match=r"^skopeo: no policy$"):
        bench.puller.copy(SAMPLE.image)


def test_a_manifest_that_is_served_by_its_tag_alone(bench: Bench) -> None:
    tagged = replace(SAMPLE.image, tag="1")
    names: list[str] = []
    real = bench.skopeo.copy

    def copy(image: PlatformImage, name: str, folder: str, share: str, *, deadline: float) -> None:
        names.append(name)
        if name.startswith("@"):
            raise Missing("manifest unknown", heals=False)
        real(image, name, folder, share, deadline=deadline)

    bench.skopeo.copy = copy  # type: ignore[method-assign]
    with pytest.raises(Missing):
        bench.puller.copy(SAMPLE.image)
    assert names == [f"@{SAMPLE.image.digest}"]
    assert bench.puller.copy(tagged).descriptor.digest == SAMPLE.image.digest
    assert names[1:] == [f"@{SAMPLE.image.digest}", ":1"]


# -- whole images


def test_an_image_is_brought_in(bench: Bench) -> None:
    assert bench.bring() == SAMPLE.stored == bench.cache.folders.stored(SAMPLE.image)
    assert bench.puller.downloaded == {digest: len(data) for digest, data in SAMPLE.blobs.items()}
    assert sorted(bench.registries.asked) == sorted(f"GET blob {blob.digest}" for blob in (ONE, TWO))
    assert bench.skopeo.fetched == [CONFIG.digest]


def test_only_what_was_missing_counts_as_downloaded(bench: Bench) -> None:
    Path(bench.cache.blobs.path(TWO.digest)).write_bytes(b"two")
    bench.bring()
    assert bench.puller.downloaded.keys() == SAMPLE.blobs.keys() - {TWO.digest}
    assert bench.registries.asked == [f"GET blob {ONE.digest}"]


def test_what_skopeo_would_take_for_a_blob_is_removed_before_a_copy(bench: Bench) -> None:
    Path(bench.cache.blobs.path(TWO.digest)).write_bytes(b"tw")
    assert bench.puller.copy(SAMPLE.image) == SAMPLE.stored
    assert TWO.digest in bench.skopeo.fetched
    bench.cache.blobs.check(TWO)


def test_a_damaged_configuration_counts_as_repaired_although_skopeo_writes_it_anyway(bench: Bench) -> None:
    data = SAMPLE.blobs[CONFIG.digest]
    Path(bench.cache.blobs.path(CONFIG.digest)).write_bytes(b"x" * len(data))
    assert bench.puller.copy(SAMPLE.image) == SAMPLE.stored
    assert bench.cache.blobs.repaired == {CONFIG.digest}
    bench.cache.blobs.check(CONFIG)


def test_what_heals_is_tried_again(bench: Bench) -> None:
    bench.fail(heals(), heals())
    assert bench.bring() == SAMPLE.stored
    assert len(bench.skopeo.copied) == 3


def test_after_the_last_try_it_fails(bench: Bench) -> None:
    bench.fail(heals(), heals(), heals())
    with pytest.raises(TransferError, match=r"503 \(tried 3 times\)"):
        bench.puller.copy(SAMPLE.image)
    assert bench.puller.downloaded == {}


def test_leftovers_of_a_try_do_not_disturb_the_next(bench: Bench) -> None:
    def leave(image: PlatformImage) -> None:
        folder = os.path.join(bench.cache.workspace.run_directory, f"copy-{image.folder}")
        assert not os.path.exists(folder)

    bench.skopeo.before = leave
    real = bench.skopeo.copy
    tries: list[str] = []

    def copy(image: PlatformImage, name: str, folder: str, share: str, *, deadline: float) -> None:
        tries.append(folder)
        if len(tries) == 1:
            os.makedirs(folder)
            Path(folder, "index.json").write_bytes(b"")  # a full disk leaves one
            Path(folder, "oci-put-blob1").write_bytes(b"half")
            raise heals()
        real(image, name, folder, share, deadline=deadline)

    bench.skopeo.copy = copy  # type: ignore[method-assign]
    assert bench.puller.copy(SAMPLE.image) == SAMPLE.stored
    assert len(tries) == 2


def test_what_skopeo_left_is_looked_at(bench: Bench) -> None:
    bench.registries.manifests[SAMPLE.image.digest] = (b"{}", "")
    with pytest.raises(TransferError, match=r"skopeo left no sound manifest .* \(tried 3 times\)"):
        bench.puller.copy(SAMPLE.image)


def test_a_stop_ends_it(bench: Bench) -> None:
    bench.stop.end()
    with pytest.raises(Interrupted):
        bench.puller.copy(SAMPLE.image)
    assert bench.skopeo.copied == []


def test_the_log_names_the_image(bench: Bench) -> None:
    bench.fail(heals())
    bench.puller.copy(SAMPLE.image)
    assert len(bench.log.lines) == 3, bench.log.lines
    assert all("[image 4.2]" in line for line in bench.log.lines)
    assert f"copying reg.lan/app@{SAMPLE.image.digest} (linux/amd64)" in bench.log.lines[0]
    assert "WARNING" in bench.log.lines[1]
    assert "copied with 4 blobs" in bench.log.lines[2]


def test_foreign_layers_are_fetched_from_the_registry(bench: Bench) -> None:
    bench.registries.blobs[FOREIGN.digest] = b"base of windows"
    stored = bench.bring(WITH_FOREIGN)
    assert FOREIGN in stored.blobs
    bench.cache.blobs.check(FOREIGN)
    assert bench.puller.downloaded[FOREIGN.digest] == FOREIGN.size
    bench.registries.asked.clear()
    bench.bring(WITH_FOREIGN)
    assert bench.registries.asked == [], "it is there already"


def test_all_blobs_of_a_converted_image_count(bench: Bench) -> None:
    def convert(_image: PlatformImage, _name: str, folder: str, _share: str, *, deadline: float) -> None:
        for digest, data in SAMPLE.blobs.items():
            bench.cache.blobs.store_document(digest, data)
        write_folder(folder, SAMPLE.image.descriptor)

    bench.skopeo.copy = convert  # type: ignore[method-assign]
    bench.puller._places = {OLD.key: (listed(1), 1)}
    assert bench.bring(OLD).descriptor.digest == SAMPLE.image.digest
    assert bench.puller.downloaded == {digest: len(data) for digest, data in SAMPLE.blobs.items()}


def test_a_layer_that_is_named_twice_is_fetched_once(bench: Bench) -> None:
    bench.push(REPEATED)
    bench.puller._places = {REPEATED.image.key: (listed(1), 1)}
    assert bench.bring(REPEATED.image) == REPEATED.stored
    assert bench.registries.asked.count(f"GET blob {TWICE.digest}") == 1
    assert TWICE.digest not in bench.skopeo.fetched
    assert bench.puller.downloaded.keys() == REPEATED.blobs.keys()


def test_a_cache_that_cannot_be_written_is_named(bench: Bench) -> None:
    def refuse(*_arguments: object, **_more: object) -> None:
        raise OSError(28, "No space left on device")

    bench.skopeo.copy = refuse  # type: ignore[method-assign, assignment]
    with pytest.raises(StorageError, match=f"cannot write to cache_dir {bench.cache.root}: No space left on device"):
        bench.puller.copy(SAMPLE.image)


# -- several repositories

OTHER = repository_of("reg.lan/other")
THERE = replace(SAMPLE.image, repository=OTHER)
BOTH = {SAMPLE.image.key: (1, 1), THERE.key: (2, 1)}
NAMED_BY_BOTH = {blob.digest: (SAMPLE.image.repository, OTHER) for blob in SAMPLE.image.blobs}


def test_an_image_that_is_there_is_let_through_by_each_repository(bench: Bench) -> None:
    puller = bench.make(places=BOTH, sources=NAMED_BY_BOTH)
    puller.copy(SAMPLE.image)
    assert puller.copy(THERE) == replace(SAMPLE.stored, source=THERE)
    assert (bench.skopeo.copied, bench.skopeo.accepted) == ([SAMPLE.image.digest], [THERE.key])
    puller.copy(THERE)
    assert bench.skopeo.accepted == [THERE.key], "once"


def test_an_image_that_its_repository_refuses_is_not_taken_from_the_cache(bench: Bench) -> None:
    puller = bench.make(places=BOTH, sources=NAMED_BY_BOTH)
    puller.copy(SAMPLE.image)
    bench.skopeo.refused[THERE.key] = TransferError("denied", heals=False)
    with pytest.raises(TransferError, match="denied"):
        puller.copy(THERE)


@pytest.mark.parametrize("is_final", [False, True], ids=["refused", "given up"])
def test_a_lost_blob_comes_from_another_repository(bench: Bench, is_final: bool) -> None:
    puller = bench.make(places=BOTH, sources=NAMED_BY_BOTH)
    asked: list[str] = []

    def fetch(repository: Repository, blob: Descriptor, path: str, *, deadline: float) -> None:
        asked.append(str(repository))
        if repository != OTHER:
            raise TransferError("404", heals=False, is_final=is_final)
        Path(path).write_bytes(SAMPLE.blobs[blob.digest])

    bench.registries.fetch_blob = fetch  # type: ignore[method-assign]
    assert puller.pull_blob(SAMPLE.image, ONE)
    assert asked == [str(SAMPLE.image.repository), str(OTHER)]
    bench.cache.blobs.check(ONE)


def test_a_blob_that_no_repository_has_fails_for_the_reason_of_its_own(bench: Bench) -> None:
    puller = bench.make(places=BOTH, sources=NAMED_BY_BOTH)

    def fetch(repository: Repository, blob: Descriptor, path: str, *, deadline: float) -> None:
        raise TransferError(f"{repository} has it not", heals=False, is_final=True)

    bench.registries.fetch_blob = fetch  # type: ignore[method-assign]
    with pytest.raises(TransferError, match=r"reg\.lan/app has it not"):
        puller.pull_blob(SAMPLE.image, ONE)


def test_what_skopeo_cannot_have_from_one_repository_comes_from_another(bench: Bench) -> None:
    puller = bench.make(places=BOTH, sources=NAMED_BY_BOTH)
    bench.registries.blobs.update(SAMPLE.blobs)
    bench.fail(TransferError("blob unknown", heals=False))
    assert puller.copy(SAMPLE.image) == SAMPLE.stored
    assert bench.skopeo.copied == [SAMPLE.image.digest] * 2
    assert not {ONE.digest, TWO.digest} & {*bench.skopeo.fetched}


# -- without skopeo


SECOND, THIRD = Sample(b"one", b"three"), Sample(b"four", platform=None)


@pytest.fixture
def free(bench: Bench) -> Bench:
    """Nothing is left for skopeo to decide."""
    for sample in (SECOND, THIRD):
        bench.push(sample)
    places = {sample.image.key: (1, 1) for sample in (SAMPLE, SECOND, THIRD)}
    bench.puller = bench.make(places=places, skopeo_copy="auto", insecure_policy=True)
    return bench


def asked_for(bench: Bench, image: PlatformImage) -> int:
    """How often its repository was asked for a manifest."""
    return bench.registries.asked.count(f"GET {image.repository}@{image.digest}")


def test_without_skopeo_all_blobs_are_the_clients(free: Bench) -> None:
    assert free.puller.lack(SAMPLE.image) == Lack((CONFIG, ONE, TWO), frozenset({SAMPLE.image.digest}))


def test_the_first_image_alone_is_copied_by_skopeo_too(free: Bench) -> None:
    for sample in (SAMPLE, SECOND, THIRD):
        assert free.bring(sample.image) == sample.stored
        assert free.cache.acceptances.has(sample.image)
        assert asked_for(free, sample.image) == 1, "once by us"
    assert (free.skopeo.copied, free.skopeo.accepted) == ([], [SAMPLE.image.key])
    assert not [path for path in Path(free.cache.workspace.run_directory).iterdir() if "scratch" in path.name]
    assert SAMPLE.blobs.keys() <= free.puller.downloaded.keys()


def test_a_manifest_that_was_given_in_this_run_is_not_asked_for_again(free: Bench) -> None:
    image = SAMPLE.image
    free.cache.blobs.store_document(image.digest, SAMPLE.raw)
    free.registries.get_manifest(image.repository, image.digest)
    free.bring()
    assert asked_for(free, image) == 1


def test_what_the_cache_has_from_elsewhere_is_asked_of_the_repository(free: Bench) -> None:
    """A manifest that lies there says nothing of the repository that the image is wanted from."""
    free.bring()
    there = replace(SECOND.image, repository=OTHER)
    free.puller = free.make(places={there.key: (1, 1)}, skopeo_copy="auto", insecure_policy=True)
    free.cache.blobs.store_document(there.digest, SECOND.raw)
    free.registries.failures[f"GET {OTHER}@{there.digest}"] = TransferError("denied", heals=False)
    with pytest.raises(TransferError, match="denied"):
        free.bring(there)
    assert not (Path(free.cache.root) / there.folder).exists()


def spoil_skopeo(bench: Bench, spoil: Callable[[Path], object]) -> None:
    """Have skopeo write something else into the layouts that are compared."""
    copy = bench.skopeo.copy_without_layers

    def spoiled(image: PlatformImage, name: str, directory: str, *, deadline: float) -> None:
        copy(image, name, directory, deadline=deadline)
        spoil(Path(directory))

    bench.skopeo.copy_without_layers = spoiled  # type: ignore[method-assign]


def put_index(directory: Path, **changed: Any) -> None:
    (directory / "layout" / "index.json").unlink()
    (directory / "layout" / "oci-layout").unlink()
    (directory / "layout").rmdir()
    write_folder(str(directory / "layout"), replace(SAMPLE.image.descriptor, **changed))


def blob_in(directory: Path, blob: Descriptor) -> Path:
    return directory / "share" / "sha256" / blob.digest[7:]


DIFFERENCES: dict[str, tuple[Callable[[Path], object], str]] = {
    "no layout": (lambda place: (place / "layout/index.json").unlink(), r"index\.json cannot be read"),
    "no index": (lambda place: (place / "layout/index.json").write_text("{}"), "names 0 manifests instead of one"),
    "digest": (lambda place: put_index(place, digest=ONE.digest), f"it stored {ONE.digest} as application/vnd"),
    "size": (lambda place: put_index(place, size=7), "with 7 bytes"),
    "media type": (lambda place: put_index(place, media_type="text/x"), "as text/x with"),
    "version": (lambda place: (place / "layout/oci-layout").write_text("{}"), "it wrote another oci-layout"),
    "a blob more": (lambda place: (place / "share/sha256/more").write_text(""), "it wrote other blobs"),
    "a blob less": (lambda place: blob_in(place, CONFIG).unlink(), "it wrote other blobs"),
    "a layer": (lambda place: blob_in(place, ONE).write_bytes(b"one"), "it wrote other blobs"),
    "a manifest": (
        lambda place: blob_in(place, SAMPLE.image.descriptor).write_bytes(bytes(SAMPLE.image.descriptor.size)),
        f"it wrote other bytes for {SAMPLE.image.digest}",
    ),
    "a configuration": (
        lambda place: blob_in(place, CONFIG).write_bytes(bytes(CONFIG.size)),
        f"it wrote other bytes for {CONFIG.digest}",
    ),
}


@pytest.mark.parametrize(("spoil", "told"), DIFFERENCES.values(), ids=DIFFERENCES)
def test_where_copies_differ_all_are_skopeos(free: Bench, spoil: Callable[[Path], object], told: str) -> None:
    spoil_skopeo(free, spoil)
    for sample in (SAMPLE, SECOND, THIRD):
        assert free.bring(sample.image) == sample.stored
    assert free.skopeo.copied == [sample.image.digest for sample in (SAMPLE, SECOND, THIRD)]
    (warning,) = [line for line in free.log.lines if "are copied by skopeo" in line]
    assert re.search(told, warning)


def test_what_the_client_was_refused_is_skopeos(free: Bench) -> None:
    free.registries.lost = {str(SAMPLE.image.repository): {TWO.digest}}
    assert free.bring() == SAMPLE.stored
    assert (free.skopeo.copied, free.skopeo.fetched) == ([SAMPLE.image.digest], [TWO.digest])


def test_what_skopeo_cannot_read_is_no_witness(free: Bench) -> None:
    free.skopeo.refused[SAMPLE.image.key] = Unreadable("skopeo: it does not read that", heals=False)
    for sample in (SAMPLE, SECOND, THIRD):
        assert free.bring(sample.image) == sample.stored
    assert (free.skopeo.copied, free.skopeo.accepted) == ([], [SAMPLE.image.key, SECOND.image.key])


def test_a_witness_that_fails_is_tried_again(free: Bench) -> None:
    failures = [heals(), heals()]
    copy = free.skopeo.copy_without_layers

    def fail_twice(*arguments: Any, **more: Any) -> None:
        if failures:
            raise failures.pop()
        copy(*arguments, **more)

    free.skopeo.copy_without_layers = fail_twice  # type: ignore[method-assign]
    assert free.bring() == SAMPLE.stored
    free.skopeo.refused[SECOND.image.key] = TransferError("denied", heals=False)
    assert free.bring(SECOND.image) == SECOND.stored, "skopeo is not asked any more"


def test_an_image_that_is_there_is_asked_of_each_repository(free: Bench) -> None:
    free.puller = free.make(places=BOTH, sources=NAMED_BY_BOTH, skopeo_copy="auto", insecure_policy=True)
    free.bring()
    free.registries.failures[f"GET {OTHER}@{THERE.digest}"] = TransferError("denied", heals=False)
    with pytest.raises(TransferError, match="denied"):
        free.puller.copy(THERE)
    assert free.puller.copy(THERE) == replace(SAMPLE.stored, source=THERE)
    assert free.skopeo.accepted == [SAMPLE.image.key], "the witness"
    assert free.cache.acceptances.has(THERE)


def test_one_that_is_there_is_let_through_by_skopeo_where_copies_differ(free: Bench) -> None:
    spoil_skopeo(free, lambda place: (place / "layout/oci-layout").write_text("{}"))
    free.puller = free.make(places=BOTH, sources=NAMED_BY_BOTH, skopeo_copy="auto", insecure_policy=True)
    free.bring()
    free.skopeo.refused[THERE.key] = TransferError("denied by policy", heals=False)
    with pytest.raises(TransferError, match="denied by policy"):
        free.puller.copy(THERE)
