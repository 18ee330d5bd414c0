# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The writing side of the registry client against a real docker-registry: what is in its storage, and in its log."""

from __future__ import annotations

import hashlib

import pytest

from ansible_collections.airgap.images.plugins.module_utils._base.errors import Refused, TransferError
from ansible_collections.airgap.images.plugins.module_utils._http import timed_socket
from ansible_collections.airgap.images.plugins.module_utils._oci.descriptor import digest_of
from ansible_collections.airgap.images.plugins.module_utils._oci.media_types import OCI_INDEX, OCI_MANIFEST
from ansible_collections.airgap.images.plugins.module_utils._oci.reference import Repository
from ansible_collections.airgap.images.plugins.module_utils._registry.pusher import Pusher
from ansible_collections.airgap.images.plugins.module_utils._registry.refusals import (
    BlobsUnknown,
    ForeignLayersRefused,
    ManifestTooLarge,
    ReadOnlyRegistry,
    RegistryFull,
)
from ansible_collections.airgap.images.tests.support.certificates import server_context
from ansible_collections.airgap.images.tests.support.disks import small_disk
from ansible_collections.airgap.images.tests.support.pushing import (
    Source,
    describe,
    index_of,
    manifest_of,
    pusher_for,
)
from ansible_collections.airgap.images.tests.support.registry import Registry
from ansible_collections.airgap.images.tests.support.relay import Relay
from ansible_collections.airgap.images.tests.support.stand_in_answers import MEASURED
from ansible_collections.airgap.images.tests.support.stand_in_registry import StandInRegistry
from ansible_collections.airgap.images.tests.support.workbench import USER, Workbench

CONFIG, LAYER = b"{}", hashlib.shake_128(b"layer").digest(3_000_000)
MANIFEST = manifest_of(CONFIG, LAYER)
FOREIGN = "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip"


def pusher_to(registry: Registry) -> Pusher:
    login = (registry.login.username, registry.login.password) if registry.login else None
    return pusher_for(registry.host, login=login, ca_path=str(registry.tls.authority.ca_path) if registry.tls else None)


def repository_of(registry: Registry, path: str = "team/app") -> Repository:
    return Repository(registry.host, path)


def push_image(registry: Registry, pusher: Pusher, to: Repository) -> None:
    """Push an image under the tag 1, and look at what the registry has stored."""
    for blob in (CONFIG, LAYER):
        pusher.upload(to, describe(blob), Source(blob))
    pusher.put_manifest(to, digest_of(MANIFEST), MANIFEST, OCI_MANIFEST)
    pusher.put_manifest(to, "1", index_of(MANIFEST), OCI_INDEX)
    assert pusher.head_manifest(to, "1") == digest_of(index_of(MANIFEST))
    for raw in (CONFIG, LAYER, MANIFEST, index_of(MANIFEST)):
        assert registry.blob_path(digest_of(raw)).read_bytes() == raw


def test_an_image_is_pushed(bench: Workbench) -> None:
    registry = bench.registry()
    pusher, app = pusher_to(registry), repository_of(registry)
    assert pusher.head_manifest(app, "1") is None
    assert not pusher.has_blob(app, digest_of(LAYER))
    push_image(registry, pusher, app)
    assert pusher.has_blob(app, digest_of(LAYER))
    written = [each for each in registry.requests() if each.method not in ("GET", "HEAD")]
    assert [each.status for each in written] == [202, 201, 202, 201, 201, 201]


def test_a_blob_is_mounted(bench: Workbench) -> None:
    registry = bench.registry()
    pusher, app, other = pusher_to(registry), repository_of(registry), repository_of(registry, "team/other")
    push_image(registry, pusher, app)
    registry.clear()
    assert pusher.mount(other, digest_of(LAYER), app) is None
    assert [(each.method, each.status) for each in registry.requests()] == [("POST", 201)]
    assert pusher.has_blob(other, digest_of(LAYER))


def test_a_blob_that_cannot_be_mounted_is_sent(bench: Workbench) -> None:
    registry = bench.registry()
    pusher, app = pusher_to(registry), repository_of(registry)
    opened = pusher.mount(app, digest_of(LAYER), repository_of(registry, "team/nothing"))
    assert opened is not None
    pusher.upload(app, describe(LAYER), Source(LAYER), opened=opened)
    assert registry.blob_path(digest_of(LAYER)).read_bytes() == LAYER
    assert [each.status for each in registry.requests() if each.method in ("POST", "PUT")] == [202, 201]


def test_what_a_manifest_lacks_is_named(bench: Workbench) -> None:
    registry = bench.registry()
    with pytest.raises(BlobsUnknown) as raised:
        pusher_to(registry).put_manifest(repository_of(registry), "1", MANIFEST, OCI_MANIFEST)
    assert set(raised.value.digests) == {digest_of(CONFIG), digest_of(LAYER)}
    with pytest.raises(BlobsUnknown) as raised:
        pusher_to(registry).put_manifest(repository_of(registry), "1", index_of(MANIFEST), OCI_INDEX)
    assert raised.value.digests == (digest_of(MANIFEST),)


def test_a_manifest_that_is_too_large(bench: Workbench) -> None:
    registry = bench.registry()
    raw = manifest_of(CONFIG, annotations={"a": "x" * 4 * 1024 * 1024})
    with pytest.raises(ManifestTooLarge):
        pusher_to(registry).put_manifest(repository_of(registry), "1", raw, OCI_MANIFEST)


def test_foreign_layers_need_a_setting(bench: Workbench) -> None:
    registry = bench.registry()
    pusher, app = pusher_to(registry), repository_of(registry)
    pusher.upload(app, describe(CONFIG), Source(CONFIG))
    layer = {"mediaType": FOREIGN, "digest": digest_of(LAYER), "size": len(LAYER), "urls": ["https://far.example/1"]}
    raw = manifest_of(CONFIG, layers=[layer])
    assert pusher.put_manifest(app, "1", raw, OCI_MANIFEST).digest == digest_of(raw)
    registry.reconfigure({"validation": {}})
    with pytest.raises(ForeignLayersRefused, match=r"validation\.manifests\.urls\.allow"):
        pusher.put_manifest(app, "2", raw, OCI_MANIFEST)
    assert [each.status for each in registry.requests() if each.method == "PUT"][-1:] == [500]


@pytest.mark.parametrize("way", ["htpasswd", "tokens", "TLS", "TLS and tokens"])
def test_logins_and_tls(bench: Workbench, way: str) -> None:
    tls = "TLS" in way
    tokens = bench.tokens(tls=tls) if "tokens" in way else None
    registry = bench.registry(basic=USER if way == "htpasswd" else None, tokens=tokens, tls=tls)
    pusher, app, other = pusher_to(registry), repository_of(registry), repository_of(registry, "team/other")
    push_image(registry, pusher, app)
    assert pusher.mount(other, digest_of(LAYER), app) is None
    if tokens is not None:
        asked = [each.scopes for each in tokens.requests()]
        own, source = "repository:team/app:pull,push", "repository:team/app:pull"
        assert asked == [(own,), ("repository:team/other:pull,push", source)]


def test_a_login_that_is_not_given_is_named(bench: Workbench) -> None:
    registry = bench.registry(basic=USER)
    with pytest.raises(Refused, match="Give username and password"):
        pusher_for(registry.host).upload(repository_of(registry), describe(LAYER), Source(LAYER))


def test_a_token_that_ended_is_renewed(bench: Workbench) -> None:
    tokens = bench.tokens()
    registry = bench.registry(tokens=tokens)
    pusher, app = pusher_to(registry), repository_of(registry)
    tokens.issue_expired(1)
    with pytest.raises(TransferError):
        pusher.upload(app, describe(LAYER), Source(LAYER))
    pusher.upload(app, describe(LAYER), Source(LAYER))
    assert registry.blob_path(digest_of(LAYER)).read_bytes() == LAYER


def test_what_broke_off_is_sent_again(bench: Workbench, monkeypatch: pytest.MonkeyPatch) -> None:
    """docker-registry 2.8 mostly knows nothing of an upload whose connection broke; sometimes it still does."""
    monkeypatch.setattr(timed_socket, "_UNTIL_A_LOOK", 0.2)  # the relay just reads nothing more
    registry = bench.registry()
    sent: list[int] = []
    with Relay(registry.port) as relay:

        def cut_once(count: int) -> None:
            sent.append(count)
            if len(sent) == 4:
                relay.cut()

        to = Repository(f"127.0.0.1:{relay.port}", "team/app")
        pusher_for(to.registry).upload(to, describe(LAYER), Source(LAYER), on_sent=cut_once)
    assert registry.blob_path(digest_of(LAYER)).read_bytes() == LAYER
    assert sum(sent) == len(LAYER)
    assert [each.status for each in registry.requests() if each.method == "PUT"][-1] == 201


def test_a_read_only_registry_ends_everything(bench: Workbench) -> None:
    registry = bench.registry()
    pusher, app = pusher_to(registry), repository_of(registry)
    push_image(registry, pusher, app)
    registry.reconfigure({"storage": {"maintenance": {"readonly": {"enabled": True}}}})
    for _blob in range(2):
        with pytest.raises(ReadOnlyRegistry):
            pusher.upload(app, describe(b"new"), Source(b"new"))
    assert [each.status for each in registry.requests() if each.method == "POST"][-1:] == [405]
    assert pusher_to(registry).head_manifest(app, "1") == digest_of(index_of(MANIFEST))


def test_a_full_disk_ends_everything(bench: Workbench) -> None:
    large = hashlib.shake_128(b"large").digest(6_000_000)
    with small_disk(bench.directory / "registry-1" / "storage", 4_000_000):
        registry = bench.registry()
        pusher, app = pusher_to(registry), repository_of(registry)
        for _blob in range(2):
            with pytest.raises(RegistryFull, match="Have its owner make room"):
                pusher.upload(app, describe(large), Source(large))
        assert [each.status for each in registry.requests() if each.method == "PUT"] == [500]
        registry.stop()


def test_an_answer_before_the_end_of_a_body_is_read_through_tls(bench: Workbench) -> None:
    with StandInRegistry(context=server_context(bench.authority.server())) as registry:
        registry.answer("PUT", "upload", MEASURED["distribution, disk full"], before_body=True)
        pusher = pusher_for(registry.host, ca_path=str(bench.authority.ca_path))
        large = bytes(32 * 1024 * 1024)
        with pytest.raises(RegistryFull):
            pusher.upload(Repository(registry.host, "team/app"), describe(large), Source(large))
    assert registry.lines == ["POST start 202", "PUT upload 500"]


def test_a_proxy_that_does_not_know_that_it_speaks_tls(bench: Workbench) -> None:
    with StandInRegistry(context=server_context(bench.authority.server())) as registry:
        registry.store.location = f"http://{registry.host}"
        pusher = pusher_for(registry.host, ca_path=str(bench.authority.ca_path))
        pusher.upload(Repository(registry.host, "team/app"), describe(LAYER), Source(LAYER))
    assert registry.store.blobs == {digest_of(LAYER): LAYER}
