# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two runs, perhaps on two hosts, that want the same cache or the same archive, by whatever path."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.airgap.images.plugins.module_utils._base.errors import BusyError
from ansible_collections.airgap.images.plugins.module_utils._host import hold
from ansible_collections.airgap.images.tests.functional._helpers import (
    assert_layers_once,
    check,
    leftovers,
    saved,
)
from ansible_collections.airgap.images.tests.support.faults import Hold, Rule
from ansible_collections.airgap.images.tests.support.module import Result, RunningModule, start_module, wait_for_end
from ansible_collections.airgap.images.tests.support.proxy import Proxy
from ansible_collections.airgap.images.tests.support.push import PushedImage
from ansible_collections.airgap.images.tests.support.workbench import Source, Workbench

HOST = socket.gethostname()

THOROUGH = pytest.mark.thorough


def assert_sent_once(source: Source, *images: PushedImage) -> None:
    """However many runs wanted them, every layer of the platforms that are saved by default was sent once."""
    for image in images:
        assert_layers_once(source.registry, [each for each in image.platforms if each.arch != "arm"])


@dataclass
class Held:
    """A run that has begun its archive, and waits for a layer of the last image."""

    source: Source
    bench: Workbench
    hold: Hold = field(default_factory=Hold)
    running: list[RunningModule] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.images = [self.source["oci/plain:1"], self.source["oci/gzip:1"]]
        last = self.images[-1].platforms[0].layers[-1]
        self.proxy: Proxy = self.bench.proxy(self.source.registry, Rule(self.hold, path=f"/blobs/{last.digest}"))
        self.references = [f"{self.proxy.host}/{each.repository}:{each.tag}" for each in self.images]
        self.bench.dest.parent.mkdir()

    def start(self, *, under: tuple[str, ...] = (), cwd: Path | None = None, **params: Any) -> RunningModule:
        """Starts a run of the same list; it ends with the test."""
        full = self.bench.params(self.references, **params)
        running = start_module(full, under=under, cwd=cwd)
        self.running.append(running)
        return running

    def first(self, **params: Any) -> RunningModule:
        """The run that is held."""
        running = self.start(**params)
        self.proxy.wait_for(lambda seen: any(each.action is self.hold for each in seen))
        return running

    def second(self, **params: Any) -> RunningModule:
        """Another run, which has asked the registry and now does, or soon will, wait for the first."""
        asked = self.asked()
        running = self.start(lock_timeout=120, **params)
        self.proxy.wait_for(lambda seen: self.asked() > asked)
        return running

    def asked(self) -> int:
        """How many manifests were asked for."""
        return sum("/manifests/" in each.path for each in self.proxy.requests())

    def close(self) -> None:
        self.hold.release()
        for each in self.running:
            each.__exit__(None, None, None)


@pytest.fixture
def held(source: Source, bench: Workbench) -> Iterator[Held]:
    made = Held(source, bench)
    yield made
    made.close()


def in_namespaces(*kinds: str, first: str) -> tuple[str, ...]:
    """The beginning of a command line that runs in namespaces of its own, after some commands."""
    return ("unshare", *(f"--{kind}" for kind in kinds), "sh", "-c", f'{first} && exec "$@"', "sh")


def by_link(bench: Workbench, folder: Path) -> dict[str, Any]:
    (bench.directory / "way").symlink_to(folder)
    return {"path": bench.directory / "way"}


def by_mount(bench: Workbench, folder: Path) -> dict[str, Any]:
    other = bench.directory / "mounted"
    other.mkdir()
    return {"path": other, "under": in_namespaces("mount", first=f"mount --bind {folder} {other}")}


def by_relative_path(bench: Workbench, folder: Path) -> dict[str, Any]:
    return {"path": Path("..", folder.name), "cwd": bench.dest.parent}


WAYS: dict[str, Callable[[Workbench, Path], dict[str, Any]]] = {
    "link": by_link,
    "mount": by_mount,
    "relative": by_relative_path,
}


@pytest.mark.parametrize(
    "way", [pytest.param(way, id=name, marks=() if name == "mount" else THOROUGH) for name, way in WAYS.items()]
)
def test_the_same_archive_by_another_path(held: Held, way: Callable[[Workbench, Path], dict[str, Any]]) -> None:
    """The second has a cache of its own, and so only the archive itself tells it that it is not alone."""
    first = held.first()
    how = way(held.bench, held.bench.dest.parent)
    dest = how.pop("path") / held.bench.dest.name
    second = held.start(dest=dest, cache_dir=held.bench.directory / "cache-2", **how).wait()
    assert second.failed and not second.changed
    assert f"{dest.name} is in use by another run (process {first.pid} on {HOST})" in second.msg
    held.hold.release()
    saved(first.wait())


@pytest.mark.parametrize(
    "way", [by_link, pytest.param(by_mount, marks=THOROUGH), pytest.param(by_relative_path, marks=THOROUGH)]
)
def test_the_same_cache_by_another_path(held: Held, way: Callable[[Workbench, Path], dict[str, Any]]) -> None:
    first = held.first()
    how = way(held.bench, held.bench.cache)
    cache = how.pop("path")
    other = held.bench.directory / "other" / "images.tar.gz"
    second = held.start(dest=other, cache_dir=cache, **how).wait()
    assert second.failed and not other.parent.exists()
    assert f"{cache.name} is in use by another run (process {first.pid} on {HOST})" in second.msg
    held.hold.release()
    saved(first.wait())


@pytest.mark.parametrize("shared", [pytest.param("cache", marks=THOROUGH), "archive"])
def test_the_other_host_is_named(held: Held, shared: str) -> None:
    """The first has a host name of its own; what they share is the directory."""
    first = held.first(under=in_namespaces("uts", first="hostname far-away"))
    own = {"dest": held.bench.directory / "other" / "images.tar.gz"}
    if shared == "archive":
        own = {"cache_dir": held.bench.directory / "cache-2"}
    second = held.start(**own).wait()
    assert second.failed
    assert "on far-away)" in second.msg and f"on {HOST})" not in second.msg
    held.hold.release()
    saved(first.wait())


@pytest.mark.parametrize(
    "own", [{}, pytest.param({"cache_dir": "cache-2"}, marks=THOROUGH)], ids=["same cache", "own cache"]
)
def test_who_has_waited_sees_what_was_done_and_downloads_nothing(held: Held, own: dict[str, str]) -> None:
    first = held.first()
    second = held.second(**{name: held.bench.directory / value for name, value in own.items()})
    held.hold.release()
    archive = saved(first.wait())
    result = second.wait()
    assert saved(result, changed=False).lock == archive.lock
    assert result["stats"]["bytes_downloaded"] == result["stats"]["blobs_downloaded"] == 0
    assert_sent_once(held.source, *held.images)
    assert not leftovers(held.bench.cache) and not list(held.bench.dest.parent.glob(".*"))


def test_who_has_waited_does_what_is_left(held: Held) -> None:
    """Its list is longer: only what the first has not fetched is fetched, and one archive has it all."""
    first = held.first()
    more = held.source["docker/list:1"]
    held.references.append(f"{held.proxy.host}/{more.repository}:{more.tag}")
    second = held.second()
    held.hold.release()
    saved(first.wait())
    archive = saved(second.wait())
    assert len(archive.references) == 3
    assert_sent_once(held.source, *held.images, more)


def test_a_wait_ends_with_the_first_that_dies(held: Held) -> None:
    """Its process is killed with the lock in its hands; the second goes on by itself, from what is there."""
    first = held.first()
    second = held.second()
    children = first.children()
    first.adopt(children)
    first.kill()
    wait_for_end(children)
    held.hold.release()
    saved(second.wait())
    assert not leftovers(held.bench.cache) and not list(held.bench.dest.parent.glob(".*"))


@pytest.mark.parametrize("number", [signal.SIGTERM, pytest.param(signal.SIGKILL, marks=THOROUGH)])
def test_who_is_ended_while_it_waits_disturbs_nobody(held: Held, number: signal.Signals) -> None:
    first = held.first()
    second = held.second()
    second.signal(number)
    if number is signal.SIGTERM:
        result = second.wait(30)
        assert result.failed and "SIGTERM" in result.msg
    else:
        second.process.wait(30)
    held.hold.release()
    saved(first.wait())


def test_many_at_once(source: Source, bench: Workbench) -> None:
    """They begin together, with one cache and one archive: one of them does it, the others see that it is done."""
    images: list[PushedImage] = [source["oci/plain:1"], source["docker/list:1"]]
    runs = [bench.start(images, lock_timeout=120) for _number in range(4)]
    results: list[Result] = [each.wait() for each in runs]
    assert [each.msg for each in results if each.failed] == []
    assert sorted(each.changed for each in results) == [False, False, False, True]
    check(bench.dest)
    assert_sent_once(source, *images)


@THOROUGH
def test_many_at_once_without_waiting(source: Source, bench: Workbench) -> None:
    """Each has a cache of its own. Whoever fails says who was quicker, and the archive is whole."""
    runs = [bench.start([source["docker/list:1"]], cache_dir=bench.directory / f"cache-{n}") for n in range(3)]
    results = [each.wait() for each in runs]
    assert any(not each.failed for each in results)
    for each in results:
        words = ("is in use by another run", "another run has written")
        assert not each.failed or any(word in each.msg for word in words), each.msg
    check(bench.dest)
    assert not list(bench.dest.parent.glob(".*"))


def read_only(path: Path) -> None:
    path.touch()
    path.chmod(0o400)


def of_others(path: Path) -> None:
    path.touch(0o666)
    os.chown(path, 4243, 4243)


DEAD: dict[str, Callable[[Path], object]] = {
    "garbage": lambda path: path.write_bytes(b"\xff\0garbage" * 100),
    "another host's": lambda path: path.write_text("process 1 on far-away\n", encoding="utf-8"),
    "read-only": read_only,
    "a directory": lambda path: (path / "more").mkdir(parents=True),
    "a link": lambda path: path.symlink_to("/etc/hostname"),
    "somebody else's": of_others,
}


MORE = ("another host's", "read-only", "somebody else's")


@pytest.mark.parametrize(
    "make", [pytest.param(make, id=name, marks=THOROUGH if name in MORE else ()) for name, make in DEAD.items()]
)
def test_the_lock_of_a_dead_process_is_taken_over(
    source: Source, bench: Workbench, make: Callable[[Path], object]
) -> None:
    """Both of them: the cache's, and that of an archive that was begun."""
    before = Path("/etc/hostname").read_bytes()
    staging = bench.dest.parent / f".{bench.dest.name}.staging"
    staging.mkdir(mode=0o700, parents=True)
    bench.cache.mkdir(mode=0o700)
    make(staging / "lock")
    make(bench.cache / ".lock")
    saved(bench.save([source["oci/plain:1"]]))
    assert not staging.exists()
    assert Path("/etc/hostname").read_bytes() == before


def test_a_user_without_privileges_takes_over_a_read_only_lock() -> None:
    """Root may write to it whatever its mode."""
    folder = Path(tempfile.mkdtemp(dir="/var/tmp"))
    path = folder / "lock"
    path.write_text("process 1 on far-away\n", encoding="utf-8")
    path.chmod(0o400)
    for each in (folder, path):
        os.chown(each, 4242, 4242)
    os.seteuid(4242)
    try:
        with hold.Hold(str(path), what="it", timeout=0):
            assert path.read_text(encoding="utf-8") == f"process {os.getpid()} on {HOST}\n"
            with pytest.raises(BusyError, match=f"process {os.getpid()} on "), hold.Hold(str(path), what="", timeout=0):
                pass
        assert path.stat().st_mode & 0o777 == 0o600
    finally:
        os.seteuid(0)
        shutil.rmtree(folder)
