# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Manifests, indexes and configurations, from the cache or from their registry."""

from __future__ import annotations

import os

from .._cache.cache import Cache
from .._oci.descriptor import Descriptor, digest_of
from .._oci.limits import MAX_MANIFEST_BYTES
from .._oci.manifest import parse_manifest
from .._oci.reference import Repository
from .._registry.fetched_manifest import FetchedManifest
from .questions import Client


class Documents:
    """Reads small blobs, each from its registry at most once.

    :param client: asks registries.
    :param keep: store what is fetched in the cache; not in check mode.
    :param fetched: takes the bytes of each document that was not in the cache, by digest.
    """

    def __init__(self, client: Client, cache: Cache, *, keep: bool, fetched: dict[str, int]) -> None:
        self._client = client
        self._cache = cache
        self._keep = keep
        self.fetched = fetched

    def that_keep_nothing(self) -> Documents:
        """Return the same documents, without storing what is fetched from now on."""
        return Documents(self._client, self._cache, keep=False, fetched=self.fetched)

    def manifest(self, repository: Repository, digest: str) -> FetchedManifest:
        """Return a manifest or index.

        :raises TransferError: when its registry does not give it.
        :raises ManifestError: when it is not valid.
        """
        raw = self.cached(digest)
        return self.manifest_now(repository, digest) if raw is None else FetchedManifest(raw, digest, "")

    def manifest_now(self, repository: Repository, digest: str) -> FetchedManifest:
        """Return a manifest or index as its registry gives it now; raises as :meth:`manifest`."""
        fetched = self._client.get_manifest(repository, digest)
        parse_manifest(fetched.raw, fetched.media_type)  # nothing is stored that would be refused
        self.keep(digest, fetched.raw)
        return fetched

    def blob(self, repository: Repository, blob: Descriptor, *, of: str = "") -> bytes:
        """Return a configuration, or the small blob of an attestation.

        :param of: digest of the manifest that names it.
        :raises TransferError: when its registry does not give it.
        """
        raw = self.cached(blob.digest)
        if raw is None:
            raw = self._client.get_blob(repository, blob, limit=MAX_MANIFEST_BYTES, of=of)
            self.keep(blob.digest, raw)
        return raw

    def cached(self, digest: str) -> bytes | None:
        """Return a document that the cache has. A layer is not read, even if a registry gives its digest to one."""
        try:
            is_small = os.path.getsize(self._cache.blobs.path(digest)) <= MAX_MANIFEST_BYTES
        except OSError:
            return None
        return self._cache.blobs.read_document(digest) if is_small else None

    def keep(self, digest: str, raw: bytes) -> None:
        """Store a document that was fetched; in check mode, count it as stored."""
        self.fetched[digest] = len(raw)
        # A signed schema 1 manifest has a digest that is not its bytes'; it cannot be kept as a blob.
        if digest_of(raw) == digest:
            blobs = self._cache.blobs
            (blobs.store_document if self._keep else blobs.foresee_document)(digest, raw)
