# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Manifests that refer to an image arrive after it, and are listed by the registry, or in an index under a tag."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.airgap.images.plugins.module_utils._base.errors import TransferError
from ansible_collections.airgap.images.plugins.module_utils._load.referrers import Referrers
from ansible_collections.airgap.images.plugins.module_utils._oci.descriptor import Descriptor, digest_of
from ansible_collections.airgap.images.plugins.module_utils._oci.media_types import OCI_INDEX, OCI_MANIFEST
from ansible_collections.airgap.images.plugins.module_utils._oci.reference import Repository
from ansible_collections.airgap.images.plugins.module_utils._registry.fetched_manifest import FetchedManifest
from ansible_collections.airgap.images.tests.support.extent import is_full
from ansible_collections.airgap.images.tests.support.pushing import manifest_of, pusher_for
from ansible_collections.airgap.images.tests.support.stand_in_answers import Answer, error
from ansible_collections.airgap.images.tests.support.stand_in_registry import StandInRegistry
from ansible_collections.airgap.images.tests.support.stand_in_store import ALL, DISTRIBUTION_2, OLAREG, Manners
from ansible_collections.airgap.images.tests.unit.load_scene import gaps
from ansible_collections.airgap.images.tests.unit.loading import actions_of, load_into, write_layout

CONFIG, LAYER = b"{}", b"layer" * 1000
IMAGE = manifest_of(CONFIG, LAYER)
DIGEST = digest_of(IMAGE)
LIST_TAG = DIGEST.replace(":", "-")
NAME = "registry.example/team/app"


def referrer(kind: str, subject: bytes = IMAGE, **more: Any) -> bytes:
    """An artefact that refers to a manifest."""
    about = {"mediaType": OCI_MANIFEST, "digest": digest_of(subject), "size": len(subject)}
    return manifest_of(CONFIG, artifactType=kind, subject=about, annotations={"kind": kind}, **more)


def entry(raw: bytes) -> dict[str, Any]:
    document = json.loads(raw)
    return {
        "mediaType": document["mediaType"],
        "digest": digest_of(raw),
        "size": len(raw),
        "artifactType": document["artifactType"],
        "annotations": document["annotations"],
    }


def list_of(*referrers: bytes) -> bytes:
    document = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [entry(raw) for raw in referrers]}
    return json.dumps(document, separators=(",", ":")).encode()


SBOM, SIGNATURE, OTHER = referrer("x/sbom"), referrer("x/signature"), referrer("x/other")
OF_SBOM = referrer("x/signature", SBOM)


@pytest.fixture
def registry(request: pytest.FixtureRequest) -> Iterator[StandInRegistry]:
    """The manners are the parameter; distribution 2, which keeps no lists of referrers, unless given."""
    with StandInRegistry(getattr(request, "param", DISTRIBUTION_2)) as served:
        yield served


def listed(registry: StandInRegistry, subject: bytes = IMAGE) -> list[dict[str, Any]]:
    """The list of referrers under its tag; empty if there is none."""
    digest = registry.store.tags.get(("team/app", digest_of(subject).replace(":", "-")))
    if digest is None:
        return []
    raw, media_type = registry.store.manifests["team/app", digest]
    assert media_type == OCI_INDEX
    entries: list[dict[str, Any]] = json.loads(raw)["manifests"]
    return entries


def put_list(registry: StandInRegistry, *referrers: bytes) -> None:
    """Have others enter referrers."""
    for raw in referrers:
        registry.store.manifests["team/app", digest_of(raw)] = (raw, OCI_MANIFEST)
    raw = list_of(*referrers)
    registry.store.manifests["team/app", digest_of(raw)] = (raw, OCI_INDEX)
    registry.store.tags["team/app", LIST_TAG] = digest_of(raw)


def manifests_put(registry: StandInRegistry) -> list[str]:
    """The tags and digests that were written, in order."""
    found = [each for each in registry.requests() if (each.method, each.kind) == ("PUT", "manifest")]
    return [each.path.rpartition("/")[2] for each in found]


@pytest.fixture
def src(tmp_path: Path) -> Path:
    """Signature, SBOM and signature of the SBOM come before their subjects."""
    named = {f"{NAME}:signed-sbom": OF_SBOM, f"{NAME}:signature": SIGNATURE, f"{NAME}:sbom": SBOM, f"{NAME}:1": IMAGE}
    return write_layout(tmp_path / "layout", named, CONFIG, LAYER)


@pytest.mark.parametrize("registry", ALL.values(), ids=ALL, indirect=True)
def test_manifests_with_a_subject(registry: StandInRegistry, src: Path) -> None:
    result = load_into(registry, src)
    assert not result.failed
    assert {*actions_of(result).values()} == {"pushed"}
    tags = [name for name in manifests_put(registry) if name in ("1", "sbom", "signature", "signed-sbom")]
    assert tags[0] == "1"
    assert tags[-1] == "signed-sbom"
    for subject, referrers in ((IMAGE, [SBOM, SIGNATURE]), (SBOM, [OF_SBOM])):
        found = pusher_for(registry.host).referrers(Repository(registry.host, "team/app"), digest_of(subject))
        names = {digest_of(raw) for raw in referrers}
        if registry.store.manners.lists_referrers:
            assert {one.digest for one in found or ()} == names
            assert listed(registry, subject) == []
        else:
            assert found is None
            assert sorted(listed(registry, subject), key=str) == sorted(map(entry, referrers), key=str)
    again = load_into(registry, src)
    assert not again.changed
    assert {*actions_of(again).values()} == {"present"}


def test_entries_of_others_stay(registry: StandInRegistry, src: Path) -> None:
    put_list(registry, OTHER)
    load_into(registry, src)
    assert entry(OTHER) in listed(registry)
    assert len(listed(registry)) == 3


def test_the_tag_comes_after_the_list(registry: StandInRegistry, src: Path) -> None:
    """A run that was killed between the two would otherwise never enter it."""
    load_into(registry, src, images=[f"{NAME}:sbom"])
    assert manifests_put(registry) == [digest_of(SBOM), LIST_TAG, "sbom"]


@pytest.mark.parametrize("registry", [DISTRIBUTION_2, OLAREG], ids=["tag", "own list"], indirect=True)
def test_a_run_that_was_killed_before_the_list_is_completed(registry: StandInRegistry, src: Path) -> None:
    load_into(registry, src, images=[f"{NAME}:1"])
    registry.store.blobs[digest_of(CONFIG)] = CONFIG
    registry.store.manifests["team/app", digest_of(SBOM)] = (SBOM, OCI_MANIFEST)
    result = load_into(registry, src, images=[f"{NAME}:sbom"])
    assert actions_of(result) == {"team/app:sbom": "tagged"}
    assert listed(registry) == ([] if registry.store.manners.lists_referrers else [entry(SBOM)])


def test_a_list_that_lost_an_entry_is_repaired_when_manifests_are_checked(registry: StandInRegistry, src: Path) -> None:
    load_into(registry, src)
    put_list(registry, OTHER)
    assert not load_into(registry, src).changed
    assert load_into(registry, src, check_target="manifests").changed
    assert {one["digest"] for one in listed(registry)} == {digest_of(raw) for raw in (OTHER, SBOM, SIGNATURE)}
    assert not load_into(registry, src, check_target="manifests").changed


class Dying(StandInRegistry):
    """Does what is asked some times, and from then on nothing."""

    left = 1_000_000

    def respond(self, *asked: Any) -> Answer:
        self.left -= 1
        return super().respond(*asked) if self.left >= 0 else Answer(503)


@pytest.mark.thorough(repeats=True)
@pytest.mark.parametrize("manners", [DISTRIBUTION_2, OLAREG], ids=["tag", "own list"])
def test_a_load_that_breaks_off_anywhere(src: Path, manners: Manners) -> None:
    """Everything with a tag is whole and listed, and the next run completes the rest."""
    with Dying(manners) as whole:
        load_into(whole, src, jobs=1)
    count = 1_000_000 - whole.left
    for done in range(0, count, 1 if is_full() else 17):
        with Dying(manners) as registry:
            registry.left = done
            load_into(registry, src, jobs=1, retries=0)
            registry.left = 1_000_000
            assert gaps(registry) == []
            check_listed(registry)
            assert not load_into(registry, src).failed
            assert registry.store.tags.keys() == whole.store.tags.keys()
            check_listed(registry)
            assert not load_into(registry, src).changed


def check_listed(registry: StandInRegistry) -> None:
    """Everything with a tag that refers to something is in the list of that."""
    pusher = pusher_for(registry.host)
    for tag, subject in REFERS.items():
        if ("team/app", tag) in registry.store.tags:
            found = pusher.referrers(Repository(registry.host, "team/app"), digest_of(subject))
            names = {one["digest"] for one in listed(registry, subject)} | {one.digest for one in found or ()}
            assert registry.store.tags["team/app", tag] in names


REFERS = {"sbom": IMAGE, "signature": IMAGE, "signed-sbom": SBOM}


class Overwriting:
    """A registry in which others overwrite a list as often as is said, and each time enter another manifest."""

    def __init__(self, times: int) -> None:
        self.times = times
        self.present: bytes | None = None
        self.puts = 0
        self._writing = threading.Lock()

    def fallback_referrers(self, _repository: Repository, _subject: str) -> FetchedManifest | None:
        if self.present is None:
            return None
        return FetchedManifest(self.present, digest_of(self.present), OCI_INDEX)

    def put_manifest(self, _repository: Repository, name: str, raw: bytes, media_type: str) -> None:
        assert self._writing.acquire(blocking=False), "two writers of one list"
        assert (name, media_type) == (LIST_TAG, OCI_INDEX)
        self.puts += 1
        self.present = raw if self.puts > self.times else list_of(*[OTHER, IMAGE_OF_OTHERS][: self.puts])
        self._writing.release()


IMAGE_OF_OTHERS = referrer("x/more")
APP = Repository("registry.example", "team/app")


def enter(overwriting: Overwriting, raw: bytes) -> bool:
    referrers = Referrers(overwriting, may_replace=True)  # type: ignore[arg-type]
    return referrers.enter(APP, DIGEST, raw, Descriptor(OCI_MANIFEST, digest_of(raw), len(raw)))


@pytest.mark.parametrize("times", [0, 1, 2])
def test_a_list_is_read_again_after_it_was_written(times: int) -> None:
    overwriting = Overwriting(times)
    assert enter(overwriting, SBOM)
    assert overwriting.puts == times + 1
    others = [entry(raw) for raw in (OTHER, IMAGE_OF_OTHERS)[:times]]
    assert json.loads(overwriting.present or b"")["manifests"] == [*others, entry(SBOM)]
    assert not enter(overwriting, SBOM)
    assert overwriting.puts == times + 1


def test_a_list_that_is_overwritten_for_ever() -> None:
    with pytest.raises(TransferError, match="was overwritten 5 times by others"):
        enter(Overwriting(100), SBOM)


def test_one_list_has_one_writer_at_a_time(registry: StandInRegistry, tmp_path: Path) -> None:
    """Twelve referrers of one image are pushed by eight threads."""
    many = [referrer(f"x/{number}") for number in range(12)]
    named = {f"{NAME}:{number}": raw for number, raw in enumerate(many)}
    src = write_layout(tmp_path / "layout", named, CONFIG)
    load_into(registry, src, jobs=8)
    assert sorted(one["digest"] for one in listed(registry)) == sorted(map(digest_of, many))
    assert manifests_put(registry).count(LIST_TAG) == 12


def test_what_has_the_tag_of_a_list_and_is_none(registry: StandInRegistry, src: Path) -> None:
    registry.store.manifests["team/app", DIGEST] = (IMAGE, OCI_MANIFEST)
    registry.store.tags["team/app", LIST_TAG] = DIGEST
    result = load_into(registry, src, images=[f"{NAME}:sbom"])
    assert "is not an OCI index" in result.failed[0].reason
    assert registry.store.tags["team/app", LIST_TAG] == DIGEST
    assert ("team/app", "sbom") not in registry.store.tags


@pytest.mark.parametrize("on_conflict", ["replace", "keep"])
def test_a_list_that_the_registry_cannot_read_any_more(registry: StandInRegistry, src: Path, on_conflict: str) -> None:
    """As docker-registry answers for what it wrote in part when its disk was full."""
    load_into(registry, src, images=[f"{NAME}:1"])
    put_list(registry, OTHER)
    registry.answer("GET", "manifest", error(500, "UNKNOWN", "unknown error"), times=1)
    result = load_into(registry, src, images=[f"{NAME}:sbom"], on_conflict=on_conflict, retries=0)
    if on_conflict == "replace":
        assert not result.failed
        assert listed(registry) == [entry(SBOM)]
    else:
        assert "answered 500" in result.failed[0].reason
        assert listed(registry) == [entry(OTHER)]


def test_an_index_with_a_subject(registry: StandInRegistry, tmp_path: Path) -> None:
    about = {"mediaType": OCI_MANIFEST, "digest": DIGEST, "size": len(IMAGE)}
    child = {"mediaType": OCI_MANIFEST, "digest": digest_of(OTHER), "size": len(OTHER)}
    document = {"schemaVersion": 2, "mediaType": OCI_INDEX, "artifactType": "x/index", "annotations": {}}
    index = json.dumps({**document, "manifests": [child], "subject": about}).encode()
    src = write_layout(tmp_path / "layout", {f"{NAME}:bundle": index}, OTHER, CONFIG)
    load_into(registry, src)
    found = {one["digest"]: one for one in listed(registry)}
    assert found[digest_of(index)]["artifactType"] == "x/index"
    assert found[digest_of(index)]["mediaType"] == OCI_INDEX
    assert digest_of(OTHER) in found
    assert manifests_put(registry)[-1] == "bundle"


# --- lists that an archive has under their tags


def test_a_list_of_the_archive_keeps_its_bytes(registry: StandInRegistry, tmp_path: Path) -> None:
    source = json.dumps(json.loads(list_of(SBOM, SIGNATURE)), indent=1).encode()
    src = write_layout(tmp_path / "layout", {f"{NAME}:{LIST_TAG}": source}, SBOM, SIGNATURE, CONFIG)
    load_into(registry, src)
    assert registry.store.tags["team/app", LIST_TAG] == digest_of(source)
    assert not load_into(registry, src).changed


@pytest.mark.parametrize("on_conflict", ["replace", "keep", "fail"])
def test_a_list_is_merged_with_the_one_that_is_there(
    registry: StandInRegistry, tmp_path: Path, on_conflict: str
) -> None:
    put_list(registry, OTHER)
    src = write_layout(tmp_path / "layout", {f"{NAME}:{LIST_TAG}": list_of(SBOM)}, SBOM, CONFIG)
    foreseen = load_into(registry, src, check=True, on_conflict=on_conflict)
    assert listed(registry) == [entry(OTHER)]
    done = load_into(registry, src, on_conflict=on_conflict)
    assert listed(registry) == [entry(OTHER), entry(SBOM)]
    now = registry.store.tags["team/app", LIST_TAG]
    assert [(one.action, one.digest) for one in (foreseen.images[0], done.images[0])] == [("pushed", now)] * 2
    again = load_into(registry, src, on_conflict=on_conflict)
    assert not again.changed
    assert [(one.action, one.digest, one.before) for one in again.images] == [("present", now, now)]


# --- cosign's tags


SIG_TAG = f"{LIST_TAG}.sig"
COSIGN = manifest_of(CONFIG, b"a signature")


@pytest.fixture
def signed(tmp_path: Path) -> Path:
    named = {f"{NAME}:{SIG_TAG}": COSIGN, f"{NAME}:sbom": SBOM, f"{NAME}:1": IMAGE}
    return write_layout(tmp_path / "layout", named, CONFIG, LAYER, b"a signature")


def test_a_signature_comes_after_its_image(registry: StandInRegistry, signed: Path) -> None:
    load_into(registry, signed, jobs=8)
    names = manifests_put(registry)
    assert names.index("1") < names.index(SIG_TAG)
    assert registry.store.tags["team/app", SIG_TAG] == digest_of(COSIGN)


def test_a_signature_without_its_image_is_loaded(registry: StandInRegistry, signed: Path) -> None:
    result = load_into(registry, signed, images=[f"{NAME}:{SIG_TAG}"])
    assert actions_of(result) == {f"team/app:{SIG_TAG}": "pushed"}


def test_names_that_refer_to_each_other_in_a_circle(registry: StandInRegistry, tmp_path: Path) -> None:
    other = manifest_of(CONFIG, LAYER, b"a signature")
    tag = f"{digest_of(other)}.att".replace(":", "-")
    named = {f"{NAME}:{LIST_TAG}.sig": other, f"{NAME}:{tag}": IMAGE}
    src = write_layout(tmp_path / "layout", named, CONFIG, LAYER, b"a signature")
    assert {*actions_of(load_into(registry, src)).values()} == {"pushed"}


def test_referrers_can_be_left_out(registry: StandInRegistry, signed: Path) -> None:
    result = load_into(registry, signed, referrers="none")
    assert actions_of(result) == {"team/app:1": "pushed"}
    assert result.left_out == 2
    assert [*registry.store.tags] == [("team/app", "1")]
    assert digest_of(b"a signature") not in registry.store.blobs
