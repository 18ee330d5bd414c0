# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Manifests, mounts, referrers and tokens, against registries with different manners."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest

from ansible_collections.airgap.images.plugins.module_utils._base.errors import Refused, TransferError, WrongBytes
from ansible_collections.airgap.images.plugins.module_utils._oci.descriptor import digest_of
from ansible_collections.airgap.images.plugins.module_utils._oci.media_types import (
    ACCEPTED_TYPES,
    DOCKER_MANIFEST,
    OCI_INDEX,
    OCI_MANIFEST,
)
from ansible_collections.airgap.images.plugins.module_utils._oci.reference import Repository
from ansible_collections.airgap.images.plugins.module_utils._registry import auth
from ansible_collections.airgap.images.plugins.module_utils._registry.pusher import Pusher
from ansible_collections.airgap.images.plugins.module_utils._registry.refusals import (
    BlobsUnknown,
    ForeignLayersRefused,
    ManifestTooLarge,
)
from ansible_collections.airgap.images.tests.support.pushing import (
    BYTES,
    Source,
    describe,
    index_of,
    manifest_of,
    pusher_for,
)
from ansible_collections.airgap.images.tests.support.stand_in_answers import DOCUMENTED, Answer, error
from ansible_collections.airgap.images.tests.support.stand_in_registry import StandInRegistry
from ansible_collections.airgap.images.tests.support.stand_in_store import (
    ALL,
    CRANE,
    DISTRIBUTION_2,
    DISTRIBUTION_3,
    OLAREG,
)

CONFIG, LAYER = b"{}", b"layer" * 1000
MANIFEST = manifest_of(CONFIG, LAYER)
DIGEST = digest_of(MANIFEST)
MOUNTS = {"distribution 2": DISTRIBUTION_2, "distribution 3": DISTRIBUTION_3, "olareg": OLAREG}
USERS = {"loader": "s3cret"}
LOGIN = ("loader", "s3cret")


@pytest.fixture
def registry(request: pytest.FixtureRequest) -> Iterator[StandInRegistry]:
    """The manners are the parameter; distribution 2 unless given."""
    with StandInRegistry(getattr(request, "param", DISTRIBUTION_2)) as served:
        yield served


@pytest.fixture
def pusher(registry: StandInRegistry) -> Pusher:
    return pusher_for(registry.host, login=LOGIN)


@pytest.fixture
def app(registry: StandInRegistry) -> Repository:
    return Repository(registry.host, "team/app")


def push_blobs(pusher: Pusher, repository: Repository) -> None:
    for blob in (CONFIG, LAYER):
        pusher.upload(repository, describe(blob), Source(blob))


@pytest.mark.parametrize("registry", ALL.values(), ids=ALL, indirect=True)
def test_an_image_is_pushed_byte_for_byte(registry: StandInRegistry, pusher: Pusher, app: Repository) -> None:
    push_blobs(pusher, app)
    assert pusher.put_manifest(app, DIGEST, MANIFEST, OCI_MANIFEST).digest == DIGEST
    assert pusher.head_manifest(app, "1") is None
    index = index_of(MANIFEST)
    assert pusher.put_manifest(app, "1", index, OCI_INDEX).digest == digest_of(index)
    assert pusher.head_manifest(app, "1") == digest_of(index)
    assert registry.store.manifests["team/app", digest_of(index)] == (index, OCI_INDEX)
    assert registry.store.tags == {("team/app", "1"): digest_of(index)}


@pytest.mark.parametrize("registry", ALL.values(), ids=ALL, indirect=True)
def test_what_is_missing_below_a_manifest_is_named(pusher: Pusher, app: Repository) -> None:
    pusher.upload(app, describe(CONFIG), Source(CONFIG))
    with pytest.raises(BlobsUnknown, match="no garbage collection") as raised:
        pusher.put_manifest(app, "1", MANIFEST, OCI_MANIFEST)
    assert raised.value.digests == (digest_of(LAYER),)
    assert not raised.value.heals
    with pytest.raises(BlobsUnknown) as raised:
        pusher.put_manifest(app, "1", index_of(MANIFEST), OCI_INDEX)
    assert raised.value.digests == (DIGEST,)


def test_every_type_is_accepted(registry: StandInRegistry, pusher: Pusher, app: Repository) -> None:
    pusher.head_manifest(app, "1")
    assert registry.requests()[-1].headers["accept"] == ", ".join(ACCEPTED_TYPES)


@pytest.mark.parametrize("answer", [Answer(200), Answer(405)], ids=["no digest", "no HEAD"])
def test_a_digest_that_head_does_not_give_is_that_of_the_bytes(
    registry: StandInRegistry, pusher: Pusher, app: Repository, answer: Answer
) -> None:
    registry.store.manifests["team/app", DIGEST] = (MANIFEST, OCI_MANIFEST)
    registry.store.tags["team/app", "1"] = DIGEST
    registry.answer("HEAD", "manifest", answer)
    assert pusher.head_manifest(app, "1") == DIGEST
    assert registry.lines == [f"HEAD manifest {answer.status}", "GET manifest 200"]


@pytest.mark.parametrize("status", [401, 403])
def test_a_tag_that_may_not_be_asked_for_is_not_taken_for_missing(
    registry: StandInRegistry, pusher: Pusher, app: Repository, status: int
) -> None:
    registry.answer("HEAD", "manifest", Answer(status))
    with pytest.raises(Refused):
        pusher.head_manifest(app, "1")


def test_what_heals_is_tried_again(registry: StandInRegistry, pusher: Pusher, app: Repository) -> None:
    registry.answer("HEAD", "manifest", Answer(502), times=1)
    registry.answer("HEAD", "blob", Answer(503), times=1)
    assert pusher.head_manifest(app, "1") is None
    assert not pusher.has_blob(app, digest_of(LAYER))
    assert registry.lines == ["HEAD manifest 502", "HEAD manifest 404", "HEAD blob 503", "HEAD blob 404"]


def test_another_digest_in_the_answer_is_refused(registry: StandInRegistry, pusher: Pusher, app: Repository) -> None:
    registry.answer("PUT", "manifest", Answer(201, b"", {"Docker-Content-Digest": digest_of(b"other")}))
    with pytest.raises(WrongBytes, match="was stored under another digest than was sent"):
        pusher.put_manifest(app, "1", MANIFEST, OCI_MANIFEST)


def test_a_manifest_that_is_too_large(registry: StandInRegistry, pusher: Pusher, app: Repository) -> None:
    raw = manifest_of(CONFIG, annotations={"a": "x" * registry.store.manners.largest_manifest})
    with pytest.raises(ManifestTooLarge, match=f"its manifest has {len(raw)} bytes"):
        pusher.put_manifest(app, "1", raw, OCI_MANIFEST)
    assert registry.lines == ["PUT manifest 400"]


def test_foreign_layers_are_refused_without_another_try(
    registry: StandInRegistry, pusher: Pusher, app: Repository
) -> None:
    layer = {"mediaType": BYTES, "digest": digest_of(LAYER), "size": len(LAYER), "urls": ["https://far.example/layer"]}
    raw = manifest_of(CONFIG, layers=[layer])
    with pytest.raises(ForeignLayersRefused, match=r"validation\.manifests\.urls\.allow"):
        pusher.put_manifest(app, "1", raw, DOCKER_MANIFEST)
    assert registry.lines == ["PUT manifest 500"]


@pytest.mark.parametrize("registry", MOUNTS.values(), ids=MOUNTS, indirect=True)
def test_a_blob_is_mounted(registry: StandInRegistry, pusher: Pusher, app: Repository) -> None:
    push_blobs(pusher, app)
    other = Repository(registry.host, "team/other")
    assert pusher.mount(other, digest_of(LAYER), app) is None
    assert registry.lines[-1] == "POST start 201"
    assert registry.sent() == len(CONFIG) + len(LAYER)
    assert pusher.has_blob(other, digest_of(LAYER))


@pytest.mark.parametrize("registry", ALL.values(), ids=ALL, indirect=True)
def test_a_blob_that_is_not_mounted_goes_where_the_registry_says(
    registry: StandInRegistry, pusher: Pusher, app: Repository
) -> None:
    opened = pusher.mount(app, digest_of(LAYER), Repository(registry.host, "team/nothing"))
    assert opened is not None
    assert "_state" not in repr(opened)
    pusher.upload(app, describe(LAYER), Source(LAYER), opened=opened)
    assert registry.lines == ["POST start 202", "PUT upload 201"]
    assert registry.store.has("team/app", digest_of(LAYER))


def test_a_registry_that_never_mounts(registry: StandInRegistry) -> None:
    with StandInRegistry(CRANE) as crane:
        app, other = Repository(crane.host, "team/app"), Repository(crane.host, "team/other")
        pusher = pusher_for(crane.host)
        push_blobs(pusher, app)
        assert pusher.has_blob(other, digest_of(LAYER))
        assert pusher.mount(other, digest_of(LAYER), app) is not None


def test_a_mount_that_is_refused_becomes_an_upload(registry: StandInRegistry, pusher: Pusher, app: Repository) -> None:
    registry.answer("POST", "start", error(403, "DENIED", "requested access to the resource is denied"), times=1)
    assert pusher.mount(app, digest_of(LAYER), Repository(registry.host, "secret/app")) is not None
    assert registry.lines == ["POST start 403", "POST start 202"]
    assert "from=secret%2Fapp" in registry.requests()[-2].query
    assert registry.requests()[-1].query == ""


def scopes_of(registry: StandInRegistry) -> list[list[str]]:
    queries = [each.query for each in registry.requests() if each.kind == "token"]
    return [re.findall(r"scope=([^&]*)", query) for query in queries]


def test_one_token_does_for_both_repositories_of_a_mount(registry: StandInRegistry) -> None:
    registry.users = USERS
    pusher = pusher_for(registry.host, login=LOGIN)
    app, other = Repository(registry.host, "team/app"), Repository(registry.host, "team/other")
    push_blobs(pusher, app)
    assert pusher.mount(other, digest_of(LAYER), app) is None
    own, both = scopes_of(registry)
    assert own == ["repository%3Ateam%2Fapp%3Apull%2Cpush"]
    assert both == ["repository%3Ateam%2Fother%3Apull%2Cpush", "repository%3Ateam%2Fapp%3Apull"]


def test_one_token_does_for_all_that_is_pushed_to_a_repository(registry: StandInRegistry) -> None:
    registry.users = USERS
    app = Repository(registry.host, "team/app")
    pusher = pusher_for(registry.host, login=LOGIN)
    push_blobs(pusher, app)
    pusher.put_manifest(app, "1", MANIFEST, OCI_MANIFEST)
    assert len(scopes_of(registry)) == 1
    assert [line for line in registry.lines if line.endswith("401")] == ["POST start 401"]


@pytest.mark.parametrize(("expires_in", "later", "tokens"), [(300, 149, 1), (300, 151, 2), (None, 31, 2), ("x", 31, 2)])
def test_tokens_are_renewed_at_half_of_their_life(
    registry: StandInRegistry, monkeypatch: pytest.MonkeyPatch, expires_in: object, later: int, tokens: int
) -> None:
    now = [1000.0]
    monkeypatch.setattr(auth.time, "monotonic", lambda: now[0])
    registry.users, registry.expires_in = USERS, expires_in
    app = Repository(registry.host, "team/app")
    pusher = pusher_for(registry.host, login=LOGIN)
    pusher.has_blob(app, digest_of(LAYER))
    now[0] += later
    pusher.has_blob(app, digest_of(LAYER))
    assert len(scopes_of(registry)) == tokens


def test_a_token_that_ends_before_a_put_is_renewed_and_the_blob_sent_again(registry: StandInRegistry) -> None:
    registry.users = USERS
    app = Repository(registry.host, "team/app")
    pusher = pusher_for(registry.host, login=LOGIN)
    assert not pusher.has_blob(app, digest_of(LAYER))
    opened = pusher.mount(app, digest_of(LAYER), Repository(registry.host, "team/nothing"))
    registry.end_tokens()
    pusher.upload(app, describe(LAYER), Source(LAYER), opened=opened)
    assert registry.lines[-3:] == ["PUT upload 401", "GET token 200", "PUT upload 201"]
    assert registry.store.blobs[digest_of(LAYER)] == LAYER


def test_a_wrong_password_is_told_without_the_password(registry: StandInRegistry) -> None:
    registry.users = {"loader": "another"}
    with pytest.raises(Refused, match="loader") as raised:
        push_blobs(pusher_for(registry.host, login=LOGIN), Repository(registry.host, "team/app"))
    assert "s3cret" not in str(raised.value)


@pytest.mark.parametrize("registry", [OLAREG], indirect=True)
def test_a_registry_that_lists_referrers(registry: StandInRegistry, pusher: Pusher, app: Repository) -> None:
    push_blobs(pusher, app)
    pusher.put_manifest(app, DIGEST, MANIFEST, OCI_MANIFEST)
    assert pusher.referrers(app, DIGEST) == ()
    subject = {"mediaType": OCI_MANIFEST, "digest": DIGEST, "size": len(MANIFEST)}
    signature = manifest_of(CONFIG, subject=subject)
    pushed = pusher.put_manifest(app, digest_of(signature), signature, OCI_MANIFEST)
    assert pushed.subject == DIGEST
    found = pusher.referrers(app, DIGEST)
    assert found is not None
    assert [each.digest for each in found] == [digest_of(signature)]


@pytest.mark.parametrize("registry", [DISTRIBUTION_2], indirect=True)
def test_a_registry_that_lists_none_has_an_index_under_a_tag(
    registry: StandInRegistry, pusher: Pusher, app: Repository
) -> None:
    assert pusher.referrers(app, DIGEST) is None
    assert pusher.fallback_referrers(app, DIGEST) is None
    index = index_of(MANIFEST)
    registry.store.manifests["team/app", digest_of(index)] = (index, OCI_INDEX)
    registry.store.tags["team/app", f"sha256-{DIGEST[7:]}"] = digest_of(index)
    found = pusher.fallback_referrers(app, DIGEST)
    assert found is not None
    assert found.raw == index


def test_a_page_for_people_is_no_list_of_referrers(registry: StandInRegistry, pusher: Pusher, app: Repository) -> None:
    registry.answer("GET", "referrers", Answer(200, b"<html>", {"Content-Type": "text/html"}))
    assert pusher.referrers(app, DIGEST) is None


def test_a_list_of_referrers_in_parts(registry: StandInRegistry, pusher: Pusher, app: Repository) -> None:
    first, second = index_of(MANIFEST), index_of(b"2", MANIFEST)
    following = {"Link": f'</v2/team/app/referrers/{DIGEST}?n=2>; rel="next"'}
    registry.answer("GET", "referrers", Answer(200, first, following), times=1)
    registry.answer("GET", "referrers", Answer(200, second))
    found = pusher.referrers(app, DIGEST)
    assert found is not None
    assert [each.digest for each in found] == [DIGEST, digest_of(b"2")]


def test_a_list_of_referrers_does_not_go_on_for_ever(
    registry: StandInRegistry, pusher: Pusher, app: Repository
) -> None:
    following = {"Link": f'</v2/team/app/referrers/{DIGEST}>; rel="next"'}
    registry.answer("GET", "referrers", Answer(200, index_of(MANIFEST), following))
    with pytest.raises(TransferError, match="has more than 100 parts"):
        pusher.referrers(app, DIGEST)


def test_a_list_of_referrers_does_not_go_on_elsewhere(
    registry: StandInRegistry, pusher: Pusher, app: Repository
) -> None:
    following = {"Link": '<http://elsewhere.example/next>; rel="next"'}
    registry.answer("GET", "referrers", Answer(200, index_of(MANIFEST), following))
    with pytest.raises(TransferError, match="continues a list of referrers elsewhere"):
        pusher.referrers(app, DIGEST)


def test_a_document_that_is_not_json_is_put_as_it_is(
    registry: StandInRegistry, pusher: Pusher, app: Repository
) -> None:
    """The registry decides what it is."""
    registry.answer("PUT", "manifest", error(500, "UNKNOWN", "unknown error"), times=1)
    push_blobs(pusher, app)
    spaced = json.dumps(json.loads(MANIFEST), indent=7).encode()
    assert pusher.put_manifest(app, "1", spaced, OCI_MANIFEST).digest == digest_of(spaced)
    assert registry.store.manifests["team/app", digest_of(spaced)][0] == spaced


def test_a_token_that_is_refused_is_about_pushing(registry: StandInRegistry, app: Repository) -> None:
    """As GitLab's token service does for a project that does not exist, and for a name that it does not take."""
    registry.users = USERS
    registry.answer("GET", "token", DOCUMENTED["GitLab, no project"])
    for login, words in ((LOGIN, "denied user 'loader' access to"), (None, "Give username and password, or authfile")):
        with pytest.raises(Refused, match=words) as raised:
            pusher_for(registry.host, login=login).head_manifest(app, "1")
        assert "pull" not in str(raised.value)
