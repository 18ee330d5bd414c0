# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bundles on the other side: in any order, into sites with other bases, and without what they rest on."""

from __future__ import annotations

import itertools
import json
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from ansible_collections.airgap.images.tests.functional._helpers import saved
from ansible_collections.airgap.images.tests.functional._load import load, loaded, lock_of
from ansible_collections.airgap.images.tests.functional._loading import writes
from ansible_collections.airgap.images.tests.support.images import build_image
from ansible_collections.airgap.images.tests.support.layers import Layer, random_layer
from ansible_collections.airgap.images.tests.support.module import Result
from ansible_collections.airgap.images.tests.support.push import PushedImage, push
from ansible_collections.airgap.images.tests.support.registry import Registry
from ansible_collections.airgap.images.tests.support.target import gaps, tags
from ansible_collections.airgap.images.tests.support.workbench import Workbench

COMMON, OLD, NEW, NEWER, MOVED = (random_layer(seed, 30_000 + seed) for seed in (700, 701, 702, 703, 704))
LISTS: dict[str, dict[str, list[Layer]]] = {
    "jan": {"some/stays": [COMMON, OLD], "some/moves": [COMMON, random_layer(710, 9_000)]},
    "feb": {"some/stays": [COMMON, OLD], "some/moves": [COMMON, MOVED], "some/new": [OLD, NEW]},
    "apr": {"some/stays": [COMMON, OLD], "other/new": [OLD, random_layer(713, 9_000)]},
    "other": {"some/stays": [COMMON, OLD]},
}
LISTS["mar"] = {**LISTS["feb"], "some/newer": [NEW, NEWER]}
SINCE = {"jan": (), "feb": ("jan",), "mar": ("jan", "feb"), "apr": ("jan",), "other": (), "two": ("other",)}
LISTS["two"] = LISTS["feb"]


class Year:
    """Archives that rest on each other, each named after its list."""

    def __init__(self, bench: Workbench) -> None:
        self._bench = bench
        self._source = bench.registry()
        self._folder = bench.dest.parent
        self.tags: dict[str, dict[str, str]] = {}
        for name, since in SINCE.items():
            images = self._push(LISTS[name])
            self.tags[name] = {f"{one.repository}:{one.tag}": one.digest for one in images}
            dest = self._folder / f"{name}.tar.gz"
            saved(bench.save(images, dest=dest, part_size=20_000, since=[self.lock(one) for one in since]))

    def _push(self, images: dict[str, list[Layer]]) -> list[PushedImage]:
        return [push(self._source, name, "1", build_image(layers)) for name, layers in images.items()]

    def answer(self, request: Path) -> Result:
        """Makes what a site asks for of the archive of March."""
        images = [f"{self._source.host}/{name}:1" for name in LISTS["mar"]]
        dest = self._folder / "mar.tar.gz"
        return self._bench.save(images, dest=dest, part_size=20_000, request=request)

    def lock(self, name: str) -> Path:
        return lock_of(self._folder / f"{name}.tar.gz")

    def src(self, *names: str) -> list[Path]:
        return [self.lock(name) for name in names]


@pytest.fixture(scope="module")
def year(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Year]:
    """Must not be written to."""
    with Workbench(tmp_path_factory.mktemp("year")) as bench:
        yield Year(bench)


def site_with(year: Year, bench: Workbench, *names: str) -> Registry:
    """A site that got these archives."""
    site = bench.registry()
    if names:
        loaded(load(year.src(*names), site))
    return site


def arrived(year: Year, name: str, site: Registry) -> bool:
    """Whether a site has what a full archive of a list would have given it."""
    assert gaps(site) == []
    return tags(site).items() >= year.tags[name].items()


def lock_images(path: Path) -> list[str]:
    """The references of an archive."""
    return [image["reference"] for image in json.loads(path.read_bytes())["images"]]


def lacks(result: Result, site: Registry, *layers: Layer) -> Result:
    """Asserts that a load names what is lacking, and has changed nothing."""
    assert result.failed
    assert {one["digest"] for one in result.data["lacking"]} == {layer.digest for layer in layers}
    assert any(layer.digest in result.msg for layer in layers)
    assert len(layers) == 1 or f"{len(layers) - 1} more in lacking of the result" in result.msg
    assert writes(site) == []
    return result


def orders(names: Sequence[str]) -> list[object]:
    """All orders, of which the test command takes the one that meets the most."""
    short = ("mar", "apr", "feb")
    every = itertools.permutations(names)
    return [pytest.param(one, marks=() if one == short else pytest.mark.thorough, id="-".join(one)) for one in every]


@pytest.mark.parametrize("order", orders(["feb", "mar", "apr"]))
def test_three_bundles_in_any_order(year: Year, bench: Workbench, order: tuple[str, ...]) -> None:
    """One whose requirements are met is loaded, and another one changes nothing."""
    site = site_with(year, bench, "jan")
    there = {"jan"}
    for name in (*order, "mar"):
        site.clear()
        result = load(year.src(name), site)
        if there >= {*SINCE[name]}:
            loaded(result, changed=result.changed)
            there.add(name)
            assert arrived(year, name, site)
        else:
            lacks(result, site, NEW, MOVED)
    assert there == {"jan", "feb", "mar", "apr"}
    assert arrived(year, "mar", site)


def test_each_base_lost_in_turn(year: Year, bench: Workbench) -> None:
    """Each is named with what has carried it, until all are there; the newest archive decides over tags."""
    site = site_with(year, bench)
    path = bench.directory / "site.request.json"
    for names, layers in (
        (["mar"], [COMMON, OLD, NEW, MOVED]),
        (["mar", "feb"], [COMMON, OLD]),
        (["jan", "mar"], [NEW, MOVED]),
    ):
        result = lacks(load(year.src(*names), site, request_file=path), site, *layers)
        asked = json.loads(path.read_bytes())
        assert asked["archive"] == "mar.tar.gz"
        assert asked["digests"] == sorted(layer.digest for layer in layers)
        assert {one["archive"] for one in result.data["lacking"]} == {
            "feb.tar.gz" if layer in (NEW, MOVED) else "jan.tar.gz" for layer in layers
        }
    loaded(load(year.src("mar", "jan", "feb"), site, request_file=path, receipt=bench.directory / "receipt.json"))
    assert arrived(year, "mar", site)
    assert not path.exists()


def test_a_blob_that_was_collected(year: Year, bench: Workbench) -> None:
    """By the registry itself, after a repository was removed that alone had it."""
    site = site_with(year, bench, "jan")
    site.stop()
    shutil.rmtree(site.storage / "docker/registry/v2/repositories/some/stays")
    subprocess.run(
        ["docker-registry", "garbage-collect", str(site.directory / "config.json")], check=True, capture_output=True
    )
    assert not site.blob_path(OLD.digest).exists()
    site.start()
    site.clear()
    before = tags(site)
    result = lacks(load(year.src("feb"), site), site, OLD)
    assert "carried by jan.tar.gz in jan.tar.gz.part" in result.msg
    assert tags(site) == before
    loaded(load(year.src("feb", "jan"), site))
    assert arrived(year, "feb", site)


def test_two_sites_with_other_bases(year: Year, bench: Workbench) -> None:
    """Each takes the bundle that was made for it, and any other one that finds what it needs there."""
    for base, names in (("jan", ["feb", "two"]), ("other", ["two", "feb", "mar"])):
        site = site_with(year, bench, base)
        for name in names:
            result = load(year.src(name), site)
            loaded(result, changed=result.changed)
            assert arrived(year, name, site)
    assert not load(year.src("two"), site, check=True).changed


def test_what_is_lacking_is_asked_for_and_carried(year: Year, bench: Workbench) -> None:
    """The request goes out, and a small bundle with what it asks for comes back."""
    site = site_with(year, bench, "jan")
    site.clear()
    path, receipt = bench.directory / "site.request.json", bench.directory / "receipt.json"
    lacks(load(year.src("mar"), site, request_file=path), site, NEW, MOVED)
    asked = path.read_bytes()
    stays = [image for image in lock_images(year.lock("mar")) if "some/stays" in image]
    part = loaded(load(year.src("mar"), site, request_file=path, images=stays), changed=False)
    assert (path.read_bytes(), part["request_files"], part["fulfilled"]) == (asked, [str(path)], [])
    result = year.answer(path)
    assert not result.failed, result.msg
    small = Path(result["lock_file"])
    whole = loaded(load([small, *year.src("mar")], site, request_file=path, receipt=receipt))
    assert arrived(year, "mar", site)
    assert not path.exists()
    before = receipt.read_bytes()
    part = loaded(load([small, *year.src("mar")], site, receipt=receipt, images=stays), changed=False)
    assert receipt.read_bytes() == before and part["confirmation"] == whole["confirmation"] != ""
