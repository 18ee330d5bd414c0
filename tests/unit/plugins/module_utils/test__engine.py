# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The flow, with registries and skopeo in memory."""

from __future__ import annotations

import hashlib
import os
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.airgap.images.plugins.module_utils import _engine, _publish, _tools
from ansible_collections.airgap.images.plugins.module_utils._engine import save
from ansible_collections.airgap.images.plugins.module_utils._errors import (
    Interrupted,
    OptionError,
    SpaceError,
    StorageError,
    TransferError,
)
from ansible_collections.airgap.images.plugins.module_utils._image import PlatformImage
from ansible_collections.airgap.images.plugins.module_utils._lock import read_lock
from ansible_collections.airgap.images.plugins.module_utils._log import Log
from ansible_collections.airgap.images.plugins.module_utils._result import Result
from ansible_collections.airgap.images.plugins.module_utils._stop import Stop
from ansible_collections.airgap.images.tests.support import images as built
from ansible_collections.airgap.images.tests.support import layers
from ansible_collections.airgap.images.tests.unit.fakes import (
    FakeRegistries,
    FakeSkopeo,
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
        self.modes: set[str] = set()

    def run(self, *images: str, **options: Any) -> Result:
        self.registries.asked.clear()
        self.skopeo.copied.clear()
        self.skopeo.fetched.clear()
        self.registries.count.head = self.registries.count.get = 0
        self.log = Log(debug=True)
        defaults = {"images": list(images or IMAGES), "os": ["linux"], "retry_delay": 0}
        made = make_options(self.folder, **{**defaults, **options})
        return save(made, log=self.log, stop=self.stop, apply_attributes=lambda path: path in self.modes)

    @property
    def out(self) -> Path:
        return self.folder / "out"

    def standing(self) -> dict[str, tuple[int, int]]:
        """Every file of the output, with what changes when it is written."""
        return {
            name: ((self.out / name).stat().st_ino, (self.out / name).stat().st_mtime_ns)
            for name in sorted(os.listdir(self.out))
        }

    def blob(self, digest: str) -> Path:
        return self.folder / "cache/share/sha256" / digest.partition(":")[2]


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    bench = Bench(tmp_path)
    monkeypatch.setattr(_tools, "Registries", lambda *_arguments, **_more: bench.registries)
    monkeypatch.setattr(_tools, "Skopeo", lambda *_arguments, **_more: bench.skopeo)
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
    assert result.reason == "there was no archive"
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
    assert len(bench.skopeo.fetched) == len(set(bench.skopeo.fetched))


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
    assert TOP.digest not in bench.skopeo.fetched, "it is in the cache"
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
    assert "ERROR [image 3] reg.lan/missing:1 failed" in logged
    assert "images, item 5: A: " in logged


def test_a_list_of_failures_that_cannot_be_written_is_a_warning(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_arguments: object, **_more: object) -> bool:
        raise StorageError("failed_list: cannot write")

    monkeypatch.setattr(_engine, "update", refuse)
    result = bench.run(failed_list=str(bench.folder / "failed.txt"))
    assert result.warnings == ["failed_list: cannot write"]
    assert not result.is_failure


def test_a_file_of_the_user_is_not_replaced_by_the_list_of_failures(bench: Bench) -> None:
    (bench.folder / "mine.txt").write_text("mine")
    with pytest.raises(OptionError, match="failed_list: "):
        bench.run(failed_list=str(bench.folder / "mine.txt"))


def test_a_full_disk_is_noticed_before_the_first_byte(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**_more: object) -> None:
        raise SpaceError("not enough space")

    monkeypatch.setattr(_engine, "ensure_space", refuse)
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
    assert sorted(bench.skopeo.fetched) == sorted([TOP.digest, NEW.digest])
    archived(bench.out / "images.tar.gz")


def test_a_truncated_blob_of_the_cache_is_fetched_again(bench: Bench) -> None:
    bench.run()
    bench.blob(TOP.digest).write_bytes(TOP.data[:100])
    assert not bench.run(force=True).is_failure
    assert bench.skopeo.fetched == [TOP.digest]
    archived(bench.out / "images.tar.gz")


def test_a_disk_that_does_not_keep_what_is_written(bench: Bench) -> None:
    bench.registries.blobs[TOP.digest] = bytes(len(TOP.data))
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
    assert (result.changed, result.reason) == (True, "images.tar.gz.part77 is no part of the archive")
    assert not (bench.out / "images.tar.gz.part77").exists()
    assert bench.run(part_size="20KB").changed is False


def test_a_mode_that_differs_is_a_change(bench: Bench) -> None:
    bench.run()
    bench.modes.add(str(bench.out / "images.tar.gz"))
    result = bench.run()
    assert (result.changed, result.reason) == (True, "mode or owner differed")


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


@pytest.fixture
def decided(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> Bench:
    """A run was ended just before it put its archive in place."""

    def fail(*_arguments: str) -> None:
        raise StorageError("killed")

    with monkeypatch.context() as patch:
        patch.setattr(_publish, "roll_forward", fail)
        with pytest.raises(StorageError, match="killed"):
            bench.run()
    return bench


def test_the_next_run_goes_on_from_there(decided: Bench) -> None:
    result = decided.run()
    assert (result.changed, result.reason) == (True, "the archive of an interrupted run was put in place")
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
    assert result.stats.bytes_pruned > 0
    assert not any(bench.blob(digest).exists() for digest in gone)
    assert all(bench.blob(digest).exists() for digest in blobs_of(DOCKER))


def test_skopeo_is_not_needed_when_all_is_there(bench: Bench) -> None:
    bench.run()
    assert bench.skopeo.checks == 1
    bench.run(force=True)
    assert bench.skopeo.checks == 1
