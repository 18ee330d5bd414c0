# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Bundles are loaded in any order whose requirements are met, and nothing is changed while one is not."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest

from ansible_collections.airgap.images.plugins.module_utils._archive.request import Request, write_request
from ansible_collections.airgap.images.plugins.module_utils._base.errors import Interrupted, OptionError
from ansible_collections.airgap.images.plugins.module_utils._base.size import format_size
from ansible_collections.airgap.images.plugins.module_utils._load.result import Result
from ansible_collections.airgap.images.plugins.module_utils._load.verify import LostParts
from ansible_collections.airgap.images.plugins.module_utils._source.archive import Archive
from ansible_collections.airgap.images.plugins.module_utils._source.errors import SourceGone
from ansible_collections.airgap.images.tests.support.stand_in_answers import Answer, error
from ansible_collections.airgap.images.tests.support.stand_in_harbor import ADMIN, StandInHarbor
from ansible_collections.airgap.images.tests.support.stand_in_registry import StandInRegistry
from ansible_collections.airgap.images.tests.support.stand_in_store import (
    ALL,
    CRANE,
    DISTRIBUTION_2,
    DISTRIBUTION_3,
)
from ansible_collections.airgap.images.tests.unit.bundles import (
    DIGESTS,
    FEBRUARY,
    JANUARY,
    LAYERS,
    MARCH,
    bundle,
    full,
)
from ansible_collections.airgap.images.tests.unit.carried import Carried
from ansible_collections.airgap.images.tests.unit.load_scene import Scene, gaps

WRITES = ("POST", "PUT", "PATCH", "DELETE")


class Months:
    """A full archive of January, a bundle of February that rests on it, and one of March that rests on that."""

    def __init__(self, folder: Path, form: str = "gzip in parts") -> None:
        self.full = full(folder, JANUARY, form, "jan")
        self.february = bundle(folder, FEBRUARY, self.full, form=form, name="feb")
        self.march = bundle(folder, MARCH, self.february, form=form, name="mar")

    def src(self, *months: str) -> list[str]:
        named = {"jan": self.full, "feb": self.february, "mar": self.march}
        return [str(named[month].lock_file) for month in months]


@pytest.fixture(scope="module")
def months(tmp_path_factory: pytest.TempPathFactory) -> Months:
    """Must not be written to."""
    return Months(tmp_path_factory.mktemp("months"))


@pytest.fixture
def scene(request: pytest.FixtureRequest) -> Iterator[Scene]:
    """The manners of the registry are the parameter."""
    with StandInRegistry(getattr(request, "param", DISTRIBUTION_2)) as registry:
        yield Scene(registry, "")


def tags(scene: Scene) -> dict[str, str]:
    return {f"{repository}:{tag}": digest for (repository, tag), digest in scene.registry.store.tags.items()}


def written(scene: Scene) -> list[str]:
    return [line for line in scene.asked if line.partition(" ")[0] in WRITES]


def loaded(result: Result) -> Result:
    assert not result.is_failure, result.sentence(check=False)
    return result


def mounts(scene: Scene) -> list[tuple[str, str]]:
    queries = [parse_qs(each.query) for each in scene.registry.requests()[scene.seen :] if "mount=" in each.query]
    return [(each["from"][0], each["mount"][0]) for each in queries]


@pytest.mark.parametrize("order", [*itertools.permutations(["jan", "feb", "mar"])], ids="-".join)
def test_all_at_once_in_any_order(months: Months, scene: Scene, order: tuple[str, ...]) -> None:
    """The newest archive of the chain counts, whatever is named first."""
    loaded(scene.load(src=months.src(*order)))
    assert tags(scene) == MARCH.tags
    assert gaps(scene.registry) == []
    scene.forget()
    assert not loaded(scene.load(src=months.src(*order))).changed
    assert {*scene.asked} == {"HEAD manifest"}


@pytest.mark.parametrize("scene", ALL.values(), ids=ALL, indirect=True)
def test_one_after_the_other(months: Months, scene: Scene) -> None:
    for month, wanted in (("jan", JANUARY), ("feb", FEBRUARY), ("mar", MARCH), ("mar", MARCH)):
        loaded(scene.load(src=months.src(month)))
        assert {name: tags(scene)[name] for name in wanted.tags} == wanted.tags
        assert gaps(scene.registry) == []


def test_what_is_left_out_is_mounted_and_not_sent(months: Months, scene: Scene) -> None:
    scene.load(src=months.src("jan"))
    sent = scene.registry.sent()
    scene.forget()
    result = loaded(scene.load(src=months.src("feb")))
    assert ("b", DIGESTS[2]) in mounts(scene), "which c needs"
    assert result.stats.bytes_pushed == scene.registry.sent() - sent
    assert result.stats.bytes_pushed < len(LAYERS[3]) + len(LAYERS[4]) + 1000


@pytest.mark.parametrize("scene", [DISTRIBUTION_2, DISTRIBUTION_3, CRANE], ids=["2", "3", "crane"], indirect=True)
def test_where_nothing_is_mounted_it_is_copied_within_the_registry(months: Months, scene: Scene) -> None:
    scene.load(src=months.src("jan"))
    scene.registry.store.manners = type(scene.registry.store.manners)(
        **{**vars(scene.registry.store.manners), "mounts": False}
    )
    loaded(scene.load(src=months.src("feb")))
    assert tags(scene) == FEBRUARY.tags
    assert gaps(scene.registry) == []
    assert any(each.method == "GET" and each.kind == "blob" for each in scene.registry.requests()) or (
        scene.registry.store.manners.shares
    )


def test_bytes_that_are_wrong_there_are_not_copied(months: Months, scene: Scene) -> None:
    scene.load(src=months.src("jan"))
    store = scene.registry.store
    store.manners = type(store.manners)(**{**vars(store.manners), "mounts": False})
    store.blobs[DIGESTS[2]] = b"x" * len(LAYERS[2])
    result = scene.load(src=months.src("feb"))
    assert {str(one.target.repository).rpartition("/")[2]: one.action for one in result.images if one.target} == {
        "a": "pushed",
        "b": "present",
        "c": "failed",
    }
    assert "came with other bytes than its digest names" in result.causes[0].sentence
    assert "c:1" not in tags(scene)


@pytest.mark.parametrize("check", [False, True], ids=["run", "check"])
def test_without_its_base_nothing_is_changed(months: Months, scene: Scene, tmp_path: Path, check: bool) -> None:
    path = tmp_path / "site.request.json"
    result = scene.load(src=months.src("feb"), request_file=str(path), check=check)
    assert (result.is_failure, written(scene), result.changed) == (True, [], True)
    assert {one.digest: one.size for one in result.lacking} == {
        DIGESTS[number]: len(LAYERS[number]) for number in (0, 1, 2)
    }
    told = result.sentence(check=check)
    total = format_size(sum(len(LAYERS[number]) for number in (0, 1, 2)))
    first = result.lacking[0]
    place = scene.registry.host
    assert told.startswith(
        f"3 images need 3 blobs ({total}) that neither {place} nor an archive in src has, so nothing"
    )
    assert f"loaded: {first.digest} ({format_size(first.size)}, carried by jan.tar.gz in jan.tar.gz.part" in told
    assert f"needed by {', '.join(first.images)}; 2 more in lacking of the result. Load " in told
    assert [digest for digest in DIGESTS if digest in told] == [first.digest] and "another target" not in told
    by_digest = {one.digest: (one.carrier, one.images) for one in result.lacking}
    assert by_digest[DIGESTS[2]] == ("jan.tar.gz", ("reg.lan/b:1", "reg.lan/c:1"))
    assert "Load jan.tar.gz first, or with this in one src" in told
    assert f"or carry {path} out, for a bundle of what is missing" in told
    assert "or save a full archive, without since" in told
    assert path.exists() is not check
    if not check:
        asked = json.loads(path.read_bytes())
        assert asked["archive"] == "feb.tar.gz"
        assert asked["digests"] == sorted(DIGESTS[:3])
        assert asked["parts"] == []
        assert asked["lock_sha256"] == hashlib.sha256(months.february.lock_file.read_bytes()).hexdigest()


def test_the_request_is_gone_when_nothing_is_lacking(months: Months, scene: Scene, tmp_path: Path) -> None:
    path = tmp_path / "site.request.json"
    wanted: dict[str, Any] = {"src": months.src("feb", "jan"), "request_file": str(path)}
    assert scene.load(src=months.src("feb"), request_file=str(path)).fulfilled == ()
    assert path.exists()
    assert not scene.load(src=months.src("feb"), request_file=str(path)).changed
    assert scene.load(**wanted, check=True).fulfilled == (), "that is not known beforehand"
    result = scene.load(**wanted)
    loaded(result)
    assert not path.exists()
    locks = [one.lock_file.read_bytes() for one in (months.full, months.february)]
    assert result.fulfilled == tuple(sorted(hashlib.sha256(raw).hexdigest() for raw in locks))
    for check in (True, False):
        again = scene.load(**wanted, check=check)
        assert (again.changed, again.fulfilled) == (False, result.fulfilled)


@pytest.mark.parametrize("lost", range(3))
def test_a_blob_that_was_collected_is_noticed(months: Months, scene: Scene, lost: int) -> None:
    """Unless another repository has it, or another archive in src."""
    scene.load(src=months.src("jan"))
    store = scene.registry.store
    store.links -= {(repository, digest) for repository, digest in store.links if digest == DIGESTS[lost]}
    before = dict(store.tags)
    scene.forget()
    result = scene.load(src=months.src("feb"))
    assert [one.digest for one in result.lacking] == [DIGESTS[lost]]
    assert (written(scene), store.tags) == ([], before)
    loaded(scene.load(src=months.src("feb", "jan")))
    assert tags(scene) == FEBRUARY.tags
    assert set(gaps(scene.registry)) <= {f"b:1 lacks {DIGESTS[lost]}"}, "as its tag was not to be moved"


def test_a_home_is_found_by_the_documents_of_images_that_are_there(
    months: Months, scene: Scene, tmp_path: Path
) -> None:
    """Where the repositories in the lock file do not have it."""
    scene.load(src=months.src("jan"))
    wrong = bundle(tmp_path, FEBRUARY, months.full)
    requires = {
        digest: type(one)(one.size, ("reg.lan/nowhere",), one.archive, one.parts)
        for digest, one in wrong.lock.requires.items()
    }
    wrong.write_lock(requires=requires)
    loaded(scene.load(src=[str(wrong.lock_file)]))
    assert gaps(scene.registry) == []


def test_repositories_of_others_are_passed_over(months: Months, scene: Scene, tmp_path: Path) -> None:
    scene.registry.answer("HEAD", "blob", Answer(403))
    result = scene.load(src=months.src("feb"))
    assert len(result.lacking) == 3
    assert written(scene) == []


def test_a_registry_that_does_not_say_is_not_written_to(months: Months, scene: Scene) -> None:
    scene.registry.answer("HEAD", "blob", Answer(500))
    assert len(scene.load(src=months.src("feb")).lacking) == 3
    assert written(scene) == []


def test_another_target_is_told_last(months: Months, scene: Scene, tmp_path: Path) -> None:
    receipt = tmp_path / "site.receipt.json"
    scene.load(src=months.src("jan"), receipt=str(receipt))
    before = receipt.read_bytes()
    result = scene.load(src=months.src("feb"), receipt=str(receipt), registry=f"{scene.registry.host}/mirror")
    end = f". The load of {receipt} had another target: if this one is not meant, correct registry, keep_registry or"
    assert f"without since{end} rewrites" in result.sentence(check=False)
    assert receipt.read_bytes() == before
    told = scene.load(src=months.src("feb"), receipt=str(receipt), exclude=["reg.lan/c"]).sentence(check=False)
    assert "another target" not in told


def test_what_has_the_name_of_a_base_but_other_bytes_is_refused(months: Months, scene: Scene, tmp_path: Path) -> None:
    other = full(tmp_path, MARCH, name="jan")
    with pytest.raises(
        OptionError,
        match=r"out/jan\.tar\.gz\.lock\.json has the name of the archive that .*feb\.tar\.gz\.lock\.json rests on",
    ):
        scene.load(src=[*months.src("feb"), str(other.lock_file)])
    assert scene.registry.requests() == []
    loaded(scene.load(src=[*months.src("feb", "jan"), str(other.lock_file)], exclude=["reg.lan/d"]))


@pytest.mark.parametrize("form", ["gzip level 6", "dir", "none in parts", "zstd in parts"])
def test_bundles_of_every_form(tmp_path: Path, scene: Scene, form: str) -> None:
    """Those without offsets are read in one pass, as are the archives that they rest on."""
    found = Months(tmp_path, form)
    loaded(scene.load(src=found.src("mar", "feb", "jan")))
    assert tags(scene) == MARCH.tags
    assert gaps(scene.registry) == []
    assert scene.registry.sent() == sum(len(data) for data in scene.registry.store.blobs.values())


def test_two_sites_with_other_bases(tmp_path: Path) -> None:
    """Each has what the other has not, and takes the bundle that is made for it."""
    for base, wanted in ((JANUARY, MARCH), (FEBRUARY, MARCH)):
        folder = tmp_path / str(len(base.samples))
        first = full(folder, base, name="full")
        news = bundle(folder, wanted, first)
        with StandInRegistry(DISTRIBUTION_2) as registry:
            scene = Scene(registry, first.lock_file)
            scene.load()
            loaded(scene.load(src=[str(news.lock_file)]))
            assert tags(scene) == wanted.tags
            assert gaps(registry) == []


def test_check_mode_foresees_a_load_of_bundles(months: Months, scene: Scene) -> None:
    scene.load(src=months.src("jan"))
    foreseen = scene.load(src=months.src("mar", "feb"), check=True)
    real = scene.load(src=months.src("mar", "feb"))
    figures = [{name: value for name, value in vars(one.stats).items() if "s_" in name} for one in (foreseen, real)]
    assert figures[0] == figures[1]
    assert [one.action for one in foreseen.images] == [one.action for one in real.images]


def test_no_project_is_created_while_something_is_lacking(months: Months) -> None:
    with StandInHarbor() as harbor:
        scene = Scene(harbor, "")
        rules = [{"from": f"reg.lan/{name}", "to": f"library/{name}"} for name in "ab"]
        rules.append({"from": "reg.lan/c", "to": "team/c"})
        wanted: dict[str, Any] = {
            "rewrites": rules,
            "username": ADMIN[0],
            "password": ADMIN[1],
            "create_projects": True,
        }
        result = scene.load(src=months.src("feb"), **wanted)
        assert len(result.lacking) == 3
        assert ([*harbor.projects], result.projects_created, written(scene)) == (["library"], (), [])
        scene.load(src=months.src("jan"), **wanted)
        foreseen = scene.load(src=months.src("feb"), check=True, **wanted)
        assert (foreseen.projects_created, [*harbor.projects]) == (("team",), ["library"])
        scene.forget()
        result = loaded(scene.load(src=months.src("feb"), **wanted))
        assert ([*harbor.projects], result.projects_created) == (["library", "team"], ("team",))
        assert ("library/b", DIGESTS[2]) in mounts(scene)
        assert gaps(harbor) == []


def test_an_image_whose_project_cannot_be_created_fails_alone(months: Months) -> None:
    with StandInHarbor() as harbor:
        scene = Scene(harbor, "")
        rules = [
            {"from": f"reg.lan/{name}", "to": f"{place}/{name}"}
            for name, place in zip("abc", ["library"] * 2 + ["team"])
        ]
        wanted: dict[str, Any] = {
            "rewrites": rules,
            "username": ADMIN[0],
            "password": ADMIN[1],
            "create_projects": True,
        }
        harbor.answer("POST", "api", error(403, "FORBIDDEN", "Only system admin can create project"))
        result = scene.load(src=months.src("feb", "jan"), **wanted)
        assert [one.action for one in result.images] == ["pushed", "pushed", "failed"]
        assert "did not let user 'admin' create the project team" in result.failed[0].reason


def parts_of(carried: Carried, digest: str) -> list[Path]:
    root = carried.dest if carried.dest.is_dir() else carried.dest.parent
    return [root / name for name in carried.open().part_of(digest)]


@pytest.mark.parametrize("verify", ["while", "first"])
def test_damaged_parts_are_asked_for(tmp_path: Path, scene: Scene, verify: str) -> None:
    """Those of the bundle and those of its base; the rest is loaded."""
    found = Months(tmp_path)
    path = tmp_path / "site.request.json"
    of_base, of_news = parts_of(found.full, DIGESTS[1])[0], parts_of(found.february, DIGESTS[4])[-1]
    of_base.write_bytes(bytes(of_base.stat().st_size))
    of_news.unlink()
    wanted: dict[str, Any] = {"src": found.src("feb", "jan"), "request_file": str(path), "verify": verify}
    if verify == "first":
        changes = []
        for check in (True, False, False):
            with pytest.raises(LostParts, match="Nothing was loaded") as caught:
                scene.load(**wanted, check=check)
            assert len(caught.value.requests) == 2 and caught.value.requests[0] == str(path)
            assert ("with its option request" in str(caught.value)) is not check
            changes.append((caught.value.changed, path.exists()))
        assert changes == [(True, False), (True, True), (False, True)]
        assert scene.registry.requests() == []
    else:
        result = scene.load(**wanted)
        assert {"a:1", "c:1"}.isdisjoint(tags(scene))
        assert "with its option request" in result.sentence(check=False)
        assert {*result.requests} == {str(one) for one in tmp_path.glob("site*")}
    asked = {
        each["archive"]: each["parts"] for each in map(json.loads, (one.read_bytes() for one in tmp_path.glob("site*")))
    }
    names = {"jan.tar.gz": found.full, "feb.tar.gz": found.february}
    assert {(name, names[name].lock.parts[number].name) for name, numbers in asked.items() for number in numbers} == {
        ("jan.tar.gz", of_base.name),
        ("feb.tar.gz", of_news.name),
    }


@pytest.mark.parametrize("form", ["gzip in parts", "dir"])
def test_a_part_that_is_not_there_carries_nothing(tmp_path: Path, scene: Scene, form: str) -> None:
    """So nothing is begun, although the lock file that names it is in src."""
    found = Months(tmp_path, form)
    parts_of(found.full, DIGESTS[2])[-1].unlink()
    result = scene.load(src=found.src("feb", "jan"))
    assert {one.digest for one in result.lacking} >= {DIGESTS[2]}
    assert (written(scene), result.changed) == ([], False)


def test_a_request_for_another_archive_is_left(months: Months, scene: Scene, tmp_path: Path) -> None:
    path = tmp_path / "site.request.json"
    path.write_bytes(write_request(Request("old.tar.gz", 64 * "d", (3,))))
    before = path.read_bytes()
    assert loaded(scene.load(src=months.src("jan"), request_file=str(path))).requests == ()
    assert path.read_bytes() == before
    assert not scene.load(src=months.src("jan"), request_file=str(path), check=True).changed


def test_a_request_stays_while_images_fail_for_another_reason(tmp_path: Path, scene: Scene) -> None:
    """The registry does not take the image whose part is damaged, so that nobody reads it."""
    found = Months(tmp_path)
    path = tmp_path / "site.request.json"
    damaged = parts_of(found.full, DIGESTS[0])[0]
    damaged.write_bytes(bytes(damaged.stat().st_size))
    scene.load(src=found.src("jan"), request_file=str(path))
    before = path.read_bytes()
    scene.registry.answer("HEAD", "manifest", error(403, "DENIED", "not now"))
    for check in (True, False):
        result = scene.load(src=found.src("jan"), request_file=str(path), check=check)
        assert result.is_failure and not result.changed
        assert path.read_bytes() == before


def test_a_request_stays_where_the_stick_goes_away_while_it_is_made(
    tmp_path: Path, scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = Months(tmp_path)
    path = tmp_path / "site.request.json"
    damaged = parts_of(found.full, DIGESTS[0])[0]
    damaged.write_bytes(bytes(damaged.stat().st_size))
    scene.load(src=found.src("jan"), request_file=str(path))
    before = path.read_bytes()

    def gone(_self: Archive, _names: object) -> frozenset[str]:
        raise SourceGone("the stick is gone")

    monkeypatch.setattr(Archive, "wrong_among", gone)
    assert scene.load(src=found.src("jan"), request_file=str(path)).is_failure
    assert path.read_bytes() == before


def test_a_run_that_is_stopped_while_it_looks_for_damage_says_so(
    tmp_path: Path, scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = Months(tmp_path)
    damaged = parts_of(found.full, DIGESTS[0])[0]
    damaged.write_bytes(bytes(damaged.stat().st_size))

    def stopped(_self: Archive, _names: object) -> frozenset[str]:
        raise Interrupted("stopped")

    monkeypatch.setattr(Archive, "wrong_among", stopped)
    with pytest.raises(Interrupted) as caught:
        scene.load(src=found.src("jan"), request_file=str(tmp_path / "site.request.json"))
    assert caught.value.changed is (written(scene) != [])
