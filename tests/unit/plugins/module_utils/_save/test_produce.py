# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Copy, archive and publish, step by step."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable

import pytest

from ansible_collections.airgap.images.plugins.module_utils._base.errors import BusyError, TransferError
from ansible_collections.airgap.images.plugins.module_utils._base.stop import Stop
from ansible_collections.airgap.images.plugins.module_utils._host.attributes import NoAttributes
from ansible_collections.airgap.images.plugins.module_utils._host.log import Log
from ansible_collections.airgap.images.plugins.module_utils._host.verified_files import VerifiedFiles
from ansible_collections.airgap.images.plugins.module_utils._oci.image import PlatformImage
from ansible_collections.airgap.images.plugins.module_utils._publish.kept import KeptFiles
from ansible_collections.airgap.images.plugins.module_utils._publish.paths import staging_path
from ansible_collections.airgap.images.plugins.module_utils._publish.published import inspect
from ansible_collections.airgap.images.plugins.module_utils._registry.fetched_manifest import FetchedManifest
from ansible_collections.airgap.images.plugins.module_utils._save import copies, tools
from ansible_collections.airgap.images.plugins.module_utils._save.engine import save
from ansible_collections.airgap.images.plugins.module_utils._save.result import Result
from ansible_collections.airgap.images.tests.support import images as built
from ansible_collections.airgap.images.tests.support import layers
from ansible_collections.airgap.images.tests.unit.fakes import FakeRegistries, FakeSkopeo, make_options, names_below

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


def removed(path: Path) -> None:
    path.unlink()


def changed(path: Path) -> None:
    """The cache has the same file by another name, so its blob is damaged as well."""
    path.write_bytes(b"x" * path.stat().st_size)


def replaced(path: Path) -> None:
    path.with_name("other").write_bytes(b"x" * path.stat().st_size)
    path.with_name("other").replace(path)


def no_link(path: Path) -> None:
    path.parents[2].joinpath(ONE.digest.partition(":")[2], "blobs").unlink()


def link_elsewhere(path: Path) -> None:
    no_link(path)
    path.parents[2].joinpath(ONE.digest.partition(":")[2], "blobs").symlink_to("/etc")


def harm_once_noted(harm: Callable[[Path], None], monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Have a layer harmed that stays, or what is beside it, once the archive has come to it; returns its path."""
    harmed: list[Path] = []
    name = f"share/sha256/{ONE.layers[0].digest.partition(':')[2]}"
    real = KeptFiles.has

    def has(kept: KeptFiles, asked: str, sha256: str) -> bool:
        found = real(kept, asked, sha256)
        if found and asked == "oci-layout" and not harmed:
            path = Path(kept._root, name)
            assert path.exists() and name in {part.name for part in kept._files}
            harmed.append(path)
            harm(path)
        return found

    monkeypatch.setattr(KeptFiles, "has", has)
    return harmed


@pytest.mark.parametrize("options", [{}, {"keep_cache": False}], ids=["cache kept", "cache not kept"])
@pytest.mark.parametrize("harm", [removed, changed, replaced, no_link, link_elsewhere])
def test_a_file_that_was_to_stay_and_is_lost_meanwhile_is_written_again(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, harm: Callable[[Path], None], options: dict[str, Any]
) -> None:
    output = make_options(bench.folder, compress="dir").output
    bench.run(compress="dir")
    bench.registries.push(IMAGES[1], built.build_image([layers.files_layer({"new": b"1"})]))
    harmed = harm_once_noted(harm, monkeypatch)
    result = bench.run(compress="dir", **options)
    assert harmed and (result.changed, result.is_failure, result.is_published) == (True, False, True)
    found = inspect(output, VerifiedFiles(str(bench.folder)), verify="digest")
    assert (found.damage, found.untidy, found.lock) == ("", (), result.lock)
    assert not os.path.exists(staging_path(output))
    told = [line for line in bench.log.lines if "was changed or removed during the run" in line]
    assert len(told) == 1
    assert bench.run(compress="dir").reason == "nothing changed"


def test_a_directory_that_was_replaced_meanwhile_is_left_alone(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    output = make_options(bench.folder, compress="dir").output
    bench.run(compress="dir")
    bench.registries.push(IMAGES[1], built.build_image([layers.files_layer({"new": b"1"})]))

    def replace_all(path: Path) -> None:
        os.rename(output.lock_file, bench.folder / "lock")
        os.rename(output.dest, bench.folder / "away")
        Path(output.dest).mkdir()
        Path(output.dest, "precious").write_bytes(b"precious")

    assert not harm_once_noted(replace_all, monkeypatch)
    with pytest.raises(BusyError, match="another run has written"):
        bench.run(compress="dir")
    assert names_below(Path(output.dest)) == ["precious"]
    assert not os.path.exists(staging_path(output))


def test_a_file_that_only_got_another_name_meanwhile_stays(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.run(compress="dir")
    bench.registries.push(IMAGES[1], built.build_image([layers.files_layer({"new": b"1"})]))
    harmed = harm_once_noted(lambda path: os.link(path, bench.folder / "another"), monkeypatch)
    assert bench.run(compress="dir").changed
    assert os.path.samefile(harmed[0], bench.folder / "another")
    assert not [line for line in bench.log.lines if "was changed or removed" in line]


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
