# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What refers to images is found, read and placed behind them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Union

import pytest

from ansible_collections.airgap.images.plugins.module_utils._archive.lock import Lock
from ansible_collections.airgap.images.plugins.module_utils._base.errors import Missing, Refused, TransferError
from ansible_collections.airgap.images.plugins.module_utils._base.secrets import Secrets
from ansible_collections.airgap.images.plugins.module_utils._cache.cache import Cache
from ansible_collections.airgap.images.plugins.module_utils._host.log import Log
from ansible_collections.airgap.images.plugins.module_utils._oci.descriptor import Descriptor
from ansible_collections.airgap.images.plugins.module_utils._oci.image import FailedImage, Resolution, ResolvedImage
from ansible_collections.airgap.images.plugins.module_utils._registry.failures import Failures
from ansible_collections.airgap.images.plugins.module_utils._save import referrers as referrers_module
from ansible_collections.airgap.images.plugins.module_utils._save.decide import still_holds
from ansible_collections.airgap.images.plugins.module_utils._save.referrer_questions import ReferrerQuestions
from ansible_collections.airgap.images.plugins.module_utils._save.referrers import Referrers
from ansible_collections.airgap.images.plugins.module_utils._save.resolve import LookedUp, Resolver
from ansible_collections.airgap.images.plugins.module_utils._save.resolved_list import as_resolved_list
from ansible_collections.airgap.images.tests.support import images as built
from ansible_collections.airgap.images.tests.support import layers
from ansible_collections.airgap.images.tests.unit.fakes import FakeRegistries, make_options, requested

LAYER = layers.files_layer({"etc/one": b"1"})
APP = "reg.lan/app"
AMD64, ARM64 = built.build_image([LAYER]), built.build_image([LAYER], platform=built.ARM64)
INDEX = built.build_index([AMD64, ARM64])
Item = Union[built.Image, built.Index]


def artefact(kind: str, subject: Item | None = None, *, platform: built.Platform | None = None) -> built.Image:
    if platform is not None:
        item = built.build_image([layers.files_layer({"kind": kind.encode()})], platform=platform)
    else:
        item = built.build_artifact([layers.Layer(kind.encode(), layers.PLAIN, "")], b"{}", f"x/{kind}")
    return item if subject is None else replace(item, raw=about(item.raw, subject))


def about(raw: bytes, subject: Item) -> bytes:
    named = {"mediaType": subject.media_type, "digest": subject.digest, "size": len(subject.raw)}
    return built.encode({**json.loads(raw), "subject": named})


def tag(subject: Item, end: str = "") -> str:
    return f"sha256-{subject.digest[7:]}{end}"


def describe(item: Item) -> Descriptor:
    return Descriptor(item.media_type, item.digest, len(item.raw))


class Scene:
    """A repository, and what a run finds in it."""

    def __init__(self, cache: Cache) -> None:
        self.registries = FakeRegistries()
        self.cache = cache
        self.log = Log(debug=True)

    def push(self, item: Item, name: str) -> None:
        self.registries.push(f"{APP}:{name}", item)

    def add(self, *items: Item) -> None:
        """Put items where they have no tag."""
        for item in items:
            self.registries._add(item)

    def put_list(self, subject: Item, *items: Item) -> None:
        """What a client does whose registry keeps no lists."""
        self.add(*items)
        entries = [{"mediaType": each.media_type, "digest": each.digest, "size": len(each.raw)} for each in items]
        raw = built.encode({"schemaVersion": 2, "mediaType": built.OCI_INDEX, "manifests": entries})
        self.registries.push_raw(f"{APP}:{tag(subject)}", raw, built.OCI_INDEX)

    def keep_list(self, subject: Item, *items: Item) -> None:
        """What a registry does that keeps lists."""
        self.registries.keeps_lists = True
        self.add(*items)
        self.registries.lists[subject.digest] = tuple(map(describe, items))

    def resolve(self, *names: str, **options: Any) -> list[Resolution]:
        looked_up, resolver, finder = self._tools(names, options)
        return finder.resolve(resolver.resolve(looked_up))

    def holds(self, lock: Lock, *names: str) -> bool:
        """Look up again, and compare with a lock file."""
        looked_up, _resolver, finder = self._tools(names, {})
        return still_holds(lock, finder.look_up(looked_up, lock), lock.options)

    def _tools(self, names: Sequence[str], options: Any) -> tuple[list[LookedUp], Resolver, Referrers]:
        self.registries.asked.clear()
        selection = make_options(**options).selection
        failures = Failures(Secrets(), self.registries.outages)
        client: Any = self.registries
        resolver = Resolver(client, self.cache, self.log, selection, failures, keep=True, timeout=60)
        images = [requested(f"{APP}:{name}", number) for number, name in enumerate(names or ["1"], start=1)]
        finder = Referrers(ReferrerQuestions(client), resolver, failures, self.log, timeout=60)
        return resolver.look_up(images), resolver, finder


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    cache = Cache(str(tmp_path / "cache"))
    with cache.opened(0):
        found = Scene(cache)
        found.push(INDEX, "1")
        yield found


def names(resolutions: Sequence[Resolution]) -> list[str]:
    return [str(one.listed.reference).removeprefix(APP) for one in resolutions]


def notes(resolutions: Sequence[Resolution]) -> tuple[str, ...]:
    [image] = [one for one in resolutions if not one.listed.behind]
    assert isinstance(image, ResolvedImage), image
    return image.notes


def by_digest(*items: Item) -> list[str]:
    return [f"@{item.digest}" for item in items]


SBOM, SCAN = artefact("sbom", INDEX), artefact("scan", ARM64)
OF_SBOM = artefact("signature", SBOM)
SIGNATURE, ATTESTATION = artefact("sig"), artefact("att")


@pytest.mark.parametrize("keeps_lists", [False, True])
def test_all_kinds_level_by_level(scene: Scene, keeps_lists: bool) -> None:
    put = scene.keep_list if keeps_lists else scene.put_list
    put(INDEX, SBOM)
    put(ARM64, SCAN)
    put(SBOM, OF_SBOM)
    scene.push(SIGNATURE, tag(INDEX, ".sig"))
    scene.push(ATTESTATION, tag(AMD64, ".att"))
    found = scene.resolve()
    assert names(found) == [
        ":1",
        *by_digest(SBOM),
        f":{tag(INDEX, '.sig')}",
        f":{tag(AMD64, '.att')}",
        *by_digest(SCAN, OF_SBOM),
    ]
    assert [one.listed.refers_to for one in found] == [
        "",
        INDEX.digest,
        INDEX.digest,
        AMD64.digest,
        ARM64.digest,
        SBOM.digest,
    ]
    assert [one.listed.number for one in found] == [1, 2, 3, 4, 5, 6]
    assert [one.listed.place for one in found] == sorted(one.listed.place for one in found)
    asked = scene.registries.asked
    assert asked.count(f"GET tags {APP}") == 1
    assert sum(line.startswith("GET referrers") for line in asked) == (8 if keeps_lists else 1)
    assert notes(found) == ()
    lock = as_resolved_list(found, {}).lock
    assert [(one.refers_to, one.artifact_type) for one in lock.images[:2]] == [("", ""), (INDEX.digest, "x/sbom")]


def test_what_stays_holds_and_what_is_new_or_gone_is_noticed(scene: Scene) -> None:
    scene.keep_list(INDEX, SBOM)
    lock = as_resolved_list(scene.resolve(), {}).lock
    assert scene.holds(lock)
    assert not [line for line in scene.registries.asked if line.startswith("GET reg.lan")]
    scene.keep_list(SBOM, OF_SBOM)
    assert not scene.holds(lock)
    scene.keep_list(SBOM)
    assert scene.holds(lock)
    scene.push(SIGNATURE, tag(ARM64, ".sig"))
    signed = as_resolved_list(scene.resolve(), {}).lock
    assert not scene.holds(lock)
    assert scene.holds(signed)
    scene.push(ATTESTATION, tag(ARM64, ".sig"))
    assert not scene.holds(signed)
    scene.keep_list(INDEX)
    assert not scene.holds(lock)


def test_platforms_make_no_difference(scene: Scene) -> None:
    claims = artefact("claims", INDEX, platform=built.WINDOWS_2019)
    unwanted = (built.ARM_V7, built.WINDOWS_2022)
    whole = built.build_index([built.build_image([LAYER], platform=each) for each in unwanted])
    whole = replace(whole, raw=about(whole.raw, INDEX))
    scene.keep_list(INDEX, claims, whole)
    found = scene.resolve(arch=["amd64", "arm64"], os=["linux"])
    assert sorted(names(found)[1:]) == sorted(by_digest(claims, whole))
    [index] = [one for one in found if one.digest == whole.digest]
    assert isinstance(index, ResolvedImage) and index.is_whole and index.notes == ()
    children = [child for one in found if isinstance(one, ResolvedImage) for child in one.children]
    assert [child.is_referrer for child in children] == [False, False, True, True, True]


def test_a_circle_of_tags_ends(scene: Scene) -> None:
    first, second = artefact("first"), artefact("second")
    scene.push(first, tag(INDEX, ".sig"))
    scene.push(second, tag(first, ".sig"))
    scene.push(first, tag(second, ".sig"))
    scene.push(INDEX, tag(second, ".att"))
    scene.push(INDEX, tag(INDEX, ".att"))
    tags = [f":{tag(each, '.sig')}" for each in (INDEX, first, second)]
    assert names(scene.resolve()) == [":1", *tags]


def test_what_two_images_have_comes_once(scene: Scene) -> None:
    other = built.build_index([ARM64])
    scene.push(INDEX, "2")
    scene.push(other, "3")
    scene.put_list(INDEX, SBOM)
    scene.put_list(ARM64, SCAN)
    found = scene.resolve("1", "2", "3")
    assert names(found) == [":1", *by_digest(SBOM, SCAN), ":2", ":3"]
    assert [one.listed.number for one in found] == [1, 4, 5, 2, 3]


def test_what_the_list_names_stays_in_its_place(scene: Scene) -> None:
    scene.push(SIGNATURE, tag(INDEX, ".sig"))
    found = scene.resolve("1", tag(INDEX, ".sig"))
    assert names(found) == [":1", f":{tag(INDEX, '.sig')}"]
    assert found[1].listed.refers_to == ""


@pytest.mark.parametrize("limit", ["MAX_REFERRERS", "MAX_REFERRER_DEPTH"])
def test_too_many_and_too_deep(scene: Scene, monkeypatch: pytest.MonkeyPatch, limit: str) -> None:
    chain = [artefact("0", INDEX)]
    for number in range(1, 4):
        chain.append(artefact(str(number), chain[-1]))
    for subject, item in zip([INDEX, *chain], chain):
        scene.keep_list(subject, item)
    assert len(scene.resolve()) == 5
    monkeypatch.setattr(referrers_module, limit, 3)
    [failed] = scene.resolve()
    assert isinstance(failed, FailedImage)
    assert "which is refused; referrers=none saves it without them" in failed.reason
    monkeypatch.setattr(referrers_module, limit, 4)
    assert len(scene.resolve()) == 5


def test_lies_and_gaps_are_left_out_and_noted(scene: Scene) -> None:
    lie, gone, broken = artefact("lie", AMD64), artefact("gone", INDEX), artefact("broken", INDEX)
    schema1 = replace(broken, raw=b'{"schemaVersion": 1}')
    nested = built.build_index([built.Entry(built.build_index([AMD64]), built.AMD64)])  # type: ignore[arg-type]
    nested = replace(nested, raw=about(nested.raw, INDEX))
    scene.keep_list(INDEX, SBOM, lie, gone, schema1, nested)
    del scene.registries.manifests[gone.digest]
    found = scene.resolve()
    assert names(found) == [":1", *by_digest(SBOM)]
    assert len(notes(found)) == 4
    assert f"without the artefact {gone.digest}, which refers to it: its registry does not have it" in notes(found)
    lied = f"without the artefact {lie.digest}, which refers to it: what its registry sends under that digest is broken"
    assert lied in notes(found)
    assert any("does not refer to" in line for line in scene.log.lines)


def test_many_notes_are_cut_short(scene: Scene) -> None:
    scene.keep_list(INDEX, *(artefact(str(number), AMD64) for number in range(8)))
    assert notes(scene.resolve())[5:] == ("without 3 more that refer to it, for such reasons",)


def test_a_referrer_that_cannot_be_had_now_fails_by_its_own_name(scene: Scene) -> None:
    scene.keep_list(INDEX, SBOM)
    error = TransferError("503", heals=False)
    scene.registries.failures[f"GET {APP}@{SBOM.digest}"] = error
    found = scene.resolve()
    assert names(found) == [":1", *by_digest(SBOM)]
    assert isinstance(found[1], FailedImage)
    assert found[1].error is error and found[1].listed.origin == found[0].listed.origin


@pytest.mark.parametrize("question", [f"GET tags {APP}", f"GET referrers {INDEX.digest}"])
def test_an_image_fails_if_nobody_says_what_refers_to_it(scene: Scene, question: str) -> None:
    scene.registries.failures[question] = TransferError("503", heals=False)
    [failed] = scene.resolve()
    assert isinstance(failed, FailedImage) and failed.reason == "503"
    lock = as_resolved_list(scene.resolve(), {}).lock
    scene.registries.failures[question] = TransferError("503", heals=False)
    assert not scene.holds(lock)
    assert scene.holds(lock)


def test_what_refers_to_an_image_that_failed_is_left_out(scene: Scene) -> None:
    scene.keep_list(INDEX, SBOM)
    found = scene.resolve()
    failed = FailedImage(found[0].listed, TransferError("no", heals=False))
    images = as_resolved_list([failed, *found[1:]], {})
    assert (images.resolved, images.failed) == ([], (failed,))


def test_a_registry_that_refuses_lists_has_tags(scene: Scene) -> None:
    scene.push(SIGNATURE, tag(INDEX, ".sig"))
    scene.put_list(INDEX, SBOM)
    for subject in (INDEX, AMD64, ARM64, SBOM, SIGNATURE):
        scene.registries.failures[f"GET referrers {subject.digest}"] = Refused("403", heals=False)
    found = scene.resolve()
    assert names(found) == [":1", *by_digest(SBOM), f":{tag(INDEX, '.sig')}"]
    assert notes(found) == ("reg.lan refuses to list what refers to it, so that only tags were asked for",)


@pytest.mark.parametrize("is_reached", [False, True])
def test_a_registry_that_lists_no_tags_is_asked_for_each(scene: Scene, is_reached: bool) -> None:
    """So is one that skopeo is asked for, which gives no lists of referrers either."""
    scene.registries.lists_tags = False
    scene.registries.reaches_lists = is_reached
    scene.push(SIGNATURE, tag(INDEX, ".sig"))
    scene.put_list(INDEX, SBOM)
    found = scene.resolve()
    assert names(found) == [":1", *by_digest(SBOM), f":{tag(INDEX, '.sig')}"]
    asked = scene.registries.asked
    assert sum(line.startswith("GET referrers") for line in asked) == is_reached
    tries = [line for line in asked if f"GET {APP}@sha256-{ARM64.digest[7:]}" in line]
    assert len(tries) == 4


@pytest.mark.parametrize("raw", [SIGNATURE.raw, b"<html>"])
def test_something_else_under_the_tag_of_a_list(scene: Scene, raw: bytes) -> None:
    scene.registries.push_raw(f"{APP}:{tag(INDEX)}", raw, built.OCI_MANIFEST)
    found = scene.resolve()
    assert names(found) == [":1"]
    assert notes(found) == (f"{tag(INDEX)} does not name a list of what refers to it, and so was not read",)


def test_a_tag_that_goes_while_it_is_asked_for(scene: Scene) -> None:
    scene.push(SIGNATURE, tag(INDEX, ".sig"))
    scene.registries.tells_digests = False
    scene.registries.failures[f"GET {APP}@{tag(INDEX, '.sig')}"] = Missing("404", heals=False)
    found = scene.resolve()
    assert (names(found), notes(found)) == ([":1"], ())


def test_signatures_of_an_index_that_is_made_anew(scene: Scene) -> None:
    scene.push(SIGNATURE, tag(INDEX, ".sig"))
    scene.push(ATTESTATION, tag(AMD64, ".att"))
    [note] = notes(scene.resolve(arch=["amd64"]))
    assert note.startswith("what refers to its index (1 referrer) is saved, but where the archive is loaded, the tag")
    assert notes(scene.resolve()) == ()
