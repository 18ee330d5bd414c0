# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A request is answered: exactly the parts that it asks for, and a small bundle of blobs."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.airgap.images.plugins.module_utils._archive.output import BESIDE
from ansible_collections.airgap.images.tests.functional._helpers import flip, saved, snapshot, traffic
from ansible_collections.airgap.images.tests.support.archive import archive_files
from ansible_collections.airgap.images.tests.support.module import Result
from ansible_collections.airgap.images.tests.support.workbench import Source, Workbench

_NAMES = ["oci/gzip:1", "oci/plain:1", "docker/list:1", "oci/many-layers:1"]


@dataclass(frozen=True)
class Site:
    """An archive in parts, with the cache that it was made from."""

    source: Source
    dest: Path
    home: Path

    @property
    def cache(self) -> Path:
        return self.dest.parent.parent / "cache"

    @property
    def requested(self) -> Path:
        return self.dest.with_name(f"{self.dest.name}.requested")

    @property
    def lock(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(Path(f"{self.dest}.lock.json").read_bytes())
        return found

    def save(self, **params: Any) -> Result:
        with Workbench(self.dest.parent) as bench:
            images = [self.source[name] for name in _NAMES]
            return bench.save(
                images, cache_dir=self.cache, dest=self.dest, part_size="16K", env={"HOME": str(self.home)}, **params
            )

    def ask(self, *, lock: Path | None = None, parts: tuple[int, ...] = (), digests: tuple[str, ...] = ()) -> str:
        """Write a request, as the other side does."""
        raw = (lock or Path(f"{self.dest}.lock.json")).read_bytes()
        path = self.dest.parent.parent / "asked.request.json"
        document = {
            "version": 1,
            "archive": self.dest.name,
            "lock_sha256": hashlib.sha256(raw).hexdigest(),
            "parts": sorted(parts),
            "digests": sorted(digests),
        }
        path.write_text(json.dumps(document), encoding="utf-8")
        return str(path)

    def names(self) -> set[str]:
        return {path.name for path in self.requested.iterdir()}


@pytest.fixture(scope="module")
def made(seeded_source: Source, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("request")
    (folder / "out").mkdir()
    site = Site(seeded_source, folder / "out" / "images.tar.gz", folder)
    saved(site.save())
    yield site


@pytest.fixture
def site(made: Site, workdir: Path) -> Site:
    """A copy of the archive and of the cache, so that a test may harm them."""
    shutil.copytree(made.dest.parent, workdir / "out")
    shutil.copytree(made.cache, workdir / "cache", symlinks=True)
    made.source.registry.clear()
    return Site(made.source, workdir / "out" / made.dest.name, made.home)


def test_exactly_the_parts_that_are_asked_for_are_made(site: Site) -> None:
    whole = {path.name: path.read_bytes() for path in archive_files(site.dest)}
    last = len(whole) - 1
    request = site.ask(parts=(1, 3, last))
    archive_files(site.dest)[3].unlink()
    flip(archive_files(site.dest)[1])
    before = snapshot(site.dest.parent)
    forecast = site.save(request=request, check=True)
    assert forecast.changed and not site.requested.exists()
    result = site.save(request=request)
    assert not result.failed and result.changed, result.msg
    names = [part["name"] for part in site.lock["parts"]]
    asked = [names[number] for number in (1, 3, last)]
    beside = {f"{site.dest.name}{suffix}" for suffix in (".lock.json", ".sha256", ".request.json")}
    assert site.names() == {*asked, *beside}
    assert [Path(each["path"]) for each in result["parts"]] == [site.requested / name for name in asked]
    named = {name: Path(result[name]) for name in BESIDE if name in result.data}
    assert {*named} == {"lock_file", "checksum_file"} and all(path.is_file() for path in named.values())
    assert all((site.requested / name).read_bytes() == whole[name] for name in asked if name in whole)
    after = snapshot(site.dest.parent)
    assert all(after[name] == state for name, state in before.items() if name != str(site.dest.parent))
    assert traffic(site.source.registry).nothing, "all of it came from the cache"
    assert not site.save(request=request).changed
    left = site.requested / f".{site.dest.name}.staging"
    left.mkdir(0o700)  # of a run that was killed when all was in place
    assert site.save(request=request, check=True).changed
    assert not site.save(request=request).failed
    assert site.names() == {*asked, *beside}
    other = site.ask(parts=(2,))
    assert site.save(request=other).changed
    assert site.names() == {names[2], *beside}, "those of the request before are gone"


def test_what_the_cache_has_lost_is_fetched_again(site: Site) -> None:
    request = site.ask(parts=(0,))
    shutil.rmtree(site.cache)
    result = site.save(request=request)
    assert not result.failed, result.msg
    assert "were not in the cache any more and were fetched again" in result.msg
    assert (site.requested / archive_files(site.dest)[0].name).read_bytes() == archive_files(site.dest)[0].read_bytes()


def test_blobs_that_are_asked_for_are_a_small_bundle(site: Site) -> None:
    lock = site.lock
    layers = [
        layer.digest
        for name in _NAMES
        for one in site.source[name].platforms
        for layer in one.layers
        if layer.digest in lock["blobs"]
    ]
    request = site.ask(digests=(layers[0],))
    result = site.save(request=request)
    assert not result.failed and result.changed, result.msg
    bundle = json.loads(Path(result["lock_file"]).read_bytes())
    raw = Path(f"{site.dest}.lock.json").read_bytes()
    assert bundle["version"] == 2
    assert bundle["base"] == [
        {"name": site.dest.name, "lock_sha256": hashlib.sha256(raw).hexdigest(), "receipt": False}
    ]
    assert layers[0] in bundle["blobs"]
    assert {*bundle["requires"]} == {*layers} - {layers[0]}
    assert Path(result["lock_file"]).parent == site.requested
    assert not site.save(request=request).changed
    both = site.save(request=site.ask(parts=(1,), digests=(layers[0],)))
    named = {name: both[name] for name in BESIDE}
    assert Path(named.pop("lock_file")).read_bytes() == raw
    assert named.pop("checksum_file") == f"{site.requested / site.dest.name}.sha256"
    assert {name: result[name] for name in named} == named, "those of the bundle, as parts have none"


@pytest.mark.parametrize(
    ("member", "value", "said"),
    [("writer", 3, "made by writer 3 instead of"), ("compressor", "zlib 0.9", "made by zlib 0.9 instead of zlib ")],
)
def test_other_bytes_are_foreseen(site: Site, workdir: Path, member: str, value: object, said: str) -> None:
    other = workdir / "other.lock.json"
    other.write_text(json.dumps({**site.lock, member: value}), encoding="utf-8")
    result = site.save(request=site.ask(lock=other, parts=(0,)), from_lock=other)
    assert result.failed and said in result.msg, result.msg
    assert not site.requested.exists()


def test_requests_that_cannot_be_answered(site: Site, workdir: Path) -> None:
    other = workdir / "other.lock.json"
    other.write_text("{}", encoding="utf-8")
    unknown = site.save(request=site.ask(lock=other, parts=(0,)))
    assert unknown.failed and "Give a copy of that lock file in from_lock" in unknown.msg
    for member, said in (
        ({"options": {}}, "are not those of an archive"),
        ({"options": {**site.lock["options"], "part_size": 0}}, "are not those of an archive"),
        ({"parts": [{**part, "name": "images.tar.gz.lock.json"} for part in site.lock["parts"]]}, "does not name the"),
        ({"options": {"compress": "dir"}}, "asks for files of a directory, which are not made one by one"),
    ):
        other.write_text(json.dumps({**site.lock, **member}), encoding="utf-8")
        strange = site.save(request=site.ask(lock=other, parts=(0,)), from_lock=other)
        assert strange.failed and said in strange.msg, strange.msg
    beyond = site.save(request=site.ask(parts=(999,)))
    assert beyond.failed and "asks for part 999, which" in beyond.msg
    site.requested.mkdir()
    (site.requested / "notes.txt").write_text("of the user\n", encoding="utf-8")
    foreign = site.save(request=site.ask(parts=(0,)))
    assert foreign.failed and "is not a directory that an earlier request has made" in foreign.msg
    assert site.names() == {"notes.txt"}
