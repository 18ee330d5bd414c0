# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Loads of whole archives into a registry that says what came: what arrives, what is asked, and what is said."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest

from ansible_collections.airgap.images.plugins.module_utils._base.errors import ImagesError, OptionError
from ansible_collections.airgap.images.plugins.module_utils._load.result import Result
from ansible_collections.airgap.images.plugins.module_utils._oci.descriptor import digest_of
from ansible_collections.airgap.images.plugins.module_utils._source.errors import SourceError
from ansible_collections.airgap.images.tests.support.stand_in_answers import MEASURED, Answer, error
from ansible_collections.airgap.images.tests.support.stand_in_registry import StandInRegistry
from ansible_collections.airgap.images.tests.support.stand_in_store import ALL, CRANE, DISTRIBUTION_2, DISTRIBUTION_3
from ansible_collections.airgap.images.tests.unit.carried import (
    FORMS,
    IMAGES,
    LONG,
    ONE,
    SMALL,
    THREE,
    TWO,
    Carried,
    carry,
    change,
)
from ansible_collections.airgap.images.tests.unit.load_scene import Scene, gaps

WANTED = {f"{name}:1": digest for name, digest in (("a", IMAGES[0][0].digest), ("b", IMAGES[1][0].digest))}
WANTED["c:1"] = THREE.image.digest
ALL_BLOBS = {digest for sample in (ONE, TWO, THREE) for digest in sample.blobs if digest != sample.image.digest}


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Carried:
    """An archive in parts. It must not be written to."""
    return carry(tmp_path_factory.mktemp("archive"))


@pytest.fixture
def own(archive: Carried, tmp_path: Path) -> Carried:
    """A copy of it."""
    shutil.copytree(archive.dest.parent, tmp_path / "own")
    return replace(archive, dest=tmp_path / "own" / archive.dest.name)


@pytest.fixture
def scene(request: pytest.FixtureRequest, archive: Carried) -> Iterator[Scene]:
    """The manners of the registry are the parameter."""
    with StandInRegistry(getattr(request, "param", DISTRIBUTION_2)) as registry:
        yield Scene(registry, archive.lock_file)


def tags(scene: Scene) -> dict[str, str]:
    return {f"{repository}:{tag}": digest for (repository, tag), digest in scene.registry.store.tags.items()}


def actions(result: Result) -> dict[str, str]:
    return {one.reference.repository: one.action for one in result.images}


def reasons(result: Result) -> dict[str, str]:
    return {one.reference.repository: str(one.error) for one in result.images if one.error is not None}


def figures(result: Result) -> dict[str, Any]:
    stats = vars(result.stats)
    return {name: stats[name] for name in stats if name.startswith(("images", "blobs", "bytes"))}


@pytest.mark.parametrize("scene", ALL.values(), ids=ALL, indirect=True)
def test_everything_arrives_once_and_a_second_run_asks_for_tags_only(scene: Scene) -> None:
    result = scene.load()
    assert (result.is_failure, result.changed) == (False, True)
    assert tags(scene) == WANTED
    assert gaps(scene.registry) == []
    assert set(scene.registry.store.blobs) == ALL_BLOBS
    scene.forget()
    again = scene.load()
    assert (again.is_failure, again.changed) == (False, False)
    assert scene.asked == ["HEAD manifest"] * 3
    assert actions(again) == {"a": "present", "b": "present", "c": "present"}


@pytest.mark.parametrize("form", FORMS)
def test_archives_of_every_form_are_loaded(form: str, tmp_path: Path, scene: Scene) -> None:
    scene.src = carry(tmp_path, form).lock_file
    assert not scene.load().is_failure
    assert tags(scene) == WANTED
    assert gaps(scene.registry) == []
    assert scene.registry.sent() == sum(len(data) for data in scene.registry.store.blobs.values())


@pytest.mark.parametrize("form", ["gzip in parts", "zstd level 3", "none"])
def test_an_archive_without_lock_file_is_loaded(form: str, tmp_path: Path, scene: Scene) -> None:
    """Docker's list is lost in what hangar reads, so another index takes its place."""
    carried = carry(tmp_path, form)
    carried.strip_lock()
    scene.src = carried.parts[0]
    assert not scene.load().is_failure
    assert tags(scene) == WANTED
    assert gaps(scene.registry) == []


def test_a_pass_reads_nothing_if_nothing_is_needed(tmp_path: Path, scene: Scene) -> None:
    carried = carry(tmp_path, "gzip level 6")
    scene.src = carried.lock_file
    scene.load()
    for part in carried.parts[1:]:
        part.unlink()
    carried.parts[0].write_bytes(bytes(carried.parts[0].stat().st_size))
    again = scene.load()
    assert (again.is_failure, again.changed) == (False, False)


def test_no_blob_is_sent_twice_and_shared_ones_are_mounted(scene: Scene) -> None:
    result = scene.load()
    requests = scene.registry.requests()
    sent = [each.query for each in requests if (each.method, each.kind) == ("PUT", "upload")]
    mounts = [each for each in requests if each.kind == "start" and "mount=" in each.query]
    assert len(sent) == len(ALL_BLOBS) == result.stats.blobs_pushed
    assert len(mounts) == result.stats.blobs_mounted > 0
    assert scene.registry.sent() == result.stats.bytes_pushed


@pytest.mark.parametrize("form", ["gzip in parts", "none", "gzip level 6", "dir"])
def test_what_an_earlier_run_has_brought_is_mounted(form: str, tmp_path: Path, scene: Scene) -> None:
    """The manifests of images that are there say which repositories have a blob."""
    scene.src = carry(tmp_path, form).lock_file
    scene.load(images=["reg.lan/a:1"])
    scene.forget()
    result = scene.load()
    assert actions(result) == {"a": "present", "b": "pushed", "c": "pushed"}
    of_a, of_b = ({digest for sample in pair for digest in sample.blobs} for pair in ((ONE, TWO), (TWO, THREE)))
    queries = [parse_qs(each.query) for each in scene.registry.requests() if "mount=" in each.query]
    assert {each["mount"][0] for each in queries if each["from"] == ["a"]} == of_a & of_b & ALL_BLOBS
    assert result.stats.blobs_pushed == len(ALL_BLOBS - of_a)
    assert gaps(scene.registry) == []


@pytest.mark.parametrize("scene", [CRANE], ids=["crane"], indirect=True)
def test_what_cannot_be_mounted_is_not_sent_if_it_is_there(scene: Scene) -> None:
    """HEAD says so in every repository, as this registry shares its blobs."""
    assert not scene.load(jobs=1).is_failure
    assert tags(scene) == WANTED


def test_check_mode_only_asks_and_foresees_the_run(scene: Scene) -> None:
    foreseen = scene.load(check=True)
    assert {line.partition(" ")[0] for line in scene.asked} == {"HEAD"}
    assert not scene.registry.store.tags
    real = scene.load()
    assert actions(foreseen) == actions(real)
    assert figures(foreseen) == figures(real)
    assert foreseen.changed is real.changed is True
    again = scene.load(check=True)
    assert (again.changed, figures(again)) == (False, figures(scene.load()))


def test_check_mode_foresees_what_is_partly_there(scene: Scene) -> None:
    scene.load(images=["reg.lan/a:1"])
    foreseen = scene.load(check=True)
    real = scene.load()
    assert figures(foreseen) == figures(real)
    assert real.stats.blobs_mounted


@pytest.mark.parametrize("answers", [1, 2, 3])
def test_the_tag_comes_last(scene: Scene, answers: int) -> None:
    """At the first manifests, at children and at tags: whatever is refused, no tag names what is not whole."""
    scene.registry.answer("PUT", "manifest", error(500, "UNKNOWN", "no"), times=answers)
    result = scene.load(jobs=1)
    assert result.is_failure
    assert gaps(scene.registry) == []
    assert not scene.load().is_failure
    assert tags(scene) == WANTED


def test_a_tag_that_moves_is_listed(scene: Scene) -> None:
    scene.load()
    scene.registry.store.tags["b", "1"] = THREE.image.digest
    scene.registry.store.manifests["b", THREE.image.digest] = (THREE.raw, "application/vnd.oci.image.manifest.v1+json")
    result = scene.load()
    assert actions(result) == {"a": "present", "b": "tagged", "c": "present"}
    assert [(str(one.target.repository), one.before, one.digest) for one in result.moved if one.target] == [
        (f"{scene.registry.host}/b", THREE.image.digest, WANTED["b:1"])
    ]
    assert "1 tagged, 1 tag moved" in result.sentence(check=False)


@pytest.mark.parametrize(("rule", "action"), [("keep", "kept"), ("fail", "failed")])
def test_a_tag_is_left_if_that_is_wanted(scene: Scene, rule: str, action: str) -> None:
    scene.load(images=["reg.lan/c:1"], rewrites=[{"from": "reg.lan/c", "to": "b"}])
    result = scene.load(on_conflict=rule)
    assert actions(result) == {"a": "pushed", "b": action, "c": "pushed"}
    assert tags(scene)["b:1"] == THREE.image.digest
    assert result.is_failure is (rule == "fail")
    if rule == "fail":
        assert "on_conflict=replace" in reasons(result)["b"]


def test_another_load_that_is_first_is_noticed(scene: Scene) -> None:
    """Just before a tag is written, it is asked for once more."""
    store = scene.registry.store
    put = store._put_manifest

    def with_another(repository: str, name: str, asked: Any) -> Any:
        answer = put(repository, name, asked)
        if repository == "b" and ":" in name:  # a child; so the tag comes next
            store.tags["b", "1"] = name
        return answer

    store._put_manifest = with_another  # type: ignore[method-assign]
    result = scene.load(on_conflict="keep", jobs=1)
    assert actions(result) == {"a": "pushed", "b": "kept", "c": "pushed"}
    assert tags(scene)["b:1"] != WANTED["b:1"]
    assert gaps(scene.registry) == []


def test_blobs_that_vanish_meanwhile_are_sent_again(scene: Scene) -> None:
    store = scene.registry.store
    put, struck = store._put_manifest, []

    def collecting(repository: str, name: str, asked: Any) -> Any:
        if repository == "a" and not struck:
            struck.append(name)
            store.blobs.pop(digest_of(LONG))
        return put(repository, name, asked)

    store._put_manifest = collecting  # type: ignore[method-assign]
    assert not scene.load(jobs=1).is_failure
    assert tags(scene) == WANTED
    assert gaps(scene.registry) == []


def test_blobs_that_vanish_again_fail_the_image_by_name(scene: Scene) -> None:
    store = scene.registry.store
    put = store._put_manifest

    def collecting(repository: str, name: str, asked: Any) -> Any:
        if repository == "a":
            store.blobs.pop(digest_of(LONG), None)
        return put(repository, name, asked)

    store._put_manifest = collecting  # type: ignore[method-assign]
    result = scene.load(jobs=1)
    assert actions(result) == {"a": "failed", "b": "pushed", "c": "pushed"}
    assert "garbage collection" in reasons(result)["a"]
    assert set(tags(scene)) == {"b:1", "c:1"}


def test_a_registry_that_lost_something_is_repaired_if_asked(scene: Scene) -> None:
    scene.load()
    store = scene.registry.store
    store.blobs.pop(digest_of(SMALL))
    assert scene.load().changed is scene.load(check_target="manifests").changed is False
    assert figures(scene.load(check_target="blobs", check=True))["blobs_pushed"] == 1
    result = scene.load(check_target="blobs")
    assert (result.stats.blobs_pushed, result.changed) == (1, True)
    assert gaps(scene.registry) == []
    store.manifests.pop(("b", TWO.image.digest))
    assert not scene.load().changed
    assert scene.load(check_target="manifests").changed
    assert gaps(scene.registry) == []
    assert not scene.load(check_target="blobs").changed


def test_with_check_target_no_blob_is_asked_for_twice(scene: Scene) -> None:
    scene.load()
    scene.forget()
    scene.load(check_target="blobs")
    asked = [each.path for each in scene.registry.requests()[scene.seen :] if each.kind == "blob"]
    assert len(asked) == len({*asked})


@pytest.mark.parametrize(
    "answer", ["distribution, read-only", "distribution, disk full", "distribution, disk full, in words"]
)
def test_a_registry_that_takes_nothing_ends_the_run_at_once(scene: Scene, answer: str) -> None:
    scene.registry.answer("POST", "start", MEASURED[answer])
    result = scene.load(jobs=1)
    assert scene.asked.count("POST start") == 1
    assert actions(result) == dict.fromkeys("abc", "failed")
    assert len({*reasons(result).values()}) == 1
    assert len(result.causes) == 1
    assert not result.changed


def test_it_ends_a_pass_over_an_old_archive_too(tmp_path: Path, scene: Scene) -> None:
    scene.src = carry(tmp_path, "gzip level 6").lock_file
    scene.registry.answer("POST", "start", MEASURED["distribution, read-only"])
    assert scene.load().is_failure
    assert scene.asked.count("POST start") == 1


def test_what_was_pushed_before_is_a_change(scene: Scene) -> None:
    """Even if the tag was refused."""
    scene.registry.answer("PUT", "manifest", error(412, "PRECONDITION", "immutable"))
    result = scene.load(images=["reg.lan/c:1"])
    assert (result.is_failure, result.changed) == (True, True)
    scene.forget()
    again = scene.load(images=["reg.lan/c:1"])
    assert (again.is_failure, again.changed) == (True, False)
    assert "may not be changed" in reasons(again)["c"]


@pytest.mark.parametrize("verify", ["while", "first"])
def test_a_damaged_part_is_named(own: Carried, scene: Scene, verify: str) -> None:
    """With ``while``, it fails the images that need it."""
    scene.src = own.lock_file
    part = own.open().part_of(digest_of(LONG))[1]
    change(own.dest.parent / part, 5000)
    if verify == "first":
        with pytest.raises(SourceError, match=rf"{part}.*Nothing was loaded"):
            scene.load(verify=verify)
        assert scene.asked == []
        return
    result = scene.load(verify=verify)
    assert actions(result) == {"a": "failed", "b": "pushed", "c": "pushed"}
    assert part in reasons(result)["a"]
    assert gaps(scene.registry) == []


@pytest.mark.parametrize("form", ["gzip in parts", "gzip level 6", "none in parts"])
def test_the_next_stick_completes_the_load(tmp_path: Path, scene: Scene, form: str) -> None:
    carried = carry(tmp_path, form)
    scene.src = carried.lock_file
    away = tmp_path / "away"
    away.mkdir()
    last = carried.parts[-1]
    shutil.move(last, away)
    first = scene.load()
    assert first.is_failure
    assert all(last.name in reason for reason in reasons(first).values())
    assert gaps(scene.registry) == []
    assert not scene.load(src=[str(carried.lock_file), str(away)]).is_failure
    assert tags(scene) == WANTED


def test_a_stick_that_goes_away_ends_the_run_without_a_receipt(own: Carried, scene: Scene, tmp_path: Path) -> None:
    """The parts vanish when the first blob arrives."""
    scene.src = own.lock_file
    store = scene.registry.store
    start = store._start

    def unplugging(repository: str, asked: Any) -> Any:
        shutil.rmtree(own.dest.parent, ignore_errors=True)
        return start(repository, asked)

    store._start = unplugging  # type: ignore[method-assign]
    receipt = tmp_path / "receipt.json"
    result = scene.load(receipt=str(receipt), jobs=1)
    assert result.is_failure
    assert len(result.causes) == 1
    assert "cannot be read any more" in result.causes[0].sentence
    assert not receipt.exists()
    assert gaps(scene.registry) == []


def test_a_damaged_blob_is_taken_from_another_archive(own: Carried, archive: Carried, scene: Scene) -> None:
    part = own.open().part_of(digest_of(LONG))[1]
    change(own.dest.parent / part, 5000)
    result = scene.load(src=[str(archive.lock_file), str(own.lock_file)])
    assert not result.is_failure, reasons(result)
    assert tags(scene) == WANTED


def test_a_lock_file_with_wrong_offsets_is_got_over(own: Carried, scene: Scene) -> None:
    scene.src = own.lock_file
    wrong = {digest: replace(offset, position=offset.position + 7) for digest, offset in own.lock.offsets.items()}
    own.write_lock(offsets=wrong)
    result = scene.load()
    assert not result.is_failure, reasons(result)
    assert gaps(scene.registry) == []


def test_a_run_that_is_stopped_says_whether_it_changed_something(scene: Scene) -> None:
    store = scene.registry.store
    put = store._put_manifest

    def stopping(repository: str, name: str, asked: Any) -> Any:
        scene.stop.request("SIGTERM")
        return put(repository, name, asked)

    store._put_manifest = stopping  # type: ignore[method-assign]
    with pytest.raises(ImagesError) as raised:
        scene.load(jobs=1)
    assert raised.value.changed
    assert gaps(scene.registry) == []


@pytest.mark.parametrize("scene", [DISTRIBUTION_3], ids=["distribution 3"], indirect=True)
def test_a_connection_that_breaks_is_resumed(scene: Scene) -> None:
    scene.registry.break_after = [300_000]
    result = scene.load(images=["reg.lan/a:1"], retries=2, jobs=1)
    assert not result.is_failure, reasons(result)
    assert gaps(scene.registry) == []


def test_a_token_that_ends_is_renewed(scene: Scene) -> None:
    scene.registry.users = {"loader": "s3cret"}
    start, count = scene.registry.store._start, []

    def ending(repository: str, asked: Any) -> Any:
        count.append(repository)
        if len(count) % 3 == 0:
            scene.registry._tokens.clear()  # whose lock is held
        return start(repository, asked)

    scene.registry.store._start = ending  # type: ignore[method-assign]
    result = scene.load(username="loader", password="s3cret", jobs=1)
    assert not result.is_failure, reasons(result)
    assert tags(scene) == WANTED
    assert not any("s3cret" in line for line in scene.log.lines)


def test_conflicting_names_are_refused_before_any_request(scene: Scene) -> None:
    rules = [{"from": "reg.lan/a", "to": "x"}, {"from": "reg.lan/b", "to": "x"}]
    with pytest.raises(OptionError, match=r"reg\.lan/a:1 and reg\.lan/b:1 would both be .*/x:1"):
        scene.load(rewrites=rules)
    assert scene.registry.requests() == []


def test_lists_choose_and_exclude(scene: Scene, tmp_path: Path) -> None:
    names = tmp_path / "names.txt"
    names.write_text("reg.lan/a:1\nreg.lan/nowhere:1\nreg.lan/c:1\n:::\n")
    result = scene.load(list_files=[str(names)], exclude=["reg.lan/c"], failed_list=str(tmp_path / "failed.txt"))
    assert set(tags(scene)) == {"a:1"}
    assert [str(one.reference) for one in result.images] == ["reg.lan/a:1", "reg.lan/nowhere:1"]
    assert [line.text for line in result.listed.invalid] == [":::"]
    lines = (tmp_path / "failed.txt").read_text().splitlines()
    assert [line for line in lines if not line.startswith("#")] == ["reg.lan/nowhere:1", ":::"]
    assert result.left_out == 2
    done = scene.load(images=["reg.lan/a:1"], failed_list=str(tmp_path / "failed.txt"))
    assert done.changed
    assert not (tmp_path / "failed.txt").exists()


@pytest.mark.parametrize("option", ["receipt", "failed_list"])
def test_a_file_of_somebody_else_is_refused_before_any_request(scene: Scene, option: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.txt"
    path.write_text("do not touch")
    with pytest.raises(ImagesError, match=f"{option}: {path}"):
        scene.load(**{option: str(path)})
    assert path.read_text() == "do not touch"
    assert scene.registry.requests() == []


def test_a_receipt_says_what_was_seen(scene: Scene, tmp_path: Path, archive: Carried) -> None:
    path = tmp_path / "receipt.json"
    first = scene.load(receipt=str(path), images=["reg.lan/a:1"])
    said = json.loads(path.read_bytes())
    assert (said["checked"], said["complete"], said["loaded"]) == ("tags", False, ["reg.lan/a:1"])
    assert [*said["locks"].values()] == [archive.lock_file.name]
    assert first.changed
    scene.load(receipt=str(path))
    before = path.read_bytes()
    said = json.loads(before)
    assert said["complete"] is True
    assert not {"loaded", "lacking"} & said.keys()
    assert scene.registry.host not in before.decode()
    assert not scene.load(receipt=str(path)).changed
    assert path.read_bytes() == before
    assert scene.load(receipt=str(path), check_target="manifests", check=True).changed
    assert path.read_bytes() == before
    assert scene.load(receipt=str(path), check_target="manifests").changed
    assert json.loads(path.read_bytes())["checked"] == "manifests"


def test_a_receipt_does_not_outlive_what_it_says(scene: Scene, tmp_path: Path) -> None:
    path = tmp_path / "receipt.json"
    scene.load(receipt=str(path))
    scene.registry.store.tags.clear()
    scene.registry.answer("POST", "start", MEASURED["distribution, read-only"])
    scene.registry.answer("PUT", "manifest", MEASURED["distribution, read-only"])
    assert scene.load(receipt=str(path)).is_failure
    said = json.loads(path.read_bytes())
    assert (said["complete"], said["loaded"]) == (False, [])


def test_no_receipt_is_written_by_a_run_that_saw_nothing(scene: Scene, tmp_path: Path) -> None:
    scene.registry.answer("PUT", "manifest", Answer(412))
    assert scene.load(receipt=str(tmp_path / "receipt.json")).is_failure
    assert [*tmp_path.glob("receipt.json")] == []
