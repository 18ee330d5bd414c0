# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The writing side of the registry client, set up for a registry of a test."""

from __future__ import annotations

import io
import json
from typing import Any, Callable

from ansible_collections.airgap.images.plugins.module_utils._base.stop import Stop
from ansible_collections.airgap.images.plugins.module_utils._http.trust_store import TrustStore
from ansible_collections.airgap.images.plugins.module_utils._oci.descriptor import Descriptor, digest_of
from ansible_collections.airgap.images.plugins.module_utils._oci.media_types import OCI_INDEX, OCI_MANIFEST
from ansible_collections.airgap.images.plugins.module_utils._registry.access import Access, Login
from ansible_collections.airgap.images.plugins.module_utils._registry.credentials import Credentials
from ansible_collections.airgap.images.plugins.module_utils._registry.endpoints import Endpoints
from ansible_collections.airgap.images.plugins.module_utils._registry.pusher import Pusher
from ansible_collections.airgap.images.plugins.module_utils._registry.retry import RetryPolicy

BYTES = "application/octet-stream"


class Source(io.BytesIO):
    """The bytes of a blob."""

    @property
    def size(self) -> int:
        """All of them."""
        return len(self.getbuffer())


def describe(raw: bytes) -> Descriptor:
    """The descriptor of a blob."""
    return Descriptor(BYTES, digest_of(raw), len(raw))


def manifest_of(*blobs: bytes, **more: Any) -> bytes:
    """A manifest of a configuration and layers."""
    config, *layers = [{"mediaType": BYTES, "digest": digest_of(raw), "size": len(raw)} for raw in blobs]
    document = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": config, "layers": layers, **more}
    return json.dumps(document).encode()


def index_of(*manifests: bytes) -> bytes:
    """An index of manifests."""
    entries = [{"mediaType": OCI_MANIFEST, "digest": digest_of(raw), "size": len(raw)} for raw in manifests]
    return json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries}).encode()


def pusher_for(
    host: str,
    *,
    login: tuple[str, str] | None = None,
    ca_path: str | None = None,
    retries: int = 2,
    read_timeout: float = 30,
    stop: Stop | None = None,
    on_retry: Callable[[str], None] | None = None,
) -> Pusher:
    """A pusher for a registry; it verifies certificates only if it is given an authority."""
    logins = () if login is None else (Login(host, *login),)
    access = Access(
        source=None,
        login=None,
        logins=logins,
        authfile=None,
        validate_certs=ca_path is not None,
        ca_path=ca_path,
        client_cert=None,
        client_key=None,
    )
    endpoints = Endpoints(
        access, Credentials(logins, ()), TrustStore(access, {}), read_timeout=read_timeout, connections=2
    )
    return Pusher(
        endpoints,
        RetryPolicy(retries, 0.001),
        stop=stop or Stop(),
        on_retry=on_retry or (lambda _text: None),
    )
