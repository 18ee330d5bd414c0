# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The flow, with registries and skopeo in memory."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.airgap.images.plugins.module_utils._archive.build import Built
from ansible_collections.airgap.images.plugins.module_utils._archive.lock_file import read_lock
from ansible_collections.airgap.images.plugins.module_utils._base.errors import (
    BusyError,
    Interrupted,
    OptionError,
    SpaceError,
    StorageError,
    TransferError,
)
from ansible_collections.airgap.images.plugins.module_utils._base.stop import Stop
from ansible_collections.airgap.images.plugins.module_utils._cache.blobs import BlobStore
from ansible_collections.airgap.images.plugins.module_utils._cache.cache import Cache
from ansible_collections.airgap.images.plugins.module_utils._host import space
from ansible_collections.airgap.images.plugins.module_utils._host.attributes import Attributes, NoAttributes
from ansible_collections.airgap.images.plugins.module_utils._host.hold import Hold
from ansible_collections.airgap.images.plugins.module_utils._host.log import Log
from ansible_collections.airgap.images.plugins.module_utils._oci.image import PlatformImage
from ansible_collections.airgap.images.plugins.module_utils._publish import ready as ready_module
from ansible_collections.airgap.images.plugins.module_utils._publish import staging as staging_module
from ansible_collections.airgap.images.plugins.module_utils._save import finish, preflight, produce, tools
from ansible_collections.airgap.images.plugins.module_utils._save.engine import save
from ansible_collections.airgap.images.plugins.module_utils._save.result import Result
from ansible_collections.airgap.images.tests.support import images as built
from ansible_collections.airgap.images.tests.support import layers
from ansible_collections.airgap.images.tests.unit.fakes import (
    FakeRegistries,
    FakeSkopeo,
    Mode,
    join,
    make_options,
    names_below,
)

BASE = layers.random_layer(1, 20_000)
TOP = layers.text_layer(2, 50_000, compression="")
NEW = layers.files_layer({"new": b"layer"})
AMD64 = built.build_image([BASE, TOP])
ARM64 = built.build_image([BASE], platform=built.ARM64)
WINDOWS = built.build_image([NEW], platform=built.WINDOWS_2019)
DOCKER = built.build_image([BASE, NEW], docker=True)
MOVED = built.build_image([BASE, TOP, NEW])
APP = built.build_index([AMD64, ARM64])
IMAGES = ["reg.lan/app:1", "reg.lan/docker:1"]


class Bench:
    """A registry with two images, and runs that save them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.registries = FakeRegistries()
        self.registries.push("reg.lan/app:1", APP)
        self.registries.push("reg.lan/docker:1", DOCKER)
        self.registries.push("reg.lan/windows:1", WINDOWS)
        self.skopeo = FakeSkopeo(self.registries)
        self.log = Log(debug=True)
        self.stop = Stop()
        self.attributes: Attributes = NoAttributes()

    def run(self, *images: str, **options: Any) -> Result:
        self.registries.asked.clear()
        self.skopeo.copied.clear()
        self.skopeo.fetched.clear()
        self.registries.count.head = self.registries.count.get = 0
        self.log = Log(debug=True)
        defaults = {"images": list(images or IMAGES), "os": ["linux"], "retry_delay": 0, "skopeo_copy": "always"}
        made = make_options(self.folder, **{**defaults, **options})
        return save(made, log=self.log, stop=self.stop, attributes=self.attributes)

    @property
    def out(self) -> Path:
        return self.folder / "out"

    def standing(self) -> dict[str, tuple[int, int]]:
        """Every file of the output, with what changes when it is written."""
        return {
            name: ((self.out / name).stat().st_ino, (self.out / name).stat().st_mtime_ns)
            for name in sorted(os.listdir(self.out))
        }

    @property
    def fetched(self) -> list[str]:
        """Digests of the blobs that came from the registry one by one or with a copy."""
        single = [one[len("GET blob ") :] for one in self.registries.asked if one.startswith("GET blob ")]
        return sorted(self.skopeo.fetched + single)

    def snapshot(self) -> dict[str, tuple[int, ...]]:
        """All that changes when anything in cache and output is written, made, linked or removed."""
        found: dict[str, tuple[int, ...]] = {}
        for root in (self.folder / "cache", self.out):
            for path in (root, *root.rglob("*")):
                seen = path.lstat()
                times = seen.st_mtime_ns, seen.st_ctime_ns
                found[str(path)] = (seen.st_ino, seen.st_mode, seen.st_nlink, seen.st_size, *times)
        return found

    def data(self, digest: str) -> bytes:
        """The content of a digest in the registry."""
        blobs = self.registries.blobs
        return blobs[digest] if digest in blobs else self.registries.manifests[digest][0]

    def blobs(self) -> set[str]:
        """Digests of all that the cache has."""
        return {f"sha256:{name}" for name in os.listdir(self.folder / "cache/share/sha256")}

    def assert_only_documents_are_left(self) -> None:
        """The cache has manifests and indexes, and no blob that they name."""
        left = self.blobs()
        assert {item.digest for item in (APP, AMD64, ARM64, DOCKER)} <= left
        assert not (blobs_of(AMD64, ARM64, DOCKER) - {AMD64.digest, ARM64.digest, DOCKER.digest}) & left
        for digest in left:
            assert json.loads(self.blob(digest).read_bytes())["schemaVersion"] == 2

    def blob(self, digest: str) -> Path:
        return self.folder / "cache/share/sha256" / digest.partition(":")[2]


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    bench = Bench(tmp_path)
    monkeypatch.setattr(tools, "RegistryClient", lambda *_arguments, **_more: bench.registries)
    monkeypatch.setattr(tools, "Skopeo", lambda *_arguments, **_more: bench.skopeo)
    yield bench


def blobs_of(*items: built.Image) -> set[str]:
    digests = {item.digest for item in items}
    for item in items:
        digests |= {layer.digest for layer in item.layers} | {layers.sha256(item.config)}
    return digests


def archived(path: Path) -> dict[str, bytes]:
    """Files of an archive by name, each blob checked."""
    found: dict[str, bytes] = {}
    with tarfile.open(path) as archive:
        for member in archive.getmembers():
            file = archive.extractfile(member) if member.isfile() else None
            if file is not None:
                found[member.name] = file.read()
                folder, _slash, name = member.name.rpartition("/")
                assert not folder.endswith("sha256") or hashlib.sha256(found[member.name]).hexdigest() == name
    return found


def test_images_are_saved(bench: Bench) -> None:
    result = bench.run()
    assert (result.changed, result.is_failure) == (True, False)
    assert result.reason == "the archive is new"
    names = set(archived(bench.out / "images.tar.gz"))
    for digest in {*blobs_of(AMD64, ARM64, DOCKER), APP.digest}:
        assert f"saved-image-cache/share/sha256/{digest.partition(':')[2]}" in names
    subprocess.run(["sha256sum", "-c", "images.tar.gz.sha256"], cwd=bench.out, check=True, stdout=subprocess.DEVNULL)
    lock = read_lock((bench.out / "images.tar.gz.lock.json").read_bytes(), path="x")
    assert lock == result.lock
    assert result.stats.images == 2
    assert result.stats.platform_images == 3
    assert (result.stats.manifest_heads, result.stats.manifest_gets) == (2, 4)
    assert result.stats.blobs_downloaded == len(blobs_of(AMD64, ARM64, DOCKER)) + 1
    assert set(result.stats.seconds) >= {"list", "resolve", "plan", "archive", "publish"}


def test_no_blob_is_fetched_twice(bench: Bench) -> None:
    bench.run(jobs=8)
    assert len(bench.fetched) == len(set(bench.fetched))
    assert {BASE.digest, TOP.digest, NEW.digest} <= set(bench.fetched)


def test_a_second_run_asks_for_digests_only(bench: Bench) -> None:
    bench.run()
    before = bench.standing()
    result = bench.run()
    assert (result.changed, result.reason) == (False, "nothing changed")
    assert sorted(bench.registries.asked) == [f"HEAD {name}" for name in IMAGES]
    assert bench.skopeo.copied == []
    assert bench.standing() == before
    assert result.sentence("/a", check=False) == "/a already holds 2 images: nothing changed"


def test_a_tag_that_moved(bench: Bench) -> None:
    bench.run()
    bench.registries.push("reg.lan/docker:1", MOVED)
    result = bench.run()
    assert (result.changed, result.reason) == (True, "1 image changed")
    assert bench.skopeo.copied == [MOVED.digest]
    assert TOP.digest not in bench.fetched, "it is in the cache"
    assert f"{MOVED.digest}" in str(result.lock)


def test_check_mode_tells_and_touches_nothing(bench: Bench) -> None:
    result = bench.run(check=True)
    assert result.changed is True
    assert result.forecast is not None
    assert result.forecast.images == 2
    assert result.forecast.platform_images == 3
    assert result.forecast.bytes == sum(result_size(bench))
    assert not bench.out.exists()
    assert not (bench.folder / "cache").exists()
    bench.run()
    before = names_below(bench.folder)
    assert bench.run(check=True).changed is False
    bench.registries.push("reg.lan/docker:1", MOVED)
    again = bench.run(check=True)
    assert (again.changed, again.reason) == (True, "1 image changed")
    assert again.forecast is not None
    assert again.forecast.images == 1
    assert names_below(bench.folder) == before


def result_size(bench: Bench) -> list[int]:
    digests = blobs_of(AMD64, ARM64, DOCKER)
    sizes = [len(bench.registries.blobs[digest]) for digest in digests if digest in bench.registries.blobs]
    return sizes + [len(item.raw) for item in (AMD64, ARM64, DOCKER, APP)]


# -- failures


def test_an_image_that_fails_leaves_the_archive_as_it_was(bench: Bench) -> None:
    bench.run()
    before = bench.standing()
    result = bench.run(*IMAGES, "reg.lan/missing:1", "reg.lan/windows:1", "A", os=["linux", "windows"])
    assert (result.changed, result.is_failure, result.failures) == (False, True, 2)
    assert [one.reason for one in result.failed] == ["reg.lan/missing:1 does not exist"]
    assert bench.standing() == before
    assert WINDOWS.digest in bench.skopeo.copied, "the others are fetched all the same"


def test_a_copy_that_fails(bench: Bench) -> None:
    bench.skopeo.failures[ARM64.digest] = [TransferError("unauthorized", heals=False)]
    result = bench.run(failed_list=str(bench.folder / "failed.txt"))
    assert (result.changed, result.is_failure) == (True, True), "the list of failures is new"
    assert [(one.listed.number, one.reason) for one in result.failed] == [(1, "unauthorized")]
    assert "reg.lan/app:1" in (bench.folder / "failed.txt").read_text()
    assert os.listdir(bench.out) == []
    assert DOCKER.digest in bench.skopeo.copied
    again = bench.run(failed_list=str(bench.folder / "failed.txt"))
    assert (again.changed, again.is_failure) == (True, False)
    assert not (bench.folder / "failed.txt").exists()
    assert bench.skopeo.copied == [ARM64.digest]


def test_what_heals_is_tried_again(bench: Bench) -> None:
    bench.skopeo.failures[ARM64.digest] = [TransferError("503", heals=True)] * 2
    assert not bench.run().is_failure


def test_a_partial_archive(bench: Bench) -> None:
    bench.skopeo.failures[ARM64.digest] = [TransferError("unauthorized", heals=False)] * 2
    images = [*IMAGES, "reg.lan/missing:1"]
    result = bench.run(*images, allow_partial=True)
    assert (result.changed, result.is_failure, result.failures) == (True, False, 2)
    assert result.lock is not None
    assert [str(image.reference) for image in result.lock.images] == ["reg.lan/docker:1"]
    assert result.lock.failed == ("reg.lan/app:1", "reg.lan/missing:1")
    before = bench.standing()
    again = bench.run(*images, allow_partial=True)
    assert (again.changed, again.reason) == (False, "nothing changed"), "the same failed again"
    assert bench.standing() == before
    healed = bench.run(*images, allow_partial=True)
    assert healed.changed is True
    assert healed.lock is not None
    assert healed.lock.failed == ("reg.lan/missing:1",)


def told(bench: Bench) -> list[str]:
    """The lines of the report's table about failures and invalid lines, without their reasons."""
    table = (bench.out / "images.tar.gz.report.csv").read_text(encoding="utf-8")
    return [line.split(",")[0] for line in table.splitlines() if line.split(",")[1] in ("failed", "invalid")]


def test_the_report_follows_lines_that_are_no_references(bench: Bench) -> None:
    """They are in no lock file, which stays as it is."""
    assert bench.run(*IMAGES, "BAD", allow_partial=True).changed
    lock = (bench.out / "images.tar.gz.lock.json").read_bytes()
    assert told(bench) == ["BAD"]
    for lines in (["BAD", "WORSE"], ["WORSE"], [], ["WORSE"]):
        before = bench.standing()
        would = bench.run(*IMAGES, *lines, allow_partial=True, check=True)
        assert (would.changed, would.reason) == (True, "the report names other failures")
        assert bench.standing() == before
        result = bench.run(*IMAGES, *lines, allow_partial=True)
        assert (result.changed, result.reason) == (True, "the report names other failures")
        assert told(bench) == lines
        assert (bench.out / "images.tar.gz.lock.json").read_bytes() == lock
        assert bench.standing()["images.tar.gz"] == before["images.tar.gz"]
        again = bench.run(*IMAGES, *lines, allow_partial=True)
        assert (again.changed, again.reason) == (False, "nothing changed")


def test_the_report_follows_the_reasons_of_failures(bench: Bench) -> None:
    def run(reason: str) -> tuple[bool, str, str]:
        bench.skopeo.failures[ARM64.digest] = [TransferError(reason, heals=False)]
        result = bench.run(allow_partial=True)
        table = (bench.out / "images.tar.gz.report.csv").read_text(encoding="utf-8")
        return result.changed, result.reason, table

    assert run("read from port 4321 ended")[0]
    archive = bench.standing()["images.tar.gz"]
    changed, reason, table = run("unauthorized, try 1")
    assert (changed, reason) == (True, "the report names other failures")
    assert "unauthorized, try 1" in table
    assert run("unauthorized, try 2") == (False, "nothing changed", table)
    assert bench.standing()["images.tar.gz"] == archive


def test_a_report_that_lost_what_failed_is_left_at_that(bench: Bench) -> None:
    bench.run(*IMAGES, "BAD", allow_partial=True)
    (bench.out / "images.tar.gz.report.html").unlink()
    assert bench.run(*IMAGES, "BAD", allow_partial=True).changed
    assert not bench.run(*IMAGES, "BAD", allow_partial=True).changed


def test_the_report_shows_no_secret_of_a_line_that_is_no_reference(bench: Bench) -> None:
    lines = ["https://bob:hunter2xyz@reg.example/a:1", "reg.lan/sesame-open:NO:1"]
    result = bench.run(
        *IMAGES, *lines, allow_partial=True, username="me", password="sesame-open", source_registry="reg.lan"
    )
    assert len(result.listed.invalid) == 2
    for path in bench.out.iterdir():
        content = path.read_bytes()
        assert b"hunter2xyz" not in content and b"sesame-open" not in content, path
    assert not [line for line in bench.log.lines if "hunter2xyz" in line or "sesame-open" in line]
    assert [line for line in told(bench) if "********" in line] == told(bench)


def test_nothing_is_left_to_save(bench: Bench) -> None:
    result = bench.run("reg.lan/missing:1", allow_partial=True)
    assert (result.changed, result.is_failure) == (False, True)
    assert not bench.out.exists() or os.listdir(bench.out) == []


def test_images_without_a_wanted_platform(bench: Bench) -> None:
    result = bench.run("reg.lan/app:1", "reg.lan/windows:1")
    assert (result.changed, result.is_failure) == (True, False)
    assert [str(skip.reference) for skip in result.skipped] == ["reg.lan/windows:1"]
    assert bench.run("reg.lan/app:1", "reg.lan/windows:1").changed is False
    assert sorted(bench.registries.asked) == ["HEAD reg.lan/app:1", "HEAD reg.lan/windows:1"]
    alone = bench.run("reg.lan/windows:1")
    assert (alone.changed, alone.is_failure) == (False, True)
    assert "nothing to save" in alone.sentence("/a", check=False)


def test_every_line_is_accounted_for(bench: Bench) -> None:
    images = ["reg.lan/app:1", "reg.lan/app:1", "reg.lan/windows:1", "reg.lan/missing:1", "A"]
    result = bench.run(*images, allow_partial=True)
    assert result.lock is not None
    saved = len(result.lock.images)
    assert saved + len(result.skipped) + result.failures + result.stats.duplicates == 5
    logged = "\n".join(bench.log.lines)
    assert "WARNING [image 2] reg.lan/windows:1 skipped" in logged
    assert "ERROR [image 3] images, item 4: reg.lan/missing:1 failed" in logged
    assert "images, item 5: A: " in logged


def test_a_list_of_failures_that_cannot_be_written_is_a_warning(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_arguments: object, **_more: object) -> bool:
        raise StorageError("failed_list: cannot write")

    monkeypatch.setattr(finish, "update", refuse)
    result = bench.run(failed_list=str(bench.folder / "failed.txt"))
    assert result.warnings == ("failed_list: cannot write",)
    assert not result.is_failure


def test_a_file_of_the_user_is_not_replaced_by_the_list_of_failures(bench: Bench) -> None:
    (bench.folder / "mine.txt").write_text("mine")
    with pytest.raises(OptionError, match="failed_list: "):
        bench.run(failed_list=str(bench.folder / "mine.txt"))


def test_a_full_disk_is_noticed_before_the_first_byte(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_demands: object) -> None:
        raise SpaceError("not enough space")

    monkeypatch.setattr(preflight, "ensure_space", refuse)
    with pytest.raises(SpaceError):
        bench.run()
    assert bench.skopeo.copied == []


def test_too_many_parts_are_noticed_before_the_first_byte(bench: Bench) -> None:
    with pytest.raises(OptionError, match="part_size: "):
        bench.run(part_size="1B")
    assert bench.skopeo.copied == []


# -- damage


def test_a_damaged_blob_of_the_cache_is_fetched_again(bench: Bench) -> None:
    bench.run()
    for digest, data in ((TOP.digest, TOP.data), (NEW.digest, NEW.data)):
        bench.blob(digest).write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    result = bench.run(force=True)
    assert (result.changed, result.is_failure) == (True, False)
    assert result.stats.blobs_repaired == 2
    assert bench.fetched == sorted([TOP.digest, NEW.digest])
    archived(bench.out / "images.tar.gz")


def test_a_truncated_blob_of_the_cache_is_fetched_again(bench: Bench) -> None:
    bench.run()
    bench.blob(TOP.digest).write_bytes(TOP.data[:100])
    assert not bench.run(force=True).is_failure
    assert bench.fetched == [TOP.digest]
    archived(bench.out / "images.tar.gz")


# -- without skopeo


@pytest.mark.parametrize("compress", ["gzip", "dir"])
def test_with_and_without_skopeo_the_archive_is_the_same(bench: Bench, compress: str) -> None:
    expected = bench.run(compress=compress, skopeo_copy="always")
    assert len(bench.skopeo.copied) == 3
    bench.folder = bench.folder / "again"
    result = bench.run(compress=compress, skopeo_copy="auto", insecure_policy=True)
    assert (bench.skopeo.copied, len(bench.skopeo.accepted), result.notes) == ([], 1, ())
    assert result.lock is not None and expected.lock is not None
    assert result.lock.parts == expected.lock.parts
    asked = [one for one in bench.registries.asked if "@sha256:" in one]
    assert len(asked) == len({*asked}) == 4, "an index and three manifests"


def test_the_result_says_that_copies_differ(bench: Bench) -> None:
    copy = bench.skopeo.copy_without_layers

    def spoiled(image: PlatformImage, name: str, directory: str, *, deadline: float) -> None:
        copy(image, name, directory, deadline=deadline)
        Path(directory, "layout", "oci-layout").write_text("{}")

    bench.skopeo.copy_without_layers = spoiled  # type: ignore[method-assign]
    result = bench.run(skopeo_copy="auto", insecure_policy=True)
    assert not result.is_failure and len(bench.skopeo.copied) == 3
    (note,) = result.notes
    assert note.startswith("all images of reg.lan are copied by skopeo, ") and note in result.sentence("x", check=False)


def spoil_what_comes(monkeypatch: pytest.MonkeyPatch, *, times: int, layer: layers.Layer = TOP) -> None:
    """Spoil a layer right after it has come and was found sound, so many times."""
    adopt, left = BlobStore.adopt, [layer.digest] * times

    def spoiled(self: BlobStore, path: str, digest: str) -> None:
        adopt(self, path, digest)
        if digest in left:
            left.remove(digest)
            Path(self.path(digest)).write_bytes(bytes(len(layer.data)))

    monkeypatch.setattr(BlobStore, "adopt", spoiled)


@pytest.mark.parametrize("compress", ["gzip", "dir"])
def test_what_is_spoilt_after_it_was_checked_is_noticed(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, compress: str
) -> None:
    spoil_what_comes(monkeypatch, times=2)
    result = bench.run(compress=compress)
    assert (result.is_failure, result.stats.blobs_repaired) == (False, 1)
    assert bench.blob(TOP.digest).read_bytes() == TOP.data


def test_a_disk_that_does_not_keep_what_is_written(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    spoil_what_comes(monkeypatch, times=9)
    with pytest.raises(StorageError, match="does not keep what is written to it"):
        bench.run()
    assert os.listdir(bench.out) == []


DAMAGES = ["missing", "changed", "truncated"]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_archive_is_made_again(bench: Bench, damage: str) -> None:
    first = bench.run(part_size="20KB")
    path = bench.out / "images.tar.gz.part1"
    data = path.read_bytes()
    if damage == "missing":
        path.unlink()
    else:
        path.write_bytes(data[:-1] + (b"" if damage == "truncated" else bytes([data[-1] ^ 1])))
    result = bench.run(part_size="20KB")
    assert result.changed is True
    assert result.reason.startswith("the archive is damaged: images.tar.gz.part1 ")
    assert path.read_bytes() == data
    assert result.lock == first.lock
    assert bench.skopeo.copied == []


def test_a_stale_part_is_removed(bench: Bench) -> None:
    bench.run(part_size="20KB")
    (bench.out / "images.tar.gz.part77").write_text("stale")
    result = bench.run(part_size="20KB")
    assert (result.changed, result.reason) == (True, "images.tar.gz.part77 is not part of the archive")
    assert not (bench.out / "images.tar.gz.part77").exists()
    assert bench.run(part_size="20KB").changed is False


def test_a_mode_that_differs_is_a_change(bench: Bench) -> None:
    bench.run()
    bench.attributes = Mode(0o600)
    result = bench.run()
    assert (result.changed, result.reason) == (True, "mode or owner differed")


def test_check_mode_plans_no_copy_of_an_image_whose_manifest_alone_has_to_come(bench: Bench) -> None:
    """A real run keeps the manifest while it resolves, and finds the image whole then."""
    bench.run()
    bench.blob(DOCKER.digest).write_bytes(b"")
    foretold = bench.run(check=True, force=True).forecast
    done = bench.run(force=True).forecast
    assert foretold is not None
    assert done is not None
    assert (foretold.images, foretold.platform_images, foretold.blobs) == (0, 0, 1)
    assert (done.images, done.platform_images, done.blobs) == (0, 0, 1)


# -- ends before the end


def test_a_stop_leaves_the_archive_as_it_was(bench: Bench) -> None:
    bench.run()
    before = bench.standing()
    bench.registries.push("reg.lan/docker:1", MOVED)

    def stop(_image: PlatformImage) -> None:
        bench.stop.end()
        bench.stop.check()

    bench.skopeo.before = stop
    with pytest.raises(Interrupted):
        bench.run()
    assert bench.standing() == before
    assert not list((bench.folder / "cache").glob(".run-*"))


def test_a_stop_among_the_last_renames_is_too_late(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """The archive is in place then, and the run says so."""
    put = ready_module._put

    def stop(source: str, target: str) -> None:
        bench.stop.request("SIGTERM came")
        put(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(ready_module, "_put", stop)
        result = bench.run()
    assert (result.changed, result.is_published, result.is_failure) == (True, True, False)
    bench.stop = Stop()
    assert not bench.run().changed


def test_a_stop_just_before_the_renames_leaves_the_archive_as_it_was(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.run()
    before = bench.standing()
    bench.registries.push("reg.lan/docker:1", MOVED)
    real = produce.build_archive

    def build(*arguments: Any, **more: Any) -> Built:
        built_archive = real(*arguments, **more)
        bench.stop.request("SIGTERM came")
        return built_archive

    monkeypatch.setattr(produce, "build_archive", build)
    with pytest.raises(Interrupted, match="SIGTERM came") as caught:
        bench.run()
    assert caught.value.changed is False
    assert bench.standing() == before


@pytest.fixture
def decided(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> Bench:
    """A run that was ended right before it published its archive."""

    def fail(*_arguments: str) -> None:
        raise StorageError("killed")

    with monkeypatch.context() as patch:
        patch.setattr(staging_module, "roll_forward", fail)
        with pytest.raises(StorageError, match="killed"):
            bench.run()
    return bench


def test_a_stop_after_an_earlier_run_was_completed_says_that_something_changed(decided: Bench) -> None:
    decided.registries.push("reg.lan/docker:1", MOVED)

    def stop(_image: PlatformImage) -> None:
        decided.stop.request("SIGTERM came")
        decided.stop.check()

    decided.skopeo.before = stop
    with pytest.raises(Interrupted, match="SIGTERM came") as caught:
        decided.run()
    assert caught.value.changed is True
    assert (decided.out / "images.tar.gz.lock.json").exists()


def test_the_next_run_goes_on_from_there(decided: Bench) -> None:
    result = decided.run()
    assert (result.changed, result.reason) == (True, "an interrupted run had finished the archive")
    assert decided.skopeo.copied == []
    archived(decided.out / "images.tar.gz")
    assert decided.run().changed is False


def test_check_mode_tells_that_it_would(decided: Bench) -> None:
    before = names_below(decided.out)
    assert decided.run(check=True).changed is True
    assert names_below(decided.out) == before


# -- forms


@pytest.mark.parametrize("compress", ["gzip", "zstd", "none", "dir"])
def test_every_form_is_left_alone_the_second_time(bench: Bench, compress: str) -> None:
    assert bench.run(compress=compress).changed is True
    assert bench.run(compress=compress).changed is False


def test_parts_are_cut_and_named(bench: Bench) -> None:
    result = bench.run(part_size="10KB", compress="none")
    assert result.lock is not None
    names = [part.name for part in result.lock.parts]
    assert len(names) > 10
    assert sorted(names) == names
    whole = bench.folder / "whole.tar"
    whole.write_bytes(join(str(bench.out / name) for name in names))
    archived(whole)


def test_the_same_images_give_the_same_bytes(bench: Bench) -> None:
    first = bench.run(jobs=1)
    for number in range(2):
        bench.folder = bench.folder / str(number)
        again = bench.run(jobs=8)
        assert again.lock == first.lock


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"compress_level": 9}, "compress_level changed from none to 9"),
        ({"part_size": "20KB"}, "part_size changed from none to 20000"),
        ({"force": True}, "force was set"),
        ({"arch": ["amd64"]}, "1 image changed"),
    ],
)
def test_other_options_make_another_archive(bench: Bench, options: dict[str, Any], reason: str) -> None:
    bench.run()
    result = bench.run(**options)
    assert (result.changed, result.reason) == (True, reason)
    assert bench.skopeo.copied == []


def test_another_wish_with_the_same_outcome_is_recorded(bench: Bench) -> None:
    bench.run("reg.lan/docker:1")
    before = bench.standing()
    result = bench.run("reg.lan/docker:1", arch=["amd64", "s390x"])
    assert result.changed is True
    assert bench.standing()["images.tar.gz"] == before["images.tar.gz"]
    assert bench.run("reg.lan/docker:1", arch=["amd64", "s390x"]).changed is False


def test_a_lock_file_gives_the_same_archive_again(bench: Bench) -> None:
    first = bench.run(arch=["amd64"])
    lock_file = bench.folder / "kept.lock.json"
    (bench.out / "images.tar.gz.lock.json").rename(lock_file)
    bench.registries.push("reg.lan/docker:1", MOVED)
    bench.registries.push("reg.lan/app:1", MOVED)
    bench.folder = bench.folder / "again"
    result = bench.run(images=[], from_lock=str(lock_file), arch=["s390x"])
    assert result.lock == first.lock
    assert not [one for one in bench.registries.asked if one.startswith("HEAD")]
    assert bench.run(images=[], from_lock=str(lock_file)).changed is False


def test_the_cache_is_pruned_when_that_is_asked_for(bench: Bench) -> None:
    bench.run()
    gone = blobs_of(AMD64, ARM64) - blobs_of(DOCKER)
    kept = bench.run("reg.lan/docker:1")
    assert kept.stats.bytes_pruned == 0
    assert all(bench.blob(digest).exists() for digest in gone)
    result = bench.run("reg.lan/docker:1", prune_cache=True)
    assert result.changed is False
    assert result.stats.bytes_pruned == sum(len(bench.data(digest)) for digest in gone | {APP.digest})
    assert not any(bench.blob(digest).exists() for digest in gone)
    assert all(bench.blob(digest).exists() for digest in blobs_of(DOCKER))


def test_a_cache_that_cannot_be_pruned_is_told(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """The archive is published by then, which is what the run was for."""

    def refuse(*_names: object, **_kept: object) -> int:
        raise StorageError("cannot prune cache_dir: Permission denied")

    monkeypatch.setattr(Cache, "prune", refuse)
    result = bench.run("reg.lan/docker:1", prune_cache=True)
    assert result.changed and not result.is_failure
    assert result.warnings == ("cannot prune cache_dir: Permission denied",)


def test_a_cache_with_nothing_to_prune_is_left_alone(bench: Bench) -> None:
    bench.run()
    before = bench.snapshot()
    result = bench.run(prune_cache=True)
    assert (result.changed, result.stats.bytes_pruned) == (False, 0)
    assert bench.snapshot() == before


# -- a run that finds nothing new


FORMS: dict[str, dict[str, Any]] = {
    "gzip": {"compress": "gzip"},
    "zstd in parts": {"compress": "zstd", "part_size": "10KB"},
    "a directory": {"compress": "dir"},
    "sizes only": {"verify": "size"},
    "without the cache": {"keep_cache": False},
    "a directory without the cache": {"keep_cache": False, "compress": "dir"},
}


@pytest.mark.parametrize("options", FORMS.values(), ids=FORMS)
def test_a_run_with_nothing_new_writes_nothing(bench: Bench, options: dict[str, Any]) -> None:
    images = [*IMAGES, "reg.lan/windows:1"]
    bench.run(*images, failed_list=str(bench.folder / "failed.txt"), **options)
    before, around = bench.snapshot(), sorted(os.listdir(bench.folder))
    result = bench.run(*images, failed_list=str(bench.folder / "failed.txt"), **options)
    assert (result.changed, result.reason, result.is_failure) == (False, "nothing changed", False)
    assert bench.snapshot() == before
    assert sorted(os.listdir(bench.folder)) == around


def test_a_run_with_nothing_new_waits_for_nobody(bench: Bench) -> None:
    bench.run()
    with Hold(str(bench.folder / "cache/.lock"), what="the cache", timeout=0):
        assert bench.run().changed is False
        bench.registries.push("reg.lan/docker:1", MOVED)
        with pytest.raises(BusyError):
            bench.run()


def test_what_a_killed_run_left_in_the_cache_is_removed(bench: Bench) -> None:
    bench.run()
    left = bench.folder / "cache/.run-killed"
    left.mkdir()
    (left / "auth.json").write_text("secret")
    result = bench.run()
    assert (result.changed, result.reason) == (False, "nothing changed")
    assert not left.exists()


def test_what_a_killed_run_left_of_an_archive_is_removed(bench: Bench) -> None:
    bench.run()
    before = bench.standing()
    left = bench.out / ".images.tar.gz.staging"
    left.mkdir(0o700)
    (left / "data").mkdir()
    assert bench.run().changed is False
    assert not left.exists()
    assert bench.standing() == before


def test_an_archive_without_its_cache_is_whole_all_the_same(bench: Bench) -> None:
    bench.run()
    before = bench.standing()
    shutil.rmtree(bench.folder / "cache")
    result = bench.run()
    assert (result.changed, result.reason) == (False, "nothing changed; 3 platform images accepted anew")
    assert not {BASE.digest, TOP.digest, NEW.digest} & {*bench.fetched}
    assert bench.standing() == before


# -- blobs that go at once


def test_no_blob_stays_where_the_cache_is_not_kept(bench: Bench) -> None:
    result = bench.run(keep_cache=False)
    assert (result.changed, result.is_failure) == (True, False)
    bench.assert_only_documents_are_left()
    assert not [name for name in os.listdir(bench.folder / "cache") if len(name) == 64]
    assert json.loads((bench.folder / "cache/index.json").read_bytes())["manifests"] == []
    archived(bench.out / "images.tar.gz")


@pytest.mark.parametrize("jobs", [1, 8])
@pytest.mark.parametrize("compress", ["gzip", "dir"])
def test_the_archive_is_the_same_without_the_cache(bench: Bench, jobs: int, compress: str) -> None:
    kept = bench.run(compress=compress)
    first = bench.out
    bench.folder = bench.folder / "again"
    gone = bench.run(compress=compress, jobs=jobs, keep_cache=False)
    assert gone.lock == kept.lock
    assert names_below(first) == names_below(bench.out)
    for name in names_below(first):
        assert not (first / name).is_file() or (first / name).read_bytes() == (bench.out / name).read_bytes(), name


def test_a_change_says_what_is_fetched_again(bench: Bench) -> None:
    bench.run(keep_cache=False)
    bench.registries.push("reg.lan/docker:1", MOVED)
    result = bench.run(keep_cache=False)
    assert result.changed is True
    assert re.fullmatch(r"1 image changed; \d+ known blobs \(.+\) are not in the cache any more", result.reason)
    assert {BASE.digest, TOP.digest, NEW.digest} <= set(bench.fetched)
    archived(bench.out / "images.tar.gz")


def test_platforms_of_an_image_that_failed_keep_nobody_waiting(bench: Bench) -> None:
    """The window of a cache that is not kept has room for two images, and these are never asked for."""
    many = [built.build_image([layers.files_layer({str(number): b"x"})]) for number in range(5)]
    bench.registries.push("reg.lan/many:1", built.build_index(many))
    bench.skopeo.failures[many[0].digest] = [TransferError("unauthorized", heals=False)]
    results: list[Result] = []

    def run() -> None:
        results.append(bench.run("reg.lan/many:1", *IMAGES, keep_cache=False, jobs=1, allow_partial=True))

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(60)
    [result] = results
    assert [one.listed.number for one in result.failed] == [1]
    assert result.lock is not None
    assert [str(image.reference) for image in result.lock.images] == IMAGES


def test_a_damaged_blob_is_fetched_again_where_the_cache_is_not_kept(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = bench.run().lock
    bench.folder = bench.folder / "again"
    spoil_what_comes(monkeypatch, times=1, layer=NEW)
    result = bench.run(keep_cache=False)
    assert result.is_failure is False
    assert result.lock == expected
    assert result.stats.blobs_repaired == 1
    bench.assert_only_documents_are_left()


def many_images(bench: Bench, count: int) -> tuple[list[str], list[str]]:
    """Images that share nothing: their names, and their digests."""
    digests = []
    for number in range(count):
        image = built.build_image([layers.files_layer({f"{number}-{part}": b"x"}) for part in range(2)])
        digests.append(bench.registries.push(f"reg.lan/many:{number}", image))
    return [f"reg.lan/many:{number}" for number in range(count)], digests


def documents_of(bench: Bench) -> set[str]:
    """The blobs that are JSON: configurations, which resolving reads too."""
    return {digest for digest, data in bench.registries.blobs.items() if data.startswith(b"{")}


@pytest.mark.parametrize("jobs", [1, 8])
def test_after_a_failure_nothing_more_is_fetched_where_the_cache_is_not_kept(bench: Bench, jobs: int) -> None:
    images, digests = many_images(bench, 12)
    bench.skopeo.failures[digests[0]] = [TransferError("no copy", heals=False)]
    result = bench.run(*images, keep_cache=False, jobs=jobs)
    assert result.is_failure and not result.changed
    assert [one.listed.number for one in result.failed][:1] == [1]
    reasons = {one.listed.number: one.reason for one in result.failed}
    assert reasons.pop(1) == "no copy"
    assert len(reasons) > 5 and {"it was not fetched: another image failed"} == {
        reason.partition(",")[0] for reason in reasons.values()
    }
    assert "What was fetched stays in the cache" not in result.sentence("x", check=False)
    assert not bench.blobs() & set(bench.registries.blobs) - documents_of(bench)


def test_where_an_image_is_missing_nothing_is_fetched_for_a_cache_that_is_not_kept(bench: Bench) -> None:
    """Check mode says the same."""
    results = [bench.run("reg.lan/missing:1", *IMAGES, keep_cache=False, check=check) for check in (True, False)]
    for result in results:
        assert [one.listed.number for one in result.failed] == [1, 2, 3]
        assert all("keep_cache=false" in one.reason for one in result.failed[1:])
    assert set(bench.fetched) <= documents_of(bench) and bench.skopeo.copied == []


def test_a_partial_archive_leaves_no_blob_of_what_failed(bench: Bench) -> None:
    images, digests = many_images(bench, 12)
    for digest in digests[2:9]:
        bench.skopeo.failures[digest] = [TransferError("no copy", heals=False)]
    result = bench.run(*images, keep_cache=False, allow_partial=True)
    assert not result.is_failure and [one.listed.number for one in result.failed] == list(range(3, 10))
    assert not bench.blobs() & set(bench.registries.blobs) - documents_of(bench)


# -- a directory that is made again


def test_what_a_directory_has_already_is_linked_from_it(bench: Bench) -> None:
    bench.run(compress="dir")
    base = bench.out / "images/share/sha256" / BASE.digest.partition(":")[2]
    before = base.stat().st_ino
    bench.blob(BASE.digest).unlink()
    bench.registries.push("reg.lan/docker:1", MOVED)
    assert bench.run(compress="dir").changed is True
    assert base.stat().st_ino == before, "not from the cache"
    assert bench.run(compress="dir", force=True).changed is True
    assert base.stat().st_ino != before, "force reads all of it again"


def test_skopeo_is_not_needed_when_all_is_there(bench: Bench) -> None:
    bench.run()
    assert bench.skopeo.checks == 1
    bench.run(force=True)
    assert bench.skopeo.checks == 1


def test_check_mode_foresees_that_a_cache_is_refused(bench: Bench) -> None:
    shared = bench.folder / "shared"
    shared.mkdir()
    shared.chmod(0o777)
    for check in (True, False):
        with pytest.raises(StorageError, match=f"anyone can replace what is in {shared}"):
            bench.run(check=check, cache_dir=str(shared / "cache"))
    assert not list(shared.iterdir())


def test_check_mode_counts_what_a_run_would_clear_away(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise it would report too little space where a run has enough."""
    bench.run("reg.lan/app:1")
    needed = 10**9
    cache, staging = bench.folder / "cache/.run-dead", bench.out / ".images.tar.gz.staging"
    for path in (cache, staging):
        path.mkdir()
    monkeypatch.setattr(
        preflight, "bytes_below", lambda paths: needed if set(paths) & {str(cache), str(staging)} else 0
    )
    monkeypatch.setattr(space, "free_bytes", lambda _path: 0)
    assert bench.run(check=True).changed is True
    monkeypatch.setattr(preflight, "bytes_below", lambda _paths: 0)
    with pytest.raises(SpaceError):
        bench.run(check=True)
