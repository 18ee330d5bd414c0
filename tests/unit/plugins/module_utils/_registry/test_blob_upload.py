# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Blobs on their way into a registry, against one that breaks off, forgets and refuses."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator

import pytest

from ansible_collections.airgap.images.plugins.module_utils._base.errors import (
    Interrupted,
    Refused,
    TransferError,
    WrongBytes,
)
from ansible_collections.airgap.images.plugins.module_utils._base.stop import Stop
from ansible_collections.airgap.images.plugins.module_utils._oci.descriptor import digest_of
from ansible_collections.airgap.images.plugins.module_utils._oci.reference import Repository
from ansible_collections.airgap.images.plugins.module_utils._registry import blob_upload
from ansible_collections.airgap.images.plugins.module_utils._registry.pusher import Pusher
from ansible_collections.airgap.images.plugins.module_utils._registry.refusals import (
    BodyTooLarge,
    ImmutableTag,
    ReadOnlyRegistry,
    RegistryFull,
)
from ansible_collections.airgap.images.tests.support.pushing import Source, describe, pusher_for
from ansible_collections.airgap.images.tests.support.stand_in_answers import DOCUMENTED, MEASURED, Answer
from ansible_collections.airgap.images.tests.support.stand_in_registry import StandInRegistry
from ansible_collections.airgap.images.tests.support.stand_in_store import (
    ALL,
    ARTIFACTORY_6,
    CRANE,
    DISTRIBUTION_2,
    DISTRIBUTION_3,
    OLAREG,
)

BLOB = hashlib.shake_128(b"blob").digest(3 * 1024 * 1024 + 17)
DIGEST = digest_of(BLOB)
RESUMES = {"distribution 3": DISTRIBUTION_3, "olareg": OLAREG}
STARTS_AGAIN = {"distribution 2": DISTRIBUTION_2, "crane": CRANE}


@pytest.fixture
def registry(request: pytest.FixtureRequest) -> Iterator[StandInRegistry]:
    """The manners are the parameter; distribution 2 unless given."""
    with StandInRegistry(getattr(request, "param", DISTRIBUTION_2)) as served:
        yield served


def upload(registry: StandInRegistry, pusher: Pusher | None = None, blob: bytes = BLOB) -> list[int]:
    """Upload a blob; return what it counted as sent."""
    sent: list[int] = []
    to = Repository(registry.host, "team/app")
    (pusher or pusher_for(registry.host)).upload(to, describe(blob), Source(blob), on_sent=sent.append)
    return sent


def lines_of(registry: StandInRegistry) -> list[str]:
    """Return the requests, without a HEAD that comes only if all bytes had fitted into the buffers of the system."""
    return [line for line in registry.lines if line != "HEAD blob 404"]


@pytest.mark.parametrize("registry", ALL.values(), ids=ALL, indirect=True)
@pytest.mark.parametrize("blob", [b"", b"x", BLOB], ids=["empty", "one byte", "large"])
def test_a_blob_is_one_post_and_one_put(registry: StandInRegistry, blob: bytes) -> None:
    assert sum(upload(registry, blob=blob)) == len(blob)
    assert registry.store.blobs == {digest_of(blob): blob}
    assert registry.lines == ["POST start 202", "PUT upload 201"]
    assert "digest" not in registry.requests()[0].query
    assert registry.sent() == len(blob)


@pytest.mark.parametrize("registry", RESUMES.values(), ids=RESUMES, indirect=True)
def test_what_broke_off_is_resumed(registry: StandInRegistry) -> None:
    registry.break_after = [1_500_000]
    sent = upload(registry)
    assert registry.store.blobs[DIGEST] == BLOB
    assert lines_of(registry) == ["POST start 202", "PUT upload 0", "GET upload 204", "PUT upload 201"]
    assert registry.sent() == len(BLOB)
    assert registry.requests()[-1].headers["content-range"] == f"1500000-{len(BLOB) - 1}"
    assert sum(sent) == len(BLOB)


@pytest.mark.parametrize("registry", STARTS_AGAIN.values(), ids=STARTS_AGAIN, indirect=True)
def test_what_broke_off_is_sent_again_where_it_cannot_be_resumed(registry: StandInRegistry) -> None:
    registry.break_after = [1_500_000]
    sent = upload(registry)
    assert registry.store.blobs[DIGEST] == BLOB
    kinds = [line.rpartition(" ")[0] for line in lines_of(registry)]
    assert kinds == ["POST start", "PUT upload", "GET upload", "POST start", "PUT upload"]
    assert registry.sent() == len(BLOB) + 1_500_000
    assert sum(sent) == len(BLOB)
    assert min(sent) < 0


@pytest.mark.parametrize("registry", [DISTRIBUTION_3], indirect=True)
def test_a_blob_gets_over_a_link_that_breaks_again_and_again(registry: StandInRegistry) -> None:
    registry.break_after = [1_100_000, 1_100_000]
    upload(registry, pusher_for(registry.host, retries=1))
    assert registry.store.blobs[DIGEST] == BLOB


@pytest.mark.parametrize("registry", [DISTRIBUTION_3], indirect=True)
def test_a_link_that_lets_nothing_through_is_given_up(registry: StandInRegistry) -> None:
    registry.break_after = [2] * 9
    with pytest.raises(TransferError, match="tried 3 times"):
        upload(registry)
    assert registry.lines.count("PUT upload 0") == 3
    assert not registry.store.blobs


@pytest.mark.parametrize("registry", ALL.values(), ids=ALL, indirect=True)
def test_a_blob_whose_answer_alone_was_lost_is_not_sent_again(registry: StandInRegistry) -> None:
    registry.loses_answer = True
    upload(registry)
    assert registry.sent() == len(BLOB)
    assert registry.lines[-1] == "HEAD blob 200"


@pytest.mark.parametrize("registry", [DISTRIBUTION_3], indirect=True)
def test_an_upload_that_the_registry_has_forgotten_is_opened_again(registry: StandInRegistry) -> None:
    registry.answer("PUT", "upload", Answer(404), times=1)
    upload(registry)
    assert registry.store.blobs[DIGEST] == BLOB
    assert lines_of(registry) == ["POST start 202", "PUT upload 404", "POST start 202", "PUT upload 201"]


@pytest.mark.parametrize("registry", [ARTIFACTORY_6], ids=["Artifactory 6"], indirect=True)
def test_a_registry_that_takes_no_bytes_with_the_put(registry: StandInRegistry) -> None:
    """After two uploads that it lost, all bytes go in one PATCH; for further blobs this is known."""
    pusher = pusher_for(registry.host)
    upload(registry, pusher)
    assert registry.store.blobs == {DIGEST: BLOB}
    lost = ["POST start 202", "PUT upload 404"]
    patched = ["POST start 202", "PATCH upload 202", "PUT upload 201"]
    assert lines_of(registry) == [*lost, *lost, *patched]
    upload(registry, pusher, b"another")
    assert lines_of(registry) == [*lost, *lost, *patched, *patched]


def test_uploads_are_never_cancelled(registry: StandInRegistry) -> None:
    registry.answer("PUT", "upload", DOCUMENTED["Harbor, quota"])
    with pytest.raises(Refused):
        upload(registry)
    assert not [line for line in registry.lines if line.startswith("DELETE")]


def test_bytes_that_changed_on_the_way_are_sent_again(registry: StandInRegistry) -> None:
    registry.answer("PUT", "upload", Answer(400, b'{"errors": [{"code": "DIGEST_INVALID"}]}'), times=1)
    upload(registry)
    assert registry.store.blobs[DIGEST] == BLOB


def test_bytes_that_are_not_the_blob_are_not_taken(registry: StandInRegistry) -> None:
    to = Repository(registry.host, "team/app")
    with pytest.raises(WrongBytes, match="with other bytes than its digest names"):
        pusher_for(registry.host).upload(to, describe(BLOB), Source(BLOB[::-1]))
    assert not registry.store.blobs


def test_another_digest_in_the_answer_is_refused(registry: StandInRegistry) -> None:
    registry.answer("PUT", "upload", Answer(201, b"", {"Docker-Content-Digest": digest_of(b"other")}))
    with pytest.raises(WrongBytes, match="was stored under another digest"):
        upload(registry)


@pytest.mark.parametrize("status", [401, 500])
def test_an_answer_before_the_body_is_read(registry: StandInRegistry, status: int) -> None:
    """The connection is closed while the body is being sent."""
    registry.answer("PUT", "upload", Answer(status, b'{"errors": [{"code": "EARLY"}]}'), before_body=True)
    with pytest.raises(TransferError, match="EARLY"):
        upload(registry, pusher_for(registry.host, retries=0))
    assert f"PUT upload {status}" in registry.lines


def test_a_connection_with_half_a_body_is_not_used_again(registry: StandInRegistry) -> None:
    registry.answer("PUT", "upload", Answer(500), times=1, before_body=True)
    pusher = pusher_for(registry.host)
    upload(registry, pusher)
    assert registry.store.blobs[DIGEST] == BLOB


def test_a_full_disk_ends_everything(registry: StandInRegistry) -> None:
    registry.answer("PUT", "upload", MEASURED["distribution, disk full"], before_body=True)
    pusher = pusher_for(registry.host)
    for _blob in range(2):
        with pytest.raises(RegistryFull, match="no space left"):
            upload(registry, pusher)
    assert registry.lines == ["POST start 202", "PUT upload 500"]


def test_a_read_only_registry_ends_everything(registry: StandInRegistry) -> None:
    registry.answer("POST", "start", MEASURED["distribution, read-only"])
    pusher = pusher_for(registry.host)
    for _blob in range(2):
        with pytest.raises(ReadOnlyRegistry, match="is read-only"):
            upload(registry, pusher)
    assert registry.lines == ["POST start 405"]


def test_a_blob_that_another_upload_has_completed_is_there(registry: StandInRegistry) -> None:
    registry.store.blobs[DIGEST] = BLOB
    registry.store.links.add(("team/app", DIGEST))
    registry.answer("PUT", "upload", DOCUMENTED["Nexus, two at once"])
    upload(registry)
    assert registry.lines[-2:] == ["PUT upload 400", "HEAD blob 200"]


def test_a_blob_that_is_refused_and_not_there_is_an_error(registry: StandInRegistry) -> None:
    registry.answer("PUT", "upload", DOCUMENTED["Nexus, two at once"])
    with pytest.raises(ImmutableTag, match="takes nothing twice"):
        upload(registry)


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blob_upload, "_LARGEST_CHUNK", 1024 * 1024)


@pytest.mark.usefixtures("small_chunks")
def test_chunks_where_a_proxy_refuses_large_bodies(registry: StandInRegistry) -> None:
    registry.largest_body = 1024 * 1024
    sent = upload(registry)
    assert registry.store.blobs[DIGEST] == BLOB
    refused = ["POST start 202", "PUT upload 413"]
    assert registry.lines == [*refused, "POST start 202", *["PATCH upload 202"] * 4, "PUT upload 201"]
    assert registry.sent() == sum(sent) == len(BLOB)
    ranges = [each.headers["content-range"] for each in registry.requests() if each.method == "PATCH"]
    assert ranges[0] == "0-1048575"
    assert ranges[-1] == f"3145728-{len(BLOB) - 1}"


@pytest.mark.usefixtures("small_chunks")
def test_the_size_of_chunks_is_remembered(registry: StandInRegistry) -> None:
    registry.largest_body = 1024 * 1024
    pusher = pusher_for(registry.host)
    upload(registry, pusher)
    upload(registry, pusher, BLOB[:2_000_000])
    assert registry.lines.count("PUT upload 413") == 1


@pytest.mark.usefixtures("small_chunks")
def test_smaller_chunks_are_tried_down_to_a_limit(registry: StandInRegistry) -> None:
    registry.largest_body = 1024
    with pytest.raises(BodyTooLarge, match="client_max_body_size"):
        upload(registry)
    assert registry.lines.count("PATCH upload 413") == 1


@pytest.mark.usefixtures("small_chunks")
@pytest.mark.parametrize("registry", [DISTRIBUTION_3], indirect=True)
def test_a_chunk_that_broke_off_is_resumed(registry: StandInRegistry) -> None:
    registry.largest_body = 1024 * 1024
    registry.break_after = [1024 * 1024, 5000]
    upload(registry)
    assert registry.store.blobs[DIGEST] == BLOB
    assert registry.sent() == len(BLOB)


def test_a_limit_of_the_registry_itself_is_not_worked_around(registry: StandInRegistry) -> None:
    registry.answer("PUT", "upload", DOCUMENTED["Quay, layer too large"])
    with pytest.raises(Refused, match="MAXIMUM_LAYER_SIZE"):
        upload(registry)
    assert not [line for line in registry.lines if line.startswith("PATCH")]


@pytest.mark.parametrize("location", ["relative", "absolute"])
def test_the_query_of_a_location_is_kept(registry: StandInRegistry, location: str) -> None:
    registry.store.location = location
    upload(registry)
    assert registry.store.blobs[DIGEST] == BLOB


def test_the_token_does_not_go_to_another_host(registry: StandInRegistry) -> None:
    registry.users = {"loader": "s3cret"}
    with StandInRegistry() as other:
        registry.store.location = other.url
        pusher = pusher_for(registry.host, login=("loader", "s3cret"), retries=0)
        with pytest.raises(TransferError):
            upload(registry, pusher)
    assert other.lines == ["PUT upload 404"]
    assert "authorization" not in other.requests()[0].headers


def test_no_location_is_told(registry: StandInRegistry) -> None:
    told: list[str] = []
    registry.break_after = [1] * 9
    pusher = pusher_for(registry.host, on_retry=told.append)
    with pytest.raises(TransferError) as raised:
        upload(registry, pusher)
    states = [each.query for each in registry.requests() if each.kind == "upload"]
    assert states
    assert len(told) == 2
    for text in (str(raised.value), *told):
        assert "uploads" not in text
        assert not [state for state in states if state in text]


def test_an_error_of_the_source_is_its_own(registry: StandInRegistry) -> None:
    class Gone(Source):
        def read1(self, size: int | None = -1, /) -> bytes:
            if self.tell():
                raise OSError(5, "Input/output error")
            return super().read1(size)

    to = Repository(registry.host, "team/app")
    with pytest.raises(OSError, match="Input/output error"):
        pusher_for(registry.host).upload(to, describe(BLOB), Gone(BLOB))
    assert not registry.store.blobs


def test_a_source_that_ends_too_early_is_an_error(registry: StandInRegistry) -> None:
    to = Repository(registry.host, "team/app")
    with pytest.raises(TransferError, match=f"ended after 1000000 of {len(BLOB)} bytes"):
        pusher_for(registry.host).upload(to, describe(BLOB), Source(BLOB[:1_000_000]))


def test_a_stop_ends_an_upload(registry: StandInRegistry) -> None:
    stop = Stop()
    to = Repository(registry.host, "team/app")
    pusher = pusher_for(registry.host, stop=stop)
    with pytest.raises(Interrupted, match="enough"):
        pusher.upload(to, describe(BLOB), Source(BLOB), on_sent=lambda _count: stop.request("enough"))
    assert not registry.store.blobs


def test_a_deadline_ends_an_upload(registry: StandInRegistry) -> None:
    to = Repository(registry.host, "team/app")
    with pytest.raises(TransferError, match="not done within timeout"):
        pusher_for(registry.host).upload(to, describe(BLOB), Source(BLOB), deadline=time.monotonic() - 1)
    assert not registry.lines
