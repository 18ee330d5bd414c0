# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A request stays until what it asks for has come: a load of some images does not answer for the others."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.airgap.images.plugins.module_utils._archive.request import Request, write_request
from ansible_collections.airgap.images.plugins.module_utils._load.verify import LostParts
from ansible_collections.airgap.images.tests.support.stand_in_answers import error
from ansible_collections.airgap.images.tests.support.stand_in_registry import StandInRegistry
from ansible_collections.airgap.images.tests.unit.bundles import DIGESTS, FEBRUARY, JANUARY, bundle, full
from ansible_collections.airgap.images.tests.unit.carried import Carried
from ansible_collections.airgap.images.tests.unit.load_scene import Scene

OF_A, OF_B, OF_C = DIGESTS[3], DIGESTS[2], DIGESTS[4]
"""Layers of one image each, in the months below; that of b is of c as well."""


@pytest.fixture
def scene() -> Iterator[Scene]:
    with StandInRegistry() as registry:
        yield Scene(registry, "")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "site.request.json"


def lose(carried: Carried, digest: str) -> tuple[int, bytes]:
    """Damage the middle one of the parts that a layer is in; returns its number and what it had."""
    names = carried.open().part_of(digest)
    name = names[len(names) // 2]
    file = carried.dest.parent / name
    raw = file.read_bytes()
    file.write_bytes(bytes(len(raw)))
    return [part.name for part in carried.lock.parts].index(name), raw


def asked(path: Path) -> dict[str, Any]:
    values: dict[str, Any] = json.loads(path.read_bytes())
    return values


def sha256_of(carried: Carried) -> str:
    return hashlib.sha256(carried.lock_file.read_bytes()).hexdigest()


def test_parts_stay_asked_for_until_they_have_come(scene: Scene, tmp_path: Path, path: Path) -> None:
    carried = full(tmp_path, FEBRUARY, "none in parts")
    (of_a, raw_a), (of_c, raw_c) = lose(carried, OF_A), lose(carried, OF_C)
    wanted: dict[str, Any] = {"src": [str(carried.lock_file)], "request_file": str(path)}
    scene.load(**wanted)
    assert asked(path)["parts"] == sorted([of_a, of_c])
    before = path.read_bytes()
    for part in ({"images": ["reg.lan/b:1"]}, {"exclude": ["reg.lan/a", "reg.lan/c"]}):
        for check in (True, False):
            result = scene.load(**wanted, **part, check=check)
            assert (result.is_failure, result.changed, result.fulfilled) == (False, False, ())
            assert (result.requests, path.read_bytes()) == ((str(path),), before)
    (carried.dest.parent / carried.lock.parts[of_a].name).write_bytes(raw_a)
    scene.load(**wanted, images=["reg.lan/a:1"])
    assert asked(path)["parts"] == [of_c]
    (carried.dest.parent / carried.lock.parts[of_c].name).write_bytes(raw_c)
    result = scene.load(**wanted, images=["reg.lan/c:1"])
    assert (result.fulfilled, path.exists()) == ((sha256_of(carried),), False)
    assert not scene.load(**wanted, images=["reg.lan/c:1"]).fulfilled, "of the others nothing is known"


def test_a_request_with_another_name_of_the_same_archive_stays_in_its_place(scene: Scene, tmp_path: Path) -> None:
    carried = full(tmp_path, FEBRUARY, "none in parts")
    lose(carried, OF_A)
    folder = tmp_path / "asked"
    folder.mkdir()
    wanted: dict[str, Any] = {"src": [str(carried.lock_file)], "request_file": str(folder)}
    scene.load(**wanted)
    (place,) = folder.iterdir()
    parts = asked(place)["parts"]
    place.write_bytes(write_request(Request("renamed", sha256_of(carried), tuple(parts))))
    result = scene.load(**wanted, images=["reg.lan/b:1"])
    assert result.requests == (str(place),)
    assert [*folder.iterdir()] == [place]
    assert (asked(place)["lock_sha256"], asked(place)["parts"]) == (sha256_of(carried), parts)


def test_a_part_that_no_other_image_needs_is_not_asked_for_any_more(scene: Scene, tmp_path: Path, path: Path) -> None:
    """The blob has come in another way, and the part is still damaged."""
    carried = full(tmp_path, FEBRUARY, "none in parts")
    lose(carried, OF_A)
    wanted: dict[str, Any] = {"src": [str(carried.lock_file)], "request_file": str(path)}
    scene.load(**wanted)
    assert path.exists()
    other = full(tmp_path, FEBRUARY, name="other")
    scene.load(src=[str(other.lock_file)])
    assert not scene.load(**wanted, images=["reg.lan/a:1"]).is_failure
    assert not path.exists()


def test_blobs_stay_asked_for_until_an_archive_has_them(scene: Scene, tmp_path: Path, path: Path) -> None:
    """One of two images has come in another way. What the other one needs was never looked for."""
    first = full(tmp_path, JANUARY, name="jan")
    news = bundle(tmp_path, FEBRUARY, first, name="feb")
    wanted: dict[str, Any] = {"src": [str(news.lock_file)], "request_file": str(path)}
    scene.load(**wanted)
    assert asked(path)["digests"] == sorted(DIGESTS[:3])
    assert scene.load(**wanted, images=["reg.lan/c:1"]).is_failure
    assert asked(path)["digests"] == sorted(DIGESTS[:3])
    scene.load(src=[str(full(tmp_path, JANUARY, name="all").lock_file)], images=["reg.lan/b:1"])
    assert not scene.load(**wanted, images=["reg.lan/b:1", "reg.lan/c:1"]).is_failure
    assert asked(path)["digests"] == sorted(DIGESTS[:2]), "which a still needs"
    both: dict[str, Any] = {**wanted, "src": [str(one.lock_file) for one in (first, news)]}
    assert scene.load(**both, images=["reg.lan/b:1"]).fulfilled == (sha256_of(news),)
    assert not path.exists()


def test_each_archive_keeps_its_own(scene: Scene, tmp_path: Path, path: Path) -> None:
    """The file at the path was about the older archive, and the newer one asks for something now."""
    first = full(tmp_path, JANUARY, "none in parts", name="jan")
    news = bundle(tmp_path, FEBRUARY, first, form="none in parts", name="feb")
    of_base, _raw = lose(first, OF_B)
    wanted: dict[str, Any] = {"src": [str(one.lock_file) for one in (first, news)], "request_file": str(path)}
    scene.load(**wanted, images=["reg.lan/b:1"])
    assert (asked(path)["archive"], asked(path)["parts"]) == (first.dest.name, [of_base])
    of_news, _raw = lose(news, OF_A)
    scene.load(**wanted, images=["reg.lan/a:1"])
    assert (asked(path)["archive"], asked(path)["parts"]) == (news.dest.name, [of_news])
    beside = tmp_path / f"site.request-{sha256_of(first)[:12]}.json"
    assert (asked(beside)["archive"], asked(beside)["parts"]) == (first.dest.name, [of_base])


def test_what_the_registry_refuses_may_still_need_its_parts(scene: Scene, tmp_path: Path, path: Path) -> None:
    carried = full(tmp_path, FEBRUARY, "none in parts")
    (of_a, _raw), (of_c, _raw) = lose(carried, OF_A), lose(carried, OF_C)
    wanted: dict[str, Any] = {"src": [str(carried.lock_file)], "request_file": str(path)}
    scene.load(**wanted)
    before = path.read_bytes()
    scene.registry.answer("HEAD", "manifest", error(403, "DENIED", "not now"), times=1)
    result = scene.load(**wanted, images=["reg.lan/a:1", "reg.lan/c:1"])
    assert [one.action for one in result.images] == ["failed", "failed"] and len(result.causes) == 2
    assert path.read_bytes() == before and asked(path)["parts"] == sorted([of_a, of_c])


def test_reading_all_parts_answers_for_parts_only(scene: Scene, tmp_path: Path, path: Path) -> None:
    first = full(tmp_path, JANUARY, name="jan")
    news = bundle(tmp_path, FEBRUARY, first, form="none in parts", name="feb")
    path.write_bytes(write_request(Request(news.dest.name, sha256_of(news), (0,), tuple(sorted(DIGESTS[:3])))))
    lost, _raw = lose(news, OF_A)
    assert lost != 0
    with pytest.raises(LostParts):
        scene.load(src=[str(news.lock_file)], request_file=str(path), verify="first")
    assert (asked(path)["parts"], asked(path)["digests"]) == ([lost], sorted(DIGESTS[:3]))
