# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The distribution API, against a server that answers as registries do."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Iterator
from dataclasses import replace
from email.utils import formatdate
from pathlib import Path
from typing import Any, Callable

import pytest

from ansible_collections.airgap.images.plugins.module_utils._base.errors import Interrupted, TransferError
from ansible_collections.airgap.images.plugins.module_utils._base.stop import Stop
from ansible_collections.airgap.images.plugins.module_utils._http import status_errors
from ansible_collections.airgap.images.plugins.module_utils._http.response import Response
from ansible_collections.airgap.images.plugins.module_utils._http.trust_store import TrustStore
from ansible_collections.airgap.images.plugins.module_utils._oci.descriptor import digest_of
from ansible_collections.airgap.images.plugins.module_utils._oci.limits import MAX_MANIFEST_BYTES
from ansible_collections.airgap.images.plugins.module_utils._oci.media_types import (
    DOCKER_SCHEMA1_SIGNED,
    OCI_INDEX,
    OCI_MANIFEST,
)
from ansible_collections.airgap.images.plugins.module_utils._oci.reference import Repository
from ansible_collections.airgap.images.plugins.module_utils._registry import client as client_module
from ansible_collections.airgap.images.plugins.module_utils._registry.access import Login
from ansible_collections.airgap.images.plugins.module_utils._registry.blob_file import BlobFile
from ansible_collections.airgap.images.plugins.module_utils._registry.client import RegistryClient
from ansible_collections.airgap.images.plugins.module_utils._registry.credentials import Credentials
from ansible_collections.airgap.images.plugins.module_utils._registry.fetched_manifest import FetchedManifest
from ansible_collections.airgap.images.plugins.module_utils._registry.retry import RetryPolicy
from ansible_collections.airgap.images.tests.unit.fakes import describe, make_options
from ansible_collections.airgap.images.tests.unit.server import Reply, Request, Server

RAW = b'{"schemaVersion": 2}'
DIGEST = digest_of(RAW)
OTHER = "sha256:" + "ab" * 32
BLOB = b"blob" * 1000
MANIFEST = "/v2/team/app/manifests/1"


class RecordedStop(Stop):
    """Takes down how long was waited, and does not wait."""

    def __init__(self) -> None:
        super().__init__()
        self.waits: list[float] = []

    def wait(self, seconds: float) -> bool:
        self.waits.append(seconds)
        return self.is_set()


class Bench:
    """A registry without TLS, and a client that may talk to it."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.stop = RecordedStop()
        self.told: list[str] = []
        self.repository = Repository(server.host, "team/app")
        self._clients: list[RegistryClient] = []

    def client(self, *logins: Login, **options: Any) -> RegistryClient:
        access = make_options(**{"validate_certs": False, **options}).access
        client = RegistryClient(
            access,
            Credentials(logins, []),
            TrustStore(access, {}),
            RetryPolicy(retries=2, delay=1.0),
            read_timeout=30,
            connections=2,
            stop=self.stop,
            on_retry=self.told.append,
        )
        self._clients.append(client)
        return client

    def close(self) -> None:
        for client in self._clients:
            client.close()


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        server.route("/v2/", Reply(200, b"{}"))
        yield server


@pytest.fixture
def bench(server: Server) -> Iterator[Bench]:
    bench = Bench(server)
    yield bench
    bench.close()


def manifest(raw: bytes = RAW, digest: str = DIGEST, media_type: str = OCI_MANIFEST) -> Reply:
    headers = (("Content-Type", media_type), *((("Docker-Content-Digest", digest),) if digest else ()))
    return Reply(200, raw, headers)


def asked(server: Server) -> list[str]:
    return [line for line in server.lines if line != "GET /v2/"]


# -- digests of tags


def test_the_digest_of_a_tag(bench: Bench) -> None:
    bench.server.route(MANIFEST, manifest())
    client = bench.client()
    assert client.head_manifest(bench.repository, "1") == DIGEST
    assert asked(bench.server) == [f"HEAD {MANIFEST}"]
    accept = bench.server.requests[-1].headers["accept"]
    assert OCI_INDEX in accept
    assert DOCKER_SCHEMA1_SIGNED in accept
    assert (client.count.head, client.count.get) == (1, 0)


@pytest.mark.parametrize("digest", ["", "sha512:x", "nonsense"])
def test_a_registry_that_tells_no_digest(bench: Bench, digest: str) -> None:
    bench.server.route(MANIFEST, manifest(digest=digest))
    assert bench.client().head_manifest(bench.repository, "1") == ""


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 500, 501, 503])
def test_a_registry_that_refuses_head(bench: Bench, status: int) -> None:
    bench.server.route(MANIFEST, Reply(status))
    assert bench.client().head_manifest(bench.repository, "1") == ""
    assert len(asked(bench.server)) == 1


@pytest.mark.parametrize(
    ("status", "headers"),
    [(429, ()), (429, (("Retry-After", "7"),)), (503, (("Retry-After", "7"),))],
)
def test_a_limit_is_no_refusal_of_head(bench: Bench, status: int, headers: tuple[tuple[str, str], ...]) -> None:
    """A registry that asks to wait would count a GET all the more."""
    bench.server.route(MANIFEST, Reply(status, headers=headers), manifest())
    assert bench.client().head_manifest(bench.repository, "1") == DIGEST
    assert asked(bench.server) == [f"HEAD {MANIFEST}"] * 2


def test_plain_http_for_one_registry_alone(bench: Bench) -> None:
    bench.server.route(MANIFEST, manifest())
    others = {"host": "other.lan", "validate_certs": False}
    with pytest.raises(TransferError, match="Plain http is used only with validate_certs=false"):
        bench.client(validate_certs=True, registries=[others]).head_manifest(bench.repository, "1")
    assert asked(bench.server) == []
    own = {"host": bench.server.host, "validate_certs": False}
    assert bench.client(validate_certs=True, registries=[own]).head_manifest(bench.repository, "1") == DIGEST


# -- manifests


GZIPPED = (("Content-Encoding", "gzip"), ("Content-Type", OCI_MANIFEST))
ENCODED: dict[str, tuple[bytes, str]] = {
    "gzip": (gzip.compress(RAW), DIGEST),
    "gzip, without digest": (gzip.compress(RAW), ""),
    "none, whatever it says": (RAW, DIGEST),
    "none, without digest": (RAW, ""),
}


@pytest.mark.parametrize(("body", "stated"), ENCODED.values(), ids=ENCODED)
def test_a_manifest_that_says_it_is_encoded(bench: Bench, body: bytes, stated: str) -> None:
    told = (("Docker-Content-Digest", stated),) if stated else ()
    bench.server.route("*", Reply(200, body, (*GZIPPED, *told)))
    client = bench.client()
    assert client.get_manifest(bench.repository, "1") == FetchedManifest(RAW, DIGEST, OCI_MANIFEST)
    assert client.get_manifest(bench.repository, DIGEST).raw == RAW
    assert bench.told == []


@pytest.mark.parametrize("name", ["1", DIGEST], ids=["tag", "digest"])
@pytest.mark.parametrize("stated", [DIGEST, ""], ids=["with digest", "without"])
def test_a_manifest(bench: Bench, name: str, stated: str) -> None:
    bench.server.route(f"/v2/team/app/manifests/{name}", manifest(digest=stated, media_type=f"{OCI_MANIFEST}; x=y"))
    client = bench.client()
    assert client.get_manifest(bench.repository, name) == FetchedManifest(RAW, DIGEST, OCI_MANIFEST)
    assert (client.count.head, client.count.get) == (0, 1)


def test_a_manifest_with_other_bytes_than_its_digest(bench: Bench) -> None:
    bench.server.route(f"/v2/team/app/manifests/{OTHER}", manifest(digest=OTHER))
    with pytest.raises(TransferError, match=r"other bytes than its digest names \(tried 3 times\)"):
        bench.client().get_manifest(bench.repository, OTHER)
    assert len(bench.told) == 2


def test_a_manifest_with_other_bytes_than_its_header(bench: Bench) -> None:
    bench.server.route(MANIFEST, manifest(digest=OTHER), manifest())
    assert bench.client().get_manifest(bench.repository, "1").digest == DIGEST
    assert "other bytes than the registry's own digest" in bench.told[0]


def encoded(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def signed(payload: str, *, beside: str = "") -> bytes:
    """Schema 1 with a signature as Docker made it: what was signed ends in a brace that the signatures come before."""
    head = payload[: payload.rindex("\n}")]
    protected = json.dumps({"formatLength": len(head.encode()), "formatTail": encoded("\n}")})
    signature = json.dumps([{"protected": encoded(protected), "signature": "x"}])
    return f'{head},{beside}\n   "signatures": {signature}\n}}'.encode()


PAYLOAD = '{\n   "schemaVersion": 1,\n   "architecture": "amd64",\n   "fsLayers": []\n}'
SIGNED = digest_of(PAYLOAD.encode())


@pytest.mark.parametrize(("name", "stated"), [("1", SIGNED), (SIGNED, ""), ("1", "")])
def test_the_digest_of_schema_1_is_that_of_what_was_signed(bench: Bench, name: str, stated: str) -> None:
    raw = signed(PAYLOAD)
    reply = manifest(raw, stated, media_type=DOCKER_SCHEMA1_SIGNED)
    bench.server.route(f"/v2/team/app/manifests/{name}", reply)
    assert bench.client().get_manifest(bench.repository, name) == FetchedManifest(raw, SIGNED, DOCKER_SCHEMA1_SIGNED)


@pytest.mark.parametrize(
    "raw",
    [
        RAW,
        PAYLOAD.encode() + b" ",
        signed(PAYLOAD, beside='\n "fsLayers2": [],'),
        signed(PAYLOAD).replace(b"amd64", b"arm64"),
        signed(PAYLOAD).replace(b'"protected": "', b'"protected": "?'),
        b'{"signatures": []}',
        b'"signatures"',
    ],
    ids=["none", "unsigned", "more than was signed", "other than was signed", "not encoded", "unsigned list", "text"],
)
def test_what_only_calls_itself_schema_1_has_the_digest_of_its_bytes(bench: Bench, raw: bytes) -> None:
    bench.server.route(f"/v2/team/app/manifests/{SIGNED}", manifest(raw, "", media_type=DOCKER_SCHEMA1_SIGNED))
    with pytest.raises(TransferError, match="other bytes than its digest names"):
        bench.client().get_manifest(bench.repository, SIGNED)


def test_a_manifest_that_is_too_large(bench: Bench) -> None:
    bench.server.route(MANIFEST, manifest(b"x" * (MAX_MANIFEST_BYTES + 1), ""))
    with pytest.raises(TransferError, match="longer than 4194304 bytes"):
        bench.client().get_manifest(bench.repository, "1")
    assert bench.told == []


# -- what heals


def test_a_server_error_heals(bench: Bench) -> None:
    bench.server.route(MANIFEST, Reply(503), Reply(500), manifest())
    assert bench.client().get_manifest(bench.repository, "1").digest == DIGEST
    assert [text.partition(";")[0] for text in bench.told] == [
        f"{bench.repository}:1: {bench.server.host} answered {status} when asked for {bench.repository}:1"
        for status in (503, 500)
    ]


def test_a_truncated_body_heals(bench: Bench) -> None:
    bench.server.route(MANIFEST, replace(manifest(), cut=5), manifest())
    assert bench.client().get_manifest(bench.repository, "1").raw == RAW


def test_a_registry_is_waited_for(bench: Bench) -> None:
    bench.server.route(MANIFEST, Reply(429, headers=(("Retry-After", "33"),)), manifest())
    assert bench.client().head_manifest(bench.repository, "1") == DIGEST
    assert bench.stop.waits == [33.0]


def test_a_registry_may_name_a_time(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1_800_000_000.0
    monkeypatch.setattr(status_errors.time, "time", lambda: now)
    bench.server.route(MANIFEST, Reply(429, headers=(("Retry-After", formatdate(now + 60, usegmt=True)),)), manifest())
    assert bench.client().head_manifest(bench.repository, "1") == DIGEST
    assert bench.stop.waits == [60.0]


@pytest.mark.parametrize("status", [401, 403, 400])
def test_other_answers_do_not_heal(bench: Bench, status: int) -> None:
    bench.server.route(MANIFEST, Reply(status))
    with pytest.raises(TransferError):
        bench.client().get_manifest(bench.repository, "1")
    assert len(asked(bench.server)) == 1


def test_a_stop_ends_it(bench: Bench) -> None:
    bench.stop.end()
    with pytest.raises(Interrupted):
        bench.client().get_manifest(bench.repository, "1")
    assert bench.server.requests == []


# -- blobs


LAYER = gzip.compress(b"layer" * 1000)
CODED: dict[str, Reply] = {
    "the layer itself": Reply(200, LAYER, (("Content-Encoding", "gzip"),)),
    "the layer, packed again": Reply(200, gzip.compress(LAYER), (("Content-Encoding", "gzip"),)),
    "the layer itself, without length": Reply(
        200, LAYER, (("Content-Encoding", "gzip"), ("Content-Length", ""), ("Connection", "close")), cut=len(LAYER)
    ),
    "in capitals": Reply(200, gzip.compress(LAYER), (("Content-Encoding", "X-GZip"),)),
    "something else": Reply(200, LAYER, (("Content-Encoding", "aws-chunked"),)),
    "several": Reply(200, LAYER, (("Content-Encoding", "gzip, gzip"),)),
}


@pytest.mark.parametrize("reply", CODED.values(), ids=CODED)
def test_bytes_and_digest_decide_not_the_encoding(bench: Bench, tmp_path: Path, reply: Reply) -> None:
    """Without one retry, and without a word about it."""
    blob = describe(LAYER)
    bench.server.route(f"/v2/team/app/blobs/{blob.digest}", reply)
    client = bench.client()
    client.fetch_blob(bench.repository, blob, str(tmp_path / "blob"))
    assert (tmp_path / "blob").read_bytes() == LAYER
    assert client.get_blob(bench.repository, blob, limit=100_000) == LAYER
    assert bench.told == []


def test_a_layer_that_is_no_gzip_but_is_called_so(bench: Bench, tmp_path: Path) -> None:
    blob = describe(BLOB)
    headers = (("Content-Encoding", "gzip"), ("Content-Length", ""), ("Connection", "close"))
    bench.server.route(f"/v2/team/app/blobs/{blob.digest}", Reply(200, BLOB, headers, cut=len(BLOB)))
    bench.client().fetch_blob(bench.repository, blob, str(tmp_path / "blob"))
    assert (tmp_path / "blob").read_bytes() == BLOB
    assert len(ranges_of(bench.server)) == 1


def test_a_packed_layer_that_breaks_off_is_fetched_anew(bench: Bench, tmp_path: Path) -> None:
    """There is no asking for the rest of it: the places in it are not those of the layer."""
    blob, packed = describe(LAYER), gzip.compress(LAYER)
    whole = Reply(200, packed, (("Content-Encoding", "gzip"),))
    bench.server.route(f"/v2/team/app/blobs/{blob.digest}", replace(whole, cut=40), whole)
    bench.client().fetch_blob(bench.repository, blob, str(tmp_path / "blob"))
    assert (tmp_path / "blob").read_bytes() == LAYER
    assert ranges_of(bench.server) == ["", ""]


def test_little_that_stands_for_much_is_not_written(bench: Bench, tmp_path: Path) -> None:
    blob = describe(LAYER)
    bomb = Reply(200, gzip.compress(bytes(50_000_000)), (("Content-Encoding", "gzip"),))
    bench.server.route(f"/v2/team/app/blobs/{blob.digest}", bomb)
    with pytest.raises(TransferError, match="more bytes than its descriptor says"):
        bench.client().fetch_blob(bench.repository, blob, str(tmp_path / "blob"))
    assert not (tmp_path / "blob").exists()


def stranger(store: Server, *, challenge: str = "Bearer", path: str = "/v2/their/app/blobs/x") -> None:
    """Another registry, which gives a token to anybody and wants it back."""

    def guard(request: Request) -> Reply:
        if request.headers.get("authorization") == "Bearer theirs":
            return Reply(200, BLOB)
        return Reply(401, headers=(("WWW-Authenticate", f'{challenge} realm="{store.url}/token"'),))

    store.route(path, guard)
    store.route("/token", Reply(200, b'{"token": "theirs"}'))


def test_a_registry_behind_a_redirect_gets_the_token_that_it_gives_to_anybody(bench: Bench, tmp_path: Path) -> None:
    blob = describe(BLOB)
    with Server() as store:
        stranger(store)
        target = Reply(307, headers=(("Location", f"{store.url}/v2/their/app/blobs/x"),))
        bench.server.route("*", protected('Basic realm="x"', lambda _repository: "Basic dXNlcjpzM2NyZXQ=", target))
        bench.server.route("/v2/", Reply(200, b"{}"))
        logins = [Login(host, "user", "s3cret") for host in (bench.server.host, store.host)]
        client = bench.client(*logins)
        client.fetch_blob(bench.repository, blob, str(tmp_path / "blob"))
        assert (tmp_path / "blob").read_bytes() == BLOB
        assert client.get_blob(bench.repository, blob, limit=100_000) == BLOB
        seen = {request.headers.get("authorization") for request in store.requests}
        assert seen == {None, "Bearer theirs"}
        assert "token?" in str(store.lines) and "scope=repository%3Atheir%2Fapp%3Apull" in str(store.lines)
        assert "Bearer theirs" not in str([request.headers for request in bench.server.requests])


@pytest.mark.parametrize(
    ("challenge", "path"), [("Basic", "/v2/their/app/blobs/x"), ("Bearer", "/storage/x")], ids=["basic", "no registry"]
)
def test_what_else_a_host_behind_a_redirect_asks_is_not_answered(
    bench: Bench, tmp_path: Path, challenge: str, path: str
) -> None:
    blob = describe(BLOB)
    with Server() as store:
        stranger(store, challenge=challenge, path=path)
        bench.server.route("*", Reply(307, headers=(("Location", f"{store.url}{path}"),)))
        bench.server.route("/v2/", Reply(200, b"{}"))
        client = bench.client(Login(store.host, "user", "s3cret"))
        with pytest.raises(TransferError, match=f"{store.host}, where .* answered 401") as caught:
            client.fetch_blob(bench.repository, blob, str(tmp_path / "blob"))
        assert caught.value.is_final
        assert store.lines == [f"GET {path}"]


def test_a_small_blob(bench: Bench) -> None:
    blob = describe(BLOB)
    bench.server.route(f"/v2/team/app/blobs/{blob.digest}", Reply(200, BLOB))
    client = bench.client()
    assert client.get_blob(bench.repository, blob, limit=10_000) == BLOB
    assert (client.count.head, client.count.get) == (0, 0), "only manifests are counted"
    with pytest.raises(TransferError, match="longer than 10 bytes"):
        client.get_blob(bench.repository, blob, limit=10)


def test_a_small_blob_with_other_bytes(bench: Bench) -> None:
    blob = describe(BLOB)
    bench.server.route(f"/v2/team/app/blobs/{blob.digest}", Reply(200, b"other"), Reply(200, BLOB))
    assert bench.client().get_blob(bench.repository, blob, limit=10_000) == BLOB
    assert "other bytes than its digest names" in bench.told[0]


SIZES: dict[str, tuple[Reply, int]] = {
    "told": (Reply(200, BLOB), len(BLOB)),
    "not told": (Reply(200, headers=(("Content-Length", "0"),)), 0),
    "not readable": (Reply(200, headers=(("Content-Length", "\u00b2"),)), 0),
}


@pytest.mark.parametrize(("reply", "expected"), SIZES.values(), ids=SIZES)
def test_the_size_of_a_blob(bench: Bench, reply: Reply, expected: int) -> None:
    bench.server.route(f"/v2/team/app/blobs/{OTHER}", reply)
    assert bench.client().blob_size(bench.repository, OTHER) == expected


def test_a_large_blob(bench: Bench, tmp_path: Path) -> None:
    data = bytes(range(256)) * 10_000
    blob = describe(data)
    bench.server.route(f"/v2/team/app/blobs/{blob.digest}", Reply(200, data))
    bench.client().fetch_blob(bench.repository, blob, str(tmp_path / "blob"))
    assert (tmp_path / "blob").read_bytes() == data


BROKEN: dict[str, Reply] = {
    "truncated": Reply(200, BLOB, cut=100),
    "shorter": Reply(200, BLOB[:-1]),
    "longer": Reply(200, BLOB + b"x"),
    "endless": Reply(200, BLOB * 3000),
    "flipped": Reply(200, BLOB[:-1] + b"x"),
    "an error": Reply(502),
}


@pytest.mark.parametrize("reply", BROKEN.values(), ids=BROKEN)
def test_a_large_blob_that_comes_damaged_is_fetched_again(bench: Bench, tmp_path: Path, reply: Reply) -> None:
    blob = describe(BLOB)
    bench.server.route(f"/v2/team/app/blobs/{blob.digest}", reply, Reply(200, BLOB))
    bench.client().fetch_blob(bench.repository, blob, str(tmp_path / "blob"))
    assert (tmp_path / "blob").read_bytes() == BLOB
    assert len(bench.told) == 1


def test_a_large_blob_that_is_not_there(bench: Bench, tmp_path: Path) -> None:
    with pytest.raises(TransferError, match=f"blob {OTHER} of .* does not exist"):
        bench.client().fetch_blob(bench.repository, replace(describe(BLOB), digest=OTHER), str(tmp_path / "blob"))
    assert len(asked(bench.server)) == 1


def ranged(data: bytes, *, first: Reply) -> Callable[[Request], Reply]:
    """A blob of a server that knows ranges; ``first`` answers a request for all of it."""

    def answer(request: Request) -> Reply:
        asked_for = request.headers.get("range", "")
        if not asked_for:
            return first
        start = int(asked_for[len("bytes=") : -1])
        header = ("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        return Reply(206, data[start:], (header,))

    return answer


def ranges_of(server: Server) -> list[str]:
    """The ranges that were asked for, empty for all of it."""
    return [request.headers.get("range", "") for request in server.requests if "/blobs/" in request.path]


def test_a_large_blob_that_breaks_off_is_resumed(bench: Bench, tmp_path: Path) -> None:
    blob = describe(BLOB)
    url = f"/v2/team/app/blobs/{blob.digest}"
    bench.server.route(url, ranged(BLOB, first=Reply(200, BLOB, cut=100)))
    bench.client().fetch_blob(bench.repository, blob, str(tmp_path / "blob"))
    assert (tmp_path / "blob").read_bytes() == BLOB
    assert ranges_of(bench.server) == ["", "bytes=100-"]
    assert len(bench.told) == 1


def test_it_is_resumed_as_often_as_there_are_tries(bench: Bench, tmp_path: Path) -> None:
    blob = describe(BLOB)
    pieces = (Reply(200, BLOB, cut=100), replace(rest_of(BLOB, 100), cut=1000), rest_of(BLOB, 1100))
    bench.server.route(f"/v2/team/app/blobs/{blob.digest}", *pieces)
    bench.client().fetch_blob(bench.repository, blob, str(tmp_path / "blob"))
    assert (tmp_path / "blob").read_bytes() == BLOB
    assert ranges_of(bench.server) == ["", "bytes=100-", "bytes=1100-"]


def rest_of(data: bytes, start: int) -> Reply:
    return Reply(206, data[start:], (("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}"),))


def test_a_server_without_ranges_sends_it_anew(bench: Bench, tmp_path: Path) -> None:
    blob = describe(BLOB)
    bench.server.route(f"/v2/team/app/blobs/{blob.digest}", Reply(200, BLOB, cut=100), Reply(200, BLOB))
    bench.client().fetch_blob(bench.repository, blob, str(tmp_path / "blob"))
    assert (tmp_path / "blob").read_bytes() == BLOB
    assert ranges_of(bench.server) == ["", "bytes=100-"]


def test_a_server_that_sends_another_range_is_asked_for_all(bench: Bench, tmp_path: Path) -> None:
    blob = describe(BLOB)
    replies = (Reply(200, BLOB, cut=100), rest_of(BLOB, 90), Reply(200, BLOB))
    bench.server.route(f"/v2/team/app/blobs/{blob.digest}", *replies)
    bench.client().fetch_blob(bench.repository, blob, str(tmp_path / "blob"))
    assert (tmp_path / "blob").read_bytes() == BLOB
    assert ranges_of(bench.server) == ["", "bytes=100-", ""]
    assert "another range than was asked for" in bench.told[1]


def test_what_came_whole_and_wrong_is_not_resumed(bench: Bench, tmp_path: Path) -> None:
    blob = describe(BLOB)
    bench.server.route(f"/v2/team/app/blobs/{blob.digest}", Reply(200, BLOB[:-1]), Reply(200, BLOB))
    bench.client().fetch_blob(bench.repository, blob, str(tmp_path / "blob"))
    assert ranges_of(bench.server) == ["", ""]


def test_a_blob_behind_a_redirect_is_resumed_there(bench: Bench, tmp_path: Path) -> None:
    blob = describe(BLOB)
    with Server() as store:
        store.route("/store", ranged(BLOB, first=Reply(200, BLOB, cut=100)))
        target = Reply(307, headers=(("Location", f"{store.url}/store"),))
        bench.server.route(f"/v2/team/app/blobs/{blob.digest}", target)
        bench.client().fetch_blob(bench.repository, blob, str(tmp_path / "blob"))
        assert [request.headers.get("range", "") for request in store.requests] == ["", "bytes=100-"]
    assert (tmp_path / "blob").read_bytes() == BLOB


def test_tries_that_are_used_up_are_final(bench: Bench, tmp_path: Path) -> None:
    blob = describe(BLOB)
    bench.server.route(f"/v2/team/app/blobs/{blob.digest}", Reply(503))
    with pytest.raises(TransferError, match=r"\(tried 3 times\)") as caught:
        bench.client().fetch_blob(bench.repository, blob, str(tmp_path / "blob"))
    assert caught.value.is_final is True


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_refusal_is_not_final(bench: Bench, tmp_path: Path, status: int) -> None:
    blob = describe(BLOB)
    bench.server.route(f"/v2/team/app/blobs/{blob.digest}", Reply(status))
    with pytest.raises(TransferError) as caught:
        bench.client().fetch_blob(bench.repository, blob, str(tmp_path / "blob"))
    assert caught.value.is_final is False


def test_a_blob_that_only_trickles_ends_at_its_deadline(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server sends a piece and waits for ever; its clock runs from piece to piece."""
    blob = describe(BLOB)
    now = [100.0]
    monkeypatch.setattr(client_module.time, "monotonic", lambda: now[0])
    real = BlobFile.take

    def take(self: BlobFile, answer: Response, chunks: Iterator[bytes], check: Callable[[], None]) -> None:
        def later() -> Iterator[bytes]:
            for chunk in chunks:
                yield chunk[:100]
                now[0] += 50
                yield chunk[100:]

        real(self, answer, later(), check)

    monkeypatch.setattr(BlobFile, "take", take)
    bench.server.route(f"/v2/team/app/blobs/{blob.digest}", Reply(200, BLOB, cut=2000, stalls=True))
    with pytest.raises(TransferError, match="it was not done within timeout") as caught:
        bench.client().fetch_blob(bench.repository, blob, str(tmp_path / "blob"), deadline=120.0)
    assert (caught.value.heals, caught.value.is_final) == (False, True)
    assert (tmp_path / "blob").read_bytes() == BLOB[:100]
    assert len(ranges_of(bench.server)) == 1, "it is not tried again"


def test_a_deadline_that_is_over_asks_for_nothing(bench: Bench, tmp_path: Path) -> None:
    with pytest.raises(TransferError, match="it was not done within timeout"):
        bench.client().fetch_blob(bench.repository, describe(BLOB), str(tmp_path / "blob"), deadline=0.0)
    assert ranges_of(bench.server) == []


def test_a_stop_ends_a_large_blob(bench: Bench, tmp_path: Path) -> None:
    blob = describe(BLOB)

    def stop(_request: Request) -> Reply:
        bench.stop.end()
        return Reply(200, BLOB)

    bench.server.route(f"/v2/team/app/blobs/{blob.digest}", stop)
    with pytest.raises(Interrupted):
        bench.client().fetch_blob(bench.repository, blob, str(tmp_path / "blob"))


# -- who we are


def protected(challenge: str, proof: Callable[[str], str], reply: Reply) -> Callable[[Request], Reply]:
    """Answers only who sends the right header."""

    def answer(request: Request) -> Reply:
        repository = request.path.split("/manifests/")[0].split("/blobs/")[0][len("/v2/") :]
        if request.headers.get("authorization") == proof(repository):
            return reply
        return Reply(401, b"", (("WWW-Authenticate", challenge),))

    return answer


BASIC = "Basic " + base64.b64encode(b"user:s3cret").decode()


def test_basic(bench: Bench) -> None:
    bench.server.route("*", protected('Basic realm="x"', lambda _repository: BASIC, manifest()))
    client = bench.client(Login(bench.server.host, "user", "s3cret"))
    assert client.head_manifest(bench.repository, "1") == DIGEST
    assert client.get_manifest(Repository(bench.server.host, "other"), "1").digest == DIGEST
    assert [request.headers.get("authorization") for request in bench.server.requests[1:]] == [None, BASIC, BASIC]


def test_wrong_credentials_are_told_at_once(bench: Bench) -> None:
    bench.server.route("*", protected('Basic realm="x"', lambda _repository: "never", manifest()))
    with pytest.raises(TransferError, match=r"refused user 'user' for .*unauthorized. The password may") as caught:
        bench.client(Login(bench.server.host, "user", "s3cret")).get_manifest(bench.repository, "1")
    assert "s3cret" not in str(caught.value)
    assert len(asked(bench.server)) == 2


def test_each_repository_costs_one_token(bench: Bench) -> None:
    with Server() as service:
        service.route(
            "/token",
            lambda request: Reply(200, b'{"token": "t-%s"}' % request.path.rpartition("%3A")[0][-3:].encode()),
        )
        challenge = f'Bearer realm="{service.url}/token",service="x"'
        for name in ("app", "web"):
            answer = protected(challenge, lambda repository: f"Bearer t-{repository[-3:]}", manifest())
            bench.server.route(f"/v2/team/{name}/manifests/1", answer)
        client = bench.client()
        for name in ("app", "web", "app", "web"):
            assert client.head_manifest(Repository(bench.server.host, f"team/{name}"), "1") == DIGEST
        assert len(service.requests) == 2
        assert len(asked(bench.server)) == 5, "one refusal in all"


def test_a_token_that_ran_out_is_renewed_for_a_blob(bench: Bench, tmp_path: Path) -> None:
    blob = describe(BLOB)
    with Server() as service:
        service.route("/token", Reply(200, b'{"token": "old"}'), Reply(200, b'{"token": "new"}'))
        challenge = f'Bearer realm="{service.url}/token"'
        answer = protected(challenge, lambda _repository: "Bearer new", Reply(200, BLOB))
        bench.server.route(MANIFEST, protected(challenge, lambda _repository: "Bearer old", manifest()))
        bench.server.route(f"/v2/team/app/blobs/{blob.digest}", answer)
        client = bench.client()
        assert client.head_manifest(bench.repository, "1") == DIGEST
        client.fetch_blob(bench.repository, blob, str(tmp_path / "blob"))
    assert (tmp_path / "blob").read_bytes() == BLOB


def test_what_a_host_behind_a_redirect_asks_is_not_answered(bench: Bench) -> None:
    with Server() as store:
        store.route("*", Reply(401, headers=(("WWW-Authenticate", 'Basic realm="x"'),)))
        bench.server.route(MANIFEST, Reply(307, headers=(("Location", f"{store.url}/x"),)))
        with pytest.raises(TransferError, match=f"{store.host}, where {bench.server.host} redirects .* answered 401"):
            bench.client(Login(bench.server.host, "user", "s3cret")).get_manifest(bench.repository, "1")
        assert [request.headers.get("authorization") for request in store.requests] == [None]


def test_a_registry_in_capital_letters(bench: Bench) -> None:
    host = f"LocalHost:{bench.server.port}"
    bench.server.route("*", protected('Basic realm="x"', lambda _repository: BASIC, manifest()))
    client = bench.client(Login(host, "user", "s3cret"))
    assert client.head_manifest(Repository(host, "team/app"), "1") == DIGEST


# -- http and https


def test_plain_http_is_used_only_without_validation(bench: Bench) -> None:
    bench.server.route(MANIFEST, manifest())
    with pytest.raises(TransferError, match="does not speak TLS"):
        bench.client(validate_certs=True).head_manifest(bench.repository, "1")
    assert bench.client(validate_certs=False).head_manifest(bench.repository, "1") == DIGEST


def test_the_scheme_is_found_out_once(bench: Bench) -> None:
    bench.server.route(MANIFEST, manifest())
    client = bench.client()
    for _time in range(3):
        client.head_manifest(bench.repository, "1")
    assert bench.server.lines.count("GET /v2/") == 1


def test_docker_hub_has_a_host_of_its_own(bench: Bench) -> None:
    client = bench.client()
    endpoint = client.endpoints.of("docker.io")
    assert endpoint.http.host == "registry-1.docker.io"
    assert client.endpoints.of("docker.io") is endpoint


TAGS, REFERRERS = "/v2/team/app/tags/list", f"/v2/team/app/referrers/{DIGEST}"
LIST_TAG = f"sha256-{DIGEST[7:]}"
SIG = f"{LIST_TAG}.sig"


def tags(*names: str, **headers: str) -> Reply:
    return Reply(200, json.dumps({"name": "team/app", "tags": names}).encode(), tuple(headers.items()))


def referring(*digests: str, **headers: str) -> Reply:
    entries = [{"mediaType": OCI_MANIFEST, "digest": digest, "size": 2} for digest in digests]
    raw = json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries}).encode()
    return Reply(200, raw, tuple(headers.items()))


def test_of_all_tags_only_those_that_refer_to_something_are_kept(server: Server, bench: Bench) -> None:
    first = tags("1", SIG, Link=f'<{TAGS}?n=1000&last=1>; rel="next"')
    server.route(TAGS, first, tags("latest", LIST_TAG, "sha256-1.sig"))
    assert bench.client().tags(bench.repository) == {SIG, LIST_TAG}
    assert server.lines[-2:] == [f"GET {TAGS}?n=1000", f"GET {TAGS}?n=1000&last=1"]


@pytest.mark.parametrize("status", [401, 403, 404, 405])
def test_tags_that_are_not_listed(server: Server, bench: Bench, status: int) -> None:
    server.route(TAGS, Reply(status))
    assert bench.client().tags(bench.repository) is None


@pytest.mark.parametrize("body", [b"<html>", b'{"tags": 1}', b"[]"])
def test_a_page_for_people_is_no_list_of_tags(server: Server, bench: Bench, body: bytes) -> None:
    server.route(TAGS, Reply(200, body))
    assert bench.client().tags(bench.repository) is None


def test_a_repository_without_tags(server: Server, bench: Bench) -> None:
    server.route(TAGS, Reply(200, b'{"name": "team/app", "tags": null}'))
    assert bench.client().tags(bench.repository) == frozenset()


def test_tags_without_end_count_as_not_listed(server: Server, bench: Bench) -> None:
    server.route(TAGS, tags("1", Link=f'<{TAGS}>; rel="next"'))
    assert bench.client().tags(bench.repository) is None
    assert len([line for line in server.lines if TAGS in line]) == 100


def test_tags_do_not_go_on_elsewhere(server: Server, bench: Bench) -> None:
    server.route(TAGS, tags("1", Link='<http://elsewhere.example/>; rel="next"'))
    with pytest.raises(TransferError, match="continues a list of tags elsewhere, which is refused"):
        bench.client().tags(bench.repository)


def test_tags_are_asked_for_again_after_an_outage(server: Server, bench: Bench) -> None:
    server.route(TAGS, Reply(503), tags(SIG))
    assert bench.client().tags(bench.repository) == {SIG}


def test_what_refers_to_a_manifest(server: Server, bench: Bench) -> None:
    server.route(REFERRERS, referring(OTHER))
    found = bench.client().referrers(bench.repository, DIGEST)
    assert found is not None and [one.digest for one in found] == [OTHER]
    assert server.requests[-1].headers["accept"] == OCI_INDEX


@pytest.mark.parametrize("status", [400, 404, 405, 501])
def test_a_registry_that_knows_no_referrers(server: Server, bench: Bench, status: int) -> None:
    server.route(REFERRERS, Reply(status))
    assert bench.client().referrers(bench.repository, DIGEST) is None


def test_more_referrers_than_any_image_has(server: Server, bench: Bench) -> None:
    first, second = ([f"sha256:{start}{number:063x}" for number in range(600)] for start in "01")
    server.route(REFERRERS, referring(*first, Link=f'<{REFERRERS}?last=1>; rel="next"'), referring(*second))
    with pytest.raises(TransferError, match=f"more than 1000 manifests refer to {DIGEST}, which is refused"):
        bench.client().referrers(bench.repository, DIGEST)
