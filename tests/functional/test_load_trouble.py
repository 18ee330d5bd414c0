# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Loads into a real registry that meet trouble: two at a time, a stop, a full disk, a stick that goes away."""

from __future__ import annotations

import json
import shutil
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from ansible_collections.airgap.images.tests.functional._helpers import snapshot
from ansible_collections.airgap.images.tests.functional._load import load, load_params, loaded, lock_of, start_load
from ansible_collections.airgap.images.tests.support.disks import resize, small_disk
from ansible_collections.airgap.images.tests.support.faults import Hold, Reset, Respond, Rule
from ansible_collections.airgap.images.tests.support.module import run_module, start_module
from ansible_collections.airgap.images.tests.support.registry import Registry
from ansible_collections.airgap.images.tests.support.surveillance import ProcessWatch, forms, programs_below
from ansible_collections.airgap.images.tests.support.target import gaps, tags
from ansible_collections.airgap.images.tests.support.workbench import USER, Source, Workbench

NAMES = ("oci/index:1", "docker/list:1", "oci/gzip:1", "oci/many-layers:1", "charts/app:1.2.3")
LARGE = 60_000
"""Bytes of a part."""


@dataclass(frozen=True)
class Archive:
    """An archive in parts.

    :param tags: what a load of it makes.
    """

    lock: Path
    tags: dict[str, str]


@pytest.fixture(scope="module")
def archive(seeded_source: Source, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Archive]:
    """It must not be written to."""
    with Workbench(tmp_path_factory.mktemp("archive")) as bench:
        images = [seeded_source[name] for name in NAMES]
        assert not bench.save(images, arch=["amd64", "arm64", "arm"], part_size=f"{LARGE}B").failed
        yield Archive(lock_of(bench.dest), {name: seeded_source[name].digest for name in NAMES})


@pytest.fixture
def own(archive: Archive, workdir: Path) -> Archive:
    """A copy of it."""
    shutil.copytree(archive.lock.parent, workdir / "own")
    return Archive(workdir / "own" / archive.lock.name, archive.tags)


def require_complete(archive: Archive, registry: Registry, *more: Path) -> None:
    """Everything is there, and another run does nothing."""
    assert gaps(registry) == []
    assert tags(registry) == archive.tags
    loaded(load([archive.lock, *more], registry), changed=False)


def require_done(archive: Archive, registry: Registry, *more: Path) -> None:
    """The next run completes what another one has begun."""
    result = load([archive.lock, *more], registry)
    assert not result.failed, result.msg
    require_complete(archive, registry, *more)


def test_two_loads_at_once(archive: Archive, registry: Registry) -> None:
    """With one receipt, too."""
    receipt = registry.directory / "receipt.json"
    with (
        start_load(archive.lock, registry, receipt=receipt) as first,
        start_load(archive.lock, registry, receipt=receipt) as second,
    ):
        results = [first.wait(), second.wait()]
    assert not any(result.failed for result in results), [result.msg for result in results]
    assert json.loads(receipt.read_bytes())["complete"] is True
    require_complete(archive, registry)


@pytest.mark.parametrize("request_path", [r"/blobs/uploads/", r"/manifests/1$"], ids=["blob", "tag"])
def test_a_load_that_is_stopped_leaves_old_tags(
    archive: Archive, bench: Workbench, registry: Registry, request_path: str
) -> None:
    """While a request waits; the run ends at once, and says whether it changed something."""
    hold = Hold()
    proxy = bench.proxy(registry, Rule(hold, method="PUT", path=request_path))
    receipt = bench.directory / "receipt.json"
    params = {**load_params(archive.lock, registry, receipt=receipt, jobs=1), "registry": proxy.host}
    with start_module(params, module="image_load") as running:
        proxy.wait_for(lambda seen: any(each.action is hold for each in seen))
        running.signal(signal.SIGTERM)
        result = running.wait(30)
    assert result.failed
    assert "SIGTERM" in result.msg
    assert result.changed is (request_path != r"/blobs/uploads/")
    assert tags(registry) == {}
    assert not receipt.exists()
    hold.release()
    require_done(archive, registry)


def test_a_full_disk_ends_the_run_and_the_next_one_completes_it(archive: Archive, bench: Workbench) -> None:
    storage = bench.directory / "registry-1" / "storage"
    with small_disk(storage, 400_000):
        registry = bench.registry()
        result = load(archive.lock, registry, jobs=1)
        assert result.failed
        assert "no space left" in result.msg
        assert len(result["causes"]) == 1
        assert [each.status for each in registry.requests() if each.method in ("PUT", "POST")].count(500) == 1
        assert set(tags(registry).items()) <= set(archive.tags.items())
        assert gaps(registry) == []
        resize(storage, size=50_000_000)
        require_done(archive, registry)
        registry.stop()


def test_a_read_only_registry_is_told_once_but_what_is_there_counts(archive: Archive, registry: Registry) -> None:
    loaded(load(archive.lock, registry, exclude=[name for name in references(archive) if "gzip" in name]))
    registry.reconfigure({"storage": {"maintenance": {"readonly": {"enabled": True}}}})
    registry.clear()
    result = load(archive.lock, registry, jobs=1)
    assert (result.failed, result.changed) == (True, False)
    assert [each["action"] for each in result["images"]].count("present") == len(NAMES) - 1
    assert result.msg.startswith("1 of 5 images was not loaded") and "read-only" in result.msg
    assert [each.method for each in registry.requests() if each.method not in ("HEAD", "GET")] == ["POST"]


def references(archive: Archive) -> list[str]:
    return [image["reference"] for image in json.loads(archive.lock.read_bytes())["images"]]


def test_a_stick_that_is_pulled_out(own: Archive, bench: Workbench, registry: Registry) -> None:
    """Some images have arrived by then. The run says so once, and writes no receipt."""
    hold = Hold()
    proxy = bench.proxy(registry, Rule(hold, method="PUT", path=r"/manifests/1$", times=1))
    receipt = bench.directory / "receipt.json"
    params = {**load_params(own.lock, registry, receipt=receipt, jobs=1), "registry": proxy.host}
    with start_module(params, module="image_load") as running:
        proxy.wait_for(lambda seen: any(each.action is hold for each in seen))
        away = own.lock.parent.rename(own.lock.parent.with_name("away"))
        hold.release()
        result = running.wait()
    assert result.failed
    assert [cause["sentence"].count("cannot be read any more") for cause in result["causes"]] == [1]
    assert not receipt.exists()
    assert gaps(registry) == []
    away.rename(own.lock.parent)
    require_done(own, registry)


def test_parts_on_two_sticks(own: Archive, workdir: Path, registry: Registry) -> None:
    """Images whose parts are on the other one fail by name; those that are whole are loaded."""
    other = workdir / "other"
    other.mkdir()
    parts = sorted(own.lock.parent.glob("*.part*"))
    assert len(parts) > 3
    for part in parts[len(parts) // 2 :]:
        shutil.move(part, other)
    result = load(own.lock, registry)
    assert result.failed
    assert 0 < len(result["failed_images"]) < len(NAMES)
    assert all(".part" in each["reason"] for each in result["failed_images"])
    assert gaps(registry) == []
    before = snapshot(own.lock.parent, other)
    require_done(own, registry, other)
    assert snapshot(own.lock.parent, other) == before


def test_connections_that_break_are_got_over(archive: Archive, bench: Workbench, registry: Registry) -> None:
    rules = [
        Rule(Reset(-1), method="PUT", path=r"/blobs/", times=2),
        Rule(Reset(0), method="PUT", path=r"/blobs/", times=1),
        Rule(Respond(503), method="PUT", path=r"/manifests/", times=2),
        Rule(Respond(502), method="HEAD", path=r"/blobs/", times=2),
        Rule(Respond(429, {"Retry-After": "0"}), method="POST", times=2),
    ]
    proxy = bench.proxy(registry, *rules)
    result = run_module({**load_params(archive.lock, registry), "registry": proxy.host}, module="image_load")
    assert not result.failed, result.msg
    assert all(rule.hits for rule in rules)
    require_complete(archive, registry)


def test_nobody_sees_a_password(archive: Archive, bench: Workbench) -> None:
    """Neither in the log, the progress file, the result, the receipt or the processes, nor where tokens go."""
    registry = bench.registry(tokens=bench.tokens())
    hold = Hold()
    proxy = bench.proxy(registry, Rule(hold, method="PUT", path=r"/manifests/1$", times=1))
    logs = bench.directory / "logs"
    logs.mkdir()
    params = {
        **load_params(archive.lock, registry, username=USER.username, password=USER.password, debug=True),
        "registry": proxy.host,
        "log_file": logs / "run.log",
        "progress_file": logs / "progress.json",
        "receipt": logs / "receipt.json",
        "failed_list": logs / "failed.txt",
    }
    with (
        start_module(params, module="image_load", verbosity=4, diff=True, fresh=True) as running,
        ProcessWatch(lambda: [running.pid, *programs_below(running.pid)]) as processes,
    ):
        proxy.wait_for(lambda seen: any(each.action is hold for each in seen))
        processes.look()
        shutil.copy(logs / "progress.json", logs / "progress.copy")
        hold.release()
        result = running.wait()
        output = running.output()
    assert not result.failed, result.msg
    assert processes.command_lines
    written = [path.read_text("utf-8") for path in logs.iterdir()]
    assert len(written) > 2
    told = [*written, json.dumps(result.data), *output, *processes.command_lines, *processes.environments]
    for secret in (*forms(USER.password, username=USER.username), "eyJ", "_state="):
        assert not any(secret in text for text in told), secret
