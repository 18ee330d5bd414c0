# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The writing side of the registry client against a real docker-registry: what is in its storage, and in its log."""

from __future__ import annotations

import hashlib
import io
import json

import pytest

from ansible_collections.airgap.images.plugins.module_utils._base.stop import Stop
from ansible_collections.airgap.images.plugins.module_utils._http.trust_store import TrustStore
from ansible_collections.airgap.images.plugins.module_utils._oci.descriptor import Descriptor, digest_of
from ansible_collections.airgap.images.plugins.module_utils._oci.media_types import OCI_MANIFEST
from ansible_collections.airgap.images.plugins.module_utils._oci.reference import Repository
from ansible_collections.airgap.images.plugins.module_utils._registry.access import Access, Login
from ansible_collections.airgap.images.plugins.module_utils._registry.credentials import Credentials as Logins
from ansible_collections.airgap.images.plugins.module_utils._registry.endpoints import Endpoints
from ansible_collections.airgap.images.plugins.module_utils._registry.pusher import Pusher
from ansible_collections.airgap.images.plugins.module_utils._registry.retry import RetryPolicy
from ansible_collections.airgap.images.tests.support.registry import Registry
from ansible_collections.airgap.images.tests.support.workbench import Workbench

LAYER = hashlib.shake_128(b"layer").digest(3_000_000)


class Source(io.BytesIO):
    """The bytes of a blob."""

    @property
    def size(self) -> int:
        return len(self.getbuffer())


def describe(raw: bytes) -> Descriptor:
    return Descriptor("application/octet-stream", digest_of(raw), len(raw))


def pusher_for(registry: Registry) -> Pusher:
    login = registry.login
    logins = () if login is None else (Login(registry.host, login.username, login.password),)
    ca_path = str(registry.tls.authority.ca_path) if registry.tls else None
    access = Access(None, None, logins, None, registry.tls is not None, ca_path, None, None)
    endpoints = Endpoints(access, Logins(logins, ()), TrustStore(access, {}), read_timeout=30, connections=2)
    return Pusher(endpoints, RetryPolicy(2, 0.01), stop=Stop(), on_retry=lambda _text: None)


def manifest_of(*all_of: bytes) -> bytes:
    """A manifest of a configuration and layers."""
    blobs = [{"mediaType": "application/octet-stream", "digest": digest_of(raw), "size": len(raw)} for raw in all_of]
    document = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": blobs[0], "layers": blobs[1:]}
    return json.dumps(document).encode()


@pytest.fixture
def registry(bench: Workbench) -> Registry:
    return bench.registry()


def test_an_image_is_pushed(registry: Registry) -> None:
    pusher = pusher_for(registry)
    app = Repository(registry.host, "team/app")
    raw = manifest_of(b"{}", LAYER)
    assert pusher.head_manifest(app, "1") is None
    assert not pusher.has_blob(app, digest_of(LAYER))
    sent: list[int] = []
    for blob in (b"{}", LAYER):
        pusher.upload(app, describe(blob), Source(blob), on_sent=sent.append)
    assert sum(sent) == len(LAYER) + 2
    assert pusher.has_blob(app, digest_of(LAYER))
    assert registry.blob_path(digest_of(LAYER)).read_bytes() == LAYER
    assert pusher.put_manifest(app, "1", raw, OCI_MANIFEST).digest == digest_of(raw)
    assert pusher.head_manifest(app, "1") == digest_of(raw)
    assert registry.blob_path(digest_of(raw)).read_bytes() == raw
